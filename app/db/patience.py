"""How long a page of the panel or a call of the API waits for PostgreSQL: one statement, the locks it needs included.

What waits for a lock too long, and a statement that does not end, the server itself refuses; a server that is frozen
says nothing, so the driver gives up a little later. Either is an OperationalError, so that a page says that the store
does not answer, instead of one that never comes. Commands, migrations and background work wait as long as it takes.
"""

from collections.abc import Callable
from typing import Any

import psycopg
import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import Engine

from app.db.bounded import Bounded
from app.db.breaker import Breaker

# Of the patience: for locks, and for a server that says nothing. The server's own refusals, which leave the connection
# good, come before that.
LOCK_SHARE, SILENCE_SHARE = 0.5, 4 / 3
SIGN_OF_LIFE_SECONDS = 5.0  # for the ping by which the pool looks whether a connection is still good
CONNECT_SECONDS = 5.0


def bind(engine: Engine, seconds: float, is_hurried: Callable[[], bool]) -> None:
    """From now on whoever takes a connection of this engine while `is_hurried` waits `seconds` for a statement at most.
    Does nothing with SQLite, which has its own bound for locks and no server to be silent."""
    if engine.dialect.name == "sqlite":
        return
    breaker = Breaker(CONNECT_SECONDS + seconds)
    kind: Any = type("Patient", (Bounded,), {"breaker": breaker, "seconds": SIGN_OF_LIFE_SECONDS})

    @event.listens_for(engine, "do_connect")
    def connect(_dialect: Any, _record: Any, words: Any, named: dict[str, Any]) -> Bounded:
        if breaker.refuses():
            raise psycopg.OperationalError("the database did not answer a moment ago")
        try:
            made: Bounded = kind.connect(*words, **named)
        except psycopg.OperationalError:
            breaker.trip()
            raise
        breaker.mend()
        return made

    @event.listens_for(engine, "checkout")
    def hurry(driver: Bounded, record: Any, _proxy: Any) -> None:
        limit = seconds if is_hurried() else None
        if record.info.get("limit", ...) != limit:
            _limit_server(driver, limit)
            record.info["limit"] = limit
        driver.seconds = None if limit is None else limit * SILENCE_SHARE

    @event.listens_for(engine, "checkin")
    def rest(driver: Bounded | None, _record: Any) -> None:
        if driver is not None:
            driver.seconds = SIGN_OF_LIFE_SECONDS


def _limit_server(driver: Bounded, limit: float | None) -> None:
    """0: no limit."""
    statement, lock = (int((limit or 0) * 1000 * share) for share in (1, LOCK_SHARE))
    words = f"SET statement_timeout = {statement}; SET lock_timeout = {lock}"
    try:
        driver.execute(words.encode())
        driver.commit()
    except psycopg.OperationalError as error:
        raise sa.exc.OperationalError(words, None, error) from error

"""Connections to PostgreSQL that wait for an answer no longer than they are told.

A server that is frozen keeps its connections open and says nothing, for ever; the driver would wait as long, and with
it every thread that scans. A lock that somebody else holds is a refusal by a server that lives, so it is the server
that ends that wait.
"""

from typing import Any

import psycopg
from psycopg.errors import _WaitTimeout
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine

from app.db.breaker import Breaker

CONNECT_SECONDS = 2  # the least that libpq knows
LOCK_SHARE = 0.7  # of the patience, for locks: the server's refusal must come before we give up on the server
LONG_SECONDS = 120.0


class Bounded(psycopg.Connection[Any]):
    """Raises OperationalError when no answer comes within `seconds`, and at once while the database is taken to be
    down: whether it is back is found out by a new connection, which says more than one that may be dead."""

    breaker: Breaker
    seconds: float | None  # None: as long as it takes

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        if self.breaker.is_open:
            self.pgconn.finish()
            raise psycopg.OperationalError("the database did not answer a moment ago")
        try:
            return super().wait(gen, interval, self.seconds if timeout is None else timeout)
        except _WaitTimeout as late:
            self.breaker.trip()
            self.pgconn.finish()
            raise psycopg.OperationalError(f"no answer within {self.seconds} s") from late


def bind(engine: Engine, seconds: float) -> None:
    """From now on every connection of this engine is bounded."""
    breaker = Breaker(CONNECT_SECONDS + seconds)
    kind: Any = type("BoundedHere", (Bounded,), {"breaker": breaker, "seconds": seconds})

    @event.listens_for(engine, "do_connect")
    def connect(_dialect: Any, _record: Any, words: Any, named: dict[str, Any]) -> Bounded:
        if breaker.refuses():
            raise psycopg.OperationalError("the database did not answer a moment ago")
        try:
            made: Bounded = kind.connect(*words, **{**named, "connect_timeout": CONNECT_SECONDS})
            breaker.mend()
            made.execute(f"SET lock_timeout = {int(seconds * 1000 * LOCK_SHARE)}")
            made.commit()
        except psycopg.OperationalError:
            breaker.trip()
            raise
        return made


def wait_long(connection: Connection) -> None:
    """What is asked next may take its time: a bulk of rows, not a sign of life."""
    driver: Any = connection.connection.dbapi_connection
    if isinstance(driver, Bounded):
        driver.seconds = LONG_SECONDS


def wait_briefly(connection: Connection) -> None:
    """Ends `wait_long`."""
    driver: Any = connection.connection.dbapi_connection
    if isinstance(driver, Bounded):
        driver.seconds = type(driver).seconds

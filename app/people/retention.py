"""Forgets what is older than it may be: single events, people not seen for long, what others call them, files, entries
nobody could read. How many days each is kept is set in the panel; what was counted stays counted.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Engine
from sqlalchemy.orm import Session

from app.db.audit import Actor
from app.people import settings_store
from app.people.erase import Eraser
from app.people.models import Identity, Order, Task, Visitor
from app.people.tasks import Folder

log = logging.getLogger(__name__)

EVERY_SECONDS = 3600.0
AT_ONCE = 1000
ERASED_AT_ONCE = 50
RETENTION = Actor("retention")

# Forgets at most so many rows from before a moment; how many there were.
ForgetBefore = Callable[[Connection, datetime, int], int]


@dataclass(frozen=True, slots=True)
class Keeping:
    """`events` and `dead`: how the pipeline forgets its own. `turn`: the queue of SQLite's writers."""

    engine: Engine
    eraser: Eraser
    folder: Folder
    clock: Callable[[], datetime]
    events: ForgetBefore
    dead: ForgetBefore
    turn: AbstractContextManager[object] = field(default_factory=nullcontext)

    def run(self, stop: threading.Event) -> None:
        """Beside the drainer, once an hour."""
        while not stop.wait(EVERY_SECONDS):
            try:
                self.apply(stop)
            except Exception as error:
                log.error(
                    "retention waits: %s", type(error).__name__, exc_info=not isinstance(error, sa.exc.DBAPIError)
                )

    def apply(self, stop: threading.Event | None = None) -> dict[str, int]:
        """Forgets all that is due, in small transactions; how many of each kind."""
        stop = stop or threading.Event()
        with self.engine.connect() as connection:
            days = settings_store.retention(connection)
        before = {kind: self.clock() - timedelta(days=number) for kind, number in days.items() if number}
        steps: dict[str, Callable[[datetime], int]] = {
            "events": lambda at: self._in_pieces(self.events, at, stop),
            "dead": lambda at: self._in_pieces(self.dead, at, stop),
            "identities": lambda at: self._in_pieces(_forget_identities, at, stop),
            "files": self._drop_files,
            "visitors": lambda at: self._erase(at, stop),
        }
        done = {kind: step(before[kind]) for kind, step in steps.items() if kind in before}
        if any(done.values()):
            log.info("retention: %s", ", ".join(f"{number} {kind}" for kind, number in done.items() if number))
        return done

    def _in_pieces(self, forget: ForgetBefore, before: datetime, stop: threading.Event) -> int:
        total = 0
        while not stop.is_set():
            with self._writing() as connection:
                number = forget(connection, before, AT_ONCE)
            total += number
            if number < AT_ONCE:
                break
        return total

    def _drop_files(self, before: datetime) -> int:
        tasks: sa.Table = Task.__table__  # type: ignore[assignment]
        with self._writing() as connection:
            old = sa.delete(tasks).where(tasks.c.finished_at < before).returning(tasks.c.id)
            ids = list(connection.scalars(old))
            # Before it is committed: who is killed here leaves no file without its task, which no erasure would find.
            for task_id in ids:
                self.folder.drop(task_id)
        return len(ids)

    def _erase(self, before: datetime, stop: threading.Event) -> int:
        """People nobody has seen since; one who comes back at this very moment is somebody new."""
        total = 0
        with Session(self.engine) as session:
            while not stop.is_set():
                query = sa.select(Visitor.key).where(Visitor.last_seen_at < before).order_by(Visitor.last_seen_at)
                keys = list(session.scalars(query.limit(ERASED_AT_ONCE)))
                session.rollback()
                for key in keys:
                    self.eraser.erase(session, RETENTION, key)
                total += len(keys)
                if len(keys) < ERASED_AT_ONCE:
                    break
        return total

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        engine = self.engine.execution_options(immediate=True)
        with self.turn, engine.connect() as connection, connection.begin():
            yield connection


def _forget_identities(connection: Connection, before: datetime, limit: int) -> int:
    """Also the names that orders wait for somebody under."""
    identities: sa.Table = Identity.__table__  # type: ignore[assignment]
    orders: sa.Table = Order.__table__  # type: ignore[assignment]
    key: Any = sa.tuple_(identities.c.owner_id, identities.c.kind, identities.c.key)
    old = sa.select(identities.c.owner_id, identities.c.kind, identities.c.key).where(identities.c.at < before)
    number: int = connection.execute(sa.delete(identities).where(key.in_(old.limit(limit)))).rowcount
    waiting = sa.select(orders.c.id).where(orders.c.created_at < before, orders.c.identity_key.is_not(None))
    nameless = sa.update(orders).where(orders.c.id.in_(waiting.limit(limit)))
    return number + connection.execute(nameless.values(identity_kind=None, identity_key=None)).rowcount

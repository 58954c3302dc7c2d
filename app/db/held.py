"""Hot statements: compiled once, run on a connection that each thread holds on to.

What SQLAlchemy does around a statement (check-out, compilation cache, parameters, result metadata) costs five to ten
times the statement itself on SQLite. Here a Core statement is compiled to text with its parameter and result
conversions once, and then handed to the driver's cursor. Everything else may still be executed through the same
`Connection`, inside the same transaction.
"""

import fcntl
import os
import sqlite3
import threading
import time
from collections import namedtuple
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import get_ident
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from app.db.breaker import Breaker

WAIT_SECONDS = 2.0  # for one's turn to write
PROBE_SECONDS = 0.2  # for who looks whether a turn comes at all

Convert = Callable[[Any], Any]


class Prepared:
    """One Core statement in one dialect. `columns`: a SELECT's result columns."""

    def __init__(self, statement: Any, dialect: sa.Dialect) -> None:
        compiled = statement.compile(dialect=dialect)
        self.text = str(compiled)
        kinds = {name: parameter.type for parameter, name in compiled.bind_names.items()}
        convert = _converters(kinds, lambda kind: kind.bind_processor(dialect), dialect)
        # Each parameter in its place: its name, what it is where nobody says, and how the driver wants it.
        self._given = [
            (name, compiled.params.get(name), convert.get(name)) for name in compiled.positiontup or compiled.params
        ]
        self._by_place = compiled.positional
        columns = list(getattr(statement, "selected_columns", ()))
        taken = [column.key for column in columns]
        # A column that is named twice (a join) is found under its first name; the others go by their place.
        names = [name if name not in taken[:place] else f"{name}_{place}" for place, name in enumerate(taken)]
        self._row: Any = namedtuple("Row", names) if names else None
        by_place = {place: column.type for place, column in enumerate(columns)}
        found = _converters(by_place, lambda kind: kind.result_processor(dialect, None), dialect)
        self._results = [found.get(place) for place in range(len(columns))] if found else []

    def run(self, connection: Connection, values: Mapping[str, Any]) -> Any:
        """The driver's cursor after this statement."""
        bound = [
            values.get(name, fixed) if convert is None else convert(values.get(name, fixed))
            for name, fixed, convert in self._given
        ]
        cursor = connection.connection.cursor()
        names = (name for name, _, _ in self._given)
        cursor.execute(self.text, bound if self._by_place else dict(zip(names, bound, strict=True)))
        return cursor

    def count(self, connection: Connection, values: Mapping[str, Any]) -> int:
        """How many rows it wrote."""
        cursor = self.run(connection, values)
        written: int = cursor.rowcount
        cursor.close()
        return written

    def first(self, connection: Connection, values: Mapping[str, Any]) -> Any:
        """The first row, with its columns by name, or None."""
        cursor = self.run(connection, values)
        row = cursor.fetchone()
        cursor.close()
        return None if row is None else self._made(row)

    def all(self, connection: Connection, values: Mapping[str, Any]) -> list[Any]:
        cursor = self.run(connection, values)
        rows = cursor.fetchall()
        cursor.close()
        return [self._made(row) for row in rows]

    def _made(self, row: Sequence[Any]) -> Any:
        if not self._results:
            return self._row(*row)
        return self._row(
            *[value if convert is None else convert(value) for value, convert in zip(row, self._results, strict=True)]
        )


def _converters(kinds: Mapping[Any, Any], find: Callable[[Any], Convert | None], dialect: sa.Dialect) -> dict[Any, Any]:
    found = {key: find(kind.dialect_impl(dialect)) for key, kind in kinds.items()}
    return {key: convert for key, convert in found.items() if convert is not None}


class HeldConnections:
    """One connection a thread, in the driver's autocommit; transactions are begun by hand. Safe across fork."""

    def __init__(self, engine: Engine, turn: "WriteTurn | None" = None) -> None:
        self.engine = engine
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._is_sqlite = engine.dialect.name == "sqlite"
        self._held: dict[int, tuple[int, Connection]] = {}  # by thread
        self._turn = turn if turn is not None else WriteTurn(None)

    def connection(self) -> Connection:
        held = self._held.get(get_ident())
        if held is None or held[0] != os.getpid():
            held = self._take()
        return held[1]

    def drop(self) -> None:
        """Gives this thread's connection up, whatever state it is in; the next use takes another."""
        pid, connection = self._held.pop(get_ident(), (0, None))
        if connection is not None and pid == os.getpid():
            connection.invalidate()
            connection.close()

    def close(self) -> None:
        """Gives every thread's connection back; to be called when no other thread uses one any more."""
        self._give_back(list(self._held))

    def _take(self) -> tuple[int, Connection]:
        running = {thread.ident for thread in threading.enumerate()}
        self._give_back([ident for ident in list(self._held) if ident not in running])
        held = self._held[get_ident()] = (os.getpid(), self._engine.connect())
        if self._is_sqlite:
            self._be_patient(self._turn.wait_seconds)
        return held

    def _give_back(self, idents: Sequence[int]) -> None:
        for ident in idents:
            pid, connection = self._held.pop(ident, (0, None))
            if connection is not None and pid == os.getpid():  # a parent's connection is the parent's
                connection.close()

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction: committed at the end of the block, rolled back when it raises. SQLite: BEGIN IMMEDIATE."""
        if not self._is_sqlite:
            with self._transaction("BEGIN") as connection:
                yield connection
            return
        with self._turn:
            if self._turn.is_probe:
                self._be_patient(PROBE_SECONDS)
            with self._transaction("BEGIN IMMEDIATE") as connection:
                if self._turn.is_probe:
                    self._be_patient(self._turn.wait_seconds)
                yield connection

    def is_refused(self) -> bool:
        """Whether nobody need queue to write: SQLite was locked a moment ago."""
        return self._turn.is_resting

    def _be_patient(self, seconds: float) -> None:
        self.connection().connection.cursor().execute(f"PRAGMA busy_timeout={int(seconds * 1000)}").close()

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[Connection]:
        connection = self.connection()
        cursor = connection.connection.cursor()
        cursor.execute(begin)
        try:
            yield connection
            cursor.execute("COMMIT")
        except BaseException:
            self._roll_back(cursor)
            raise
        finally:
            if connection.in_transaction():  # SQLAlchemy's own idea of it; the driver has ended it already
                connection.rollback()

    def _roll_back(self, cursor: Any) -> None:
        try:
            cursor.execute("ROLLBACK")
        except Exception:
            self.drop()


class WriteTurn:
    """Whose turn it is to write to SQLite, over threads and processes.

    SQLite's own way of waiting is to sleep and try again, up to 100 ms at a time: with two busy processes most of the
    time is slept away. The kernel wakes the next one in a queue for a file lock at once. Whoever does not queue here
    (the panel) still waits by SQLite's own lock, which remains the one that counts.

    Nobody queues for longer than `wait_seconds`. Where it was that long, because somebody who does not queue holds
    SQLite's lock, everybody is refused as SQLite itself would refuse them, but one caller in a while.
    """

    def __init__(self, lock_file: Path | None, wait_seconds: float = WAIT_SECONDS) -> None:
        self._file = lock_file
        self.wait_seconds = wait_seconds
        self.is_probe = False  # of whoever's turn it is: they look whether SQLite's lock is free again, briefly
        self._breaker = Breaker(2 * PROBE_SECONDS)
        self._threads = threading.Lock()
        self._pid = -1
        self._fd = -1

    def __enter__(self) -> None:
        is_probe = self._breaker.is_open
        if self._breaker.refuses():
            raise sqlite3.OperationalError("the database was locked a moment ago")
        if not self._threads.acquire(timeout=PROBE_SECONDS if is_probe else self.wait_seconds):
            self._breaker.trip()
            raise sqlite3.OperationalError("database is locked: our turn to write did not come")
        try:
            if self._breaker.is_open and not is_probe:  # whose turn it was before us has just found out
                raise sqlite3.OperationalError("the database was locked a moment ago")
            if self._file is not None:
                self._lock(PROBE_SECONDS if is_probe else None)
            self.is_probe = is_probe
        except BaseException:
            self._threads.release()
            raise

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        if _says_locked(error):
            self._breaker.trip()
        else:
            self._breaker.mend()
        if self._file is not None and self._pid == os.getpid():
            fcntl.flock(self._fd, fcntl.LOCK_UN)
        self._threads.release()

    @property
    def is_resting(self) -> bool:
        return self._breaker.is_resting

    def _lock(self, seconds: float | None) -> None:
        """The turn among processes. Who holds it waits for SQLite no longer than we would, so there is no limit (None)
        for the first of us who comes; but there is one for whoever looks whether it has become better."""
        if self._pid != os.getpid():
            assert self._file is not None
            self._file.parent.mkdir(parents=True, exist_ok=True)
            self._fd = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            self._pid = os.getpid()
        if seconds is None:
            fcntl.flock(self._fd, fcntl.LOCK_EX)
            return
        deadline = time.monotonic() + seconds
        while True:
            try:
                fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if time.monotonic() > deadline:
                    self._breaker.trip()
                    raise sqlite3.OperationalError("database is locked: another process writes") from None
                time.sleep(0.005)


def _says_locked(error: BaseException | None) -> bool:
    """Whether SQLite refused for want of its lock, in the driver's words or SQLAlchemy's."""
    return error is not None and "database is locked" in str(error)

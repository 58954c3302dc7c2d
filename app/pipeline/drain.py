"""Takes scan events out of where the ledger left them and folds them into SQL: every one, once, within a second.

Decides batch sizes, the order of the sources and what an outage does. Two sources: the outbox table, whose rows are
deleted by the transaction that folds them, and this machine's spool files, whose positions that transaction moves. So a
crash at any moment, or two drainers at once, neither loses an event nor counts one twice.
"""

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from itertools import islice
from pathlib import Path
from typing import Protocol

import sqlalchemy as sa
from sqlalchemy import Connection, Engine

from app.db.upsert import insert
from app.ledger import LedgerDown
from app.ledger.spool import Losses, is_abandoned, retire, spool_files, whole_lines
from app.ledger.tables import outbox, spool_marks
from app.pipeline.fold import Audience, fold_entries, fold_read, set_aside
from app.pipeline.lines import Dead, Entry, read
from app.pipeline.models import dead_events
from app.pipeline.stream_source import StreamSource

log = logging.getLogger(__name__)

# SQLite has one writer: while a batch is folded (5 ms and 0.1 ms an event) new visitors wait for their seats, and small
# batches keep them waiting for most of the time. PostgreSQL's claims do not wait.
BATCH = {"sqlite": 400, "postgresql": 1000}
IDLE_SECONDS = 0.4
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 30.0
CHORE_SECONDS = 3600.0
FIRST_BYTES = 8192  # of a spool file, where only its first line is wanted
LONGEST_FAREWELL_SECONDS = 5.0

Chore = Callable[[Connection], object]


class Stop(Protocol):
    """What of `threading.Event` tells a drainer to end."""

    def is_set(self) -> bool: ...
    def wait(self, seconds: float, /) -> bool: ...


class Drainer:
    """One loop over the sources. `chores` are run once an hour, each in a transaction of its own. `turn`: the queue of
    SQLite's writers (`db.held.WriteTurn`), so that folding waits for claims and claims for folding, first come.
    `streams`: the third source, with Redis. `ticks` are called every round while Redis answers. `beside`: what runs
    as long as the loop does, each in a thread of its own, because it may take its time."""

    def __init__(
        self,
        engine: Engine,
        spool: Path,
        audience: Audience,
        chores: Sequence[Chore] = (),
        turn: AbstractContextManager[object] | None = None,
        streams: StreamSource | None = None,
        ticks: Sequence[Callable[[], object]] = (),
        beside: Sequence[Callable[[threading.Event], object]] = (),
    ) -> None:
        self._engine = engine
        self._turn = turn or nullcontext()
        self._spool = spool
        self.audience = audience
        self._chores = chores
        self._streams = streams
        self._ticks = ticks
        self._beside = beside
        self._streams_down = False
        self._batch = BATCH[engine.dialect.name]
        self._chores_due = 0.0

    def run_once(self) -> int:
        """Folds one batch of each source; how many entries were taken, 0 when nothing is waiting."""
        waits, marks = self._look()
        taken = self._drain_outbox() if waits else 0
        for file in spool_files(self._spool):
            taken += self._drain_file(file, marks.get(file.name, 0))
        return taken + self._drain_streams()

    def run_until_empty(self) -> int:
        taken = 0
        while batch := self.run_once():
            taken += batch
        return taken

    def run(self, stop: Stop) -> None:
        """Until `stop`. An outage is logged once and waited out, longer each time; nothing is lost meanwhile."""
        threads = [threading.Thread(target=one, args=(stop,), name="beside", daemon=True) for one in self._beside]
        for thread in threads:
            thread.start()
        self._run(stop)
        for thread in threads:
            thread.join(LONGEST_FAREWELL_SECONDS)

    def _run(self, stop: Stop) -> None:
        pause = 0.0
        while not stop.wait(pause or IDLE_SECONDS):
            try:
                # A batch costs as much as fifty events do, whatever is in it: what is left of one may wait for company.
                while self.run_once() >= self._batch and not stop.is_set():
                    pass
                self._do_chores()
            except Exception as error:
                # Whatever went wrong, the entries are where they were, and the loop must outlive it.
                if not pause:
                    log.error(
                        "scan events wait, SQL takes none: %s", type(error).__name__, exc_info=not _is_outage(error)
                    )
                pause = min(pause * 2 or FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS)
            else:
                if pause:
                    log.warning("scan events are folded again")
                pause = 0.0

    def waiting(self) -> int:
        """About how many entries wait: lines of the outbox and of the spool not folded yet."""
        with self._engine.connect() as connection:
            rows = int(connection.scalar(sa.select(sa.func.sum(_LINES))) or 0)
        return rows + self.spooled() + (self._streams.streams.waiting() if self._streams is not None else 0)

    def spooled(self) -> int:
        """How many of them wait on this machine's disk, because their store took none."""
        with self._engine.connect() as connection:
            marks = {row[0]: row[1] for row in connection.execute(_MARKS)}
        return sum(_count_lines(file, marks.get(file.name, 0)) for file in spool_files(self._spool))

    def lag_seconds(self) -> float:
        """For how long the oldest event has been waiting, wherever it waits; 0 when none does."""
        with self._engine.connect() as connection:
            first = connection.scalar(sa.select(outbox.c.body).order_by(outbox.c.id).limit(1))
            marks = {row[0]: row[1] for row in connection.execute(_MARKS)}
        lines = [first.partition("\n")[0]] if first is not None else []
        lines += [line for file in spool_files(self._spool) for line in _first_line(file, marks.get(file.name, 0))]
        good, _ = read([Entry("", line) for line in lines])
        lags = [time.time() - event.at.timestamp() for _, event in good]
        if self._streams is not None:
            lags.append(self._streams.streams.lag_seconds())
        return max([0.0, *lags])

    def dead(self) -> int:
        """How many entries were set aside, because nobody could read them."""
        with self._engine.connect() as connection:
            return connection.scalar(sa.select(sa.func.count()).select_from(dead_events)) or 0

    def lost(self) -> int:
        """How many events neither a store nor this machine's disk took, since it was set up."""
        return Losses(self._spool).total()

    def _look(self) -> tuple[bool, dict[str, int]]:
        """Whether the outbox holds anything, and how far each spool file is folded. Reading first costs an idle
        installation no write lock."""
        with self._engine.connect() as connection:
            waits = connection.execute(sa.select(outbox.c.id).limit(1)).first() is not None
            return waits, {row[0]: row[1] for row in connection.execute(_MARKS)}

    def _drain_outbox(self) -> int:
        if self._engine.dialect.name == "sqlite":
            return self._drain_oldest()
        with self._writing() as connection:
            # What another consumer has taken is passed over, not waited for.
            oldest = sa.select(outbox.c.id).order_by(outbox.c.id).limit(self._batch).with_for_update(skip_locked=True)
            taken = sa.delete(outbox).where(outbox.c.id.in_(oldest)).returning(outbox.c.id, outbox.c.body)
            rows = sorted((int(row[0]), str(row[1])) for row in connection.execute(taken))
            entries = _as_entries(rows)
            fold_entries(connection, entries, self.audience)
        return len(entries)

    def _drain_oldest(self) -> int:
        """Read while SQLite's lock is nobody's; what another drainer has taken by then is not ours."""
        entries: dict[int, list[Entry]] = {}
        number = 0
        with self._engine.connect() as connection:
            for id_, body in connection.execute(_OLDEST.limit(self._batch)):
                if number < self._batch:
                    entries[id_] = _as_entries([(id_, body)])
                    number += len(entries[id_])
        found = {id_: read(here) for id_, here in entries.items()}
        with self._writing() as connection:
            ours = sa.delete(outbox).where(outbox.c.id.in_(entries)).returning(outbox.c.id)
            taken = sorted(row[0] for row in connection.execute(ours))
            good = [one for id_ in taken for one in found[id_][0]]
            dead = [one for id_ in taken for one in found[id_][1]]
            fold_read(connection, (good, dead), self.audience)
        return number

    def _drain_streams(self) -> int:
        """What Redis has. Where it does not answer, the other sources go on."""
        if self._streams is None:
            return 0
        try:
            taken = self._streams.drain(self._writing, self.audience, self._batch)
            for tick in self._ticks:
                tick()
        except LedgerDown as down:
            if not self._streams_down:
                log.error("scan events wait in Redis: %s", down)
            self._streams_down = True
            return 0
        self._streams_down = False
        return taken

    def _drain_file(self, file: Path, folded_to: int) -> int:
        """One batch of a spool file. A half-written last line waits for its rest; when the writer is gone there will be
        none, so it is set aside, and a file that is wholly folded is deleted."""
        try:
            if file.stat().st_size > folded_to:
                taken = self._fold_file(file, folded_to)
                if taken or not is_abandoned(file):
                    return taken
                self._set_torn_end_aside(file)
            elif retire(file, folded_to):
                self._forget_mark(file)
        except FileNotFoundError:
            pass  # another drainer has finished with it
        return 0

    def _fold_file(self, file: Path, folded_to: int) -> int:
        """Read before the mark is locked; if another drainer has moved it by then, read anew the next time."""
        lines = list(islice(whole_lines(file, folded_to), self._batch))
        found = read(Entry(f"{file.name}:{end}", line) for line, end in lines)
        if lines:
            with self._writing() as connection:
                if _lock_mark(connection, file) == folded_to:
                    fold_read(connection, found, self.audience)
                    _move_mark(connection, file, lines[-1][1])
        return len(lines)

    def _set_torn_end_aside(self, file: Path) -> None:
        with self._writing() as connection:
            offset = _lock_mark(connection, file)
            torn = file.read_bytes()[offset:]
            # Asked once more: the file may just have been made by a writer that had not locked it yet.
            if torn and b"\n" not in torn and is_abandoned(file):
                set_aside(connection, [Dead(Entry(f"{file.name}:{offset}", torn), "torn: its writer was killed")])
                _move_mark(connection, file, offset + len(torn))

    def _forget_mark(self, file: Path) -> None:
        with self._writing() as connection:
            connection.execute(sa.delete(spool_marks).where(_of(file)))

    def _do_chores(self) -> None:
        if time.monotonic() < self._chores_due:
            return
        self._chores_due = time.monotonic() + CHORE_SECONDS
        for chore in self._chores:
            with self._writing() as connection:
                chore(connection)

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        engine = self._engine.execution_options(immediate=True)
        with self._turn, engine.connect() as connection, connection.begin():
            yield connection


_MARKS = sa.select(spool_marks.c.file, spool_marks.c.offset)
_LINES = 1 + sa.func.length(outbox.c.body) - sa.func.length(sa.func.replace(outbox.c.body, "\n", ""))
_OLDEST = sa.select(outbox.c.id, outbox.c.body).order_by(outbox.c.id)


def _as_entries(rows: Iterable[tuple[int, str]]) -> list[Entry]:
    """A row holds the events of one transaction, a line each."""
    entries: list[Entry] = []
    for number, body in rows:
        first, *others = body.split("\n")
        entries.append(Entry(f"outbox:{number}", first))
        entries += [Entry(f"outbox:{number}:{place}", line) for place, line in enumerate(others, 1)]
    return entries


def _of(file: Path) -> sa.ColumnElement[bool]:
    return spool_marks.c.file == file.name


def _lock_mark(connection: Connection, file: Path) -> int:
    """How far the file is folded; nobody else folds it until this transaction ends. One statement, because another
    drainer may delete the mark between any two."""
    fresh = insert(connection, spool_marks).values(file=file.name, offset=0)
    locked = fresh.on_conflict_do_update(index_elements=["file"], set_={"file": fresh.excluded.file})
    return int(connection.execute(locked.returning(spool_marks.c.offset)).scalar_one())


def _move_mark(connection: Connection, file: Path, offset: int) -> None:
    connection.execute(sa.update(spool_marks).where(_of(file)).values(offset=offset))


def _count_lines(file: Path, offset: int) -> int:
    try:
        with file.open("rb") as opened:
            opened.seek(offset)
            return sum(chunk.count(b"\n") for chunk in iter(lambda: opened.read(1 << 20), b""))
    except FileNotFoundError:
        return 0


def _first_line(file: Path, offset: int) -> list[bytes]:
    try:
        return [line for line, _ in islice(whole_lines(file, offset, FIRST_BYTES), 1)]
    except FileNotFoundError:
        return []


def _is_outage(error: Exception) -> bool:
    outages = (sa.exc.OperationalError, sa.exc.InterfaceError, sa.exc.TimeoutError, sqlite3.OperationalError)
    return isinstance(error, (OSError, LedgerDown, *outages))

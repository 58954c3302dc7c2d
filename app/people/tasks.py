"""Long things done with all visitors of a filter, beside the requests: files written, tags given and taken.

Decides who runs which task, how its progress is told, and that one whose runner was killed is begun again.
A file's people are listed beside it, so that the file goes when one of them is erased.
"""

import logging
import threading
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from app.db import writing
from app.outside.sheets import write_xlsx
from app.people import export, filters, settings_store, store, tag_store
from app.people.models import Task
from app.people.wanted import Wanted

log = logging.getLogger(__name__)

FILES = ("csv", "xlsx")
LOOK_SECONDS = 1.0
AFTER_FAILURE_SECONDS = 15.0
# A runner that has said nothing for so long is gone. Squeezing a million rows into a spreadsheet takes half a minute.
SILENT_FOR = timedelta(minutes=3)
MOST_ATTEMPTS = 5
MOST_WAITING = 20  # of one user

_TASKS: sa.Table = Task.__table__  # type: ignore[assignment]


class Superseded(Exception):
    """Somebody else runs this task now, or nobody shall."""


@dataclass(frozen=True, slots=True)
class Folder:
    """Where finished files lie. Shared by all machines, as the whole data directory is."""

    path: Path

    def file(self, task_id: int, kind: str) -> Path:
        return self.path / f"{task_id}.{kind}"

    def people(self, task_id: int) -> Path:
        """The numbers of those in it, sorted, 8 bytes each."""
        return self.path / f"{task_id}.people"

    def drop(self, task_id: int) -> None:
        for file in self.path.glob(f"{task_id}.*"):
            file.unlink(missing_ok=True)

    def drop_drafts(self, task_id: int, attempt: int) -> None:
        for file in self.path.glob(f"{task_id}.{attempt}.*"):
            file.unlink(missing_ok=True)

    def holds(self, task_id: int, visitor_id: int) -> bool:
        """Whether this visitor is in a task's file; looked up in the list without reading it."""
        try:
            with self.people(task_id).open("rb") as file:
                low, high = 0, file.seek(0, 2) // 8
                while low < high:
                    middle = (low + high) // 2
                    file.seek(middle * 8)
                    if int.from_bytes(file.read(8), "little") < visitor_id:
                        low = middle + 1
                    else:
                        high = middle
                file.seek(low * 8)
                return file.read(8) == visitor_id.to_bytes(8, "little")
        except FileNotFoundError:
            return True  # half made, or nobody knows: as if they were

    def join(self, connection: sa.Connection, goes_id: int, stays_id: int) -> None:
        """Whoever `goes` is in files under their old number: those files go with `stays`, should they be erased."""
        self._begin_anew(connection)
        for task_id in self._done(connection):
            if self.holds(task_id, goes_id) and not self.holds(task_id, stays_id):
                people = self.people(task_id)
                ids = array("q", people.read_bytes())
                ids.insert(bisect_left(ids, stays_id), stays_id)
                draft = people.with_suffix(".people-draft")
                draft.write_bytes(ids.tobytes())
                draft.replace(people)

    def forget(self, connection: sa.Connection, visitor_id: int | None) -> None:
        """An erased person's files go: those finished with them inside, and whatever is being made is begun anew."""
        if visitor_id is None:
            return
        self._begin_anew(connection)
        # What a runner left that was killed half-way: nobody knows who is in it.
        unfinished = sa.select(_TASKS.c.id).where(_TASKS.c.kind.in_(FILES), _TASKS.c.state.in_(("waiting", "failed")))
        for task_id in connection.scalars(unfinished).all():
            self.drop(task_id)
        for task_id in self._done(connection):
            if self.holds(task_id, visitor_id):
                self.drop(task_id)
                connection.execute(sa.update(_TASKS).where(_TASKS.c.id == task_id).values(state="void"))

    @staticmethod
    def _begin_anew(connection: sa.Connection) -> None:
        """Those being made: waits for one that is just finished, which is done then."""
        running = sa.update(_TASKS).where(_TASKS.c.kind.in_(FILES), _TASKS.c.state == "running")
        connection.execute(running.values(state="waiting"))

    @staticmethod
    def _done(connection: sa.Connection) -> Sequence[int]:
        done = sa.select(_TASKS.c.id).where(_TASKS.c.kind.in_(FILES), _TASKS.c.state == "done")
        return connection.scalars(done).all()


class Runner:
    """Runs one task after the other, in whichever process drains. `digest` as in `filters.Context`."""

    def __init__(
        self,
        engine: Engine,
        folder: Folder,
        zone: tzinfo,
        clock: Callable[[], datetime],
        digest: Callable[[str], str],
        told: tag_store.TellTagged = tag_store.tell_nobody,
        at_once: int = export.AT_ONCE,
    ) -> None:
        self._engine = engine
        self.folder = folder
        self._zone = zone
        self._clock = clock
        self._digest = digest
        self._told = told
        self._at_once = at_once

    def run(self, stop: threading.Event) -> None:
        pause = 0.0
        while not stop.wait(pause):
            try:
                pause = 0.0 if self.step(stop) else LOOK_SECONDS
            except Exception as error:
                log.error("tasks wait: %s", type(error).__name__, exc_info=not isinstance(error, sa.exc.DBAPIError))
                pause = AFTER_FAILURE_SECONDS

    def step(self, stop: threading.Event | None = None) -> bool:
        """Runs the oldest task there is; False: there is none."""
        with Session(self._engine) as session:
            task = self._take(session)
            if task is None:
                return False
            log.info("task %d: %s", task.id, task.kind)
            try:
                self._do(session, _Run(self, session, task, stop or threading.Event()))
            except Superseded:
                log.info("task %d is no longer ours", task.id)
                self.folder.drop_drafts(task.id, task.attempt)
                if stop is not None and stop.is_set():
                    self._finish(session, task, "waiting")
            except (OSError, sa.exc.DataError) as error:
                log.error("task %d failed: %s", task.id, error)
                self.folder.drop_drafts(task.id, task.attempt)
                self._finish(session, task, "failed")
        return True

    def _take(self, session: Session) -> "Job | None":
        now = self._clock()
        silent = sa.and_(_TASKS.c.state == "running", _TASKS.c.beat_at < now - SILENT_FOR)
        query = sa.select(_TASKS).where(sa.or_(_TASKS.c.state == "waiting", silent)).order_by(_TASKS.c.id).limit(1)
        row = session.execute(query).first()
        session.rollback()
        if row is None:
            return None
        with writing(session):
            mine = (_TASKS.c.id == row.id) & (_TASKS.c.attempt == row.attempt) & (_TASKS.c.state == row.state)
            state = "running" if row.attempt < MOST_ATTEMPTS else "failed"
            taken = sa.update(_TASKS).where(mine).values(
                state=state, attempt=row.attempt + 1, beat_at=now, done_rows=0, total=None
            )  # fmt: skip
            number = session.execute(taken).rowcount  # type: ignore[attr-defined]
        if not number or state == "failed":
            return None
        return Job(row.id, row.kind, row.sees_id, row.user_id, row.filter, row.language, row.tag_id, row.attempt + 1)

    def _do(self, session: Session, run: "_Run") -> None:
        job = run.job
        wanted = self.wanted(session, job)
        run.begin(store.count_visitors(session, job.sees_id, wanted))
        if job.kind in FILES:
            self._write_file(session, run, wanted)
        else:
            self._tag(session, run, wanted)

    def wanted(self, session: Session, job: "Job") -> Wanted:
        limits = settings_store.thresholds(session, job.user_id)
        context = filters.Context(self._clock(), self._zone, job.language, self._digest, limits)
        return filters.read(job.filter.get("query", {}), context).wanted

    def _write_file(self, session: Session, run: "_Run", wanted: Wanted) -> None:
        job, folder = run.job, self.folder
        folder.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.drop(job.id)  # what an attempt before left that was killed
        draft = folder.path / f"{job.id}.{job.attempt}.draft"
        ids: array[int] = array("q")
        rows = run.counted(export.rows(session, job.sees_id, wanted, job.language), ids)
        header = job.filter.get("header") or list(export.COLUMNS)
        if job.kind == "csv":
            with draft.open("wb") as file:
                file.writelines(export.csv_bytes(header, rows, self._zone))
        else:
            write_xlsx(draft, header, rows, self._zone)
        people = folder.path / f"{job.id}.{job.attempt}.people-draft"
        people.write_bytes(ids.tobytes())
        size = draft.stat().st_size
        with writing(session):
            # Marked first: the row is locked then, and an erasure waits to see the file, or has taken the task away.
            self._mark(session, job, state="done", size_bytes=size, finished_at=self._clock(), done_rows=len(ids))
            people.replace(folder.people(job.id))
            draft.replace(folder.file(job.id, job.kind))

    def _tag(self, session: Session, run: "_Run", wanted: Wanted) -> None:
        job, last = run.job, 0
        while True:
            part = store.next_ids(session, job.sees_id, wanted, last, self._at_once)
            session.rollback()
            if part:
                with writing(session):
                    places = tag_store.places_of(session, job.sees_id, part, wanted.live_code_id)
                    if job.kind == "tag":
                        tag_store.give_tags(session, places, job.tag_id or 0, self._told)
                    else:
                        tag_store.take_tags(session, job.sees_id, list(places), job.tag_id or 0)
                run.beat(len(part))
                last = part[-1]
            if len(part) < self._at_once:
                break
        self._finish(session, job, "done")

    def _finish(self, session: Session, job: "Job", state: str) -> None:
        with suppress(Superseded), writing(session):
            self._mark(session, job, state=state, finished_at=self._clock())

    def _mark(self, session: Session, job: "Job", **values: Any) -> None:
        mine = (_TASKS.c.id == job.id) & (_TASKS.c.attempt == job.attempt) & (_TASKS.c.state == "running")
        if not session.execute(sa.update(_TASKS).where(mine).values(**values)).rowcount:  # type: ignore[attr-defined]
            raise Superseded


@dataclass(frozen=True, slots=True)
class Job:
    """A task as its runner took it."""

    id: int
    kind: str
    sees_id: int | None
    user_id: int
    filter: Mapping[str, Any]
    language: str
    tag_id: int | None
    attempt: int


class _Run:
    """One attempt, telling how far it is."""

    def __init__(self, runner: Runner, session: Session, job: Job, stop: threading.Event) -> None:
        self.job, self._runner, self._session, self._stop, self._done = job, runner, session, stop, 0

    def begin(self, total: int) -> None:
        self._tell(total=total)

    def beat(self, number: int) -> None:
        self._done += number
        self._tell(done_rows=self._done)

    def counted(self, rows: Iterator[Sequence[Any]], ids: "array[int]") -> Iterator[Sequence[Any]]:
        """The rows; how far they are is told after every thousand. `ids` gets their visitors."""
        for row in rows:
            ids.append(row[0])
            yield row
            if len(ids) % export.AT_ONCE == 0:
                self.beat(export.AT_ONCE)

    def _tell(self, **values: Any) -> None:
        if self._stop.is_set():
            raise Superseded  # another process begins it again when this one has been silent
        with writing(self._session) as session:
            self._runner._mark(session, self.job, beat_at=self._runner._clock(), **values)

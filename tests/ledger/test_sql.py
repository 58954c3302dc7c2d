"""The SQL ledger when its store misbehaves: nothing but LedgerDown escapes, and it goes on when the store is back."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from time import monotonic, sleep
from typing import TypeVar

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from app.db import make_engine
from app.db.breaker import PAUSE_SECONDS
from app.db.held import WriteTurn
from app.ledger import CountKey, LedgerDown, Stale, leaving
from app.ledger.leaving import certain
from app.ledger.spool import Spool
from app.ledger.sql import SqlLedger
from app.ledger.statements import LOCK
from app.ledger.tables import member_counts, outbox, seats
from app.rules.model import Count
from app.rules.tally import ScanEvent
from tests import make
from tests.ledger.conftest import SECRET
from tests.ledger.world import World

T = TypeVar("T")


@pytest.fixture
def store_url() -> str:
    return ""


def event(**more: object) -> ScanEvent:
    return ScanEvent("e1", "scan", make.NOW, 1, "v" * 22, **more)  # type: ignore[arg-type]


def test_missing_tables_are_an_outage_and_not_a_crash(tmp_path: Path, spool: Spool) -> None:
    engine = make_engine(f"sqlite:///{tmp_path / 'empty.db'}", pool_size=0)
    ledger = SqlLedger(engine, spool, SECRET)
    for ask in (
        ledger.epoch,
        lambda: ledger.version(1),
        lambda: ledger.seat("lc:1", "v"),
        lambda: ledger.counts([CountKey(1, 1, 1, 1)]),
        lambda: ledger.turns("t"),
        lambda: ledger.erase("v"),
        lambda: ledger.press("lc:1", "v", event()),
    ):
        with pytest.raises(LedgerDown):
            ask()
    ledger.record(event(), None)
    ledger.close()
    engine.dispose()


def test_database_that_cannot_be_opened_is_an_outage(tmp_path: Path, spool: Spool) -> None:
    engine = make_engine(f"sqlite:///{tmp_path / 'no' / 'such' / 'folder.db'}")
    ledger = SqlLedger(engine, spool, SECRET, WriteTurn(tmp_path / "lock"))
    with pytest.raises(LedgerDown):
        ledger.version(1)
    with pytest.raises(LedgerDown):
        ledger.erase("v")
    engine.dispose()


def test_ledger_goes_on_when_its_connections_were_cut(world: World, engine: Engine) -> None:
    if engine.dialect.name != "postgresql":
        world.ledger.close()  # SQLite has no server that could cut them
    code = world.live_code()
    a = world.member(code)
    who = world.visitor()
    assert world.shown(code, who) == a
    if engine.dialect.name == "postgresql":
        with engine.connect() as connection:
            cut = (
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> "
            )
            connection.execute(sa.text(cut + "pg_backend_pid()"))
    during = world.scan(code, who)
    assert during.provisional or during.decision.outcome == "returning"
    world.decider._quiet_until = 0.0  # the pause after a failure, without waiting for it
    assert world.scan(code, who).decision.outcome == "returning"


def test_record_is_refused_for_an_old_version(world: World) -> None:
    code = world.live_code()
    version = world.ledger.version(code.id)
    assert version == 1
    assert world.ledger.record(event(outcome="paused").with_answer(live_code_id=code.id), 99) == Stale(1)
    assert world.ledger.version(10**6) is None


def test_full_spool_sends_events_into_sql(world: World, engine: Engine, tmp_path: Path) -> None:
    blocked = tmp_path / "not a folder"
    blocked.write_text("")
    ledger = SqlLedger(engine, Spool(blocked), SECRET)
    assert ledger.record(event(outcome="paused"), None) is None
    assert [ScanEvent.decode(body).outcome for (body,) in world.rows(sa.select(outbox.c.body))] == ["paused"]
    ledger.close()


def test_events_that_are_written_together_are_one_row_and_none_is_lost(
    world: World, engine: Engine, tmp_path: Path
) -> None:
    blocked = tmp_path / "not a folder"
    blocked.write_text("")
    turn = WriteTurn(tmp_path / "lock")
    ledger = SqlLedger(engine, Spool(blocked), SECRET, turn)
    ids = {f"e{number}" for number in range(9)}
    with ThreadPoolExecutor(len(ids)) as pool:
        with turn:
            told = [pool.submit(ledger.record, replace(event(outcome="paused"), id=id_), None) for id_ in ids]
            sleep(0.5)  # all but the first of them wait for one leader
        assert [one.result(20) for one in told] == [None] * len(ids)
    written = [str(body).split("\n") for (body,) in world.rows(sa.select(outbox.c.body))]
    assert {ScanEvent.decode(line).id for lines in written for line in lines} == ids
    assert sum(map(len, written)) == len(ids)
    assert len(written) == (len(ids) if engine.dialect.name == "postgresql" else 2)
    ledger.close()


def test_event_that_neither_spool_nor_sql_takes_is_counted_as_lost(tmp_path: Path) -> None:
    blocked = tmp_path / "not a folder"
    blocked.write_text("")
    engine = make_engine(f"sqlite:///{tmp_path / 'empty.db'}", pool_size=0)  # it has no tables
    spool = Spool(blocked)
    ledger = SqlLedger(engine, spool, SECRET)
    before = spool.losses.total()
    with pytest.raises(LedgerDown):
        ledger.record(event(outcome="paused"), None)
    assert spool.losses.total() == before + 1
    ledger.close()
    engine.dispose()


def test_race_that_is_lost_again_and_again_is_an_outage(world: World) -> None:
    asked = []

    def work(_: Connection) -> None:
        asked.append(1)
        certain(False)

    with pytest.raises(LedgerDown, match="lost 4 races"):
        world.ledger._retrying(work)  # type: ignore[attr-defined]
    assert len(asked) == 4


def _seat_of(world: World, visitor: str) -> dict[str, object]:
    (row,) = world.rows(sa.select(seats).where(seats.c.visitor == visitor))
    return dict(row._mapping)


def _meanwhile(engine: Engine, change: Callable[[Connection], None], ask: Callable[[], T]) -> T:
    """What `ask` answers when somebody else's transaction made `change` first, and commits while we wait for it."""
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    with ThreadPoolExecutor(1) as pool, engine.connect() as theirs, engine.connect() as watch:
        change(theirs)
        answer = pool.submit(ask)
        until = monotonic() + 20
        while not watch.execute(sa.text(waiting)).scalar():
            watch.rollback()
            assert monotonic() < until and not answer.done()
            sleep(0.005)
        theirs.commit()
        return answer.result(20)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_seat_that_somebody_else_writes_meanwhile_is_met_by_looking_again(world: World, engine: Engine) -> None:
    code = world.live_code()
    a = world.member(code)
    ann, other = world.visitor(), world.visitor()
    assert world.shown(code, ann) == a
    theirs = _seat_of(world, ann) | {"visitor": other, "counted": False}

    def write(connection: Connection) -> None:
        connection.execute(sa.insert(seats).values(theirs))

    assert _meanwhile(engine, write, lambda: world.ledger.share(ann, other)) == 1
    assert world.shown(code, other) == "returning"
    world.check_books()


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_seat_that_is_given_up_meanwhile_is_not_pressed(world: World, engine: Engine) -> None:
    code = world.live_code()
    a = world.member(code)
    who = world.visitor()
    assert world.shown(code, who) == a

    def give_up(connection: Connection) -> None:
        connection.execute(LOCK, {"live_code_id": code.id})
        assert leaving.stuck(connection, f"lc:{code.id}", who, event(), world.now.date()).allowed

    assert not _meanwhile(engine, give_up, lambda: world.press(code, who))
    count = world.counts(code)[a]
    assert (count.counted, count.pressed) == (0, 0)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_nobody_queues_for_a_sqlite_that_was_locked_a_moment_ago(
    world: World, engine: Engine, spool: Spool, tmp_path: Path
) -> None:
    ledger = SqlLedger(engine, spool, SECRET, WriteTurn(tmp_path / "turn", wait_seconds=0.05))
    with engine.connect() as holder:
        holder.connection.cursor().execute("BEGIN IMMEDIATE").close()
        with pytest.raises(LedgerDown, match="database is locked"):
            ledger.erase("v")
        with pytest.raises(LedgerDown, match="SQLite was locked a moment ago"):
            ledger.erase("v")
        holder.connection.cursor().execute("ROLLBACK").close()
    sleep(PAUSE_SECONDS)
    assert ledger.erase("v") == 0
    ledger.close()


def test_who_was_refused_what_is_known(world: World) -> None:
    code = world.live_code()
    a = world.member(code)
    world.member(code)
    who = world.visitor()
    world.scan(code, who)
    world.stuck(code, who)
    assert world.ledger.refused(f"lc:{code.id}", who) == {a}
    assert world.ledger.refused(f"lc:{code.id}", world.visitor()) == frozenset()


def test_epoch_is_one_for_all_processes(world: World, engine: Engine, spool: Spool) -> None:
    other = SqlLedger(engine, spool, SECRET)
    assert other.epoch() == world.ledger.epoch()
    other.close()


def test_counts_of_nobody_and_of_members_never_counted(world: World) -> None:
    assert world.ledger.counts([]) == {}
    assert world.ledger.counts([CountKey(1, 12345, 1, 1)]) == {}


def test_presses_of_the_generation_are_kept_over_a_headcount(world: World) -> None:
    code = world.live_code()
    a = world.member(code)
    who = world.visitor()
    world.scan(code, who)
    world.press(code, who)
    world.headcount(a, 3)
    assert world.counts(code)[a] == Count(0, 1)
    world.swap(a, new_group=True)
    assert a not in world.counts(code)


def test_lapse_is_found_when_only_counts_are_asked(world: World) -> None:
    code = world.live_code()
    a = world.member(code)
    world.crowd(code, 3)
    keys = [CountKey(code.id, a, 1, 1, world.now + timedelta(hours=1))]
    assert world.ledger.counts(keys)[a].counted == 0
    assert world.rows(sa.select(member_counts.c.counted)) == [(0,)]


def test_connection_is_not_shared_with_a_forked_child(world: World, tmp_path: Path) -> None:
    code = world.live_code()
    a = world.member(code)
    world.crowd(code, 2)
    told = tmp_path / "told"
    child = os.fork()
    if child == 0:
        told.write_text(str(world.crowd(code, 2)))
        os._exit(0)
    os.waitpid(child, 0)
    assert told.read_text() == str([a, a])
    assert world.crowd(code, 3) == ["returning", "returning", a]  # the child took the same two names
    assert world.counted(code, a) == 5

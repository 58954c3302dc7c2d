"""What SQL did not hear of while it was locked or gone is made up for by the pipeline; and Redis is begun again under
load, by command."""

import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy.engine import Engine

from app.ledger import Ledger
from app.ledger.redis import RedisLedger
from app.ledger.streams import Streams
from app.pipeline.drain import Drainer
from app.pipeline.stream_source import StreamSource
from tests import happen
from tests.faults.clusters import until
from tests.ledger.test_settling import Pipeline
from tests.ledger.world import World

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def store_url(redis_url: str) -> str:
    return redis_url


@pytest.fixture
def ledger(world: World) -> RedisLedger:
    assert isinstance(world.ledger, RedisLedger)
    return world.ledger


@pytest.fixture
def reader(engine: Engine, ledger: RedisLedger, store_url: str, tmp_path: Path) -> Iterator[Drainer]:
    """A pipeline as the wiring makes it."""
    made = Pipeline(engine, store_url, tmp_path)
    source = StreamSource(Streams(made.servers), made.truth, ledger.catch_up)
    yield Drainer(engine, tmp_path / "spool", happen.audience(), streams=source)
    made.servers.close()
    made.truth.close()


@contextmanager
def sql_locked(engine: Engine) -> Iterator[None]:
    """By somebody outside, for longer than a scan waits."""
    outside = sqlite3.connect(str(engine.url.database), isolation_level=None)
    outside.execute("BEGIN IMMEDIATE")
    yield
    outside.rollback()
    outside.close()


def drain(reader: Drainer) -> None:
    """Until nothing waits: SQL is left alone for a moment after it was locked."""
    until(lambda: reader.run_until_empty() >= 0 and reader.waiting() == 0)


def test_reserve_that_came_into_play_while_sql_was_locked_is_active_after_the_drain(
    world: World, engine: Engine, reader: Drainer
) -> None:
    code = world.live_code()
    a, spare = world.member(code, capacity=1), world.member(code, capacity=2, state="reserve")
    assert world.crowd(code, 1) == [a]
    with sql_locked(engine):
        assert world.shown(code) == spare
    assert world.snapshot(code).member(spare).state == "reserve"  # type: ignore[union-attr]
    version = world.snapshot(code).version
    drain(reader)
    assert world.snapshot(code).member(spare).state == "active"  # type: ignore[union-attr]
    assert world.ledger.version(code.id) == world.snapshot(code).version == version + 1
    assert world.crowd(code, 2) == [spare, "full"]


def test_suspect_that_sql_did_not_hear_of_is_one_after_the_drain(world: World, engine: Engine, reader: Drainer) -> None:
    code = world.live_code()
    a, b = world.member(code), world.member(code)
    visitors = [world.visitor() for _ in range(3)]
    for who in visitors:
        assert world.shown(code, who) == a
    with sql_locked(engine):
        for who in visitors:
            world.stuck(code, who)
    assert world.snapshot(code).member(a).suspect_at is None  # type: ignore[union-attr]
    drain(reader)
    assert world.snapshot(code).member(a).suspect_at is not None  # type: ignore[union-attr]
    assert world.shown(code) == b
    version = world.snapshot(code).version
    again = world.visitor()
    world.trust(a)
    assert world.shown(code, again) == a
    world.stuck(code, again)
    reader.run_until_empty()
    assert world.snapshot(code).member(a).suspect_at is None  # type: ignore[union-attr]
    assert world.snapshot(code).version == version + 1  # the trust's own


def test_nothing_is_made_up_for_where_nothing_is_to_be_done(world: World, ledger: RedisLedger) -> None:
    code = world.live_code()
    a = world.member(code)
    world.crowd(code, 1)
    version = world.ledger.version(code.id)
    ledger.catch_up(happen.event("stuck", member_id=None))
    ledger.catch_up(happen.event("stuck", live_code_id=10**6, member_id=a))
    ledger.catch_up(happen.event("stuck", live_code_id=code.id, member_id=a))
    ledger.catch_up(happen.event(live_code_id=code.id, member_id=a, rank="reserve"))
    ledger.catch_up(happen.event(live_code_id=code.id, member_id=a))
    assert world.ledger.version(code.id) == version


def test_rebuild_under_load_gives_no_seat_twice_and_moves_nobody(
    world: World, engine: Engine, reader: Drainer, ledger: RedisLedger, make_ledger: Callable[[], Ledger]
) -> None:
    code = world.live_code(mode="round_robin")
    members = [world.member(code, capacity=80) for _ in range(3)]
    before = {who: world.shown(code, who) for who in (world.visitor() for _ in range(120))}  # several hashes of seats
    other = World(engine, make_ledger(), world.books)
    with ThreadPoolExecutor(4) as pool:
        rebuilt = pool.submit(lambda: ledger.rebuild(reader.run_until_empty))
        shown = list(pool.map(lambda _: other.shown(code), range(80)))
        assert rebuilt.result() == 1
    for who, member in before.items():
        answer = world.scan(code, who)
        assert answer.decision.member is not None and answer.decision.member.id == member
    taken = [member for member in shown if member in members]
    while world.shown(code) != "full":
        taken.append(0)
    assert len(taken) + len(before) == 240
    world.check_books()


def test_command_rebuilds_and_says_where_there_is_nothing_to_rebuild(
    make_app: Callable[..., Flask], world: World, engine: Engine, store_url: str
) -> None:
    code = world.live_code()
    a = world.member(code, capacity=5)
    world.crowd(code, 3)
    app = make_app(redis_url=store_url)
    done = app.test_cli_runner().invoke(args=["ledger", "rebuild"])
    assert (done.exit_code, done.stdout) == (0, "1 live codes rebuilt\n")
    assert world.counted(code, a) == 3
    assert world.crowd(code, 3) == [a, a, "full"]
    refused = make_app().test_cli_runner().invoke(args=["ledger", "rebuild"])
    assert refused.exit_code == 1 and "kept in SQL" in refused.output

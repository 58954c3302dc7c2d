"""What Redis forgets is told again by whoever told it; what nobody remembers is counted."""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from sqlalchemy.engine import Engine

from app.ledger import LedgerDown, keys
from app.ledger.recent import Recent
from app.ledger.redis import RedisLedger
from app.ledger.servers import Servers
from app.ledger.spool import Spool, spool_files
from app.rules.tally import ScanEvent
from tests import happen
from tests.ledger.test_settling import Pipeline
from tests.ledger.world import World
from tests.servers import start_redis

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def store_url(redis_url: str) -> str:
    return redis_url


@pytest.fixture
def ledger(world: World) -> RedisLedger:
    assert isinstance(world.ledger, RedisLedger)
    return world.ledger


@pytest.fixture
def store(store_url: str) -> "Iterator[redis.Redis]":
    with redis.Redis.from_url(store_url) as client:
        yield client


def spooled(spool: Spool) -> list[ScanEvent]:
    return [ScanEvent.decode(line) for file in spool_files(spool.directory) for line in file.read_bytes().splitlines()]


def by_id(events: list[ScanEvent]) -> dict[str, ScanEvent]:
    return {event.id: event for event in events}


def everything(world: World) -> None:
    """Each kind of event that Redis is told."""
    code = world.live_code(mode="round_robin")
    world.member(code, capacity=2)
    first, second = world.visitor(), world.visitor()
    world.scan(code, first)
    world.scan(code, second)
    world.scan(code, first)
    world.press(code, first)
    world.stuck(code, second)
    world.crowd(code, 2)
    world.scan(code, is_preview=True)
    grouped = world.live_code(kind="grouped")
    choice = world.choice(grouped, tag="skin")
    world.member(grouped, choice_id=choice)
    world.choose(grouped, first, choice)
    pinned = world.live_code()
    world.pin(pinned, world.member(pinned, capacity=1))
    world.member(pinned, state="reserve")
    world.crowd(pinned, 2)


def test_what_redis_forgot_is_told_again_word_for_word(
    world: World, ledger: RedisLedger, store: "redis.Redis", spool: Spool
) -> None:
    everything(world)
    told = by_id(world.books.events())
    assert {event.type for event in told.values()} == {"scan", "press", "stuck", "reroute", "choose"}
    assert {event.reason for event in told.values()} >= {"pin_skipped"}
    store.flushall()
    ledger._recent.look()
    assert by_id(spooled(spool)) == told
    assert spool.losses.total() == 0
    ledger._recent.look()
    assert len(spooled(spool)) == len(told)


def test_a_new_life_that_others_have_begun_is_noticed(
    world: World, ledger: RedisLedger, store: "redis.Redis", spool: Spool
) -> None:
    code = world.live_code()
    world.member(code)
    world.crowd(code, 3)
    store.flushall()
    world.later(minutes=1)
    world.crowd(code, 2)
    ledger._recent.look()
    assert len(spooled(spool)) == 3
    assert len(world.books.events()) == 2


def test_it_is_told_again_within_seconds_by_itself(world: World, store: "redis.Redis", spool: Spool) -> None:
    code = world.live_code()
    world.member(code)
    world.crowd(code, 3)
    store.flushall()
    deadline = time.monotonic() + 20
    while len(spooled(spool)) < 3:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_what_was_drained_is_remembered_no_longer(
    world: World,
    ledger: RedisLedger,
    engine: Engine,
    store_url: str,
    tmp_path: Path,
    spool: Spool,
    store: "redis.Redis",
) -> None:
    pipeline = Pipeline(engine, store_url, tmp_path)
    everything(world)
    ledger._recent.look()
    assert len(ledger._recent._told) == len(world.books.events())
    pipeline.reader().run_until_empty()
    ledger._recent.look()
    assert not ledger._recent._told
    store.flushall()
    ledger._recent.look()
    assert spooled(spool) == []
    pipeline.servers.close()
    pipeline.truth.close()


def test_what_nobody_remembers_is_counted(
    world: World, ledger: RedisLedger, store: "redis.Redis", spool: Spool
) -> None:
    ledger._recent = Recent(ledger._servers, spool, most_remembered=5)
    code = world.live_code()
    world.member(code)
    world.crowd(code, 8)
    store.flushall()
    ledger._recent.look()
    assert len(spooled(spool)) == 5
    assert spool.losses.total() == 3


def test_what_the_disk_refuses_is_counted(
    world: World, ledger: RedisLedger, store: "redis.Redis", spool: Spool
) -> None:
    code = world.live_code()
    world.member(code)
    world.crowd(code, 2)
    shutil.rmtree(spool.directory)
    spool.directory.write_text("in the way")
    store.flushall()
    ledger._recent.look()
    assert spool.losses.total() == 2


def test_a_rebuild_at_work_is_no_loss(world: World, ledger: RedisLedger, spool: Spool) -> None:
    code = world.live_code()
    world.member(code)
    world.crowd(code, 2)
    ledger._loader.close(keys.bucket_of(f"lc:{code.id}"))
    ledger._recent.look()
    assert spooled(spool) == [] and len(ledger._recent._told) == 2


def test_nothing_is_forgotten_where_redis_refuses_to_say(
    world: World, ledger: RedisLedger, store: "redis.Redis", spool: Spool
) -> None:
    code = world.live_code()
    world.member(code)
    world.crowd(code, 2)
    stream = keys.stream(keys.bucket_of(f"lc:{code.id}"))
    store.rename(stream, "aside")
    store.set(stream, "no stream")
    with pytest.raises(LedgerDown, match="WRONGTYPE"):
        ledger._recent.look()
    store.rename("aside", stream)
    ledger._recent.look()
    assert spooled(spool) == [] and len(ledger._recent._told) == 2


def test_nothing_is_forgotten_while_redis_does_not_answer(engine: Engine, spool: Spool) -> None:
    server = start_redis()
    servers = Servers(server.url)
    recent = Recent(servers, spool)
    recent.note(1, 1, happen.event(), {})
    server.kill()
    with pytest.raises(LedgerDown):
        recent.look()
    time.sleep(1.5)  # the watch finds nobody either
    assert len(recent._told) == 1
    recent.close()
    servers.close()
    server.stop()

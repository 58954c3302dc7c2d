"""What the Redis ledger says of seats reaches SQL, and from there Redis again."""

import threading
from collections.abc import Iterator
from pathlib import Path
from time import sleep

import pytest
import redis
from sqlalchemy.engine import Engine

from app.ledger import KeptSeat, keys
from app.ledger.redis import RedisLedger
from app.ledger.servers import Servers
from app.ledger.settling import settle
from app.ledger.streams import Streams
from app.ledger.truth import Truth
from app.pipeline.drain import Drainer
from app.pipeline.models import dead_events, events
from app.pipeline.stream_source import StreamSource
from tests import happen
from tests.ledger.books import RedisBooks, SqlBooks
from tests.ledger.conftest import SECRET
from tests.ledger.world import World


@pytest.fixture
def store_url(redis_url: str) -> str:
    return redis_url


class Pipeline:
    """Readers of the streams, each as a process of its own would be."""

    def __init__(self, engine: Engine, store_url: str, folder: Path) -> None:
        self.engine, self.folder = engine, folder
        self.servers, self.truth = Servers(store_url), Truth(engine, SECRET)

    def reader(self, **more: int) -> Drainer:
        source = StreamSource(Streams(self.servers, **more), self.truth)
        return Drainer(self.engine, self.folder / "spool", happen.audience(), streams=source)


@pytest.fixture
def pipeline(engine: Engine, store_url: str, tmp_path: Path) -> Iterator[Pipeline]:
    made = Pipeline(engine, store_url, tmp_path)
    yield made
    made.servers.close()
    made.truth.close()


def busy_day(world: World) -> None:
    """Everything that changes a seat: taken, pressed, given up, lapsed and counted again, moved, erased."""
    one = world.live_code(dedupe_group="spring", mode="round_robin")
    two = world.live_code(dedupe_group="spring", owner_id=one.owner_id)
    grouped = world.live_code(kind="grouped", choice_policy="change_once")
    for code in (one, two):
        world.member(code, capacity=30)
        world.member(code, capacity=30)
    choices = [world.choice(grouped), world.choice(grouped)]
    for choice in choices:
        world.member(grouped, choice_id=choice, capacity=9)
    visitors = [world.visitor() for _ in range(20)]
    for number, who in enumerate(visitors):
        world.scan(one if number % 2 else two, who)
        world.choose(grouped, who, choices[number % 2])
    for who in visitors[:5]:
        world.press(one, who)
        world.choose(grouped, who, choices[0])
    world.stuck(one, visitors[6])
    world.later(hours=49)
    for who in visitors[8:12]:
        world.scan(one, who)
    erase(world, visitors[13])


def erase(world: World, visitor: str) -> None:
    """The counts stay without seats behind them."""
    for seat in world.books.seats():
        if seat.visitor == visitor and seat.counted:
            key = (seat.member_id, seat.counted_from)
            world.erased[key] = world.erased.get(key, 0) + 1
    world.ledger.erase(visitor)


def settled(engine: Engine) -> list[tuple[object, ...]]:
    """What SQL has of seats; that some of them have lapsed since is Redis's own knowledge until they are met again."""
    return sorted(
        (s.scope, s.visitor, s.member_id, s.generation, s.counted_from) for s in SqlBooks(engine, Path()).seats()
    )


def kept(world: World) -> list[tuple[object, ...]]:
    return sorted((s.scope, s.visitor, s.member_id, s.generation, s.counted_from) for s in world.books.seats())


def test_seats_and_counts_reach_sql(world: World, engine: Engine, pipeline: Pipeline) -> None:
    busy_day(world)
    told = len(world.books.events())
    pipeline.reader().run_until_empty()
    assert settled(engine) == kept(world)
    assert happen.count(engine, events) == told > 40
    assert world.books.events() == [] and pipeline.reader().waiting() == 0


def test_store_that_was_lost_is_begun_again_from_sql(world: World, engine: Engine, pipeline: Pipeline) -> None:
    code = world.live_code()
    a, b = world.member(code, capacity=3), world.member(code, capacity=9)
    visitors = [world.visitor() for _ in range(5)]
    for who in visitors:
        world.scan(code, who)
    world.press(code, visitors[0])
    world.stuck(code, visitors[1])
    gone = world.visitor()
    world.scan(code, gone)
    erase(world, gone)
    pipeline.reader().run_until_empty()
    before, counts, epoch = kept(world), world.counts(code), world.ledger.epoch()
    _flush(world)
    world.later(minutes=1)
    assert world.counts(code) == counts
    assert [world.shown(code, who) for who in visitors] == ["returning"] * 5
    assert world.ledger.refused(f"lc:{code.id}", visitors[1]) == {a}
    assert world.shown(code) in (a, b)
    assert {row for row in before if row[0] == f"lc:{code.id}"} <= set(kept(world))
    assert world.ledger.epoch() >= epoch
    signed = ((f"lc:{code.id}", KeptSeat(code.id, a, 1, epoch - 1)),)
    assert world.scan(code, gone, kept=signed).decision.outcome.value == "assigned"
    world.check_books()


def test_event_that_changes_no_seat_settles_nothing(world: World, engine: Engine, pipeline: Pipeline) -> None:
    code = world.live_code(state="paused")
    world.member(code)
    assert world.shown(code) == "paused"
    pipeline.reader().run_until_empty()
    assert happen.count(engine, events) == 1
    assert settled(engine) == [] == kept(world)


def test_newest_state_stays_in_whatever_order_entries_are_settled(
    world: World, engine: Engine, pipeline: Pipeline
) -> None:
    code = world.live_code()
    a, b = world.member(code), world.member(code)
    who = world.visitor()
    world.scan(code, who)
    world.stuck(code, who)
    world.press(code, who)
    entries = Streams(pipeline.servers).read()
    assert len(entries) > 2
    with engine.begin() as connection:
        settle(connection, entries[::-1], pipeline.truth)
    assert settled(engine) == kept(world)
    with engine.begin() as connection:
        settle(connection, entries[:1], pipeline.truth)
    assert settled(engine) == kept(world)
    assert [row[2] for row in settled(engine)] == [b] != [a]


def test_who_comes_again_after_an_erasure_is_settled_anew(world: World, engine: Engine, pipeline: Pipeline) -> None:
    code = world.live_code()
    a = world.member(code)
    who = world.visitor()
    assert world.shown(code, who) == a
    erase(world, who)
    sleep(0.01)  # a mark is a millisecond's
    assert world.shown(code, who) == a
    pipeline.reader().run_until_empty()
    assert settled(engine) == kept(world)
    assert [row[1] for row in settled(engine)] == [who]


def _flush(world: World) -> None:
    books = world.books
    assert isinstance(books, RedisBooks)
    with redis.Redis.from_url(books._url) as client:
        client.flushall()


def test_rebuild_begins_again_with_everything_that_was_drained(
    world: World, engine: Engine, pipeline: Pipeline
) -> None:
    busy_day(world)
    world.ledger.counts([])
    before = kept(world)
    assert isinstance(world.ledger, RedisLedger)
    number = world.ledger.rebuild(pipeline.reader().run_until_empty)
    assert number == 3
    assert kept(world) == before
    world.check_books()


def test_killed_reader_s_entries_are_given_to_another(world: World, engine: Engine, pipeline: Pipeline) -> None:
    code = world.live_code()
    world.member(code)
    world.crowd(code, 30)
    assert len(Streams(pipeline.servers).read()) == 30  # and then it was killed
    pipeline.reader(take_over_milliseconds=1).run_until_empty()
    assert happen.count(engine, events) == 30
    assert settled(engine) == kept(world)


def test_entries_folded_before_the_kill_are_not_counted_twice(
    world: World, engine: Engine, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = world.live_code()
    world.member(code)
    world.crowd(code, 10)
    reader = pipeline.reader()

    def killed(self: Streams, entries: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Streams, "acknowledge", killed)
        with pytest.raises(KeyboardInterrupt):
            reader.run_once()
    assert happen.count(engine, events) == 10 == len(world.books.events())
    reader.run_until_empty()
    assert happen.count(engine, events) == 10 and world.books.events() == []


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_several_readers_share_the_work(world: World, engine: Engine, pipeline: Pipeline) -> None:
    codes = [world.live_code() for _ in range(4)]
    for code in codes:
        world.member(code)
    visitors = [world.visitor() for _ in range(60)]
    for who in visitors:
        for code in codes:
            world.scan(code, who)
            world.press(code, who)
    readers = [threading.Thread(target=pipeline.reader().run_until_empty) for _ in range(3)]
    for one in readers:
        one.start()
    for one in readers:
        one.join(60)
    assert happen.count(engine, events) == 480
    assert settled(engine) == kept(world)


def test_entry_nobody_can_read_is_set_aside(world: World, engine: Engine, pipeline: Pipeline, store_url: str) -> None:
    code = world.live_code()
    world.member(code)
    world.crowd(code, 1)
    with redis.Redis.from_url(store_url) as client:
        client.xadd(keys.stream(3), {"e": "no event", "s": "lc:1", "v": b"\0", "c": b""})
    pipeline.reader().run_until_empty()
    assert happen.count(engine, events) == 1
    assert [row["raw"] for row in happen.rows(engine, dead_events)] == ["no event"]


def test_entry_nobody_can_read_stops_nobody_when_it_comes_alone(
    world: World, engine: Engine, pipeline: Pipeline, store_url: str
) -> None:
    with redis.Redis.from_url(store_url) as client:
        client.xadd(keys.stream(3), {"e": "no event", "s": "lc:1", "v": b"\0", "c": b""})
    pipeline.reader().run_until_empty()
    assert [row["raw"] for row in happen.rows(engine, dead_events)] == ["no event"]
    assert settled(engine) == [] and pipeline.reader().waiting() == 0


def test_full_stream_refuses_scans_instead_of_dropping_events(
    world: World, engine: Engine, pipeline: Pipeline, store_url: str
) -> None:
    code = world.live_code()
    a = world.member(code)
    who = world.visitor()
    assert world.shown(code, who) == a
    from app.ledger import scripts

    with redis.Redis.from_url(store_url) as client:
        choked = client.pipeline(transaction=False)
        for _ in range(scripts.MOST_EVENTS):
            choked.xadd(keys.stream(keys.bucket_of(f"lc:{code.id}")), {"e": "-"})
        choked.execute()
        assert world.scan(code).provisional
        assert not world.press(code, who)
        client.delete(keys.stream(keys.bucket_of(f"lc:{code.id}")))
    world.decider._quiet_until = 0.0
    assert world.shown(code) == a
    assert world.press(code, who)
    assert world.counts(code)[a].pressed == 1  # the first one was refused whole, not counted without its event


def test_dedupe_group_that_is_changed_takes_its_counts_along(world: World) -> None:
    code = world.live_code()
    a = world.member(code, capacity=5)
    assert world.crowd(code, 3) == [a, a, a]
    for group in ("spring", "autumn", None):
        world.edit(code, dedupe_group=group)
        assert world.counted(code, a) == 3
    assert world.crowd(code, 3) == [a, a, "full"]


@pytest.mark.parametrize("is_lost", [False, True])
def test_live_code_that_leaves_its_groups_finds_the_seats_it_had_before_them(
    world: World, pipeline: Pipeline, store_url: str, is_lost: bool
) -> None:
    code = world.live_code()
    a = world.member(code, capacity=9)
    settled, newer = world.visitor(), world.visitor()
    assert world.shown(code, settled) == a
    pipeline.reader().run_until_empty()
    assert world.shown(code, newer) == a  # SQL does not know this one yet
    if is_lost:
        pipeline.reader().run_until_empty()
        with redis.Redis.from_url(store_url) as client:
            client.flushall()
    for number, group in enumerate(("spring", "autumn", None)):
        world.edit(code, dedupe_group=group)
        assert world.shown(code) == a
        assert world.counted(code, a) == 3 + number
    assert world.shown(code, settled) == world.shown(code, newer) == "returning"
    assert world.counted(code, a) == 5


def test_version_that_was_not_published_is_found(world: World) -> None:
    code = world.live_code()
    a = world.member(code)
    assert world.shown(code) == a
    other = World(world.engine, world.ledger, world.books)
    assert other.shown(code) == a
    told, world.ledger.publish = world.ledger.publish, lambda live_code_id, version: None  # type: ignore[method-assign]
    world.edit(code, state="paused")
    world.ledger.publish = told  # type: ignore[method-assign]
    assert isinstance(world.ledger, RedisLedger)
    world.ledger.reconcile()
    assert other.shown(code) == "paused"

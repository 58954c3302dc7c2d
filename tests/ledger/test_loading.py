"""How Redis learns of a live code: by one loader at a time, each of which may fail, be late, or find it done."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
import redis
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from app.codes.models import LiveCode
from app.ledger import CountKey, Ledger, LedgerDown, NotReady, Stale, keys, packing, streams
from app.ledger.loading import Loader
from app.ledger.redis import RedisLedger
from app.ledger.settling import settle
from app.ledger.streams import Entry, Streams
from app.ledger.tables import member_counts, seats
from app.ledger.truth import Standing, Truth
from app.rules.model import Turns
from tests import happen
from tests.ledger.conftest import SECRET
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
def loader(ledger: RedisLedger) -> Loader:
    return ledger._loader


def lock_name(code: LiveCode) -> bytes:
    scope = f"lc:{code.id}"
    return keys.prefix(keys.bucket_of(scope)).encode() + b"l:" + scope.encode()


def test_live_code_that_another_one_loads_is_waited_for_and_given_up(
    world: World, ledger: RedisLedger, store_url: str
) -> None:
    ledger._loader = loader = Loader(ledger._scripts, ledger._truth, wait_seconds=0.2)
    code = world.live_code()
    world.member(code)
    with redis.Redis.from_url(store_url) as client:
        client.set(lock_name(code), b"somebody's")
        with pytest.raises(NotReady):
            loader.ensure(code.id)
        assert world.scan(code).provisional
        client.delete(lock_name(code))
    assert loader.ensure(code.id) is not None
    assert not world.scan(code).provisional  # only this live code was busy: nobody was told to be quiet


def test_rebuild_leaves_alone_what_another_one_loads(
    world: World, ledger: RedisLedger, store_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    ledger._loader = Loader(ledger._scripts, ledger._truth, wait_seconds=0.2)
    busy, idle = world.live_code(), world.live_code()
    for code in (busy, idle):
        world.member(code)
        world.snapshot(code)
    with redis.Redis.from_url(store_url) as client:
        client.set(lock_name(busy), b"somebody's")
        assert ledger.rebuild(lambda: None) == 2
        assert caplog.messages == [f"live code {busy.id} is being loaded"]
        there = [client.hexists(keys.versions(keys.bucket_of(f"lc:{code.id}")), str(code.id)) for code in (busy, idle)]
        assert there == [False, True]
        client.delete(lock_name(busy))
    assert not world.scan(busy).provisional


def test_load_that_was_overtaken_gives_up_and_leaves_the_lock_to_its_owner(
    world: World, loader: Loader, store_url: str
) -> None:
    code = world.live_code()
    world.member(code)
    world.crowd(code, 2)
    standing = Standing(1, f"lc:{code.id}")
    with redis.Redis.from_url(store_url) as client:
        client.set(lock_name(code), b"another's")
        loader._load(code.id, standing, b"ours")  # it is there already
        client.hdel(keys.versions(keys.bucket_of(standing.home)), str(code.id))
        client.set(lock_name(code), b"another's")
        loader._unlock(standing.home, b"ours")
        assert client.get(lock_name(code)) == b"another's"
        with pytest.raises(LedgerDown, match="another one has begun"):
            loader._put(keys.bucket_of(standing.home), b"l:" + standing.home.encode(), b"ours", standing.home)
        client.delete(lock_name(code))


def test_load_that_fails_leaves_no_lock(
    world: World, loader: Loader, store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = world.live_code()
    world.member(code)

    def fails(*_: object) -> dict[bytes, bytes]:
        raise NotReady("SQL went away in the middle")

    with monkeypatch.context() as patch:
        patch.setattr(Truth, "counts", fails)
        with pytest.raises(NotReady):
            loader.ensure(code.id)
    with redis.Redis.from_url(store_url) as client:
        assert client.get(lock_name(code)) is None
    assert loader.ensure(code.id) == Standing(world.snapshot(code).version, f"lc:{code.id}")


def test_epochs_and_streams_go_on_when_the_clock_was_set_back(
    world: World, ledger: RedisLedger, engine: Engine, store_url: str, tmp_path: Path
) -> None:
    code = world.live_code()
    a = world.member(code, capacity=50)
    pipeline = Pipeline(engine, store_url, tmp_path)
    world.crowd(code, 3)
    pipeline.reader().run_until_empty()
    before = ledger.epoch()
    with redis.Redis.from_url(store_url) as client:
        client.flushall()
        # Redis' clock cannot be set back here; what SQL has seen can be ahead of it just as well.
        ahead = int((time.time() + 3600) * 1000) << streams.MARK_BITS
        with engine.begin() as connection:
            connection.execute(sa.update(member_counts).values(mark=ahead))
            connection.execute(sa.update(seats).values(mark=ahead))
        ledger._loader = Loader(ledger._scripts, ledger._truth, clock=lambda: time.time() - 3600)
        world.crowd(code, 2)
        ((newest, _),) = client.xrevrange(keys.stream(keys.bucket_of(f"lc:{code.id}")), count=1)
        assert int(newest.partition(b"-")[0]) << streams.MARK_BITS >= ahead
        ledger._loader._go_on_after(keys.bucket_of(f"lc:{code.id}"), ahead >> streams.MARK_BITS)  # it is further
    assert world.books.epoch() > before
    pipeline.reader().run_until_empty()
    assert [row.counted for row in world.rows(sa.select(member_counts))] == [5]
    assert world.counted(code, a) == 5
    pipeline.servers.close()
    pipeline.truth.close()


def test_version_above_sqls_goes_back_and_one_below_goes_on(
    world: World, ledger: RedisLedger, store_url: str, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.ledger.redis.RECONCILE_SECONDS", 0.0)
    codes = [world.live_code() for _ in range(3)]
    for code in codes:
        world.member(code)
        world.crowd(code, 1)
    above, below, gone = codes
    version = ledger.version(above.id)
    with redis.Redis.from_url(store_url) as client:
        client.hset(keys.versions(keys.bucket_of(f"lc:{above.id}")), str(above.id), 99)  # SQL was taken back
        client.hset(keys.versions(keys.bucket_of(f"lc:{below.id}")), str(below.id), 1)  # nobody published
        ledger.reconcile()
        ledger.reconcile()
        client.delete(keys.versions(keys.bucket_of(f"lc:{gone.id}")))
        ledger._correct(gone.id, keys.bucket_of(f"lc:{gone.id}"))
    assert ledger.version(above.id) == version
    assert ledger.version(below.id) == version
    ledger.ping()


def test_reconciling_waits_a_while_between_two_rounds(
    world: World, ledger: RedisLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger.reconcile()
    monkeypatch.setattr(Truth, "versions", lambda _: pytest.fail("so soon"))
    ledger.reconcile()


def test_live_code_that_is_gone_is_gone_everywhere(world: World, ledger: RedisLedger, engine: Engine) -> None:
    code = world.live_code()
    a = world.member(code)
    standing = world.live_code()
    b = world.member(standing)
    world.crowd(standing, 2)
    world.snapshot(code)
    with engine.begin() as connection:
        connection.exec_driver_sql("PRAGMA defer_foreign_keys=ON")
        connection.execute(sa.text("DELETE FROM member_generations WHERE member_id = :id"), {"id": a})
        connection.execute(sa.text("DELETE FROM member_versions WHERE member_id = :id"), {"id": a})
        connection.execute(sa.text("DELETE FROM members WHERE id = :id"), {"id": a})
        connection.execute(sa.text("DELETE FROM live_codes WHERE id = :id"), {"id": code.id})
    assert world.shown(code) == "unknown"  # by a snapshot that was made when it was there
    assert ledger._loader.ensure(code.id) is None
    assert ledger.version(code.id) is None
    assert ledger.seat(f"lc:{code.id}", world.visitor()) is None
    assert ledger.refused(f"lc:{code.id}", world.visitor()) == frozenset()
    assert ledger.record(happen.event(live_code_id=code.id), 1) == Stale(None)
    assert ledger.turns(f"{code.id}:x") == Turns()
    asked = [CountKey(code.id, a, 1, 1), CountKey(standing.id, b, 1, 1)]
    assert {member: count.counted for member, count in ledger.counts(asked).items()} == {b: 2}


def test_store_that_never_comes_about_is_an_outage(
    world: World, ledger: RedisLedger, store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Loads that succeed and are lost again at once, by whatever goes on in Redis."""
    code = world.live_code()
    a = world.member(code)
    monkeypatch.setattr(ledger._loader, "ensure", lambda _: Standing(1, f"lc:{code.id}"))
    scope, who = f"lc:{code.id}", world.visitor()
    for ask in (
        lambda: ledger.version(code.id),
        lambda: ledger.record(happen.event(live_code_id=code.id), 1),
        lambda: ledger.seat(scope, who),
    ):
        with pytest.raises(LedgerDown, match="cannot be loaded"):
            ask()
    assert world.scan(code).provisional
    assert a


def test_claims_find_a_live_code_that_moved_to_a_group_meanwhile(
    world: World, make_ledger: Callable[[], Ledger], engine: Engine
) -> None:
    code = world.live_code()
    a = world.member(code, capacity=9)
    other = World(engine, make_ledger(), world.books)
    assert other.crowd(code, 2) == [a, a]
    world.edit(code, dedupe_group="spring")
    assert world.crowd(code, 2) == [a, a]
    assert other.crowd(code, 2) == [a, a]
    assert other.counted(code, a) == 6
    who = other.visitor()
    assert other.shown(code, who) == a
    fresh = World(engine, make_ledger(), world.books)
    scope = f"g:{code.owner_id}:spring"
    assert fresh.ledger.seat(scope, who) is not None
    assert fresh.ledger.press(scope, who, happen.event("press", live_code_id=0, visitor=who))
    assert fresh.ledger.seat(f"g:{code.owner_id}:nobody's", who) is None


def test_kept_plans_and_known_counts_are_bounded(
    world: World, ledger: RedisLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.ledger.redis.PLANS", 2)
    monkeypatch.setattr("app.ledger.redis.MOST_KNOWN", 1)
    for _ in range(5):
        code = world.live_code()
        world.member(code)
        world.crowd(code, 1)
    assert len(ledger._plans) <= 2 and len(ledger._counted) <= 2


@pytest.mark.parametrize(
    "visitor", ["openid-o6_bmjrPTlm6_2sgVt7hMZOPfL2M", "short", "2" * 21 + "z", "客" * 22, "!" * 22]
)
def test_names_that_are_not_ours_are_kept_as_they_are(world: World, engine: Engine, visitor: str) -> None:
    assert packing.visitor_field(visitor) == visitor.encode()
    code = world.live_code()
    a = world.member(code)
    assert world.shown(code, visitor) == a
    assert world.shown(code, visitor) == "returning"


def test_large_numbers_are_packed_wide(engine: Engine) -> None:
    row = packing.Row(1, member_id=2**24 + 5, generation=300, counted_from=2, taken=9, counted_at=9, counted=True)
    assert packing.read_row(packing.write_row(row, 1), 1) == row


def test_what_was_erased_or_cannot_be_read_is_not_settled(
    world: World, engine: Engine, ledger: RedisLedger, store_url: str, tmp_path: Path
) -> None:
    code = world.live_code()
    world.member(code)
    who = world.visitor()
    world.scan(code, who)
    pipeline = Pipeline(engine, store_url, tmp_path)
    entries = Streams(pipeline.servers).read()
    seated = next(entry for entry in entries if entry.scope)
    ledger.erase(who)
    truth = pipeline.truth
    with happen.transaction(engine) as connection:
        settle(connection, [Entry(1, b"1-1", b"{}")], truth)
        settle(connection, [Entry(1, b"1-1", b"no event", seated.scope, seated.value, b"")], truth)
        settle(connection, [seated, seated], truth)
        assert connection.execute(sa.select(seats)).all() == []
        late = Entry(
            seated.bucket, b"%d-1" % (time.time() * 1000 + 60_000), seated.event, seated.scope, seated.value, b""
        )
        settle(connection, [late], truth)
        assert len(connection.execute(sa.select(seats)).all()) == 1
    pipeline.servers.close()
    pipeline.truth.close()


def test_reader_gets_a_name_of_its_own_after_a_fork(
    world: World, engine: Engine, store_url: str, tmp_path: Path
) -> None:
    code = world.live_code()
    world.member(code)
    pipeline = Pipeline(engine, store_url, tmp_path)
    reader = Streams(pipeline.servers)
    assert reader.read() == [] and reader.lag_seconds() == 0.0
    world.crowd(code, 1)
    name, reader._pid = reader._name, -1
    assert len(reader.read()) == 1
    assert reader._name.startswith(name) and reader._name != name
    assert 0 <= reader.lag_seconds() < 60
    with redis.Redis.from_url(store_url) as client:
        client.set(keys.stream(7), "no stream")
        with pytest.raises(LedgerDown, match="WRONGTYPE"):
            Streams(pipeline.servers).read()
        client.delete(keys.stream(7))
    pipeline.servers.close()
    pipeline.truth.close()


def test_stream_that_is_lost_alone_is_begun_again_beside_the_others(
    world: World, engine: Engine, store_url: str, tmp_path: Path
) -> None:
    code = world.live_code()
    world.member(code)
    pipeline = Pipeline(engine, store_url, tmp_path)
    reader = Streams(pipeline.servers)
    assert reader.read() == []
    with redis.Redis.from_url(store_url) as client:
        client.delete(keys.stream(keys.bucket_of(f"lc:{code.id}")))
    world.crowd(code, 2)
    assert len(reader.read()) == 2
    pipeline.servers.close()
    pipeline.truth.close()


def test_truth_says_whose_time_it_is(engine: Engine) -> None:
    truth = Truth(engine, SECRET)
    first = truth.next_life(1000)
    assert (first.epoch, first.newest) == (1000, 0)
    assert truth.next_life(1000).epoch == 1001
    assert truth.next_life(5).epoch == 1002
    assert truth.promote(1, 1) is None
    assert truth.somebody_in("g:1:nobody") is None
    truth.close()

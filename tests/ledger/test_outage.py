"""What a worker gives away while Redis does not answer: signed seats, the fallback, a lease of 2 %, else a page."""

import contextlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
from sqlalchemy.engine import Engine

from app.codes.models import LiveCode
from app.ledger import KeptSeat, Ledger, LedgerDown, keys, scripts
from app.ledger.spool import Spool, spool_files
from app.pipeline.models import events
from app.rules.tally import ScanEvent
from app.scan.answer import Answer
from tests import happen
from tests.faults.clusters import until
from tests.ledger.test_settling import Pipeline
from tests.ledger.world import World
from tests.servers import Running, start_redis

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def server() -> Iterator[Running]:
    """A Redis of this test's own, for it will be frozen."""
    made = start_redis()
    yield made
    made.thaw()
    made.stop()


@pytest.fixture
def store_url(server: Running) -> str:
    return server.url


def spooled(spool: Spool) -> list[ScanEvent]:
    return [ScanEvent.decode(line) for file in spool_files(spool.directory) for line in file.read_bytes().splitlines()]


def silence(world: World, server: Running) -> None:
    """Redis stops answering, and one scan has found that out for everybody."""
    some = world.live_code()
    world.member(some, capacity=None)
    assert world.scan(some).decision.outcome.value == "assigned"
    server.freeze()
    assert shown(world.scan(some)) == ("unavailable", None)


def answer_again(world: World, server: Running) -> None:
    server.thaw()
    code = world.live_code()

    def answers() -> bool:
        with contextlib.suppress(LedgerDown):
            return world.ledger.version(code.id) is not None
        return False

    until(answers)
    world.decider._quiet_until = 0.0


def unheard(edit: Callable[[], None]) -> None:
    """Committed, and Redis could not be told."""
    with contextlib.suppress(LedgerDown):
        edit()


def shown(answer: Answer) -> tuple[str, int | None]:
    member = answer.decision.member
    return answer.decision.outcome.value, member.id if member is not None else None


def outcomes(world: World, code: LiveCode, number: int) -> list[tuple[str, int | None]]:
    answers = [world.scan(code) for _ in range(number)]
    assert all(answer.provisional for answer in answers)
    return [shown(answer) for answer in answers]


NOBODY = ("unavailable", None)


def test_who_met_the_outage_first_may_hold_a_seat_already_and_is_given_no_other(world: World, server: Running) -> None:
    code = world.live_code()
    a = world.member(code, capacity=None)
    world.crowd(code, 1)
    server.freeze()
    who = world.visitor()
    first = world.scan(code, who)
    assert shown(first) == NOBODY and first.provisional
    assert shown(world.scan(code)) == ("assigned", a)  # whom Redis was never asked about
    answer_again(world, server)
    # Redis had heard the question after all, and the answer is theirs.
    assert world.scan(code, who).decision.outcome.value == "returning"
    assert len({event.id for event in world.books.events() if event.visitor == who}) == 2


def test_lease_is_two_percent_of_the_room_last_known(world: World, server: Running) -> None:
    code = world.live_code()
    a, b = world.member(code, capacity=200), world.member(code, capacity=100)
    world.crowd(code, 40)
    silence(world, server)
    # 160 left: 3. Nobody has told this worker of b.
    assert outcomes(world, code, 5) == [("assigned", a)] * 3 + [NOBODY] * 2
    assert b not in {member for _, member in outcomes(world, code, 2)}


def test_lease_is_each_workers_own_and_knows_what_counts_have_told(
    world: World, engine: Engine, make_ledger: Callable[[], Ledger], server: Running
) -> None:
    code = world.live_code()
    a, b = world.member(code, capacity=50), world.member(code, capacity=150)
    world.crowd(code, 1)
    other = World(engine, make_ledger(), world.books)
    other.crowd(code, 1)
    other.counts(code)
    silence(world, server)
    assert outcomes(world, code, 1) == [NOBODY]  # 2 % of 49 is nobody
    assert shown(other.scan(code)) == NOBODY  # finds the outage
    unheard(lambda: world.edit_member(a, state="disabled"))
    other.snapshot(code)
    assert outcomes(other, code, 4) == [("assigned", b)] * 3 + [NOBODY]


def test_lease_is_begun_again_after_the_outage(world: World, server: Running) -> None:
    code = world.live_code()
    a = world.member(code, capacity=100)
    world.crowd(code, 1)
    for _ in range(2):
        silence(world, server)
        assert outcomes(world, code, 2) == [("assigned", a), NOBODY]
        answer_again(world, server)
        assert world.shown(code) == a


def test_who_is_limited_by_the_day_or_in_reserve_or_recounted_is_not_lent(world: World, server: Running) -> None:
    code = world.live_code()
    world.member(code, capacity=100, daily_capacity=90)
    world.member(code, capacity=100, state="reserve")
    recounted = world.member(code, capacity=1000)
    world.counts(code)
    world.crowd(code, 1)
    silence(world, server)
    unheard(lambda: world.headcount(recounted, 3))
    world.snapshot(code)
    assert outcomes(world, code, 2) == [NOBODY] * 2


def test_member_without_a_limit_is_lent_to_everybody(world: World, server: Running) -> None:
    code = world.live_code()
    a = world.member(code, capacity=None)
    world.crowd(code, 1)
    silence(world, server)
    assert outcomes(world, code, 30) == [("assigned", a)] * 30


def test_fallback_comes_before_a_lease_and_who_must_be_asked_is_lent_nothing(world: World, server: Running) -> None:
    code, grouped = world.live_code(), world.live_code(kind="grouped")
    world.member(code, capacity=None)
    spare = world.member(code, is_fallback=True)
    world.member(grouped, choice_id=world.choice(grouped), capacity=None)
    paused = world.live_code(state="paused")
    for one in (code, grouped, paused):
        world.scan(one)
    silence(world, server)
    assert outcomes(world, code, 1) == [("fallback", spare)]
    assert outcomes(world, grouped, 1) == [NOBODY]
    assert outcomes(world, paused, 1) == [("paused", None)]


def test_signed_seat_is_honoured_from_the_snapshot(world: World, server: Running) -> None:
    code = world.live_code()
    a, b = world.member(code, capacity=1), world.member(code, capacity=1)
    world.crowd(code, 2)
    scope, epoch = f"lc:{code.id}", world.ledger.epoch()
    silence(world, server)

    def back(member: int, generation: int) -> tuple[str, int | None]:
        kept = ((scope, KeptSeat(code.id, member, generation, epoch)),)
        return shown(world.scan(code, kept=kept))

    assert back(b, 1) == ("returning", b)
    assert back(b, 2) == NOBODY  # another group by now
    unheard(lambda: world.edit_member(a, state="disabled"))
    world.snapshot(code)
    assert back(a, 1) == NOBODY


def test_provisional_seat_is_brought_home_and_everything_is_told(
    world: World, server: Running, engine: Engine, spool: Spool, store_url: str, tmp_path: Path
) -> None:
    code = world.live_code()
    a = world.member(code, capacity=100)
    world.crowd(code, 10)
    b = world.member(code, capacity=100, position=-1)  # would be first, if only somebody could be asked
    silence(world, server)
    who = world.visitor()
    answer = world.scan(code, who)
    assert shown(answer) == ("assigned", a) and answer.seat is not None and answer.scope is not None
    assert shown(world.scan(code)) == NOBODY
    kept = ((answer.scope, KeptSeat(code.id, answer.seat.member_id, answer.seat.generation, answer.epoch)),)
    assert shown(world.scan(code, who, kept=kept)) == ("returning", a)
    assert [event.outcome for event in spooled(spool)][-3:] == ["assigned", "unavailable", "returning"]
    answer_again(world, server)
    assert world.shown(code) == b
    home = world.scan(code, who, kept=kept)
    assert (shown(home), home.provisional) == (("returning", a), False)
    assert world.counted(code, a) == 11
    assert world.held(who) is not None
    pipeline = Pipeline(engine, store_url, tmp_path)
    told = {event.id for event in [*world.books.events(), *spooled(spool)]}
    pipeline.reader().run_until_empty()
    assert {row["uid"] for row in happen.rows(engine, events)} == told
    pipeline.servers.close()
    pipeline.truth.close()


def test_full_stream_sends_events_to_the_spool_and_loses_none(
    world: World, engine: Engine, spool: Spool, store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = world.live_code()
    world.member(code)
    world.crowd(code, 1)
    with redis.Redis.from_url(store_url) as client:
        stream = keys.stream(keys.bucket_of(f"lc:{code.id}"))
        fill = client.pipeline(transaction=False)
        for _ in range(scripts.MOST_EVENTS):
            fill.xadd(stream, {"e": "-"})
        fill.execute()
        assert world.scan(code).provisional
        assert not world.press(code, world.visitor())
        assert isinstance(world.stuck(code, world.visitor()), Answer)
        assert isinstance(world.scan(code, is_preview=True), Answer)
        world.decider._quiet_until = 0.0
        world.edit(code, state="paused")
        assert world.scan(code).provisional
        told = {event.id for event in spooled(spool)}
        assert len(told) == 4
        client.xtrim(stream, 1, approximate=False)
    world.decider._quiet_until = 0.0
    assert world.shown(code) == "paused"
    assert spool.losses.total() == 0


def test_neither_redis_nor_a_disk_is_a_loss_that_is_counted(world: World, server: Running, spool: Spool) -> None:
    code = world.live_code()
    a = world.member(code, capacity=None)
    world.crowd(code, 1)
    silence(world, server)
    shutil.rmtree(spool.directory)
    spool.close()
    spool.directory.write_text("in the way")
    assert outcomes(world, code, 3) == [("assigned", a)] * 3
    assert spool.losses.total() == 3

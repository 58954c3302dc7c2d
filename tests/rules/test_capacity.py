"""Room, turns and the derived status."""

import collections
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.rules import capacity
from app.rules.model import Candidate, Count, MemberState, Mode, Rank, Reason, Tier, Turns
from tests import make

TODAY = make.NOW.date()


def candidate(id: int, weight: int = 1, limit: int | None = None, daily: int | None = None) -> Candidate:
    return Candidate(id, 1, 1, limit, daily, weight, lapses=True)


def test_occupied_is_the_headcount_and_the_seats_since() -> None:
    member = make.member(capacity=200, headcount=118)
    assert capacity.occupied(member, Count(counted=5)) == 123
    assert capacity.room(member, Count(counted=5)) == 77


def test_room_is_never_negative_and_unknown_without_a_capacity() -> None:
    assert capacity.room(make.member(capacity=10, headcount=30), Count()) == 0
    assert capacity.room(make.member(), Count(counted=9)) is None


def test_fallback_is_never_counted() -> None:
    spare = make.member(is_fallback=True, capacity=5)
    assert capacity.occupied(spare, Count(counted=3)) == 0 and capacity.room(spare, Count(counted=3)) is None


@pytest.mark.parametrize(
    ("more", "taken", "status"),
    [
        ({"state": MemberState.ARCHIVED, "suspect_at": make.NOW}, 0, "archived"),
        ({"state": MemberState.DISABLED}, 0, "disabled"),
        ({"state": MemberState.RESERVE}, 0, "reserve"),
        ({"valid_from": make.NOW + timedelta(hours=1)}, 0, "not_yet"),
        ({"valid_from": make.NOW}, 0, "active"),
        ({"expires_at": make.NOW, "suspect_at": make.NOW}, 0, "expired"),
        ({"suspect_at": make.NOW, "capacity": 1}, 1, "suspect"),
        ({"capacity": 10, "expires_at": make.NOW + timedelta(hours=1)}, 10, "full"),
        ({"capacity": 10, "expires_at": make.NOW + timedelta(hours=47)}, 9, "expiring"),
        ({"capacity": 10, "expires_at": make.NOW + timedelta(hours=48)}, 8, "filling"),
        ({"capacity": 10}, 7, "active"),
        ({}, 9000, "active"),
    ],
)
def test_status_is_the_first_that_holds(more: dict[str, object], taken: int, status: str) -> None:
    assert capacity.status_of(make.member(**more), taken, make.NOW) == status


def test_seats_lapse_after_the_hours_set_and_never_at_zero() -> None:
    assert capacity.lapses_before(make.snapshot(unpressed_seat_hours=48), make.NOW) == make.NOW - timedelta(hours=48)
    assert capacity.lapses_before(make.snapshot(unpressed_seat_hours=0), make.NOW) is None


def test_candidate_has_the_room_the_headcount_leaves_and_a_pin_lifts_the_daily_capacity() -> None:
    member = make.member(7, capacity=10, headcount=12, daily_capacity=3, state=MemberState.RESERVE, version=4)
    found = capacity.candidate(member)
    assert (found.limit, found.daily_limit, found.is_reserve, found.version) == (0, 3, True, 4)
    assert capacity.candidate(member, pinned=True).daily_limit is None
    assert capacity.candidate(make.member()).limit is None


def test_lack_names_what_is_missing() -> None:
    assert capacity.lack(candidate(1, limit=2), Count(counted=2), TODAY) is Reason.FULL
    assert capacity.lack(candidate(1, daily=2), Count(day=TODAY, taken=2), TODAY) is Reason.DAILY_FULL
    assert capacity.lack(candidate(1, daily=2), Count(day=TODAY - timedelta(days=1), taken=2), TODAY) is None
    assert capacity.lack(candidate(1), Count(counted=10_000), TODAY) is None


def test_refused_members_are_not_open() -> None:
    tier = Tier(Rank.ACTIVE, Mode.SEQUENTIAL, (candidate(1), candidate(2, limit=1), candidate(3)), "t")
    assert [c.member_id for c in capacity.open_candidates(tier, {2: Count(counted=1)}, TODAY, {1})] == [3]


def test_sequential_takes_the_first() -> None:
    assert capacity.choose(Mode.SEQUENTIAL, [candidate(5), candidate(2)], Turns(), 0.9).member_id == 5


@pytest.mark.parametrize(("roll", "member"), [(0.0, 1), (0.74, 1), (0.75, 2), (0.99999, 2), (1.0, 2)])
def test_random_goes_by_weight(roll: float, member: int) -> None:
    both = [candidate(1, weight=3), candidate(2, weight=1)]
    assert capacity.choose(Mode.RANDOM, both, Turns(), roll).member_id == member


def serve(candidates: list[Candidate], turns: Turns, times: int) -> tuple[list[int], Turns]:
    served = []
    for _ in range(times):
        chosen = capacity.choose(Mode.ROUND_ROBIN, candidates, turns, 0.0)
        turns = capacity.take_turn(chosen, turns)
        served.append(chosen.member_id)
    return served, turns


@given(st.lists(st.integers(1, 100), min_size=1, max_size=6), st.integers(0, 400))
def test_round_robin_is_exact_over_every_full_turn(weights: list[int], start: int) -> None:
    candidates = [candidate(n, weight=w) for n, w in enumerate(weights, 1)]
    total = sum(weights)
    served, _ = serve(candidates, Turns(), start % (2 * total) + total)
    assert collections.Counter(served[-total:]) == dict(enumerate(weights, 1))


@given(st.lists(st.integers(1, 9), min_size=2, max_size=5), st.integers(1, 60), st.data())
def test_round_robin_gives_who_comes_back_its_share_and_no_more(
    weights: list[int], meanwhile: int, data: st.DataObject
) -> None:
    candidates = [candidate(n, weight=w) for n, w in enumerate(weights, 1)]
    away = data.draw(st.sampled_from(candidates))
    _, turns = serve(candidates, Turns(), data.draw(st.integers(0, 30)))
    _, turns = serve([c for c in candidates if c is not away], turns, meanwhile)
    total = sum(weights)
    served, turns = serve(candidates, turns, total)
    assert served.count(away.member_id) <= away.weight + 1
    settled, _ = serve(candidates, turns, total)
    assert collections.Counter(settled) == dict(enumerate(weights, 1))

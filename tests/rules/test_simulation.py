"""What one visitor would be shown, and why: it says what routing decides, member by member."""

from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from app.rules import capacity, routing
from app.rules.model import ClosedPolicy, Count, MemberState, Mode, Outcome, Rank, RegionPolicy, Snapshot, Turns
from app.rules.regions import Place
from tests import make
from tests.make import member, snapshot
from tests.rules.simulated import simulate

GUANGZHOU = Place("CN/CN-GD/440100", "address")
CLOSED = (make.window((7,)),)
EXPIRED = {"expires_at": make.NOW - timedelta(hours=1)}
REGIONS = st.sampled_from([(), ("CN",), ("CN/CN-GD",), ("CN/CN-GD/440100",), ("US",)])


def trace(code: Snapshot, place: Place = Place.UNKNOWN, **more: Any) -> dict[int, tuple[bool, str]]:
    return {t.member_id: (t.eligible, t.reason) for t in simulate(code, place, **more).trace}


def test_fallback_overflows_when_nobody_has_room() -> None:
    code = snapshot((member(1, capacity=1), member(2, is_fallback=True)))
    decision = simulate(code, counts={1: Count(counted=1)}).decision
    assert decision.outcome is Outcome.FALLBACK and decision.member is code.members[1]


def test_simulation_of_who_holds_a_seat() -> None:
    code = snapshot((member(1), member(2), member(3, is_fallback=True)), on_closed_member=ClosedPolicy.HOLD)
    assert simulate(code, seat=make.seat(2)).decision.outcome is Outcome.RETURNING
    assert simulate(code, seat=make.seat(2, generation=9)).decision.outcome is Outcome.HELD
    fallback = snapshot(code.members, on_closed_member=ClosedPolicy.FALLBACK)
    assert simulate(fallback, seat=make.seat(2, generation=9)).decision.member is code.members[2]
    nobody = snapshot(code.members[:2], on_closed_member=ClosedPolicy.FALLBACK)
    assert simulate(nobody, seat=make.seat(2, generation=9)).decision.outcome is Outcome.HELD
    anew = snapshot(code.members, on_closed_member=ClosedPolicy.REASSIGN)
    assert simulate(anew, seat=make.seat(2, generation=9)).decision.outcome is Outcome.ASSIGNED


def test_simulation_of_a_grouped_code_asks_until_a_choice_is_given() -> None:
    code = snapshot((member(1, choice_id=5),), kind="grouped", choices=(make.choice(5),))
    assert simulate(code).decision.outcome is Outcome.CHOOSE
    chosen = simulate(code, choice_id=5).decision
    assert chosen.outcome is Outcome.ASSIGNED and chosen.choice is code.choices[0]


def test_simulation_follows_turns_and_skips_full_tiers() -> None:
    near = member(1, regions=("CN/CN-GD",), capacity=1)
    code = snapshot((near, member(2), member(3)), mode=Mode.ROUND_ROBIN)
    served = Turns({2: 1}, (0, 1))
    decision = simulate(code, GUANGZHOU, counts={1: Count(counted=1)}, turns=lambda _: served).decision
    assert decision.member is code.members[2]


def test_trace_gives_every_members_first_reason() -> None:
    members = (
        member(1),
        member(2, state=MemberState.DISABLED),
        member(3, version=None),
        member(4, valid_from=make.NOW + timedelta(days=1)),
        member(5, **EXPIRED),
        member(6, is_fallback=True),
        member(7, choice_id=4),
        member(8, windows=CLOSED),
        member(9, capacity=2),
        member(10, daily_capacity=1),
        member(11),
        member(12, suspect_at=make.NOW),
        member(13, state=MemberState.RESERVE),
        member(14, regions=("US",)),
        member(15, state=MemberState.ARCHIVED),
    )
    today = make.NOW.astimezone(make.ZONE).date()
    counts = {9: Count(counted=2), 10: Count(day=today, taken=1)}
    assert trace(snapshot(members), GUANGZHOU, counts=counts, refused={11}) == {
        1: (True, "active"),
        2: (False, "disabled"),
        3: (False, "no_code"),
        4: (False, "not_yet"),
        5: (False, "expired"),
        6: (False, "fallback"),
        7: (False, "other_choice"),
        8: (False, "closed_now"),
        9: (False, "full"),
        10: (False, "daily_full"),
        11: (False, "refused"),
        12: (False, "suspect"),
        13: (False, "reserve"),
        14: (False, "other_place"),
    }


def test_trace_of_strict_and_nearest() -> None:
    regional, anywhere = member(1, regions=("CN/CN-GD",)), member(2)
    strict = snapshot((regional, anywhere), region_policy=RegionPolicy.STRICT)
    assert trace(strict, GUANGZHOU)[2] == (False, "not_matched")
    assert trace(strict)[1] == (False, "other_place")
    shop = member(1, latitude=31.2, longitude=121.5, radius_m=100)
    near = snapshot((shop,), region_policy=RegionPolicy.NEAREST)
    assert trace(near, position=(23.0, 113.0))[1] == (False, "too_far")


def test_trace_shows_reserve_suspect_and_last_resort_when_they_are_needed() -> None:
    assert trace(snapshot((member(1, state=MemberState.RESERVE),)))[1] == (True, "reserve")
    assert trace(snapshot((member(1, suspect_at=make.NOW),)))[1] == (True, "suspect")
    assert trace(snapshot((member(1, regions=("US",)),)), GUANGZHOU)[1] == (True, "last_resort")


def test_trace_of_a_pin_keeps_the_others_eligible() -> None:
    code = snapshot((member(1), member(2, capacity=1)), pinned_member_id=2)
    assert trace(code) == {1: (True, "active"), 2: (True, "pin")}
    assert trace(code, counts={2: Count(counted=1)}) == {1: (True, "active"), 2: (False, "full")}


@st.composite
def any_member(draw: st.DrawFn) -> dict[str, Any]:
    return {
        "regions": draw(REGIONS),
        "state": draw(st.sampled_from(MemberState)),
        "capacity": draw(st.sampled_from([None, 1, 3])),
        "windows": draw(st.sampled_from([(), CLOSED, (make.window(),)])),
        "suspect_at": draw(st.sampled_from([None, make.NOW])),
        "expires_at": draw(st.sampled_from([None, make.NOW, make.NOW + timedelta(days=1)])),
        "is_fallback": draw(st.booleans()),
        "weight": draw(st.integers(1, 3)),
    }


@given(
    st.lists(any_member(), max_size=8),
    st.sampled_from(RegionPolicy),
    st.sampled_from([None, "CN/CN-GD/440100", "CN/CN-SC", "US"]),
    st.lists(st.integers(0, 4), min_size=8, max_size=8),
    st.sampled_from(Mode),
    st.booleans(),
)
def test_whoever_is_assigned_is_eligible_in_the_trace_and_the_other_way_round(
    made: list[dict[str, Any]], policy: RegionPolicy, region: str | None, counted: list[int], mode: Mode, pin: bool
) -> None:
    members = [member(n, **more) for n, more in enumerate(made, 1)]
    code = snapshot(members, region_policy=policy, mode=mode, pinned_member_id=1 if pin else None)
    counts = {n: Count(counted=c) for n, c in enumerate(counted, 1)}
    found = simulate(code, Place(region, "given"), counts=counts, roll=0.5)
    eligible = {t.member_id for t in found.trace if t.eligible}
    shown = found.decision.member
    assert {t.member_id for t in found.trace} == {m.id for m in members if m.state is not MemberState.ARCHIVED}
    if found.decision.outcome is Outcome.ASSIGNED:
        assert shown is not None and shown.id in eligible and capacity.room(shown, counts[shown.id]) != 0
    else:
        assert not eligible
    if policy is RegionPolicy.STRICT and found.decision.outcome is Outcome.ASSIGNED and not pin:
        assert shown is not None
        matched = [m for m in members if routing.is_usable(m, make.NOW) and not m.is_fallback and m.regions]
        named = [m for m in matched if any(region and region.startswith(r) for r in m.regions)]
        assert shown in named if named else not shown.regions


def test_ranks_are_spelled_as_in_the_trace() -> None:
    assert [r.value for r in Rank] == ["pin", "active", "reserve", "suspect", "last_resort"]

"""What a scan decides, on frozen objects."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from app.rules import routing
from app.rules.model import (
    ChoicePolicy,
    ClosedPolicy,
    Count,
    LiveCodeState,
    Member,
    MemberState,
    Mode,
    Outcome,
    Plan,
    RegionPolicy,
    Snapshot,
)
from app.rules.regions import Place
from tests import make
from tests.make import member, snapshot
from tests.rules.simulated import simulate

GUANGZHOU = Place("CN/CN-GD/440100", "address")
CLOSED = (make.window((7,)),)


def plan_of(code: Snapshot, place: Place = Place.UNKNOWN, choice_id: int | None = None, **more: Any) -> Plan:
    return routing.compile_plan(code, choice_id, place, make.NOW, **more)


def tiers(plan: Plan) -> list[tuple[str, list[int]]]:
    return [(t.rank.value, [c.member_id for c in t.candidates]) for t in plan.tiers]


# The live code's own state


@pytest.mark.parametrize(
    ("more", "outcome", "opens_at"),
    [
        ({"state": LiveCodeState.ARCHIVED}, Outcome.ENDED, None),
        ({"ends_at": make.NOW}, Outcome.ENDED, None),
        ({"state": LiveCodeState.PAUSED}, Outcome.PAUSED, None),
        ({"starts_at": make.NOW + timedelta(days=1)}, Outcome.NOT_STARTED, make.NOW + timedelta(days=1)),
    ],
)
def test_state_and_dates_refuse_before_any_member(more: dict[str, Any], outcome: Outcome, opens_at: object) -> None:
    code = snapshot((member(),), **more)
    refused = routing.refusal(code, make.NOW)
    assert refused is not None and (refused.outcome, refused.opens_at) == (outcome, opens_at)
    assert simulate(code).decision.outcome is outcome


def test_code_in_its_dates_is_not_refused() -> None:
    inside = snapshot(starts_at=make.NOW, ends_at=make.NOW + timedelta(seconds=1))
    assert routing.refusal(inside, make.NOW) is None


# Scope and place


def test_scope_is_the_code_the_dedupe_group_or_the_choice() -> None:
    assert routing.scope_of(snapshot(id=7)) == "lc:7"
    assert routing.scope_of(snapshot(id=7, owner_id=3, dedupe_group="spring")) == "g:3:spring"
    several = snapshot(id=7, kind="grouped", choice_policy=ChoicePolicy.SEVERAL, dedupe_group="spring")
    assert routing.scope_of(several, 9) == "lc:7:c:9"
    assert routing.scope_of(snapshot(id=7, kind="grouped"), 9) == "lc:7"


def test_place_is_the_chosen_city_the_placement_the_position_or_the_address() -> None:
    code = snapshot(placements={"shop": "CN/CN-GD/440300", "web": None}, asks_city=True)
    known: dict[str, Any] = {"chosen": "US", "placement": "shop", "position": "JP", "address": GUANGZHOU}
    assert routing.place_of(code, **known) == Place("US", "chosen")
    assert routing.place_of(code, **(known | {"chosen": None})) == Place("CN/CN-GD/440300", "placement")
    assert routing.place_of(code, **(known | {"chosen": None, "placement": "web"})) == Place("JP", "position")
    nothing = {"chosen": None, "placement": "nowhere", "position": None, "address": GUANGZHOU}
    assert routing.place_of(code, **nothing) == GUANGZHOU  # type: ignore[arg-type]
    assert routing.place_of(code, **(nothing | {"placement": None})) == GUANGZHOU  # type: ignore[arg-type]
    asks_nobody = snapshot(placements=code.placements)
    assert routing.place_of(asks_nobody, **known) == Place("CN/CN-GD/440300", "placement")


# Plans


def test_only_usable_open_members_are_offered_in_order_of_position() -> None:
    members = (
        member(1, position=9),
        member(2, state=MemberState.DISABLED),
        member(3, version=None),
        member(4, expires_at=make.NOW),
        member(5, valid_from=make.NOW + timedelta(minutes=1)),
        member(6, windows=CLOSED),
        member(7, is_fallback=True),
        member(8, position=1),
        member(9, choice_id=5),
        member(10, state=MemberState.ARCHIVED),
    )
    plan = plan_of(snapshot(members))
    assert tiers(plan) == [("active", [8, 1])]
    assert set(plan.keep) == {1, 6, 7, 8, 9}
    assert plan.keeps(1, 1) and not plan.keeps(1, 2) and not plan.keeps(4, 1)


def test_reserves_come_after_every_active_tier_then_suspects_then_last_resort() -> None:
    members = (
        member(1, regions=("CN/CN-GD",)),
        member(2),
        member(3, regions=("CN/CN-GD",), state=MemberState.RESERVE),
        member(4, suspect_at=make.NOW),
        member(5, regions=("CN/CN-SC",)),
        member(6, regions=("CN/CN-SC",), state=MemberState.RESERVE),
        member(7, regions=("CN/CN-SC",), suspect_at=make.NOW, state=MemberState.RESERVE),
    )
    assert tiers(plan_of(snapshot(members), GUANGZHOU)) == [
        ("active", [1]),
        ("active", [2]),
        ("reserve", [3]),
        ("suspect", [4]),
        ("last_resort", [5]),
        ("last_resort", [6]),
        ("last_resort", [7]),
    ]


def test_strict_has_no_last_resort() -> None:
    members = (member(1, regions=("CN/CN-GD",)), member(2))
    strict = snapshot(members, region_policy=RegionPolicy.STRICT)
    assert tiers(plan_of(strict, GUANGZHOU)) == [("active", [1])]
    assert tiers(plan_of(strict)) == [("active", [2])]


def test_pin_comes_first_whatever_its_place_window_or_daily_capacity() -> None:
    pinned = member(2, regions=("US",), windows=CLOSED, daily_capacity=1, capacity=5)
    plan = plan_of(snapshot((member(1), pinned), pinned_member_id=2), GUANGZHOU)
    assert tiers(plan) == [("pin", [2]), ("active", [1])]
    assert plan.tiers[0].candidates[0].daily_limit is None and plan.tiers[0].candidates[0].limit == 5


@pytest.mark.parametrize(
    "more",
    [
        {"state": MemberState.DISABLED},
        {"state": MemberState.RESERVE},
        {"expires_at": make.NOW},
        {"version": None},
        {"choice_id": 4},
        {"is_fallback": True},
    ],
)
def test_pin_never_overrides_state_expiry_image_or_choice(more: dict[str, Any]) -> None:
    code = snapshot((member(1), member(2, **more)), pinned_member_id=2)
    assert ("pin", [2]) not in tiers(plan_of(code))


def test_choice_has_its_own_members_and_mode_and_grouped_codes_ask_first() -> None:
    code = snapshot(
        (member(1, choice_id=5), member(2, choice_id=6), member(3)),
        kind="grouped",
        choices=(make.choice(5, mode=Mode.RANDOM), make.choice(6)),
    )
    plan = plan_of(code, choice_id=5)
    assert tiers(plan) == [("active", [1])] and plan.tiers[0].mode is Mode.RANDOM
    assert plan_of(code).tiers == ()


def test_turn_state_belongs_to_the_set_and_its_weights() -> None:
    def key(*members: Member) -> str:
        return plan_of(snapshot(members)).tiers[0].key

    assert key(member(1), member(2)) == key(member(1, capacity=9), member(2))
    assert len({key(member(1)), key(member(1), member(2)), key(member(1, weight=2))}) == 3


def test_nearest_makes_a_tier_of_each_distance() -> None:
    far, near = member(1, latitude=31.2, longitude=121.5), member(2, latitude=23.1, longitude=113.3)
    code = snapshot((far, near), region_policy=RegionPolicy.NEAREST)
    assert tiers(plan_of(code, position=(23.0, 113.0))) == [("active", [2]), ("active", [1])]


def test_plan_stands_until_its_next_change_and_not_before_it_was_made() -> None:
    plan = plan_of(snapshot((member(expires_at=make.NOW + timedelta(hours=1)),)))
    assert plan.good_until == make.NOW + timedelta(hours=1)
    assert plan.stands_at(make.NOW) and not plan.stands_at(make.NOW + timedelta(hours=1))
    assert not plan.stands_at(make.NOW - timedelta(seconds=1))
    assert plan_of(snapshot((member(),))).stands_at(make.NOW + timedelta(days=900))


def test_next_opening_is_that_of_members_who_serve_the_place() -> None:
    soon, later = make.window((2,)), make.window((3,))
    members = (
        member(1, windows=(soon,), regions=("CN/CN-SC",)),
        member(2, windows=(later,), regions=("CN/CN-GD",)),
        member(3, windows=(soon,), state=MemberState.DISABLED),
    )
    strict = snapshot(members, region_policy=RegionPolicy.STRICT)
    opens = plan_of(strict, GUANGZHOU).opens_at
    assert opens is not None and opens.astimezone(make.ZONE).isoweekday() == 3
    assert plan_of(snapshot((member(),))).opens_at is None


# Closed members


def closed(policy: ClosedPolicy, held: Sequence[Member], **seat: Any) -> routing.Closed:
    return routing.closed_seat(snapshot(held, on_closed_member=policy), make.seat(**seat), make.NOW)


PRESSED = {"pressed_at": make.NOW - timedelta(hours=3)}
EXPIRED = {"expires_at": make.NOW - timedelta(hours=1)}


def test_by_press_holds_who_pressed_a_live_code_that_expired() -> None:
    assert closed(ClosedPolicy.BY_PRESS, [member(**EXPIRED)], **PRESSED) is routing.Closed.HOLD


@pytest.mark.parametrize(
    ("more", "seat"),
    [
        (EXPIRED, {}),
        (EXPIRED, {"pressed_at": make.NOW - timedelta(minutes=30)}),
        (EXPIRED, PRESSED | {"generation": 2}),
        ({"expires_at": make.NOW - timedelta(hours=48)}, {"pressed_at": make.NOW - timedelta(hours=60)}),
        ({"state": MemberState.DISABLED}, PRESSED),
        (EXPIRED | {"state": MemberState.ARCHIVED}, PRESSED),
        (EXPIRED | {"kind": "wechat_personal"}, PRESSED),
        ({"generation": 2}, PRESSED),
    ],
)
def test_by_press_reassigns_everybody_else(more: dict[str, Any], seat: dict[str, Any]) -> None:
    assert closed(ClosedPolicy.BY_PRESS, [member(**more)], **seat) is routing.Closed.REASSIGN


def test_member_that_is_gone_is_reassigned() -> None:
    assert closed(ClosedPolicy.BY_PRESS, [], **PRESSED) is routing.Closed.REASSIGN


def test_other_policies_treat_all_alike() -> None:
    assert closed(ClosedPolicy.REASSIGN, [member(**EXPIRED)], **PRESSED) is routing.Closed.REASSIGN
    assert closed(ClosedPolicy.HOLD, [member(**EXPIRED)]) is routing.Closed.HOLD
    assert closed(ClosedPolicy.FALLBACK, [member(**EXPIRED)]) is routing.Closed.FALLBACK


def test_elsewhere_needs_an_active_code_and_the_same_usable_member() -> None:
    here = member(generation=2)
    assert routing.elsewhere(snapshot((here,)), make.seat(generation=2), make.NOW) is here
    assert routing.elsewhere(snapshot((here,)), make.seat(generation=1), make.NOW) is None
    assert routing.elsewhere(snapshot((here,), state=LiveCodeState.PAUSED), make.seat(generation=2), make.NOW) is None
    assert routing.elsewhere(snapshot(), make.seat(), make.NOW) is None
    assert routing.elsewhere(snapshot((member(**EXPIRED),)), make.seat(), make.NOW) is None


# Overflow


def test_overflow_takes_the_choices_own_fallback_first_then_the_codes() -> None:
    own = member(3, is_fallback=True, choice_id=5)
    general = member(2, is_fallback=True)
    code = snapshot((general, own), kind="grouped", choices=(make.choice(5), make.choice(6)))
    assert routing.fallback_member(code, 5, make.NOW) is own
    assert routing.fallback_member(code, 6, make.NOW) is general
    gone = snapshot((member(2, is_fallback=True, **EXPIRED), member(3, is_fallback=True, state=MemberState.DISABLED)))
    assert routing.fallback_member(gone, None, make.NOW) is None


def test_full_needs_somebody_who_fails_on_capacity_alone() -> None:
    full = snapshot((member(1, capacity=1),))
    assert simulate(full, counts={1: Count(counted=1)}).decision.outcome is Outcome.FULL
    assert simulate(full, counts={1: Count(counted=1)}, refused={1}).decision.outcome is Outcome.UNAVAILABLE
    assert simulate(snapshot((member(**EXPIRED),))).decision.outcome is Outcome.UNAVAILABLE


def test_unavailable_says_when_it_opens() -> None:
    decision = simulate(snapshot((member(windows=CLOSED),))).decision
    assert decision.outcome is Outcome.UNAVAILABLE and decision.opens_at is not None


def test_plans_of_one_moment_share_what_stands() -> None:
    code = snapshot([member(1), member(2, expires_at=make.NOW + make.hours(2))])
    standing = routing.stand(code, make.NOW)
    assert standing.good_until == make.NOW + make.hours(2)
    shared = routing.compile_plan(code, None, Place.UNKNOWN, make.NOW + make.hours(1), standing=standing)
    assert set(shared.keep) == {1, 2}


def test_what_stood_before_something_expired_is_not_gone_by() -> None:
    code = snapshot([member(1), member(2, expires_at=make.NOW + make.hours(2))])
    standing = routing.stand(code, make.NOW)
    later = routing.compile_plan(code, None, Place.UNKNOWN, make.NOW + make.hours(2), standing=standing)
    earlier = routing.compile_plan(code, None, Place.UNKNOWN, make.NOW - make.hours(1), standing=standing)
    assert set(later.keep) == {1}
    assert set(earlier.keep) == {1, 2}
    assert later.tiers

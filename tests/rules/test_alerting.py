"""What somebody should be told, when, and that the same trouble always goes by the same name."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from app.rules.alerting import (
    Cause,
    Facts,
    Level,
    Thresholds,
    causes,
    digest_due,
    is_escalated,
    is_quiet,
    next_work_begins,
    only_the_last,
    send_at,
    try_again_at,
)
from app.rules.forecast import Learnt, Outlook
from app.rules.model import LiveCodeState, Member, MemberState, RegionPolicy
from tests import make
from tests.make import NOW, ZONE, hours


def facts(*members: Member, taken: Mapping[int, int] | None = None, **more: Any) -> Facts:
    known = {name: more.pop(name) for name in list(more) if name in Facts.__slots__}
    return Facts(make.snapshot(members, **more), taken or {}, **known)


def told(found: Facts, now: datetime = NOW, keys: Collection[str] = (), **limits: Any) -> list[str]:
    """Kinds, with the number that tells one of a kind from the others."""
    return [_short(cause) for cause in causes(found, Thresholds(**limits), now, keys)]


def _short(cause: Cause) -> str:
    number = cause.numbers.get("hours") or cause.numbers.get("percent") or ""
    return f"{cause.kind}{number}"


@pytest.mark.parametrize(
    ("left", "expected"),
    [
        (hours(48) + timedelta(seconds=1), []),
        (hours(48), ["expiring48"]),
        (hours(12) + timedelta(seconds=1), ["expiring48"]),
        (hours(12), ["expiring48", "expiring12"]),
        (timedelta(seconds=1), ["expiring48", "expiring12"]),
    ],
)
def test_an_expiry_is_told_at_its_thresholds(left: timedelta, expected: list[str]) -> None:
    assert told(facts(make.member(1, expires_at=NOW + left))) == expected


def test_what_has_expired_is_told_as_that_alone_and_nobody_is_left() -> None:
    assert told(facts(make.member(1, expires_at=NOW), make.member(2))) == ["expired"]
    assert told(facts(make.member(1, expires_at=NOW))) == ["expired", "nobody"]


@pytest.mark.parametrize(
    ("taken", "expected"),
    [(79, []), (80, ["filling80"]), (95, ["filling80", "filling95"]), (100, ["filling80", "filling95", "full100"])],
)
def test_room_is_told_at_its_thresholds(taken: int, expected: list[str]) -> None:
    assert told(facts(make.member(1, capacity=100), make.member(2), taken={1: taken})) == expected


def test_thresholds_belong_to_the_live_code() -> None:
    found = facts(make.member(1, capacity=100, expires_at=NOW + hours(70)), make.member(2), taken={1: 60})
    assert told(found, expiring_hours=(72,), filling_percents=(50,)) == ["expiring72", "filling50"]


def test_a_few_seats_less_are_still_the_same_filling_up() -> None:
    def at(taken: int, keys: Collection[str]) -> list[str]:
        return told(facts(make.member(1, capacity=100), taken={1: taken}), keys=keys)

    assert at(76, ["filling:1:1:80"]) == ["filling80"]
    assert at(74, ["filling:1:1:80"]) == []
    assert at(76, []) == []


def test_a_group_that_is_told_to_fill_up_is_not_told_again_because_its_code_expired_meanwhile() -> None:
    found = facts(make.member(1, capacity=100, expires_at=NOW), make.member(2), taken={1: 85})
    assert told(found) == ["expired"]
    assert told(found, keys=["filling:1:1:80"]) == ["expired", "filling80"]


def test_a_new_version_or_a_later_date_is_another_trouble() -> None:
    def key(**more: Any) -> str:
        member = make.member(1, **{"expires_at": NOW + hours(40), **more})
        return causes(facts(member), Thresholds(), NOW)[0].key

    assert len({key(), key(version=2), key(expires_at=NOW + hours(47))}) == 3
    assert key() == key(weight=3, generation=1)


def test_a_new_group_fills_up_anew() -> None:
    def key(generation: int) -> str:
        return causes(facts(make.member(1, capacity=10, generation=generation), taken={1: 8}), Thresholds(), NOW)[0].key

    assert key(1) != key(2)


def test_due_since_its_threshold_and_not_since_somebody_looked() -> None:
    cause = causes(facts(make.member(1, expires_at=NOW + hours(30))), Thresholds(), NOW)[0]
    assert cause.due_at == NOW - hours(18)


@pytest.mark.parametrize("state", [MemberState.DISABLED, MemberState.ARCHIVED])
def test_what_is_not_on_needs_nobody(state: MemberState) -> None:
    assert told(facts(make.member(1, state=state, expires_at=NOW + hours(1)), make.member(2))) == []


@pytest.mark.parametrize(
    ("left", "expected"), [(60, []), (40, ["expiring48"]), (1, ["expiring48", "expiring12"]), (0, ["expired"])]
)
def test_a_reserve_is_watched_for_its_date_and_never_for_its_room(left: int, expected: list[str]) -> None:
    reserve = make.member(1, state=MemberState.RESERVE, expires_at=NOW + hours(left), capacity=1)
    found = facts(reserve, make.member(2), taken={1: 1})
    assert told(found) == expected
    assert {cause.numbers["is_reserve"] for cause in causes(found, Thresholds(), NOW) if cause.kind == "expired"} <= {1}


def test_a_reserve_that_does_not_expire_needs_nobody() -> None:
    assert told(facts(make.member(1, state=MemberState.RESERVE), make.member(2))) == []


def test_what_has_not_begun_needs_nobody() -> None:
    later = make.member(1, valid_from=NOW + hours(1), expires_at=NOW + hours(10))
    assert told(facts(later, make.member(2))) == []


@pytest.mark.parametrize("more", [{"state": LiveCodeState.PAUSED}, {"state": LiveCodeState.ARCHIVED}, {"ends_at": NOW}])
def test_what_does_not_run_needs_nobody(more: dict[str, Any]) -> None:
    assert told(facts(make.member(1, expires_at=NOW), **more)) == []


def test_before_its_start_only_dates_matter() -> None:
    found = facts(make.member(1, expires_at=NOW + hours(10)), starts_at=NOW + hours(1), overflowed_at=NOW)
    assert told(found) == ["expiring48", "expiring12"]


def test_a_fallback_is_watched_for_its_date_and_never_for_its_room() -> None:
    spare = make.member(1, is_fallback=True, capacity=1, expires_at=NOW + hours(20))
    assert told(facts(spare, make.member(2), taken={1: 1})) == ["expiring48"]


def test_nobody_left_is_urgent_and_a_reserve_is_somebody() -> None:
    full, reserve = make.member(1, capacity=1), make.member(2, state=MemberState.RESERVE)
    found = causes(facts(full, taken={1: 1}), Thresholds(), NOW)
    assert (found[-1].kind, found[-1].level) == ("nobody", Level.URGENT)
    assert "nobody" not in told(facts(full, reserve, taken={1: 1}))


def test_a_live_code_without_members_needs_nobody_yet() -> None:
    assert told(facts()) == []


def test_a_choice_that_leads_nowhere_is_told() -> None:
    choices = (make.choice(1), make.choice(2), make.choice(3))
    members = make.member(1, choice_id=1), make.member(2, choice_id=2, expires_at=NOW)
    assert told(facts(*members, choices=choices)) == ["expired", "choice"]


def test_a_place_nobody_serves_is_told_where_people_stay_local() -> None:
    members = make.member(1, regions=("CN/CN-GD",), expires_at=NOW), make.member(2, regions=("CN/CN-SC",))
    assert told(facts(*members, region_policy=RegionPolicy.STRICT)) == ["expired", "region"]
    assert told(facts(*members)) == ["expired"]


def test_a_wider_place_serves_a_narrower_one() -> None:
    members = make.member(1, regions=("CN/CN-GD/440100",), expires_at=NOW), make.member(2, regions=("CN/CN-GD",))
    assert told(facts(*members, region_policy=RegionPolicy.STRICT)) == ["expired"]


@pytest.mark.parametrize(("away", "level"), [(True, Level.URGENT), (False, Level.WARNING)])
def test_an_overflow_is_worse_without_a_fallback(away: bool, level: Level) -> None:
    found = causes(facts(make.member(1), overflowed_at=NOW - hours(1), turned_away=away), Thresholds(), NOW)
    assert [(cause.kind, cause.level) for cause in found] == [("overflow", level)]


def test_who_heard_of_the_fallback_hears_when_people_are_shown_nothing() -> None:
    def now(away: bool, *known: str) -> list[str]:
        found = facts(make.member(1), overflowed_at=NOW - hours(1), turned_away=away)
        return [cause.key for cause in causes(found, Thresholds(), NOW, known)]

    (fallback,) = now(False)
    (nothing,) = now(True, fallback)
    assert nothing != fallback
    # It is the same trouble for as long as people find no room, whatever those of the last hours were shown.
    assert now(False, nothing) == [nothing]


@pytest.mark.parametrize(
    ("kind", "numbers", "expected"),
    [
        ("expired", {}, True),
        ("expiring", {"hours": 12}, True),
        ("expiring", {"hours": 48}, False),
        ("filling", {"percent": 95}, False),
    ],
)
def test_silence_is_escalated_before_a_code_dies_at_its_last_warning(
    kind: str, numbers: dict[str, int], expected: bool
) -> None:
    assert is_escalated(kind, numbers, Thresholds()) is expected


def test_without_warnings_there_is_no_last_one() -> None:
    assert not is_escalated("expiring", {"hours": 12}, Thresholds(expiring_hours=()))


def test_an_overflow_is_over_some_hours_after_the_last() -> None:
    assert told(facts(make.member(1), overflowed_at=NOW - hours(6))) == []


def test_a_suspect_is_told_by_its_own_moment() -> None:
    found = causes(facts(make.member(1, suspect_at=NOW - hours(1))), Thresholds(), NOW)
    assert [cause.kind for cause in found] == ["suspect"]
    assert str(int((NOW - hours(1)).timestamp())) in found[0].key


def test_a_doubtful_number_is_only_noted() -> None:
    found = causes(facts(make.member(1), wants_headcount=[1]), Thresholds(), NOW)
    assert [(cause.kind, cause.level) for cause in found] == [("headcount", Level.NOTE)]


def outlook(empty_in: float | None) -> Outlook:
    return Outlook({}, NOW + hours(empty_in) if empty_in is not None else None, Learnt(0.62, "headcounts"), 90.4)


# NOW is Monday noon; Tuesday's work begins 21 hours later.
@pytest.mark.parametrize(("empty_in", "is_told"), [(9, True), (22.9, True), (23, False), (None, False)])
def test_a_forecast_is_told_if_it_will_not_wait_for_tomorrow(empty_in: float | None, is_told: bool) -> None:
    assert told(facts(make.member(1), outlook=outlook(empty_in))) == ["forecast"] * is_told


def test_a_forecast_says_what_it_stands_on() -> None:
    cause = causes(facts(make.member(1), outlook=outlook(9)), Thresholds(), NOW)[0]
    assert cause.numbers == {
        "empty_at": int((NOW + hours(9)).timestamp()),
        "signal": "headcounts",
        "share": 62,
        "per_day": 90,
        "doubt": "",
    }


@pytest.mark.parametrize(("latest", "said"), [(hours(13), int((NOW + hours(13)).timestamp())), (None, 0)])
def test_a_forecast_says_between_which_moments_it_lies(latest: timedelta | None, said: int) -> None:
    wide = replace(outlook(9), empty_between=(NOW + hours(6), NOW + latest if latest else None))
    numbers = causes(facts(make.member(1), outlook=wide), Thresholds(), NOW)[0].numbers
    assert (numbers["earliest"], numbers["latest"]) == (int((NOW + hours(6)).timestamp()), said)


def test_forecasts_are_for_working_hours() -> None:
    found = facts(make.member(1), outlook=outlook(9))
    assert told(found, NOW + hours(6)) == [], "six in the evening"
    assert told(found, work_days=frozenset({2, 3})) == [], "a Monday"
    assert told(found, tells_forecast=False) == []


def test_the_next_working_day_may_be_after_the_weekend() -> None:
    weekdays = Thresholds(work_days=frozenset({1, 2, 3, 4, 5}))
    friday = NOW + timedelta(days=4)
    assert next_work_begins(friday, weekdays, ZONE) == NOW + timedelta(days=7) - hours(3)
    assert next_work_begins(NOW, Thresholds(work_days=frozenset()), ZONE) == NOW + hours(24)


def test_of_what_begins_together_the_worst_speaks() -> None:
    found = causes(facts(make.member(1, capacity=100, expires_at=NOW + hours(5)), taken={1: 96}), Thresholds(), NOW)
    spoken, silent = only_the_last(found, {})
    assert [_short(cause) for cause in spoken] == ["expiring12", "filling95"]
    assert [_short(cause) for cause in silent] == ["expiring48", "filling80"]


def test_what_is_worse_and_known_already_keeps_the_lesser_silent() -> None:
    found = causes(facts(make.member(1, expires_at=NOW + hours(30))), Thresholds(), NOW)
    assert only_the_last(found, {"date:1": -12}) == ([], found)
    assert only_the_last(found, {"date:2": -12}) == (found, [])


def test_a_cause_without_a_family_speaks_for_itself() -> None:
    alone = Cause("overflow:1", "overflow", Level.URGENT, 1)
    found = causes(facts(make.member(1, expires_at=NOW + hours(30))), Thresholds(), NOW)
    assert alone.family is None
    assert only_the_last([alone, *found], {"date:1": -12}) == ([alone], found)


@pytest.mark.parametrize(
    ("begin", "end", "expected"),
    [(22, 8, False), (11, 13, True), (12, 13, True), (11, 12, False), (23, 13, True), (12, 12, False)],
)
def test_quiet_hours_may_lie_across_midnight(begin: int, end: int, expected: bool) -> None:
    assert is_quiet(NOW, begin * 60, end * 60, ZONE) is expected


def test_without_quiet_hours_it_is_never_quiet() -> None:
    assert not is_quiet(NOW, None, 60, ZONE)
    assert not is_quiet(NOW, 60, None, ZONE)


def test_a_warning_waits_for_the_morning_and_what_is_urgent_does_not() -> None:
    night = NOW + hours(11)  # 23:00
    assert send_at(night, Level.WARNING, 22 * 60, 8 * 60, ZONE) == NOW + hours(20)
    assert send_at(night + hours(4), Level.WARNING, 22 * 60, 8 * 60, ZONE) == NOW + hours(20)
    assert send_at(night, Level.URGENT, 22 * 60, 8 * 60, ZONE) == night
    assert send_at(NOW, Level.WARNING, 22 * 60, 8 * 60, ZONE) == NOW
    assert send_at(night, Level.WARNING, None, None, ZONE) == night


def test_a_digest_is_due_from_its_minute_on_for_some_hours() -> None:
    assert digest_due(NOW, 12 * 60, ZONE) == "2026-11-02"
    assert digest_due(NOW, 12 * 60 + 1, ZONE) is None
    assert digest_due(NOW, 6 * 60 + 1, ZONE) == "2026-11-02"
    assert digest_due(NOW, 6 * 60, ZONE) is None
    assert digest_due(NOW, None, ZONE) is None


def test_pauses_grow_until_nobody_tries_again() -> None:
    pauses = [try_again_at(NOW, failures) for failures in range(1, 7)]
    assert pauses[:5] == [NOW + hours(h) for h in (1 / 60, 5 / 60, 0.5, 2, 6)]
    assert pauses[5] is None

"""Who fits a tag rule, why, and when that changes by itself."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.rules.tagging import (
    AT_LEAST,
    AT_MOST,
    FACTS,
    IS,
    IS_NOT,
    LARGEST_NUMBER,
    Condition,
    Deed,
    History,
    judge,
    longest_window,
    problem_of,
)
from tests.make import NOW

DAY = timedelta(days=1)
THREE_SCANS_A_WEEK = Condition("scans", AT_LEAST, 3, days=7)
NO_PRESS = Condition("presses", AT_MOST, 0)


def ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


def history(*scans: float, **more: Any) -> History:
    """Somebody who scanned so many days ago each time."""
    times = sorted(map(ago, scans)) or [NOW]
    deeds = tuple(Deed("scan", at) for at in times)
    return History(**({"first_at": times[0], "last_at": times[-1], "deeds": deeds} | more))


def test_three_scans_in_a_week_without_a_press_hesitate() -> None:
    verdict = judge([THREE_SCANS_A_WEEK, NO_PRESS], history(1, 2, 3), NOW)
    assert verdict.holds
    assert [(reason.condition.fact, reason.found) for reason in verdict.reasons] == [("scans", 3), ("presses", 0)]
    assert verdict.turns_at == ago(3) + 7 * DAY


def test_one_press_ends_it_and_says_so() -> None:
    verdict = judge([THREE_SCANS_A_WEEK, NO_PRESS], history(1, 2, 3, ever={"presses": 1}), NOW)
    assert not verdict.holds
    assert [reason.holds for reason in verdict.reasons] == [True, False]


def test_nobody_fits_a_rule_without_conditions() -> None:
    assert not judge([], history(1), NOW).holds


def test_a_scan_leaves_the_window_exactly_when_it_is_as_old_as_that() -> None:
    assert judge([THREE_SCANS_A_WEEK], history(0, 1, 6.999), NOW).holds
    assert not judge([THREE_SCANS_A_WEEK], history(0, 1, 7), NOW).holds


def test_what_lies_ahead_of_the_clock_is_not_counted_yet() -> None:
    assert not judge([Condition("scans", AT_LEAST, 1, days=7)], history(-1), NOW).holds


@pytest.mark.parametrize(
    ("comparison", "number", "holds", "turns"),
    [(AT_LEAST, 30, False, 1), (AT_LEAST, 29, True, None), (AT_MOST, 29, True, 1), (AT_MOST, 28, False, None)],
)
def test_silence_grows_by_itself(comparison: str, number: int, holds: bool, turns: int | None) -> None:
    verdict = judge([Condition("silent_days", comparison, number)], history(29, 60), NOW)
    assert verdict.holds == holds
    assert verdict.turns_at == (None if turns is None else NOW + turns * DAY)
    assert verdict.reasons[0].found == 29


def test_known_days_count_from_the_first_time() -> None:
    assert judge([Condition("known_days", AT_LEAST, 60)], history(29, 60), NOW).holds


def test_at_most_comes_true_when_enough_has_grown_old() -> None:
    verdict = judge([Condition("scans", AT_MOST, 1, days=7)], history(1, 2, 3), NOW)
    assert not verdict.holds
    assert verdict.turns_at == ago(2) + 7 * DAY


def test_a_window_that_time_cannot_change_turns_never() -> None:
    assert judge([Condition("scans", AT_MOST, 5, days=7)], history(1, 2), NOW).turns_at is None


def test_nights_are_counted_by_the_local_hour() -> None:
    deeds = (Deed("scan", ago(1), hour=23), Deed("scan", ago(2), hour=21), Deed("press", ago(1), hour=23))
    verdict = judge([Condition("night_scans", AT_LEAST, 1)], history(deeds=deeds), NOW)
    assert (verdict.holds, verdict.reasons[0].found) == (True, 1)


def test_amounts_are_added_and_orders_counted() -> None:
    orders = (Deed("order", ago(1), amount=5000), Deed("order", ago(2), amount=4900))
    spent, bought = Condition("amount", AT_LEAST, 9900, days=30), Condition("orders", AT_LEAST, 2, days=30)
    assert judge([spent, bought], history(deeds=orders), NOW).holds
    assert judge([Condition("amount", AT_LEAST, 9900)], history(ever={"amount": 9900}), NOW).holds


@pytest.mark.parametrize(
    ("fact", "word", "fits"),
    [
        ("region", "CN/CN-GD", True),
        ("region", "CN/CN-G", False),
        ("device", "ios", True),
        ("device", "io", False),
        ("product", "面膜", True),
        ("product", "KID", True),
        ("tag", "母婴", False),
    ],
)
def test_words(fact: str, word: str, fits: bool) -> None:
    words = {
        "region": frozenset({"CN/CN-GD/440100"}),
        "device": frozenset({"ios"}),
        "product": frozenset({"补水面膜 5 片", "Kids set"}),
    }
    found = judge([Condition(fact, IS, word=word)], history(words=words), NOW)
    assert found.holds == fits
    assert judge([Condition(fact, IS_NOT, word=word)], history(words=words), NOW).holds != fits
    assert found.reasons[0].words == tuple(sorted(words.get(fact, ())))


@pytest.mark.parametrize(
    ("conditions", "problem"),
    [
        ([], "none"),
        ([NO_PRESS] * 7, "too_many"),
        ([Condition("luck", AT_LEAST, 1)], "unknown_fact"),
        ([Condition("scans", IS, 1)], "comparison"),
        ([Condition("region", AT_LEAST, 1)], "comparison"),
        ([Condition("scans", AT_LEAST, -1)], "number"),
        ([Condition("scans", AT_LEAST, LARGEST_NUMBER + 1)], "number"),
        ([Condition("region", IS)], "word"),
        ([Condition("scans", AT_LEAST, 1, days=0)], "days"),
        ([Condition("scans", AT_LEAST, 1, days=91)], "days"),
        ([Condition("silent_days", AT_LEAST, 1, days=7)], "days"),
        ([THREE_SCANS_A_WEEK, NO_PRESS], None),
        ([Condition(key, FACTS[key].comparisons[0], 1, "x") for key in list(FACTS)[:6]], None),
    ],
)
def test_what_cannot_be_a_rule(conditions: list[Condition], problem: str | None) -> None:
    assert problem_of(conditions) == problem


def test_how_far_back_single_deeds_are_needed() -> None:
    assert longest_window([NO_PRESS]) is None
    assert longest_window([NO_PRESS, THREE_SCANS_A_WEEK]) == 7
    assert longest_window([THREE_SCANS_A_WEEK, Condition("night_scans", AT_LEAST, 1)]) == 90


_scans = st.lists(st.integers(0, 40 * 24).map(lambda hours: hours / 24), max_size=12)
_comparisons = st.sampled_from([AT_LEAST, AT_MOST])
_windows = st.builds(Condition, st.just("scans"), _comparisons, st.integers(0, 6), days=st.integers(1, 30))
_ages = st.builds(Condition, st.sampled_from(["silent_days", "known_days"]), _comparisons, st.integers(0, 40))


@given(_scans, st.lists(_windows | _ages, min_size=1, max_size=4), st.integers(0, 60 * 24))
def test_a_verdict_stands_until_it_says_it_may_turn(
    scans: list[float], conditions: list[Condition], later: int
) -> None:
    """What the chore relies on: nobody has to be asked again before then."""
    found = history(*scans)
    verdict = judge(conditions, found, NOW)
    then = NOW + timedelta(hours=later)
    if verdict.turns_at is None or then < verdict.turns_at:
        assert judge(conditions, found, then).holds == verdict.holds
    else:
        assert verdict.turns_at > NOW

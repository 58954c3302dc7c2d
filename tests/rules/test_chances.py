"""What is said of a moment that chance decides."""

import math
from itertools import accumulate

import pytest

from app.rules.chances import CASES, MIDDLE, WITHIN, Clock, Coming, coming, guess

EVEN = Clock(range(101), [1.0] * 100)


def sums(stream: Coming, case: float) -> float:
    return sum(stream.people(case))


def test_in_the_middle_case_as_many_come_as_are_expected() -> None:
    # The median of people, a little below their mean.
    assert sums(coming([4.0] * 24, [0] * 24), 0.0) == pytest.approx(96, rel=0.015)


def test_who_comes_by_chance_alone_strays_by_a_little_more_than_a_root() -> None:
    stream = coming([4.0] * 25, [0] * 25)
    # Poisson 10, the day's mood 10, the level 10: of a hundred people 17 more or less.
    assert (sums(stream, 1.0) - sums(stream, -1.0)) / 2 == pytest.approx(math.sqrt(300), rel=0.05)


def test_moods_of_several_days_even_out() -> None:
    one_day, four_days = coming([25.0] * 4, [1] * 4), coming([25.0] * 4, [1, 2, 3, 4])
    assert four_days.variance[-1] < one_day.variance[-1]
    assert four_days.expected == one_day.expected


def test_nobody_is_ever_taken_back() -> None:
    stream = coming([0.0, 0.1, 5.0, 0.0, 3.0], [1, 1, 2, 2, 3])
    for case in CASES:
        assert min(stream.people(case)) >= 0
    assert list(map(round, accumulate(stream.people(-3.0)))) == sorted(map(round, accumulate(stream.people(-3.0))))


def test_what_is_certain_is_said_as_it_is() -> None:
    found = guess([5.0] * len(CASES), EVEN)
    assert found is not None
    assert (found.hours, found.earliest, found.latest) == (5.0, 5.0, 5.0)


def test_now_is_now() -> None:
    found = guess([0.0] * len(CASES), EVEN)
    assert found is not None and (found.hours, found.latest) == (0.0, 0.0)


def test_what_is_not_expected_is_not_said() -> None:
    assert guess([None] * (MIDDLE + 1) + [90.0] * (len(CASES) - MIDDLE - 1), EVEN) is None


def test_what_may_not_happen_at_all_has_no_end() -> None:
    found = guess([None] * MIDDLE + [90.0] * (len(CASES) - MIDDLE), EVEN)
    assert found is not None and found.latest is None
    assert found.earliest == pytest.approx(90)


def test_between_this_evening_and_tomorrow_it_says_what_is_within_a_fifth_of_most() -> None:
    evening, noon = [30.0] * (len(CASES) - MIDDLE), [43.0] * MIDDLE
    found = guess([*noon, *evening], Clock([0, 30, 43, 100], [50.0, 0.0, 50.0]))
    assert found is not None
    assert 43 * (1 - WITHIN) - 1e-9 <= found.hours <= 30 * (1 + WITHIN)
    assert (round(found.earliest), round(found.latest or 0)) == (30, 43)


def test_nights_are_no_likely_moment() -> None:
    clock = Clock([0, 10, 20, 30], [50.0, 0.0, 50.0])
    assert clock.between(9.0, 21.0, 0.25) == pytest.approx(9.5, abs=0.01)
    assert clock.between(9.0, 21.0, 0.75) == pytest.approx(20.5, abs=0.01)
    assert (clock.between(9.0, 21.0, 0.0), clock.between(9.0, 21.0, 1.0)) == (9.0, 21.0)

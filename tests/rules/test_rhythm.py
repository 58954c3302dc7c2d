"""How many people come: hours of a day, level and slope, weekends, steps, and when no number is worth anything."""

from datetime import datetime, timedelta

import pytest

from app.rules.rhythm import Rhythm, doubt, floor
from tests.make import NOW, ZONE

HOUR = timedelta(hours=1)


def record(days: int, people: object, *, until: datetime = NOW) -> dict[datetime, float]:
    """`people(age in days, local time)` an hour."""
    hours = {}
    for back in range(days * 24, 0, -1):
        at = until - back * HOUR
        hours[at] = float(people(back / 24, at.astimezone(ZONE)))  # type: ignore[operator]
    return hours


def rhythm(hours: dict[datetime, float], now: datetime = NOW) -> Rhythm:
    return Rhythm(hours, min(hours), now, ZONE)


def day(found: Rhythm, ahead: int = 0) -> float:
    return sum(found.at(NOW + (24 * ahead + hour) * HOUR) for hour in range(24))


def test_as_many_come_as_came() -> None:
    assert day(rhythm(record(10, lambda age, local: 5))) == pytest.approx(120, rel=0.03)


def test_hours_are_learnt() -> None:
    found = rhythm(record(10, lambda age, local: 10 if local.hour == 9 else 1))
    at_nine = next(found.at(NOW + n * HOUR) for n in range(24) if (NOW + n * HOUR).astimezone(ZONE).hour == 9)
    assert at_nine > 5 * found.at(NOW)


def test_a_trend_goes_on_for_some_days_and_not_for_ever() -> None:
    found = rhythm(record(12, lambda age, local: 5 * 0.88 ** (12 - age)))
    assert day(found, 1) < 0.93 * day(found, 0)
    assert day(found, 6) == pytest.approx(day(found, 13), rel=0.2)


def test_weekends_are_days_of_their_own() -> None:
    found = rhythm(record(14, lambda age, local: 15 if local.isoweekday() > 5 else 5))
    assert day(found, 5) > 2 * day(found, 1), "NOW is a Monday"


def test_a_step_is_believed_after_a_day_or_two() -> None:
    found = rhythm(record(10, lambda age, local: 20 if age <= 2 else 5))
    assert day(found, 1) == pytest.approx(480, rel=0.15)


def test_one_odd_day_is_no_new_level() -> None:
    found = rhythm(record(10, lambda age, local: 60 if 3 < age <= 4 else 5))
    assert day(found, 1) == pytest.approx(120, rel=0.2)


def test_without_anybody_nobody_comes() -> None:
    assert day(Rhythm({}, NOW - 48 * HOUR, NOW, ZONE)) < 2


def test_the_first_minutes_say_little_and_harm_nothing() -> None:
    found = Rhythm({floor(NOW): 3.0}, NOW, NOW + timedelta(minutes=10), ZONE)
    assert 0 < found.at(NOW) < 100


def doubted(hours: dict[datetime, float]) -> str:
    return doubt(hours, min(hours), NOW, ZONE)


def test_a_handful_of_people_makes_no_rate() -> None:
    assert doubted(record(10, lambda age, local: 0.2)) == "few"


def test_a_wave_is_more_than_any_day_before_let_expect() -> None:
    assert doubted(record(10, lambda age, local: 5)) == ""
    assert doubted(record(10, lambda age, local: 40 if age <= 0.25 else 5)) == "wave"


def test_in_its_first_day_a_poster_has_no_waves() -> None:
    assert doubted(record(1, lambda age, local: 40 if age <= 0.25 else 5)) == ""

"""Windows and dates: when a member is open, and when that changes."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from app.rules.opening import is_open, next_change, opens_at
from tests import make

# make.NOW is Monday noon in Shanghai.
MONDAY_NINE = datetime(2026, 11, 2, 1, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("start", "end", "days", "expected"),
    [
        ("09:00", "18:00", (1,), True),
        ("12:00", "12:01", (1,), True),
        ("09:00", "12:00", (1,), False),
        ("09:00", "18:00", (2, 3), False),
        ("00:00", "24:00", (1,), True),
    ],
)
def test_window_is_open_from_its_first_minute_up_to_its_last(
    start: str, end: str, days: tuple[int, ...], expected: bool
) -> None:
    assert is_open((make.window(days, start, end),), make.NOW, make.ZONE) is expected


def test_without_windows_always_open() -> None:
    assert is_open((), make.NOW, make.ZONE)


def test_next_opening_is_the_next_edge_in_local_time() -> None:
    member = make.member(windows=(make.window((1, 3), "09:00", "11:00"),))
    assert opens_at(member, make.NOW, make.ZONE) == MONDAY_NINE + timedelta(days=2)


def test_opening_a_week_away_is_found() -> None:
    member = make.member(windows=(make.window((1,), "09:00", "11:00"),))
    assert opens_at(member, make.NOW, make.ZONE) == MONDAY_NINE + timedelta(days=7)


def test_member_that_expires_before_it_opens_never_opens() -> None:
    window = make.window((3,), "09:00", "11:00")
    member = make.member(windows=(window,), expires_at=make.NOW + timedelta(days=1))
    assert opens_at(member, make.NOW, make.ZONE) is None
    assert opens_at(make.member(), make.NOW, make.ZONE) is None


def test_member_not_yet_valid_opens_on_its_first_day_inside_its_window() -> None:
    start = make.NOW + timedelta(days=1)
    assert opens_at(make.member(valid_from=start), make.NOW, make.ZONE) == start
    closed_then = make.member(valid_from=start, windows=(make.window((3,), "09:00", "10:00"),))
    assert opens_at(closed_then, make.NOW, make.ZONE) == MONDAY_NINE + timedelta(days=2)


def test_windows_keep_wall_clock_time_over_a_change_of_daylight_saving() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    before = datetime(2026, 10, 24, 12, 0, tzinfo=UTC)
    member = make.member(windows=(make.window((7,), "09:00", "10:00"),))
    assert opens_at(member, before, berlin) == datetime(2026, 10, 25, 8, 0, tzinfo=UTC)


def test_next_change_is_the_earliest_of_all_dates_and_edges() -> None:
    later = make.NOW + timedelta(days=1)
    expiring = make.member(1, expires_at=make.NOW + timedelta(hours=9))
    open_now = make.member(2, windows=(make.window((1,), "09:00", "18:00"),))
    starting = make.member(3, valid_from=make.NOW + timedelta(hours=7))
    code = make.snapshot((expiring, open_now, starting), starts_at=make.NOW - timedelta(days=1), ends_at=later)
    assert next_change(code, make.NOW) == make.NOW + timedelta(hours=6)
    assert next_change(make.snapshot((expiring, starting), ends_at=later), make.NOW) == make.NOW + timedelta(hours=7)
    assert next_change(make.snapshot(ends_at=later), make.NOW) == later
    assert next_change(make.snapshot((make.member(),)), make.NOW) is None

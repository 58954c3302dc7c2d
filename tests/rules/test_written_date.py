"""The date on a group code's picture, as readers of texts hand it in."""

from datetime import UTC, date, datetime

import pytest

from app.rules.written_date import day_in, good_until
from tests.make import ZONE

TODAY = date(2026, 5, 4)


@pytest.mark.parametrize(
    "line",
    [
        "该二维码7天内(5月10日前)有效，重新进入将更新",
        "该二维码7天内（5月10日前）有效，重新进入将更新",
        "该二维码 7天内 (5月 10日前) 有效",
        "该二维码7天内(5月lO日前有效",
        "二维码7天内5月10日前有效",
        "该二维码7天内(05月10日前)有效",
        "该二维码7天内(5月10日)有效",
    ],
)
def test_the_line_is_read_however_it_was_seen(line: str) -> None:
    assert day_in([line], TODAY) == date(2026, 5, 10)


def test_it_may_be_broken_over_two_lines() -> None:
    assert day_in(["该二维码7天内(5月", "10日前)有效"], TODAY) == date(2026, 5, 10)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "该二维码7天内有效",
        "5月10日读书会",
        "扫一扫上面的二维码图案，加我为朋友。",
        "5月42日前有效",
        "13月1日前有效",
        "15月10日前",
    ],
)
def test_other_lines_say_nothing(line: str) -> None:
    assert day_in([line], TODAY) is None


@pytest.mark.parametrize(("line", "day"), [("5月3日前", None), ("5月4日前", 4), ("5月11日前", 11), ("5月12日前", None)])
def test_only_the_coming_week_is_believed(line: str, day: int | None) -> None:
    assert day_in([line + "有效"], TODAY) == (date(2026, 5, day) if day else None)


def test_the_turn_of_the_year_lies_in_between() -> None:
    assert day_in(["1月2日前有效"], date(2026, 12, 28)) == date(2027, 1, 2)
    assert day_in(["12月31日前有效"], date(2026, 12, 28)) == date(2026, 12, 31)


def test_a_day_that_is_none_this_year_is_no_date() -> None:
    assert day_in(["2月29日前有效"], date(2026, 2, 26)) is None
    assert day_in(["2月29日前有效"], date(2028, 2, 26)) == date(2028, 2, 29)


def test_a_code_made_today_ends_in_seven_days_less_two_hours() -> None:
    now = datetime(2026, 5, 4, 12, tzinfo=UTC)
    assert good_until(date(2026, 5, 11), now, ZONE) == datetime(2026, 5, 11, 10, tzinfo=UTC)


def test_an_older_code_may_end_in_the_morning_of_its_day() -> None:
    now = datetime(2026, 5, 4, 12, tzinfo=UTC)
    assert good_until(date(2026, 5, 10), now, ZONE) == datetime(2026, 5, 10, 8, tzinfo=ZONE)
    assert good_until(date(2026, 5, 4), now, ZONE) is None, "eight in the morning is over"

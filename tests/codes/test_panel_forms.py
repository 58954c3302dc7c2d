"""What the panel's forms send, as values: chips into moments, rows into windows."""

from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from werkzeug.datastructures import MultiDict

from app.codes import forms, panel_forms
from app.codes.panel_forms import Chip, expiry_chips, expiry_of_form
from app.rules.kinds import KINDS

ZONE = ZoneInfo("Asia/Shanghai")
NOON = datetime(2026, 11, 2, 12, 0, tzinfo=ZONE)


def form(*pairs: tuple[str, str]) -> MultiDict[str, str]:
    return MultiDict(pairs)


def test_chips_are_the_next_eight_days_and_mark_the_guess() -> None:
    hours = KINDS["wechat_group"].lifetime_hours
    assert hours is not None
    chips = expiry_chips(NOON, ZONE, NOON + timedelta(hours=hours))
    assert [chip.day for chip in chips] == [date(2026, 11, day) for day in range(2, 10)]
    assert [chip.value for chip in chips if chip.is_guess] == ["guess"]
    assert chips[-1] == Chip("guess", date(2026, 11, 9), True)


@pytest.mark.parametrize("hour", [0, 1, 8, 23])
def test_guess_is_the_day_the_code_says_at_any_hour(hour: int) -> None:
    at = NOON.replace(hour=hour, minute=30)
    chips = expiry_chips(at, ZONE, at + timedelta(hours=166))
    assert chips[-1].is_guess and chips[-1].day == date(2026, 11, 9)


def test_guess_farther_away_is_a_chip_without_a_day() -> None:
    chips = expiry_chips(NOON, ZONE, NOON + timedelta(days=30))
    assert chips[0] == Chip("guess", None, True) and len(chips) == 9
    assert expiry_chips(NOON, ZONE)[0] == Chip("guess", None, True)


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ({"expiry": "guess"}, {}),
        ({}, {}),
        ({"expiry": "never"}, {"expires_at": None}),
        ({"expiry": "2026-11-05"}, {"expires_at": "2026-11-05T08:00:00+08:00"}),
        ({"expiry": "2026-11-02"}, {"expires_at": "2026-11-02T13:00:00+08:00"}),
        ({"expiry": "2026-13-45"}, {}),
        ({"expiry": "other", "expires_at": "2026-11-05T18:30"}, {"expires_at": "2026-11-05T18:30:00+08:00"}),
        ({"expiry": "other", "expires_at": ""}, {"expires_at": None}),
        ({"expiry": "other", "expires_at": "soon"}, {"expires_at": "soon"}),
    ],
)
def test_expiry_of_a_form(sent: dict[str, str], expected: dict[str, Any]) -> None:
    assert expiry_of_form(sent, NOON, ZONE) == expected


def test_expiry_of_one_of_several_rows() -> None:
    assert expiry_of_form({"m7-expiry": "never", "m8-expiry": "guess"}, NOON, ZONE, "m7-") == {"expires_at": None}


def test_windows_are_read_row_by_row_and_empty_rows_left_out() -> None:
    sent = form(
        ("window-3-days", "6"), ("window-3-days", "7"), ("window-3-from", "10:00"), ("window-3-to", "00:00"),
        ("window-0-days", "1"), ("window-0-from", "09:00"), ("window-0-to", "18:00"),
        ("window-1-from", ""), ("window-1-to", ""), ("window-x-from", "09:00"),
    )  # fmt: skip
    assert panel_forms.windows_of_form(sent) == [
        {"days": [1], "from": "09:00", "to": "18:00"},
        {"days": [6, 7], "from": "10:00", "to": "24:00"},
    ]


def test_half_a_row_is_kept_to_be_refused() -> None:
    sent = form(("window-0-days", "1"), ("window-0-days", "x"))
    windows = panel_forms.windows_of_form(sent)
    assert windows == [{"days": [1], "from": "", "to": ""}]
    _, errors = panel_forms.load(forms.MemberPatch(partial=True), {"windows": windows})
    assert set(errors) == {"windows"} and errors["windows"]


def test_regions_of_a_part_of_the_country_are_its_provinces() -> None:
    sent = form(("regions", "group:港澳台"), ("regions", "HK"), ("regions", "CN/CN-BJ"), ("regions", "group:nowhere"))
    assert panel_forms.regions_of_form(sent) == ["HK", "MO", "TW", "CN/CN-BJ", "group:nowhere"]


def test_moment_drawn_without_seconds_is_recognised_as_untouched() -> None:
    stored = NOON.replace(second=42)
    shown = panel_forms.local_input(stored, ZONE)
    assert shown == "2026-11-02T12:00"
    assert panel_forms.unchanged(shown, stored, ZONE) and panel_forms.unchanged("", None, ZONE)
    assert not panel_forms.unchanged("2026-11-02T12:01", stored, ZONE)


def test_only_known_inputs_are_read_and_empty_ones_take_values_away() -> None:
    sent = form(("label", ""), ("capacity", ""), ("weight", "3"), ("csrf_token", "x"), ("regions", "HK"))
    raw = panel_forms.read(forms.MemberPatch(), sent, zone=ZONE, more={"regions": []})
    assert raw == {"label": "", "capacity": None, "weight": 3, "regions": []}

"""What may be written into a live code, a choice, a member, a swap, and what is said about what may not."""

from datetime import UTC, datetime, timedelta
from typing import Any

import marshmallow as ma
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.codes import forms
from tests import make


def loaded(schema: type[ma.Schema], partial: bool = False, **values: Any) -> dict[str, Any]:
    result: dict[str, Any] = schema(partial=partial).load(values)
    return result


def wrong(schema: type[ma.Schema], partial: bool = False, **values: Any) -> set[str]:
    return set(schema(partial=partial).validate(values))


def test_live_code_needs_a_name_and_nothing_else() -> None:
    assert loaded(forms.LiveCodeForm, name="spring") == {"name": "spring"}
    assert wrong(forms.LiveCodeForm) == {"name"}
    assert wrong(forms.LiveCodeForm, name=" ") == {"name"}


def test_every_wrong_input_is_named_at_once() -> None:
    given = {
        "name": "x" * 10_000,
        "mode": "best",
        "kind": 5,
        "unpressed_seat_hours": -1,
        "state": "archived",
        "nmae": "x",
    }
    assert wrong(forms.LiveCodeForm, **given) == set(given)


def test_contact_is_flat_in_the_table_and_its_address_a_web_one() -> None:
    contact = {"text": "ring us", "phone": "400", "url": "https://example.com/x"}
    values = loaded(forms.LiveCodeForm, name="x", contact=contact)
    assert values == {"name": "x", **{f"contact_{name}": value for name, value in contact.items()}}
    for url in ("javascript:alert(1)", "example.com", "https://", "https://a b", 'https://a"b'):
        assert wrong(forms.LiveCodeForm, name="x", contact={"url": url}) == {"contact"}, url
    assert loaded(forms.LiveCodeForm, name="x", contact={"url": ""})["contact_url"] == ""


def test_end_before_the_start_is_refused() -> None:
    dates = {"starts_at": "2030-01-02T00:00:00Z", "ends_at": "2030-01-01T00:00:00Z"}
    assert wrong(forms.LiveCodeForm, name="x", **dates) == {"ends_at"}
    assert wrong(forms.LiveCodePatch, partial=True, **dates) == {"ends_at"}


def test_patch_holds_only_what_is_named() -> None:
    assert loaded(forms.LiveCodePatch, partial=True, contact={"text": "a"}) == {"contact_text": "a"}
    assert loaded(forms.LiveCodePatch, partial=True) == {}
    assert loaded(forms.LiveCodePatch, partial=True, dedupe_group="", ends_at=None) == {
        "dedupe_group": None,
        "ends_at": None,
    }


def test_markup_and_right_to_left_marks_are_accepted_as_text() -> None:
    values = loaded(forms.LiveCodeForm, name="\u202e反向", title="<b>福利</b>群")
    assert (values["name"], values["title"]) == ("\u202e反向", "<b>福利</b>群")


def test_colour_is_six_digits() -> None:
    assert loaded(forms.LiveCodeForm, name="x", colour="#07c160")["colour"] == "#07C160"
    assert wrong(forms.LiveCodeForm, name="x", colour="red") == {"colour"}
    assert wrong(forms.LiveCodeForm, name="x", colour="#fff;}") == {"colour"}


def test_choice_needs_a_title_and_an_empty_tag_is_none() -> None:
    assert loaded(forms.ChoiceForm, title="skin", tag=" ") == {"title": "skin", "tag": None}
    assert wrong(forms.ChoiceForm, tag="x") == {"title"}
    assert loaded(forms.ChoicePatch, partial=True, mode="random") == {"mode": "random"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("capacity", 0), ("capacity", -1), ("capacity", "many"), ("daily_capacity", 0), ("weight", 0), ("weight", 101),
        ("position", 0), ("headcount", -1), ("regions", ["XX/nowhere"]), ("regions", "CN"), ("regions", [5]),
        ("expires_at", "yesterday"), ("state", "archived"), ("choice_id", 2**40), ("is_fallback", "yes"),
        ("radius_m", 0), ("latitude", 91), ("windows", {}), ("pick", -1), ("label", ["x"]), ("notes", "x" * 1001),
        ("image", "x"),
    ],
)  # fmt: skip
def test_member_value_that_cannot_be_used_is_named(name: str, value: Any) -> None:
    assert name in wrong(forms.MemberForm, **{name: value})


def test_regions_come_out_in_the_catalogues_spelling_once() -> None:
    assert loaded(forms.MemberForm, regions=["440100", "cn-gd", "CN/CN-GD/440100"])["regions"] == [
        "CN/CN-GD/440100",
        "CN/CN-GD",
    ]


def window(*days: int, start: Any = "09:00", end: Any = "18:00") -> dict[str, Any]:
    return {"days": list(days), "from": start, "to": end}


def test_windows_are_kept_as_they_are_sent() -> None:
    windows = [window(5, 1, 1), window(6, start="00:00", end="24:00"), window(1, start="18:00", end="20:30")]
    kept = loaded(forms.MemberForm, windows=windows)["windows"]
    assert kept[0] == {"days": [1, 5], "from": "09:00", "to": "18:00"} and len(kept) == 3


@pytest.mark.parametrize(
    "windows",
    [
        [window(1, start="22:00", end="06:00")],
        [window(1, start="09:00", end="09:00")],
        [window(1), window(1, 2, start="17:59", end="19:00")],
        [window()],
        [window(8)],
        [window(1, start="25:00", end="x")],
        [window(1, start="9:00")],
        [window(1, start=900)],
        [{"days": [1]}],
        ["09:00"],
        [window(1)] * 51,
    ],
)  # fmt: skip
def test_windows_reversed_overlapping_or_senseless_are_refused(windows: Any) -> None:
    assert wrong(forms.MemberForm, windows=windows) == {"windows"}


def test_window_across_midnight_is_told_to_be_two() -> None:
    messages = forms.MemberForm().validate({"windows": [window(1, start="22:00", end="06:00")]})
    assert "two" in str(messages["windows"][0]["to"][0])


@given(st.lists(st.tuples(st.integers(0, 23), st.integers(1, 24)), min_size=2, max_size=4))
def test_windows_of_one_day_are_taken_just_when_no_minute_is_in_two(spans: list[tuple[int, int]]) -> None:
    spans = [(start, end) for start, end in spans if start < end]
    hours = [hour for start, end in spans for hour in range(start, end)]
    given_windows = [window(1, start=f"{start:02}:00", end=f"{end:02}:00") for start, end in spans]
    assert wrong(forms.MemberForm, windows=given_windows) == (set() if len(hours) == len(set(hours)) else {"windows"})


def test_position_is_kept_in_wgs_84() -> None:
    values = loaded(forms.MemberForm, latitude=23.1066, longitude=113.3245, coordinates="gcj02")
    assert values["latitude"] == pytest.approx(23.1093, abs=2e-4)
    assert values["longitude"] == pytest.approx(113.3191, abs=2e-4)
    assert "coordinates" not in values


def test_half_a_position_is_refused_and_none_takes_it_away() -> None:
    assert wrong(forms.MemberForm, latitude=1) == {"latitude"}
    assert wrong(forms.MemberPatch, partial=True, longitude=None) == {"latitude"}
    assert wrong(forms.MemberForm, latitude=0, longitude=0) == {"latitude"}
    assert loaded(forms.MemberPatch, partial=True, latitude=None, longitude=None) == {
        "latitude": None,
        "longitude": None,
    }


def test_expiry_before_the_start_is_refused() -> None:
    dates = {"valid_from": "2030-01-02T00:00:00Z", "expires_at": "2030-01-01T00:00:00Z"}
    assert wrong(forms.MemberForm, **dates) == {"expires_at"}


def test_moment_that_is_over_is_in_the_past() -> None:
    assert forms.in_the_past({"expires_at": make.NOW}, "expires_at", make.NOW)
    assert not forms.in_the_past({"expires_at": make.NOW + timedelta(seconds=1)}, "expires_at", make.NOW)
    assert not forms.in_the_past({"expires_at": None}, "expires_at", make.NOW)
    assert not forms.in_the_past({}, "expires_at", make.NOW)


def test_swap_is_of_the_same_group_unless_said() -> None:
    assert loaded(forms.SwapForm) == {"new_group": False, "allow_duplicate": False}
    assert wrong(forms.SwapForm, new_group="true", headcount=1.5, label="x") == {"new_group", "headcount", "label"}


def test_small_forms_want_their_one_value() -> None:
    assert wrong(forms.RollbackForm) == wrong(forms.RollbackForm, version=0) == {"version"}
    assert wrong(forms.HeadcountForm) == wrong(forms.HeadcountForm, count=-1) == {"count"}
    assert wrong(forms.PinForm) == wrong(forms.PinForm, member_id="1") == {"member_id"}


def test_somebody_to_simulate_may_stand_anywhere_at_any_time() -> None:
    values = loaded(forms.SimulateForm, region="CN-SC", at="2026-11-02T20:00:00+08:00")
    assert values == {"region": "CN/CN-SC", "at": datetime(2026, 11, 2, 12, tzinfo=UTC)}
    assert wrong(forms.SimulateForm, region="XX") == {"region"}

"""The panel's plain words: what will happen, when, and what was changed, in English and Chinese."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask

from app.codes import history_wording, rules_wording, wording
from app.rules.model import ClosedPolicy, Contact, LiveCodeState, MemberState, Mode, RegionPolicy
from tests import make

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture(autouse=True)
def english(app: Flask) -> Iterator[None]:
    with app.test_request_context("/?lang=en"):
        yield


def told(members: Any = (), labels: Any = None, **more: Any) -> str:
    return " ".join(rules_wording.summary(make.snapshot(members, **more), labels or {}, "en", make.NOW))


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"state": LiveCodeState.PAUSED}, "Paused: whoever scans"),
        ({"ends_at": make.NOW}, "Ended on 2026-11-02 12:00"),
        ({"ends_at": make.NOW + make.hours(1)}, "Runs until 2026-11-02 13:00"),
        ({"starts_at": make.NOW + make.hours(1)}, "Starts on 2026-11-02 13:00"),
        ({"mode": Mode.RANDOM}, "dealt out at random"),
        ({"mode": Mode.ROUND_ROBIN}, "dealt out in turns, one each"),
        ({"region_policy": RegionPolicy.NEAREST}, "gets the nearest code"),
        ({"dedupe_group": "spring"}, "across all live codes of “spring”"),
        ({"on_closed_member": ClosedPolicy.REASSIGN}, "they get another one at once"),
        ({"on_closed_member": ClosedPolicy.HOLD}, "they wait for the new one"),
        ({"on_closed_member": ClosedPolicy.FALLBACK}, "they see the fallback code"),
        ({"contact": Contact(phone="1")}, "find your contact"),
        ({}, "nobody to turn to"),
        ({"kind": "grouped"}, "there is no choice yet"),
        (
            {"kind": "grouped", "choices": (make.choice(1, title="north"), make.choice(2, title="south"))},
            "north, south",
        ),
    ],
)
def test_rules_are_told(more: dict[str, Any], words: str) -> None:
    assert words in told(**more)


def test_members_change_what_is_told() -> None:
    open_hours, other = make.member(1, windows=(make.window(),)), make.member(2, regions=("CN/CN-GD",))
    assert "One code has opening times." in told([open_hours, other])
    assert "Outside the opening times" in told([open_hours])
    assert "Visitors from Guangdong get a code for their place first" in told([open_hours, other])
    assert "only get codes for their place" in told([other], region_policy=RegionPolicy.STRICT)
    assert "free again after 48 hours" in told([other])
    assert "free again" not in told([other], unpressed_seat_hours=0)
    assert "free again" not in told([make.member(1, kind="wechat_personal")])
    assert "One reserve steps in" in told([make.member(1, state=MemberState.RESERVE)])
    weights = [make.member(1, weight=3), make.member(2), make.member(3, state=MemberState.DISABLED, weight=9)]
    assert "in turns, 3 : 1." in told(weights, mode=Mode.ROUND_ROBIN)


def test_members_are_called_by_their_label_then_their_name_then_a_number() -> None:
    spare = make.member(7, is_fallback=True, name="Mei")
    assert "shown: desk." in told([spare], {7: "desk"})
    assert "shown: Mei." in told([spare])
    assert "Pinned: every new visitor gets Code 8" in told([make.member(8)], pinned_member_id=8)


def test_many_places_are_shortened() -> None:
    keys = [region for region in ("CN/CN-GD", "CN/CN-SC", "CN/CN-HB", "CN/CN-HN", "CN/CN-YN", "CN/CN-QH", "HK", "US")]
    assert "…" in told([make.member(1, regions=tuple(keys))])


@pytest.mark.parametrize(
    ("window", "text"),
    [
        (make.window(), "daily 09:00–18:00"),
        (make.window((1, 2, 3, 5), "08:30", "24:00"), "Mon–Wed, Fri 08:30–24:00"),
        (make.window((7,)), "Sun 09:00–18:00"),
    ],
)
def test_windows_are_told(window: Any, text: str) -> None:
    assert wording.window_text([window]) == text


@pytest.mark.parametrize(
    ("hours", "text"),
    [
        (0, "today 12:00"),
        (20, "tomorrow 08:00"),
        (-14, "yesterday 22:00"),
        (72, "5 Nov 12:00"),
        (24 * 100, "10 Feb 2027 12:00"),
    ],
)
def test_moments_are_told_from_today(hours: float, text: str) -> None:
    assert wording.when(make.NOW + make.hours(hours), make.NOW, make.ZONE) == text


@pytest.mark.parametrize(
    ("minutes", "text"),
    [
        (60 * 24 * 5 + 1, "5 days left"),
        (60 * 47, "47 hours left"),
        (61, "1 hour left"),
        (59, "59 minutes left"),
        (0, "1 minute left"),
        (-5, "expired just now"),
        (-61, "expired 1 hour ago"),
        (-60 * 50, "expired 2 days ago"),
    ],
)
def test_time_left_is_told(minutes: int, text: str) -> None:
    assert wording.time_left(make.NOW + timedelta(minutes=minutes), make.NOW) == text


def entry(action: str, before: Any = None, after: Any = None) -> Any:
    return SimpleNamespace(at=datetime(2026, 11, 2, tzinfo=UTC), actor="a", action=action, before=before, after=after)


def test_changes_are_told_in_the_words_of_the_forms() -> None:
    before = {
        "mode": "sequential", "regions": [], "is_fallback": False, "capacity": 195, "expires_at": None, "order": [1],
        "target": "https://example.com/" + "x" * 90, "state": "paused",
    }  # fmt: skip
    after = {
        "mode": "random", "regions": ["CN/CN-GD/440100"], "is_fallback": True, "capacity": None, "order": [2],
        "expires_at": "2026-11-03T04:00:00+00:00", "target": "https://example.com/",
        "windows": [{"days": [1, 2], "from": "09:00", "to": "18:00"}], "state": "active",
    }  # fmt: skip
    change = history_wording.past_change(entry("member.changed", before, after), "fair 1", make.ZONE, "en")
    found = {name: (old, new) for name, old, new in change.changes}
    assert change.words == "Code changed" and change.about == "fair 1"
    assert found["Mode"] == ("Fill one after another", "At random by weight")
    assert found["Places"] == ("", "Guangzhou, Guangdong")
    assert found["Fallback code"] == ("no", "yes") and found["At most, in all"] == ("195", "")
    assert found["Valid until"] == ("", "2026-11-03 12:00")
    assert found["Opening times"] == ("", "Mon–Tue 09:00–18:00")
    assert found["State"] == ("Paused", "Switched on")
    assert found["Link"][0].endswith("…") and len(found["Link"][0]) == 61
    assert "order" not in found


def test_new_rows_tell_only_what_is_not_usual() -> None:
    after = {"label": "fair 1", "weight": 1, "state": "active", "is_fallback": False, "capacity": 195}
    change = history_wording.past_change(entry("member.created", None, after), "", make.ZONE, "en")
    assert [name for name, _, _ in change.changes] == ["Name for yourselves", "At most, in all"]


def test_every_word_of_the_rules_has_a_name() -> None:
    assert set(wording.MODES) == set(Mode) and set(wording.REGION_POLICIES) == set(RegionPolicy)
    assert set(wording.CLOSED_POLICIES) == set(ClosedPolicy) and set(wording.MEMBER_STATES) == set(MemberState)


def test_chinese_is_complete_in_the_summary(app: Flask) -> None:
    members = [make.member(1, regions=("CN/CN-GD",), windows=(make.window(),)), make.member(2, is_fallback=True)]
    with app.test_request_context("/?lang=zh"):
        sentences = rules_wording.summary(make.snapshot(members, dedupe_group="春"), {}, "zh", make.NOW)
    assert sentences and not any(letter.isascii() and letter.isalpha() for text in sentences for letter in text)


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("state", "disabled", "已停用"),
        ("is_fallback", False, "否"),
        ("kind", "wechat_group", "微信群"),
        ("regions", ["CN/CN-GD/440100"], "广东 广州"),
        ("expires_at", "2026-11-03T04:00:00+00:00", "2026-11-03 12:00"),
        ("digest_at", 510, None),
        ("state", "waiting", None),
        ("kind", "wecom", None),
        ("regions", [], None),
        ("label", "active", None),
        ("role", "admin", None),
    ],
)
def test_values_of_every_feature_are_told_where_they_are_ours(
    app: Flask, name: str, value: Any, told: str | None
) -> None:
    with app.test_request_context("/?lang=zh"):
        found = history_wording.value_words(name, value, make.ZONE, "zh")
    assert found == told

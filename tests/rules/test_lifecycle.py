"""Stages and classes of buyers: everybody is in exactly one."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.rules.lifecycle import RFM_CLASSES, STAGES, Thresholds, buyer, rfm_of, stage_of, stages
from tests.make import NOW

DEFAULT = Thresholds()


def days(number: float) -> timedelta:
    return timedelta(days=number)


@pytest.mark.parametrize(
    ("ago", "orders", "stage"),
    [
        (0, 0, "new"),
        (29.9, 0, "new"),
        (30, 0, "silent"),
        (1, 1, "first_order"),
        (1, 2, "repeat"),
        (1, 9, "repeat"),
        (30, 9, "silent"),
        (89.9, 1, "silent"),
        (90, 1, "lost"),
        (900, 0, "lost"),
    ],
)
def test_stages(ago: float, orders: int, stage: str) -> None:
    assert stage_of(DEFAULT, NOW, NOW - days(ago), orders) == stage


def test_stages_that_one_enters_by_staying_away_are_silent_and_lost() -> None:
    assert {name for name, bounds in stages(DEFAULT, NOW).items() if bounds.is_over} == {"silent", "lost"}


@given(st.integers(0, 400), st.integers(0, 4), st.integers(1, 99), st.integers(1, 99))
def test_everybody_is_in_exactly_one_stage(ago: int, orders: int, silent: int, more: int) -> None:
    thresholds = Thresholds(silent_days=silent, lost_days=silent + more)
    found = [name for name, one in stages(thresholds, NOW).items() if one.hold(NOW - days(ago), orders)]
    assert len(found) == 1
    assert tuple(stages(thresholds, NOW)) == STAGES


@pytest.mark.parametrize(
    ("ago", "orders", "cents", "code"),
    [(1, 2, 50_000, "111"), (30, 2, 50_000, "011"), (1, 1, 50_000, "101"), (1, 2, 49_999, "110"), (99, 1, 1, "000")],
)
def test_buyers(ago: int, orders: int, cents: int, code: str) -> None:
    assert rfm_of(DEFAULT, NOW, NOW - days(ago), orders, cents) == code
    bounds = buyer(code, DEFAULT, NOW)
    assert (bounds.is_recent, bounds.is_frequent, bounds.is_high) == tuple(digit == "1" for digit in code)
    assert (NOW - days(ago) > bounds.ordered_after) == bounds.is_recent


def test_there_are_eight_classes() -> None:
    assert len(set(RFM_CLASSES)) == 8


@pytest.mark.parametrize(
    ("changes", "is_sound"),
    [({}, True), ({"silent_days": 90}, False), ({"recent_days": 0}, False), ({"high_cents": 0}, False),
     ({"frequent_orders": 0}, False), ({"lost_days": 3651}, False)],
)  # fmt: skip
def test_thresholds_that_make_sense(changes: dict[str, int], is_sound: bool) -> None:
    assert Thresholds(**changes).is_sound == is_sound

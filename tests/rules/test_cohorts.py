"""The arithmetic of docs/cohorts.md, piece by piece."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.rules.cohorts import Cohort, Sheet, add_up, cac, clv, months, per_head, roi, share_of, weeks

SEPTEMBER = Cohort(date(2026, 9, 1), date(2026, 9, 30))


def test_the_sheet_of_the_document() -> None:
    sheet = Sheet(SEPTEMBER, 4, 36_000, add_up([20_000, 0, 14_999, 0, 0, 0]))
    assert sheet.cac == Decimal("90.00")
    assert [str(value) for value in sheet.clvs] == ["50.00", "50.00", "87.50", "87.50", "87.50", "87.50"]
    assert [str(value) for value in sheet.rois] == ["0.56", "0.56", "0.97", "0.97", "0.97", "0.97"]


def test_what_cannot_be_known_is_none_and_not_zero() -> None:
    assert (cac(100, 0), clv(100, 0), roi(100, 100, 0), per_head(100, 0)) == (None, None, None, None)
    assert roi(100, 0, 5) is None
    assert (cac(0, 5), clv(0, 5), roi(0, 100, 5)) == (Decimal(0), Decimal(0), Decimal(0))


def test_more_was_refunded_than_bought() -> None:
    assert (clv(-150, 2), roi(-150, 100, 2)) == (Decimal("-0.75"), Decimal("-1.50"))


def test_roi_is_of_the_unrounded_values() -> None:
    # CAC 0.33, CLV 0.67: of these it would be 2.03.
    assert (cac(100, 3), clv(200, 3), roi(200, 100, 3)) == (Decimal("0.33"), Decimal("0.67"), Decimal("2.00"))


def test_halves_are_rounded_away_from_zero() -> None:
    assert (cac(1, 2), clv(-1, 2)) == (Decimal("0.01"), Decimal("-0.01"))


@pytest.mark.parametrize(
    ("since", "until", "share"),
    [
        (date(2026, 9, 1), date(2026, 9, 30), 6000),
        (date(2026, 10, 1), date(2026, 10, 31), 4000),
        (date(2026, 9, 30), date(2026, 9, 30), 2000),
        (date(2026, 8, 1), date(2026, 8, 31), 0),
        (date(2026, 11, 1), date(2026, 11, 30), 0),
        (date(2026, 1, 1), date(2026, 12, 31), 10000),
    ],
)
def test_a_spend_is_spread_evenly_over_its_days(since: date, until: date, share: int) -> None:
    assert share_of(10000, date(2026, 9, 28), date(2026, 10, 2), since, until) == share


@given(st.integers(0, 10**12), st.integers(1, 400), st.lists(st.integers(1, 60), min_size=1, max_size=20))
def test_however_a_period_is_cut_up_its_parts_add_up(amount: int, length: int, cuts: list[int]) -> None:
    first = date(2026, 1, 1)
    last, parts, since = first + timedelta(days=length - 1), 0, first - timedelta(days=5)
    for cut in [*cuts, 10_000]:
        until = since + timedelta(days=cut - 1)
        parts += share_of(amount, first, last, since, until)
        since = until + timedelta(days=1)
    assert parts == amount


def test_a_cohort_is_over_when_its_last_had_their_time() -> None:
    assert not SEPTEMBER.is_over(7, date(2026, 10, 7))
    assert SEPTEMBER.is_over(7, date(2026, 10, 8))


def test_weeks_begin_on_monday_and_the_current_one_is_the_last() -> None:
    found = weeks(date(2026, 11, 4), 2)
    assert found == [
        Cohort(date(2026, 10, 26), date(2026, 11, 1)),
        Cohort(date(2026, 11, 2), date(2026, 11, 8)),
    ]


def test_months_go_over_the_year_s_end() -> None:
    found = months(date(2026, 1, 31), 3)
    assert found == [
        Cohort(date(2025, 11, 1), date(2025, 11, 30)),
        Cohort(date(2025, 12, 1), date(2025, 12, 31)),
        Cohort(date(2026, 1, 1), date(2026, 1, 31)),
    ]

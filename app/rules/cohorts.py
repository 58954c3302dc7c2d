"""What came back for what was spent: the arithmetic of cohorts, which docs/cohorts.md works through by hand.

Pure and exact: whole hundredths of a currency in, decimals out, rounded once at the end. What cannot be known (nobody
came, nothing was spent) is None, never 0. Where the numbers come from is up to `returns`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal

# Days after a visitor's first scan: the first day, a week, and one, two, three and six months of thirty days.
HORIZONS = (1, 7, 30, 60, 90, 180)
HUNDRED = Decimal(100)
CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Cohort:
    """Whoever scanned first from `first` to `last`, both included, local days."""

    first: date
    last: date

    def is_over(self, horizon: int, today: date) -> bool:
        """Has everybody of the cohort had `horizon` days since their first scan?"""
        return self.last + timedelta(days=horizon) < today


@dataclass(frozen=True, slots=True)
class Sheet:
    """One cohort's row: `spent` (C) and `revenues` (R, one a horizon, each with all before it) in hundredths,
    `newcomers` (M) in people."""

    cohort: Cohort
    newcomers: int
    spent: int
    revenues: tuple[int, ...]

    @property
    def cac(self) -> Decimal | None:
        return cac(self.spent, self.newcomers)

    @property
    def clvs(self) -> tuple[Decimal | None, ...]:
        return tuple(clv(revenue, self.newcomers) for revenue in self.revenues)

    @property
    def rois(self) -> tuple[Decimal | None, ...]:
        return tuple(roi(revenue, self.spent, self.newcomers) for revenue in self.revenues)


def cac(spent: int, newcomers: int) -> Decimal | None:
    """CAC = C / M, what one new visitor cost, in whole units of the currency; None where nobody came."""
    return _rounded(Decimal(spent) / newcomers / HUNDRED) if newcomers else None


def clv(revenue: int, newcomers: int) -> Decimal | None:
    """CLV = R / M, what one of them brought so far; None where nobody came."""
    return _rounded(Decimal(revenue) / newcomers / HUNDRED) if newcomers else None


def roi(revenue: int, spent: int, newcomers: int) -> Decimal | None:
    """ROI = CLV / CAC: how often the money came back. None where nobody came, or where nothing was spent. Of the
    unrounded values, in which M falls out: R / C."""
    return _rounded(Decimal(revenue) / spent) if newcomers and spent else None


def per_head(spent: int, heads: int) -> Decimal | None:
    """What one seat, or one press, cost; None where there was none."""
    return cac(spent, heads)


def _rounded(value: Decimal) -> Decimal:
    return value.quantize(CENT, ROUND_HALF_UP)


def share_of(amount: int, first: date, last: date, since: date, until: date) -> int:
    """What of an amount spent evenly from `first` to `last` falls on the days from `since` to `until`, all included.

    In whole hundredths; the parts of a period that is cut up anyhow add up to the amount exactly.
    """
    length = (last - first).days + 1
    begin = max(0, (since - first).days)
    end = min(length, (until - first).days + 1)
    return amount * end // length - amount * begin // length if begin < end else 0


def add_up(buckets: Sequence[int]) -> tuple[int, ...]:
    """Revenue by the horizon it first falls within, as revenue up to each horizon."""
    total, sums = 0, []
    for amount in buckets:
        total += amount
        sums.append(total)
    return tuple(sums)


def weeks(today: date, count: int) -> list[Cohort]:
    """The last `count` weeks from Monday to Sunday, the current one included, the oldest first."""
    monday = today - timedelta(days=today.weekday())
    starts = [monday - timedelta(weeks=back) for back in range(count - 1, -1, -1)]
    return [Cohort(start, start + timedelta(days=6)) for start in starts]


def months(today: date, count: int) -> list[Cohort]:
    """The last `count` calendar months, the current one included, the oldest first."""
    number = today.year * 12 + today.month - 1
    return [Cohort(_month(n), _month(n + 1) - timedelta(days=1)) for n in range(number - count + 1, number + 1)]


def _month(number: int) -> date:
    return date(number // 12, number % 12 + 1, 1)

"""Where somebody stands between their first scan and being lost, and what kind of buyer they are.

Stages and classes are said as bounds on a few numbers, so that one person can be judged here and a million by a query
that asks for the same bounds. Reads no clock.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

LONGEST_DAYS = 3650


@dataclass(frozen=True, slots=True)
class Thresholds:
    """What one may set. Silent and lost: days without a scan and without an order. A buyer is recent, frequent and high
    from these on; the amount is in hundredths."""

    silent_days: int = 30
    lost_days: int = 90
    recent_days: int = 30
    frequent_orders: int = 2
    high_cents: int = 50_000

    @property
    def is_sound(self) -> bool:
        days = (self.silent_days, self.lost_days, self.recent_days)
        return (
            all(1 <= each <= LONGEST_DAYS for each in days)
            and self.silent_days < self.lost_days
            and self.frequent_orders >= 1
            and self.high_cents >= 1
        )


@dataclass(frozen=True, slots=True)
class Bounds:
    """A stage: active after `after` and at `until` or before (None: no bound), with at least and at most so many
    orders."""

    after: datetime | None = None
    until: datetime | None = None
    least_orders: int = 0
    most_orders: int | None = None

    @property
    def is_over(self) -> bool:
        """Whether nobody enters it by doing something: silent, lost. Asks nothing of orders."""
        return self.until is not None and not self.least_orders and self.most_orders is None

    def hold(self, active_at: datetime, orders: int) -> bool:
        return (
            (self.after is None or active_at > self.after)
            and (self.until is None or active_at <= self.until)
            and orders >= self.least_orders
            and (self.most_orders is None or orders <= self.most_orders)
        )


STAGES = ("new", "first_order", "repeat", "silent", "lost")


def stages(thresholds: Thresholds, now: datetime) -> Mapping[str, Bounds]:
    """Every stage's bounds; each visitor is in exactly one."""
    silent = now - timedelta(days=thresholds.silent_days)
    lost = now - timedelta(days=thresholds.lost_days)
    return {
        "new": Bounds(after=silent, most_orders=0),
        "first_order": Bounds(after=silent, least_orders=1, most_orders=1),
        "repeat": Bounds(after=silent, least_orders=2),
        "silent": Bounds(after=lost, until=silent),
        "lost": Bounds(until=lost),
    }


def stage_of(thresholds: Thresholds, now: datetime, active_at: datetime, orders: int) -> str:
    """`active_at`: the last scan or order, whichever was later."""
    return next(name for name, bounds in stages(thresholds, now).items() if bounds.hold(active_at, orders))


# Recency, frequency, money: one digit each, 1 for high. Buyers only.
RFM_CLASSES = ("111", "101", "011", "001", "110", "100", "010", "000")


@dataclass(frozen=True, slots=True)
class Buyer:
    """What a class asks of a buyer: (a number, whether it shall be reached)."""

    ordered_after: datetime
    is_recent: bool
    frequent_orders: int
    is_frequent: bool
    high_cents: int
    is_high: bool


def buyer(code: str, thresholds: Thresholds, now: datetime) -> Buyer:
    """The bounds of one of RFM_CLASSES."""
    recent, frequent, high = (digit == "1" for digit in code)
    after = now - timedelta(days=thresholds.recent_days)
    return Buyer(after, recent, thresholds.frequent_orders, frequent, thresholds.high_cents, high)


def rfm_of(thresholds: Thresholds, now: datetime, ordered_at: datetime, orders: int, cents: int) -> str:
    recent = ordered_at > now - timedelta(days=thresholds.recent_days)
    return "".join(
        "1" if reached else "0"
        for reached in (recent, orders >= thresholds.frequent_orders, cents >= thresholds.high_cents)
    )

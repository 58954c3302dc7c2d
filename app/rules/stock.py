"""A member as the forecast knows it: what it holds now, who came to it hour by hour, and the numbers read of it.

Only what was; `play` says what comes of it, `forecast` what is made of that.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from app.rules.model import Member
from app.rules.rhythm import HOUR, floor


@dataclass(frozen=True, slots=True)
class Hour:
    """What happened at one member in the hour that began at `at`."""

    at: datetime
    seats: int = 0
    pressed: int = 0


@dataclass(frozen=True, slots=True)
class Headcount:
    """So many people were in the group at that moment, as somebody read it."""

    at: datetime
    people: int


@dataclass(frozen=True, slots=True)
class Stock:
    """A member now. `counted`: live seats since the last headcount, as the ledger has them. `hours` and `headcounts` in
    the order of time, headcounts of this group only."""

    member: Member
    counted: int = 0
    hours: tuple[Hour, ...] = ()
    headcounts: tuple[Headcount, ...] = ()


def merged(hours: Iterable[Hour]) -> dict[datetime, float]:
    """People by the hour's beginning."""
    found: dict[datetime, float] = {}
    for hour in hours:
        at = floor(hour.at)
        found[at] = found.get(at, 0.0) + hour.seats
    return found


def since_headcount(stock: Stock) -> list[Hour]:
    """The hour in which somebody read the number counts whole: mostly it was read at once after somebody joined."""
    if not stock.headcounts:
        return list(stock.hours)
    return [hour for hour in stock.hours if hour.at + HOUR > stock.headcounts[-1].at]

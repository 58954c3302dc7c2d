"""Answers questions about numbers, from the roll-ups alone.

Decides how a period is cut into hours and local days and what a row's `visitors` means: different people per local day,
a sum of days over longer periods, and different people of the hour where hours are asked for.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.stats.models import COUNTS, DAY_ROLLUPS, NO_ID, NO_TEXT, ROLLUPS, rollup_total

BY = ("hour", "day", *ROLLUPS)
DAYS_SHOWN = 30
MOST_DAYS = 5 * 366
MOST_DAYS_BY_HOUR = 366

# What must be seen of a table that belongs to `codes`: whose is it?
_LIVE_CODES = sa.table("live_codes", sa.column("id", sa.Integer), sa.column("owner_id", sa.Integer))

Key = datetime | date | int | str | None


@dataclass(frozen=True, slots=True)
class Counts:
    scans: int = 0
    visitors: int = 0
    assigned: int = 0
    pressed: int = 0
    stuck: int = 0

    def plus(self, other: "Counts") -> "Counts":
        return Counts(*(getattr(self, name) + getattr(other, name) for name in COUNTS))


@dataclass(frozen=True, slots=True)
class Row:
    """`key`: the hour (aware, local), the local day, an id, a text; None for events without a value."""

    key: Key
    counts: Counts


@dataclass(frozen=True, slots=True)
class Period:
    """Whole hours from `since` up to, not including, `until`."""

    since: datetime
    until: datetime

    @property
    def length(self) -> timedelta:
        return self.until - self.since


@dataclass(frozen=True, slots=True)
class Report:
    rows: list[Row]
    totals: Counts


def days(first: date, last: date, zone: tzinfo) -> Period:
    """Local days, the last one included."""
    return Period(_midnight(first, zone), _midnight(last + timedelta(days=1), zone))


def hours(since: datetime, until: datetime, zone: tzinfo) -> Period:
    """The whole local hours that hold this stretch of time."""
    end = until.astimezone(zone).replace(minute=0, second=0, microsecond=0)
    if end < until:
        end = (end.astimezone(UTC) + timedelta(hours=1)).astimezone(zone)
    return Period(since.astimezone(zone).replace(minute=0, second=0, microsecond=0), end)


def _midnight(day: date, zone: tzinfo) -> datetime:
    return datetime.combine(day, time.min, zone)


def may_see(session: Session, live_code_id: int, owner_id: int | None) -> bool:
    """Is there such a live code, and is it this owner's (None: anybody's)?"""
    query = sa.select(_LIVE_CODES.c.id).where(_LIVE_CODES.c.id == live_code_id)
    return session.scalar(query if owner_id is None else query.where(_LIVE_CODES.c.owner_id == owner_id)) is not None


def report(session: Session, live_code_id: int, period: Period, by: str, zone: tzinfo) -> Report:
    """The rows of one live code in `period`, hours and days in their order, everything else the most scanned first.
    Rows in which nothing happened are left out."""
    hourly = _by_hour(session, live_code_id, period)
    totals = sum_up(counts for _, counts, _ in hourly)
    if by == "hour":
        rows = [Row(hour.astimezone(zone), _with_visitors(counts, seen)) for hour, counts, seen in hourly]
    elif by == "day":
        rows = _by_day(hourly, zone)
    else:
        rows = _by_key(session, live_code_id, period, by, zone)
    return Report(rows, totals)


def sum_up(counts: Iterable[Counts]) -> Counts:
    total = Counts()
    for one in counts:
        total = total.plus(one)
    return total


def _by_hour(session: Session, live_code_id: int, period: Period) -> list[tuple[datetime, Counts, int]]:
    """Each hour with its counts and the different people in it."""
    table = rollup_total.c
    query = (
        sa.select(table.hour, *(table[name] for name in COUNTS), table.hour_visitors)
        .where(table.live_code_id == live_code_id, table.hour >= period.since, table.hour < period.until)
        .order_by(table.hour)
    )
    return [(row[0], Counts(*row[1:-1]), row[-1]) for row in session.execute(query)]


def _by_day(hourly: Iterable[tuple[datetime, Counts, int]], zone: tzinfo) -> list[Row]:
    found: dict[date, Counts] = {}
    for hour, counts, _ in hourly:
        day = hour.astimezone(zone).date()
        found[day] = found.get(day, Counts()).plus(counts)
    return [Row(day, counts) for day, counts in found.items()]


def _by_key(session: Session, live_code_id: int, period: Period, by: str, zone: tzinfo) -> list[Row]:
    found: dict[Any, Counts] = {}
    for query in _queries(ROLLUPS[by], DAY_ROLLUPS[by], live_code_id, period, zone):
        for row in session.execute(query):
            found[row[0]] = found.get(row[0], Counts()).plus(Counts(*map(int, row[1:])))
    rows = [Row(_value(key), counts) for key, counts in found.items() if counts != Counts()]
    return sorted(rows, key=lambda row: (-row.counts.scans, row.key is None, str(row.key)))


def _queries(
    hourly: sa.Table, daily: sa.Table, live_code_id: int, period: Period, zone: tzinfo
) -> Iterable[sa.Select[*tuple[Any, ...]]]:
    """Whole days from the table of days, what is left over at either end from the table of hours."""
    first, last = _whole_days(period, zone)
    if first > last:
        yield _sums(hourly, live_code_id, hourly.c.hour >= period.since, hourly.c.hour < period.until)
        return
    yield _sums(daily, live_code_id, daily.c.day >= first, daily.c.day <= last)
    middle = days(first, last, zone)
    if period.since < middle.since:
        yield _sums(hourly, live_code_id, hourly.c.hour >= period.since, hourly.c.hour < middle.since)
    if middle.until < period.until:
        yield _sums(hourly, live_code_id, hourly.c.hour >= middle.until, hourly.c.hour < period.until)


def _whole_days(period: Period, zone: tzinfo) -> tuple[date, date]:
    """The first and the last local day that lie in `period` from end to end; the first is later if none does."""
    first, last = period.since.astimezone(zone).date(), period.until.astimezone(zone).date()
    if _midnight(first, zone) < period.since:
        first += timedelta(days=1)
    return first, last - timedelta(days=1)


def _sums(table: sa.Table, live_code_id: int, *within: sa.ColumnElement[bool]) -> sa.Select[*tuple[Any, ...]]:
    sums = [sa.func.sum(table.c[name]) for name in COUNTS]
    return sa.select(table.c.key, *sums).where(table.c.live_code_id == live_code_id, *within).group_by(table.c.key)


def _value(key: Any) -> Key:
    value: Key = None if key in (NO_ID, NO_TEXT) else key
    return value


def _with_visitors(counts: Counts, visitors: int) -> Counts:
    return Counts(counts.scans, visitors, counts.assigned, counts.pressed, counts.stuck)

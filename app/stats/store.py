"""Answers questions about numbers, from the roll-ups alone.

Decides how a period is cut into hours and local days and what a row's `visitors` means: different people per local day,
a sum of days over longer periods, and different people of the hour where hours are asked for.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.codes.store import seen_by
from app.stats.models import COUNTS, DAY_ROLLUPS, NO_ID, NO_TEXT, ROLLUPS, rollup_total, rollup_total_day

BY = ("hour", "day", *ROLLUPS)
DAYS_SHOWN = 30
MOST_DAYS = 5 * 366
MOST_DAYS_BY_HOUR = 366

# What must be seen of tables that belong to `codes`: what things are called.
_LIVE_CODES = sa.table(
    "live_codes", *(sa.column(name, sa.String) for name in ("name", "kind")), sa.column("id", sa.Integer)
)
_MEMBERS = sa.table(
    "members", sa.column("id", sa.Integer), sa.column("live_code_id", sa.Integer), sa.column("label", sa.String),
    sa.column("public_name", sa.String),
)  # fmt: skip
_CHOICES = sa.table(
    "choices", sa.column("id", sa.Integer), sa.column("live_code_id", sa.Integer), sa.column("title", sa.String)
)
_PLACEMENTS = sa.table(
    "placements", sa.column("key", sa.String), sa.column("live_code_id", sa.Integer), sa.column("name", sa.String)
)

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


def is_seen(column: Any, asker_id: int | None) -> sa.ColumnElement[bool]:
    """Of live codes that are the asker's or shared with them; None sees everything."""
    seen: sa.ColumnElement[bool] = column.in_(seen_by(asker_id)) if asker_id is not None else sa.true()
    return seen


def may_see(session: Session, live_code_id: int, asker_id: int | None) -> bool:
    """Is there such a live code, and may they look at it?"""
    query = sa.select(_LIVE_CODES.c.id).where(_LIVE_CODES.c.id == live_code_id, is_seen(_LIVE_CODES.c.id, asker_id))
    return session.scalar(query) is not None


def report(session: Session, live_code_id: int, period: Period, by: str, zone: tzinfo) -> Report:
    """The rows of one live code in `period`, hours and days in their order, everything else the most scanned first.
    Rows in which nothing happened are left out."""
    if by == "hour":
        return _by_hour(session, live_code_id, period, zone)
    by_day = _by_day(session, live_code_id, period, zone)
    totals = sum_up(row.counts for row in by_day)
    return Report(by_day if by == "day" else _by_key(session, live_code_id, period, by, zone), totals)


def unknown_share(rows: Iterable[Row]) -> float | None:
    """Which part of all scans has no value, such as a place; None where nothing was scanned."""
    rows = list(rows)
    scans = sum(row.counts.scans for row in rows)
    return sum(row.counts.scans for row in rows if row.key is None) / scans if scans else None


def sum_up(counts: Iterable[Counts]) -> Counts:
    total = Counts()
    for one in counts:
        total = total.plus(one)
    return total


def _by_hour(session: Session, live_code_id: int, period: Period, zone: tzinfo) -> Report:
    """Each row says the different people of its hour; the totals those of the days."""
    table = rollup_total.c
    query = (
        sa.select(table.hour, *(table[name] for name in COUNTS), table.hour_visitors)
        .where(table.live_code_id == live_code_id, table.hour >= period.since, table.hour < period.until)
        .order_by(table.hour)
    )
    found = [(row[0].astimezone(zone), Counts(*row[1:-1]), row[-1]) for row in session.execute(query)]
    rows = [Row(hour, replace(counts, visitors=visitors)) for hour, counts, visitors in found]
    return Report(rows, sum_up(counts for _, counts, _ in found))


def _by_day(session: Session, live_code_id: int, period: Period, zone: tzinfo) -> list[Row]:
    """Whole days as they are kept, days that are cut off added up from their hours."""
    found: dict[date, Counts] = {}
    for query, is_daily in _day_queries(live_code_id, period, zone):
        for row in session.execute(query):
            day = row[0] if is_daily else row[0].astimezone(zone).date()
            found[day] = found.get(day, Counts()).plus(Counts(*row[1:]))
    return [Row(day, found[day]) for day in sorted(found)]


def _day_queries(live_code_id: int, period: Period, zone: tzinfo) -> Iterable[tuple[sa.Select[*tuple[Any, ...]], bool]]:
    first, last = _whole_days(period, zone)
    daily, hourly = rollup_total_day.c, rollup_total.c
    if first <= last:
        columns = (daily.day, *(daily[name] for name in COUNTS))
        yield sa.select(*columns).where(daily.live_code_id == live_code_id, daily.day.between(first, last)), True
    for since, until in _edges(period, zone):
        columns = (hourly.hour, *(hourly[name] for name in COUNTS))
        within = (hourly.live_code_id == live_code_id, hourly.hour >= since, hourly.hour < until)
        yield sa.select(*columns).where(*within), False


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
    if first <= last:
        yield _sums(daily, live_code_id, daily.c.day.between(first, last))
    for since, until in _edges(period, zone):
        yield _sums(hourly, live_code_id, hourly.c.hour >= since, hourly.c.hour < until)


def _edges(period: Period, zone: tzinfo) -> list[tuple[datetime, datetime]]:
    """What of a period lies in no whole day."""
    first, last = _whole_days(period, zone)
    if first > last:
        return [(period.since, period.until)]
    middle = days(first, last, zone)
    ends = [(period.since, middle.since), (middle.until, period.until)]
    return [(since, until) for since, until in ends if since < until]


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


@dataclass(frozen=True, slots=True)
class CodeRow:
    """One live code among others."""

    live_code_id: int
    name: str
    counts: Counts


def of_all(session: Session, asker_id: int | None, first: date, last: date) -> list[Row]:
    """All live codes the asker sees together, by local day."""
    table = rollup_total_day.c
    query = (
        sa.select(table.day, *(sa.func.sum(table[name]) for name in COUNTS))
        .where(table.day.between(first, last), is_seen(table.live_code_id, asker_id))
        .group_by(table.day)
        .order_by(table.day)
    )
    return [Row(row[0], Counts(*map(int, row[1:]))) for row in session.execute(query)]


def by_live_code(session: Session, asker_id: int | None, first: date, last: date, limit: int) -> list[CodeRow]:
    """Which live codes were scanned in these days, the most scanned first. Added up before they get their names: by
    number alone that takes half the time."""
    table = rollup_total_day.c
    added_up = (
        sa.select(table.live_code_id, *(sa.func.sum(table[name]).label(name) for name in COUNTS))
        .where(table.day.between(first, last), is_seen(table.live_code_id, asker_id))
        .group_by(table.live_code_id)
        .subquery()
    )
    query = (
        sa.select(added_up.c.live_code_id, _LIVE_CODES.c.name, *(added_up.c[name] for name in COUNTS))
        .join(_LIVE_CODES, _LIVE_CODES.c.id == added_up.c.live_code_id)
        .order_by(added_up.c.scans.desc(), added_up.c.live_code_id)
        .limit(limit)
    )
    return [CodeRow(row[0], row[1], Counts(*map(int, row[2:]))) for row in session.execute(query)]


@dataclass(frozen=True, slots=True)
class Names:
    """What a live code and its parts are called in the panel; unnamed parts are left out."""

    live_code: str
    is_grouped: bool
    members: Mapping[int, str]
    choices: Mapping[int, str]
    placements: Mapping[str, str]


def names_of(session: Session, live_code_id: int) -> Names:
    def read(table: Any, key: str, *names: str) -> dict[Any, str]:
        own = sa.func.coalesce(*(sa.func.nullif(table.c[name], "") for name in names), "")
        query = sa.select(table.c[key], own).where(table.c.live_code_id == live_code_id)
        return {row[0]: row[1] for row in session.execute(query) if row[1]}

    row = session.execute(
        sa.select(_LIVE_CODES.c.name, _LIVE_CODES.c.kind).where(_LIVE_CODES.c.id == live_code_id)
    ).first()
    return Names(
        row.name if row is not None else "",
        row is not None and row.kind == "grouped",
        members=read(_MEMBERS, "id", "label", "public_name"),
        choices=read(_CHOICES, "id", "title"),
        placements=read(_PLACEMENTS, "key", "name"),
    )

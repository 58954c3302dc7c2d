"""Adds events to the roll-ups, in the transaction that records them.

Decides which cells an event falls into and when a person counts as one more visitor of a cell: once per local day, told
from `visitor_days`, whose row is locked while two batches with the same person are added.
"""

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache
from operator import add as add_up
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from app.db.upsert import Insert, insert_rows
from app.rules.tally import ScanEvent, Tally, count_of
from app.stats.models import COUNTS, DAY_ROLLUPS, NO_ID, NO_TEXT, ROLLUPS, rollup_total, rollup_total_day, visitor_days

# How long an event may be late and its visitor still be recognised as counted that day.
DAYS_REMEMBERED = 14
_COUNTED_TYPES = frozenset({"scan", "choose", "reroute", "press", "stuck"})

Key = int | str
Cell = tuple[str, int, datetime, Key]  # dimension, live code, hour, key
Person = tuple[int, date, str]  # live code, local day, visitor
Mark = tuple[str, Key]  # dimension, key: what a person is counted in on one day
Marks = tuple[Mark, ...]
_Facts = tuple[int, datetime, date, Marks, Tally]  # live code, hour, local day: all that roll-ups see of an event


@dataclass(slots=True)
class _Sums:
    """What a batch adds: numbers per cell, and where each person's marks of a day first stood."""

    cells: dict[Cell, list[int]] = field(default_factory=lambda: defaultdict(lambda: [0] * len(COUNTS)))
    hour_visitors: dict[Cell, int] = field(default_factory=lambda: defaultdict(int))
    people: dict[Person, dict[Mark, datetime]] = field(default_factory=dict)


def add(connection: Connection, events: Sequence[ScanEvent], zone: tzinfo) -> None:
    """Adds new events; the caller has made sure that each arrives once."""
    sums = _Sums()
    alike: dict[_Facts, int] = defaultdict(int)
    for event in events:
        if is_counted(event):
            facts = _facts_of(event, zone)
            alike[facts] += 1
            if event.visitor:
                _mark_person(sums, event.visitor, facts)
    for facts, number in alike.items():
        _add_events(sums, facts, number)
    for person, marks in _unmarked(connection, sums.people).items():
        _add_visitor(sums, person, marks)
    _write(connection, sums, zone)


def is_counted(event: ScanEvent) -> bool:
    """A preview is no visit, and neither is giving a seat up."""
    return event.type in _COUNTED_TYPES and event.outcome != "preview"


def local_hour(at: datetime, zone: tzinfo) -> datetime:
    """The beginning of the local hour `at` falls into, in UTC."""
    return _hour_and_day(at.replace(second=0, microsecond=0), zone)[0]


@lru_cache(256)
def _hour_and_day(minute: datetime, zone: tzinfo) -> tuple[datetime, date]:
    local = minute.astimezone(zone)
    return local.replace(minute=0, second=0, microsecond=0).astimezone(UTC), local.date()


def forget(connection: Connection, visitor: str, live_code_ids: Collection[int]) -> None:
    """Drops the name of an erased person; what was counted stays counted."""
    table = visitor_days.c
    connection.execute(sa.delete(visitor_days).where(table.live_code_id.in_(live_code_ids), table.visitor == visitor))


def forget_old_days(connection: Connection) -> None:
    before = datetime.now(UTC).date() - timedelta(days=DAYS_REMEMBERED)
    connection.execute(sa.delete(visitor_days).where(visitor_days.c.day < before))


def _facts_of(event: ScanEvent, zone: tzinfo) -> _Facts:
    hour, day = _hour_and_day(event.at.replace(second=0, microsecond=0), zone)
    marks: Marks = (
        ("total", NO_ID),
        ("member", event.member_id or NO_ID),
        ("choice", event.choice_id or NO_ID),
        ("region", event.region or NO_TEXT),
        ("outcome", event.outcome or NO_TEXT),
        ("device", event.device or NO_TEXT),
        ("app", event.app or NO_TEXT),
        ("placement", event.placement or NO_TEXT),
    )
    return event.live_code_id, hour, day, marks, count_of(event)


def _add_events(sums: _Sums, facts: _Facts, number: int) -> None:
    live_code_id, hour, _, marks, tally = facts
    counts = [number * getattr(tally, count, 0) for count in COUNTS]
    for dimension, key in marks:
        cell = sums.cells[dimension, live_code_id, hour, key]
        cell[:] = map(add_up, cell, counts)


def _mark_person(sums: _Sums, visitor: str, facts: _Facts) -> None:
    live_code_id, hour, day, marks, _ = facts
    firsts = sums.people.setdefault((live_code_id, day, visitor), {})
    for mark in (*marks, ("hour", int(hour.timestamp()))):
        if hour < firsts.setdefault(mark, hour):
            firsts[mark] = hour


def _add_visitor(sums: _Sums, person: Person, marks: Mapping[Mark, datetime]) -> None:
    live_code_id = person[0]
    for (dimension, key), hour in marks.items():
        if dimension == "hour":
            sums.hour_visitors["total", live_code_id, hour, NO_ID] += 1
        else:
            sums.cells[dimension, live_code_id, hour, key][COUNTS.index("visitors")] += 1


def _unmarked(
    connection: Connection, people: Mapping[Person, Mapping[Mark, datetime]]
) -> dict[Person, Mapping[Mark, datetime]]:
    """Of each person the marks nobody has counted yet; from here on they are counted."""
    known = _insert_people(connection, people)
    unmarked = {person: marks for person, marks in people.items() if person not in known}
    grown = []
    for person, text in _lock_people(connection, known):
        seen = set(json.loads(text))
        fresh = {mark: hour for mark, hour in people[person].items() if _token(mark) not in seen}
        if fresh:
            unmarked[person] = fresh
            grown.append((person, _as_json(seen.union(map(_token, fresh)))))
    _update_people(connection, grown)
    return unmarked


def _token(mark: Mark) -> str:
    """Such as "m7" or "rCN/CN-GD"; the dimensions differ in their first letters."""
    return f"{mark[0][0]}{mark[1]}"


@lru_cache(4096)
def _as_text(marks: Marks) -> str:
    """Many are marked alike: whoever came to one group in one hour from one city."""
    return _as_json(map(_token, marks))


def _as_json(tokens: Iterable[str]) -> str:
    return json.dumps(sorted(tokens), ensure_ascii=False, separators=(",", ":"))


def _insert_people(connection: Connection, people: Mapping[Person, Mapping[Mark, datetime]]) -> list[Person]:
    """Writes down whom the day has not seen yet; those it has, in the order in which rows are locked."""
    if not people:
        return []
    rows = [
        {"live_code_id": person[0], "day": person[1], "visitor": person[2], "seen": _as_text(tuple(marks))}
        for person, marks in sorted(people.items())
    ]
    added = insert_rows(connection, visitor_days, rows, _unless_known)
    return sorted(set(people) - {(row[0], row[1], row[2]) for row in added})


def _unless_known(statement: Insert) -> Any:
    return statement.on_conflict_do_nothing().returning(*visitor_days.primary_key)


def _lock_people(connection: Connection, known: Sequence[Person]) -> list[tuple[Person, str]]:
    if not known:
        return []
    table = visitor_days.c
    key = (table.live_code_id, table.day, table.visitor)
    query = sa.select(*key, table.seen).where(sa.tuple_(*key).in_(known)).order_by(*key).with_for_update()
    return [((row[0], row[1], row[2]), row[3]) for row in connection.execute(query)]


def _update_people(connection: Connection, grown: Sequence[tuple[Person, str]]) -> None:
    if not grown:
        return
    rows = [{"live_code_id": person[0], "day": person[1], "visitor": person[2], "seen": seen} for person, seen in grown]
    insert_rows(connection, visitor_days, rows, _replace_seen)


def _replace_seen(statement: Insert) -> Any:
    key = list(visitor_days.primary_key)
    return statement.on_conflict_do_update(index_elements=key, set_={"seen": statement.excluded.seen})


def _write(connection: Connection, sums: _Sums, zone: tzinfo) -> None:
    """Adds the sums to the stored cells, in the order of their keys: two batches must not lock them crosswise."""
    hourly: dict[str, list[dict[str, Any]]] = defaultdict(list)
    daily: dict[str, dict[tuple[int, date, Key], list[int]]] = defaultdict(dict)
    for cell in sorted(sums.cells, key=lambda cell: (cell[0], cell[1], cell[2], str(cell[3]))):
        dimension, live_code_id, hour, key = cell
        counts, hour_visitors = sums.cells[cell], sums.hour_visitors.get(cell, 0)
        if not any(counts) and not hour_visitors:
            continue
        row: dict[str, Any] = {"live_code_id": live_code_id, "hour": hour, **dict(zip(COUNTS, counts, strict=True))}
        hourly[dimension].append(row | ({"hour_visitors": hour_visitors} if dimension == "total" else {"key": key}))
        of_day = daily[dimension].setdefault((live_code_id, hour.astimezone(zone).date(), key), [0] * len(COUNTS))
        of_day[:] = map(add_up, of_day, counts)
    for dimension, table in (*DAY_ROLLUPS.items(), ("total", rollup_total_day)):
        _add_rows(connection, table, [_day_row(dimension, *cell) for cell in daily[dimension].items()])
    for dimension, table in (*ROLLUPS.items(), ("total", rollup_total)):
        _add_rows(connection, table, hourly[dimension])


def _day_row(dimension: str, cell: tuple[int, date, Key], counts: Sequence[int]) -> dict[str, Any]:
    live_code_id, day, key = cell
    row: dict[str, Any] = {"live_code_id": live_code_id, "day": day, **dict(zip(COUNTS, counts, strict=True))}
    return row if dimension == "total" else {**row, "key": key}


def _add_rows(connection: Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:
        insert_rows(connection, table, rows, _add_to_stored)


def _add_to_stored(statement: Insert) -> Any:
    columns = statement.table.c
    sums = {column.name: column + statement.excluded[column.name] for column in columns if not column.primary_key}
    return statement.on_conflict_do_update(index_elements=[c for c in columns if c.primary_key], set_=sums)

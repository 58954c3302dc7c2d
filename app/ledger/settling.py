"""Writes what the streams say of seats and counts into SQL's tables of the ledger, so that Redis can be begun again
from them. Every entry carries the whole state after it, and its mark: written once or ten times, in any order, the
newest state stays.
"""

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.db.among import among
from app.db.upsert import Insert, insert_rows
from app.ledger import keys, packing
from app.ledger.streams import MARK_BITS, Entry
from app.ledger.tables import member_counts, seats, tombstones
from app.ledger.truth import EVERYWHERE, Truth

Row = dict[str, Any]


def settle(connection: Connection, entries: Sequence[Entry], truth: Truth) -> None:
    """The seats and counts of these entries, in the caller's transaction."""
    changed = [entry for entry in entries if entry.scope]
    if not changed:
        return
    counts: dict[tuple[int, int], Row] = {}
    rows: dict[tuple[str, str], Row] = {}
    for entry in changed:
        for row in _count_rows(entry):
            _newest(counts, (row["member_id"], row["counted_from"]), row)
        seat = _seat_row(entry)
        if seat is not None:
            _newest(rows, (seat["scope"], seat["visitor"]), seat)
    # Sorted, so that two consumers that write the same rows wait for each other instead of locking crosswise.
    if counts:
        insert_rows(connection, member_counts, [counts[key] for key in sorted(counts)], _newer_count)
    kept = _not_erased(connection, [rows[key] for key in sorted(rows)], truth)
    if kept:
        insert_rows(connection, seats, kept, _newer_seat)


def _newest(found: dict[Any, Row], key: Any, row: Row) -> None:
    if key not in found or found[key]["mark"] < row["mark"]:
        found[key] = row


def _count_rows(entry: Entry) -> Iterable[Row]:
    for booked in packing.read_booked(entry.counts):
        yield {
            "member_id": booked.member_id,
            "counted_from": booked.counted_from,
            "generation": booked.generation,
            "counted": booked.counted,
            "pressed": max(0, booked.pressed),
            "day": packing.day_of(booked.day),
            "taken": booked.taken,
            "swept": booked.swept,
            "oldest_unpressed_at": packing.moment(booked.swept * packing.SLOT),
            "mark": entry.mark,
        }


def _seat_row(entry: Entry) -> Row | None:
    """None where the event beside it cannot be read; the event itself is set aside by whoever folds it."""
    try:
        visitor = json.loads(entry.event)["visitor"]
    except (ValueError, KeyError, TypeError):
        return None
    scope = entry.scope.decode()
    row = packing.read_row(entry.value, keys.live_code_in(scope))
    return {
        "scope": scope,
        "visitor": visitor,
        "live_code_id": row.live_code_id,
        "member_id": row.member_id or None,
        "generation": row.generation,
        "counted_from": row.counted_from,
        "choice_id": row.choice_id or None,
        "taken_at": packing.moment(row.taken),
        "counted_at": packing.moment(row.counted_at),
        "pressed_at": packing.moment(row.pressed) if row.pressed else None,
        "counted": row.counted,
        "lapsed": row.lapses and not row.counted,
        "changes": row.changes,
        "refused": ",".join(map(str, sorted(set(row.refused)))),
        "stuck_on": packing.day_of(row.stuck_on),
        "stuck_count": row.stuck_count,
        "mark": entry.mark,
    }


def _not_erased(connection: Connection, rows: Sequence[Row], truth: Truth) -> list[Row]:
    """Without those of people who were erased after it."""
    stones: dict[str, list[Row]] = {}
    for row in rows:
        for place in (EVERYWHERE, row["live_code_id"]):
            stones.setdefault(truth.tombstone(row["visitor"], place), []).append(row)
    gone = set()
    theirs = among(connection, tombstones.c.visitor_hash, stones)
    for stone in connection.execute(sa.select(tombstones).where(theirs)):
        for row in stones[stone.visitor_hash]:
            if datetime.fromtimestamp((row["mark"] >> MARK_BITS) / 1000, UTC) <= stone.at:
                gone.add((row["scope"], row["visitor"]))
    return [row for row in rows if (row["scope"], row["visitor"]) not in gone]


def _newer_count(statement: Insert) -> Any:
    return _newer(statement, member_counts, ("member_id", "counted_from"))


def _newer_seat(statement: Insert) -> Any:
    return _newer(statement, seats, ("scope", "visitor"))


def _newer(statement: Insert, table: sa.Table, key: Sequence[str]) -> Any:
    values = {c.name: statement.excluded[c.name] for c in table.c if c.name not in key}
    newer = sa.func.coalesce(table.c.mark, -1) < statement.excluded.mark
    return statement.on_conflict_do_update(index_elements=list(key), set_=values, where=newer)

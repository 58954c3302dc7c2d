"""How the SQL ledger keeps counts and turns. Every function runs inside the caller's connection and transaction."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.ledger.protocol import CountKey
from app.ledger.statements import Found, Hot
from app.ledger.tables import live_codes, member_counts, members, seats
from app.rules.model import Count, Turns

Rows = Mapping[tuple[int, int], Found]


def count_rows(connection: Connection, hot: Hot, keys: Sequence[CountKey]) -> Rows:
    """Every count of these members, by (member, counted_from): older ones too, since they hold presses."""
    members = json.dumps([key.member_id for key in keys])
    return {(row.member_id, row.counted_from): row for row in hot.counts.all(connection, {"members": members})}


def by_member(keys: Sequence[CountKey], found: Rows) -> dict[int, Count]:
    """The current count of each member; presses are those of its whole generation, headcounts apart."""
    pressed: dict[tuple[int, int], int] = {}
    for row in found.values():
        who = (row.member_id, row.generation)
        pressed[who] = pressed.get(who, 0) + row.pressed
    counts = {}
    for key in keys:
        presses = pressed.get((key.member_id, key.generation), 0)
        current = found.get((key.member_id, key.counted_from))
        if current is not None:
            counts[key.member_id] = Count(current.counted, presses, current.day, current.taken)
        elif presses:
            counts[key.member_id] = Count(0, presses)
    return counts


def overdue(keys: Sequence[CountKey], found: Rows) -> list[CountKey]:
    """Counts that may hold a seat which lapsed unpressed."""
    return [key for key in keys if _may_have_lapsed(found.get((key.member_id, key.counted_from)), key.lapses_before)]


def _may_have_lapsed(row: Found | None, before: datetime | None) -> bool:
    if row is None or before is None or row.oldest_unpressed_at is None:
        return False
    oldest: datetime = row.oldest_unpressed_at
    return oldest < before


def sweep(connection: Connection, key: CountKey) -> None:
    """Takes seats that lapsed unpressed off the count, and notes the next one that may."""
    mine = (seats.c.member_id == key.member_id) & (seats.c.counted_from == key.counted_from)
    waiting = mine & seats.c.counted & seats.c.pressed_at.is_(None)
    lapsed = sa.update(seats).where(waiting & (seats.c.counted_at < key.lapses_before))
    gone = connection.execute(lapsed.values(counted=False, lapsed=True)).rowcount
    oldest = sa.select(sa.func.min(seats.c.counted_at)).where(waiting).scalar_subquery()
    row = (member_counts.c.member_id == key.member_id) & (member_counts.c.counted_from == key.counted_from)
    fewer = {"counted": member_counts.c.counted - gone, "oldest_unpressed_at": oldest}
    connection.execute(sa.update(member_counts).where(row).values(fewer))


def count_press(connection: Connection, seat: Found) -> None:
    more = {"pressed": member_counts.c.pressed + 1}
    connection.execute(sa.update(member_counts).where(_count_of(seat)).values(more))


def uncount(connection: Connection, seat: Found) -> None:
    """A seat that was given up leaves its count, and its press with it."""
    fewer = {"pressed": member_counts.c.pressed - int(seat.pressed_at is not None)}
    if seat.counted:
        fewer["counted"] = member_counts.c.counted - 1
    connection.execute(sa.update(member_counts).where(_count_of(seat)).values(fewer))


def _count_of(seat: Found) -> Any:
    return (member_counts.c.member_id == seat.member_id) & (member_counts.c.counted_from == seat.counted_from)


def set_member(connection: Connection, live_code_id: int, member_id: int, **changes: Any) -> None:
    """A state the ledger itself sets; the live code's version rises with it, so that every worker sees it."""
    connection.execute(sa.update(members).where(members.c.id == member_id).values(changes))
    bump = sa.update(live_codes).where(live_codes.c.id == live_code_id)
    connection.execute(bump.values(version=live_codes.c.version + 1))


def turns_of(text: str | None) -> Turns:
    """Whose turn it is, of one tier; read and written under the lock of its live code."""
    if text is None:
        return Turns()
    stored = json.loads(text)
    reached, weight = stored["reached"]
    return Turns({int(member): served for member, served in stored["served"].items()}, (reached, weight))


def turns_as_text(turns: Turns) -> str:
    return json.dumps({"served": turns.served, "reached": turns.reached}, separators=(",", ":"))

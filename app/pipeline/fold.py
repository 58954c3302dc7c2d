"""Writes a batch of events into SQL, whatever source it came from. The one way in.

Decides that an event counts once however often and in whatever order it arrives, and that everybody who keeps
something of it is told in the very transaction that records it. What they keep is theirs: the wiring hands them in.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.exc import DataError, IntegrityError

from app.db.upsert import Insert, insert_rows
from app.pipeline.lines import Dead, Entry, Read, as_text, read
from app.pipeline.models import dead_events, events
from app.rules.tally import ScanEvent

log = logging.getLogger(__name__)

Screen = Callable[[Connection, Sequence[ScanEvent]], Sequence[ScanEvent]]
Listener = Callable[[Connection, Sequence[ScanEvent]], None]

REASON_CHARACTERS = 300
_FIELDS = tuple(column.name for column in events.c if column.name != "uid")


@dataclass(frozen=True, slots=True)
class Audience:
    """Who has a part in every event. `screen` may take the visitor off events of people who were erased; `listeners`
    are given new events only, in a fixed order (two consumers that lock rows must lock them in the same order)."""

    screen: Screen = lambda _connection, events: events
    listeners: tuple[Listener, ...] = ()


@dataclass(frozen=True, slots=True)
class Folded:
    """How many entries were new events, and how many were set aside as unreadable."""

    events: int = 0
    dead: int = 0


def fold(connection: Connection, batch: Sequence[ScanEvent], audience: Audience) -> int:
    """Records the events of `batch` that are not known yet, in the caller's transaction; how many there were.

    Idempotent by event id, indifferent to order. Raises DataError or IntegrityError when a store refuses an event.
    """
    unique = {event.id: event for event in batch}
    screened = audience.screen(connection, list(unique.values()))
    # Sorted, so that two consumers given the same events wait for each other instead of locking crosswise.
    rows = sorted((_row(event) for event in screened), key=lambda row: str(row["uid"]))
    if not rows:
        return 0
    fresh = {row[0] for row in insert_rows(connection, events, rows, _unless_known)}
    news = [event for event in screened if event.id in fresh]
    if news:
        for listener in audience.listeners:
            listener(connection, news)
    return len(news)


def _unless_known(statement: Insert) -> Any:
    return statement.on_conflict_do_nothing(index_elements=[events.c.uid]).returning(events.c.uid)


def fold_entries(connection: Connection, entries: Sequence[Entry], audience: Audience) -> Folded:
    """`fold` for entries as they lie in a source: the unreadable ones, and those a store refuses, are set aside."""
    return fold_read(connection, read(entries), audience)


def fold_read(connection: Connection, found: Read, audience: Audience) -> Folded:
    """The same for entries that have been read already, while no lock was held."""
    good, dead = found[0], list(found[1])
    count = _fold_or_split(connection, good, audience, dead) if good else 0
    set_aside(connection, dead)
    return Folded(count, len(dead))


def _fold_or_split(
    connection: Connection, good: Sequence[tuple[Entry, ScanEvent]], audience: Audience, dead: list[Dead]
) -> int:
    """One bad event in a thousand must not hold up the others: on a refusal each half is tried by itself."""
    try:
        with connection.begin_nested():
            return fold(connection, [event for _, event in good], audience)
    except (DataError, IntegrityError) as error:
        if len(good) == 1:
            dead.append(Dead(good[0][0], f"refused: {error.orig}"))
            return 0
    middle = len(good) // 2
    return _fold_or_split(connection, good[:middle], audience, dead) + _fold_or_split(
        connection, good[middle:], audience, dead
    )


def set_aside(connection: Connection, dead: Sequence[Dead]) -> None:
    """Keeps entries nobody can use, with the reason, for a person to look at."""
    if not dead:
        return
    now = datetime.now(UTC)
    rows = [
        {
            "origin": one.entry.origin,
            "raw": as_text(one.entry.raw),
            "reason": as_text(one.reason)[:REASON_CHARACTERS],
            "at": now,
        }
        for one in dead
    ]
    insert_rows(connection, dead_events, rows, _once)
    log.error("set aside %d unreadable scan events; see: flask --app wsgi pipeline dead", len(dead))


def _once(statement: Insert) -> Any:
    return statement.on_conflict_do_nothing()


def _row(event: ScanEvent) -> dict[str, Any]:
    # Not dataclasses.asdict, which copies every value: half of a whole fold's time.
    fields: dict[str, Any] = {name: getattr(event, name) for name in _FIELDS}
    fields["uid"] = event.id
    return fields


def retry_dead(connection: Connection, audience: Audience) -> Folded:
    """Folds what was set aside, in the caller's transaction; what is unreadable still stays set aside."""
    taken = sa.delete(dead_events).returning(dead_events.c.origin, dead_events.c.raw)
    entries = [Entry(row[0], row[1]) for row in connection.execute(taken)]
    return fold_entries(connection, entries, audience)

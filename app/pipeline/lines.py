"""From the text of an entry to the event it says, or to why it says none.

Decides what may enter the tables; everything that arrives here was once accepted from a scanner, so what cannot be
read is handed back with its reason, never dropped.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC
from operator import attrgetter

import sqlalchemy as sa

from app.pipeline.models import events as events_table
from app.rules.tally import ScanEvent

TYPES = frozenset({"scan", "choose", "reroute", "press", "stuck", "release"})
LARGEST_INTEGER = 2**31 - 1
YEARS = range(2000, 2200)

_NUMBERS = tuple(c.name for c in events_table.c if isinstance(c.type, sa.Integer))
_TEXTS = tuple(
    (c.name if c.name != "uid" else "id", c.type.length or 0) for c in events_table.c if isinstance(c.type, sa.String)
)
_NEEDED = ("id", "type", "live_code_id")
_numbers_of = attrgetter(*_NUMBERS)
_texts_of = attrgetter(*(name for name, _ in _TEXTS))


@dataclass(frozen=True, slots=True)
class Entry:
    """One line as it was found. `origin` names its place for ever, so that it is set aside once."""

    origin: str
    raw: bytes | str


@dataclass(frozen=True, slots=True)
class Dead:
    entry: Entry
    reason: str


Read = tuple[list[tuple[Entry, ScanEvent]], list[Dead]]


def read(entries: Iterable[Entry]) -> Read:
    """The events among `entries`, and the rest."""
    good: list[tuple[Entry, ScanEvent]] = []
    dead: list[Dead] = []
    for entry in entries:
        try:
            event = ScanEvent.decode(entry.raw)
            problem = problem_of(event)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            problem = f"not an event: {type(error).__name__}: {error}"
        if problem is None:
            good.append((entry, event))
        else:
            dead.append(Dead(entry, problem))
    return good, dead


def problem_of(event: ScanEvent) -> str | None:
    """Why this event would not fit the tables; SQLite would take it all the same, PostgreSQL refuse a whole batch."""
    for name in _NEEDED:
        if not getattr(event, name):
            return f"{name} is missing"
    if event.type not in TYPES:
        return f"unknown type {event.type!r}"
    if event.at.tzinfo is None or event.at.astimezone(UTC).year not in YEARS:
        return f"at is no moment we keep: {event.at!r}"
    if event.first not in (True, False):
        return "first is not true or false"
    for name, value in zip(_NUMBERS, _numbers_of(event), strict=True):
        if value is not None and (type(value) is not int or not 0 <= value <= LARGEST_INTEGER):
            return f"{name} is not a whole number we can keep"
    for (name, longest), value in zip(_TEXTS, _texts_of(event), strict=True):
        if value is not None and (type(value) is not str or len(value) > longest or not _is_storable(value)):
            return f"{name} is not a text of at most {longest} characters"
    return None


def _is_storable(text: str) -> bool:
    """No NUL, which PostgreSQL refuses, and no half of a surrogate pair, which is no UTF-8."""
    return (text.isascii() and text.isprintable()) or not any(c == "\0" or "\ud800" <= c <= "\udfff" for c in text)


def as_text(raw: bytes | str) -> str:
    """The entry as it can be stored and shown: what is no UTF-8, and NUL, written as escapes."""
    text = raw.decode("utf-8", "backslashreplace") if isinstance(raw, bytes) else raw
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")

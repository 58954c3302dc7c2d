"""Any number of visitors as a file, in flat memory: a thousand rows at a time, each thousand read by itself.

Decides the columns and what a cell may hold; what the columns are called in the reader's language is handed in. One
reading as long as somebody's download would hold up a database; so people who come or go meanwhile may or may not be
in the file.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, tzinfo

from sqlalchemy.orm import Session

from app.people.store import Person, next_visitors
from app.people.wanted import Wanted
from app.rules import regions

AT_ONCE = 1000
COLUMNS = (
    "id", "first_seen_at", "last_seen_at", "scans", "pressed", "country", "province", "city", "device", "app",
    "language", "live_codes", "choices", "members", "placements", "tags",
)  # fmt: skip
BETWEEN = "; "

# Excel runs what begins like this as a formula, in its full-width forms too; an apostrophe makes it a text.
FORMULA_MARKS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
# Without it Excel takes UTF-8 for something else and shows no Chinese.
BYTE_ORDER_MARK = b"\xef\xbb\xbf"

Cell = str | int | datetime | None


def rows(session: Session, asker_id: int | None, wanted: Wanted, language: str) -> Iterator[Sequence[Cell]]:
    """A row a visitor, in the order of their ids. Gives the connection back between its readings."""
    last = 0
    while True:
        found = next_visitors(session, asker_id, wanted, after=last, limit=AT_ONCE)
        session.rollback()
        session.expunge_all()
        yield from (_row(person, language) for person in found.people)
        if found.last is None:
            return
        last = found.last


def csv_bytes(header: Sequence[str], found: Iterable[Sequence[Cell]], zone: tzinfo) -> Iterator[bytes]:
    """A CSV file in pieces, made for Excel: times of `zone`, and nothing in it is a formula."""
    text = io.StringIO()
    write = csv.writer(text).writerow
    write([as_text(name, zone) for name in header])
    yield BYTE_ORDER_MARK + _taken(text)
    for number, row in enumerate(found, 1):
        write([as_text(cell, zone) for cell in row])
        if number % AT_ONCE == 0:
            yield _taken(text)
    yield _taken(text)


def as_text(cell: Cell, zone: tzinfo) -> str:
    match cell:
        case None:
            return ""
        case datetime():
            return cell.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")
        case int():
            return str(cell)
    return f"'{cell}" if cell.startswith(FORMULA_MARKS) else cell


def _taken(text: io.StringIO) -> bytes:
    data = text.getvalue().encode()
    text.seek(0)
    text.truncate()
    return data


def _row(person: Person, language: str) -> Sequence[Cell]:
    return (
        person.id,
        person.first_seen_at,
        person.last_seen_at,
        person.scans,
        person.pressed,
        *_places(person.region, language),
        person.device,
        person.app,
        person.language,
        BETWEEN.join(one.name for one in person.under),
        _joined(one.choice for one in person.under),
        _joined(one.member for one in person.under),
        _joined(one.placement for one in person.under),
        BETWEEN.join(person.tag_names),
    )


def _places(region: str | None, language: str) -> tuple[str | None, str | None, str | None]:
    """Country, province and city by name."""
    parts = region.split("/") if region else []
    keys = ["/".join(parts[: length + 1]) if length < len(parts) else None for length in range(3)]
    country, province, city = (regions.name(key, language) if key else None for key in keys)
    return country, province, city


def _joined(texts: Iterable[str | None]) -> str:
    return BETWEEN.join(dict.fromkeys(text for text in texts if text))

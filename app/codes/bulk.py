"""Several live codes at once: paused, put in a folder, archived, taken back; and written out with their members.

Each is changed as if it were the only one, with its own entry in the audit log, all in the caller's one transaction.
One that is gone, somebody else's or unfit is left out and counted.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, tzinfo

from sqlalchemy.orm import Session

from app.codes import store
from app.codes.cards import Card, cards_of
from app.codes.changes import Asker, Refused
from app.codes.desk import Desk
from app.codes.models import LiveCode
from app.web.csv_file import Cell

MOST = 100  # as many as a page of the list shows at most
AT_ONCE = 50

COLUMNS = (
    "live_code_id", "slug", "short_url", "name", "title", "folder", "live_code_state", "kind", "mode",
    "member_id", "label", "public_name", "member_kind", "member_state", "status", "capacity", "occupied", "pressed",
    "headcount", "weight", "position", "is_fallback", "regions", "opening_times", "expires_at", "owner", "target_url",
)  # fmt: skip


@dataclass(slots=True)
class Done:
    """`before`: what each changed live code's state was, to take it back."""

    before: dict[int, str] = field(default_factory=dict)
    moved: int = 0
    refused: int = 0


def set_states(session: Session, asker: Asker, wanted: Mapping[int, str]) -> Done:
    """Live code → state. What is in that state already counts as done, and is not written down."""
    done = Done()
    for live_code_id, state in list(wanted.items())[:MOST]:
        row = store.find_live_code(session, asker, live_code_id)
        before = row.state if row is not None else ""
        result = store.set_state(session, asker, live_code_id, state)
        if isinstance(result, Refused):
            done.refused += 1
        elif before != state:
            done.before[live_code_id] = before
    return done


def move(session: Session, asker: Asker, ids: Sequence[int], folder: str | None) -> Done:
    """Into this folder; None: out of any."""
    done = Done()
    for live_code_id in ids[:MOST]:
        result = store.put_into(session, asker, live_code_id, folder)
        if isinstance(result, Refused):
            done.refused += 1
        else:
            done.moved += 1
    return done


def rows(session: Session, desk: Desk, live_codes: Iterator[LiveCode], now: datetime) -> Iterator[Sequence[Cell]]:
    """A line for each member, and one for a live code without any; what the columns are called comes first."""
    yield COLUMNS
    batch: list[LiveCode] = []
    for live_code in live_codes:
        batch.append(live_code)
        if len(batch) == AT_ONCE:
            yield from _rows(session, desk, batch, now)
            batch = []
    yield from _rows(session, desk, batch, now)


def _rows(session: Session, desk: Desk, batch: Sequence[LiveCode], now: datetime) -> Iterator[Sequence[Cell]]:
    cards = cards_of(session, desk.ledger, batch, now) if batch else {}
    for code in batch:
        own: tuple[Cell, ...] = (
            code.id, code.slug, desk.short_url(code), code.name, code.title, code.folder or "", code.state, code.kind,
            code.mode,
        )  # fmt: skip
        for card in cards[code.id]:
            yield (*own, *_cells(card, desk.zone))
        if not cards[code.id]:
            yield (*own, *[""] * (len(COLUMNS) - len(own)))


def _cells(card: Card, zone: tzinfo) -> Sequence[Cell]:
    row, version = card.row, card.version
    expires = version.expires_at
    windows = (f"{''.join(map(str, w['days']))} {w['from']}-{w['to']}" for w in row.windows)
    return (
        row.id, row.label, row.public_name, version.kind, row.state, card.status, row.capacity, card.occupied,
        card.pressed, card.generation.headcount, row.weight, row.position, int(row.is_fallback),
        " ".join(row.regions), "; ".join(windows), expires.astimezone(zone).isoformat(timespec="minutes") if expires
        else "", row.owner, version.target,
    )  # fmt: skip

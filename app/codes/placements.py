"""Placements: where a live code hangs, and in which region that is.

Same manners as `store`. A key is printed, so it never changes and is never given to another place: an archived
placement keeps its row, its region no longer counts, and scans that still name it are attributed to it.
"""

from collections.abc import Collection, Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.codes.changes import (
    ARCHIVED,
    NOT_FOUND,
    STALE,
    Asker,
    Refused,
    assign,
    bump,
    facts,
    lock_live_code,
    visible,
)
from app.codes.models import Placement
from app.db.audit import record
from app.rules.slugs import LONGEST_PLACEMENT, is_placement

PLACEMENT_FIELDS = ("name", "region", "archived")
MOST_PLACEMENTS = 500


def find_placement(session: Session, asker: Asker, placement_id: int) -> Placement | None:
    """The placement, archived ones included."""
    query = sa.select(Placement).join(Placement.live_code).where(Placement.id == placement_id, visible(asker))
    return session.scalar(query)


def placements_of(session: Session, live_code_id: int, *, archived: bool = False) -> list[Placement]:
    """In the order they were made. The caller has found the live code before."""
    mine = (Placement.live_code_id == live_code_id) & (Placement.archived.is_(archived))
    return list(session.scalars(sa.select(Placement).where(mine).order_by(Placement.id)))


def add_placement(session: Session, asker: Asker, live_code_id: int, values: Mapping[str, Any]) -> Placement | Refused:
    """A new placement. Without a key one is made of its name."""
    live_code = lock_live_code(session, asker, live_code_id)
    if live_code is None:
        return NOT_FOUND
    if live_code.state == "archived":
        return ARCHIVED
    taken = set(session.scalars(sa.select(Placement.key).where(Placement.live_code_id == live_code_id)))
    if len(taken) >= MOST_PLACEMENTS:
        return Refused("placement_limit", about={"limit": MOST_PLACEMENTS})
    key = values.get("key") or make_key(values["name"], taken)
    if key in taken:
        return Refused("duplicate_placement", {"key": "taken"})
    row = Placement(live_code_id=live_code_id, key=key, name=values["name"], region=values.get("region"))
    session.add(row)
    bump(session, live_code_id)
    after = facts(row, ("key", *PLACEMENT_FIELDS)) | {"live_code_id": live_code_id}
    record(session, asker.actor, "placement.created", "placement", row.id, after=after)
    return row


def make_key(name: str, taken: Collection[str]) -> str:
    """The name in Latin letters, spaces as hyphens, a number behind it where that is taken; else p1, p2 …

    Chinese characters may stand in a key, but each takes nine letters in the address: the printed code gets finer.
    """
    plain = "-".join(name.lower().split())
    stem = plain if plain.isascii() and is_placement(plain) else "p"
    numbered = (f"{stem[: LONGEST_PLACEMENT - 4]}{number}" for number in range(1, MOST_PLACEMENTS + 2))
    wanted = (stem, *numbered) if stem != "p" else tuple(numbered)
    return next(key for key in wanted if key not in taken)


def update_placement(
    session: Session, asker: Asker, placement_id: int, values: Mapping[str, Any], *, version: int | None = None
) -> Placement | Refused:
    """Sets what differs: its name, its region, whether it is archived."""
    row = _lock(session, asker, placement_id)
    if row is None:
        return NOT_FOUND
    if version is not None and version != row.version:
        return STALE
    before, after = assign(row, {name: value for name, value in values.items() if name in PLACEMENT_FIELDS})
    if after:
        row.version += 1
        bump(session, row.live_code_id)
        record(session, asker.actor, _action(after), "placement", row.id, before=before, after=after)
    return row


def _action(after: Mapping[str, Any]) -> str:
    if "archived" not in after:
        return "placement.changed"
    return "placement.archived" if after["archived"] else "placement.restored"


def _lock(session: Session, asker: Asker, placement_id: int) -> Placement | None:
    """The placement, read anew, its live code locked."""
    live_code_id = session.scalar(sa.select(Placement.live_code_id).where(Placement.id == placement_id))
    if live_code_id is None or lock_live_code(session, asker, live_code_id) is None:
        return None
    query = sa.select(Placement).where(Placement.id == placement_id)
    return session.scalar(query.execution_options(populate_existing=True))

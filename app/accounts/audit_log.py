"""The audit log as it is read: filtered, in pages, or all of it for a file."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.db.audit import AuditEntry

AT_ONCE = 500

_live_codes = sa.table("live_codes", *(sa.column(name) for name in ("id", "name")))
_members = sa.table("members", *(sa.column(name) for name in ("id", "label", "public_name")))


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which entries; an empty field asks for all. `until` is exclusive."""

    actor: str = ""
    action: str = ""
    since: datetime | None = None
    until: datetime | None = None
    object_type: str = ""
    object_id: int | None = None

    def conditions(self) -> list[sa.ColumnElement[bool]]:
        found: list[sa.ColumnElement[bool]] = []
        if self.actor:
            found.append(AuditEntry.actor.icontains(self.actor, autoescape=True))
        if self.action:
            found.append(AuditEntry.action.startswith(self.action, autoescape=True))
        if self.since:
            found.append(AuditEntry.at >= self.since)
        if self.until:
            found.append(AuditEntry.at < self.until)
        if self.object_type:
            found.append(AuditEntry.object_type == self.object_type)
        if self.object_id is not None:
            found.append(AuditEntry.object_id == self.object_id)
        return found


def count(session: Session, wanted: Wanted) -> int:
    return session.scalar(sa.select(sa.func.count()).select_from(AuditEntry).where(*wanted.conditions())) or 0


def entries(session: Session, wanted: Wanted, limit: int, offset: int) -> list[AuditEntry]:
    """The newest first."""
    query = sa.select(AuditEntry).where(*wanted.conditions()).order_by(AuditEntry.id.desc())
    return list(session.scalars(query.limit(limit).offset(offset)))


def names(session: Session, found: Sequence[AuditEntry]) -> dict[tuple[str, int | None], str]:
    """What the live codes and member codes of these entries are called by now."""
    ids = {kind: {entry.object_id for entry in found if entry.object_type == kind} for kind in ("live_code", "member")}
    codes = sa.select(_live_codes.c.id, _live_codes.c.name).where(_live_codes.c.id.in_(ids["live_code"]))
    words = sa.func.coalesce(sa.func.nullif(_members.c.label, ""), _members.c.public_name)
    members = sa.select(_members.c.id, words).where(_members.c.id.in_(ids["member"]))
    called = {("live_code", row[0]): row[1] for row in session.execute(codes)}
    return called | {("member", row[0]): row[1] for row in session.execute(members) if row[1]}


def every(session: Session, wanted: Wanted) -> Iterator[AuditEntry]:
    """All of them, the newest first, a few hundred in memory at a time."""
    last: int | None = None
    while True:
        older = [AuditEntry.id < last] if last is not None else []
        query = sa.select(AuditEntry).where(*wanted.conditions(), *older).order_by(AuditEntry.id.desc())
        found = list(session.scalars(query.limit(AT_ONCE)))
        yield from found
        if len(found) < AT_ONCE:
            return
        last = found[-1].id
        session.expunge_all()


def actions(session: Session) -> list[str]:
    """What has been done so far, for a list to choose from."""
    return list(session.scalars(sa.select(AuditEntry.action).distinct().order_by(AuditEntry.action)))


def differences(
    entry: AuditEntry, value_words: Callable[[str, Any], str | None] = lambda _name, _value: None
) -> list[tuple[str, str, str]]:
    """An entry's two sides as rows of (name, before, after); a side that was not written down is "". `value_words`:
    what a value is called, by its field; None shows it as it was written."""
    before, after = entry.before or {}, entry.after or {}
    names = [*before, *(name for name in after if name not in before)]
    return [(name, _shown(before, name, value_words), _shown(after, name, value_words)) for name in names]


def _shown(side: dict[str, Any], name: str, value_words: Callable[[str, Any], str | None]) -> str:
    value = side.get(name)
    if value is None:
        return "–" if name in side else ""
    if (words := value_words(name, value)) is not None:
        return words
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)

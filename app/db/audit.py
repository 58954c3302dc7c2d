"""The audit log: who changed what, from what, to what.

Decides what an entry is made of and that it is written in the very transaction of the change, so that there is never
one without the other. Leaves to the features which changes deserve an entry. Holds no foreign key: an entry outlives
what it speaks of.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.db.base import Base, utc_now_column

Facts = Mapping[str, Any]

# A value under a name with one of these words in it says that it changed, never what it was.
SECRET_WORDS = ("password", "secret", "token", "hash", "cookie", "webhook")
HIDDEN = "•••"
LONGEST_TEXT = 500

_Json = sa.JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


class AuditEntry(Base):
    __tablename__ = "audit_entries"
    __table_args__ = (sa.Index("ix_audit_entries_object", "object_type", "object_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = utc_now_column(index=True)
    user_id: Mapped[int | None] = mapped_column(index=True)
    actor: Mapped[str] = mapped_column(sa.String(320))
    action: Mapped[str] = mapped_column(sa.String(60), index=True)
    object_type: Mapped[str] = mapped_column(sa.String(30))
    object_id: Mapped[int | None]
    before: Mapped[dict[str, Any] | None] = mapped_column(_Json)
    after: Mapped[dict[str, Any] | None] = mapped_column(_Json)
    request_id: Mapped[str | None] = mapped_column(sa.String(64))


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does it: a user's e-mail (with the token's name if a program did it), "command line", "swap link"."""

    name: str
    user_id: int | None = None
    request_id: str | None = None


COMMAND_LINE = Actor("command line")


def record(
    session: Session,
    actor: Actor,
    action: str,
    object_type: str,
    object_id: int | None,
    *,
    before: Facts | None = None,
    after: Facts | None = None,
) -> AuditEntry:
    """Adds one entry to the transaction under way; the caller commits it together with the change.

    `action` is "<object>.<verb in the past>", such as "member.swapped". Of two given states only what differs is
    kept, and secrets are kept as the fact that they changed.
    """
    entry = AuditEntry(
        actor=actor.name[:320],
        user_id=actor.user_id,
        request_id=actor.request_id,
        action=action,
        object_type=object_type,
        object_id=object_id,
        before=_kept(before, other=after),
        after=_kept(after, other=before),
    )
    session.add(entry)
    return entry


def _kept(facts: Facts | None, other: Facts | None) -> dict[str, Any] | None:
    if facts is None:
        return None
    missing = object()
    return {
        name: HIDDEN if _is_secret(name) and value is not None else _plain(value)
        for name, value in facts.items()
        if other is None or other.get(name, missing) != value
    }


def _is_secret(name: str) -> bool:
    return any(word in name.lower() for word in SECRET_WORDS)


def _plain(value: Any) -> Any:
    match value:
        case None | bool() | int() | float():
            return value
        case str():
            return value if len(value) <= LONGEST_TEXT else value[:LONGEST_TEXT] + "…"
        case datetime() | date():
            return value.isoformat()
        case Mapping():
            return {str(name): HIDDEN if _is_secret(str(name)) else _plain(part) for name, part in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_plain(part) for part in value]
        case _:
            return _plain(str(value))

"""What became of one member, in the order of time: uploaded, filling, full, swapped …; and why each version came.

Read only; the caller has found the member before. What people did is in the audit log, what happened by itself among
the alerts, which are another feature's rows and are named here by their columns alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.codes.models import MemberVersion
from app.db import UtcDateTime
from app.db.audit import AuditEntry

MOST = 300
# What a new code is an answer to; the gravest first.
REASONS = ("expired", "full", "suspect", "expiring", "filling")

_alerts = sa.table(
    "alerts",
    sa.column("member_id", sa.Integer),
    sa.column("kind", sa.String),
    sa.column("rank", sa.Integer),
    sa.column("due_at", UtcDateTime),
    sa.column("opened_at", UtcDateTime),
    sa.column("ended_at", UtcDateTime),
)


@dataclass(frozen=True, slots=True)
class Event:
    """Something done (`entry`) or something that happened (`kind`; `rank`: percent, or hours less than none)."""

    at: datetime
    entry: AuditEntry | None = None
    kind: str = ""
    rank: int = 0


def events_of(session: Session, member_id: int) -> list[Event]:
    """The newest first."""
    mine = sa.and_(AuditEntry.object_type == "member", AuditEntry.object_id == member_id)
    done = session.scalars(sa.select(AuditEntry).where(mine).order_by(AuditEntry.id.desc()).limit(MOST))
    found = [Event(entry.at, entry) for entry in done]
    table = _alerts.c
    happened = sa.select(table.due_at, table.kind, table.rank).where(table.member_id == member_id)
    rows = session.execute(happened.order_by(table.opened_at.desc()).limit(MOST))
    found += [Event(row.due_at, None, row.kind, row.rank) for row in rows]
    return sorted(found, key=lambda event: event.at, reverse=True)[:MOST]


def reasons_of(session: Session, member_id: int, versions: Sequence[MemberVersion]) -> Mapping[int, str]:
    """By the version's number: the trouble that was open when it came."""
    table = _alerts.c
    rows = session.execute(
        sa.select(table.kind, table.opened_at, table.ended_at).where(
            table.member_id == member_id, table.kind.in_(REASONS)
        )
    ).all()
    found = {}
    for version in versions:
        at = version.created_at
        open_then = {row.kind for row in rows if row.opened_at <= at and (row.ended_at is None or at <= row.ended_at)}
        reason = next((kind for kind in REASONS if kind in open_then), "")
        if reason and version.number > 1:
            found[version.number] = reason
    return found

"""What was changed about one live code: its audit entries, with those of its choices, placements and members.

Read only; the caller has found the live code before. What an entry is made of is decided in `db.audit`.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.codes.models import Choice, LiveCode, Member, MemberVersion, Placement
from app.db.audit import AuditEntry


def entries_of(
    session: Session, live_code_id: int, *, limit: int, offset: int
) -> tuple[list[tuple[AuditEntry, str]], int]:
    """One page, the newest first, each with the name of what it is about; and the number in all."""
    mine = sa.or_(
        sa.and_(AuditEntry.object_type == "live_code", AuditEntry.object_id == live_code_id),
        sa.and_(
            AuditEntry.object_type == "member",
            AuditEntry.object_id.in_(sa.select(Member.id).where(Member.live_code_id == live_code_id)),
        ),
        sa.and_(
            AuditEntry.object_type == "choice",
            AuditEntry.object_id.in_(sa.select(Choice.id).where(Choice.live_code_id == live_code_id)),
        ),
        sa.and_(
            AuditEntry.object_type == "placement",
            AuditEntry.object_id.in_(sa.select(Placement.id).where(Placement.live_code_id == live_code_id)),
        ),
    )
    total = session.scalar(sa.select(sa.func.count()).select_from(AuditEntry).where(mine)) or 0
    page = sa.select(AuditEntry).where(mine).order_by(AuditEntry.id.desc()).limit(limit).offset(offset)
    entries = list(session.scalars(page))
    names = _names(session, entries)
    return [(entry, names.get((entry.object_type, entry.object_id or 0), "")) for entry in entries], total


def _names(session: Session, entries: Sequence[AuditEntry]) -> dict[tuple[str, int], str]:
    members = {entry.object_id for entry in entries if entry.object_type == "member"}
    choices = {entry.object_id for entry in entries if entry.object_type == "choice"}
    placements = {entry.object_id for entry in entries if entry.object_type == "placement"}
    found: dict[tuple[str, int], str] = {}
    for row in session.scalars(sa.select(Member).where(Member.id.in_(members))):
        found["member", row.id] = row.label or row.public_name or f"#{row.id}"
    for choice in session.scalars(sa.select(Choice).where(Choice.id.in_(choices))):
        found["choice", choice.id] = choice.title
    for placement in session.scalars(sa.select(Placement).where(Placement.id.in_(placements))):
        found["placement", placement.id] = placement.name
    return found


def newest_swaps(
    session: Session, visible: sa.ColumnElement[bool], *, limit: int
) -> list[tuple[Member, MemberVersion, LiveCode]]:
    """The versions that came by a swap and are shown now, the newest first."""
    query = (
        sa.select(Member, MemberVersion, LiveCode)
        .join(
            MemberVersion, sa.and_(MemberVersion.member_id == Member.id, MemberVersion.number == Member.current_version)
        )
        .join(LiveCode, LiveCode.id == Member.live_code_id)
        .where(visible, MemberVersion.number > 1, Member.state != "archived", LiveCode.state != "archived")
        .order_by(MemberVersion.created_at.desc(), MemberVersion.id.desc())
        .limit(limit)
    )
    return [(row[0], row[1], row[2]) for row in session.execute(query)]

"""What a live code will not take: a 201st member, the same target twice, another live code's choice.

Asked inside the transaction that has locked the live code, so that two changes at once cannot both pass.
"""

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.codes.changes import Refused
from app.codes.models import Choice, Member, MemberVersion
from app.rules.kinds import KINDS

MOST_MEMBERS = 200


def find_duplicate(session: Session, member: Member, canonical: str) -> Member | None:
    """Another member of the same live code and choice that shows this target now, archived ones and fallbacks apart."""
    other = (
        sa.select(Member)
        .join(
            MemberVersion, sa.and_(MemberVersion.member_id == Member.id, MemberVersion.number == Member.current_version)
        )
        .where(
            Member.live_code_id == member.live_code_id,
            Member.choice_id.is_not_distinct_from(member.choice_id),
            Member.state != "archived",
            Member.is_fallback.is_(False),
            MemberVersion.canonical == canonical,
        )
    )
    if member.id is not None:
        other = other.where(Member.id != member.id)
    return session.scalars(other.order_by(Member.position, Member.id)).first()


def already_bound(session: Session, member: Member, kind: str, canonical: str, allowed: bool) -> Refused | None:
    """Personal and contact kinds may stand twice on purpose, a group never."""
    if member.is_fallback or member.state == "archived" or (allowed and KINDS[kind].is_contact):
        return None
    other = find_duplicate(session, member, canonical)
    return None if other is None else Refused("duplicate_member", about={"member_id": other.id, "label": other.label})


def too_many(session: Session, live_code_id: int) -> Refused | None:
    standing = sa.select(sa.func.count(Member.id)).where(
        Member.live_code_id == live_code_id, Member.state != "archived"
    )
    full = (session.scalar(standing) or 0) >= MOST_MEMBERS
    return Refused("member_limit", about={"limit": MOST_MEMBERS}) if full else None


def wrong_choice(session: Session, member: Member) -> Refused | None:
    if member.choice_id is None:
        return None
    own = sa.exists().where(
        Choice.id == member.choice_id, Choice.live_code_id == member.live_code_id, Choice.state == "active"
    )
    return None if session.scalar(sa.select(own)) else Refused("invalid", {"choice_id": "unknown"})

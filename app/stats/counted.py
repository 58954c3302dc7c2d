"""How many people are in the groups of a live code, as far as somebody has counted: what is known of joins.

A personal group tells nobody who joined. What is known is what an administrator read off the group, last, of each: a
number of people, whoever sent them there and whenever.
"""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.db import UtcDateTime
from app.rules.kinds import KINDS

_MEMBERS = sa.table(
    "members", sa.column("id"), sa.column("live_code_id"), sa.column("kind"), sa.column("state"),
    sa.column("is_fallback", sa.Boolean), sa.column("current_version"),
)  # fmt: skip
_VERSIONS = sa.table("member_versions", sa.column("member_id"), sa.column("number"), sa.column("generation"))
_GENERATIONS = sa.table(
    "member_generations", sa.column("member_id"), sa.column("number"), sa.column("headcount", sa.Integer),
    sa.column("headcount_at", UtcDateTime),
)  # fmt: skip
_GROUPS = [key for key, kind in KINDS.items() if kind.is_group]


@dataclass(frozen=True, slots=True)
class Counted:
    """`people` in `groups` of `of` groups; the oldest of these counts is from `since`."""

    people: int
    groups: int
    of: int
    since: datetime | None


def counted(session: Session, live_code_id: int) -> Counted | None:
    """Of the groups shown now; None where none was counted."""
    members, versions, own = _MEMBERS.c, _VERSIONS.c, _GENERATIONS.c
    query = (
        sa.select(
            sa.func.sum(own.headcount), sa.func.count(own.headcount), sa.func.count(), sa.func.min(own.headcount_at)
        )
        .select_from(_MEMBERS)
        .join(_VERSIONS, sa.and_(versions.member_id == members.id, versions.number == members.current_version))
        .join(_GENERATIONS, sa.and_(own.member_id == members.id, own.number == versions.generation))
        .where(
            members.live_code_id == live_code_id,
            members.kind.in_(_GROUPS),
            members.state != "archived",
            members.is_fallback.is_(False),
        )
    )
    people, groups, of, since = session.execute(query).one()
    return Counted(int(people), groups, of, since) if groups else None

"""What every change of a live code has in common: who asks, what a refusal is, the lock, the version.

Each change runs inside the caller's `writing(session)`: it first locks the row of its live code, so that the 200-member
limit, duplicates and positions are judged by one transaction at a time, and it ends by raising the live code's version,
so that the next scan on any worker asks for a new snapshot. Which changes there are is up to `store`, `choices`,
`members` and `versions`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.codes.models import Choice, LiveCode, LiveCodeShare, Member
from app.db.audit import Actor


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks, and how far they see: their own live codes and those shared with them, or everybody's where `owner_id`
    is None."""

    actor: Actor
    owner_id: int | None


@dataclass(frozen=True, slots=True)
class Refused:
    """Why nothing was changed: the contract's error code, with what it is about.

    not_found · stale · member_limit · choice_limit · placement_limit · not_grouped · duplicate_member ·
    duplicate_placement · duplicate_host · host_in_use · host_limit · same_code · has_choices · archived · invalid.
    `fields` names what an `invalid` one is about: field → reason; `about` names rows the answer should point to.
    """

    code: str
    fields: Mapping[str, str] = field(default_factory=dict)
    about: Mapping[str, Any] = field(default_factory=dict)


BUMPED = "huozi.bumped"  # in a session's info

NOT_FOUND = Refused("not_found")
STALE = Refused("stale")
ARCHIVED = Refused("archived")


def visible(asker: Asker) -> sa.ColumnElement[bool]:
    """The condition on `LiveCode` every query of this feature carries; another marketer's rows are not found."""
    return LiveCode.id.in_(seen_by(asker.owner_id)) if asker.owner_id is not None else sa.true()


def changeable(asker: Asker) -> sa.ColumnElement[bool]:
    """The same for whoever wants to change something: of what is shared with them, what they may edit."""
    return LiveCode.id.in_(seen_by(asker.owner_id, level="edit")) if asker.owner_id is not None else sa.true()


def seen_by(user_id: int, level: str | None = None) -> sa.CompoundSelect[tuple[int]]:
    """Ids of a user's own live codes and of those shared with them (at this level, where one is named)."""
    shared = sa.select(LiveCodeShare.live_code_id).where(LiveCodeShare.user_id == user_id)
    if level is not None:
        shared = shared.where(LiveCodeShare.level == level)
    return sa.union_all(sa.select(LiveCode.id).where(LiveCode.owner_id == user_id), shared)


def lock_live_code(session: Session, asker: Asker, live_code_id: int) -> LiveCode | None:
    """The live code, read anew and locked until the transaction ends; None when there is none this asker may change."""
    query = (
        sa.select(LiveCode)
        .where(LiveCode.id == live_code_id, changeable(asker))
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return session.scalar(query)


def lock_member(session: Session, asker: Asker, member_id: int) -> Member | None:
    """The member, read anew, its live code locked."""
    live_code_id = session.scalar(sa.select(Member.live_code_id).where(Member.id == member_id))
    if live_code_id is None or lock_live_code(session, asker, live_code_id) is None:
        return None
    return session.scalar(sa.select(Member).where(Member.id == member_id).execution_options(populate_existing=True))


def lock_choice(session: Session, asker: Asker, choice_id: int) -> Choice | None:
    """The choice, read anew, its live code locked; an archived one is gone."""
    live_code_id = session.scalar(sa.select(Choice.live_code_id).where(Choice.id == choice_id))
    if live_code_id is None or lock_live_code(session, asker, live_code_id) is None:
        return None
    return session.scalar(
        sa.select(Choice)
        .where(Choice.id == choice_id, Choice.state == "active")
        .execution_options(populate_existing=True)
    )


def bump(session: Session, live_code_id: int) -> int:
    """Raises the live code's version by one, in SQL, and returns it. The last step of every change a scan could see."""
    session.flush()
    raised = (
        sa.update(LiveCode)
        .where(LiveCode.id == live_code_id)
        .values(version=LiveCode.version + 1, updated_at=datetime.now(UTC))
        .returning(LiveCode.version)
        .execution_options(synchronize_session=False)
    )
    version = session.execute(raised).scalar_one()
    session.info.setdefault(BUMPED, {})[live_code_id] = version
    # What this session holds of the row is older than the row now.
    live_code = session.identity_map.get(sa.orm.util.identity_key(LiveCode, live_code_id))
    if live_code is not None:
        session.refresh(live_code)
    return version


def bumped(session: Session) -> dict[int, int]:
    """Versions raised in this session and not told of yet, by live code; what is asked for once is forgotten."""
    raised: dict[int, int] = session.info.pop(BUMPED, {})
    return raised


def assign(row: Any, values: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Sets what differs; the differing values before and after, both empty when nothing does."""
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    for name, value in values.items():
        old = getattr(row, name)
        if old != value:
            before[name], after[name] = old, value
            setattr(row, name, value)
    return before, after


def facts(row: Any, names: Iterable[str]) -> dict[str, Any]:
    """What the audit log keeps of a row: the named columns that say something."""
    return {name: value for name in names if (value := getattr(row, name)) not in (None, "", [])}


def written(session: Session, member: Member) -> None:
    """The last step of a change of one member: its revision and its live code's version rise."""
    member.revision += 1
    bump(session, member.live_code_id)

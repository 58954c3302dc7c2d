"""Sharing a live code with a colleague: who sees it besides its owner, and who of them may change it.

Decides that only the owner (and whoever sees everything) shares; what a share lets one see and change is decided in
`changes`. Every function runs in the caller's transaction.
"""

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.codes.changes import NOT_FOUND, Asker, Refused, changeable, lock_live_code
from app.codes.models import SHARE_LEVELS, LiveCode, LiveCodeShare
from app.db.audit import record

# What must be seen of a table that belongs to `accounts`: who is there to share with.
_USERS = sa.table(
    "users", sa.column("id", sa.Integer), sa.column("email", sa.String), sa.column("name", sa.String),
    sa.column("role", sa.String), sa.column("is_active", sa.Boolean),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Colleague:
    """`level` None: nothing is shared with them yet."""

    user_id: int
    name: str
    email: str
    level: str | None = None


def may_change(session: Session, asker: Asker, live_code_id: int) -> bool:
    """May they change this live code, and not only look at it?"""
    query = sa.select(LiveCode.id).where(LiveCode.id == live_code_id, changeable(asker))
    return session.scalar(query) is not None


def may_share(asker: Asker, live_code: LiveCode) -> bool:
    return asker.owner_id in (None, live_code.owner_id)


def shared_with(session: Session, live_code_id: int) -> list[Colleague]:
    """By name; people who may no longer log in included, so that they can be taken off."""
    query = (
        sa.select(_USERS.c.id, _USERS.c.name, _USERS.c.email, LiveCodeShare.level)
        .join(LiveCodeShare, LiveCodeShare.user_id == _USERS.c.id)
        .where(LiveCodeShare.live_code_id == live_code_id)
        .order_by(_USERS.c.name, _USERS.c.id)
    )
    return [Colleague(*row) for row in session.execute(query)]


def could_share_with(session: Session, live_code: LiveCode) -> list[Colleague]:
    """Marketers with whom it is not shared: administrators and viewers see it anyway."""
    taken = sa.select(LiveCodeShare.user_id).where(LiveCodeShare.live_code_id == live_code.id)
    query = (
        sa.select(_USERS.c.id, _USERS.c.name, _USERS.c.email)
        .where(_is_marketer(), _USERS.c.id != live_code.owner_id, _USERS.c.id.not_in(taken))
        .order_by(_USERS.c.name, _USERS.c.id)
    )
    return [Colleague(*row) for row in session.execute(query)]


def _is_marketer() -> sa.ColumnElement[bool]:
    return sa.and_(_USERS.c.role == "marketer", _USERS.c.is_active)


def user_of(session: Session, email: str) -> int | None:
    """The id of the marketer with this address, None where there is none to share with."""
    return session.scalar(sa.select(_USERS.c.id).where(_USERS.c.email == email.strip().lower(), _is_marketer()))


def share(session: Session, asker: Asker, live_code_id: int, user_id: int, level: str) -> Colleague | Refused:
    """Lets a marketer see it, or change it, too; shared already, the level becomes this one."""
    live_code = _own(session, asker, live_code_id)
    if live_code is None:
        return NOT_FOUND
    person = session.execute(sa.select(_USERS).where(_USERS.c.id == user_id, _is_marketer())).one_or_none()
    if person is None or user_id == live_code.owner_id or level not in SHARE_LEVELS:
        return Refused("invalid", {"email": "nobody_to_share_with"})
    row = session.get(LiveCodeShare, (live_code_id, user_id))
    before = row.level if row is not None else None
    if row is None:
        session.add(LiveCodeShare(live_code_id=live_code_id, user_id=user_id, level=level))
    else:
        row.level = level
    if before != level:
        _note(session, asker, live_code_id, "live_code.shared", person.email, before, level)
    return Colleague(person.id, person.name, person.email, level)


def unshare(session: Session, asker: Asker, live_code_id: int, user_id: int) -> Colleague | Refused:
    """Takes somebody off; what they changed stays."""
    found = {one.user_id: one for one in shared_with(session, live_code_id)}.get(user_id)
    row = session.get(LiveCodeShare, (live_code_id, user_id))
    if _own(session, asker, live_code_id) is None or found is None or row is None:
        return NOT_FOUND
    session.delete(row)
    _note(session, asker, live_code_id, "live_code.unshared", found.email, found.level, None)
    return found


def _own(session: Session, asker: Asker, live_code_id: int) -> LiveCode | None:
    live_code = lock_live_code(session, asker, live_code_id)
    return live_code if live_code is not None and may_share(asker, live_code) else None


def _note(
    session: Session, asker: Asker, live_code_id: int, action: str, email: str, before: str | None, after: str | None
) -> None:
    record(
        session, asker.actor, action, "live_code", live_code_id,
        before={"colleague": email, "level": before} if before else None,
        after={"colleague": email, "level": after} if after else None,
    )  # fmt: skip

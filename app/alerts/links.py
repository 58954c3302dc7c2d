"""Swap links: one member, some days, so many uses, to be revoked at any moment.

The token is signed (its row's number and its member) and stored nowhere; what it is still good for stands in its row,
and a use is taken by one conditional UPDATE inside the transaction that swaps.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.alerts.models import SwapLink
from app.db.audit import Actor, record
from app.web.signing import sign, verify

PURPOSE = "swap link"
LASTS = timedelta(days=3)
LONGEST = timedelta(days=30)
MOST_USES = 20
# Reading a picture takes a processor's time; somebody who needs more tries has another problem.
MOST_READS = 40


@dataclass(frozen=True, slots=True)
class Stale:
    """Why a link that we have signed is worth nothing now: expired, revoked, used, or too many tries."""

    why: str


def make(
    session: Session,
    actor: Actor,
    member_id: int,
    *,
    version: int,
    now: datetime,
    lasts: timedelta = LASTS,
    most_uses: int = 1,
) -> SwapLink:
    """A new link, in the caller's transaction."""
    row = SwapLink(
        member_id=member_id,
        version=version,
        made_by=actor.name[:320],
        created_at=now,
        expires_at=now + min(lasts, LONGEST),
        most_uses=max(1, min(most_uses, MOST_USES)),
        uses=0,
        reads=0,
    )
    session.add(row)
    session.flush()
    facts = {"member_id": member_id, "expires_at": row.expires_at, "most_uses": row.most_uses}
    record(session, actor, "swap_link.made", "member", member_id, after=facts | {"link": row.id})
    return row


def for_alert(session: Session, member_id: int, version: int, now: datetime) -> SwapLink:
    """The link an alert carries: the one made for this version before, while it is good for another day, else a new
    one. In the caller's transaction."""
    known = session.scalars(
        sa.select(SwapLink)
        .where(
            SwapLink.member_id == member_id,
            SwapLink.version == version,
            SwapLink.made_by == ALERTS.name,
            SwapLink.revoked_at.is_(None),
            SwapLink.uses < SwapLink.most_uses,
            SwapLink.expires_at > now + timedelta(days=1),
        )
        .order_by(SwapLink.id.desc())
    ).first()
    return known or make(session, ALERTS, member_id, version=version, now=now)


ALERTS = Actor("alerts")


def token_of(link: SwapLink, key: str) -> str:
    payload = f"{link.id}.{link.member_id}".encode()
    return sign(PURPOSE, payload, key, expires_at=int(link.expires_at.timestamp()))


def find(session: Session, token: str, key: str, now: datetime) -> SwapLink | Stale | None:
    """The link of a token; None for one that we never signed. A link that is over says why."""
    payload = verify(PURPOSE, token, key)  # its row knows when it ends, so that we can say so
    if payload is None:
        return None
    link_id, _, member_id = payload.decode("ascii", "replace").partition(".")
    row = session.get(SwapLink, int(link_id)) if link_id.isdigit() else None
    if row is None or str(row.member_id) != member_id:
        return None
    return row if (why := _over(row, now)) is None else Stale(why)


def _over(row: SwapLink, now: datetime) -> str | None:
    if row.revoked_at is not None:
        return "revoked"
    if row.uses >= row.most_uses:
        return "used"
    if row.expires_at <= now:
        return "expired"
    return None


def take_read(session: Session, link_id: int) -> bool:
    """Counts one more picture read; false when it was one too many. In the caller's transaction."""
    more = sa.update(SwapLink).where(SwapLink.id == link_id, SwapLink.reads < MOST_READS)
    return session.connection().execute(more.values(reads=SwapLink.reads + 1)).rowcount == 1


def take_use(session: Session, actor: Actor, link_id: int, member_id: int, now: datetime) -> bool:
    """Takes one use, if there is one left, and writes it down; in the transaction that swaps."""
    mine = sa.update(SwapLink).where(
        SwapLink.id == link_id,
        SwapLink.revoked_at.is_(None),
        SwapLink.expires_at > now,
        SwapLink.uses < SwapLink.most_uses,
    )
    if session.connection().execute(mine.values(uses=SwapLink.uses + 1, used_at=now)).rowcount != 1:
        return False
    record(session, actor, "swap_link.used", "member", member_id, after={"link": link_id})
    return True


def revoke(session: Session, actor: Actor, link_id: int, now: datetime) -> bool:
    """In the caller's transaction; false when it was over already."""
    mine = sa.update(SwapLink).where(SwapLink.id == link_id, SwapLink.revoked_at.is_(None))
    if session.connection().execute(mine.values(revoked_at=now)).rowcount != 1:
        return False
    member_id = session.scalar(sa.select(SwapLink.member_id).where(SwapLink.id == link_id))
    record(session, actor, "swap_link.revoked", "member", member_id, after={"link": link_id})
    return True


def of_member(session: Session, member_id: int) -> list[SwapLink]:
    """The newest first."""
    query = sa.select(SwapLink).where(SwapLink.member_id == member_id).order_by(SwapLink.id.desc()).limit(20)
    return list(session.scalars(query))

"""What scans tell about members: that people cannot get in, that a reserve came into play; and what a person answers.

Same manners as `store`. When to say so is decided by the rules and the ledger; these changes are made for them by the
wiring, under an asker of their own.
"""

from datetime import datetime

from sqlalchemy.orm import Session

from app.codes.changes import NOT_FOUND, Asker, Refused, lock_member, written
from app.codes.models import Member
from app.db.audit import record


def trust(session: Session, asker: Asker, member_id: int, *, now: datetime) -> Member | Refused:
    """Somebody looked: people can get in. Reports made before this moment no longer make it suspect."""
    member = lock_member(session, asker, member_id)
    if member is None:
        return NOT_FOUND
    before = {"suspect_at": member.suspect_at}
    if member.suspect_at is not None:
        clear_suspect(member, now)
        written(session, member)
        record(session, asker.actor, "member.trusted", "member", member_id, before=before, after={"suspect_at": None})
    return member


def suspect(session: Session, asker: Asker, member_id: int, *, now: datetime) -> bool:
    """Three people could not get in: passed over while others have room. False when that is known already."""
    member = lock_member(session, asker, member_id)
    if member is None or member.suspect_at is not None:
        return False
    member.suspect_at = now
    written(session, member)
    record(
        session,
        asker.actor,
        "member.suspected",
        "member",
        member_id,
        before={"suspect_at": None},
        after={"suspect_at": now},
    )
    return True


def activate_reserve(session: Session, asker: Asker, member_id: int) -> bool:
    """A reserve came into play: from now on it is a member like any other. False when it was none."""
    member = lock_member(session, asker, member_id)
    if member is None or member.state != "reserve":
        return False
    member.state = "active"
    written(session, member)
    record(
        session,
        asker.actor,
        "member.activated",
        "member",
        member_id,
        before={"state": "reserve"},
        after={"state": "active"},
    )
    return True


def clear_suspect(member: Member, now: datetime) -> None:
    member.suspect_at = None
    member.trusted_at = now

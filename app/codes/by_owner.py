"""What the owner of a group may do through a swap link: see the code shown now, have a new picture read, bind it.

Speaks for one member and nothing else; who holds the link, and whether it is still good, is known by `alerts`, which
hands in the one question that is asked inside the transaction (`take`).
"""

from collections.abc import Callable
from datetime import datetime

from sqlalchemy.orm import Session

from app.codes import limits, members, uploads, versions, wording
from app.codes.cards import card_of
from app.codes.changes import Asker, Refused
from app.codes.desk import Desk
from app.codes.models import Member
from app.codes.pending import pending_of, pending_token
from app.codes.versions import Bound
from app.db import writing
from app.db.audit import Actor
from app.outside.files import StoreFull
from app.rules.swap_link import Shown, Verdict
from app.web.signing import sign, verify

PUBLISHED = "/m/"
PURPOSE = "bound by owner"
NOBODY = Asker(Actor("swap link"), None)


class OwnersDoor:
    """The panel's own functions, for somebody without an account."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def show(self, session: Session, member_id: int, now: datetime) -> Shown | None:
        row = _living(session, member_id)
        if row is None:
            return None
        card = card_of(session, self._desk.ledger, row.live_code, row, now)
        return Shown(
            card.row.public_name or card.row.label or wording.code_number(card.id),
            row.live_code.title,
            card.version.kind,
            PUBLISHED + card.version.image,
            card.version.number,
            card.version.expires_at,
            card.status,
            card.fact.is_group,
        )

    def read(self, session: Session, member_id: int, data: bytes, now: datetime) -> Verdict:
        """Several codes in one picture are refused: whoever holds one group sends that group's code."""
        session.rollback()  # reading takes its time, and nobody shall wait for our transaction
        try:
            bound = uploads.bind_picture(self._desk.shelves, data)
        except StoreFull:
            return Verdict(why=str(wording.gettext("There is no room left for pictures. Nothing was changed.")))
        if isinstance(bound, Refused):
            return Verdict(why=wording.refusal(bound))
        row = _living(session, member_id)
        if row is None:
            return Verdict(why="gone")
        refused = _unfit(session, row, bound)
        if refused is not None:
            return Verdict(why=wording.refusal(refused))
        version, _ = versions.current_versions(session, [row])[row.id]
        return Verdict(
            token=self._token(row, bound, now),
            image=PUBLISHED + bound.image,
            kind=bound.kind,
            other_kind=bound.kind != version.kind,
            expires_at=versions.expiry_of(bound, {}, now).at,
            was_read=bound.read_expires_at is not None,
        )

    def swap(
        self,
        session: Session,
        actor: Actor,
        member_id: int,
        token: str,
        *,
        new_group: bool,
        now: datetime,
        take: Callable[[], bool],
    ) -> str:
        session.rollback()
        row = _living(session, member_id)
        bound = self._bound(row, token, now) if row is not None else None
        if bound is None:
            return "gone"
        with writing(session):
            if not take():
                session.rollback()
                return "taken"
            result = versions.swap(session, Asker(actor, None), member_id, bound, {"new_group": new_group}, now=now)
            if isinstance(result, Refused):
                session.rollback()
                return wording.refusal(result)
        return ""

    def _token(self, row: Member, bound: Bound, now: datetime) -> str:
        """Good for this member alone, although the panel's own would be good for its whole live code."""
        inner = pending_token(bound, row.live_code_id, self._desk.key, now)
        return sign(PURPOSE, f"{row.id}.{inner}".encode(), self._desk.key)

    def _bound(self, row: Member, token: str, now: datetime) -> Bound | None:
        payload = verify(PURPOSE, token, self._desk.key)
        member_id, _, inner = (payload or b"").decode("ascii", "replace").partition(".")
        return pending_of(inner, row.live_code_id, self._desk.key, now) if member_id == str(row.id) else None


def _living(session: Session, member_id: int) -> Member | None:
    row = members.find_member(session, NOBODY, member_id)
    return None if row is None or "archived" in (row.state, row.live_code.state) else row


def _unfit(session: Session, row: Member, bound: Bound) -> Refused | None:
    version, _ = versions.current_versions(session, [row])[row.id]
    if bound.canonical == version.canonical:
        return Refused("same_code")
    return limits.already_bound(session, row, bound.kind, bound.canonical, False)

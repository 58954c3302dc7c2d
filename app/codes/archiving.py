"""Bringing an archived member back as it was: with the cards of its versions, and pinned if it was.

An archived member names no card any more, for cards show names and faces. The way back, which is signed into the page
that offers it, still does, and as long as it is good the files are there; then `sweeping` takes them.
"""

import json
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from app.codes import store
from app.codes.changes import Asker
from app.codes.models import Member
from app.codes.uploads import Shelves
from app.codes.versions import versions_of
from app.web.signing import sign, verify

PURPOSE = "archived"
KEPT_FOR = timedelta(minutes=50)  # shorter than a sweep spares young files
MOST_CARDS = 12  # of the newest versions: the way back travels in a cookie


def way_back(session: Session, shelves: Shelves, member: Member, key: str, now: datetime) -> tuple[str, set[str]]:
    """Before it is archived: a text for `bring_back`, and the cards of older versions, which do not come back."""
    cards = {version.number: version.card for version in versions_of(session, member.id) if version.card}
    kept = {number: cards[number] for number in sorted(cards, reverse=True)[:MOST_CARDS]}
    for name in kept.values():
        shelves.cards.spare(name)
    facts = [member.id, member.live_code.pinned_member_id == member.id, kept]
    text = sign(PURPOSE, json.dumps(facts).encode(), key, expires_at=int((now + KEPT_FOR).timestamp()))
    return text, set(cards.values()) - set(kept.values())


def bring_back(
    session: Session, asker: Asker, shelves: Shelves, member: Member, text: str, key: str, now: datetime
) -> None:
    """In the transaction that takes it out of the archive. A text that is not ours, of another member or too old brings
    nothing back; a pin that was set meanwhile stays."""
    payload = verify(PURPOSE, text, key, now=now.timestamp())
    if payload is None:
        return
    member_id, was_pinned, cards = json.loads(payload)
    if member_id != member.id:
        return
    for version in versions_of(session, member.id):
        name = cards.get(str(version.number))
        if name is not None and version.card is None and shelves.cards.spare(name):
            version.card = name
    if was_pinned and member.live_code.pinned_member_id is None:
        store.pin(session, asker, member.live_code_id, member.id)

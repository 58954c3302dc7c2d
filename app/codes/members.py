"""Members: found, added, changed, ordered, archived. At most 200 that are not archived behind one live code.

Same manners as `store`. What a member shows is its current version's business (`versions`); how a picture or a link
becomes something that can be bound, `uploads`'.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, contains_eager

from app.codes.changes import (
    ARCHIVED,
    NOT_FOUND,
    STALE,
    Asker,
    Refused,
    assign,
    bump,
    facts,
    lock_live_code,
    lock_member,
    visible,
    written,
)
from app.codes.limits import already_bound, too_many, wrong_choice
from app.codes.models import LiveCode, Member, MemberGeneration, MemberVersion
from app.codes.versions import Bound, current_versions, expiry_of, make_version
from app.db.audit import record
from app.rules.kinds import KINDS

FIELDS = (
    "label", "public_name", "owner", "notes", "choice_id", "state", "is_fallback", "capacity", "daily_capacity",
    "weight", "position", "regions", "windows", "latitude", "longitude", "radius_m", "valid_from",
)  # fmt: skip
# A change of one of these can make two members of one choice lead to the same target.
_MOVES = ("choice_id", "is_fallback", "state")


def find_member(session: Session, asker: Asker, member_id: int) -> Member | None:
    """The member, archived ones included; None also where it is somebody else's."""
    query = sa.select(Member).join(Member.live_code).where(Member.id == member_id, visible(asker))
    return session.scalar(query.options(contains_eager(Member.live_code)))


def members_of(session: Session, live_code_id: int, *, archived: bool = False) -> list[Member]:
    """In order of position; archived ones only when asked for. The caller has found the live code before."""
    state = Member.state == "archived" if archived else Member.state != "archived"
    return list(
        session.scalars(
            sa.select(Member).where(Member.live_code_id == live_code_id, state).order_by(Member.position, Member.id)
        )
    )


def add_member(
    session: Session,
    asker: Asker,
    live_code_id: int,
    bound: Bound,
    values: Mapping[str, Any],
    *,
    now: datetime,
    allow_duplicate: bool = False,
) -> Member | Refused:
    """A new member with its first version and generation. Capacity and expiry come from the kind unless given, the
    position is the last; a `headcount` among the values is who sits in the group already."""
    live_code = lock_live_code(session, asker, live_code_id)
    if live_code is None:
        return NOT_FOUND
    if live_code.state == "archived":
        return ARCHIVED
    member = Member(live_code_id=live_code_id, kind=bound.kind, current_version=1)
    member.capacity = KINDS[bound.kind].default_capacity
    member.position = values.get("position") or _last_position(session, live_code_id) + 1
    assign(member, {name: values[name] for name in FIELDS if name in values and name != "position"})
    refused = (
        too_many(session, live_code_id)
        or wrong_choice(session, member)
        or already_bound(session, member, bound.kind, bound.canonical, allow_duplicate)
    )
    if refused is not None:
        return refused
    session.add(member)
    session.flush()
    _begin(session, asker, member, bound, values, now)
    bump(session, live_code_id)
    after = facts(member, FIELDS) | {"live_code_id": live_code_id, "kind": bound.kind, "target": bound.target}
    record(session, asker.actor, "member.created", "member", member.id, after=after)
    return member


def _begin(
    session: Session, asker: Asker, member: Member, bound: Bound, values: Mapping[str, Any], now: datetime
) -> None:
    headcount = values.get("headcount")
    generation = MemberGeneration(member_id=member.id, number=1, counted_from=1, headcount=headcount)
    generation.headcount_at = None if headcount is None else now
    session.add(generation)
    session.add(make_version(member, 1, 1, bound, expiry_of(bound, values, now), asker.actor.name, now))


def update_member(
    session: Session,
    asker: Asker,
    member_id: int,
    values: Mapping[str, Any],
    *,
    version: int | None = None,
    revision: int | None = None,
    allow_duplicate: bool = False,
    image: str | None = None,
    now: datetime | None = None,
) -> Member | Refused:
    """Sets what differs; `expires_at` and `image` (the file to show) go to the current version. Stale when the current
    version is no longer `version`, or the row no longer `revision`. A state takes an archived member back."""
    member = lock_member(session, asker, member_id)
    if member is None:
        return NOT_FOUND
    if (version is not None and version != member.current_version) or (
        revision is not None and revision != member.revision
    ):
        return STALE
    was_archived = member.state == "archived"
    current, _ = current_versions(session, [member])[member.id]
    with session.no_autoflush:
        before, after = assign(member, {name: values[name] for name in FIELDS if name in values})
        was, became = assign(current, _of_version(current, values, image, now or datetime.now(UTC)))
        before, after = before | was, after | became
        refused = _misfit(session, member, current, after, was_archived, allow_duplicate)
    if refused is not None:
        session.expire(member)
        session.expire(current)
        return refused
    if after:
        written(session, member)
        record(session, asker.actor, "member.changed", "member", member.id, before=before, after=after)
    return member


def _of_version(current: MemberVersion, values: Mapping[str, Any], image: str | None, now: datetime) -> dict[str, Any]:
    """A moment that is over expires the code now, not back then: who long-pressed it until now did so while it was
    live, and is to wait for the next one. An expiry that is over already is corrected as it is given."""
    found: dict[str, Any] = {} if image is None else {"image": image}
    if "expires_at" in values:
        moment = values["expires_at"]
        was_live = current.expires_at is None or current.expires_at > now
        ends_now = moment is not None and moment < now and was_live
        found |= {"expires_at": now if ends_now else moment, "expiry_source": "entered"}
    return found


def _misfit(
    session: Session, member: Member, current: MemberVersion, after: Mapping[str, Any], was_archived: bool, allow: bool
) -> Refused | None:
    if was_archived and member.state != "archived" and (refused := too_many(session, member.live_code_id)):
        return refused
    if ("choice_id" in after or was_archived) and (refused := wrong_choice(session, member)):
        return refused
    if any(name in after for name in _MOVES):
        return already_bound(session, member, current.kind, current.canonical, allow)
    return None


def archive_member(session: Session, asker: Asker, member_id: int) -> Member | Refused:
    """Takes the member out for good or until restored. A pin on it is released; the card cuts of its versions, which
    show names and faces, are forgotten: the caller has `uploads.sweep` remove the files."""
    member = lock_member(session, asker, member_id)
    if member is None:
        return NOT_FOUND
    if member.state != "archived":
        before = {"state": member.state}
        member.state = "archived"
        session.execute(sa.update(MemberVersion).where(MemberVersion.member_id == member_id).values(card=None))
        pinned = sa.update(LiveCode).where(LiveCode.id == member.live_code_id, LiveCode.pinned_member_id == member_id)
        session.execute(pinned.values(pinned_member_id=None))
        written(session, member)
        record(session, asker.actor, "member.archived", "member", member_id, before=before, after={"state": "archived"})
    return member


def reorder(session: Session, asker: Asker, live_code_id: int, ids: Sequence[int]) -> list[Member] | Refused:
    """Puts these members first, in this order, and the others after them as they stood; unknown ids are refused."""
    if lock_live_code(session, asker, live_code_id) is None:
        return NOT_FOUND
    standing = {member.id: member for member in members_of(session, live_code_id)}
    if not set(ids) <= standing.keys():
        return Refused("invalid", {"ids": "unknown"})
    order = list(dict.fromkeys([*ids, *standing]))
    if order != list(standing):
        for position, member_id in enumerate(order, 1):
            standing[member_id].position = position
        bump(session, live_code_id)
        before, after = {"order": list(standing)}, {"order": order}
        record(session, asker.actor, "member.reordered", "live_code", live_code_id, before=before, after=after)
    return [standing[member_id] for member_id in order]


def _last_position(session: Session, live_code_id: int) -> int:
    last = sa.select(sa.func.max(Member.position)).where(
        Member.live_code_id == live_code_id, Member.state != "archived"
    )
    return session.scalar(last) or 0

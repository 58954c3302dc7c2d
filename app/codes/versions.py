"""What a member shows and which group it stands for: swapped, rolled back, counted, trusted.

Same manners as `store`. A version owns target, image, expiry and generation; a generation owns the headcount. Seats are
counted per (member, counted_from) by the ledger, so that a headcount or a new group starts the next count and no seat
is ever touched from here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.codes.changes import NOT_FOUND, Asker, Refused, lock_member, written
from app.codes.limits import already_bound
from app.codes.models import Member, MemberGeneration, MemberVersion
from app.db.audit import record
from app.rules.kinds import KINDS


@dataclass(frozen=True, slots=True)
class Bound:
    """What a picture or a link was read as, its files already stored: all that a version is made of but its expiry.

    `image` is what scanners see, `cut` the rectified piece of the upload, `card` a small cut of its card for the panel:
    file names in the store. `read_expires_at`: the date written on the picture, where it could be read.
    """

    kind: str
    target: str
    canonical: str
    image: str
    cut: str | None = None
    card: str | None = None
    read_expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Expiry:
    """When a version ends and how that is known: entered, read, guessed, or none."""

    at: datetime | None
    source: str


def expiry_of(bound: Bound, values: Mapping[str, Any], now: datetime) -> Expiry:
    """Entered beats read, read beats the kind's usual life; an entered null means it never expires."""
    if "expires_at" in values:
        return Expiry(values["expires_at"], "entered")
    if bound.read_expires_at is not None:
        return Expiry(bound.read_expires_at, "read")
    hours = KINDS[bound.kind].lifetime_hours
    return Expiry(None, "none") if hours is None else Expiry(now + timedelta(hours=hours), "guessed")


def versions_of(session: Session, member_id: int) -> list[MemberVersion]:
    """Newest first. The caller has found the member before."""
    query = sa.select(MemberVersion).where(MemberVersion.member_id == member_id)
    return list(session.scalars(query.order_by(MemberVersion.number.desc())))


def generations_of(session: Session, member_id: int) -> list[MemberGeneration]:
    query = sa.select(MemberGeneration).where(MemberGeneration.member_id == member_id)
    return list(session.scalars(query.order_by(MemberGeneration.number)))


def current_versions(session: Session, members: Sequence[Member]) -> dict[int, tuple[MemberVersion, MemberGeneration]]:
    """What these members show and stand for now, by member id, in one query."""
    query = (
        sa.select(MemberVersion, MemberGeneration)
        .join(Member, sa.and_(Member.id == MemberVersion.member_id, Member.current_version == MemberVersion.number))
        .join(
            MemberGeneration,
            sa.and_(
                MemberGeneration.member_id == MemberVersion.member_id,
                MemberGeneration.number == MemberVersion.generation,
            ),
        )
        .where(Member.id.in_([member.id for member in members]))
    )
    return {version.member_id: (version, generation) for version, generation in session.execute(query)}


def make_version(
    member: Member, number: int, generation: int, bound: Bound, expiry: Expiry, by: str, now: datetime
) -> MemberVersion:
    return MemberVersion(
        member_id=member.id,
        number=number,
        generation=generation,
        kind=bound.kind,
        target=bound.target,
        canonical=bound.canonical,
        image=bound.image,
        cut=bound.cut,
        card=bound.card,
        expires_at=expiry.at,
        expiry_source=expiry.source,
        created_at=now,
        created_by=by[:200],
    )


def swap(
    session: Session,
    asker: Asker,
    member_id: int,
    bound: Bound,
    values: Mapping[str, Any],
    *,
    now: datetime,
    allow_duplicate: bool = False,
) -> Member | Refused:
    """Shows another code from now on: the highest version + 1. `values` may hold new_group, headcount, expires_at.

    Same group: seats and headcount stay (a headcount given is a new one). New group: the next generation, counted from
    the headcount given. Without an expiry the kind's default from now, never the old date. Clears `suspect`, enables
    nobody.
    """
    member = lock_member(session, asker, member_id)
    if member is None:
        return NOT_FOUND
    version, generation = current_versions(session, [member])[member_id]
    if bound.canonical == version.canonical:
        return Refused("same_code")
    refused = already_bound(session, member, bound.kind, bound.canonical, allow_duplicate)
    if refused is not None:
        return refused
    if values.get("new_group"):
        generation = _next_generation(session, member_id)
    if values.get("headcount") is not None:
        _count_anew(session, generation, values["headcount"], now)
    number = 1 + _highest(session, MemberVersion.number, MemberVersion.member_id == member_id)
    fresh = make_version(member, number, generation.number, bound, expiry_of(bound, values, now), asker.actor.name, now)
    session.add(fresh)
    _show(member, fresh)
    _clear_suspect(member, now)
    written(session, member)
    record(
        session, asker.actor, "member.swapped", "member", member_id,
        before=_facts(version), after=_facts(fresh) | {"headcount": values.get("headcount")},
    )  # fmt: skip
    return member


def rollback(session: Session, asker: Asker, member_id: int, number: int) -> Member | Refused:
    """Points back to version `number` with all that it owned: target, image, expiry, and the group with its count."""
    member = lock_member(session, asker, member_id)
    if member is None:
        return NOT_FOUND
    wanted = session.scalar(
        sa.select(MemberVersion).where(MemberVersion.member_id == member_id, MemberVersion.number == number)
    )
    if wanted is None:
        return Refused("invalid", {"version": "unknown"})
    version, _ = current_versions(session, [member])[member_id]
    if wanted.number == version.number:
        return member
    refused = already_bound(session, member, wanted.kind, wanted.canonical, allowed=True)
    if refused is not None:
        return refused
    _show(member, wanted)
    written(session, member)
    record(
        session, asker.actor, "member.rolled_back", "member", member_id, before=_facts(version), after=_facts(wanted)
    )
    return member


def take_headcount(session: Session, asker: Asker, member_id: int, count: int, *, now: datetime) -> Member | Refused:
    """So many people are in the group now, as somebody read it off the phone: counting goes on from there."""
    member = lock_member(session, asker, member_id)
    if member is None:
        return NOT_FOUND
    _, generation = current_versions(session, [member])[member_id]
    before = {"headcount": generation.headcount}
    _count_anew(session, generation, count, now)
    _clear_suspect(member, now)
    written(session, member)
    record(session, asker.actor, "member.counted", "member", member_id, before=before, after={"headcount": count})
    return member


def trust(session: Session, asker: Asker, member_id: int, *, now: datetime) -> Member | Refused:
    """Somebody looked: people can get in. Reports made before this moment no longer make it suspect."""
    member = lock_member(session, asker, member_id)
    if member is None:
        return NOT_FOUND
    before = {"suspect_at": member.suspect_at}
    if member.suspect_at is not None:
        _clear_suspect(member, now)
        written(session, member)
        record(session, asker.actor, "member.trusted", "member", member_id, before=before, after={"suspect_at": None})
    return member


def _next_generation(session: Session, member_id: int) -> MemberGeneration:
    mine = MemberGeneration.member_id == member_id
    generation = MemberGeneration(
        member_id=member_id,
        number=1 + _highest(session, MemberGeneration.number, mine),
        counted_from=1 + _highest(session, MemberGeneration.counted_from, mine),
    )
    session.add(generation)
    return generation


def _count_anew(session: Session, generation: MemberGeneration, count: int, now: datetime) -> None:
    """The next count of this member, whichever group it belonged to: no (member, counted_from) is used twice."""
    generation.headcount = count
    generation.headcount_at = now
    session.flush()
    mine = MemberGeneration.member_id == generation.member_id
    generation.counted_from = 1 + _highest(session, MemberGeneration.counted_from, mine)


def _highest(session: Session, column: sa.orm.InstrumentedAttribute[int], mine: sa.ColumnElement[bool]) -> int:
    return session.scalar(sa.select(sa.func.max(column)).where(mine)) or 0


def _show(member: Member, version: MemberVersion) -> None:
    member.current_version = version.number
    member.kind = version.kind


def _clear_suspect(member: Member, now: datetime) -> None:
    member.suspect_at = None
    member.trusted_at = now


def _facts(version: MemberVersion) -> dict[str, Any]:
    return {
        "version": version.number,
        "generation": version.generation,
        "kind": version.kind,
        "target": version.target,
        "expires_at": version.expires_at,
        "expiry_source": version.expiry_source,
    }

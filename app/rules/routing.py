"""What a scan decides: which members, in which order, or which refusal, and why.

Pure. `compile_plan` turns a snapshot, a place and a moment into tiers of candidates; the ledger takes the first with
room. `closed_seat`, `elsewhere` and `overflow` decide the dead ends. `simulation` tells what this means for
one visitor on counts read before, and why.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from hashlib import blake2s

from app.rules import capacity, opening
from app.rules.model import (
    Candidate,
    ChoicePolicy,
    ClosedPolicy,
    Decision,
    LiveCodeState,
    Member,
    MemberState,
    Mode,
    Outcome,
    Plan,
    Rank,
    Refusal,
    Seat,
    Snapshot,
    Tier,
)
from app.rules.regions import Place
from app.rules.targeting import Position, by_place

HOLD_FOR = timedelta(hours=48)
STANDING = (MemberState.ACTIVE, MemberState.RESERVE)


def refusal(snapshot: Snapshot, now: datetime) -> Refusal | None:
    """The live code's own state and dates, before any member is looked at."""
    if snapshot.state is LiveCodeState.ARCHIVED or (snapshot.ends_at is not None and snapshot.ends_at <= now):
        return Refusal(Outcome.ENDED)
    if snapshot.state is LiveCodeState.PAUSED:
        return Refusal(Outcome.PAUSED)
    if snapshot.starts_at is not None and now < snapshot.starts_at:
        return Refusal(Outcome.NOT_STARTED, snapshot.starts_at)
    return None


def scope_of(snapshot: Snapshot, choice_id: int | None = None) -> str:
    """Where one visitor may hold one seat. Several choices allowed: each choice is a scope, dedupe group or not."""
    if snapshot.is_grouped and snapshot.choice_policy is ChoicePolicy.SEVERAL and choice_id is not None:
        return f"lc:{snapshot.id}:c:{choice_id}"
    if snapshot.dedupe_group is not None:
        return f"g:{snapshot.owner_id}:{snapshot.dedupe_group}"
    return f"lc:{snapshot.id}"


def place_of(
    snapshot: Snapshot, *, chosen: str | None, placement: str | None, position: str | None, address: Place
) -> Place:
    """The city they chose, the placement's region, a position they gave, their address: the first that is known.

    A choice counts only where the live code asks for it: elsewhere nobody could take it back. `position` is the region
    of the position; the order of members under `nearest` is by the position itself.
    """
    if chosen is not None and snapshot.asks_city:
        return Place(chosen, "chosen")
    hangs_in = snapshot.placements.get(placement) if placement else None
    if hangs_in is not None:
        return Place(hangs_in, "placement")
    if position is not None:
        return Place(position, "position")
    return address


@dataclass(frozen=True, slots=True)
class Standing:
    """What all plans of one live code share for as long as nothing opens, closes or expires: usable members."""

    keep: Mapping[int, Candidate]
    made_at: datetime
    good_until: datetime | None

    def stands_at(self, now: datetime) -> bool:
        return self.made_at <= now and (self.good_until is None or now < self.good_until)


def stand(snapshot: Snapshot, now: datetime) -> Standing:
    keep = {m.id: capacity.candidate(m) for m in snapshot.members if is_usable(m, now)}
    return Standing(keep, now, opening.next_change(snapshot, now))


def compile_plan(
    snapshot: Snapshot,
    choice_id: int | None,
    place: Place,
    now: datetime,
    position: Position | None = None,
    standing: Standing | None = None,
) -> Plan:
    """The tiers a new visitor is offered, in order, and the seats that stand. O(members): compile once, scan often.

    Active members by place; then reserves, which are only for when no active member has room; then suspects, if nobody
    else can; then, unless the policy is strict, any usable member wherever it is (`last_resort`). `standing`: what
    `stand` made for another plan of this snapshot, where it still holds.
    """
    if standing is None or not standing.stands_at(now):
        standing = stand(snapshot, now)
    keep = standing.keep
    usable = [m for m in _offered(snapshot, choice_id) if m.id in keep]
    groups, strangers = by_place(usable, place.region, snapshot.region_policy, position)
    mode = _mode(snapshot, choice_id)
    return Plan(
        live_code_id=snapshot.id,
        version=snapshot.version,
        tiers=tuple(_tiers(snapshot, choice_id, groups, strangers, mode, now, keep)),
        keep=keep,
        made_at=standing.made_at,
        good_until=standing.good_until,
        opens_at=_next_opening(snapshot, choice_id, place, now, position),
    )


def is_usable(member: Member, now: datetime) -> bool:
    """Has a current image and stands in its dates. Reserves stand too: who holds a seat in one keeps it."""
    return (
        member.state in STANDING
        and member.version is not None
        and (member.valid_from is None or member.valid_from <= now)
        and (member.expires_at is None or now < member.expires_at)
    )


def _mode(snapshot: Snapshot, choice_id: int | None) -> Mode:
    choice = snapshot.choice(choice_id)
    return choice.mode if choice is not None else snapshot.mode


def _offered(snapshot: Snapshot, choice_id: int | None) -> list[Member]:
    """Members of this choice by position; fallbacks are never offered a seat, and a grouped code asks first."""
    if snapshot.is_grouped and choice_id is None:
        return []
    mine = [m for m in snapshot.members if m.choice_id == choice_id and not m.is_fallback]
    return sorted(mine, key=lambda m: (m.position, m.id))


def _tiers(
    snapshot: Snapshot,
    choice_id: int | None,
    groups: list[list[Member]],
    strangers: list[Member],
    mode: Mode,
    now: datetime,
    keep: Mapping[int, Candidate],
) -> Iterable[Tier]:
    pinned = pinned_member(snapshot, choice_id, now)
    if pinned is not None:
        yield _tier(snapshot, Rank.PIN, mode, [capacity.candidate(pinned, pinned=True)])

    def is_open(m: Member) -> bool:
        return opening.is_open(m.windows, now, snapshot.zone)

    for rank, belongs in _RANKS:
        for group in groups:
            if members := [m for m in group if belongs(m) and is_open(m)]:
                yield _tier(snapshot, rank, mode, [keep[m.id] for m in members])
    for _, belongs in _RANKS:
        if members := [m for m in strangers if belongs(m) and is_open(m)]:
            yield _tier(snapshot, Rank.LAST_RESORT, mode, [keep[m.id] for m in members])


def _is_active(m: Member) -> bool:
    return m.state is MemberState.ACTIVE and m.suspect_at is None


def _is_reserve(m: Member) -> bool:
    return m.state is MemberState.RESERVE and m.suspect_at is None


def _is_suspect(m: Member) -> bool:
    return m.suspect_at is not None


_RANKS: tuple[tuple[Rank, Callable[[Member], bool]], ...] = (
    (Rank.ACTIVE, _is_active),
    (Rank.RESERVE, _is_reserve),
    (Rank.SUSPECT, _is_suspect),
)


def _tier(snapshot: Snapshot, rank: Rank, mode: Mode, candidates: list[Candidate]) -> Tier:
    named = ",".join(f"{c.member_id}*{c.weight}" for c in candidates)
    key = f"{snapshot.id}:{blake2s(named.encode(), digest_size=8).hexdigest()}"
    return Tier(rank, mode, tuple(candidates), key)


def pinned_member(snapshot: Snapshot, choice_id: int | None, now: datetime) -> Member | None:
    """The pinned member where it binds: in its own choice, active, with an image, in its dates."""
    member = snapshot.member(snapshot.pinned_member_id)
    if member is None or member.choice_id != choice_id or member.is_fallback:
        return None
    return member if member.state is MemberState.ACTIVE and is_usable(member, now) else None


def _next_opening(
    snapshot: Snapshot, choice_id: int | None, place: Place, now: datetime, position: Position | None
) -> datetime | None:
    waiting = [
        m
        for m in _offered(snapshot, choice_id)
        if m.state in STANDING and m.version is not None and (m.expires_at is None or now < m.expires_at)
    ]
    groups, strangers = by_place(waiting, place.region, snapshot.region_policy, position)
    serving = [*(m for group in groups for m in group), *strangers]
    return min((t for m in serving if (t := opening.opens_at(m, now, snapshot.zone))), default=None)


class Closed(Enum):
    """What becomes of a seat whose member is closed."""

    HOLD = "hold"
    REASSIGN = "reassign"
    FALLBACK = "fallback"


def closed_seat(snapshot: Snapshot, seat: Seat, now: datetime) -> Closed:
    """The held member is expired, disabled, archived or stands for a new group.

    by_press holds only where waiting can help: an expired member of a group kind that this visitor long-pressed while
    its code was live, and for 48 h at most. A person who cannot get in never meets the same wall twice.
    """
    match snapshot.on_closed_member:
        case ClosedPolicy.REASSIGN:
            return Closed.REASSIGN
        case ClosedPolicy.HOLD:
            return Closed.HOLD
        case ClosedPolicy.FALLBACK:
            return Closed.FALLBACK
    member = snapshot.member(seat.member_id)
    if member is None or member.state not in STANDING or not member.is_group:
        return Closed.REASSIGN
    if member.generation != seat.generation or member.expires_at is None or seat.pressed_at is None:
        return Closed.REASSIGN
    waiting_helps = seat.pressed_at < member.expires_at <= now < member.expires_at + HOLD_FOR
    return Closed.HOLD if waiting_helps else Closed.REASSIGN


def elsewhere(other: Snapshot, seat: Seat, now: datetime) -> Member | None:
    """The member held in another live code of the dedupe group, while that code is active and that member usable."""
    member = other.member(seat.member_id)
    if refusal(other, now) is not None or member is None or not is_usable(member, now):
        return None
    return member if member.generation == seat.generation else None


def fallback_member(snapshot: Snapshot, choice_id: int | None, now: datetime) -> Member | None:
    """The choice's own fallback, then the live code's; usable, by position."""
    spare = [
        m
        for m in snapshot.members
        if m.is_fallback
        and m.state is MemberState.ACTIVE
        and is_usable(m, now)
        and (m.choice_id is None or m.choice_id == choice_id)
    ]
    return min(spare, key=lambda m: (m.choice_id is None, m.position, m.id), default=None)


def overflow(snapshot: Snapshot, choice_id: int | None, plan: Plan, now: datetime, *, full: bool) -> Decision:
    """Nobody has room: the fallback, else `full` when somebody fails on capacity alone, else `unavailable`."""
    choice = snapshot.choice(choice_id)
    spare = fallback_member(snapshot, choice_id, now)
    if spare is not None:
        return Decision(Outcome.FALLBACK, spare, choice)
    if full:
        return Decision(Outcome.FULL, None, choice)
    return Decision(Outcome.UNAVAILABLE, None, choice, opens_at=plan.opens_at)

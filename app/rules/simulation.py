"""What one visitor would be shown now, and every member's yes or no: for the panel's simulator and for trial scans.

Decides nothing of its own: `routing` says who is offered in which order, `capacity` who has room. Counts are as they
were read before, and no seat is taken.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from app.rules import capacity, opening
from app.rules.model import (
    Choice,
    Count,
    Decision,
    Member,
    MemberState,
    Outcome,
    Plan,
    Rank,
    Reason,
    RegionPolicy,
    Seat,
    Snapshot,
    Trace,
    Turns,
)
from app.rules.regions import Place
from app.rules.routing import Closed, closed_seat, compile_plan, fallback_member, overflow, refusal
from app.rules.targeting import Position, by_place


@dataclass(frozen=True, slots=True)
class Simulation:
    decision: Decision
    trace: tuple[Trace, ...]


def simulate(
    snapshot: Snapshot,
    *,
    choice_id: int | None,
    place: Place,
    now: datetime,
    counts: Mapping[int, Count],
    turns: Callable[[str], Turns],
    roll: float,
    seat: Seat | None = None,
    refused: Collection[int] = (),
    position: Position | None = None,
) -> Simulation:
    """What this visitor would be shown now, and every member's yes or no. Counts are as read before; takes nothing."""
    plan = compile_plan(snapshot, choice_id, place, now, position)
    trace = explain(snapshot, choice_id, plan, place, now, counts, refused, position)
    return Simulation(_decide(snapshot, choice_id, plan, place, now, counts, turns, roll, seat, refused), trace)


def _decide(
    snapshot: Snapshot,
    choice_id: int | None,
    plan: Plan,
    place: Place,
    now: datetime,
    counts: Mapping[int, Count],
    turns: Callable[[str], Turns],
    roll: float,
    seat: Seat | None,
    refused: Collection[int],
) -> Decision:
    refused_by_code = refusal(snapshot, now)
    if refused_by_code is not None:
        return Decision(refused_by_code.outcome, place=place, opens_at=refused_by_code.opens_at)
    choice: Choice | None = snapshot.choice(choice_id)
    if seat is not None:
        member = snapshot.member(seat.member_id)
        if plan.keeps(seat.member_id, seat.generation):
            return Decision(Outcome.RETURNING, member, choice, place)
        closed = closed_seat(snapshot, seat, now)
        if closed is not Closed.REASSIGN:
            spare = fallback_member(snapshot, choice_id, now) if closed is Closed.FALLBACK else None
            return Decision(Outcome.FALLBACK if spare else Outcome.HELD, spare or member, choice, place)
    if snapshot.is_grouped and choice is None:
        return Decision(Outcome.CHOOSE, place=place)
    today = now.astimezone(snapshot.zone).date()
    full = False
    for tier in plan.tiers:
        with_room = capacity.open_candidates(tier, counts, today, refused)
        if with_room:
            chosen = capacity.choose(tier.mode, with_room, turns(tier.key), roll)
            return Decision(Outcome.ASSIGNED, snapshot.member(chosen.member_id), choice, place)
        full = full or any(c.member_id not in refused for c in tier.candidates)
    answer = overflow(snapshot, choice_id, plan, now, full=full)
    return Decision(answer.outcome, answer.member, answer.choice, place, answer.opens_at)


def explain(
    snapshot: Snapshot,
    choice_id: int | None,
    plan: Plan,
    place: Place,
    now: datetime,
    counts: Mapping[int, Count],
    refused: Collection[int] = (),
    position: Position | None = None,
) -> tuple[Trace, ...]:
    """One line a member, in order of position: eligible or not, and the first reason that holds."""
    today = now.astimezone(snapshot.zone).date()
    told: dict[int, Trace] = {}
    found: Rank | None = None
    for tier in plan.tiers:
        for c in tier.candidates:
            reason = Reason.REFUSED if c.member_id in refused else capacity.lack(c, _count(counts, c.member_id), today)
            if reason is None and found is not None and tier.rank is not Rank.ACTIVE and tier.rank is not found:
                reason = _WAITS[tier.rank]
            if told.get(c.member_id) is None or not told[c.member_id].eligible:
                told[c.member_id] = Trace(c.member_id, reason is None, (reason or tier.rank).value)
        if found is None and any(told[c.member_id].eligible for c in tier.candidates):
            found = tier.rank if tier.rank is not Rank.PIN else None
    members = sorted(
        (m for m in snapshot.members if m.state is not MemberState.ARCHIVED), key=lambda m: (m.position, m.id)
    )
    return tuple(
        told.get(m.id) or Trace(m.id, False, _why_not_offered(snapshot, m, choice_id, place, now, position).value)
        for m in members
    )


_WAITS = {
    Rank.RESERVE: Reason.RESERVE,
    Rank.SUSPECT: Reason.SUSPECT,
    Rank.LAST_RESORT: Reason.OTHER_PLACE,
}


def _count(counts: Mapping[int, Count], member_id: int) -> Count:
    return counts.get(member_id, capacity.NOTHING_COUNTED)


def _why_not_offered(
    snapshot: Snapshot, member: Member, choice_id: int | None, place: Place, now: datetime, position: Position | None
) -> Reason:
    if member.state is MemberState.DISABLED:
        return Reason.DISABLED
    if member.version is None:
        return Reason.NO_CODE
    if member.valid_from is not None and now < member.valid_from:
        return Reason.NOT_YET
    if member.expires_at is not None and member.expires_at <= now:
        return Reason.EXPIRED
    if member.is_fallback:
        return Reason.FALLBACK
    if member.choice_id != choice_id:
        return Reason.OTHER_CHOICE
    groups, strangers = by_place([member], place.region, snapshot.region_policy, position)
    if not groups and not strangers:
        return Reason.TOO_FAR if snapshot.region_policy is RegionPolicy.NEAREST and position else Reason.OTHER_PLACE
    if not opening.is_open(member.windows, now, snapshot.zone):
        return Reason.CLOSED_NOW
    return Reason.NOT_MATCHED

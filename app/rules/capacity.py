"""Who has room, whose turn it is, and what a member's numbers add up to.

Counts people, not page views: occupied = the last headcount + live seats taken since it. Which members are asked, and
in which tiers, is decided in `routing`; keeping the counts is the ledger's work.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime, timedelta
from math import lcm

from app.rules.model import Candidate, Count, Member, MemberState, Mode, Reason, Snapshot, Tier, Turns

NOTHING_COUNTED = Count()
EXPIRING_WITHIN = timedelta(hours=48)


def occupied(member: Member, count: Count) -> int:
    """Seats spoken for in the group this member stands for now; 0 for a fallback, which is never counted."""
    return 0 if member.is_fallback else member.headcount + count.counted


def room(member: Member, count: Count) -> int | None:
    """Seats left, never negative; None where there is no capacity."""
    if member.capacity is None or member.is_fallback:
        return None
    return max(0, member.capacity - occupied(member, count))


def status_of(member: Member, taken: int, now: datetime) -> str:
    """The contract's derived `status`: the first of the list that holds. `taken`: occupied seats."""
    if member.state is not MemberState.ACTIVE:
        return member.state.value
    if member.valid_from is not None and now < member.valid_from:
        return "not_yet"
    if member.expires_at is not None and member.expires_at <= now:
        return "expired"
    if member.suspect_at is not None:
        return "suspect"
    if member.capacity is not None and taken >= member.capacity:
        return "full"
    if member.expires_at is not None and member.expires_at - now < EXPIRING_WITHIN:
        return "expiring"
    if member.capacity is not None and taken * 5 >= member.capacity * 4:
        return "filling"
    return "active"


def lapses_before(snapshot: Snapshot, now: datetime) -> datetime | None:
    """Seats of group kinds taken before this moment and never pressed stop counting; None: never."""
    hours = snapshot.unpressed_seat_hours
    return now - timedelta(hours=hours) if hours else None


def candidate(member: Member, *, pinned: bool = False) -> Candidate:
    """The member as the ledger sees it; a pin overrides its daily capacity, never its capacity."""
    return Candidate(
        member_id=member.id,
        generation=member.generation,
        counted_from=member.counted_from,
        limit=None if member.capacity is None else max(0, member.capacity - member.headcount),
        daily_limit=None if pinned else member.daily_capacity,
        weight=member.weight,
        lapses=member.is_group,
        is_reserve=member.state is MemberState.RESERVE,
        version=member.version,
    )


def lack(candidate: Candidate, count: Count, today: date) -> Reason | None:
    """Why nobody more fits in, None when somebody does."""
    if candidate.limit is not None and count.counted >= candidate.limit:
        return Reason.FULL
    if candidate.daily_limit is not None and count.taken_on(today) >= candidate.daily_limit:
        return Reason.DAILY_FULL
    return None


def open_candidates(tier: Tier, counts: Mapping[int, Count], today: date, refused: Collection[int]) -> list[Candidate]:
    return [
        c
        for c in tier.candidates
        if c.member_id not in refused and lack(c, counts.get(c.member_id, NOTHING_COUNTED), today) is None
    ]


def choose(mode: Mode, having_room: Sequence[Candidate], turns: Turns, roll: float) -> Candidate:
    """The next one by the mode, among candidates that all have room (at least one, in order of position)."""
    if mode is Mode.SEQUENTIAL:
        return having_room[0]
    if mode is Mode.RANDOM:
        return draw(having_room, roll)[0]
    # A pass is served/weight: compared exactly, as whole numbers over the weights' common multiple.
    common = lcm(*{c.weight for c in having_room})
    return min(having_room, key=lambda c: _served(c, turns) * (common // c.weight))


def take_turn(chosen: Candidate, turns: Turns) -> Turns:
    """The turn state after `chosen` was served.

    Stride scheduling in integers: a member's pass is served/weight, the lowest goes next. Whoever was not eligible for
    a while, or is new, is lifted to the pass reached meanwhile, so that nobody catches up.
    """
    served = _served(chosen, turns)
    return Turns({**turns.served, chosen.member_id: served + 1}, (served, chosen.weight))


def _served(candidate: Candidate, turns: Turns) -> int:
    reached, weight = turns.reached
    lifted = -(-reached * candidate.weight // weight)
    return max(turns.served.get(candidate.member_id, 0), lifted)


def draw(candidates: Sequence[Candidate], roll: float) -> tuple[Candidate, float]:
    """One by weight, and a roll for the next draw: where in the chosen one's part this roll fell, as even as before."""
    mark = roll * sum(c.weight for c in candidates)
    for c in candidates:
        if mark < c.weight:
            return c, max(0.0, mark / c.weight)
        mark -= c.weight
    return candidates[-1], 0.0

"""How many members of the live codes that run are in which state: for numbers that are asked for every few seconds.

Reads only. SQL sorts members into heaps that the rules cannot tell apart, and the rules are asked about one of each
heap. Only those that may be filling up, by the counts that lie in SQL, are asked of the ledger one by one: with Redis
these counts are a second old, and so the margin. No snapshot is read, which costs a fresh process seconds.
"""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.db import UtcDateTime
from app.ledger import CountKey, Ledger
from app.ledger.tables import member_counts
from app.rules import capacity
from app.rules.kinds import KINDS
from app.rules.model import Count, Member, MemberState

AT_ONCE = 5000  # keys in one question to the ledger; PostgreSQL takes 75 ms for 9,000 by 2,000, 50 ms at once
# "Filling" begins at four fifths; nothing seats so many more in the second by which SQL may lag.
MARGIN = 20

_live_codes = sa.table(
    "live_codes",
    sa.column("id", sa.Integer),
    sa.column("state", sa.String),
    sa.column("ends_at", UtcDateTime),
    sa.column("unpressed_seat_hours", sa.Integer),
)
_members = sa.table(
    "members",
    sa.column("id", sa.Integer),
    sa.column("live_code_id", sa.Integer),
    sa.column("state", sa.String),
    sa.column("is_fallback", sa.Boolean),
    sa.column("capacity", sa.Integer),
    sa.column("valid_from", UtcDateTime),
    sa.column("suspect_at", UtcDateTime),
    sa.column("current_version", sa.Integer),
)
_versions = sa.table(
    "member_versions",
    sa.column("member_id", sa.Integer),
    sa.column("number", sa.Integer),
    sa.column("generation", sa.Integer),
    sa.column("kind", sa.String),
    sa.column("expires_at", UtcDateTime),
)
_generations = sa.table(
    "member_generations",
    *(sa.column(name, sa.Integer) for name in ("member_id", "number", "counted_from", "headcount")),
)


class _Heap(NamedTuple):
    """Members whose state is the same. `ends`: one of LATER, SOON, OVER. `capacity` None: it does not matter."""

    state: str
    is_early: bool
    ends: int
    is_suspect: bool
    capacity: int | None = None
    taken: int = 0


LATER, SOON, OVER = 0, 1, 2


def members_by_status(session: Session, ledger: Ledger, now: datetime) -> Mapping[str, int]:
    """By the contract's states. Raises LedgerDown where nobody knows who has room."""
    sizes: Counter[_Heap] = Counter()
    alone: list[tuple[int, int, int, CountKey]] = []  # ends, capacity, headcount
    for size, member_id, state, is_early, ends, is_suspect, *rest in session.execute(_heaps(now)):
        if member_id is None:
            sizes[_Heap(state, bool(is_early), ends, bool(is_suspect))] += size
            continue
        limit, headcount, kind, hours, *key = rest
        before = now - timedelta(hours=hours) if hours and KINDS[kind].is_group else None
        alone.append((ends, limit, headcount, CountKey(key[0], member_id, key[1], key[2], before)))
    counts = _counts(ledger, [key for *_, key in alone])
    for ends, limit, headcount, asked in alone:
        taken = headcount + counts.get(asked.member_id, capacity.NOTHING_COUNTED).counted
        sizes[_Heap(MemberState.ACTIVE, False, ends, False, limit, taken)] += 1
    found: dict[str, int] = {}
    for heap, size in sizes.items():
        status = capacity.status_of(_one_of(heap, now), heap.taken, now)
        found[status] = found.get(status, 0) + size
    return found


def _heaps(now: datetime) -> sa.Select[Any]:
    """A row a heap; one that may be filling up lies in a heap of its own, with its id and what the ledger is asked."""
    at, soon = (sa.literal(moment, UtcDateTime()) for moment in (now, now + capacity.EXPIRING_WITHIN))
    row, version, generation = _members.c, _versions.c, _generations.c
    is_early = sa.case((row.valid_from > at, 1), else_=0)
    is_suspect = sa.case((row.suspect_at.is_not(None), 1), else_=0)
    ends = sa.case((version.expires_at <= at, OVER), (version.expires_at < soon, SOON), else_=LATER)
    headcount = sa.func.coalesce(generation.headcount, 0)
    taken = headcount + sa.func.coalesce(member_counts.c.counted, 0)
    may_fill = sa.and_(
        row.state == MemberState.ACTIVE,
        row.is_fallback.is_(False),
        is_early == 0,
        is_suspect == 0,
        ends != OVER,
        (taken + MARGIN) * 5 >= row.capacity * 4,
    )
    heap = (sa.case((may_fill, row.id)), row.state, is_early, ends, is_suspect)
    asked = (
        row.capacity, headcount, version.kind, _live_codes.c.unpressed_seat_hours,
        row.live_code_id, generation.number, generation.counted_from,
    )  # fmt: skip
    names = [f"heap_{number}" for number in range(len(heap))]
    return (
        sa.select(
            sa.func.count(),
            *(part.label(name) for part, name in zip(heap, names, strict=True)),
            *map(sa.func.min, asked),
        )
        .select_from(_members)
        .join(_live_codes, _live_codes.c.id == row.live_code_id)
        .join(_versions, sa.and_(version.member_id == row.id, version.number == row.current_version))
        .join(_generations, sa.and_(generation.member_id == row.id, generation.number == version.generation))
        .outerjoin(
            member_counts,
            sa.and_(member_counts.c.member_id == row.id, member_counts.c.counted_from == generation.counted_from),
        )
        .where(_live_codes.c.state == "active", sa.or_(_live_codes.c.ends_at.is_(None), _live_codes.c.ends_at > at))
        .group_by(*map(sa.text, names))
    )


def _one_of(heap: _Heap, now: datetime) -> Member:
    """Somebody out of the heap, for the rules to judge: they ask of a moment only whether it is before or after."""
    moments = {LATER: None, SOON: now + capacity.EXPIRING_WITHIN / 2, OVER: now}
    return Member(
        id=0,
        kind="",
        is_group=False,
        position=0,
        generation=1,
        counted_from=1,
        headcount=0,
        state=MemberState(heap.state),
        capacity=heap.capacity,
        valid_from=now + timedelta(seconds=1) if heap.is_early else None,
        expires_at=moments[heap.ends],
        suspect_at=now if heap.is_suspect else None,
    )


def _counts(ledger: Ledger, keys: list[CountKey]) -> Mapping[int, Count]:
    found: dict[int, Count] = {}
    for start in range(0, len(keys), AT_ONCE):
        found.update(ledger.counts(keys[start : start + AT_ONCE]))
    return found

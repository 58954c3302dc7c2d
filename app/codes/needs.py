"""What needs somebody now: codes that expired or are about to, that are full, that nobody gets into; live codes without
room.

Read only, in the caller's transaction. Looks at live codes that run now; what is paused, ended or archived needs
nobody. What is done about a need is up to `today_pages` and `swap_pages`.
"""

import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.codes.cards import Card, count_key, counts_of, make_cards
from app.codes.changes import Asker, visible
from app.codes.models import LiveCode, Member, MemberGeneration, MemberVersion
from app.codes.snapshot import windows_of
from app.ledger import Ledger
from app.rules import capacity, opening
from app.rules import model as rules
from app.rules.kinds import KINDS
from app.rules.model import Count, MemberState

# A member's troubles and a live code's, the most urgent first.
ORDER = ("nobody", "expired", "suspect", "expiring", "low", "full", "empty")
SWAPPED = ("expired", "suspect", "expiring", "full")
# A live code is low when four fifths of its room are gone; a single full code among empty ones needs nobody.
LOW_SHARE = 5
KEPT_SECONDS = 30
MOST_KEPT = 200


@dataclass(frozen=True, slots=True)
class Need:
    """`member_id` None: the live code as a whole. `room`: seats left in the live code; None: no limit."""

    why: str
    live_code_id: int
    member_id: int | None = None
    at: datetime | None = None
    room: int | None = None


@dataclass(frozen=True, slots=True)
class _Fact:
    live_code_id: int
    member: rules.Member
    count: Count | None

    @property
    def taken(self) -> int:
        return 0 if self.count is None else capacity.occupied(self.member, self.count)


class NeedsKept:
    """Answers `needs` again for a while where no live code has changed since: counting 25,000 seats takes its time,
    and the start page, the list and the queue all ask. An edit shows at once, a seat taken in half a minute."""

    def __init__(self) -> None:
        self._kept: OrderedDict[int | None, tuple[Any, datetime, list[Need]]] = OrderedDict()
        self._lock = threading.Lock()

    def needs(self, session: Session, ledger: Ledger, asker: Asker, now: datetime, zone: tzinfo) -> list[Need]:
        mark = _mark(session, asker)
        with self._lock:
            known = self._kept.get(asker.owner_id)
        if known is not None and known[0] == mark and timedelta() <= now - known[1] < timedelta(seconds=KEPT_SECONDS):
            return known[2]
        found = needs(session, ledger, asker, now, zone)
        with self._lock:
            self._kept[asker.owner_id] = mark, now, found
            self._kept.move_to_end(asker.owner_id)
            while len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
        return found


def _mark(session: Session, asker: Asker) -> tuple[Any, ...]:
    """Another one after every change of a live code this asker sees."""
    query = sa.select(sa.func.count(), sa.func.sum(LiveCode.version), sa.func.max(LiveCode.updated_at))
    return tuple(session.execute(query.where(visible(asker))).one())


def needs(session: Session, ledger: Ledger, asker: Asker, now: datetime, zone: tzinfo) -> list[Need]:
    """All of them, in order of urgency, then of time."""
    by_code: dict[int, list[_Fact]] = {live_code_id: [] for live_code_id in _running(session, asker, now)}
    for fact in _facts(session, ledger, asker, now):
        if fact.live_code_id in by_code:
            by_code[fact.live_code_id].append(fact)
    found = [need for live_code_id, facts in by_code.items() for need in _needs_of(live_code_id, facts, now, zone)]
    return sorted(found, key=lambda need: (ORDER.index(need.why), need.at or now, need.live_code_id))


def _needs_of(live_code_id: int, facts: Sequence[_Fact], now: datetime, zone: tzinfo) -> Iterable[Need]:
    seated = [fact for fact in facts if not fact.member.is_fallback]
    statuses = {fact.member.id: capacity.status_of(fact.member, fact.taken, now) for fact in facts}
    open_ones = [fact for fact in seated if _takes(fact, now, zone)]
    room = _room(open_ones)
    is_low = room is not None and room * LOW_SHARE <= _limit(seated, now)
    if not facts:
        yield Need("empty", live_code_id, room=0)
    elif not open_ones:
        yield Need("nobody", live_code_id, room=0)
    elif is_low:
        yield Need("low", live_code_id, room=room)
    for fact in facts:
        status = statuses[fact.member.id]
        if status in ("expired", "expiring"):
            yield Need(status, live_code_id, fact.member.id, fact.member.expires_at, room)
        elif status == "suspect":
            yield Need(status, live_code_id, fact.member.id, fact.member.suspect_at, room)
        elif status == "full" and not fact.member.is_fallback and (is_low or not open_ones):
            yield Need(status, live_code_id, fact.member.id, None, room)


def _takes(fact: _Fact, now: datetime, zone: tzinfo) -> bool:
    member = fact.member
    if member.state not in (MemberState.ACTIVE, MemberState.RESERVE) or not opening.is_open(member.windows, now, zone):
        return False
    dated = (member.valid_from is None or member.valid_from <= now) and (
        member.expires_at is None or now < member.expires_at
    )
    free = fact.count is None or capacity.room(member, fact.count) != 0
    today = now.astimezone(zone).date()
    spent = fact.count is not None and member.daily_capacity is not None
    return dated and free and not (spent and fact.count.taken_on(today) >= (member.daily_capacity or 0))  # type: ignore[union-attr]


def _room(open_ones: Sequence[_Fact]) -> int | None:
    rooms = [None if fact.count is None else capacity.room(fact.member, fact.count) for fact in open_ones]
    return None if None in rooms else sum(room or 0 for room in rooms)


def _limit(seated: Sequence[_Fact], now: datetime) -> int:
    standing = (f.member for f in seated if f.member.expires_at is None or now < f.member.expires_at)
    return sum(member.capacity or 0 for member in standing)


def _running(session: Session, asker: Asker, now: datetime) -> list[int]:
    return list(
        session.scalars(
            sa.select(LiveCode.id).where(
                visible(asker),
                LiveCode.state == "active",
                sa.or_(LiveCode.ends_at.is_(None), LiveCode.ends_at > now),
            )
        )
    )


def _facts(session: Session, ledger: Ledger, asker: Asker, now: datetime) -> list[_Fact]:
    """Members that are on or in reserve, with their counts; plain rows, because there may be tens of thousands."""
    query = (
        sa.select(
            Member.live_code_id, LiveCode.unpressed_seat_hours, Member.id, Member.state, Member.is_fallback,
            Member.capacity, Member.daily_capacity, Member.windows, Member.valid_from, Member.suspect_at,
            MemberVersion.kind, MemberVersion.expires_at,
            MemberGeneration.number, MemberGeneration.counted_from, MemberGeneration.headcount,
        )
        .join(LiveCode, LiveCode.id == Member.live_code_id)
        .join(
            MemberVersion, sa.and_(MemberVersion.member_id == Member.id, MemberVersion.number == Member.current_version)
        )
        .join(
            MemberGeneration,
            sa.and_(MemberGeneration.member_id == Member.id, MemberGeneration.number == MemberVersion.generation),
        )
        .where(visible(asker), LiveCode.state == "active", Member.state.in_(("active", "reserve")))
    )  # fmt: skip
    rows = session.execute(query).all()
    members = [_member(row) for row in rows]
    keys = [
        count_key(row.live_code_id, member, row.unpressed_seat_hours, now)
        for row, member in zip(rows, members, strict=True)
    ]
    counts = counts_of(ledger, keys)
    return [
        _Fact(row.live_code_id, member, None if counts is None else counts.get(member.id, capacity.NOTHING_COUNTED))
        for row, member in zip(rows, members, strict=True)
    ]


def _member(row: Any) -> rules.Member:
    return rules.Member(
        id=row.id,
        kind=row.kind,
        is_group=KINDS[row.kind].is_group,
        position=0,
        generation=row.number,
        counted_from=row.counted_from,
        headcount=row.headcount or 0,
        state=MemberState(row.state),
        is_fallback=row.is_fallback,
        capacity=row.capacity,
        daily_capacity=row.daily_capacity,
        windows=windows_of(row.windows),
        valid_from=row.valid_from,
        expires_at=row.expires_at,
        suspect_at=row.suspect_at,
    )


def cards_for(
    session: Session, ledger: Ledger, asker: Asker, needed: Sequence[Need], now: datetime
) -> tuple[dict[int, LiveCode], dict[int, Card]]:
    """The live codes and the members these needs speak of, by id."""
    codes = session.scalars(
        sa.select(LiveCode).where(LiveCode.id.in_({need.live_code_id for need in needed}), visible(asker))
    )
    by_id = {live_code.id: live_code for live_code in codes}
    wanted = {need.member_id for need in needed if need.member_id is not None}
    members = session.scalars(sa.select(Member).where(Member.id.in_(wanted), Member.live_code_id.in_(by_id)))
    return by_id, {card.id: card for card in make_cards(session, ledger, by_id, list(members), now)}

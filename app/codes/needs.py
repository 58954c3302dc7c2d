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
from app.codes.models import Choice, LiveCode, Member, MemberGeneration, MemberVersion
from app.codes.snapshot import windows_of
from app.ledger import Ledger
from app.ledger.tables import member_counts
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
    """`member_id` None: the live code as a whole, or one choice of it. `room`: seats left there; None: no limit."""

    why: str
    live_code_id: int
    member_id: int | None = None
    at: datetime | None = None
    room: int | None = None
    choice_id: int | None = None


@dataclass(frozen=True, slots=True)
class _Fact:
    live_code_id: int
    choice_id: int | None
    member: rules.Member
    count: Count | None

    @property
    def taken(self) -> int:
        return 0 if self.count is None else capacity.occupied(self.member, self.count)


class NeedsKept:
    """Answers `needs` again for a while where no live code has changed since: on a large installation it takes time,
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
    """All of them, in order of urgency, then of time. Looks closely at those live codes only that may need somebody."""
    return needs_among(session, ledger, sorted(suspicious(session, asker, now)), now, zone)


def needs_among(session: Session, ledger: Ledger, ids: Sequence[int], now: datetime, zone: tzinfo) -> list[Need]:
    """The needs of these live codes, which run now and are the asker's to see."""
    by_code: dict[int, list[_Fact]] = {live_code_id: [] for live_code_id in ids}
    for fact in _facts(session, ledger, ids, now):
        by_code[fact.live_code_id].append(fact)
    asked = _choices(session, ids)
    found = [
        need
        for live_code_id, facts in by_code.items()
        for need in _needs_of(live_code_id, facts, asked.get(live_code_id, [None]), now, zone)
    ]
    return sorted(found, key=lambda need: (ORDER.index(need.why), need.at or now, need.live_code_id))


def _needs_of(
    live_code_id: int, facts: Sequence[_Fact], choices: Sequence[int | None], now: datetime, zone: tzinfo
) -> Iterable[Need]:
    """Room is looked at choice by choice: who chose one is sent nowhere else."""
    if not facts:
        yield Need("empty", live_code_id, room=0)
        return
    rooms: dict[int | None, _Room] = {}
    for choice_id in choices:
        rooms[choice_id] = room = _room_of([f for f in facts if _seats(f) and f.choice_id == choice_id], now, zone)
        if room.is_closed:
            yield Need("nobody", live_code_id, room=0, choice_id=choice_id)
        elif room.is_low:
            yield Need("low", live_code_id, room=room.left, choice_id=choice_id)
    for fact in facts:
        yield from _need_of(live_code_id, fact, rooms.get(fact.choice_id), now)


def _need_of(live_code_id: int, fact: _Fact, room: "_Room | None", now: datetime) -> Iterable[Need]:
    status = _status_of(fact, now)
    left = room.left if room is not None else None
    if status in ("expired", "expiring"):
        yield Need(status, live_code_id, fact.member.id, fact.member.expires_at, left)
    elif status == "suspect":
        yield Need(status, live_code_id, fact.member.id, fact.member.suspect_at, left)
    elif status == "full" and room is not None and _seats(fact) and (room.is_low or room.is_closed):
        yield Need(status, live_code_id, fact.member.id, None, left)


def _status_of(fact: _Fact, now: datetime) -> str:
    """A reserve's own date counts, too: one whose code died in the drawer cannot step in."""
    status = capacity.status_of(fact.member, fact.taken, now)
    if fact.member.state is not MemberState.RESERVE or fact.member.expires_at is None:
        return status
    if fact.member.expires_at <= now:
        return "expired"
    return "expiring" if fact.member.expires_at - now < capacity.EXPIRING_WITHIN else status


@dataclass(frozen=True, slots=True)
class _Room:
    """`left` None: without limit."""

    is_closed: bool
    is_low: bool
    left: int | None


def _room_of(seated: Sequence[_Fact], now: datetime, zone: tzinfo) -> _Room:
    open_ones = [fact for fact in seated if _takes(fact, now, zone)]
    rooms = [None if fact.count is None else capacity.room(fact.member, fact.count) for fact in open_ones]
    left = None if None in rooms else sum(room or 0 for room in rooms)
    standing = (f.member for f in seated if f.member.expires_at is None or now < f.member.expires_at)
    limit = sum(member.capacity or 0 for member in standing)
    return _Room(not open_ones, left is not None and left * LOW_SHARE <= limit, left)


def _seats(fact: _Fact) -> bool:
    return not fact.member.is_fallback


def _takes(fact: _Fact, now: datetime, zone: tzinfo) -> bool:
    """Could somebody be sent there at this moment, place apart?"""
    member, count = fact.member, fact.count
    begun = member.valid_from is None or member.valid_from <= now
    if not begun or (member.expires_at is not None and member.expires_at <= now):
        return False
    if not opening.is_open(member.windows, now, zone):
        return False
    if count is None:
        return True
    spent = member.daily_capacity is not None and count.taken_on(now.astimezone(zone).date()) >= member.daily_capacity
    return not spent and capacity.room(member, count) != 0


_SHOWN = sa.and_(MemberVersion.member_id == Member.id, MemberVersion.number == Member.current_version)
_STANDS_FOR = sa.and_(MemberGeneration.member_id == Member.id, MemberGeneration.number == MemberVersion.generation)
_IN_USE = Member.state.in_(("active", "reserve"))


def _runs(asker: Asker, now: datetime) -> sa.ColumnElement[bool]:
    return sa.and_(
        visible(asker), LiveCode.state == "active", sa.or_(LiveCode.ends_at.is_(None), LiveCode.ends_at > now)
    )


def suspicious(session: Session, asker: Asker, now: datetime) -> set[int]:
    """Running live codes that may need somebody; the others surely do not.

    Sums up in SQL over the counts that lie there, which are seconds old with Redis, and so with a margin: of 5,000
    live codes a few hundred are left to be looked at one by one.
    """
    grouped = (
        sa.select(Member.live_code_id)
        .join(LiveCode, LiveCode.id == Member.live_code_id)
        .join(MemberVersion, _SHOWN)
        .join(MemberGeneration, _STANDS_FOR)
        .outerjoin(
            member_counts,
            sa.and_(
                member_counts.c.member_id == Member.id,
                member_counts.c.counted_from == MemberGeneration.counted_from,
            ),
        )
        .where(_runs(asker, now), _IN_USE)
        .group_by(Member.live_code_id, Member.choice_id)
        .having(_may_need(now))
    )
    memberless = sa.select(LiveCode.id).where(
        _runs(asker, now), ~sa.exists().where(Member.live_code_id == LiveCode.id, _IN_USE)
    )
    idle_choice = sa.select(LiveCode.id).where(
        _runs(asker, now),
        LiveCode.kind == "grouped",
        sa.exists().where(
            Choice.live_code_id == LiveCode.id,
            Choice.state == "active",
            ~sa.exists().where(Member.choice_id == Choice.id, _IN_USE, Member.is_fallback.is_(False)),
        ),
    )
    return {row[0] for query in (grouped, memberless, idle_choice) for row in session.execute(query)}


def _may_need(now: datetime) -> sa.ColumnElement[bool]:
    expires, limit = MemberVersion.expires_at, Member.capacity
    left = limit - sa.func.coalesce(MemberGeneration.headcount, 0) - sa.func.coalesce(member_counts.c.counted, 0)
    seats = Member.is_fallback.is_(False)
    stands = sa.and_(seats, sa.or_(expires.is_(None), expires > now))
    takes = sa.and_(
        stands, sa.or_(Member.valid_from.is_(None), Member.valid_from <= now), sa.or_(limit.is_(None), left > 0)
    )
    always = sa.and_(takes, sa.cast(Member.windows, sa.Text) == "[]", Member.daily_capacity.is_(None))
    due = sa.or_(expires < now + capacity.EXPIRING_WITHIN, Member.suspect_at.is_not(None))
    room = sa.func.sum(sa.case((sa.and_(takes, limit.is_not(None)), left), else_=0))
    whole = sa.func.sum(sa.case((sa.and_(stands, limit.is_not(None)), limit), else_=0))
    return sa.or_(
        _some(due), ~_some(always), sa.and_(~_some(sa.and_(always, limit.is_(None))), room * LOW_SHARE * 2 <= whole * 3)
    )


def _some(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    return sa.func.max(sa.case((condition, 1), else_=0)) == 1


def _choices(session: Session, ids: Sequence[int]) -> dict[int, list[int | None]]:
    """The choices of those among these live codes that ask."""
    query = (
        sa.select(Choice.live_code_id, Choice.id)
        .join(LiveCode, LiveCode.id == Choice.live_code_id)
        .where(Choice.live_code_id.in_(ids), Choice.state == "active", LiveCode.kind == "grouped")
        .order_by(Choice.position, Choice.id)
    )
    found: dict[int, list[int | None]] = {}
    for live_code_id, choice_id in session.execute(query):
        found.setdefault(live_code_id, []).append(choice_id)
    return found


def _facts(session: Session, ledger: Ledger, ids: Sequence[int], now: datetime) -> list[_Fact]:
    """Members that are on or in reserve, with their counts; plain rows, because there may be thousands."""
    query = (
        sa.select(
            Member.live_code_id, LiveCode.unpressed_seat_hours, Member.id, Member.state, Member.is_fallback,
            Member.capacity, Member.daily_capacity, Member.windows, Member.valid_from, Member.suspect_at,
            Member.choice_id, MemberVersion.kind, MemberVersion.expires_at,
            MemberGeneration.number, MemberGeneration.counted_from, MemberGeneration.headcount,
        )
        .join(LiveCode, LiveCode.id == Member.live_code_id)
        .join(MemberVersion, _SHOWN)
        .join(MemberGeneration, _STANDS_FOR)
        .where(Member.live_code_id.in_(ids), _IN_USE)
    )  # fmt: skip
    rows = session.execute(query).all()
    members = [_member(row) for row in rows]
    keys = [
        count_key(row.live_code_id, member, row.unpressed_seat_hours, now)
        for row, member in zip(rows, members, strict=True)
    ]
    counts = counts_of(ledger, keys)
    return [
        _Fact(
            row.live_code_id,
            row.choice_id,
            member,
            None if counts is None else counts.get(member.id, capacity.NOTHING_COUNTED),
        )
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


def choice_titles(session: Session, needed: Sequence[Need]) -> dict[int, str]:
    """What the choices these needs speak of are called."""
    ids = {need.choice_id for need in needed if need.choice_id is not None}
    query = sa.select(Choice.id, Choice.title).where(Choice.id.in_(ids))
    return {row.id: row.title for row in session.execute(query)} if ids else {}


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

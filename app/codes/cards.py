"""Members and live codes as the panel looks at them: what is stored, put together with what the ledger counts.

Read only, in the caller's transaction. A ledger that does not answer costs the numbers, not the page.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.codes.models import LiveCode, Member, MemberGeneration, MemberVersion
from app.codes.snapshot import member_of
from app.codes.versions import current_versions
from app.ledger import CountKey, Ledger, LedgerDown
from app.rules import capacity
from app.rules import model as rules
from app.rules.model import Count

# Statuses somebody should look at, the worst first.
TROUBLES = ("expired", "suspect", "full", "expiring", "filling")
OPEN_STATUSES = ("active", "filling", "expiring")


@dataclass(frozen=True)
class Card:
    """One member with its current version. `count` is None while the ledger does not answer."""

    row: Member
    version: MemberVersion
    generation: MemberGeneration
    fact: rules.Member
    count: Count | None
    now: datetime

    @property
    def id(self) -> int:
        return self.row.id

    @property
    def name(self) -> str:
        """What the panel calls it: the private label, else the public name; "" where it has neither."""
        return self.row.label or self.row.public_name

    @cached_property
    def occupied(self) -> int | None:
        return None if self.count is None else capacity.occupied(self.fact, self.count)

    @cached_property
    def room(self) -> int | None:
        return None if self.count is None else capacity.room(self.fact, self.count)

    @cached_property
    def pressed(self) -> int | None:
        return None if self.count is None else self.count.pressed

    @cached_property
    def status(self) -> str:
        return capacity.status_of(self.fact, self.occupied or 0, self.now)

    @property
    def is_trouble(self) -> bool:
        return self.status in TROUBLES and self.status != "filling"

    @property
    def takes_people(self) -> bool:
        """Somebody new could be sent here now, place and opening times apart."""
        return not self.row.is_fallback and self.status in OPEN_STATUSES

    @property
    def taken_today(self) -> int:
        return self.count.taken if self.count is not None else 0


@dataclass(frozen=True)
class Overview:
    """The room of one live code, and what is wrong with its members. `room` None: no limit."""

    members: int
    occupied: int
    capacity: int | None
    room: int | None
    troubles: Mapping[str, int]

    @property
    def is_open(self) -> bool:
        return self.room is None or self.room > 0


def cards_of(
    session: Session, ledger: Ledger, live_codes: Sequence[LiveCode], now: datetime, *, archived: bool = False
) -> dict[int, list[Card]]:
    """The members of these live codes in order of position, by live code; archived ones only when asked for."""
    by_id = {live_code.id: live_code for live_code in live_codes}
    state = Member.state == "archived" if archived else Member.state != "archived"
    query = sa.select(Member).where(Member.live_code_id.in_(by_id), state).order_by(Member.position, Member.id)
    found: dict[int, list[Card]] = {live_code_id: [] for live_code_id in by_id}
    for card in make_cards(session, ledger, by_id, list(session.scalars(query)), now):
        found[card.row.live_code_id].append(card)
    return found


def card_of(session: Session, ledger: Ledger, live_code: LiveCode, member: Member, now: datetime) -> Card:
    return make_cards(session, ledger, {live_code.id: live_code}, [member], now)[0]


def make_cards(
    session: Session, ledger: Ledger, live_codes: Mapping[int, LiveCode], members: Sequence[Member], now: datetime
) -> list[Card]:
    current = current_versions(session, members)
    facts = {member.id: member_of(member, *current[member.id]) for member in members if member.id in current}
    keys = [
        count_key(member.live_code_id, facts[member.id], live_codes[member.live_code_id].unpressed_seat_hours, now)
        for member in members
        if member.id in facts
    ]
    counts = counts_of(ledger, keys)
    return [
        Card(member, *current[member.id], facts[member.id], _count(counts, member.id), now)
        for member in members
        if member.id in facts
    ]


def count_key(live_code_id: int, member: rules.Member, unpressed_seat_hours: int, now: datetime) -> CountKey:
    lapses = now - timedelta(hours=unpressed_seat_hours) if member.is_group and unpressed_seat_hours else None
    return CountKey(live_code_id, member.id, member.generation, member.counted_from, lapses)


def counts_of(ledger: Ledger, keys: Sequence[CountKey]) -> Mapping[int, Count] | None:
    try:
        return ledger.counts(keys) if keys else {}
    except LedgerDown:
        return None


def _count(counts: Mapping[int, Count] | None, member_id: int) -> Count | None:
    return None if counts is None else counts.get(member_id, capacity.NOTHING_COUNTED)


def overview(cards: Iterable[Card]) -> Overview:
    """Adds up the members that take people; what is expired or switched off offers no room."""
    cards = list(cards)
    open_ones = [card for card in cards if card.takes_people or card.status == "full"]
    limited = [card for card in open_ones if card.fact.capacity is not None and not card.row.is_fallback]
    endless = any(card.takes_people and card.fact.capacity is None for card in cards)
    troubles: dict[str, int] = {}
    for card in cards:
        if card.status in TROUBLES:
            troubles[card.status] = troubles.get(card.status, 0) + 1
    return Overview(
        members=len(cards),
        occupied=sum(card.occupied or 0 for card in (cards if endless else limited)),
        capacity=None if endless else sum(card.fact.capacity or 0 for card in limited),
        room=None if endless else sum(card.room or 0 for card in limited),
        troubles={status: troubles[status] for status in TROUBLES if status in troubles},
    )

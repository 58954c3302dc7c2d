"""The facts alerts are made of: every live code that runs, who has room, what happened lately.

Reads only. Live codes come from the snapshots a scan is decided on, so that what is told is what scanners meet; numbers
of the past come from the roll-ups, which are another feature's tables and are named here by their columns alone.
"""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Protocol

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.alerts.models import AlertRule
from app.db import UtcDateTime
from app.db.audit import AuditEntry
from app.ledger import CountKey, Ledger
from app.rules import capacity
from app.rules.alerting import OVERFLOW_LASTS, Facts, Thresholds
from app.rules.forecast import Outlook, outlook, wants_headcount
from app.rules.model import Count, Member, MemberState, Mode, RegionPolicy, Snapshot
from app.rules.stock import Headcount, Hour, Stock

HISTORY = timedelta(days=14)
FORECAST_EVERY = timedelta(minutes=30)
AT_ONCE = 500  # ids in one statement

_live_codes = sa.table(
    "live_codes",
    sa.column("id", sa.Integer),
    sa.column("version", sa.Integer),
    sa.column("state", sa.String),
    sa.column("ends_at", UtcDateTime),
)
_by_member = sa.table(
    "rollup_member",
    sa.column("live_code_id", sa.Integer),
    sa.column("hour", UtcDateTime),
    sa.column("key", sa.Integer),
    sa.column("assigned", sa.Integer),
    sa.column("pressed", sa.Integer),
)
_by_outcome = sa.table(
    "rollup_outcome",
    sa.column("live_code_id", sa.Integer),
    sa.column("hour", UtcDateTime),
    sa.column("key", sa.String),
    sa.column("scans", sa.Integer),
)
NO_ROOM = ("full", "fallback")
_COUNTED = frozenset({MemberState.ACTIVE, MemberState.RESERVE})


class Snapshots(Protocol):
    def by_id(self, live_code_id: int, at_least: int | None = None) -> Snapshot | None: ...


@dataclass(frozen=True, slots=True)
class Surveyed:
    """A live code with its thresholds; `is_muted`: nobody wants to hear of it."""

    facts: Facts
    limits: Thresholds
    is_muted: bool


class Survey:
    """Of all live codes at once. Forecasts are kept for half an hour: they change slowly and cost the most."""

    def __init__(self, snapshots: Snapshots, ledger: Ledger) -> None:
        self._snapshots = snapshots
        self._ledger = ledger
        self._outlooks: dict[int, tuple[int, datetime, Outlook | None, tuple[int, ...]]] = {}

    def take(self, session: Session, now: datetime) -> list[Surveyed]:
        """Every live code that runs. Raises LedgerDown where nobody knows who has room."""
        snapshots = [found for found in self._running(session, now) if found is not None]
        rules = {row.live_code_id: row for row in session.scalars(sa.select(AlertRule))}
        taken = self._taken(snapshots, now)
        overflows = _overflows(session, [snapshot.id for snapshot in snapshots], now)
        found = []
        for snapshot in snapshots:
            at, away = overflows.get(snapshot.id, (None, False))
            out, doubtful = self._outlook(session, snapshot, taken, now)
            facts = Facts(snapshot, taken, at, away, out, doubtful)
            found.append(Surveyed(facts, thresholds(rules.get(snapshot.id)), _is_muted(rules.get(snapshot.id))))
        return found

    def expected(self, session: Session, live_code_id: int, now: datetime) -> Facts | None:
        """What is expected of one live code, for its page; None where there is none. Raises LedgerDown."""
        version = session.scalar(sa.select(_live_codes.c.version).where(_live_codes.c.id == live_code_id))
        snapshot = self._snapshots.by_id(live_code_id, at_least=version)
        if snapshot is None:
            return None
        taken = self._taken([snapshot], now)
        out, doubtful = self._outlook(session, snapshot, taken, now)
        return Facts(snapshot, taken, outlook=out, wants_headcount=doubtful)

    def standing(self, session: Session, now: datetime) -> list[Facts]:
        """Who has room, without what the past says: for numbers that are asked for every few seconds."""
        snapshots = [found for found in self._running(session, now) if found is not None]
        taken = self._taken(snapshots, now)
        return [Facts(snapshot, taken) for snapshot in snapshots]

    def _running(self, session: Session, now: datetime) -> Iterator[Snapshot | None]:
        ends = _live_codes.c.ends_at
        query = sa.select(_live_codes.c.id, _live_codes.c.version).where(
            _live_codes.c.state == "active", sa.or_(ends.is_(None), ends > now)
        )
        for live_code_id, version in session.execute(query.order_by(_live_codes.c.id)).all():
            yield self._snapshots.by_id(live_code_id, at_least=version)

    def _taken(self, snapshots: Sequence[Snapshot], now: datetime) -> Mapping[int, int]:
        """Occupied seats by member, of all of these live codes."""
        members: dict[int, Member] = {}
        keys: list[CountKey] = []
        for snapshot in snapshots:
            lapses_before = capacity.lapses_before(snapshot, now)
            for member in snapshot.members:
                if member.state in _COUNTED:
                    before = lapses_before if member.is_group else None
                    members[member.id] = member
                    keys.append(CountKey(snapshot.id, member.id, member.generation, member.counted_from, before))
        counts: dict[int, Count] = {}
        for start in range(0, len(keys), AT_ONCE):
            counts.update(self._ledger.counts(keys[start : start + AT_ONCE]))
        nothing = capacity.NOTHING_COUNTED
        return {id_: capacity.occupied(member, counts.get(id_, nothing)) for id_, member in members.items()}

    def _outlook(
        self, session: Session, snapshot: Snapshot, taken: Mapping[int, int], now: datetime
    ) -> tuple[Outlook | None, tuple[int, ...]]:
        known = self._outlooks.get(snapshot.id)
        if known and known[0] == snapshot.version and known[2] and timedelta() <= now - known[1] < FORECAST_EVERY:
            return known[2], known[3]
        stocks = stocks_of(session, snapshot, taken, now)
        out, doubtful = foretell(snapshot, stocks, now)
        self._outlooks[snapshot.id] = snapshot.version, now, out, doubtful
        return out, doubtful


def foretell(snapshot: Snapshot, stocks: Sequence[Stock], now: datetime) -> tuple[Outlook | None, tuple[int, ...]]:
    """The outlook of a live code to which somebody came lately, and the members whose number should be read."""
    if not any(stock.hours for stock in stocks):
        return None, ()
    mode = snapshot.mode if not snapshot.is_grouped else Mode.SEQUENTIAL
    spills = snapshot.region_policy is not RegionPolicy.STRICT
    out = outlook(stocks, now, snapshot.zone, mode, snapshot.unpressed_seat_hours, spills=spills)
    return out, tuple(stock.member.id for stock in stocks if wants_headcount(stock, out.learnt))


def stocks_of(session: Session, snapshot: Snapshot, taken: Mapping[int, int], now: datetime) -> list[Stock]:
    """Members that may be given out, with their history."""
    members = [
        member
        for member in snapshot.members
        if not member.is_fallback and member.state in (MemberState.ACTIVE, MemberState.RESERVE)
    ]
    hours = _hours(session, snapshot.id, now)
    if not hours:
        return [Stock(member, taken.get(member.id, 0) - member.headcount) for member in members]
    counts = _headcounts(session, [member.id for member in members], now)
    return [
        Stock(
            member,
            max(0, taken.get(member.id, 0) - member.headcount),
            tuple(hours.get(member.id, ())),
            tuple(counts.get(member.id, ())),
        )
        for member in members
    ]


def thresholds(rule: AlertRule | None) -> Thresholds:
    if rule is None:
        return Thresholds()
    return Thresholds(
        expiring_hours=tuple(sorted(rule.expiring_hours, reverse=True)),
        filling_percents=tuple(sorted(rule.filling_percents)),
        cooldown_hours=rule.cooldown_hours,
        tells_forecast=rule.tells_forecast,
        work_from=rule.work_from,
        work_until=rule.work_until,
        work_days=frozenset(rule.work_days),
    )


def _is_muted(rule: AlertRule | None) -> bool:
    return rule is not None and rule.is_muted


def _hours(session: Session, live_code_id: int, now: datetime) -> Mapping[int, list[Hour]]:
    """The past two weeks of each member; the hour that has just begun is as old as it is."""
    table = _by_member.c
    query = (
        sa.select(table.key, table.hour, table.assigned, table.pressed)
        .where(table.live_code_id == live_code_id, table.hour > now - HISTORY, table.hour <= now)
        .where(sa.or_(table.assigned > 0, table.pressed > 0))
        .order_by(table.hour)
    )
    found: dict[int, list[Hour]] = {}
    for key, hour, assigned, pressed in session.execute(query):
        found.setdefault(key, []).append(Hour(hour, assigned, pressed))
    return found


def _headcounts(session: Session, member_ids: Sequence[int], now: datetime) -> Mapping[int, list[Headcount]]:
    """The numbers people read of the groups these members stand for now, as the audit log has them."""
    query = (
        sa.select(AuditEntry.object_id, AuditEntry.at, AuditEntry.after)
        .where(
            AuditEntry.object_type == "member",
            AuditEntry.object_id.in_(member_ids),
            AuditEntry.action.in_(("member.counted", "member.swapped", "member.rolled_back")),
            AuditEntry.at > now - 2 * HISTORY,
        )
        .order_by(AuditEntry.at, AuditEntry.id)
    )
    found: dict[int, list[Headcount]] = {}
    for member_id, at, after in session.execute(query):
        facts = after if isinstance(after, dict) else json.loads(after or "{}")
        counts = found.setdefault(member_id, [])
        if "generation" in facts:  # another group from here on
            counts.clear()
        people = facts.get("headcount")
        if isinstance(people, int):
            counts.append(Headcount(at, people))
    return found


def _overflows(session: Session, ids: Collection[int], now: datetime) -> Mapping[int, tuple[datetime, bool]]:
    """When somebody last found no room in a live code (to the hour), and whether they were shown nothing at all."""
    found: dict[int, tuple[datetime, bool]] = {}
    table = _by_outcome.c
    for part in _parts(ids):
        query = sa.select(table.live_code_id, table.hour, table.key).where(
            table.live_code_id.in_(part),
            table.hour > now - OVERFLOW_LASTS - timedelta(hours=1),
            table.hour <= now,
            table.key.in_(NO_ROOM),
            table.scans > 0,
        )
        for live_code_id, hour, key in session.execute(query):
            before, away = found.get(live_code_id, (hour, False))
            # An overflow of the present hour is as young as the moment; one of an hour gone by as its end.
            at = min(now, hour + timedelta(hours=1))
            found[live_code_id] = max(before, at), away or key == "full"
    return found


def _parts(ids: Iterable[int]) -> Iterator[list[int]]:
    rest = iter(ids)
    while part := list(islice(rest, AT_ONCE)):
        yield part


def labels(session: Session, member_ids: Collection[int]) -> Mapping[int, tuple[str, str]]:
    """What the panel calls these members, and who owns the group."""
    members = sa.table("members", *(sa.column(name) for name in ("id", "label", "public_name", "owner")))
    found: dict[int, tuple[str, str]] = {}
    for part in _parts(member_ids):
        query: Any = sa.select(members.c.id, members.c.label, members.c.public_name, members.c.owner)
        for row in session.execute(query.where(members.c.id.in_(part))):
            found[row.id] = row.label or row.public_name or f"#{row.id}", row.owner or ""
    return found

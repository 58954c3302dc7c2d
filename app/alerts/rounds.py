"""One round: what holds now is compared with what is noted; each cause is noted once. `line` puts it in line for those
it concerns.

Several processes may take rounds at the same time, and any of them may be killed at any moment: an alert is a row whose
cause and episode are unique, and its messages are put in line by the transaction that makes it. A round that was missed
is made up by the next one, since causes hold on until they are over.
"""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.alerts.line import Digest, Escalations, Line
from app.alerts.models import Alert, AlertRound, Delivery, SeenReserve
from app.alerts.survey import Survey, Surveyed
from app.db import writing
from app.db.audit import AuditEntry
from app.db.upsert import insert
from app.rules.alerting import Cause, Level, causes, is_escalated, only_the_last
from app.rules.model import MemberState

log = logging.getLogger(__name__)

MARKED_EVERY = timedelta(seconds=30)
KEPT_FOR = timedelta(days=180)


@dataclass(frozen=True, slots=True)
class Round:
    """What a round did: alerts begun (those told, and those silent), alerts ended, messages put in line."""

    begun: int = 0
    silent: int = 0
    ended: int = 0
    queued: int = 0


@dataclass(frozen=True, slots=True)
class _News:
    """What differs from what is noted."""

    begun: list[tuple[Cause, bool]]
    ended: list[int]
    called_in: list[Cause]
    reserves: frozenset[int]


def take_round(session: Session, survey: Survey, zone: tzinfo, now: datetime) -> Round:
    """Notes what is new and what is over, and puts messages in line. Raises LedgerDown, and what SQL raises."""
    began = time.perf_counter()
    # Read before the facts, so that nothing here is newer than they are: another process's alert is not ended by us.
    noted = _open_alerts(session)
    surveyed = survey.take(session, now)
    news = _news(session, surveyed, noted, now)
    line = Line(session, {one.facts.snapshot.id: one.facts.snapshot.owner_id for one in surveyed}, zone, now)
    escalations = line.escalations(_unheeded(noted, surveyed))
    digests = line.digests()
    session.rollback()
    done = Round()
    if news.begun or news.ended or news.called_in or escalations or digests:
        with writing(session):
            done = _write(session, news, line, escalations, digests, now)
    _remember_reserves(session, news.reserves, now)
    _mark(session, now, round((time.perf_counter() - began) * 1000))
    return done


def _open_alerts(session: Session) -> list[Alert]:
    return list(session.scalars(sa.select(Alert).where(Alert.ended_at.is_(None)).order_by(Alert.id)))


def _news(session: Session, surveyed: Sequence[Surveyed], noted: Sequence[Alert], now: datetime) -> _News:
    known = {alert.cause for alert in noted}
    families: dict[str, int] = {}
    holding: dict[str, Cause] = {}
    begun: list[tuple[Cause, bool]] = []
    for alert in noted:
        family = _as_cause(alert).family
        if family is not None:
            families[family] = max(families.get(family, alert.rank), alert.rank)
    for one in surveyed:
        found = [] if one.is_muted else causes(one.facts, one.limits, now, known)
        holding.update((cause.key, cause) for cause in found)
        new = [cause for cause in found if cause.key not in known]
        if new:
            resting = _resting(session, new, now - timedelta(hours=one.limits.cooldown_hours))
            told, silent = only_the_last([cause for cause in new if cause.key not in resting], families)
            begun += [(cause, False) for cause in told] + [(cause, True) for cause in silent]
    called_in, reserves = _reserves(session, surveyed)
    lasting = {alert.id for alert in noted if alert.kind == "reserve" and now - alert.opened_at < timedelta(days=1)}
    ended = [a.id for a in noted if a.cause not in holding and a.id not in lasting and a.opened_at < now]
    return _News(begun, ended, called_in, reserves)


def _unheeded(noted: Sequence[Alert], surveyed: Sequence[Surveyed]) -> list[Alert]:
    """Open alerts that nobody takes care of although somebody should."""
    limits = {one.facts.snapshot.id: one.limits for one in surveyed}
    return [
        alert
        for alert in noted
        if alert.seen_at is None
        and not alert.is_silent
        and alert.live_code_id in limits
        and is_escalated(alert.kind, alert.numbers, limits[alert.live_code_id])
    ]


def _as_cause(alert: Alert) -> Cause:
    return Cause(alert.cause, alert.kind, Level(alert.level), alert.live_code_id, alert.member_id, rank=alert.rank)


def _resting(session: Session, new: Sequence[Cause], since: datetime) -> frozenset[str]:
    """Causes that were over so recently that they are not told again yet."""
    query = sa.select(Alert.cause).where(Alert.cause.in_([cause.key for cause in new]), Alert.ended_at > since)
    return frozenset(session.scalars(query))


def _reserves(session: Session, surveyed: Sequence[Surveyed]) -> tuple[list[Cause], frozenset[int]]:
    """Reserves that were called in by a scan since we last looked, and those there are now."""
    seen = {row.member_id: row.seen_at for row in session.scalars(sa.select(SeenReserve))}
    now_reserves = {
        member.id
        for one in surveyed
        for member in one.facts.snapshot.members
        if member.state is MemberState.RESERVE and not member.is_fallback
    }
    found = []
    for one in surveyed:
        snapshot = one.facts.snapshot
        left = sum(member.id in now_reserves for member in snapshot.members)
        for member in snapshot.members:
            was = seen.get(member.id)
            if was is None or member.id in now_reserves or member.state is not MemberState.ACTIVE or one.is_muted:
                continue
            if not _switched_on_by_hand(session, member.id, was):
                key = f"reserve:{member.id}:{int(was.timestamp())}"
                level = Level.WARNING
                found.append(Cause(key, "reserve", level, snapshot.id, member.id, numbers={"left": left}))
    return found, frozenset(now_reserves)


def _switched_on_by_hand(session: Session, member_id: int, since: datetime) -> bool:
    query = sa.select(AuditEntry.after).where(
        AuditEntry.object_type == "member",
        AuditEntry.object_id == member_id,
        AuditEntry.action == "member.changed",
        AuditEntry.at >= since,
    )
    return any(isinstance(after, dict) and after.get("state") == "active" for after in session.scalars(query))


def _write(
    session: Session, news: _News, line: Line, escalations: Escalations, digests: Sequence[Digest], now: datetime
) -> Round:
    over = sa.update(Alert).where(Alert.id.in_(news.ended), Alert.ended_at.is_(None)).values(ended_at=now)
    ended = session.connection().execute(over).rowcount if news.ended else 0
    told: list[tuple[int, Cause]] = []
    silent = 0
    for cause, is_silent in [*news.begun, *((cause, False) for cause in news.called_in)]:
        alert_id = _note(session, cause, is_silent, now)
        if alert_id is None:
            continue  # another process was first, and tells it
        silent += is_silent
        if not is_silent:
            told.append((alert_id, cause))
    queued = line.put_news(told) + line.put_escalations(escalations) + line.put_digests(digests)
    return Round(len(told), silent, ended, queued)


def _note(session: Session, cause: Cause, is_silent: bool, now: datetime) -> int | None:
    """The new alert's id; None where this cause is noted already."""
    connection = session.connection()
    table: sa.Table = Alert.__table__  # type: ignore[assignment]
    ended = sa.select(sa.func.count()).select_from(table).where(table.c.cause == cause.key)
    row: dict[str, Any] = {
        "cause": cause.key,
        "episode": 1 + (connection.scalar(ended.where(table.c.ended_at.is_not(None))) or 0),
        "kind": cause.kind,
        "level": int(cause.level),
        "rank": cause.rank,
        "live_code_id": cause.live_code_id,
        "member_id": cause.member_id,
        "numbers": dict(cause.numbers),
        "due_at": cause.due_at or now,
        "opened_at": now,
        "seen_by": "",
        "is_silent": is_silent,
    }
    made = insert(connection, table).values(row).on_conflict_do_nothing(index_elements=["cause", "episode"])
    number: int | None = connection.execute(made.returning(table.c.id)).scalar()
    return number


def _remember_reserves(session: Session, reserves: frozenset[int], now: datetime) -> None:
    """After the round that told of those that are none any more: killed in between, it is told by the next one, under
    the same key."""
    seen = set(session.scalars(sa.select(SeenReserve.member_id)))
    session.rollback()
    if seen == reserves:
        return
    with writing(session):
        if gone := seen - reserves:
            session.execute(sa.delete(SeenReserve).where(SeenReserve.member_id.in_(gone)))
        for member_id in sorted(reserves - seen):
            table: sa.Table = SeenReserve.__table__  # type: ignore[assignment]
            made = insert(session.connection(), table).values(member_id=member_id, seen_at=now)
            session.execute(made.on_conflict_do_nothing())


def _mark(session: Session, now: datetime, took_ms: int) -> None:
    """Says that somebody looked, twice a minute at most."""
    last = session.scalar(sa.select(AlertRound.at))
    session.rollback()
    if last is not None and timedelta() <= now - last < MARKED_EVERY:
        return
    with writing(session):
        table: sa.Table = AlertRound.__table__  # type: ignore[assignment]
        made = insert(session.connection(), table).values(id=1, at=now, took_ms=took_ms)
        session.execute(made.on_conflict_do_update(index_elements=["id"], set_={"at": now, "took_ms": took_ms}))
        forget_old(session, now)


def forget_old(session: Session, now: datetime) -> None:
    """Alerts and messages half a year over are of no use; in the caller's transaction."""
    before = now - KEPT_FOR
    session.execute(sa.delete(Delivery).where(Delivery.ended_at < before))
    session.execute(sa.delete(Alert).where(Alert.ended_at < before))

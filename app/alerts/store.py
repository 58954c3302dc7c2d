"""Queries of the panel's alert pages: what is open, who is told how, what was sent, the thresholds, the links.

Every function runs in the caller's transaction, changes inside `writing(session)`. `seen` is the query of live codes
the asker sees (None: all of them).
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.alerts.models import Alert, AlertChannel, AlertRound, AlertRule, Delivery
from app.db.audit import Actor, record

_live_codes = sa.table("live_codes", *(sa.column(name) for name in ("id", "name")))
_members = sa.table("members", *(sa.column(name) for name in ("id", "live_code_id", "current_version")))

CHANNEL_FIELDS = (
    "name", "kind", "language", "is_active", "covers_all", "lowest_level", "quiet_from", "quiet_until", "digest_at",
    "escalates_after_hours",
)  # fmt: skip
RULE_FIELDS = (
    "is_muted", "expiring_hours", "filling_percents", "cooldown_hours", "tells_forecast", "work_from", "work_until",
    "work_days",
)  # fmt: skip


def _seen(column: Any, seen: Any) -> sa.ColumnElement[bool]:
    return sa.true() if seen is None else column.in_(seen)


def open_alerts(session: Session, seen: Any, *, limit: int = 100) -> list[Alert]:
    """What holds now, the most urgent first, what is dead before what will be; what somebody has seen comes last."""
    query = sa.select(Alert).where(Alert.ended_at.is_(None), Alert.is_silent.is_(False))
    order = (Alert.seen_at.is_not(None), Alert.level.desc(), Alert.kind != "expired", Alert.due_at, Alert.id)
    return list(session.scalars(query.where(_seen(Alert.live_code_id, seen)).order_by(*order).limit(limit)))


def told_alerts(session: Session, ids: Collection[int], seen: Any) -> Mapping[int, Alert]:
    """Those of these that are still known, and belong to live codes the asker sees."""
    query = sa.select(Alert).where(Alert.id.in_(ids), _seen(Alert.live_code_id, seen))
    return {alert.id: alert for alert in session.scalars(query)} if ids else {}


def mark_seen(session: Session, actor: Actor, alert_id: int, seen: Any, now: datetime) -> bool:
    """Somebody takes care of it: it is neither told again nor escalated. False where there is none they see."""
    mine = sa.update(Alert).where(Alert.id == alert_id, _seen(Alert.live_code_id, seen))
    return session.connection().execute(mine.values(seen_at=now, seen_by=actor.name[:320])).rowcount == 1


def names_of_codes(session: Session, ids: Sequence[int]) -> Mapping[int, str]:
    rows = session.execute(sa.select(_live_codes.c.id, _live_codes.c.name).where(_live_codes.c.id.in_(ids)))
    return {row.id: row.name for row in rows}


def live_code_name(session: Session, live_code_id: int, seen: Any) -> str | None:
    """None where there is none the asker sees."""
    query = sa.select(_live_codes.c.name).where(_live_codes.c.id == live_code_id, _seen(_live_codes.c.id, seen))
    name: str | None = session.scalar(query)
    return name


@dataclass(frozen=True, slots=True)
class MemberFacts:
    id: int
    live_code_id: int
    version: int


def find_member(session: Session, member_id: int, seen: Any) -> MemberFacts | None:
    query = sa.select(_members).where(_members.c.id == member_id, _seen(_members.c.live_code_id, seen))
    row = session.execute(query).first()
    return None if row is None else MemberFacts(row.id, row.live_code_id, row.current_version or 0)


def channels_of(session: Session, user_id: int) -> list[AlertChannel]:
    """One's own; nobody works with another's."""
    query = sa.select(AlertChannel).where(AlertChannel.owner_id == user_id).order_by(AlertChannel.id)
    return list(session.scalars(query))


def find_channel(session: Session, user_id: int, channel_id: int) -> AlertChannel | None:
    return session.scalar(
        sa.select(AlertChannel).where(AlertChannel.id == channel_id, AlertChannel.owner_id == user_id)
    )


def lock_channel(session: Session, user_id: int, channel_id: int) -> AlertChannel | None:
    """The channel, read anew and nobody else's until the transaction ends."""
    mine = sa.select(AlertChannel).where(AlertChannel.id == channel_id, AlertChannel.owner_id == user_id)
    return session.scalar(mine.with_for_update().execution_options(populate_existing=True))


def save_channel(
    session: Session, actor: Actor, user_id: int, channel_id: int | None, values: Mapping[str, Any], sealed: str | None
) -> AlertChannel | None:
    """`sealed` None keeps the address. The audit log learns that an address changed, never which it is."""
    row = (
        AlertChannel(owner_id=user_id, sealed="", version=0)
        if channel_id is None
        else lock_channel(session, user_id, channel_id)
    )
    if row is None:
        return None
    before = {name: getattr(row, name) for name in CHANNEL_FIELDS}
    for name, value in values.items():
        setattr(row, name, value)
    if sealed is not None:
        row.sealed = sealed
    row.version += 1
    session.add(row)
    session.flush()
    after = {name: getattr(row, name) for name in CHANNEL_FIELDS} | ({"secret": "new"} if sealed else {})
    action = "alert_channel.made" if channel_id is None else "alert_channel.changed"
    record(session, actor, action, "alert_channel", row.id, before=None if channel_id is None else before, after=after)
    return row


def delete_channel(session: Session, actor: Actor, user_id: int, channel_id: int) -> bool:
    row = find_channel(session, user_id, channel_id)
    if row is None:
        return False
    session.execute(sa.delete(Delivery).where(Delivery.channel_id == channel_id))
    record(session, actor, "alert_channel.deleted", "alert_channel", channel_id, before={"name": row.name})
    session.delete(row)
    return True


def deliveries_of(session: Session, user_id: int, *, limit: int, offset: int) -> tuple[list[tuple[Delivery, str]], int]:
    """One page of the messages to one's own channels, the newest first, each with the channel's name."""
    mine = (
        sa.select(Delivery, AlertChannel.name)
        .join(AlertChannel, AlertChannel.id == Delivery.channel_id)
        .where(AlertChannel.owner_id == user_id)
    )
    total = session.scalar(sa.select(sa.func.count()).select_from(mine.subquery())) or 0
    page = mine.order_by(Delivery.created_at.desc(), Delivery.id.desc()).limit(limit).offset(offset)
    return [(row[0], row[1]) for row in session.execute(page)], total


def rule_of(session: Session, live_code_id: int) -> AlertRule | None:
    return session.get(AlertRule, live_code_id)


def lock_rule(session: Session, live_code_id: int) -> AlertRule | None:
    """The thresholds, read anew and nobody else's until the transaction ends; None where they are the usual ones."""
    return session.get(AlertRule, live_code_id, with_for_update=True, populate_existing=True)


def save_rule(session: Session, actor: Actor, live_code_id: int, values: Mapping[str, Any]) -> None:
    row = lock_rule(session, live_code_id)
    before = {name: getattr(row, name) for name in RULE_FIELDS} if row is not None else None
    if row is None:
        row = AlertRule(live_code_id=live_code_id, version=0)
    for name in RULE_FIELDS:
        setattr(row, name, values[name])
    row.version += 1
    session.add(row)
    session.flush()
    after = {name: getattr(row, name) for name in RULE_FIELDS}
    record(session, actor, "alert_rule.changed", "live_code", live_code_id, before=before, after=after)


def last_round(session: Session) -> AlertRound | None:
    return session.get(AlertRound, 1)


@dataclass(frozen=True, slots=True)
class Backlog:
    """Messages: waiting, given up in the past day; alerts that are open, by kind."""

    waiting: int
    gave_up: int
    open: Mapping[str, int]


def backlog(session: Session, since: datetime) -> Backlog:
    count = sa.func.count()
    waiting = session.scalar(sa.select(count).where(Delivery.state == "waiting")) or 0
    gave_up = session.scalar(sa.select(count).where(Delivery.state == "gave_up", Delivery.ended_at >= since)) or 0
    standing = sa.select(Alert.kind, count).where(Alert.ended_at.is_(None)).group_by(Alert.kind)
    return Backlog(waiting, gave_up, {row[0]: row[1] for row in session.execute(standing)})


def scans_since(session: Session, since: datetime) -> Mapping[str, int]:
    """Scans by outcome of the local day that began at `since`, all live codes together. Looked up live code by live
    code, which the index answers: by the day alone all days there are would be read."""
    table = sa.table(
        "rollup_outcome_day", *(sa.column(name) for name in ("live_code_id", "key", "scans")), sa.column("day", sa.Date)
    )
    this_day = sa.and_(table.c.live_code_id.in_(sa.select(_live_codes.c.id)), table.c.day == since.date())
    query = sa.select(table.c.key, sa.func.sum(table.c.scans)).where(this_day).group_by(table.c.key)
    return {row[0] or "unknown": int(row[1]) for row in session.execute(query)}

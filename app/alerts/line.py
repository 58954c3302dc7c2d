"""Puts messages in line: which channel hears of what, and when. `deliveries` sends them.

News go to every channel that covers their live code; what can wait keeps its quiet hours and joins what waits already.
A channel that escalates hears only of what nobody has taken care of for as long as it waits. Everything is written in
the caller's transaction, under keys of which there is one: several processes put one message in line once.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.alerts.models import Alert, AlertChannel, Delivery
from app.db.upsert import insert
from app.rules.alerting import Cause, Level, digest_due, send_at

_users = sa.table("users", sa.column("id"), sa.column("role"), sa.column("is_active", sa.Boolean))
_shares = sa.table("live_code_shares", sa.column("live_code_id"), sa.column("user_id"))


@dataclass(frozen=True, slots=True)
class Channel:
    id: int
    owner_id: int
    sees_all: bool
    lowest: Level
    quiet_from: int | None
    quiet_until: int | None
    digest_at: int | None
    escalates_after: int | None
    shared: frozenset[int]

    def covers(self, live_code_id: int, owner_id: int | None) -> bool:
        return self.sees_all or self.owner_id == owner_id or live_code_id in self.shared

    def send_at(self, now: datetime, level: Level, zone: tzinfo) -> datetime:
        return send_at(now, level, self.quiet_from, self.quiet_until, zone)


@dataclass(frozen=True, slots=True)
class Late:
    """An alert that nobody has taken care of."""

    id: int
    level: Level
    opened_at: datetime


# Alerts that a channel should have heard of by now, and has not; a channel and the key of its digest of today.
Escalations = Sequence[tuple[Channel, Sequence[Late]]]
Digest = tuple[Channel, str]


class Line:
    """Of one round. `owners`: who owns each live code that runs."""

    def __init__(self, session: Session, owners: Mapping[int, int], zone: tzinfo, now: datetime) -> None:
        self._session, self._owners, self._zone, self._now = session, owners, zone, now
        self._channels = _channels(session)

    def escalations(self, unheeded: Sequence[Alert]) -> Escalations:
        """What nobody has acted on for as long as a channel waits, and that channel has not heard of yet."""
        found = []
        for channel in self._channels:
            if channel.escalates_after is None:
                continue
            since = self._now - timedelta(hours=channel.escalates_after)
            late = [
                alert
                for alert in unheeded
                if alert.opened_at <= since and alert.level >= channel.lowest and self._covers(channel, alert)
            ]
            if new := self._unheard(channel, [Late(alert.id, Level(alert.level), alert.opened_at) for alert in late]):
                found.append((channel, new))
        return found

    def _covers(self, channel: Channel, alert: Alert) -> bool:
        return channel.covers(alert.live_code_id, self._owners.get(alert.live_code_id))

    def digests(self) -> list[Digest]:
        """Those that should be out by now and are not in line yet."""
        due = [
            (channel, f"digest:{channel.id}:{day}")
            for channel in self._channels
            if channel.escalates_after is None
            and (day := digest_due(self._now, channel.digest_at, self._zone)) is not None
        ]
        keys = sa.select(Delivery.key).where(Delivery.key.in_([key for _, key in due]))
        known = set(self._session.scalars(keys)) if due else set()
        return [(channel, key) for channel, key in due if key not in known]

    def put_news(self, told: Sequence[tuple[int, Cause]]) -> int:
        """One message a channel for all that is new to it; what must wait for the morning joins what waits already."""
        queued = 0
        for channel in self._channels:
            if channel.escalates_after is not None:
                continue
            wanted = [
                (alert_id, cause.level)
                for alert_id, cause in told
                if cause.level >= max(channel.lowest, Level.WARNING)
                and channel.covers(cause.live_code_id, self._owners[cause.live_code_id])
            ]
            queued += self._put(channel, "now", wanted)
        return queued

    def put_escalations(self, escalations: Escalations) -> int:
        """One message a channel; by night what can wait waits here, too."""
        queued = 0
        for channel, alerts in escalations:
            # One process after the other, and each looks again: their alerts need not be the same ones.
            mine = sa.select(AlertChannel.id).where(AlertChannel.id == channel.id)
            self._session.execute(mine.with_for_update())
            unheard = self._unheard(channel, alerts)
            queued += self._put(channel, "escalation", [(alert.id, alert.level) for alert in unheard])
        return queued

    def _unheard(self, channel: Channel, alerts: Sequence[Late]) -> list[Late]:
        """Without those that are in line for this channel, or were."""
        if not alerts:
            return []
        query = sa.select(Delivery.alert_ids).where(
            Delivery.channel_id == channel.id,
            Delivery.kind == "escalation",
            Delivery.created_at >= min(alert.opened_at for alert in alerts),
        )
        known = {alert_id for alert_ids in self._session.scalars(query) for alert_id in alert_ids}
        return [alert for alert in alerts if alert.id not in known]

    def put_digests(self, digests: Sequence[Digest]) -> int:
        return sum(self._queue(channel, key, "digest", [], self._now) for channel, key in digests)

    def _put(self, channel: Channel, kind: str, alerts: Sequence[tuple[int, Level]]) -> int:
        queued = 0
        by_moment: dict[datetime, list[int]] = {}
        for alert_id, level in alerts:
            by_moment.setdefault(channel.send_at(self._now, level, self._zone), []).append(alert_id)
        for moment, alert_ids in by_moment.items():
            if moment > self._now and self._joins(channel, kind, moment, alert_ids):
                continue
            queued += self._queue(channel, f"{kind}:{channel.id}:{alert_ids[0]}", kind, alert_ids, moment)
        return queued

    def _joins(self, channel: Channel, kind: str, moment: datetime, alert_ids: Sequence[int]) -> bool:
        waiting = self._session.scalar(
            sa.select(Delivery)
            .where(
                Delivery.channel_id == channel.id,
                Delivery.kind == kind,
                Delivery.state == "waiting",
                Delivery.attempts == 0,
                Delivery.next_try_at == moment,
            )
            .with_for_update()
        )
        if waiting is None:
            return False
        waiting.alert_ids = [*waiting.alert_ids, *alert_ids]
        self._session.flush()
        return True

    def _queue(self, channel: Channel, key: str, kind: str, alert_ids: Collection[int], at: datetime) -> int:
        connection = self._session.connection()
        table: sa.Table = Delivery.__table__  # type: ignore[assignment]
        row = {
            "channel_id": channel.id,
            "key": key,
            "kind": kind,
            "alert_ids": list(alert_ids),
            "state": "waiting",
            "attempts": 0,
            "next_try_at": at,
            "error": "",
            "created_at": self._now,
        }
        made = insert(connection, table).values(row).on_conflict_do_nothing(index_elements=["key"])
        return int(connection.execute(made.returning(table.c.id)).scalar() is not None)


def _channels(session: Session) -> list[Channel]:
    """Those in use, of users who may still log in. What is shared with somebody concerns them, too."""
    shared: dict[int, set[int]] = {}
    for live_code_id, user_id in session.execute(sa.select(_shares.c.live_code_id, _shares.c.user_id)):
        shared.setdefault(user_id, set()).add(live_code_id)
    query = (
        sa.select(AlertChannel, _users.c.role)
        .join(_users, _users.c.id == AlertChannel.owner_id)
        .where(AlertChannel.is_active, _users.c.is_active)
    )
    return [
        Channel(
            row.id,
            row.owner_id,
            row.covers_all and role == "admin",
            Level(row.lowest_level),
            row.quiet_from,
            row.quiet_until,
            row.digest_at,
            row.escalates_after_hours,
            frozenset(shared.get(row.owner_id, ())),
        )
        for row, role in session.execute(query.order_by(AlertChannel.id))
    ]

"""Sends what is in line: each message once, tried again after growing pauses, given up after a day.

A message is claimed by one conditional UPDATE before it is sent, for two minutes; whoever dies with it in hand has it
sent again by the next process, under the same id, so that a receiver can tell. Between claiming and sending no
transaction is open. Words are made at the last moment: what is over by then is left out.
"""

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.alerts import links, wording
from app.alerts.desk import Desk
from app.alerts.models import Alert, AlertChannel, Delivery
from app.alerts.survey import labels
from app.db import writing
from app.outside.notify import Message, NotSent, Target
from app.outside.seal import seal, unseal
from app.rules.alerting import SWAPPED, Cause, Level, try_again_at

log = logging.getLogger(__name__)

CLAIMED_FOR = timedelta(minutes=2)
AT_ONCE = 50
DIGEST_LINES = 50
# Which of a member's pages puts it right.
_PAGES = dict.fromkeys(SWAPPED, "/swap") | {"headcount": "/headcount"}

_live_codes = sa.table("live_codes", *(sa.column(name) for name in ("id", "name")))
_members = sa.table("members", *(sa.column(name) for name in ("id", "current_version")))
_users = sa.table("users", sa.column("id"), sa.column("role"), sa.column("is_active", sa.Boolean))


@dataclass(frozen=True, slots=True)
class Sent:
    sent: int = 0
    failed: int = 0
    dropped: int = 0


def sealed(target: Target, key: str) -> str:
    return seal(json.dumps([target.address, target.secret, target.to], ensure_ascii=False), key)


def target_of(channel: AlertChannel, key: str) -> Target | None:
    """None where it was sealed under another key."""
    text = unseal(channel.sealed, key)
    if text is None:
        return None
    address, secret, to = json.loads(text)
    return Target(channel.kind, address, secret, to)


def send_due(session: Session, desk: Desk, now: datetime, stop: Callable[[], bool] = lambda: False) -> Sent:
    """Sends everything whose time has come; `stop` is asked between two messages."""
    sent = failed = dropped = 0
    due = session.scalars(
        sa.select(Delivery.id)
        .where(Delivery.state == "waiting", Delivery.next_try_at <= now, _is_free(now))
        .order_by(Delivery.next_try_at, Delivery.id)
        .limit(AT_ONCE)
    ).all()
    session.rollback()
    for delivery_id in due:
        if stop():
            break
        outcome = _send(session, desk, delivery_id, now) if _claim(session, delivery_id, now) else ""
        sent, failed, dropped = (
            sent + (outcome == "sent"),
            failed + (outcome == "failed"),
            dropped + (outcome == "dropped"),
        )
    return Sent(sent, failed, dropped)


def send_test(session: Session, desk: Desk, channel: AlertChannel, now: datetime) -> str | None:
    """Sends a message that says it is a test; None when it was sent, else why not. Notes it in the log."""
    with wording.in_language(channel.language):
        title = wording.gettext("Huozi: a test")
        body = wording.gettext("This is where alerts will come. Nothing needs to be done.")
    number = int(now.timestamp() * 1000)
    target, channel_id = target_of(channel, desk.key), channel.id
    session.rollback()
    why = _attempt(desk, target, Message(f"test-{channel_id}-{number}", title, body))
    with writing(session):
        session.add(
            Delivery(
                channel_id=channel_id,
                key=f"test:{channel_id}:{number}",
                kind="test",
                alert_ids=[],
                state="gave_up" if why else "sent",
                attempts=1,
                next_try_at=now,
                error=why or "",
                created_at=now,
                ended_at=now,
            )
        )
    return why


def _is_free(now: datetime) -> sa.ColumnElement[bool]:
    return sa.or_(Delivery.claimed_until.is_(None), Delivery.claimed_until <= now)


def _claim(session: Session, delivery_id: int, now: datetime) -> bool:
    with writing(session):
        mine = sa.update(Delivery).where(
            Delivery.id == delivery_id, Delivery.state == "waiting", Delivery.next_try_at <= now, _is_free(now)
        )
        values = {"claimed_until": now + CLAIMED_FOR, "attempts": Delivery.attempts + 1}
        return session.connection().execute(mine.values(values)).rowcount == 1


def _send(session: Session, desk: Desk, delivery_id: int, now: datetime) -> str:
    row = session.get(Delivery, delivery_id, populate_existing=True)
    channel = session.get(AlertChannel, row.channel_id) if row is not None else None
    if row is None or channel is None:
        return ""
    attempts = row.attempts
    alerts = _alerts(session, desk, row, channel)
    if not alerts:
        return _end(session, delivery_id, "dropped", "", now)
    told = [alert.id for alert in alerts]
    message = _message(session, desk, row, channel, alerts, now)
    target = target_of(channel, desk.key)
    session.rollback()  # a service takes seconds, and nobody shall wait for our transaction
    why = _attempt(desk, target, message)
    if why is None:
        return _end(session, delivery_id, "sent", "", now, told)
    log.warning("an alert was not sent", extra={"fields": {"delivery": delivery_id, "try": attempts, "why": why}})
    again = try_again_at(now, attempts)
    return (
        _end(session, delivery_id, "gave_up", why, now) if again is None else _retry(session, delivery_id, why, again)
    )


def _attempt(desk: Desk, target: Target | None, message: Message) -> str | None:
    if target is None:
        return "unreadable"
    try:
        desk.notifier.send(target, message)
    except NotSent as refused:
        return str(refused)
    except Exception as error:
        # A service's library may raise anything; the loop must outlive it, and its text may hold an address.
        log.error("sending broke: %s", type(error).__name__)
        return type(error).__name__
    return None


def _alerts(session: Session, desk: Desk, row: Delivery, channel: AlertChannel) -> list[Alert]:
    """What this message still has to tell, to whoever may still hear it: it may have waited for a night, and a share or
    an account may have ended meanwhile. A digest: everything that is open, the most urgent first."""
    open_ones = sa.and_(Alert.is_silent.is_(False), Alert.ended_at.is_(None), Alert.seen_at.is_(None))
    query = sa.select(Alert).where(open_ones, _may_hear(session, desk, channel))
    if row.kind == "digest":
        return _worst(list(session.scalars(query.order_by(Alert.level.desc(), Alert.due_at).limit(DIGEST_LINES))))
    found = {alert.id: alert for alert in session.scalars(query.where(Alert.id.in_(row.alert_ids)))}
    return _worst([found[alert_id] for alert_id in row.alert_ids if alert_id in found])


def _may_hear(session: Session, desk: Desk, channel: AlertChannel) -> sa.ColumnElement[bool]:
    role = session.scalar(sa.select(_users.c.role).where(_users.c.id == channel.owner_id, _users.c.is_active))
    if role is None or not channel.is_active:
        return sa.false()
    if channel.covers_all and role == "admin":
        return sa.true()
    return Alert.live_code_id.in_(desk.seen_by(channel.owner_id))


def _worst(alerts: Sequence[Alert]) -> list[Alert]:
    """Of one family only the worst: what expires in ten hours need not be told to expire in two days."""
    worst: dict[str, Alert] = {}
    for alert in alerts:
        family = _family(alert)
        if family not in worst or alert.rank > worst[family].rank:
            worst[family] = alert
    return [alert for alert in alerts if worst[_family(alert)] is alert]


def _family(alert: Alert) -> str:
    cause = Cause(alert.cause, alert.kind, Level(alert.level), alert.live_code_id, alert.member_id)
    return cause.family or alert.cause


def _message(
    session: Session, desk: Desk, row: Delivery, channel: AlertChannel, alerts: Sequence[Alert], now: datetime
) -> Message:
    lines = _lines(session, desk, alerts, now)
    with wording.in_language(channel.language):
        title = wording.gettext("Huozi: %(title)s", title=wording.title(lines, row.kind))
        body = wording.text(lines, now, desk.zone, desk.public_url)
        facts = [
            {
                "kind": line.kind,
                "live_code": line.live_code,
                "member": line.member,
                "text": wording.what(line, now, desk.zone),
                "since": line.at.isoformat(),
                "url": line.act_url,
                "owner_url": line.owner_url,
                "cause": alert.cause,
                "episode": alert.episode,
            }
            for line, alert in zip(lines, alerts, strict=True)
        ]
    more = {"kind": row.kind, "sent_at": now.isoformat(), "alerts": facts}
    return Message(f"huozi-{row.id}", title, body, more)


def _lines(session: Session, desk: Desk, alerts: Sequence[Alert], now: datetime) -> list[wording.Line]:
    codes = {
        found.id: found.name
        for found in session.execute(
            sa.select(_live_codes.c.id, _live_codes.c.name).where(
                _live_codes.c.id.in_([alert.live_code_id for alert in alerts])
            )
        )
    }
    members = labels(session, [alert.member_id for alert in alerts if alert.member_id is not None])
    tokens = _owner_links(session, desk, [a for a in alerts if a.kind in SWAPPED and a.member_id in members], now)
    lines = []
    for alert in alerts:
        member, owner = members.get(alert.member_id or 0, ("", ""))
        act = f"/codes/{alert.live_code_id}" if not member else f"/members/{alert.member_id}"
        act += _PAGES.get(alert.kind, "") if member else ""
        token = tokens.get(alert.member_id or 0)
        lines.append(
            wording.Line(
                alert.id,
                alert.kind,
                codes.get(alert.live_code_id, f"#{alert.live_code_id}"),
                member,
                alert.numbers,
                alert.due_at,
                f"{desk.public_url}{act}",
                f"{desk.public_url}/swap/{token}" if token and alert.kind in SWAPPED else "",
                owner,
            )
        )
    return lines


def _owner_links(session: Session, desk: Desk, alerts: Sequence[Alert], now: datetime) -> dict[int, str]:
    """A link for each member that a new code would help, made once for each version."""
    versions = {
        found.id: found.current_version
        for found in session.execute(
            sa.select(_members.c.id, _members.c.current_version).where(
                _members.c.id.in_([alert.member_id for alert in alerts])
            )
        )
    }
    if not versions:
        return {}
    with writing(session):
        return {
            member_id: links.token_of(links.for_alert(session, member_id, version or 0, now), desk.key)
            for member_id, version in versions.items()
        }


def _end(session: Session, delivery_id: int, state: str, why: str, now: datetime, told: Sequence[int] = ()) -> str:
    """`told`: what the message told of in the end, for the log."""
    values = {"state": state, "error": why[:200], "ended_at": now, "claimed_until": None}
    with writing(session):
        mine = sa.update(Delivery).where(Delivery.id == delivery_id)
        session.execute(mine.values(values | ({"alert_ids": list(told)} if told else {})))
    return "failed" if state == "gave_up" else state


def _retry(session: Session, delivery_id: int, why: str, again: datetime) -> str:
    with writing(session):
        mine = sa.update(Delivery).where(Delivery.id == delivery_id)
        session.execute(mine.values(error=why[:200], next_try_at=again, claimed_until=None))
    return "failed"

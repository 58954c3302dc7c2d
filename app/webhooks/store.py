"""Endpoints and the log of messages: read, made, changed, sent once more.

An endpoint is its maker's own and nobody else's. Every function runs in the caller's transaction, changes inside
`writing(session)`.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.db.audit import Actor, record
from app.outside.seal import seal
from app.rules.webhooks import TEST
from app.webhooks.models import WebhookDelivery, WebhookEndpoint, WebhookMark
from app.webhooks.outgoing import Happened, body_of, fresh_id

MOST_ENDPOINTS = 20
FIELDS = ("name", "url", "events", "covers_all", "is_active")


@dataclass(frozen=True, slots=True)
class Health:
    """How an endpoint's messages fare: those that wait, and those given up that the log still holds."""

    waiting: int = 0
    gave_up: int = 0


def endpoints_of(session: Session, owner_id: int) -> list[WebhookEndpoint]:
    mine = sa.select(WebhookEndpoint).where(WebhookEndpoint.owner_id == owner_id)
    return list(session.scalars(mine.order_by(WebhookEndpoint.id)))


def health_of(session: Session, endpoint_ids: Sequence[int]) -> Mapping[int, Health]:
    """Of each of these endpoints; two counts by the index, whatever the log holds besides."""
    rows = WebhookDelivery
    query = (
        sa.select(rows.endpoint_id, rows.state, sa.func.count())
        .where(rows.state.in_(("waiting", "gave_up")), rows.endpoint_id.in_(endpoint_ids))
        .group_by(rows.endpoint_id, rows.state)
    )
    found: dict[int, dict[str, int]] = {}
    for endpoint_id, state, count in session.execute(query):
        found.setdefault(endpoint_id, {})[state] = count
    return {endpoint_id: Health(**found.get(endpoint_id, {})) for endpoint_id in endpoint_ids}


def find_endpoint(session: Session, owner_id: int, endpoint_id: int) -> WebhookEndpoint | None:
    mine = sa.select(WebhookEndpoint).where(WebhookEndpoint.id == endpoint_id, WebhookEndpoint.owner_id == owner_id)
    return session.scalar(mine.execution_options(populate_existing=True))


def lock_endpoint(session: Session, owner_id: int, endpoint_id: int) -> WebhookEndpoint | None:
    """The endpoint, read anew and nobody else's until the transaction ends."""
    mine = sa.select(WebhookEndpoint).where(WebhookEndpoint.id == endpoint_id, WebhookEndpoint.owner_id == owner_id)
    return session.scalar(mine.with_for_update().execution_options(populate_existing=True))


def make_secret() -> str:
    return f"whsec_{secrets.token_urlsafe(32)}"


def add_endpoint(
    session: Session, actor: Actor, owner_id: int, values: Mapping[str, Any], secret: str, key: str
) -> WebhookEndpoint | None:
    """None where this owner has as many as anybody may have."""
    if len(endpoints_of(session, owner_id)) >= MOST_ENDPOINTS:
        return None
    row = WebhookEndpoint(owner_id=owner_id, sealed=seal(secret, key), **{name: values[name] for name in FIELDS})
    session.add(row)
    session.flush()
    record(session, actor, "webhook.created", "webhook", row.id, after=_facts(row))
    return row


def change_endpoint(session: Session, actor: Actor, row: WebhookEndpoint, values: Mapping[str, Any]) -> None:
    """Sets what differs. Switched on again, or sent elsewhere, it begins with a clean slate."""
    before = _facts(row)
    for name in FIELDS:
        if name in values:
            setattr(row, name, values[name])
    after = _facts(row)
    if before == after:
        return
    row.version += 1
    if row.is_active:
        row.failing_since = row.rest_until = row.disabled_at = None
    if (row.is_active and not before["is_active"]) or before["covers_all"] != row.covers_all:
        row.watched_at = None
    record(session, actor, "webhook.changed", "webhook", row.id, before=before, after=after)


def renew_secret(session: Session, actor: Actor, row: WebhookEndpoint, secret: str, key: str) -> None:
    """From now on messages are signed with this one, those that wait already, too."""
    row.sealed = seal(secret, key)
    row.version += 1
    record(session, actor, "webhook.secret_renewed", "webhook", row.id)


def delete_endpoint(session: Session, actor: Actor, row: WebhookEndpoint) -> None:
    """With its log."""
    session.execute(sa.delete(WebhookDelivery).where(WebhookDelivery.endpoint_id == row.id))
    session.execute(sa.delete(WebhookMark).where(WebhookMark.endpoint_id == row.id))
    record(session, actor, "webhook.deleted", "webhook", row.id, before=_facts(row))
    session.delete(row)


def queue_test(session: Session, row: WebhookEndpoint, now: datetime) -> WebhookDelivery:
    """A message that says it is a test, sent like any other."""
    happened = Happened(fresh_id(), TEST, now, 0)
    message = WebhookDelivery(
        endpoint_id=row.id, event_id=happened.id, type=TEST, body=body_of(happened, None), state="waiting", tries=0,
        next_try_at=now, problem="", created_at=now,
    )  # fmt: skip
    session.add(message)
    session.flush()
    row.rest_until = None
    return message


def messages_of(
    session: Session, endpoint_id: int, *, before: int | None = None, state: str = "", limit: int = 50
) -> tuple[list[WebhookDelivery], int | None]:
    """The newest messages, those older than `before` where it is given; and what to give next, None at the end."""
    query = sa.select(WebhookDelivery).where(WebhookDelivery.endpoint_id == endpoint_id)
    if before is not None:
        query = query.where(WebhookDelivery.id < before)
    if state:
        query = query.where(WebhookDelivery.state == state)
    rows = list(session.scalars(query.order_by(WebhookDelivery.id.desc()).limit(limit + 1)))
    return rows[:limit], rows[limit - 1].id if len(rows) > limit else None


def find_message(session: Session, owner_id: int, message_id: int) -> WebhookDelivery | None:
    query = (
        sa.select(WebhookDelivery)
        .join(WebhookEndpoint, WebhookEndpoint.id == WebhookDelivery.endpoint_id)
        .where(WebhookDelivery.id == message_id, WebhookEndpoint.owner_id == owner_id)
    )
    return session.scalar(query.execution_options(populate_existing=True))


def send_again(session: Session, row: WebhookDelivery, now: datetime) -> None:
    """In line once more from the beginning, under the id it had."""
    row.state, row.tries, row.next_try_at = "waiting", 0, now
    row.claimed_until = row.ended_at = None
    session.execute(sa.update(WebhookEndpoint).where(WebhookEndpoint.id == row.endpoint_id).values(rest_until=None))


def _facts(row: WebhookEndpoint) -> dict[str, Any]:
    return {name: getattr(row, name) for name in FIELDS}

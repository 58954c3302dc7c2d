"""Writes the messages, in the very transaction in which something happened: both are there, or neither.

Decides which event of a poster is which message, what a message says, and whose endpoints get it. Ids in a message are
those of the API. Sending is up to `sending`.
"""

import hashlib
import json
import secrets
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.orm import Session

from app.db.audit import AuditEntry
from app.db.upsert import Insert, insert_rows
from app.rules.tally import ScanEvent
from app.webhooks.models import WebhookDelivery, WebhookEndpoint

_ENDPOINTS: sa.Table = WebhookEndpoint.__table__  # type: ignore[assignment]
_DELIVERIES: sa.Table = WebhookDelivery.__table__  # type: ignore[assignment]

# What must be seen of tables that belong to others.
_users = sa.table("users", sa.column("id"), sa.column("role"), sa.column("is_active", sa.Boolean))
_live_codes = sa.table("live_codes", *(sa.column(name) for name in ("id", "owner_id", "slug", "name")))
_members = sa.table("members", sa.column("id"), sa.column("live_code_id"), sa.column("choice_id"))
_tags = sa.table("tags", sa.column("id", sa.Integer), sa.column("name"), sa.column("category"))
_visitors = sa.table("visitors", sa.column("id", sa.Integer), sa.column("key", sa.String))

SWAPS = {"member.swapped": "swapped", "member.rolled_back": "rolled_back"}
_SEATED = frozenset({"scan", "choose", "reroute"})


@dataclass(frozen=True, slots=True)
class Happened:
    """One thing to tell. `id` is the same whoever tells it and however often; `says` goes into the message as it is."""

    id: str
    type: str
    at: datetime
    live_code_id: int
    visitor_id: int | None = None
    says: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Listening:
    """An endpoint that is on: whose, for which messages; `owner_id` None: for everybody's live codes."""

    id: int
    owner_id: int | None
    events: frozenset[str]


def tell(connection: Connection, events: Sequence[ScanEvent]) -> None:
    """Of new events of posters; hears them after those who make visitors of them."""
    listening = listening_to(connection)
    wanted = frozenset[str]().union(*(one.events for one in listening))
    told = [(kind, event) for event in events for kind in _kinds_of(event) if kind in wanted]
    if not told:
        return
    visitors = _visitor_ids(connection, {event.visitor for _, event in told if event.visitor})
    put(connection, [_happened(kind, event, visitors.get(event.visitor or "")) for kind, event in told], listening)


def tell_tagged(connection: Connection, tagged: Sequence[tuple[int, int, int, datetime]]) -> None:
    """Of tags given by hand, by a rule or to many at once, in the transaction that gives them: (visitor, tag, live
    code, when). A tag that comes with a choice is told by the scan event."""
    listening = [one for one in listening_to(connection) if "visitor.tagged" in one.events] if tagged else []
    if not listening:
        return
    query = sa.select(_tags).where(_tags.c.id.in_({tag_id for _, tag_id, _, _ in tagged}))
    tags = {row.id: {"name": row.name, "category": row.category} for row in connection.execute(query)}
    happened = [
        Happened(fresh_id(), "visitor.tagged", at, live_code_id, visitor_id, {"tag": tags.get(tag_id)})
        for visitor_id, tag_id, live_code_id, at in tagged
    ]
    put(connection, happened, listening)


def tell_swaps(session: Session, _context: object) -> None:
    """SQLAlchemy's after_flush: whoever swaps a code notes it in the audit log, so nobody's way of swapping is left
    out."""
    swaps = [row for row in session.new if isinstance(row, AuditEntry) and row.action in SWAPS]
    if not swaps:
        return
    connection = session.connection()
    listening = [one for one in listening_to(connection) if "member.swapped" in one.events]
    if listening:
        put(connection, _swaps_happened(connection, swaps), listening)


def listening_to(connection: Connection, *types: str) -> list[Listening]:
    """The endpoints that are on and whose owners may still work here; for one of `types` where they are named."""
    query = (
        sa.select(_ENDPOINTS.c.id, _ENDPOINTS.c.owner_id, _ENDPOINTS.c.covers_all, _ENDPOINTS.c.events, _users.c.role)
        .join(_users, _users.c.id == _ENDPOINTS.c.owner_id)
        .where(_ENDPOINTS.c.is_active, _users.c.is_active)
        .order_by(_ENDPOINTS.c.id)
    )
    found = [
        Listening(row.id, None if row.covers_all and row.role == "admin" else row.owner_id, frozenset(row.events))
        for row in connection.execute(query)
    ]
    return [one for one in found if not types or one.events & set(types)]


def put(connection: Connection, happened: Sequence[Happened], listening: Iterable[Listening]) -> int:
    """Writes the messages to be sent; how many. One that is there already stays as it is."""
    codes = _codes(connection, {one.live_code_id for one in happened})
    now = datetime.now(UTC)
    rows = [
        _row(endpoint, one, codes[one.live_code_id], now)
        for endpoint in listening
        for one in happened
        if one.type in endpoint.events
        and one.live_code_id in codes
        and endpoint.owner_id in (None, codes[one.live_code_id].owner_id)
    ]
    if rows:
        insert_rows(connection, _DELIVERIES, rows, _unless_there)
    return len(rows)


def forget(connection: Connection, visitor: str, live_code_ids: Collection[int]) -> None:
    """An erased person's messages go, those that are still to be sent too: nobody is to learn of them any more."""
    theirs = sa.select(_visitors.c.id).where(_visitors.c.key == visitor).scalar_subquery()
    rows = _DELIVERIES.c
    connection.execute(sa.delete(_DELIVERIES).where(rows.visitor_id == theirs, rows.live_code_id.in_(live_code_ids)))


def join(connection: Connection, goes_id: int, stays_id: int) -> None:
    """Messages about a visitor who turned out to be another one: deleted with them, should they be erased. What they
    say stays as it was sent."""
    theirs = sa.update(_DELIVERIES).where(_DELIVERIES.c.visitor_id == goes_id)
    connection.execute(theirs.values(visitor_id=stays_id))


def _kinds_of(event: ScanEvent) -> Iterable[str]:
    if event.type == "press":
        yield "press"
    if event.type not in _SEATED or event.outcome != "assigned":
        return
    if event.member_id:
        yield "seat.taken"
    if event.type == "choose" and event.choice_id:
        yield "choice.made"
    if event.tag and event.visitor:
        yield "visitor.tagged"


def _happened(kind: str, event: ScanEvent, visitor_id: int | None) -> Happened:
    says = {
        "member": {"id": event.member_id, "version": event.member_version} if event.member_id else None,
        "choice": {"id": event.choice_id} if event.choice_id else None,
        "tag": {"name": event.tag, "category": "behaviour"} if event.tag else None,
        "placement": event.placement,
        "region": event.region,
        "device": event.device,
        "app": event.app,
    }
    return Happened(_id_of(kind, event.id), kind, event.at, event.live_code_id, visitor_id, says)


def _swaps_happened(connection: Connection, swaps: Sequence[AuditEntry]) -> list[Happened]:
    query = sa.select(_members).where(_members.c.id.in_([row.object_id for row in swaps]))
    members = {row.id: row for row in connection.execute(query)}
    found = []
    for row in swaps:
        member, before, after = members.get(row.object_id), row.before or {}, row.after or {}
        if member is None:
            continue
        says = {
            "member": {"id": member.id, "version": after.get("version")},
            "choice": {"id": member.choice_id} if member.choice_id else None,
            "was_version": before.get("version"),
            "how": SWAPS[row.action],
            "new_group": "generation" in after,
        }
        found.append(Happened(_id_of("member.swapped", f"audit-{row.id}"), "member.swapped", row.at,
                              member.live_code_id, None, says))  # fmt: skip
    return found


def _visitor_ids(connection: Connection, keys: Collection[str]) -> Mapping[str, int]:
    rows = connection.execute(sa.select(_visitors.c.key, _visitors.c.id).where(_visitors.c.key.in_(keys)))
    return {row.key: row.id for row in rows}


def _codes(connection: Connection, ids: Collection[int]) -> Mapping[int, Any]:
    return {row.id: row for row in connection.execute(sa.select(_live_codes).where(_live_codes.c.id.in_(ids)))}


def _row(endpoint: Listening, one: Happened, code: Any, now: datetime) -> dict[str, Any]:
    return {
        "id": None,
        "endpoint_id": endpoint.id,
        "event_id": one.id,
        "type": one.type,
        "live_code_id": one.live_code_id,
        "visitor_id": one.visitor_id,
        "body": body_of(one, {"id": code.id, "slug": code.slug, "name": code.name}),
        "state": "waiting",
        "tries": 0,
        "next_try_at": now,
        "problem": "",
        "created_at": now,
    }


def body_of(one: Happened, live_code: Mapping[str, Any] | None) -> str:
    """The message as it is sent: an object whose names never change their meaning."""
    visitor = {"id": one.visitor_id} if one.visitor_id is not None else None
    at = one.at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    told = {"id": one.id, "type": one.type, "at": at, "live_code": live_code, "visitor": visitor, **one.says}
    return json.dumps(told, ensure_ascii=False, separators=(",", ":"))


def fresh_id() -> str:
    return f"evt_{secrets.token_hex(16)}"


def _id_of(kind: str, source: str) -> str:
    """The same for the same thing, whoever derives it: a receiver tells by it what it has seen."""
    return f"evt_{hashlib.blake2b(f'{kind}:{source}'.encode(), digest_size=16).hexdigest()}"


def marked_id(key: str, *parts: object) -> str:
    return _id_of(key, ":".join(str(part) for part in parts))


def _unless_there(statement: Insert) -> Any:
    return statement.on_conflict_do_nothing()

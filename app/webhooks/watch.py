"""Looks for members that filled up or expired, and has each told once to each endpoint that wants to know.

Nobody scans at the moment in which a code expires, so this is looked for every minute. What was so before an endpoint
first looked is noted and not told. A group that fills up again is told again when a tenth of its places had been free
in between, or when it is another group.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Engine
from sqlalchemy.orm import Session

from app.db.upsert import insert
from app.rules.alerting import Facts
from app.rules.capacity import status_of
from app.rules.model import Member
from app.webhooks.models import WebhookEndpoint, WebhookMark
from app.webhooks.outgoing import Happened, Listening, listening_to, marked_id, put

WATCHED = ("member.full", "member.expired")
STILL_FULL_TENTHS = 9

_ENDPOINTS: sa.Table = WebhookEndpoint.__table__  # type: ignore[assignment]
_MARKS: sa.Table = WebhookMark.__table__  # type: ignore[assignment]

Standing = Callable[[Session, datetime], Sequence[Facts]]
Writing = Callable[[], AbstractContextManager[Connection]]


@dataclass(frozen=True, slots=True)
class _State:
    """Something that is so now. `at`: since when, where that is known."""

    key: str
    type: str
    live_code_id: int
    owner_id: int
    at: datetime
    says: dict[str, Any]


def look(engine: Engine, standing: Standing, writing: Writing, now: datetime) -> int:
    """One look; how many messages were written. Raises LedgerDown where nobody knows who has room."""
    with engine.connect() as connection:
        listening = listening_to(connection, *WATCHED)
    if not listening:
        return 0
    with Session(engine) as session:
        facts = standing(session, now)
    holds = [state for one in facts for state in _states(one, now)]
    emptied = {key for one in facts for key in _emptied(one)}
    told = 0
    for endpoint in listening:
        with writing() as connection:
            told += _tell(connection, endpoint, holds, emptied, now)
    return told


def _states(facts: Facts, now: datetime) -> Iterator[_State]:
    for member in facts.snapshot.members:
        if member.is_fallback:
            continue
        taken = facts.taken.get(member.id, 0)
        status = status_of(member, taken, now)
        says = {"member": {"id": member.id, "version": member.version}}
        says["choice"] = {"id": member.choice_id} if member.choice_id else None  # type: ignore[assignment]
        whose = facts.snapshot.id, facts.snapshot.owner_id
        if status == "full":
            yield _State(_full_key(member), "member.full", *whose, now, {**says, "occupied": taken,
                         "capacity": member.capacity})  # fmt: skip
        if status == "expired" and member.expires_at is not None:
            key = f"expired:{member.id}:{member.version}:{int(member.expires_at.timestamp())}"
            yield _State(key, "member.expired", *whose, member.expires_at, says)


def _emptied(facts: Facts) -> Iterator[str]:
    for member in facts.snapshot.members:
        if member.capacity is None or facts.taken.get(member.id, 0) * 10 < member.capacity * STILL_FULL_TENTHS:
            yield _full_key(member)


def _full_key(member: Member) -> str:
    return f"full:{member.id}:{member.generation}"


def _tell(
    connection: Connection, endpoint: Listening, holds: Sequence[_State], emptied: set[str], now: datetime
) -> int:
    # Locked, so that of two processes that look at once the second finds the marks of the first.
    query = sa.select(_ENDPOINTS.c.watched_at).where(_ENDPOINTS.c.id == endpoint.id).with_for_update()
    row = connection.execute(query).first()
    if row is None:
        return 0
    marks = sa.select(_MARKS.c.key).where(_MARKS.c.endpoint_id == endpoint.id)
    known = set(connection.execute(marks).scalars())
    mine = [one for one in holds if endpoint.owner_id in (None, one.owner_id) and one.type in endpoint.events]
    fresh = [one for one in mine if one.key not in known]
    _forget(connection, endpoint.id, known & emptied)
    _note(connection, endpoint.id, fresh, now)
    if row.watched_at is None:
        connection.execute(sa.update(_ENDPOINTS).where(_ENDPOINTS.c.id == endpoint.id).values(watched_at=now))
        return 0
    moment = int(now.timestamp())
    happened = [
        Happened(marked_id(one.key, endpoint.id, moment), one.type, one.at, one.live_code_id, None, one.says)
        for one in fresh
    ]
    return put(connection, happened, [endpoint])


def _forget(connection: Connection, endpoint_id: int, keys: set[str]) -> None:
    if keys:
        gone = sa.delete(_MARKS).where(_MARKS.c.endpoint_id == endpoint_id, _MARKS.c.key.in_(keys))
        connection.execute(gone)


def _note(connection: Connection, endpoint_id: int, fresh: Sequence[_State], now: datetime) -> None:
    if fresh:
        rows = [{"endpoint_id": endpoint_id, "key": one.key, "at": now} for one in fresh]
        connection.execute(insert(connection, _MARKS).on_conflict_do_nothing(), rows)

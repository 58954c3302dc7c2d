"""Idempotency keys: a request sent twice is done once and answered twice.

Decides how a request is recognised and for how long: user, key, method and path, and what the body said. The row is
written in the very transaction of the change, so that neither a crash nor two clicks at once can leave one without the
other; a refused request leaves none, and may be sent again. What was answered is the caller's business.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.db.base import Base, UtcDateTime

KEPT_FOR = timedelta(hours=24)
LONGEST_KEY = 200


class IdempotencyKey(Base):
    __tablename__ = "idempotency_keys"

    user_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    key: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    request: Mapped[str] = mapped_column(sa.String(64))
    status: Mapped[int]
    answer: Mapped[Any] = mapped_column(sa.JSON)
    at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


@dataclass(frozen=True, slots=True)
class Once:
    """One request that is to be done once. `key` is the sender's, `request` a digest of what it asks for."""

    user_id: int
    key: str
    request: str


@dataclass(frozen=True, slots=True)
class Answered:
    """It was done before, and this was the answer."""

    status: int
    answer: Any


@dataclass(frozen=True, slots=True)
class OtherRequest:
    """The same key came with another request: a mistake of the sender's."""


def make_once(user_id: int, key: str, *parts: bytes) -> Once:
    """`parts`: method, path and body, whatever makes two requests the same."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return Once(user_id, hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest(), digest.hexdigest())


def answered(session: Session, once: Once, now: datetime) -> Answered | OtherRequest | None:
    """What this request was answered before; None when it has not been done. Call it first in the transaction.

    Takes the key: on PostgreSQL a second transaction with the same key waits here until this one has ended, on SQLite
    there is only one writer anyway.
    """
    if session.get_bind().dialect.name == "postgresql":
        lock = int.from_bytes(hashlib.sha256(f"{once.user_id}:{once.key}".encode()).digest()[:8], "big", signed=True)
        session.execute(sa.select(sa.func.pg_advisory_xact_lock(lock)))
    row = session.get(IdempotencyKey, (once.user_id, once.key), populate_existing=True)
    if row is not None and row.at < now - KEPT_FOR:
        session.delete(row)
        session.flush()
        row = None
    if row is None:
        return None
    return Answered(row.status, row.answer) if row.request == once.request else OtherRequest()


def remember(session: Session, once: Once, status: int, answer: Any, now: datetime) -> None:
    """Writes down the answer, in the transaction of what was done. `answer` is plain JSON.

    One key in 256 drops what is older than a day, so that nobody has to remember to.
    """
    if once.key.startswith("00"):
        _forget_old(session, now)
    session.add(
        IdempotencyKey(user_id=once.user_id, key=once.key, request=once.request, status=status, answer=answer, at=now)
    )
    session.flush()


def _forget_old(session: Session, now: datetime) -> None:
    session.execute(sa.delete(IdempotencyKey).where(IdempotencyKey.at < now - KEPT_FOR))

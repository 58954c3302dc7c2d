"""Tables of webhooks: who wants to be told of what, every message with what became of it, what was told already.

A message names no foreign key: it is written by the transaction that folds an event, and an endpoint that is deleted in
that moment must not hold the event up.
"""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, UtcDateTime, utc_now_column

STATES = ("waiting", "sent", "gave_up")


class WebhookEndpoint(Base):
    """Where an owner wants messages sent. `sealed`: the secret they are signed with. `failing_since`: null as long as
    it takes messages; `rest_until`: nothing is sent before. `watched_at`: since when full and expired members are told,
    null until what is so already has been noted."""

    __tablename__ = "webhook_endpoints"

    id: Mapped[int] = mapped_column(primary_key=True)
    owner_id: Mapped[int] = mapped_column(sa.ForeignKey("users.id"), index=True)
    name: Mapped[str] = mapped_column(sa.String(60))
    url: Mapped[str] = mapped_column(sa.String(1000))
    sealed: Mapped[str] = mapped_column(sa.Text)
    events: Mapped[list[str]] = mapped_column(sa.JSON)
    covers_all: Mapped[bool]
    is_active: Mapped[bool]
    version: Mapped[int] = mapped_column(default=1)
    failing_since: Mapped[datetime | None]
    rest_until: Mapped[datetime | None]
    disabled_at: Mapped[datetime | None]
    watched_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = utc_now_column()


class WebhookDelivery(Base):
    """One message for one endpoint. `body` is what is sent and signed, the same at every try."""

    __tablename__ = "webhook_deliveries"
    __table_args__ = (
        sa.CheckConstraint("state IN ({})".format(", ".join(f"'{state}'" for state in STATES)), name="state"),
        sa.UniqueConstraint("endpoint_id", "event_id", name="uq_webhook_deliveries_event"),
        sa.Index("ix_webhook_deliveries_due", "state", "endpoint_id", "next_try_at"),
        sa.Index("ix_webhook_deliveries_log", "endpoint_id", "id"),
    )

    id: Mapped[int] = mapped_column(
        sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True
    )
    endpoint_id: Mapped[int]
    event_id: Mapped[str] = mapped_column(sa.String(40))
    type: Mapped[str] = mapped_column(sa.String(20))
    live_code_id: Mapped[int | None]
    visitor_id: Mapped[int | None] = mapped_column(index=True)
    body: Mapped[str] = mapped_column(sa.Text)
    state: Mapped[str] = mapped_column(sa.String(10))
    tries: Mapped[int]
    next_try_at: Mapped[datetime]
    claimed_until: Mapped[datetime | None]
    status: Mapped[int | None]
    problem: Mapped[str] = mapped_column(sa.String(40))
    took_ms: Mapped[int | None]
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    ended_at: Mapped[datetime | None]


class WebhookMark(Base):
    """What an endpoint was told of a member, so that it is told once: "full:7:2" (generation), "expired:7:3:…"."""

    __tablename__ = "webhook_marks"

    endpoint_id: Mapped[int] = mapped_column(
        sa.ForeignKey("webhook_endpoints.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    key: Mapped[str] = mapped_column(sa.String(80), primary_key=True)
    at: Mapped[datetime]

"""Tables of alerts: what was noticed, who wants to be told how, what was sent, and the links by which owners swap.

An alert's cause and episode are unique: whichever process notices a trouble first has noticed it for all of them.
"""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, UtcDateTime, utc_now_column

LANGUAGES = ("zh", "en")
DELIVERY_KINDS = ("now", "digest", "escalation", "test")
DELIVERY_STATES = ("waiting", "sent", "gave_up", "dropped")


def _one_of(column: str, values: tuple[str, ...]) -> sa.CheckConstraint:
    quoted = ", ".join(f"'{value}'" for value in values)
    return sa.CheckConstraint(f"{column} IN ({quoted})", name=column)


class AlertRule(Base):
    """Thresholds of one live code, where they are not the usual ones."""

    __tablename__ = "alert_rules"

    live_code_id: Mapped[int] = mapped_column(sa.ForeignKey("live_codes.id"), primary_key=True, autoincrement=False)
    is_muted: Mapped[bool] = mapped_column(default=False)
    expiring_hours: Mapped[list[int]] = mapped_column(sa.JSON)
    filling_percents: Mapped[list[int]] = mapped_column(sa.JSON)
    cooldown_hours: Mapped[int] = mapped_column(default=6)
    tells_forecast: Mapped[bool] = mapped_column(default=True)
    work_from: Mapped[int] = mapped_column(default=9 * 60)
    work_until: Mapped[int] = mapped_column(default=18 * 60)
    work_days: Mapped[list[int]] = mapped_column(sa.JSON)
    version: Mapped[int] = mapped_column(default=1, server_default="1")


class Alert(Base):
    """A cause that held, or holds while `ended_at` is null. `is_silent`: one of its family spoke for it."""

    __tablename__ = "alerts"
    __table_args__ = (
        sa.UniqueConstraint("cause", "episode", name="uq_alerts_cause"),
        sa.Index("ix_alerts_open", "ended_at", "live_code_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    cause: Mapped[str] = mapped_column(sa.String(120))
    episode: Mapped[int] = mapped_column()
    kind: Mapped[str] = mapped_column(sa.String(20))
    level: Mapped[int] = mapped_column()
    rank: Mapped[int] = mapped_column(default=0)
    live_code_id: Mapped[int] = mapped_column(index=True)
    member_id: Mapped[int | None] = mapped_column()
    numbers: Mapped[dict[str, Any]] = mapped_column(sa.JSON)
    due_at: Mapped[datetime] = mapped_column(UtcDateTime)
    opened_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    seen_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    seen_by: Mapped[str] = mapped_column(sa.String(320), default="")
    is_silent: Mapped[bool] = mapped_column(default=False)


class AlertChannel(Base):
    """One way of telling somebody. `sealed`: address and secret, readable with the service's key alone."""

    __tablename__ = "alert_channels"
    __table_args__ = (_one_of("language", LANGUAGES),)

    id: Mapped[int] = mapped_column(primary_key=True)
    owner_id: Mapped[int] = mapped_column(sa.ForeignKey("users.id"), index=True)
    name: Mapped[str] = mapped_column(sa.String(60))
    kind: Mapped[str] = mapped_column(sa.String(20))
    sealed: Mapped[str] = mapped_column(sa.Text)
    language: Mapped[str] = mapped_column(sa.String(5), default="zh")
    is_active: Mapped[bool] = mapped_column(default=True)
    covers_all: Mapped[bool] = mapped_column(default=False)
    lowest_level: Mapped[int] = mapped_column(default=1)
    quiet_from: Mapped[int | None] = mapped_column()
    quiet_until: Mapped[int | None] = mapped_column()
    digest_at: Mapped[int | None] = mapped_column()
    escalates_after_hours: Mapped[int | None] = mapped_column()
    version: Mapped[int] = mapped_column(default=1, server_default="1")
    created_at: Mapped[datetime] = utc_now_column()


class Delivery(Base):
    """One message to one channel. The words are made when it is sent, of what still holds then."""

    __tablename__ = "alert_deliveries"
    __table_args__ = (
        _one_of("kind", DELIVERY_KINDS),
        _one_of("state", DELIVERY_STATES),
        sa.Index("ix_alert_deliveries_due", "state", "next_try_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    channel_id: Mapped[int] = mapped_column(sa.ForeignKey("alert_channels.id", ondelete="CASCADE"), index=True)
    key: Mapped[str] = mapped_column(sa.String(120), unique=True)
    kind: Mapped[str] = mapped_column(sa.String(12))
    alert_ids: Mapped[list[int]] = mapped_column(sa.JSON)
    state: Mapped[str] = mapped_column(sa.String(10), default="waiting")
    attempts: Mapped[int] = mapped_column(default=0)
    next_try_at: Mapped[datetime] = mapped_column(UtcDateTime)
    claimed_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    error: Mapped[str] = mapped_column(sa.String(200), default="")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class SeenReserve(Base):
    """A member that was a reserve when we last looked; when it is on, it was called in."""

    __tablename__ = "alert_reserves"

    member_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime)


class AlertRound(Base):
    """When alerts were last looked for, one row: how `/status` knows that somebody does."""

    __tablename__ = "alert_rounds"
    __table_args__ = (sa.CheckConstraint("id = 1", name="single"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    took_ms: Mapped[int] = mapped_column()


class SwapLink(Base):
    """A way for a group's owner to swap one member's code. The token itself is signed and stored nowhere."""

    __tablename__ = "swap_links"
    __table_args__ = (
        sa.CheckConstraint("uses >= 0 AND uses <= most_uses", name="uses"),
        sa.Index("ix_swap_links_member", "member_id", "version"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    member_id: Mapped[int] = mapped_column(sa.ForeignKey("members.id"))
    version: Mapped[int] = mapped_column()  # the version it was made to replace; 0: whichever is shown
    made_by: Mapped[str] = mapped_column(sa.String(320))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    most_uses: Mapped[int] = mapped_column(default=1)
    uses: Mapped[int] = mapped_column(default=0)
    reads: Mapped[int] = mapped_column(default=0)
    used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

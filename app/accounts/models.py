"""Tables of panel users and of everything that lets one in: sessions, API tokens, invitations, failed log-ins.

Nothing here can be used to get in: passwords are argon2 hashes, tokens are stored as digests only. What users changed
is written by `db.audit`.
"""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.db import Base, UtcDateTime, utc_now_column

ROLES = ("admin", "marketer", "viewer")
LANGUAGES = ("zh", "en")
SCOPES = ("read", "write", "visitors")

DIGEST_CHARACTERS = 64
EMAIL_CHARACTERS = 254
NAME_CHARACTERS = 60


def _one_of(column: str, values: tuple[str, ...]) -> sa.CheckConstraint:
    quoted = ", ".join(f"'{value}'" for value in values)
    return sa.CheckConstraint(f"{column} IN ({quoted})", name=column)


class User(Base):
    """Somebody who works in the panel. Never deleted, only disabled: what they made and changed keeps their name."""

    __tablename__ = "users"
    __table_args__ = (
        _one_of("role", ROLES),
        _one_of("language", LANGUAGES),
        sa.CheckConstraint("email = lower(email)", name="email_lower"),
        sa.CheckConstraint("session_epoch >= 0", name="session_epoch"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(sa.String(EMAIL_CHARACTERS), unique=True)
    name: Mapped[str] = mapped_column(sa.String(NAME_CHARACTERS))
    password_hash: Mapped[str] = mapped_column(sa.String(255))
    role: Mapped[str] = mapped_column(sa.String(10))
    language: Mapped[str] = mapped_column(sa.String(5), default="zh")
    is_active: Mapped[bool] = mapped_column(default=True)
    # Raised by "log out everywhere", a new password, a disabling. A session counts only under the epoch it began in, so
    # that a log-in that read the old password cannot leave a session behind the change.
    session_epoch: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime] = utc_now_column()
    last_seen_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class PanelSession(Base):
    """One browser that is logged in."""

    __tablename__ = "sessions"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(sa.ForeignKey("users.id"), index=True)
    token_hash: Mapped[str] = mapped_column(sa.String(DIGEST_CHARACTERS), unique=True)
    epoch: Mapped[int]
    device: Mapped[str] = mapped_column(sa.String(60))
    address: Mapped[str] = mapped_column(sa.String(45))  # a network, never the whole address
    is_remembered: Mapped[bool]
    created_at: Mapped[datetime] = utc_now_column()
    last_seen_at: Mapped[datetime] = utc_now_column()
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)

    user: Mapped[User] = relationship()


class ApiToken(Base):
    """A key for programs. Shown once when made; `prefix` is what people recognise it by afterwards."""

    __tablename__ = "api_tokens"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(sa.ForeignKey("users.id"), index=True)
    name: Mapped[str] = mapped_column(sa.String(NAME_CHARACTERS))
    token_hash: Mapped[str] = mapped_column(sa.String(DIGEST_CHARACTERS), unique=True)
    prefix: Mapped[str] = mapped_column(sa.String(12))
    scopes: Mapped[list[str]] = mapped_column(sa.JSON)
    created_at: Mapped[datetime] = utc_now_column()
    last_used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    user: Mapped[User] = relationship()


class Invitation(Base):
    """A link that works once: it lets one person make their own account with a given address and role, or, where it
    names a user, lets that user set a new password."""

    __tablename__ = "invitations"
    __table_args__ = (_one_of("role", ROLES), sa.CheckConstraint("email = lower(email)", name="email_lower"))

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(sa.String(EMAIL_CHARACTERS), index=True)
    role: Mapped[str] = mapped_column(sa.String(10))
    token_hash: Mapped[str] = mapped_column(sa.String(DIGEST_CHARACTERS), unique=True)
    user_id: Mapped[int | None] = mapped_column(sa.ForeignKey("users.id"))
    invited_by_id: Mapped[int] = mapped_column(sa.ForeignKey("users.id"))
    created_at: Mapped[datetime] = utc_now_column()
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    withdrawn_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    invited_by: Mapped[User] = relationship(foreign_keys=[invited_by_id])


class LoginThrottle(Base):
    """Failed log-ins under one keyed digest of an account, a network, or both together. See `throttle`."""

    __tablename__ = "login_throttles"

    key: Mapped[str] = mapped_column(sa.String(DIGEST_CHARACTERS), primary_key=True)
    failures: Mapped[int] = mapped_column(default=0)
    blocked_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_failed_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)

"""Tables of live codes, their choices, placements, members and versions.

What a member shows is owned by its current version; how many sit in its group is owned by its current generation. Who
holds which seat is not here but in the ledger, which counts seats per (member, counted_from).
"""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.db import Base, UtcDateTime, utc_now_column
from app.rules.kinds import KINDS
from app.rules.model import ChoicePolicy, ClosedPolicy, LiveCodeState, MemberState, Mode, RegionPolicy

SHARE_LEVELS = ("view", "edit")


def _one_of(column: str, values: Any) -> sa.CheckConstraint:
    quoted = ", ".join(f"'{value}'" for value in values)
    return sa.CheckConstraint(f"{column} IN ({quoted})", name=column)


class LiveCode(Base):
    __tablename__ = "live_codes"
    __table_args__ = (
        _one_of("kind", ("simple", "grouped")),
        _one_of("mode", Mode),
        _one_of("region_policy", RegionPolicy),
        _one_of("open", ("page", "redirect")),
        _one_of("choice_policy", ChoicePolicy),
        _one_of("on_closed_member", ClosedPolicy),
        _one_of("state", LiveCodeState),
        sa.CheckConstraint("unpressed_seat_hours >= 0", name="unpressed_seat_hours"),
        sa.CheckConstraint("version >= 1 AND edited_version BETWEEN 1 AND version", name="version"),
        sa.CheckConstraint("ends_at IS NULL OR starts_at IS NULL OR starts_at < ends_at", name="dates"),
        sa.Index("ix_live_codes_dedupe", "owner_id", "dedupe_group"),
        sa.Index("ix_live_codes_folder", "owner_id", "folder"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(sa.String(32), unique=True)
    owner_id: Mapped[int] = mapped_column(sa.ForeignKey("users.id"), index=True)
    # Rises with all a scan could see; `edited_version`: where it stood when the live code's own fields last changed.
    version: Mapped[int] = mapped_column(default=1)
    edited_version: Mapped[int] = mapped_column(default=1)
    name: Mapped[str] = mapped_column(sa.String(100))
    # A folder is there as long as something is in it.
    folder: Mapped[str | None] = mapped_column(sa.String(50))
    title: Mapped[str] = mapped_column(sa.String(100))
    notice: Mapped[str] = mapped_column(sa.String(500), default="")
    contact_text: Mapped[str] = mapped_column(sa.String(100), default="")
    contact_phone: Mapped[str] = mapped_column(sa.String(40), default="")
    contact_url: Mapped[str] = mapped_column(sa.String(500), default="")
    kind: Mapped[str] = mapped_column(sa.String(10), default="simple")
    mode: Mapped[str] = mapped_column(sa.String(12), default="sequential")
    region_policy: Mapped[str] = mapped_column(sa.String(10), default="prefer")
    open: Mapped[str] = mapped_column(sa.String(10), default="page")
    choice_policy: Mapped[str] = mapped_column(sa.String(12), default="one")
    on_closed_member: Mapped[str] = mapped_column(sa.String(10), default="by_press")
    unpressed_seat_hours: Mapped[int] = mapped_column(default=48)
    dedupe_group: Mapped[str | None] = mapped_column(sa.String(50))
    starts_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ends_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    state: Mapped[str] = mapped_column(sa.String(10), default="active")
    pinned_member_id: Mapped[int | None] = mapped_column()
    asks_city: Mapped[bool] = mapped_column(default=False)
    colour: Mapped[str | None] = mapped_column(sa.String(7))
    cover: Mapped[str | None] = mapped_column(sa.String(80))
    # What its printed code begins with, for ever; None: made while there was no address yet that could be printed.
    host: Mapped[str | None] = mapped_column(sa.String(255), index=True)
    created_at: Mapped[datetime] = utc_now_column()
    updated_at: Mapped[datetime] = utc_now_column(onupdate=lambda: datetime.now().astimezone())

    choices: Mapped[list["Choice"]] = relationship(back_populates="live_code", order_by="(Choice.position, Choice.id)")
    members: Mapped[list["Member"]] = relationship(back_populates="live_code", order_by="(Member.position, Member.id)")


class Host(Base):
    """An address beside the installation's own under which scans are answered, such as https://go.example.com."""

    __tablename__ = "hosts"

    id: Mapped[int] = mapped_column(primary_key=True)
    origin: Mapped[str] = mapped_column(sa.String(255), unique=True)
    is_default: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = utc_now_column()


class LiveCodeShare(Base):
    """A colleague who sees somebody else's live code, and may change it where `level` says "edit"."""

    __tablename__ = "live_code_shares"
    __table_args__ = (_one_of("level", SHARE_LEVELS),)

    live_code_id: Mapped[int] = mapped_column(sa.ForeignKey("live_codes.id"), primary_key=True)
    user_id: Mapped[int] = mapped_column(sa.ForeignKey("users.id"), primary_key=True, index=True)
    level: Mapped[str] = mapped_column(sa.String(10))
    created_at: Mapped[datetime] = utc_now_column()


class Choice(Base):
    __tablename__ = "choices"
    __table_args__ = (_one_of("mode", Mode), _one_of("state", ("active", "archived")))

    id: Mapped[int] = mapped_column(primary_key=True)
    live_code_id: Mapped[int] = mapped_column(sa.ForeignKey("live_codes.id"), index=True)
    title: Mapped[str] = mapped_column(sa.String(60))
    description: Mapped[str] = mapped_column(sa.String(200), default="")
    tag: Mapped[str | None] = mapped_column(sa.String(50))
    position: Mapped[int] = mapped_column(default=0)
    mode: Mapped[str] = mapped_column(sa.String(12), default="sequential")
    image: Mapped[str | None] = mapped_column(sa.String(80))
    state: Mapped[str] = mapped_column(sa.String(10), default="active")
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime] = utc_now_column()

    live_code: Mapped[LiveCode] = relationship(back_populates="choices")


class Placement(Base):
    """A place where a live code hangs, told apart by `?p=<key>` in what is printed there."""

    __tablename__ = "placements"
    __table_args__ = (sa.UniqueConstraint("live_code_id", "key", name="uq_placements_key"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    live_code_id: Mapped[int] = mapped_column(sa.ForeignKey("live_codes.id"))
    key: Mapped[str] = mapped_column(sa.String(32))
    name: Mapped[str] = mapped_column(sa.String(60))
    region: Mapped[str | None] = mapped_column(sa.String(40))
    archived: Mapped[bool] = mapped_column(default=False)
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime] = utc_now_column()

    live_code: Mapped[LiveCode] = relationship()


class Member(Base):
    __tablename__ = "members"
    __table_args__ = (
        _one_of("state", MemberState),
        _one_of("kind", KINDS),
        sa.CheckConstraint("capacity IS NULL OR capacity >= 1", name="capacity"),
        sa.CheckConstraint("daily_capacity IS NULL OR daily_capacity >= 1", name="daily_capacity"),
        sa.CheckConstraint("weight BETWEEN 1 AND 100", name="weight"),
        sa.CheckConstraint("(latitude IS NULL) = (longitude IS NULL)", name="coordinates"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    live_code_id: Mapped[int] = mapped_column(sa.ForeignKey("live_codes.id"), index=True)
    choice_id: Mapped[int | None] = mapped_column(sa.ForeignKey("choices.id"))
    kind: Mapped[str] = mapped_column(sa.String(20))
    label: Mapped[str] = mapped_column(sa.String(100), default="")
    public_name: Mapped[str] = mapped_column(sa.String(100), default="")
    owner: Mapped[str] = mapped_column(sa.String(100), default="")
    notes: Mapped[str] = mapped_column(sa.String(1000), default="")
    state: Mapped[str] = mapped_column(sa.String(10), default="active")
    is_fallback: Mapped[bool] = mapped_column(default=False)
    capacity: Mapped[int | None] = mapped_column()
    daily_capacity: Mapped[int | None] = mapped_column()
    weight: Mapped[int] = mapped_column(default=1)
    position: Mapped[int] = mapped_column(default=0)
    regions: Mapped[list[str]] = mapped_column(sa.JSON, default=list)
    windows: Mapped[list[dict[str, Any]]] = mapped_column(sa.JSON, default=list)
    latitude: Mapped[float | None] = mapped_column()
    longitude: Mapped[float | None] = mapped_column()
    radius_m: Mapped[int | None] = mapped_column()
    valid_from: Mapped[datetime | None] = mapped_column(UtcDateTime)
    suspect_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    trusted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    current_version: Mapped[int | None] = mapped_column()
    # Rises with every change of this row or of what it points to, for forms that were opened before somebody else's.
    revision: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime] = utc_now_column()
    updated_at: Mapped[datetime] = utc_now_column(onupdate=lambda: datetime.now().astimezone())

    live_code: Mapped[LiveCode] = relationship(back_populates="members")
    versions: Mapped[list["MemberVersion"]] = relationship(back_populates="member", order_by="MemberVersion.number")
    generations: Mapped[list["MemberGeneration"]] = relationship(order_by="MemberGeneration.number")


class MemberVersion(Base):
    """One uploaded image (or link) of a member, with all that it owns: target, image, expiry, generation."""

    __tablename__ = "member_versions"
    __table_args__ = (
        sa.UniqueConstraint("member_id", "number", name="uq_member_versions_number"),
        _one_of("expiry_source", ("guessed", "entered", "read", "none")),
        sa.CheckConstraint("number >= 1 AND generation >= 1", name="numbers"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    member_id: Mapped[int] = mapped_column(sa.ForeignKey("members.id"))
    number: Mapped[int] = mapped_column()
    generation: Mapped[int] = mapped_column()
    kind: Mapped[str] = mapped_column(sa.String(20))
    target: Mapped[str] = mapped_column(sa.String(2048), default="")
    canonical: Mapped[str] = mapped_column(sa.String(2048), default="", index=True)
    image: Mapped[str] = mapped_column(sa.String(80))
    cut: Mapped[str | None] = mapped_column(sa.String(80))
    card: Mapped[str | None] = mapped_column(sa.String(80))
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    expiry_source: Mapped[str] = mapped_column(sa.String(10), default="none")
    created_at: Mapped[datetime] = utc_now_column()
    created_by: Mapped[str] = mapped_column(sa.String(200), default="")

    member: Mapped[Member] = relationship(back_populates="versions")


class MemberGeneration(Base):
    """Which group a member stands for, and the last headcount of it.

    `counted_from` rises with every headcount and every new group: seats are counted per (member, counted_from), so a
    headcount starts a new count without touching a seat, and a rollback finds the old group's count where it was.
    """

    __tablename__ = "member_generations"
    __table_args__ = (
        sa.UniqueConstraint("member_id", "number", name="uq_member_generations_number"),
        sa.CheckConstraint("headcount IS NULL OR headcount >= 0", name="headcount"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    member_id: Mapped[int] = mapped_column(sa.ForeignKey("members.id"))
    number: Mapped[int] = mapped_column()
    counted_from: Mapped[int] = mapped_column()
    headcount: Mapped[int | None] = mapped_column()
    headcount_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

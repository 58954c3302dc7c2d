"""Tables of the people who scan. A person is known by the random id of their cookie and by what their scans told.

What is global to a person is in `visitors`; what happened under one live code in `visitor_live_codes`, which is all a
marketer sees of people: those of their own live codes. Erased people leave a keyed digest and nothing else.
"""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, UtcDateTime, utc_now_column

CATEGORIES = ("source", "basic", "behaviour", "business", "predicted")
TAG_CHARACTERS = 50


class Visitor(Base):
    __tablename__ = "visitors"
    __table_args__ = (
        sa.Index("ix_visitors_last_seen", "last_seen_at", "id"),
        sa.CheckConstraint("scans >= 0 AND pressed >= 0", name="counts"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(sa.String(32), unique=True)
    first_seen_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]
    scans: Mapped[int]
    pressed: Mapped[int]
    # Where they came from, by their first event.
    first_live_code_id: Mapped[int]
    first_placement: Mapped[str | None] = mapped_column(sa.String(100))
    # As of their newest scan, made at `profile_at`.
    profile_at: Mapped[datetime | None]
    region: Mapped[str | None] = mapped_column(sa.String(40), index=True)
    device: Mapped[str | None] = mapped_column(sa.String(40))
    app: Mapped[str | None] = mapped_column(sa.String(40))
    language: Mapped[str | None] = mapped_column(sa.String(40))


class VisitorLiveCode(Base):
    """What one visitor did under one live code."""

    __tablename__ = "visitor_live_codes"
    __table_args__ = (sa.Index("ix_visitor_live_codes_list", "live_code_id", "last_at", "visitor_id"),)

    visitor_id: Mapped[int] = mapped_column(sa.ForeignKey("visitors.id"), primary_key=True)
    live_code_id: Mapped[int] = mapped_column(sa.ForeignKey("live_codes.id"), primary_key=True)
    first_at: Mapped[datetime]
    last_at: Mapped[datetime]
    scans: Mapped[int]
    pressed: Mapped[int]
    stuck: Mapped[int]
    placement: Mapped[str | None] = mapped_column(sa.String(100))  # of their first event here
    profile_at: Mapped[datetime | None]
    region: Mapped[str | None] = mapped_column(sa.String(40))  # of their newest scan here
    # The member shown last, since `seat_at`.
    seat_at: Mapped[datetime | None]
    member_id: Mapped[int | None]
    choice_id: Mapped[int | None]


class Tag(Base):
    __tablename__ = "tags"
    __table_args__ = (
        sa.UniqueConstraint("name", "category", name="uq_tags_name"),
        sa.CheckConstraint("category IN ({})".format(", ".join(f"'{c}'" for c in CATEGORIES)), name="category"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(TAG_CHARACTERS))
    category: Mapped[str] = mapped_column(sa.String(10))
    created_at: Mapped[datetime] = utc_now_column()


class VisitorTag(Base):
    """A tag always stands under a live code: whoever may see that one may see the tag. `choice_id` is set where it is
    the answer to that live code's question; `at` is then the newest time it was given."""

    __tablename__ = "visitor_tags"
    __table_args__ = (sa.Index("ix_visitor_tags_list", "tag_id", "live_code_id", "visitor_id"),)

    visitor_id: Mapped[int] = mapped_column(sa.ForeignKey("visitors.id"), primary_key=True)
    tag_id: Mapped[int] = mapped_column(sa.ForeignKey("tags.id"), primary_key=True)
    live_code_id: Mapped[int] = mapped_column(sa.ForeignKey("live_codes.id"), primary_key=True)
    at: Mapped[datetime]
    choice_id: Mapped[int | None]


class ErasedVisitor(Base):
    """The tombstone of somebody erased: their events up to `erased_at` that are still under way stay nameless.

    `live_code_id` 0 = everywhere.
    """

    __tablename__ = "erased_visitors"

    digest: Mapped[str] = mapped_column(sa.String(32), primary_key=True)
    live_code_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    erased_at: Mapped[datetime] = mapped_column(UtcDateTime)

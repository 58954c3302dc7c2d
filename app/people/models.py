"""Tables of the people who scan. A person is known by the random id of their cookie and by what their scans told.

What is global to a person is in `visitors`; what happened under one live code in `visitor_live_codes`, which is all a
marketer sees of people: those of their own live codes. Erased people leave a keyed digest and nothing else.
"""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, UtcDateTime, utc_now_column

CATEGORIES = ("source", "basic", "behaviour", "business", "predicted")
TAG_CHARACTERS = 50


class Visitor(Base):
    __tablename__ = "visitors"
    __table_args__ = (
        sa.Index("ix_visitors_last_seen", "last_seen_at", "id"),
        # Who came first when: cohorts count stretches of these and look at no row.
        sa.Index("ix_visitors_first", "first_live_code_id", "first_seen_at", "first_placement"),
        sa.Index("ix_visitors_first_seen", "first_seen_at", "first_live_code_id"),
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
    the answer to that live code's question; `at` is then the newest time it was given. `rule_id`: the rule that gave it
    and may take it off; nobody's hand was in it."""

    __tablename__ = "visitor_tags"
    __table_args__ = (sa.Index("ix_visitor_tags_list", "tag_id", "live_code_id", "visitor_id"),)

    visitor_id: Mapped[int] = mapped_column(sa.ForeignKey("visitors.id"), primary_key=True)
    tag_id: Mapped[int] = mapped_column(sa.ForeignKey("tags.id"), primary_key=True)
    live_code_id: Mapped[int] = mapped_column(sa.ForeignKey("live_codes.id"), primary_key=True)
    at: Mapped[datetime]
    choice_id: Mapped[int | None]
    rule_id: Mapped[int | None]


class TagRule(Base):
    """Who fits gets the tag, who does not loses it, unless the rule `keeps` it on. Sees its owner's live codes, or the
    one it names. state: active, paused (tags stay as they are) or gone (its tags are taken off, then the row goes).
    swept_to: the last visitor asked since it changed; None when everybody was."""

    __tablename__ = "tag_rules"
    __table_args__ = (sa.CheckConstraint("state IN ('active', 'paused', 'gone')", name="state"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    owner_id: Mapped[int] = mapped_column(sa.ForeignKey("users.id"), index=True)
    name: Mapped[str] = mapped_column(sa.String(100))
    tag_id: Mapped[int] = mapped_column(sa.ForeignKey("tags.id"))
    live_code_id: Mapped[int | None] = mapped_column(sa.ForeignKey("live_codes.id"))
    conditions: Mapped[list[dict[str, Any]]] = mapped_column(sa.JSON)
    keeps: Mapped[bool]
    state: Mapped[str] = mapped_column(sa.String(10))
    swept_to: Mapped[int | None]
    created_at: Mapped[datetime] = utc_now_column()
    changed_at: Mapped[datetime] = utc_now_column()


class TagRuleDue(Base):
    """When a rule's answer about a visitor may change although nothing happens: then they are asked about again."""

    __tablename__ = "tag_rule_dues"

    rule_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    visitor_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    due_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


class Identity(Base):
    """What other programs call a visitor: `key` is the openid or external_userid itself, of a phone number a keyed
    digest. `owner_id`: whose knowledge it is, 0 the installation's."""

    __tablename__ = "visitor_identities"

    owner_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    kind: Mapped[str] = mapped_column(sa.String(20), primary_key=True)
    key: Mapped[str] = mapped_column(sa.String(128), primary_key=True)
    visitor_id: Mapped[int] = mapped_column(sa.ForeignKey("visitors.id"), index=True)
    at: Mapped[datetime]


class Alias(Base):
    """The key of a browser that turned out to be somebody already known: what it does counts for them."""

    __tablename__ = "visitor_aliases"

    key: Mapped[str] = mapped_column(sa.String(32), primary_key=True)
    visitor_id: Mapped[int] = mapped_column(sa.ForeignKey("visitors.id"), index=True)
    at: Mapped[datetime]


class Order(Base):
    """Somebody bought something. Without a visitor it waits for one who is called as `identity_…` says; erasing a
    person leaves the sum and takes both. `owner_id` as of an identity; amounts in hundredths, refunds negative."""

    __tablename__ = "orders"
    __table_args__ = (
        sa.UniqueConstraint("owner_id", "number", name="uq_orders_number"),
        sa.Index("ix_orders_identity", "identity_kind", "identity_key"),
        sa.Index("ix_orders_at", "owner_id", "at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    owner_id: Mapped[int]
    number: Mapped[str] = mapped_column(sa.String(64))
    visitor_id: Mapped[int | None] = mapped_column(sa.ForeignKey("visitors.id"), index=True)
    identity_kind: Mapped[str | None] = mapped_column(sa.String(20))
    identity_key: Mapped[str | None] = mapped_column(sa.String(128))
    amount_cents: Mapped[int] = mapped_column(sa.BigInteger)
    currency: Mapped[str] = mapped_column(sa.String(3))
    product: Mapped[str] = mapped_column(sa.String(200))
    at: Mapped[datetime]
    created_at: Mapped[datetime] = utc_now_column()


class Worth(Base):
    """The orders of one visitor added up, so that a million people can be told apart by them."""

    __tablename__ = "visitor_worth"
    __table_args__ = (sa.Index("ix_visitor_worth_visitor", "visitor_id"),)

    owner_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    visitor_id: Mapped[int] = mapped_column(sa.ForeignKey("visitors.id"), primary_key=True)
    orders: Mapped[int]
    amount_cents: Mapped[int] = mapped_column(sa.BigInteger)
    first_at: Mapped[datetime]
    last_at: Mapped[datetime]


class Segment(Base):
    """A filter that was given a name; `filter` is what its form said."""

    __tablename__ = "segments"
    __table_args__ = (sa.UniqueConstraint("owner_id", "name", name="uq_segments_name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    owner_id: Mapped[int] = mapped_column(sa.ForeignKey("users.id"))
    name: Mapped[str] = mapped_column(sa.String(100))
    filter: Mapped[dict[str, Any]] = mapped_column(sa.JSON)
    created_at: Mapped[datetime] = utc_now_column()


class Task(Base):
    """Something long that is done with all visitors of a filter: a file (csv, xlsx), a tag given or taken (tag, untag).

    Through whose eyes: `sees_id`, None everybody's. state: waiting, running, done, failed, void (somebody in its file
    was erased). Whoever runs it writes `beat_at`; one that falls silent is begun again, `attempt` + 1.
    """

    __tablename__ = "visitor_tasks"
    __table_args__ = (
        sa.Index("ix_visitor_tasks_state", "state", "id"),
        sa.CheckConstraint("kind IN ('csv', 'xlsx', 'tag', 'untag')", name="kind"),
        sa.CheckConstraint("state IN ('waiting', 'running', 'done', 'failed', 'void')", name="state"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(sa.ForeignKey("users.id"), index=True)
    sees_id: Mapped[int | None]
    kind: Mapped[str] = mapped_column(sa.String(10))
    filter: Mapped[dict[str, Any]] = mapped_column(sa.JSON)
    language: Mapped[str] = mapped_column(sa.String(10))
    tag_id: Mapped[int | None]
    state: Mapped[str] = mapped_column(sa.String(10))
    attempt: Mapped[int]
    done_rows: Mapped[int]
    total: Mapped[int | None]
    size_bytes: Mapped[int | None] = mapped_column(sa.BigInteger)
    made_at: Mapped[datetime] = utc_now_column()
    beat_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class PeopleSetting(Base):
    """What is set in the panel about people: `name` such as "retention" or "lifecycle", of one owner or (0) of all."""

    __tablename__ = "people_settings"

    name: Mapped[str] = mapped_column(sa.String(40), primary_key=True)
    owner_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    value: Mapped[dict[str, Any]] = mapped_column(sa.JSON)
    changed_at: Mapped[datetime] = utc_now_column()


class ErasedVisitor(Base):
    """The tombstone of somebody erased: their events up to `erased_at` that are still under way stay nameless.

    `live_code_id` 0 = everywhere.
    """

    __tablename__ = "erased_visitors"

    digest: Mapped[str] = mapped_column(sa.String(32), primary_key=True)
    live_code_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    erased_at: Mapped[datetime] = mapped_column(UtcDateTime)

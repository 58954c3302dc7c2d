"""Tables of the SQL ledger. Plain Core tables: the scan door uses them without an ORM or an app context.

`seats` has one row a visitor and scope, for ever: a released seat leaves its row with no member, since what a visitor
refused and how often they changed must outlive it.
"""

import sqlalchemy as sa

from app.db.base import UtcDateTime, metadata

seats = sa.Table(
    "seats",
    metadata,
    sa.Column("scope", sa.String(80), primary_key=True),
    sa.Column("visitor", sa.String(32), primary_key=True),
    sa.Column("live_code_id", sa.Integer, nullable=False),
    sa.Column("member_id", sa.Integer),
    sa.Column("generation", sa.Integer, nullable=False, default=1),
    sa.Column("counted_from", sa.Integer, nullable=False, default=1),
    sa.Column("choice_id", sa.Integer),
    sa.Column("taken_at", UtcDateTime, nullable=False),
    sa.Column("counted_at", UtcDateTime, nullable=False),
    sa.Column("pressed_at", UtcDateTime),
    sa.Column("counted", sa.Boolean, nullable=False),
    sa.Column("lapsed", sa.Boolean, nullable=False, default=False),
    sa.Column("changes", sa.Integer, nullable=False, default=0),
    sa.Column("refused", sa.String(2000), nullable=False, default=""),
    sa.Column("stuck_on", sa.Date),
    sa.Column("stuck_count", sa.Integer, nullable=False, default=0),
    sa.Column("mark", sa.BigInteger),  # with Redis: the place in its stream this row is as of
    sa.CheckConstraint("NOT (counted AND member_id IS NULL)", name="released_is_not_counted"),
    sa.CheckConstraint("NOT (counted AND lapsed)", name="lapsed_is_not_counted"),
    sqlite_with_rowid=False,
)
sa.Index("ix_seats_member", seats.c.member_id, seats.c.counted_from, seats.c.counted_at)
sa.Index("ix_seats_visitor", seats.c.visitor)

member_counts = sa.Table(
    "member_counts",
    metadata,
    sa.Column("member_id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("counted_from", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("generation", sa.Integer, nullable=False),
    sa.Column("counted", sa.Integer, nullable=False),
    sa.Column("pressed", sa.Integer, nullable=False, default=0),
    sa.Column("day", sa.Date),
    sa.Column("taken", sa.Integer, nullable=False, default=0),
    sa.Column("oldest_unpressed_at", UtcDateTime),
    # With Redis: seats of minutes before this one have lapsed, and the place in its stream this row is as of.
    sa.Column("swept", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("mark", sa.BigInteger),
    sa.CheckConstraint("counted >= 0", name="counted"),
    sa.CheckConstraint("pressed >= 0", name="pressed"),
)

tier_turns = sa.Table(
    "tier_turns",
    metadata,
    sa.Column("key", sa.String(40), primary_key=True),
    sa.Column("state", sa.Text, nullable=False),
)

stuck_reports = sa.Table(
    "stuck_reports",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("member_id", sa.Integer, nullable=False),
    sa.Column("visitor", sa.String(32), nullable=False),
    sa.Column("at", UtcDateTime, nullable=False),
)
sa.Index("ix_stuck_reports_member", stuck_reports.c.member_id, stuck_reports.c.at)

tombstones = sa.Table(
    "tombstones",
    metadata,
    sa.Column("visitor_hash", sa.String(64), primary_key=True),
    sa.Column("at", UtcDateTime, nullable=False),
)

ledger_state = sa.Table(
    "ledger_state",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("epoch", sa.BigInteger, nullable=False),
    sa.CheckConstraint("id = 1", name="single"),
)

outbox = sa.Table(
    "outbox",
    metadata,
    # A claim a row: 32 bits would end after two billion of them.
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
    sa.Column("body", sa.Text, nullable=False),  # the events of one transaction, a line each
)

spool_marks = sa.Table(
    "spool_marks",
    metadata,
    sa.Column("file", sa.String(120), primary_key=True),
    sa.Column("offset", sa.BigInteger, nullable=False),
)

# What the ledger must see of tables that belong to `codes`: the version it checks, and the two states it may set.
live_codes = sa.table("live_codes", sa.column("id", sa.Integer), sa.column("version", sa.Integer))
members = sa.table(
    "members",
    sa.column("id", sa.Integer),
    sa.column("state", sa.String),
    sa.column("suspect_at", UtcDateTime),
    sa.column("trusted_at", UtcDateTime),
)

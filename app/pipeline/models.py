"""Tables of what happened: every event once, and the entries nobody could read.

No foreign keys: an event is a fact of the past, and one that names something unknown must not hold up the others.
Plain Core tables, because they are written thousands of rows at a time.
"""

import sqlalchemy as sa

from app.db import UtcDateTime, metadata

events = sa.Table(
    "events",
    metadata,
    sa.Column("uid", sa.String(64), primary_key=True),
    sa.Column("at", UtcDateTime, nullable=False),
    sa.Column("type", sa.String(10), nullable=False),
    sa.Column("live_code_id", sa.Integer, nullable=False),
    sa.Column("visitor", sa.String(32)),  # null: nobody known, or somebody who was erased since
    sa.Column("outcome", sa.String(12)),
    sa.Column("member_id", sa.Integer),
    sa.Column("member_version", sa.Integer),
    sa.Column("choice_id", sa.Integer),
    sa.Column("tag", sa.String(50)),
    sa.Column("first", sa.Boolean, nullable=False),
    sa.Column("rank", sa.String(20)),
    sa.Column("region", sa.String(40)),
    sa.Column("region_source", sa.String(20)),
    sa.Column("placement", sa.String(100)),
    sa.Column("device", sa.String(40)),
    sa.Column("app", sa.String(40)),
    sa.Column("language", sa.String(40)),
    sa.Column("reason", sa.String(40)),
)
sa.Index("ix_events_visitor", events.c.visitor, events.c.at, postgresql_where=events.c.visitor.is_not(None))
sa.Index("ix_events_at", events.c.at)

dead_events = sa.Table(
    "dead_events",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("origin", sa.String(200), nullable=False, unique=True),  # where: "outbox:17:2", "<file>:<offset>"
    sa.Column("raw", sa.Text, nullable=False),
    sa.Column("reason", sa.String(300), nullable=False),
    sa.Column("at", UtcDateTime, nullable=False),
)

"""first schema"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0001"
down_revision: str | Sequence[str] | None = None
branch_labels: str | Sequence[str] | None = ("default",)
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "alert_reserves",
        sa.Column("member_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("member_id", name=op.f("pk_alert_reserves")),
    )
    op.create_table(
        "alert_rounds",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("took_ms", sa.Integer(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_alert_rounds_single")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert_rounds")),
    )
    op.create_table(
        "alerts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("cause", sa.String(length=120), nullable=False),
        sa.Column("episode", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("live_code_id", sa.Integer(), nullable=False),
        sa.Column("member_id", sa.Integer(), nullable=True),
        sa.Column("numbers", sa.JSON(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("seen_by", sa.String(length=320), nullable=False),
        sa.Column("is_silent", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alerts")),
        sa.UniqueConstraint("cause", "episode", name="uq_alerts_cause"),
    )
    with op.batch_alter_table("alerts", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_alerts_live_code_id"), ["live_code_id"], unique=False)
        batch_op.create_index("ix_alerts_open", ["ended_at", "live_code_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_alerts_opened_at"), ["opened_at"], unique=False)

    op.create_table(
        "audit_entries",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("actor", sa.String(length=320), nullable=False),
        sa.Column("action", sa.String(length=60), nullable=False),
        sa.Column("object_type", sa.String(length=30), nullable=False),
        sa.Column("object_id", sa.Integer(), nullable=True),
        sa.Column(
            "before",
            sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql"),
            nullable=True,
        ),
        sa.Column(
            "after",
            sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql"),
            nullable=True,
        ),
        sa.Column("request_id", sa.String(length=64), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_entries")),
    )
    with op.batch_alter_table("audit_entries", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_audit_entries_action"), ["action"], unique=False)
        batch_op.create_index(batch_op.f("ix_audit_entries_at"), ["at"], unique=False)
        batch_op.create_index("ix_audit_entries_object", ["object_type", "object_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_audit_entries_user_id"), ["user_id"], unique=False)

    op.create_table(
        "dead_events",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("origin", sa.String(length=200), nullable=False),
        sa.Column("raw", sa.Text(), nullable=False),
        sa.Column("reason", sa.String(length=300), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dead_events")),
        sa.UniqueConstraint("origin", name=op.f("uq_dead_events_origin")),
    )
    op.create_table(
        "erased_visitors",
        sa.Column("digest", sa.String(length=32), nullable=False),
        sa.Column("live_code_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("erased_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("digest", "live_code_id", name=op.f("pk_erased_visitors")),
    )
    op.create_table(
        "events",
        sa.Column("uid", sa.String(length=64), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("type", sa.String(length=10), nullable=False),
        sa.Column("live_code_id", sa.Integer(), nullable=False),
        sa.Column("visitor", sa.String(length=32), nullable=True),
        sa.Column("outcome", sa.String(length=12), nullable=True),
        sa.Column("member_id", sa.Integer(), nullable=True),
        sa.Column("member_version", sa.Integer(), nullable=True),
        sa.Column("choice_id", sa.Integer(), nullable=True),
        sa.Column("tag", sa.String(length=50), nullable=True),
        sa.Column("first", sa.Boolean(), nullable=False),
        sa.Column("rank", sa.String(length=20), nullable=True),
        sa.Column("region", sa.String(length=40), nullable=True),
        sa.Column("region_source", sa.String(length=20), nullable=True),
        sa.Column("placement", sa.String(length=100), nullable=True),
        sa.Column("device", sa.String(length=40), nullable=True),
        sa.Column("app", sa.String(length=40), nullable=True),
        sa.Column("language", sa.String(length=40), nullable=True),
        sa.Column("reason", sa.String(length=40), nullable=True),
        sa.PrimaryKeyConstraint("uid", name=op.f("pk_events")),
    )
    with op.batch_alter_table("events", schema=None) as batch_op:
        batch_op.create_index("ix_events_at", ["at"], unique=False)
        batch_op.create_index(
            "ix_events_visitor", ["visitor", "at"], unique=False, postgresql_where=sa.text("visitor IS NOT NULL")
        )

    op.create_table(
        "idempotency_keys",
        sa.Column("user_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("request", sa.String(length=64), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("answer", sa.JSON(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "key", name=op.f("pk_idempotency_keys")),
    )
    with op.batch_alter_table("idempotency_keys", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_idempotency_keys_at"), ["at"], unique=False)

    op.create_table(
        "ledger_state",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_ledger_state_single")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger_state")),
    )
    op.create_table(
        "login_throttles",
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("blocked_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_failed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_login_throttles")),
    )
    with op.batch_alter_table("login_throttles", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_login_throttles_last_failed_at"), ["last_failed_at"], unique=False)

    op.create_table(
        "member_counts",
        sa.Column("member_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("counted_from", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("counted", sa.Integer(), nullable=False),
        sa.Column("pressed", sa.Integer(), nullable=False),
        sa.Column("day", sa.Date(), nullable=True),
        sa.Column("taken", sa.Integer(), nullable=False),
        sa.Column("oldest_unpressed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("swept", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("mark", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("counted >= 0", name=op.f("ck_member_counts_counted")),
        sa.CheckConstraint("pressed >= 0", name=op.f("ck_member_counts_pressed")),
        sa.PrimaryKeyConstraint("member_id", "counted_from", name=op.f("pk_member_counts")),
    )
    op.create_table(
        "outbox",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
    )
    op.create_table(
        "rollup_choice",
        sa.Column("live_code_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("hour", sa.DateTime(timezone=True), nullable=False),
        sa.Column("key", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("scans", sa.Integer(), nullable=False),
        sa.Column("visitors", sa.Integer(), nullable=False),
        sa.Column("assigned", sa.Integer(), nullable=False),
        sa.Column("pressed", sa.Integer(), nullable=False),
        sa.Column("stuck", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("live_code_id", "hour", "key", name=op.f("pk_rollup_choice")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "rollup_choice_day",
        sa.Column("live_code_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("key", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("scans", sa.Integer(), nullable=False),
        sa.Column("visitors", sa.Integer(), nullable=False),
        sa.Column("assigned", sa.Integer(), nullable=False),
        sa.Column("pressed", sa.Integer(), nullable=False),
        sa.Column("stuck", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("live_code_id", "day", "key", name=op.f("pk_rollup_choice_day")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "rollup_device",
        sa.Column("live_code_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("hour", sa.DateTime(timezone=True), nullable=False),
        sa.Column("key", sa.String(length=40), nullable=False),
        sa.Column("scans", sa.Integer(), nullable=False),
        sa.Column("visitors", sa.Integer(), nullable=False),
        sa.Column("assigned", sa.Integer(), nullable=False),
        sa.Column("pressed", sa.Integer(), nullable=False),
        sa.Column("stuck", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("live_code_id", "hour", "key", name=op.f("pk_rollup_device")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "rollup_device_day",
        sa.Column("live_code_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("key", sa.String(length=40), nullable=False),
        sa.Column("scans", sa.Integer(), nullable=False),
        sa.Column("visitors", sa.Integer(), nullable=False),
        sa.Column("assigned", sa.Integer(), nullable=False),
        sa.Column("pressed", sa.Integer(), nullable=False),
        sa.Column("stuck", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("live_code_id", "day", "key", name=op.f("pk_rollup_device_day")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "rollup_member",
        sa.Column("live_code_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("hour", sa.DateTime(timezone=True), nullable=False),
        sa.Column("key", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("scans", sa.Integer(), nullable=False),
        sa.Column("visitors", sa.Integer(), nullable=False),
        sa.Column("assigned", sa.Integer(), nullable=False),
        sa.Column("pressed", sa.Integer(), nullable=False),
        sa.Column("stuck", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("live_code_id", "hour", "key", name=op.f("pk_rollup_member")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "rollup_member_day",
        sa.Column("live_code_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("key", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("scans", sa.Integer(), nullable=False),
        sa.Column("visitors", sa.Integer(), nullable=False),
        sa.Column("assigned", sa.Integer(), nullable=False),
        sa.Column("pressed", sa.Integer(), nullable=False),
        sa.Column("stuck", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("live_code_id", "day", "key", name=op.f("pk_rollup_member_day")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "rollup_outcome",
        sa.Column("live_code_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("hour", sa.DateTime(timezone=True), nullable=False),
        sa.Column("key", sa.String(length=12), nullable=False),
        sa.Column("scans", sa.Integer(), nullable=False),
        sa.Column("visitors", sa.Integer(), nullable=False),
        sa.Column("assigned", sa.Integer(), nullable=False),
        sa.Column("pressed", sa.Integer(), nullable=False),
        sa.Column("stuck", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("live_code_id", "hour", "key", name=op.f("pk_rollup_outcome")),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("rollup_outcome", schema=None) as batch_op:
        batch_op.create_index("ix_rollup_outcome_hour", ["hour"], unique=False)

    op.create_table(
        "rollup_outcome_day",
        sa.Column("live_code_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("key", sa.String(length=12), nullable=False),
        sa.Column("scans", sa.Integer(), nullable=False),
        sa.Column("visitors", sa.Integer(), nullable=False),
        sa.Column("assigned", sa.Integer(), nullable=False),
        sa.Column("pressed", sa.Integer(), nullable=False),
        sa.Column("stuck", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("live_code_id", "day", "key", name=op.f("pk_rollup_outcome_day")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "rollup_placement",
        sa.Column("live_code_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("hour", sa.DateTime(timezone=True), nullable=False),
        sa.Column("key", sa.String(length=100), nullable=False),
        sa.Column("scans", sa.Integer(), nullable=False),
        sa.Column("visitors", sa.Integer(), nullable=False),
        sa.Column("assigned", sa.Integer(), nullable=False),
        sa.Column("pressed", sa.Integer(), nullable=False),
        sa.Column("stuck", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("live_code_id", "hour", "key", name=op.f("pk_rollup_placement")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "rollup_placement_day",
        sa.Column("live_code_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("key", sa.String(length=100), nullable=False),
        sa.Column("scans", sa.Integer(), nullable=False),
        sa.Column("visitors", sa.Integer(), nullable=False),
        sa.Column("assigned", sa.Integer(), nullable=False),
        sa.Column("pressed", sa.Integer(), nullable=False),
        sa.Column("stuck", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("live_code_id", "day", "key", name=op.f("pk_rollup_placement_day")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "rollup_region",
        sa.Column("live_code_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("hour", sa.DateTime(timezone=True), nullable=False),
        sa.Column("key", sa.String(length=40), nullable=False),
        sa.Column("scans", sa.Integer(), nullable=False),
        sa.Column("visitors", sa.Integer(), nullable=False),
        sa.Column("assigned", sa.Integer(), nullable=False),
        sa.Column("pressed", sa.Integer(), nullable=False),
        sa.Column("stuck", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("live_code_id", "hour", "key", name=op.f("pk_rollup_region")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "rollup_region_day",
        sa.Column("live_code_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("key", sa.String(length=40), nullable=False),
        sa.Column("scans", sa.Integer(), nullable=False),
        sa.Column("visitors", sa.Integer(), nullable=False),
        sa.Column("assigned", sa.Integer(), nullable=False),
        sa.Column("pressed", sa.Integer(), nullable=False),
        sa.Column("stuck", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("live_code_id", "day", "key", name=op.f("pk_rollup_region_day")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "rollup_total",
        sa.Column("live_code_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("hour", sa.DateTime(timezone=True), nullable=False),
        sa.Column("hour_visitors", sa.Integer(), nullable=False),
        sa.Column("scans", sa.Integer(), nullable=False),
        sa.Column("visitors", sa.Integer(), nullable=False),
        sa.Column("assigned", sa.Integer(), nullable=False),
        sa.Column("pressed", sa.Integer(), nullable=False),
        sa.Column("stuck", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("live_code_id", "hour", name=op.f("pk_rollup_total")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "rollup_total_day",
        sa.Column("live_code_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("scans", sa.Integer(), nullable=False),
        sa.Column("visitors", sa.Integer(), nullable=False),
        sa.Column("assigned", sa.Integer(), nullable=False),
        sa.Column("pressed", sa.Integer(), nullable=False),
        sa.Column("stuck", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("live_code_id", "day", name=op.f("pk_rollup_total_day")),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("rollup_total_day", schema=None) as batch_op:
        batch_op.create_index("ix_rollup_total_day_day", ["day"], unique=False)

    op.create_table(
        "seats",
        sa.Column("scope", sa.String(length=80), nullable=False),
        sa.Column("visitor", sa.String(length=32), nullable=False),
        sa.Column("live_code_id", sa.Integer(), nullable=False),
        sa.Column("member_id", sa.Integer(), nullable=True),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("counted_from", sa.Integer(), nullable=False),
        sa.Column("choice_id", sa.Integer(), nullable=True),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("counted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("pressed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("counted", sa.Boolean(), nullable=False),
        sa.Column("lapsed", sa.Boolean(), nullable=False),
        sa.Column("changes", sa.Integer(), nullable=False),
        sa.Column("refused", sa.String(length=2000), nullable=False),
        sa.Column("stuck_on", sa.Date(), nullable=True),
        sa.Column("stuck_count", sa.Integer(), nullable=False),
        sa.Column("mark", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("NOT (counted AND lapsed)", name=op.f("ck_seats_lapsed_is_not_counted")),
        sa.CheckConstraint("NOT (counted AND member_id IS NULL)", name=op.f("ck_seats_released_is_not_counted")),
        sa.PrimaryKeyConstraint("scope", "visitor", name=op.f("pk_seats")),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("seats", schema=None) as batch_op:
        batch_op.create_index("ix_seats_member", ["member_id", "counted_from", "counted_at"], unique=False)
        batch_op.create_index("ix_seats_visitor", ["visitor"], unique=False)

    op.create_table(
        "spool_marks",
        sa.Column("file", sa.String(length=120), nullable=False),
        sa.Column("offset", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("file", name=op.f("pk_spool_marks")),
    )
    op.create_table(
        "stuck_reports",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("member_id", sa.Integer(), nullable=False),
        sa.Column("visitor", sa.String(length=32), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stuck_reports")),
    )
    with op.batch_alter_table("stuck_reports", schema=None) as batch_op:
        batch_op.create_index("ix_stuck_reports_member", ["member_id", "at"], unique=False)

    op.create_table(
        "tags",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=50), nullable=False),
        sa.Column("category", sa.String(length=10), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "category IN ('source', 'basic', 'behaviour', 'business', 'predicted')", name=op.f("ck_tags_category")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tags")),
        sa.UniqueConstraint("name", "category", name="uq_tags_name"),
    )
    op.create_table(
        "tier_turns",
        sa.Column("key", sa.String(length=40), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_tier_turns")),
    )
    op.create_table(
        "tombstones",
        sa.Column("visitor_hash", sa.String(length=64), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("visitor_hash", name=op.f("pk_tombstones")),
    )
    op.create_table(
        "users",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("password_hash", sa.String(length=255), nullable=False),
        sa.Column("role", sa.String(length=10), nullable=False),
        sa.Column("language", sa.String(length=5), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("session_epoch", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("language IN ('zh', 'en')", name=op.f("ck_users_language")),
        sa.CheckConstraint("role IN ('admin', 'marketer', 'viewer')", name=op.f("ck_users_role")),
        sa.CheckConstraint("email = lower(email)", name=op.f("ck_users_email_lower")),
        sa.CheckConstraint("session_epoch >= 0", name=op.f("ck_users_session_epoch")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("email", name=op.f("uq_users_email")),
    )
    op.create_table(
        "visitor_days",
        sa.Column("live_code_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("visitor", sa.String(length=32), nullable=False),
        sa.Column("seen", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("live_code_id", "day", "visitor", name=op.f("pk_visitor_days")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "visitors",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=32), nullable=False),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("scans", sa.Integer(), nullable=False),
        sa.Column("pressed", sa.Integer(), nullable=False),
        sa.Column("first_live_code_id", sa.Integer(), nullable=False),
        sa.Column("first_placement", sa.String(length=100), nullable=True),
        sa.Column("profile_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("region", sa.String(length=40), nullable=True),
        sa.Column("device", sa.String(length=40), nullable=True),
        sa.Column("app", sa.String(length=40), nullable=True),
        sa.Column("language", sa.String(length=40), nullable=True),
        sa.CheckConstraint("scans >= 0 AND pressed >= 0", name=op.f("ck_visitors_counts")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_visitors")),
        sa.UniqueConstraint("key", name=op.f("uq_visitors_key")),
    )
    with op.batch_alter_table("visitors", schema=None) as batch_op:
        batch_op.create_index("ix_visitors_last_seen", ["last_seen_at", "id"], unique=False)
        batch_op.create_index(batch_op.f("ix_visitors_region"), ["region"], unique=False)

    op.create_table(
        "alert_channels",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("owner_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("language", sa.String(length=5), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("covers_all", sa.Boolean(), nullable=False),
        sa.Column("lowest_level", sa.Integer(), nullable=False),
        sa.Column("quiet_from", sa.Integer(), nullable=True),
        sa.Column("quiet_until", sa.Integer(), nullable=True),
        sa.Column("digest_at", sa.Integer(), nullable=True),
        sa.Column("escalates_after_hours", sa.Integer(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("language IN ('zh', 'en')", name=op.f("ck_alert_channels_language")),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], name=op.f("fk_alert_channels_owner_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert_channels")),
    )
    with op.batch_alter_table("alert_channels", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_alert_channels_owner_id"), ["owner_id"], unique=False)

    op.create_table(
        "api_tokens",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("prefix", sa.String(length=12), nullable=False),
        sa.Column("scopes", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_api_tokens_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_tokens")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_api_tokens_token_hash")),
    )
    with op.batch_alter_table("api_tokens", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_api_tokens_user_id"), ["user_id"], unique=False)

    op.create_table(
        "invitations",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("role", sa.String(length=10), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("invited_by_id", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("role IN ('admin', 'marketer', 'viewer')", name=op.f("ck_invitations_role")),
        sa.CheckConstraint("email = lower(email)", name=op.f("ck_invitations_email_lower")),
        sa.ForeignKeyConstraint(["invited_by_id"], ["users.id"], name=op.f("fk_invitations_invited_by_id_users")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_invitations_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invitations")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_invitations_token_hash")),
    )
    with op.batch_alter_table("invitations", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_invitations_email"), ["email"], unique=False)

    op.create_table(
        "live_codes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("slug", sa.String(length=32), nullable=False),
        sa.Column("owner_id", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("edited_version", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("title", sa.String(length=100), nullable=False),
        sa.Column("notice", sa.String(length=500), nullable=False),
        sa.Column("contact_text", sa.String(length=100), nullable=False),
        sa.Column("contact_phone", sa.String(length=40), nullable=False),
        sa.Column("contact_url", sa.String(length=500), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("mode", sa.String(length=12), nullable=False),
        sa.Column("region_policy", sa.String(length=10), nullable=False),
        sa.Column("open", sa.String(length=10), nullable=False),
        sa.Column("choice_policy", sa.String(length=12), nullable=False),
        sa.Column("on_closed_member", sa.String(length=10), nullable=False),
        sa.Column("unpressed_seat_hours", sa.Integer(), nullable=False),
        sa.Column("dedupe_group", sa.String(length=50), nullable=True),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("pinned_member_id", sa.Integer(), nullable=True),
        sa.Column("asks_city", sa.Boolean(), nullable=False),
        sa.Column("colour", sa.String(length=7), nullable=True),
        sa.Column("cover", sa.String(length=80), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "choice_policy IN ('one', 'change_once', 'several')", name=op.f("ck_live_codes_choice_policy")
        ),
        sa.CheckConstraint("kind IN ('simple', 'grouped')", name=op.f("ck_live_codes_kind")),
        sa.CheckConstraint("mode IN ('sequential', 'round_robin', 'random')", name=op.f("ck_live_codes_mode")),
        sa.CheckConstraint(
            "on_closed_member IN ('by_press', 'reassign', 'hold', 'fallback')",
            name=op.f("ck_live_codes_on_closed_member"),
        ),
        sa.CheckConstraint("open IN ('page', 'redirect')", name=op.f("ck_live_codes_open")),
        sa.CheckConstraint(
            "region_policy IN ('prefer', 'strict', 'nearest')", name=op.f("ck_live_codes_region_policy")
        ),
        sa.CheckConstraint("state IN ('active', 'paused', 'archived')", name=op.f("ck_live_codes_state")),
        sa.CheckConstraint(
            "ends_at IS NULL OR starts_at IS NULL OR starts_at < ends_at", name=op.f("ck_live_codes_dates")
        ),
        sa.CheckConstraint("unpressed_seat_hours >= 0", name=op.f("ck_live_codes_unpressed_seat_hours")),
        sa.CheckConstraint("version >= 1 AND edited_version BETWEEN 1 AND version", name=op.f("ck_live_codes_version")),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], name=op.f("fk_live_codes_owner_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_live_codes")),
        sa.UniqueConstraint("slug", name=op.f("uq_live_codes_slug")),
    )
    with op.batch_alter_table("live_codes", schema=None) as batch_op:
        batch_op.create_index("ix_live_codes_dedupe", ["owner_id", "dedupe_group"], unique=False)
        batch_op.create_index(batch_op.f("ix_live_codes_owner_id"), ["owner_id"], unique=False)

    op.create_table(
        "sessions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("device", sa.String(length=60), nullable=False),
        sa.Column("address", sa.String(length=45), nullable=False),
        sa.Column("is_remembered", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_sessions_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sessions")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_sessions_token_hash")),
    )
    with op.batch_alter_table("sessions", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_sessions_expires_at"), ["expires_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_sessions_user_id"), ["user_id"], unique=False)

    op.create_table(
        "alert_deliveries",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("channel_id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=120), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("alert_ids", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_try_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("claimed_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error", sa.String(length=200), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("kind IN ('now', 'digest', 'escalation', 'test')", name=op.f("ck_alert_deliveries_kind")),
        sa.CheckConstraint(
            "state IN ('waiting', 'sent', 'gave_up', 'dropped')", name=op.f("ck_alert_deliveries_state")
        ),
        sa.ForeignKeyConstraint(
            ["channel_id"],
            ["alert_channels.id"],
            name=op.f("fk_alert_deliveries_channel_id_alert_channels"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert_deliveries")),
        sa.UniqueConstraint("key", name=op.f("uq_alert_deliveries_key")),
    )
    with op.batch_alter_table("alert_deliveries", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_alert_deliveries_channel_id"), ["channel_id"], unique=False)
        batch_op.create_index("ix_alert_deliveries_due", ["state", "next_try_at"], unique=False)

    op.create_table(
        "alert_rules",
        sa.Column("live_code_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("is_muted", sa.Boolean(), nullable=False),
        sa.Column("expiring_hours", sa.JSON(), nullable=False),
        sa.Column("filling_percents", sa.JSON(), nullable=False),
        sa.Column("cooldown_hours", sa.Integer(), nullable=False),
        sa.Column("tells_forecast", sa.Boolean(), nullable=False),
        sa.Column("work_from", sa.Integer(), nullable=False),
        sa.Column("work_until", sa.Integer(), nullable=False),
        sa.Column("work_days", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["live_code_id"], ["live_codes.id"], name=op.f("fk_alert_rules_live_code_id_live_codes")
        ),
        sa.PrimaryKeyConstraint("live_code_id", name=op.f("pk_alert_rules")),
    )
    op.create_table(
        "choices",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("live_code_id", sa.Integer(), nullable=False),
        sa.Column("title", sa.String(length=60), nullable=False),
        sa.Column("description", sa.String(length=200), nullable=False),
        sa.Column("tag", sa.String(length=50), nullable=True),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("mode", sa.String(length=12), nullable=False),
        sa.Column("image", sa.String(length=80), nullable=True),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("mode IN ('sequential', 'round_robin', 'random')", name=op.f("ck_choices_mode")),
        sa.CheckConstraint("state IN ('active', 'archived')", name=op.f("ck_choices_state")),
        sa.ForeignKeyConstraint(["live_code_id"], ["live_codes.id"], name=op.f("fk_choices_live_code_id_live_codes")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_choices")),
    )
    with op.batch_alter_table("choices", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_choices_live_code_id"), ["live_code_id"], unique=False)

    op.create_table(
        "live_code_shares",
        sa.Column("live_code_id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("level", sa.String(length=10), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("level IN ('view', 'edit')", name=op.f("ck_live_code_shares_level")),
        sa.ForeignKeyConstraint(
            ["live_code_id"], ["live_codes.id"], name=op.f("fk_live_code_shares_live_code_id_live_codes")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_live_code_shares_user_id_users")),
        sa.PrimaryKeyConstraint("live_code_id", "user_id", name=op.f("pk_live_code_shares")),
    )
    with op.batch_alter_table("live_code_shares", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_live_code_shares_user_id"), ["user_id"], unique=False)

    op.create_table(
        "placements",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("live_code_id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("region", sa.String(length=40), nullable=True),
        sa.Column("archived", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["live_code_id"], ["live_codes.id"], name=op.f("fk_placements_live_code_id_live_codes")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_placements")),
        sa.UniqueConstraint("live_code_id", "key", name="uq_placements_key"),
    )
    op.create_table(
        "visitor_live_codes",
        sa.Column("visitor_id", sa.Integer(), nullable=False),
        sa.Column("live_code_id", sa.Integer(), nullable=False),
        sa.Column("first_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("scans", sa.Integer(), nullable=False),
        sa.Column("pressed", sa.Integer(), nullable=False),
        sa.Column("stuck", sa.Integer(), nullable=False),
        sa.Column("placement", sa.String(length=100), nullable=True),
        sa.Column("profile_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("region", sa.String(length=40), nullable=True),
        sa.Column("seat_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("member_id", sa.Integer(), nullable=True),
        sa.Column("choice_id", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["live_code_id"], ["live_codes.id"], name=op.f("fk_visitor_live_codes_live_code_id_live_codes")
        ),
        sa.ForeignKeyConstraint(
            ["visitor_id"], ["visitors.id"], name=op.f("fk_visitor_live_codes_visitor_id_visitors")
        ),
        sa.PrimaryKeyConstraint("visitor_id", "live_code_id", name=op.f("pk_visitor_live_codes")),
    )
    with op.batch_alter_table("visitor_live_codes", schema=None) as batch_op:
        batch_op.create_index("ix_visitor_live_codes_list", ["live_code_id", "last_at", "visitor_id"], unique=False)

    op.create_table(
        "visitor_tags",
        sa.Column("visitor_id", sa.Integer(), nullable=False),
        sa.Column("tag_id", sa.Integer(), nullable=False),
        sa.Column("live_code_id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("choice_id", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["live_code_id"], ["live_codes.id"], name=op.f("fk_visitor_tags_live_code_id_live_codes")
        ),
        sa.ForeignKeyConstraint(["tag_id"], ["tags.id"], name=op.f("fk_visitor_tags_tag_id_tags")),
        sa.ForeignKeyConstraint(["visitor_id"], ["visitors.id"], name=op.f("fk_visitor_tags_visitor_id_visitors")),
        sa.PrimaryKeyConstraint("visitor_id", "tag_id", "live_code_id", name=op.f("pk_visitor_tags")),
    )
    with op.batch_alter_table("visitor_tags", schema=None) as batch_op:
        batch_op.create_index("ix_visitor_tags_list", ["tag_id", "live_code_id", "visitor_id"], unique=False)

    op.create_table(
        "members",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("live_code_id", sa.Integer(), nullable=False),
        sa.Column("choice_id", sa.Integer(), nullable=True),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("label", sa.String(length=100), nullable=False),
        sa.Column("public_name", sa.String(length=100), nullable=False),
        sa.Column("owner", sa.String(length=100), nullable=False),
        sa.Column("notes", sa.String(length=1000), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("is_fallback", sa.Boolean(), nullable=False),
        sa.Column("capacity", sa.Integer(), nullable=True),
        sa.Column("daily_capacity", sa.Integer(), nullable=True),
        sa.Column("weight", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("regions", sa.JSON(), nullable=False),
        sa.Column("windows", sa.JSON(), nullable=False),
        sa.Column("latitude", sa.Double(), nullable=True),
        sa.Column("longitude", sa.Double(), nullable=True),
        sa.Column("radius_m", sa.Integer(), nullable=True),
        sa.Column("valid_from", sa.DateTime(timezone=True), nullable=True),
        sa.Column("suspect_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("trusted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("current_version", sa.Integer(), nullable=True),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "kind IN ('wechat_group', 'wechat_personal', 'wecom_group', 'wecom_contact', 'wecom_acquisition', 'wecom_service', 'wechat_official', 'qq_group', 'dingtalk_group', 'feishu_group', 'telegram_group', 'whatsapp_group', 'line_group', 'discord_server', 'other_url')",
            name=op.f("ck_members_kind"),
        ),
        sa.CheckConstraint("state IN ('active', 'disabled', 'reserve', 'archived')", name=op.f("ck_members_state")),
        sa.CheckConstraint("(latitude IS NULL) = (longitude IS NULL)", name=op.f("ck_members_coordinates")),
        sa.CheckConstraint("capacity IS NULL OR capacity >= 1", name=op.f("ck_members_capacity")),
        sa.CheckConstraint("daily_capacity IS NULL OR daily_capacity >= 1", name=op.f("ck_members_daily_capacity")),
        sa.CheckConstraint("weight BETWEEN 1 AND 100", name=op.f("ck_members_weight")),
        sa.ForeignKeyConstraint(["choice_id"], ["choices.id"], name=op.f("fk_members_choice_id_choices")),
        sa.ForeignKeyConstraint(["live_code_id"], ["live_codes.id"], name=op.f("fk_members_live_code_id_live_codes")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_members")),
    )
    with op.batch_alter_table("members", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_members_live_code_id"), ["live_code_id"], unique=False)

    op.create_table(
        "member_generations",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("member_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("counted_from", sa.Integer(), nullable=False),
        sa.Column("headcount", sa.Integer(), nullable=True),
        sa.Column("headcount_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("headcount IS NULL OR headcount >= 0", name=op.f("ck_member_generations_headcount")),
        sa.ForeignKeyConstraint(["member_id"], ["members.id"], name=op.f("fk_member_generations_member_id_members")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_member_generations")),
        sa.UniqueConstraint("member_id", "number", name="uq_member_generations_number"),
    )
    op.create_table(
        "member_versions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("member_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("target", sa.String(length=2048), nullable=False),
        sa.Column("canonical", sa.String(length=2048), nullable=False),
        sa.Column("image", sa.String(length=80), nullable=False),
        sa.Column("cut", sa.String(length=80), nullable=True),
        sa.Column("card", sa.String(length=80), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("expiry_source", sa.String(length=10), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.String(length=200), nullable=False),
        sa.CheckConstraint(
            "expiry_source IN ('guessed', 'entered', 'read', 'none')", name=op.f("ck_member_versions_expiry_source")
        ),
        sa.CheckConstraint("number >= 1 AND generation >= 1", name=op.f("ck_member_versions_numbers")),
        sa.ForeignKeyConstraint(["member_id"], ["members.id"], name=op.f("fk_member_versions_member_id_members")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_member_versions")),
        sa.UniqueConstraint("member_id", "number", name="uq_member_versions_number"),
    )
    with op.batch_alter_table("member_versions", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_member_versions_canonical"), ["canonical"], unique=False)

    op.create_table(
        "swap_links",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("member_id", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("made_by", sa.String(length=320), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("most_uses", sa.Integer(), nullable=False),
        sa.Column("uses", sa.Integer(), nullable=False),
        sa.Column("reads", sa.Integer(), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("uses >= 0 AND uses <= most_uses", name=op.f("ck_swap_links_uses")),
        sa.ForeignKeyConstraint(["member_id"], ["members.id"], name=op.f("fk_swap_links_member_id_members")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_swap_links")),
    )
    with op.batch_alter_table("swap_links", schema=None) as batch_op:
        batch_op.create_index("ix_swap_links_member", ["member_id", "version"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("swap_links", schema=None) as batch_op:
        batch_op.drop_index("ix_swap_links_member")

    op.drop_table("swap_links")
    with op.batch_alter_table("member_versions", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_member_versions_canonical"))

    op.drop_table("member_versions")
    op.drop_table("member_generations")
    with op.batch_alter_table("members", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_members_live_code_id"))

    op.drop_table("members")
    with op.batch_alter_table("visitor_tags", schema=None) as batch_op:
        batch_op.drop_index("ix_visitor_tags_list")

    op.drop_table("visitor_tags")
    with op.batch_alter_table("visitor_live_codes", schema=None) as batch_op:
        batch_op.drop_index("ix_visitor_live_codes_list")

    op.drop_table("visitor_live_codes")
    op.drop_table("placements")
    with op.batch_alter_table("live_code_shares", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_live_code_shares_user_id"))

    op.drop_table("live_code_shares")
    with op.batch_alter_table("choices", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_choices_live_code_id"))

    op.drop_table("choices")
    op.drop_table("alert_rules")
    with op.batch_alter_table("alert_deliveries", schema=None) as batch_op:
        batch_op.drop_index("ix_alert_deliveries_due")
        batch_op.drop_index(batch_op.f("ix_alert_deliveries_channel_id"))

    op.drop_table("alert_deliveries")
    with op.batch_alter_table("sessions", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_sessions_user_id"))
        batch_op.drop_index(batch_op.f("ix_sessions_expires_at"))

    op.drop_table("sessions")
    with op.batch_alter_table("live_codes", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_live_codes_owner_id"))
        batch_op.drop_index("ix_live_codes_dedupe")

    op.drop_table("live_codes")
    with op.batch_alter_table("invitations", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_invitations_email"))

    op.drop_table("invitations")
    with op.batch_alter_table("api_tokens", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_api_tokens_user_id"))

    op.drop_table("api_tokens")
    with op.batch_alter_table("alert_channels", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_alert_channels_owner_id"))

    op.drop_table("alert_channels")
    with op.batch_alter_table("visitors", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_visitors_region"))
        batch_op.drop_index("ix_visitors_last_seen")

    op.drop_table("visitors")
    op.drop_table("visitor_days")
    op.drop_table("users")
    op.drop_table("tombstones")
    op.drop_table("tier_turns")
    op.drop_table("tags")
    with op.batch_alter_table("stuck_reports", schema=None) as batch_op:
        batch_op.drop_index("ix_stuck_reports_member")

    op.drop_table("stuck_reports")
    op.drop_table("spool_marks")
    with op.batch_alter_table("seats", schema=None) as batch_op:
        batch_op.drop_index("ix_seats_visitor")
        batch_op.drop_index("ix_seats_member")

    op.drop_table("seats")
    with op.batch_alter_table("rollup_total_day", schema=None) as batch_op:
        batch_op.drop_index("ix_rollup_total_day_day")

    op.drop_table("rollup_total_day")
    op.drop_table("rollup_total")
    op.drop_table("rollup_region_day")
    op.drop_table("rollup_region")
    op.drop_table("rollup_placement_day")
    op.drop_table("rollup_placement")
    op.drop_table("rollup_outcome_day")
    with op.batch_alter_table("rollup_outcome", schema=None) as batch_op:
        batch_op.drop_index("ix_rollup_outcome_hour")

    op.drop_table("rollup_outcome")
    op.drop_table("rollup_member_day")
    op.drop_table("rollup_member")
    op.drop_table("rollup_device_day")
    op.drop_table("rollup_device")
    op.drop_table("rollup_choice_day")
    op.drop_table("rollup_choice")
    op.drop_table("outbox")
    op.drop_table("member_counts")
    with op.batch_alter_table("login_throttles", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_login_throttles_last_failed_at"))

    op.drop_table("login_throttles")
    op.drop_table("ledger_state")
    with op.batch_alter_table("idempotency_keys", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_idempotency_keys_at"))

    op.drop_table("idempotency_keys")
    with op.batch_alter_table("events", schema=None) as batch_op:
        batch_op.drop_index("ix_events_visitor", postgresql_where=sa.text("visitor IS NOT NULL"))
        batch_op.drop_index("ix_events_at")

    op.drop_table("events")
    op.drop_table("erased_visitors")
    op.drop_table("dead_events")
    with op.batch_alter_table("audit_entries", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_audit_entries_user_id"))
        batch_op.drop_index("ix_audit_entries_object")
        batch_op.drop_index(batch_op.f("ix_audit_entries_at"))
        batch_op.drop_index(batch_op.f("ix_audit_entries_action"))

    op.drop_table("audit_entries")
    with op.batch_alter_table("alerts", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_alerts_opened_at"))
        batch_op.drop_index("ix_alerts_open")
        batch_op.drop_index(batch_op.f("ix_alerts_live_code_id"))

    op.drop_table("alerts")
    op.drop_table("alert_rounds")
    op.drop_table("alert_reserves")

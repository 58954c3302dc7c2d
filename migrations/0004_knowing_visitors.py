"""tag rules, identities, orders, segments, tasks"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0004"
down_revision: str | Sequence[str] | None = "0003"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "people_settings",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("owner_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("value", sa.JSON(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", "owner_id", name=op.f("pk_people_settings")),
    )
    op.create_table(
        "tag_rule_dues",
        sa.Column("rule_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("visitor_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("rule_id", "visitor_id", name=op.f("pk_tag_rule_dues")),
    )
    op.create_index(op.f("ix_tag_rule_dues_due_at"), "tag_rule_dues", ["due_at"])

    op.create_table(
        "orders",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("owner_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.String(length=64), nullable=False),
        sa.Column("visitor_id", sa.Integer(), nullable=True),
        sa.Column("identity_kind", sa.String(length=20), nullable=True),
        sa.Column("identity_key", sa.String(length=128), nullable=True),
        sa.Column("amount_cents", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("product", sa.String(length=200), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["visitor_id"], ["visitors.id"], name=op.f("fk_orders_visitor_id_visitors")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_orders")),
        sa.UniqueConstraint("owner_id", "number", name="uq_orders_number"),
    )
    op.create_index("ix_orders_at", "orders", ["owner_id", "at"])
    op.create_index("ix_orders_identity", "orders", ["identity_kind", "identity_key"])
    op.create_index(op.f("ix_orders_visitor_id"), "orders", ["visitor_id"])

    op.create_table(
        "segments",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("owner_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("filter", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], name=op.f("fk_segments_owner_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_segments")),
        sa.UniqueConstraint("owner_id", "name", name="uq_segments_name"),
    )
    op.create_table(
        "visitor_aliases",
        sa.Column("key", sa.String(length=32), nullable=False),
        sa.Column("visitor_id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["visitor_id"], ["visitors.id"], name=op.f("fk_visitor_aliases_visitor_id_visitors")),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_visitor_aliases")),
    )
    op.create_index(op.f("ix_visitor_aliases_visitor_id"), "visitor_aliases", ["visitor_id"])

    op.create_table(
        "visitor_identities",
        sa.Column("owner_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("key", sa.String(length=128), nullable=False),
        sa.Column("visitor_id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["visitor_id"], ["visitors.id"], name=op.f("fk_visitor_identities_visitor_id_visitors")
        ),
        sa.PrimaryKeyConstraint("owner_id", "kind", "key", name=op.f("pk_visitor_identities")),
    )
    op.create_index(op.f("ix_visitor_identities_visitor_id"), "visitor_identities", ["visitor_id"])

    op.create_table(
        "visitor_tasks",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("sees_id", sa.Integer(), nullable=True),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("filter", sa.JSON(), nullable=False),
        sa.Column("language", sa.String(length=10), nullable=False),
        sa.Column("tag_id", sa.Integer(), nullable=True),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("done_rows", sa.Integer(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=True),
        sa.Column("size_bytes", sa.BigInteger(), nullable=True),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("beat_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("kind IN ('csv', 'xlsx', 'tag', 'untag')", name=op.f("ck_visitor_tasks_kind")),
        sa.CheckConstraint(
            "state IN ('waiting', 'running', 'done', 'failed', 'void')", name=op.f("ck_visitor_tasks_state")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_visitor_tasks_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_visitor_tasks")),
    )
    op.create_index("ix_visitor_tasks_state", "visitor_tasks", ["state", "id"])
    op.create_index(op.f("ix_visitor_tasks_user_id"), "visitor_tasks", ["user_id"])

    op.create_table(
        "visitor_worth",
        sa.Column("owner_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("visitor_id", sa.Integer(), nullable=False),
        sa.Column("orders", sa.Integer(), nullable=False),
        sa.Column("amount_cents", sa.BigInteger(), nullable=False),
        sa.Column("first_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["visitor_id"], ["visitors.id"], name=op.f("fk_visitor_worth_visitor_id_visitors")),
        sa.PrimaryKeyConstraint("owner_id", "visitor_id", name=op.f("pk_visitor_worth")),
    )
    op.create_index("ix_visitor_worth_visitor", "visitor_worth", ["visitor_id"])

    op.create_table(
        "tag_rules",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("owner_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("tag_id", sa.Integer(), nullable=False),
        sa.Column("live_code_id", sa.Integer(), nullable=True),
        sa.Column("conditions", sa.JSON(), nullable=False),
        sa.Column("keeps", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("swept_to", sa.Integer(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("state IN ('active', 'paused', 'gone')", name=op.f("ck_tag_rules_state")),
        sa.ForeignKeyConstraint(["live_code_id"], ["live_codes.id"], name=op.f("fk_tag_rules_live_code_id_live_codes")),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], name=op.f("fk_tag_rules_owner_id_users")),
        sa.ForeignKeyConstraint(["tag_id"], ["tags.id"], name=op.f("fk_tag_rules_tag_id_tags")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tag_rules")),
    )
    op.create_index(op.f("ix_tag_rules_owner_id"), "tag_rules", ["owner_id"])

    op.add_column("visitor_tags", sa.Column("rule_id", sa.Integer(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("visitor_tags") as batch_op:
        batch_op.drop_column("rule_id")

    op.drop_table("tag_rules")

    op.drop_table("visitor_worth")

    op.drop_table("visitor_tasks")

    op.drop_table("visitor_identities")

    op.drop_table("visitor_aliases")
    op.drop_table("segments")

    op.drop_table("orders")

    op.drop_table("tag_rule_dues")
    op.drop_table("people_settings")

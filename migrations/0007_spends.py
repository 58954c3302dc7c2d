"""what was spent, and who came first when"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0007"
down_revision: str | Sequence[str] | None = "0006"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "spends",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("live_code_id", sa.Integer(), nullable=False),
        sa.Column("placement", sa.String(length=100), nullable=False),
        sa.Column("first_day", sa.Date(), nullable=False),
        sa.Column("last_day", sa.Date(), nullable=False),
        sa.Column("amount_cents", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("note", sa.String(length=100), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("amount_cents >= 0", name=op.f("ck_spends_amount")),
        sa.CheckConstraint("first_day <= last_day", name=op.f("ck_spends_days")),
        sa.ForeignKeyConstraint(["live_code_id"], ["live_codes.id"], name=op.f("fk_spends_live_code_id_live_codes")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_spends")),
        sa.UniqueConstraint(
            "live_code_id", "placement", "first_day", "last_day", "currency", "note", name="uq_spends_live_code_id"
        ),
    )
    op.create_index("ix_visitors_first", "visitors", ["first_live_code_id", "first_seen_at", "first_placement"])
    op.create_index("ix_visitors_first_seen", "visitors", ["first_seen_at", "first_live_code_id"])


def downgrade() -> None:
    op.drop_index("ix_visitors_first_seen", table_name="visitors")
    op.drop_index("ix_visitors_first", table_name="visitors")
    op.drop_table("spends")

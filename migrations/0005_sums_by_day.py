"""sums of many live codes by day from an index alone"""

from collections.abc import Sequence

from alembic import op

revision: str = "0005"
down_revision: str | Sequence[str] | None = "0004"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

SUMS = ["day", "live_code_id", "scans", "visitors", "assigned", "pressed", "stuck"]


def upgrade() -> None:
    op.drop_index("ix_rollup_total_day_day", table_name="rollup_total_day")
    op.create_index("ix_rollup_total_day_sums", "rollup_total_day", SUMS)


def downgrade() -> None:
    op.drop_index("ix_rollup_total_day_sums", table_name="rollup_total_day")
    op.create_index("ix_rollup_total_day_day", "rollup_total_day", ["day"])

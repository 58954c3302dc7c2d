"""scans by the app they were opened with"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0008"
down_revision: str | Sequence[str] | None = "0007"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

COUNTS = ("scans", "visitors", "assigned", "pressed", "stuck")


def upgrade() -> None:
    for name, period, kind in (
        ("rollup_app", "hour", sa.DateTime(timezone=True)),
        ("rollup_app_day", "day", sa.Date()),
    ):
        op.create_table(
            name,
            sa.Column("live_code_id", sa.Integer(), autoincrement=False, nullable=False),
            sa.Column(period, kind, nullable=False),
            sa.Column("key", sa.String(length=40), nullable=False),
            *(sa.Column(count, sa.Integer(), nullable=False) for count in COUNTS),
            sa.PrimaryKeyConstraint("live_code_id", period, "key", name=op.f(f"pk_{name}")),
            sqlite_with_rowid=False,
        )


def downgrade() -> None:
    op.drop_table("rollup_app_day")
    op.drop_table("rollup_app")

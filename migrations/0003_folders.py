"""folders of live codes"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0003"
down_revision: str | Sequence[str] | None = "0002"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column("live_codes", sa.Column("folder", sa.String(length=50), nullable=True))
    op.create_index("ix_live_codes_folder", "live_codes", ["owner_id", "folder"])


def downgrade() -> None:
    op.drop_index("ix_live_codes_folder", table_name="live_codes")
    op.drop_column("live_codes", "folder")

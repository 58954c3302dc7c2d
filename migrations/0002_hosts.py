"""several public hosts

Codes that are there were printed with the address of now; they keep it, unless it is only for trying out.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from flask import current_app

revision: str = "0002"
down_revision: str | Sequence[str] | None = "0001"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "hosts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("origin", sa.String(length=255), nullable=False),
        sa.Column("is_default", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hosts")),
        sa.UniqueConstraint("origin", name=op.f("uq_hosts_origin")),
    )
    op.add_column("live_codes", sa.Column("host", sa.String(length=255), nullable=True))
    op.create_index(op.f("ix_live_codes_host"), "live_codes", ["host"])
    settings = current_app.config["HUOZI"]
    if not settings.public_url_is_test:
        live_codes = sa.table("live_codes", sa.column("host"))
        op.execute(live_codes.update().values(host=settings.public_url))


def downgrade() -> None:
    op.drop_index(op.f("ix_live_codes_host"), table_name="live_codes")
    op.drop_column("live_codes", "host")
    op.drop_table("hosts")

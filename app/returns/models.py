"""The table of spend: what was paid for a live code, or one of its placements, on which days."""

from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, utc_now_column

NOTE_CHARACTERS = 100


class Spend(Base):
    """`placement`: a key, "" the live code as a whole. Days are local, both included. `amount_cents`: in hundredths of
    the currency, whichever it is, as orders are. A row is known by everything but its amount."""

    __tablename__ = "spends"
    __table_args__ = (
        sa.UniqueConstraint(
            "live_code_id", "placement", "first_day", "last_day", "currency", "note", name="uq_spends_live_code_id"
        ),
        sa.CheckConstraint("first_day <= last_day", name="days"),
        sa.CheckConstraint("amount_cents >= 0", name="amount"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    live_code_id: Mapped[int] = mapped_column(sa.ForeignKey("live_codes.id"))
    placement: Mapped[str] = mapped_column(sa.String(100))
    first_day: Mapped[date] = mapped_column(sa.Date)
    last_day: Mapped[date] = mapped_column(sa.Date)
    amount_cents: Mapped[int] = mapped_column(sa.BigInteger)
    currency: Mapped[str] = mapped_column(sa.String(3))
    note: Mapped[str] = mapped_column(sa.String(NOTE_CHARACTERS))
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime] = utc_now_column()

"""Roll-up tables: what happened at a live code in one hour, in total and by one dimension at a time.

Every question about numbers is answered from these; single events are never counted. An hour begins where the panel's
time zone has its hours, so that local days are whole even in zones that are half an hour off.
"""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from app.db import UtcDateTime, metadata

# Cells without a value (a scan that was shown no member) are kept under these, because a primary key takes no null.
NO_ID = 0
NO_TEXT = ""


def _rollup(name: str, period: sa.Column[Any], *key: sa.Column[Any]) -> sa.Table:
    return sa.Table(
        f"rollup_{name}",
        metadata,
        sa.Column("live_code_id", sa.Integer, primary_key=True, autoincrement=False),
        period,
        *key,
        *(sa.Column(count, sa.Integer, nullable=False) for count in COUNTS),
        sqlite_with_rowid=False,
    )


def _hour() -> sa.Column[Any]:
    return sa.Column("hour", UtcDateTime, primary_key=True)


def _day() -> sa.Column[Any]:
    return sa.Column("day", sa.Date, primary_key=True)


def _id() -> sa.Column[Any]:
    return sa.Column("key", sa.Integer, primary_key=True, autoincrement=False)


def _text(characters: int) -> sa.Column[Any]:
    return sa.Column("key", sa.String(characters), primary_key=True)


# visitors: people whose first event of the local day, in this cell's key, fell into this hour; summed over the hours of
# a day it is exact.
COUNTS = ("scans", "visitors", "assigned", "pressed", "stuck")

# hour_visitors: different people in this very hour; not to be summed.
rollup_total = _rollup("total", _hour(), sa.Column("hour_visitors", sa.Integer, nullable=False))
ROLLUPS: Mapping[str, sa.Table] = {
    "member": _rollup("member", _hour(), _id()),
    "choice": _rollup("choice", _hour(), _id()),
    "region": _rollup("region", _hour(), _text(40)),
    "outcome": _rollup("outcome", _hour(), _text(12)),
    "device": _rollup("device", _hour(), _text(40)),
    "app": _rollup("app", _hour(), _text(40)),
    "placement": _rollup("placement", _hour(), _text(100)),
}

# The same by local day: a year of a busy live code has a million hourly cells, and a question is to be answered in
# 300 ms. Whole days are read from here, the hours at the edges of a period from above.
DAY_ROLLUPS: Mapping[str, sa.Table] = {
    name: _rollup(f"{name}_day", _day(), table.c.key._copy()) for name, table in ROLLUPS.items()
}

# All live codes of somebody on some days, which is what start pages ask.
rollup_total_day = _rollup("total_day", _day())
# With the counts in it: a quarter of 5,000 live codes is 170,000 rows, which would be looked up one by one.
sa.Index("ix_rollup_total_day_sums", *(rollup_total_day.c[name] for name in ("day", "live_code_id", *COUNTS)))
# Who found no room lately, wherever.
sa.Index("ix_rollup_outcome_hour", ROLLUPS["outcome"].c.hour)

# Working memory, not history: in which cells of a day a visitor is counted already. Rows of days long gone are deleted.
visitor_days = sa.Table(
    "visitor_days",
    metadata,
    sa.Column("live_code_id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("day", sa.Date, primary_key=True),
    sa.Column("visitor", sa.String(32), primary_key=True),
    sa.Column("seen", sa.Text, nullable=False),
    sqlite_with_rowid=False,
)

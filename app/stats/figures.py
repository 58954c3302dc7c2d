"""The few numbers other rooms show beside their own things: sparklines of a list, a start page, who found no room.

Handed to them by the wiring; answered from the roll-ups by local day.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.stats.models import COUNTS, ROLLUPS, rollup_total_day
from app.stats.store import Counts, is_seen

# Nobody had room for them: they were shown a page that says so, or a code that takes everybody.
NO_ROOM = ("full", "fallback")


class Figures:
    def by_day(self, session: Session, live_code_ids: Sequence[int], days: Sequence[date]) -> Mapping[int, list[int]]:
        """Scans of each live code on each of these local days; live codes without any are left out."""
        table = rollup_total_day.c
        query = sa.select(table.live_code_id, table.day, table.scans).where(
            table.live_code_id.in_(live_code_ids), table.day.in_(days)
        )
        places = {day: index for index, day in enumerate(days)}
        found: dict[int, list[int]] = {}
        for live_code_id, day, scans in session.execute(query):
            found.setdefault(live_code_id, [0] * len(days))[places[day]] = scans
        return found

    def of_days(self, session: Session, owner_id: int | None, days: Sequence[date]) -> list[Counts]:
        """All live codes this user sees (None: everybody's) together, day by day."""
        table = rollup_total_day.c
        query = (
            sa.select(table.day, *(sa.func.sum(table[name]) for name in COUNTS))
            .where(table.day.in_(days), is_seen(table.live_code_id, owner_id))
            .group_by(table.day)
        )
        found = {row[0]: Counts(*map(int, row[1:])) for row in session.execute(query)}
        return [found.get(day, Counts()) for day in days]

    def overflows(self, session: Session, owner_id: int | None, since: datetime) -> Mapping[int, int]:
        """How many found no room in the hours since then, by live code; those where nobody did are left out."""
        table = ROLLUPS["outcome"].c
        query = (
            sa.select(table.live_code_id, sa.func.sum(table.scans))
            .where(table.hour >= since, table.key.in_(NO_ROOM), is_seen(table.live_code_id, owner_id))
            .group_by(table.live_code_id)
        )
        return {row[0]: int(row[1]) for row in session.execute(query) if row[1]}

"""What the charts of the statistics show, as values: the hours of the week, and the way from a scan to a group."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from app.stats.store import Counts, Row

DAYS, HOURS = 7, 24
SHADES = 5


@dataclass(frozen=True, slots=True)
class Heat:
    """Scans by weekday (Monday first) and local hour."""

    rows: Sequence[Sequence[int]]

    @property
    def most(self) -> int:
        return max(map(max, self.rows))

    def shade(self, count: int) -> int:
        """0 for none, then 1 to 5."""
        return -(-count * SHADES // self.most) if count else 0


def heat_of(rows: Iterable[Row]) -> Heat:
    """Of rows by hour, whose keys are local."""
    found = [[0] * HOURS for _ in range(DAYS)]
    for row in rows:
        if isinstance(row.key, datetime):
            found[row.key.weekday()][row.key.hour] += row.counts.scans
    return Heat(found)


@dataclass(frozen=True, slots=True)
class Step:
    """`share`: of the first step, 0 to 100; `kept`: of the step before, None for the first."""

    name: str
    count: int
    share: float
    kept: int | None


def funnel_of(totals: Counts) -> list[Step]:
    """Scan → visitor → seat → long-press. Whether somebody then joined, a group does not tell."""
    found: list[Step] = []
    for name in ("scans", "visitors", "assigned", "pressed"):
        count = getattr(totals, name)
        before = found[-1].count if found else None
        kept = round(100 * count / before) if before else None
        found.append(Step(name, count, min(100.0, 100 * count / totals.scans) if totals.scans else 0.0, kept))
    return found

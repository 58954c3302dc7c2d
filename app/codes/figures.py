"""What the panel's pages show of scans, without knowing who counts them: the wiring names somebody, or nobody.

Numbers of scans belong to another feature; these are the few questions the list and the start page ask it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

from sqlalchemy.orm import Session

# Under this name the wiring keeps it in `app.extensions`.
FIGURES = "huozi.figures"


@dataclass(frozen=True, slots=True)
class DayFigures:
    scans: int = 0
    visitors: int = 0
    assigned: int = 0


class Figures(Protocol):
    def by_day(self, session: Session, live_code_ids: Sequence[int], days: Sequence[date]) -> Mapping[int, list[int]]:
        """Scans of each live code on each of these local days, 0 where there were none."""

    def of_days(self, session: Session, owner_id: int | None, days: Sequence[date]) -> list[DayFigures]:
        """All live codes of this owner (None: everybody's) together, day by day."""

    def overflows(self, session: Session, owner_id: int | None, since: datetime) -> Mapping[int, int]:
        """How many found no room since then, by live code; live codes where everybody did are left out."""

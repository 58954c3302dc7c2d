"""Reads the recorded series: what a forecaster could have known at an hour, and what then came to pass."""

import csv
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from app.rules.stock import Headcount, Hour, Stock
from tests import make

FOLDER = Path(__file__).parent / "series"
FILES = sorted(FOLDER.glob("series_*.csv"))


@dataclass(frozen=True)
class Series:
    facts: dict[str, Any]
    rows: list[list[str]]

    @property
    def start(self) -> datetime:
        return datetime.fromisoformat(self.facts["start"])

    @property
    def capacity(self) -> int:
        return int(self.facts.get("capacity", 195))

    def full_at(self, group: int) -> datetime:
        return self.start + timedelta(minutes=self.facts["full_minutes"][group])

    def now(self, hour: int) -> datetime:
        """The end of this hour."""
        return self.start + timedelta(hours=hour + 1)

    def stocks(self, hour: int) -> list[Stock]:
        """The groups as they stood at the end of this hour."""
        groups = range(self.facts["groups"])
        hours: list[list[Hour]] = [[] for _ in groups]
        counts: list[list[Headcount]] = [[] for _ in groups]
        counted = [0 for _ in groups]
        for text in self.rows:
            if int(text[0]) > hour:
                break
            group, at = int(text[1]), self.start + timedelta(hours=int(text[0]))
            hours[group].append(Hour(at, int(text[2]), int(text[3])))
            counted[group] = int(text[4])
            if text[6]:
                counts[group].append(Headcount(at + timedelta(minutes=int(text[7])), int(text[6])))
        return [
            Stock(
                make.member(
                    group + 1, capacity=self.capacity, headcount=counts[group][-1].people if counts[group] else 0
                ),
                counted[group],
                tuple(hours[group]),
                tuple(counts[group]),
            )
            for group in groups
        ]

    def inside(self, group: int, hour: int) -> int:
        """How many people really were in this group at the end of this hour: what nobody could know."""
        return max((int(row[5]) for row in self.rows if int(row[1]) == group and int(row[0]) <= hour), default=0)

    def last_headcount(self, group: int) -> int:
        """The hour of the last number read of this group before it was full; -1 where nobody read one."""
        full = self.facts["full_minutes"][group] // 60
        return max((int(r[0]) for r in self.rows if int(r[1]) == group and r[6] and int(r[0]) <= full), default=-1)


def read(file: Path) -> Series:
    with file.open(encoding="utf-8") as lines:
        facts = json.loads(next(lines).removeprefix("# "))
        return Series(facts, list(csv.reader(lines)))


def steady(seats: int, *, days: int = 4, pressed: int = 0, until: datetime = make.NOW) -> tuple[Hour, ...]:
    """The same number of seats every hour."""
    hours = days * 24
    return tuple(Hour(until - timedelta(hours=hours - n), seats, pressed) for n in range(hours))

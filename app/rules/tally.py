"""What one thing that happened at a poster looks like when it is written down, and how it adds up.

Both ledgers append `ScanEvent`s; the pipeline drains them into SQL and adds `count_of` to the roll-ups. Times are
aware UTC. No address, no coordinates, no user agent: only what was derived from them.
"""

import json
from dataclasses import dataclass, fields, replace
from datetime import datetime
from functools import lru_cache
from operator import attrgetter
from typing import Any


@dataclass(frozen=True, slots=True)
class ScanEvent:
    """`id` is unique for ever, so that writing an event twice is harmless.

    type: `scan` (a GET of a short URL), `choose` (a choice made on its page), `reroute` (a new way after `stuck` or
    another city), `press`, `stuck`, `release` (a seat given up). The answer's outcome and member are filled in.
    """

    id: str
    type: str
    at: datetime
    live_code_id: int
    visitor: str | None
    outcome: str | None = None
    member_id: int | None = None
    member_version: int | None = None
    choice_id: int | None = None
    tag: str | None = None
    first: bool = False
    rank: str | None = None
    region: str | None = None
    region_source: str | None = None
    placement: str | None = None
    device: str | None = None
    app: str | None = None
    language: str | None = None
    reason: str | None = None

    def with_answer(self, **changes: Any) -> "ScanEvent":
        return replace(self, **changes)

    def encode(self) -> str:
        """One line of JSON; absent values are left out."""
        said = zip(_NAMES, _VALUES(self), strict=True)
        line = {name: value for name, value in said if value is not None and value is not False}
        line["at"] = self.at.isoformat()
        return _ENCODE(line)

    @classmethod
    def decode(cls, line: str | bytes) -> "ScanEvent":
        """The event of one line; raises ValueError, KeyError or TypeError when the line is not one."""
        read = json.loads(line)
        return cls(**{**read, "at": datetime.fromisoformat(read["at"])})


_NAMES = tuple(field.name for field in fields(ScanEvent))
_VALUES = attrgetter(*_NAMES)
# `dataclasses.asdict` copies deeply, and `json.dumps` with options builds an encoder a call: together eight times this.
_ENCODE = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


@dataclass(frozen=True, slots=True)
class Tally:
    """What one event adds to the roll-up row of its hour and dimension."""

    scans: int = 0
    assigned: int = 0
    pressed: int = 0
    stuck: int = 0


def count_of(event: ScanEvent) -> Tally:
    """A preview is no scan; a choice on its page, or a new way after `stuck`, is an assignment but no second scan."""
    return _count_of(event.type, event.outcome)


@lru_cache(256)
def _count_of(kind: str, outcome: str | None) -> Tally:
    assigned = int(outcome == "assigned")
    match kind:
        case "scan":
            return Tally() if outcome == "preview" else Tally(scans=1, assigned=assigned)
        case "choose" | "reroute":
            return Tally(assigned=assigned)
        case "press":
            return Tally(pressed=1)
        case "stuck":
            return Tally(stuck=1)
    return Tally()

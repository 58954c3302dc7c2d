"""A filter as it is typed, kept with a segment or a task, and what it comes to at this moment.

Kept is what was typed: "within 30 days" and "silent" mean another day tomorrow.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Any

import marshmallow as ma

from app.people.models import TAG_CHARACTERS
from app.people.wanted import Search, Wanted
from app.rules import regions
from app.rules.lifecycle import RFM_CLASSES, STAGES, Thresholds, buyer, stages
from app.web.fields import Moment
from app.web.parsing import LARGEST_ID

LONGEST_TEXT = 100
LONGEST_DAYS = 3650
KIND_PHONE = "phone"


@dataclass(frozen=True, slots=True)
class Context:
    """What a filter is read with. `digest`: the keyed digest of a phone number."""

    now: datetime
    zone: tzinfo
    language: str
    digest: Callable[[str], str]
    thresholds: Thresholds = field(default_factory=Thresholds)


@dataclass(frozen=True, slots=True)
class Asked:
    """What was typed, what it comes to, and what of it cannot be."""

    typed: Mapping[str, str]
    wanted: Wanted
    errors: tuple[str, ...]

    @property
    def arguments(self) -> dict[str, str]:
        return {name: text for name, text in self.typed.items() if text}


def read(raw: Mapping[str, Any], context: Context) -> Asked:
    """Names that are no filter are passed over; what cannot be is left out of what is wanted."""
    typed = {name: str(raw.get(name) or "").strip()[:LONGEST_TEXT] for name in READERS}
    wanted: dict[str, Any] = {}
    errors = []
    for name, text in typed.items():
        if not text:
            continue
        target, reader = READERS[name]
        value = reader(text, context)
        if value is None:
            errors.append(name)
        else:
            wanted[target] = value
    return Asked(typed, Wanted(**wanted), tuple(errors))


def _id(text: str, _context: Context) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and 0 < int(text) <= LARGEST_ID else None


def _word(text: str, _context: Context) -> str | None:
    return text


def _tag(text: str, _context: Context) -> str | None:
    return text if len(text) <= TAG_CHARACTERS else None


def _region(text: str, context: Context) -> str | None:
    """The place somebody means: a key as our own links write it, else what people call it ("gd" is Guangdong, not
    Grenada)."""
    likely = [] if text.isupper() or "/" in text else regions.search(text, context.language, limit=1)
    return likely[0].key if likely else regions.normalise(text)


def _start(text: str, context: Context) -> datetime | None:
    day = _day(text)
    return datetime.combine(day, time.min, context.zone) if day else None


def _end(text: str, context: Context) -> datetime | None:
    day = _day(text)
    return datetime.combine(day + timedelta(days=1), time.min, context.zone) if day else None


def _day(text: str) -> date | None:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if 2000 <= day.year < 2200 else None


def _moment(text: str, _context: Context) -> datetime | None:
    try:
        found: datetime = Moment().deserialize(text)
    except ma.ValidationError:
        return None
    return found


def _within(text: str, context: Context) -> datetime | None:
    if not (text.isascii() and text.isdigit() and 0 < int(text) <= LONGEST_DAYS):
        return None
    return context.now - timedelta(days=int(text))


def _flag(text: str, _context: Context) -> bool | None:
    return {"1": True, "true": True, "0": False, "false": False}.get(text)


def _stage(text: str, context: Context) -> Any:
    return stages(context.thresholds, context.now)[text] if text in STAGES else None


def _rfm(text: str, context: Context) -> Any:
    return buyer(text, context.thresholds, context.now) if text in RFM_CLASSES else None


def _search(text: str, context: Context) -> Search:
    return Search(_id(text.lstrip("#"), context), (text, context.digest(text)), text)


# What may be asked → which field of `Wanted` it fills, and how it is read. Later ones win.
READERS: Mapping[str, tuple[str, Callable[[str, Context], Any]]] = {
    "live_code_id": ("live_code_id", _id),
    "choice_id": ("choice_id", _id),
    "tag": ("tag", _tag),
    "without_tag": ("without_tag", _tag),
    "region": ("region", _region),
    "placement": ("placement", _word),
    "device": ("device", _word),
    "app": ("app", _word),
    "language": ("language", _word),
    "pressed": ("pressed", _flag),
    "from": ("since", _start),
    "to": ("until", _end),
    "days": ("since", _within),
    "since": ("since", _moment),
    "until": ("until", _moment),
    "stage": ("stage", _stage),
    "rfm": ("rfm", _rfm),
    "q": ("search", _search),
}

"""The panel's forms, turned into the values that `forms` checks: chips into moments, rows into windows.

What is sent without scripts is sent with them: a form is complete by itself. Nothing is judged here; what cannot be
turned into a value stays as it was typed and is refused by its field.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from typing import Any

import marshmallow as ma

from app.rules import regions
from app.rules.regions import QUICK_GROUPS
from app.web.fields import Moment, from_form

CHIP_DAYS = 8
# A group code is valid until some hour of the day it names, the hour at which it was shown seven days before. Early in
# the morning nobody shows codes, so until then it surely holds.
CHIP_HOUR = 8
GUESS, NEVER, OTHER = "guess", "never", "other"
GUESS_MARGIN = timedelta(hours=2)
MOST_WINDOWS = 50
GROUP = "group:"

_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_BETWEEN = re.compile(r"[，、;；\n]")
_WINDOW = re.compile(r"window-(\d{1,3})-(?:days|from|to)", re.ASCII)

Errors = dict[str, list[str]]
# werkzeug's MultiDict of what was sent; that name belongs to the files that speak HTTP.
Posted = Any


@dataclass(frozen=True, slots=True)
class Chip:
    """A day to tap on: `value` is what the form sends. Without a day: the kind's usual life, whenever that ends."""

    value: str
    day: date | None
    is_guess: bool = False


def expiry_chips(now: datetime, zone: tzinfo, guess: datetime | None = None) -> list[Chip]:
    """Today and the seven days after it. `guess`: when it would end by its kind; that chip comes out as "guess"."""
    today = now.astimezone(zone).date()
    # The day the code says is two hours after our guess, which keeps that much away from it.
    guessed = (guess + GUESS_MARGIN).astimezone(zone).date() if guess is not None else None
    days = [today + timedelta(days=ahead) for ahead in range(CHIP_DAYS)]
    chips = [Chip(GUESS, day, True) if day == guessed else Chip(day.isoformat(), day) for day in days]
    return chips if guessed in days else [Chip(GUESS, None, True), *chips]


def expiry_of_form(form: Mapping[str, str], now: datetime, zone: tzinfo, prefix: str = "") -> dict[str, Any]:
    """`expires_at` as `forms` takes it; nothing where the kind's usual life shall be guessed."""
    chip = form.get(f"{prefix}expiry", "")
    if chip == NEVER:
        return {"expires_at": None}
    if chip == OTHER:
        typed = form.get(f"{prefix}expires_at", "").strip()
        return {"expires_at": Moment.from_text(typed, zone) if typed else None}
    day = _day(chip)
    return {} if day is None else {"expires_at": _end_of(day, now, zone).isoformat()}


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if _DAY.fullmatch(text) else None
    except ValueError:
        return None


def _end_of(day: date, now: datetime, zone: tzinfo) -> datetime:
    """The morning of the day written on the code; today's may be over, and then it is given another hour."""
    morning = datetime.combine(day, time(CHIP_HOUR), zone)
    return max(morning, now.astimezone(zone) + timedelta(hours=1)) if day == now.astimezone(zone).date() else morning


def windows_of_form(form: Posted) -> list[dict[str, Any]]:
    """Rows of the windows editor; a row without a day and without a time is no row."""
    numbers = sorted({int(found[1]) for name in form if (found := _WINDOW.fullmatch(name))})
    rows = []
    for number in numbers[: MOST_WINDOWS + 1]:
        days = [int(day) for day in form.getlist(f"window-{number}-days") if day.isdecimal() and len(day) == 1]
        begins, ends = (form.get(f"window-{number}-{end}", "").strip() for end in ("from", "to"))
        # <input type="time"> cannot say 24:00, so midnight as an end is the end of the day.
        if days or begins or ends:
            rows.append({"days": days, "from": begins, "to": "24:00" if ends == "00:00" else ends})
    return rows


def unchanged(typed: str, stored: datetime | None, zone: tzinfo) -> bool:
    """Was this <input type="datetime-local"> left as it was drawn? It shows no seconds, and these must not get lost."""
    return typed.strip() == local_input(stored, zone)


def local_input(moment: datetime | None, zone: tzinfo) -> str:
    return f"{moment.astimezone(zone):%Y-%m-%dT%H:%M}" if moment is not None else ""


def regions_of_form(form: Posted, name: str = "regions") -> list[str]:
    """Chosen places; a part of the country ("group:华东") stands for its provinces."""
    keys: list[str] = []
    for text in form.getlist(name):
        keys += QUICK_GROUPS.get(text.removeprefix(GROUP), (text,)) if text.startswith(GROUP) else [text]
    return list(dict.fromkeys(keys))


@lru_cache(maxsize=2)
def _by_full_name(language: str) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for key in regions.REGIONS:
        found.setdefault(regions.name(key, language, full=True).casefold(), key)
    return found


def place_names(language: str) -> list[str]:
    """What an input suggests: China's provinces and cities, and what is called a region besides."""
    near = (key for key in regions.REGIONS if key != "CN" and key.partition("/")[0] in regions.GREATER_CHINA)
    return [regions.name(key, language, full=True) for key in near]


def place_typed(text: str, language: str) -> str | None:
    """The region somebody means: as suggested, as a key, or the best that a search finds."""
    key = _by_full_name(language).get(text.strip().casefold()) or regions.normalise(text)
    if key is not None:
        return key
    best = regions.search(text, language, 1)
    return best[0].key if best else None


def places_typed(text: str, language: str) -> tuple[list[str], list[str]]:
    """Names with commas or semicolons between them: the regions meant, and the names that mean none."""
    groups = {name.casefold(): keys for name, keys in QUICK_GROUPS.items()}
    groups |= {regions.QUICK_GROUP_NAMES_EN[name].casefold(): keys for name, keys in QUICK_GROUPS.items()}
    keys: list[str] = []
    unknown: list[str] = []
    for name in _names(text, language):
        if name.casefold() in groups:
            keys += groups[name.casefold()]
        elif name and (key := place_typed(name, language)) is not None:
            keys.append(key)
        elif name:
            unknown.append(name)
    return list(dict.fromkeys(keys)), unknown


def _names(text: str, language: str) -> list[str]:
    """English names have a comma of their own: "Guangzhou, Guangdong" is one place."""
    found: list[str] = []
    for part in (part.strip() for part in _BETWEEN.split(text)):
        whole = part.casefold() in _by_full_name(language)
        found += [part] if whole else [name.strip() for name in part.split(",")]
    return found


def read(schema: ma.Schema, form: Posted, *, zone: tzinfo, more: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs that are fields of `schema`, as raw values, and `more`; one left empty takes its value away."""
    raw = from_form(schema, form, zone=zone, empty_is_null=True)
    return {name: value for name, value in raw.items() if name in schema.fields} | dict(more)


def load(schema: ma.Schema, raw: Mapping[str, Any]) -> tuple[dict[str, Any], Errors]:
    """The checked values, or what is wrong by input name."""
    try:
        return schema.load(raw), {}
    except ma.ValidationError as error:
        messages = error.messages
        return {}, flat(messages if isinstance(messages, Mapping) else {"_": messages})


def flat(messages: Any, prefix: str = "") -> Errors:
    """marshmallow's nested messages as one list an input: windows → window 2 → "to" becomes `windows`."""
    found: Errors = {}
    for name, inner in messages.items():
        top = prefix or str(name)
        if isinstance(inner, Mapping):
            for texts in flat(inner, top).values():
                found.setdefault(top, []).extend(texts)
        else:
            found.setdefault(top, []).extend(str(text) for text in inner)
    return {name: list(dict.fromkeys(texts)) for name, texts in found.items()}

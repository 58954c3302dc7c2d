"""What was changed, told of an entry of the audit log: by whom, what, from what to what."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any

import flask_babel
from flask_babel import lazy_gettext

from app.codes import wording
from app.rules import regions
from app.rules.kinds import KINDS

gettext: Callable[..., str] = flask_babel.gettext

ACTIONS: Mapping[str, Any] = {
    "live_code.created": lazy_gettext("Made"),
    "live_code.changed": lazy_gettext("Changed"),
    "live_code.archived": lazy_gettext("Archived"),
    "live_code.restored": lazy_gettext("Restored"),
    "live_code.shared": lazy_gettext("Shared"),
    "live_code.unshared": lazy_gettext("No longer shared"),
    "live_code.moved": lazy_gettext("Moved to a folder"),
    "live_code.pinned": lazy_gettext("Pinned"),
    "live_code.unpinned": lazy_gettext("Pin released"),
    "member.created": lazy_gettext("Code added"),
    "member.changed": lazy_gettext("Code changed"),
    "member.archived": lazy_gettext("Code archived"),
    "member.reordered": lazy_gettext("Order changed"),
    "member.swapped": lazy_gettext("Code swapped"),
    "member.rolled_back": lazy_gettext("Earlier code shown again"),
    "member.counted": lazy_gettext("Headcount entered"),
    "member.trusted": lazy_gettext("Said to work"),
    "swap_link.made": lazy_gettext("Swap link made"),
    "swap_link.used": lazy_gettext("Swap link used"),
    "swap_link.revoked": lazy_gettext("Swap link withdrawn"),
    "choice.created": lazy_gettext("Choice added"),
    "choice.changed": lazy_gettext("Choice changed"),
    "choice.archived": lazy_gettext("Choice archived"),
    "choice.restored": lazy_gettext("Choice restored"),
    "choice.reordered": lazy_gettext("Order of choices changed"),
    "placement.created": lazy_gettext("Placement added"),
    "placement.changed": lazy_gettext("Placement changed"),
    "placement.archived": lazy_gettext("Placement archived"),
    "placement.restored": lazy_gettext("Placement restored"),
    "host.added": lazy_gettext("Address added"),
    "host.made_default": lazy_gettext("Address for new codes"),
    "host.removed": lazy_gettext("Address removed"),
}
FIELDS: Mapping[str, Any] = {
    "colleague": lazy_gettext("Colleague"),
    "level": lazy_gettext("May"),
    "name": lazy_gettext("Name in the panel"),
    "title": lazy_gettext("Title"),
    "notice": lazy_gettext("A word to scanners"),
    "mode": lazy_gettext("Mode"),
    "region_policy": lazy_gettext("Places"),
    "state": lazy_gettext("State"),
    "starts_at": lazy_gettext("Starts"),
    "ends_at": lazy_gettext("Ends"),
    "dedupe_group": lazy_gettext("One group only, across live codes"),
    "on_closed_member": lazy_gettext("Their code is closed"),
    "unpressed_seat_hours": lazy_gettext("Free seats again after (hours)"),
    "label": lazy_gettext("Name for yourselves"),
    "public_name": lazy_gettext("Name scanners read"),
    "owner": lazy_gettext("Who looks after it"),
    "notes": lazy_gettext("Notes"),
    "capacity": lazy_gettext("At most, in all"),
    "daily_capacity": lazy_gettext("At most, a day"),
    "weight": lazy_gettext("Weight"),
    "is_fallback": lazy_gettext("Fallback code"),
    "regions": lazy_gettext("Places"),
    "windows": lazy_gettext("Opening times"),
    "valid_from": lazy_gettext("Not before"),
    "expires_at": lazy_gettext("Valid until"),
    "headcount": lazy_gettext("People in the group"),
    "version": lazy_gettext("Version"),
    "target": lazy_gettext("Link"),
    "tag": lazy_gettext("Tag"),
    "description": lazy_gettext("A line below it"),
    "contact_text": lazy_gettext("Words on the button"),
    "contact_phone": lazy_gettext("Phone"),
    "contact_url": lazy_gettext("Link (customer service, a page)"),
    "colour": lazy_gettext("Colour"),
    "pinned_member_id": lazy_gettext("Pinned"),
    "asks_city": lazy_gettext("Scanners may choose their city"),
    "region": lazy_gettext("Where it hangs"),
    "key": lazy_gettext("Word in the code"),
    "origin": lazy_gettext("Address"),
    "folder": lazy_gettext("Folder"),
    "latitude": lazy_gettext("Latitude"),
    "longitude": lazy_gettext("Longitude"),
    "radius_m": lazy_gettext("Not farther than (metres)"),
}


@dataclass(frozen=True, slots=True)
class PastChange:
    """One entry of the history in words; `changes`: (what, before, after)."""

    at: datetime
    actor: str
    words: str
    about: str
    changes: list[tuple[str, str, str]]


def past_change(entry: Any, about: str, zone: tzinfo, language: str) -> PastChange:
    """`entry` is a row of the audit log. What has no name here (ids, orders) is left out."""
    before, after = entry.before or {}, entry.after or {}
    is_new = entry.action.endswith(".created")
    changes = [
        (str(label), _told(name, before.get(name), zone, language), _told(name, after.get(name), zone, language))
        for name, label in FIELDS.items()
        if (name in before or name in after) and not (is_new and after.get(name) in _USUAL)
    ]
    return PastChange(entry.at, entry.actor, str(ACTIONS.get(entry.action, entry.action)), about, changes)


# What says nothing about a new row.
_USUAL: tuple[Any, ...] = (None, "", [], False, 1, "active", "simple", "prefer", "by_press", "page", "one", 48)
LONGEST_SHOWN = 60


def _told(name: str, value: Any, zone: tzinfo, language: str) -> str:
    if value in (None, "", []):
        return ""
    if name == "region":
        return regions.name(str(value), language, full=True)
    if name == "regions":
        return gettext(", ").join(wording.region_names(value, language))
    if name.endswith("_at") or name == "valid_from":
        return wording.minute_of(datetime.fromisoformat(value), zone)
    if name in VALUES and value in VALUES[name]:
        words = VALUES[name][value]
        return str(words[0] if isinstance(words, tuple) else words)
    if isinstance(value, bool):
        return gettext("yes") if value else gettext("no")
    if name == "windows":
        return gettext("; ").join(f"{wording.days_text(frozenset(w['days']))} {w['from']}–{w['to']}" for w in value)
    text = str(value)
    return text if len(text) <= LONGEST_SHOWN else text[:LONGEST_SHOWN] + "…"


def value_words(name: str, value: Any, zone: tzinfo, language: str) -> str | None:
    """What a value is called where entries of all features stand side by side; None where it is not one of ours."""
    if isinstance(value, bool):
        return gettext("yes") if value else gettext("no")
    if name == "kind" and value in KINDS:
        return wording.kind_name(value, language)
    is_ours = isinstance(value, str) and value in VALUES.get(name, {})
    is_moment = name in ("valid_from", "expires_at", "starts_at", "ends_at") and isinstance(value, str)
    is_place = (name == "region" and isinstance(value, str)) or (name in ("regions", "windows") and value)
    return _told(name, value, zone, language) if value and (is_ours or is_moment or is_place) else None


VALUES: Mapping[str, Mapping[str, Any]] = {
    "mode": wording.MODES,
    "region_policy": wording.REGION_POLICIES,
    "on_closed_member": wording.CLOSED_POLICIES,
    "state": wording.MEMBER_STATES | {"paused": lazy_gettext("Paused")},
}

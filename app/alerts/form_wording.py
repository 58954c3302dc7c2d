"""What a channel's form and a live code's thresholds say, field by field, in the words of their forms.

For when two people change them at once: `web.conflicts` lays one beside the other.
"""

from collections.abc import Callable, Mapping
from typing import Any

import flask_babel
from flask_babel import lazy_gettext

from app.alerts import store, wording
from app.alerts.forms import clock
from app.alerts.models import AlertChannel, AlertRule
from app.alerts.survey import thresholds

gettext: Callable[..., str] = flask_babel.gettext

LANGUAGES = {"zh": "中文", "en": "English"}
LEVELS: Mapping[int, Any] = {
    1: lazy_gettext("Everything that needs somebody"),
    2: lazy_gettext("Only what cannot wait"),
}
DAYS: Mapping[int, Any] = {
    1: lazy_gettext("Monday"),
    2: lazy_gettext("Tuesday"),
    3: lazy_gettext("Wednesday"),
    4: lazy_gettext("Thursday"),
    5: lazy_gettext("Friday"),
    6: lazy_gettext("Saturday"),
    7: lazy_gettext("Sunday"),
}
CHANNEL_LABELS: Mapping[str, Any] = {
    "kind": lazy_gettext("Kind"),
    "name": lazy_gettext("Name"),
    "language": lazy_gettext("Language"),
    "is_active": lazy_gettext("Switched on"),
    **{name: words for name, words in wording.FIELDS.items() if name in store.CHANNEL_FIELDS},
}
RULE_LABELS = {name: words for name, words in wording.FIELDS.items() if name in store.RULE_FIELDS}
_TIMES = ("quiet_from", "quiet_until", "digest_at", "work_from", "work_until")


def of_channel(row: AlertChannel) -> dict[str, Any]:
    return {name: getattr(row, name) for name in CHANNEL_LABELS}


def of_rule(row: AlertRule | None) -> dict[str, Any]:
    """The thresholds as the form holds them, and their version: 0 where they are the usual ones."""
    limits = thresholds(row)
    found = {name: getattr(limits, name) for name in store.RULE_FIELDS if name != "is_muted"}
    found |= {"work_days": sorted(limits.work_days), "filling_percents": sorted(limits.filling_percents, reverse=True)}
    return found | {"is_muted": row is not None and row.is_muted, "version": row.version if row is not None else 0}


def words(name: str, value: Any) -> str:
    """What a person reads of one field; "" for nothing."""
    if isinstance(value, bool):
        return gettext("yes") if value else gettext("no")
    if name in _TIMES:
        return clock(value)
    if name == "work_days":
        return ", ".join(str(DAYS[day]) for day in value)
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    named: Mapping[str, Mapping[Any, Any]] = {"kind": wording.CHANNELS, "language": LANGUAGES, "lowest_level": LEVELS}
    return str(named.get(name, {}).get(value, "" if value is None else value))

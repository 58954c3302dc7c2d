"""What is typed into the alert pages, checked: a channel, the thresholds of a live code.

Answers the values and what is wrong by input name, in the reader's language. Whether an address is one is asked of
`outside.notify`, which knows the services.
"""

import re
from collections.abc import Mapping
from typing import Any

from flask_babel import gettext

from app.alerts.models import LANGUAGES
from app.outside.notify import KINDS, Notifier, Target

Errors = dict[str, list[str]]
# werkzeug's MultiDict of what was sent; that name belongs to the files that speak HTTP.
Posted = Any

LONGEST_ADDRESS = 1000
_TIME = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)", re.ASCII)


def channel(
    form: Posted, notifier: Notifier, *, may_cover_all: bool, stored: Target | None
) -> tuple[dict[str, Any], Target | None, Errors]:
    """The columns, the target where a new one was typed, and what is wrong. `stored`: what an empty address keeps."""
    errors: Errors = {}
    kind = form.get("kind", "")
    if kind not in KINDS:
        errors["kind"] = [gettext("Choose one of these.")]
    values: dict[str, Any] = {
        "name": form.get("name", "").strip()[:60] or kind,
        "kind": kind,
        "language": form.get("language") if form.get("language") in LANGUAGES else "zh",
        "is_active": form.get("is_active") == "1",
        "covers_all": may_cover_all and form.get("covers_all") == "1",
        "lowest_level": 2 if form.get("lowest_level") == "2" else 1,
        "quiet_from": minute(form, "quiet_from", errors),
        "quiet_until": minute(form, "quiet_until", errors),
        "digest_at": minute(form, "digest_at", errors),
        "escalates_after_hours": whole(form, "escalates_after_hours", 1, 168, errors),
    }
    if (values["quiet_from"] is None) != (values["quiet_until"] is None):
        errors["quiet_until"] = [gettext("Give both times, or neither.")]
    return values, None if errors else _target(form, kind, notifier, stored, errors), errors


def _target(form: Posted, kind: str, notifier: Notifier, stored: Target | None, errors: Errors) -> Target | None:
    address, secret, to = (form.get(name, "").strip()[:LONGEST_ADDRESS] for name in ("address", "secret", "to"))
    if not address and stored is not None and stored.kind == kind:
        if not secret and to in ("", stored.to):
            return None
        address, secret, to = stored.address, secret or stored.secret, to or stored.to
    target = Target(kind, address, secret, to)
    wrong = notifier.wrong(target)
    if wrong is None:
        return target
    errors[wrong] = [
        gettext("Who shall get it? A chat's number or name, or mail addresses with commas between them.")
        if wrong == "to"
        else gettext("This is no address of that service. Copy it from there as it is.")
    ]
    return None


def rule(form: Posted) -> tuple[dict[str, Any], Errors]:
    errors: Errors = {}
    days = sorted({int(day) for day in form.getlist("work_days") if re.fullmatch(r"[1-7]", day)})
    begins, ends = minute(form, "work_from", errors), minute(form, "work_until", errors)
    values = {
        "is_muted": form.get("is_muted") == "1",
        "expiring_hours": numbers(form, "expiring_hours", 1, 168, errors),
        "filling_percents": numbers(form, "filling_percents", 10, 99, errors),
        "cooldown_hours": whole(form, "cooldown_hours", 0, 168, errors) or 0,
        "tells_forecast": form.get("tells_forecast") == "1",
        "work_from": 9 * 60 if begins is None else begins,
        "work_until": 18 * 60 if ends is None else ends,
        "work_days": days,
    }
    if not errors and values["work_until"] <= values["work_from"]:
        errors["work_until"] = [gettext("The end must be later than the beginning.")]
    return values, errors


def numbers(form: Mapping[str, str], name: str, lowest: int, highest: int, errors: Errors) -> list[int]:
    """ "48, 12": up to six numbers, in any order; none switches these alerts off."""
    found: set[int] = set()
    for text in re.split(r"[\s,，、]+", form.get(name, "").strip()):
        if not text:
            continue
        if not (text.isascii() and text.isdigit() and len(text) < 6 and lowest <= int(text) <= highest):
            errors[name] = [gettext("Numbers from %(low)s to %(high)s.", low=lowest, high=highest)]
            return []
        found.add(int(text))
    if len(found) > 6:
        errors[name] = [gettext("Six numbers at most.")]
    return sorted(found, reverse=True)


def whole(form: Mapping[str, str], name: str, lowest: int, highest: int, errors: Errors) -> int | None:
    text = form.get(name, "").strip()
    if not text:
        return None
    if text.isascii() and text.isdigit() and len(text) < 6 and lowest <= int(text) <= highest:
        return int(text)
    errors[name] = [gettext("A whole number from %(low)s to %(high)s.", low=lowest, high=highest)]
    return None


def minute(form: Mapping[str, str], name: str, errors: Errors) -> int | None:
    """Minutes of the day of an <input type="time">; None where it is empty."""
    text = form.get(name, "").strip()
    if not text:
        return None
    found = _TIME.fullmatch(text)
    if found is None:
        errors[name] = [gettext("A time such as 08:30.")]
        return None
    return int(found[1]) * 60 + int(found[2])


def clock(minutes: int | None) -> str:
    """The other way: 510 → "08:30"."""
    return "" if minutes is None else f"{minutes // 60:02d}:{minutes % 60:02d}"

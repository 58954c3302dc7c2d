"""What all pages of live codes share: their blueprint, who asks, what is found or is not, the words templates use.

Decides how a refusal of the store is told to a person. Leaves each page to its `*_pages` file, which hangs its views on
`blueprint`.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, cast

from flask import Blueprint, abort, current_app, g, redirect, request, url_for
from werkzeug.wrappers import Response

from app.accounts.guard import actor, current_user, protect_pages, safe_next
from app.codes import members, panel_forms, shares, store, wording
from app.codes.changes import Asker, Refused
from app.codes.desk import DESK, Desk
from app.codes.figures import FIGURES, Figures
from app.codes.models import LiveCode, Member
from app.codes.needs import Need, NeedsKept
from app.db import db, writing
from app.web.conflicts import differences
from app.web.i18n import language
from app.web.toast import say

Answer = str | Response | tuple[str, int]

blueprint = Blueprint("codes", __name__)
# Posted to, and yet nothing is changed by them.
protect_pages(blueprint, reads=("told", "check"))

PUBLISHED = "/m/"


def desk() -> Desk:
    return cast(Desk, current_app.extensions[DESK])


def figures() -> Figures | None:
    """Whoever counts scans, if the wiring has named somebody."""
    return cast(Figures | None, current_app.extensions.get(FIGURES))


def now() -> datetime:
    return desk().clock()


def needed() -> list[Need]:
    """What needs somebody now, of what this user sees."""
    kept: NeedsKept = current_app.extensions.setdefault("huozi.needs", NeedsKept())
    return kept.needs(db.session, desk().ledger, asker(), now(), desk().zone)


def asker() -> Asker:
    return Asker(actor(), None if current_user.sees_all else current_user.id)


def found(live_code_id: int) -> LiveCode:
    """This live code, archived ones included; 404 where it is nobody's or somebody else's."""
    live_code = store.find_live_code(db.session, asker(), live_code_id)
    if live_code is None:
        abort(404)
    # What is only shared for looking offers no button that would be refused.
    g.may_change = shares.may_change(db.session, asker(), live_code_id)
    return live_code


def found_member(member_id: int) -> Member:
    member = members.find_member(db.session, asker(), member_id)
    if member is None:
        abort(404)
    g.may_change = shares.may_change(db.session, asker(), member.live_code_id)
    return member


def refuse(refused: Refused) -> None:
    """Tells the refusal at the foot of the next page; what is not there is a 404."""
    if refused.code == "not_found":
        abort(404)
    say(wording.refusal(refused), "danger")


def to(endpoint: str, anchor: str | None = None, **arguments: Any) -> Response:
    return redirect(url_for(endpoint, _anchor=anchor, **arguments), code=303)


def back(otherwise: str) -> Response:
    """To the page the form stood on, if it is one of ours; a form names it in `next`."""
    return redirect(safe_next(request.form.get("next")) or otherwise, code=303)


def image_url(name: str | None) -> str:
    """Where scanners, too, get a published picture."""
    return PUBLISHED + name if name else ""


def compared(labels: Mapping[str, Any], mine: Mapping[str, Any], theirs: Any) -> list[tuple[str, str, str]]:
    """What of a form differs from what is stored by now: (label, mine, theirs). `theirs` is a row."""
    stored = {name: getattr(theirs, name) for name in labels if name in mine}
    return differences(labels, mine, stored, lambda _name, value: _as_text(value))


def _as_text(value: Any) -> str:
    if isinstance(value, datetime):
        return panel_forms.local_input(value, desk().zone).replace("T", " ")
    if isinstance(value, list):
        return ", ".join(_as_text(part) for part in value)
    if isinstance(value, dict):
        return " ".join(_as_text(part) for part in value.values())
    return "–" if value in (None, "") else str(value)


def words() -> dict[str, Any]:
    at, zone = now(), desk().zone
    return {
        "now": at,
        "wording": wording,
        "image_url": image_url,
        "short_url": desk().short_url,
        "kind_name": lambda kind: wording.kind_name(kind, language()),
        "when": lambda moment: wording.when(moment, at, zone),
        "time_left": lambda moment: wording.time_left(moment, at),
        "local_day": lambda day: wording.day_name(datetime(day.year, day.month, day.day), at.astimezone(zone).year),
        "weekday": lambda day: wording.weekday_names()[day.weekday()],
        "local_input": lambda moment: panel_forms.local_input(moment, zone),
        "host_of": lambda live_code: desk().host(live_code).partition("://")[2],
        "is_test_code": desk().is_test,
        "can_write": current_user.can_write and g.get("may_change", True),
    }


blueprint.context_processor(words)

# Stands for a member's number in an address, and is no member's.
_ANY_MEMBER = 987_654_321_012


def member_url(endpoint: str, member_id: int) -> str:
    """As `url_for`, for a grid that asks for fourteen addresses of each of 200 members: each kind is built once."""
    built = g.setdefault("member_urls", {})
    if endpoint not in built:
        built[endpoint] = url_for(endpoint, member_id=_ANY_MEMBER).split(str(_ANY_MEMBER))
    before, after = built[endpoint]
    return f"{before}{member_id}{after}"


blueprint.add_app_template_global(member_url)


def changed(change: Callable[[], Any]) -> Any:
    """The result of one change in one transaction; a refusal undoes whatever it had begun."""
    with writing(db.session):
        result = change()
        if isinstance(result, Refused):
            db.session.rollback()
    return result

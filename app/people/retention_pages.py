"""How long what is kept of people is kept: for administrators."""

from typing import Any

from flask import redirect, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response

from app.accounts.guard import actor, role_required
from app.db import db, writing
from app.people import settings_store, wording
from app.people.settings_store import LONGEST_DAYS, RETENTION_DAYS
from app.people.shell import blueprint
from app.web.toast import say


@blueprint.get("/visitors/retention")
@role_required("admin")
def retention() -> str:
    """Days by kind of data; applied within the hour."""
    return _form(settings_store.retention(db.session.connection()), ())


@blueprint.post("/visitors/retention")
@role_required("admin")
def set_retention() -> str | Response | tuple[str, int]:
    """New days; 0 keeps for ever."""
    typed: dict[str, Any] = {kind: request.form.get(kind, "").strip()[:10] for kind in RETENTION_DAYS}
    days = {kind: int(text) for kind, text in typed.items() if text.isascii() and text.isdigit()}
    wrong = [kind for kind in typed if kind not in days or days[kind] > LONGEST_DAYS]
    if wrong:
        return _form(typed, wrong), 422
    with writing(db.session) as session:
        settings_store.set_retention(session, actor(), days)
    say(gettext("Saved."))
    return redirect(url_for("people.retention"), code=303)


def _form(days: Any, wrong: Any) -> str:
    return render_template(
        "people/retention.html",
        kinds=[(kind, *wording.RETENTION[kind], days[kind], kind in wrong) for kind in RETENTION_DAYS],
        longest=LONGEST_DAYS,
    )

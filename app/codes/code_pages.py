"""The landing page's texts, beside the page itself, and the history of one live code; what its tabs' forms share."""

from collections.abc import Mapping, Sequence
from typing import Any

from flask import render_template, request
from flask_babel import gettext, lazy_gettext

from app.codes import forms, history, panel_forms, store, wording
from app.codes.changes import STALE, Refused
from app.codes.models import LiveCode
from app.codes.print_pages import trial_path
from app.codes.shell import Answer, asker, blueprint, changed, compared, desk, found, now, to
from app.codes.trial import trial_token
from app.db import db
from app.web.i18n import language
from app.web.paging import read_page
from app.web.toast import say

PAGE_LABELS: Mapping[str, Any] = {
    "name": lazy_gettext("Name in the panel"),
    "title": lazy_gettext("Title of the page"),
    "notice": lazy_gettext("A word to scanners"),
    "colour": lazy_gettext("Colour"),
}


@blueprint.route("/codes/<int:live_code_id>/page", methods=["GET", "POST"])
def landing(live_code_id: int) -> Answer:
    """The texts of the landing page, beside the page itself as a new visitor sees it."""
    live_code = found(live_code_id)
    if request.method == "GET":
        stored = {name: getattr(live_code, name) for name in PAGE_LABELS}
        return _landing_form(live_code, stored | {"own_colour": live_code.colour is not None})
    form = request.form
    colour = {"colour": form.get("colour") if "own_colour" in form else None}
    raw = panel_forms.read(forms.LiveCodePatch(), form, zone=desk().zone, more=colour)
    values, errors = panel_forms.load(forms.LiveCodePatch(partial=True), raw)
    if errors:
        wrong = gettext("Please look at the marked fields.")
        return _landing_form(live_code, form, errors, wrong, version=form_version()), 422
    values["title"] = values.get("title") or values.get("name", live_code.title)
    return save_live_code(live_code_id, values, PAGE_LABELS, _landing_form, "codes.landing")


def _landing_form(
    live_code: LiveCode,
    typed: Mapping[str, Any],
    errors: Mapping[str, Sequence[str]] | None = None,
    wrong: str = "",
    *,
    version: int | None = None,
    theirs: Sequence[tuple[str, str, str]] = (),
) -> str:
    return render_template(
        "codes/landing.html",
        live_code=live_code,
        typed=typed,
        errors=errors or {},
        wrong=wrong,
        theirs=theirs,
        version=live_code.version if version is None else version,
        trial_path=trial_path(live_code, trial_token(live_code.slug, desk().key, now())),
    )


def form_version() -> int:
    """Which version of the live code the form was drawn from."""
    typed = request.form.get("version", "")
    return int(typed) if typed.isdecimal() and len(typed) < 10 else 0


def save_live_code(
    live_code_id: int, values: dict[str, Any], labels: Mapping[str, Any], draw: Any, endpoint: str
) -> Answer:
    """Saves what a tab's form says. Somebody else was faster: the form again, with theirs beside it (409)."""
    result = changed(lambda: store.update_live_code(db.session, asker(), live_code_id, values, version=form_version()))
    if result == STALE:
        fresh = found(live_code_id)
        page: str = draw(fresh, request.form, theirs=compared(labels, values, fresh))
        return page, 409
    if isinstance(result, Refused):
        again: str = draw(found(live_code_id), request.form, _under(result), wording.refusal(result))
        return again, 422
    say(gettext("Saved. It counts from the next scan."))
    return to(endpoint, live_code_id=live_code_id)


def _under(refused: Refused) -> dict[str, list[str]]:
    return {name: [str(forms.REASONS.get(why, wording.refusal(refused)))] for name, why in refused.fields.items()}


@blueprint.get("/codes/<int:live_code_id>/history")
def past(live_code_id: int) -> Answer:
    """Who changed what, of this live code, its choices and its members."""
    live_code, page = found(live_code_id), read_page(request.args)
    entries, total = history.entries_of(db.session, live_code_id, limit=page.limit, offset=page.offset)
    told = [wording.past_change(entry, about, desk().zone, language()) for entry, about in entries]
    return render_template("codes/history.html", live_code=live_code, entries=told, page=page, total=total)

"""The landing page's texts, beside the page itself, and the history of one live code; what its tabs' forms share."""

from collections.abc import Mapping, Sequence
from typing import Any

from flask import render_template, request
from flask_babel import gettext, lazy_gettext

from app.codes import covers, forms, history, history_wording, panel_forms, store, wording
from app.codes.changes import STALE, Refused
from app.codes.models import LiveCode
from app.codes.print_pages import trial_path
from app.codes.shell import Answer, asker, blueprint, changed, compared, desk, found, image_url, now, to
from app.codes.trial import trial_token
from app.codes.upload_pages import bytes_of
from app.db import db
from app.outside.files import StoreFull
from app.web.i18n import language
from app.web.paging import read_page
from app.web.toast import say

PAGE_LABELS: Mapping[str, Any] = {
    "name": lazy_gettext("Name in the panel"),
    "title": lazy_gettext("Title of the page"),
    "notice": lazy_gettext("A word to scanners"),
    "colour": lazy_gettext("Colour"),
    "cover": lazy_gettext("Cover picture"),
    "contact_text": lazy_gettext("Words on the button"),
    "contact_phone": lazy_gettext("Phone"),
    "contact_url": lazy_gettext("Link (customer service, a page)"),
}


@blueprint.route("/codes/<int:live_code_id>/page", methods=["GET", "POST"])
def landing(live_code_id: int) -> Answer:
    """The texts of the landing page, beside the page itself as a new visitor sees it."""
    live_code = found(live_code_id)
    if request.method == "GET":
        stored = {name: getattr(live_code, name) for name in PAGE_LABELS}
        return _landing_form(live_code, stored | {"own_colour": live_code.colour is not None})
    form = request.form
    more: dict[str, Any] = {"colour": form.get("colour") if "own_colour" in form else None}
    if "contact_text" in form:
        more["contact"] = {name: form.get(f"contact_{name}", "") for name in ("text", "phone", "url")}
    raw = panel_forms.read(forms.LiveCodePatch(), form, zone=desk().zone, more=more)
    values, errors = panel_forms.load(forms.LiveCodePatch(partial=True), raw)
    cover, refused = _cover(live_code)
    typed = form.to_dict() | {"cover": cover}
    if refused:
        errors["cover"] = [refused]
    if errors:
        wrong = gettext("Please look at the marked fields.")
        return _landing_form(found(live_code_id), typed, errors, wrong, version=form_version()), 422
    values["cover"] = cover
    values["title"] = values.get("title") or values.get("name", live_code.title)
    return save_live_code(live_code_id, values, PAGE_LABELS, _landing_form, "codes.landing", typed)


@blueprint.post("/codes/<int:live_code_id>/cover")
def add_cover(live_code_id: int) -> Any:
    """Puts a picture where the form of the page can name it; nothing is changed yet."""
    live_code = found(live_code_id)
    cover, why = _cover(live_code)
    return {"cover": None if why else cover, "url": "" if why else image_url(cover), "why": why}


def _cover(live_code: LiveCode) -> tuple[str | None, str]:
    """The picture the form stands for, and why the one handed in cannot be taken. One that was handed in with a form
    that had a fault elsewhere is there already, and named by the form."""
    before, shelves = live_code.cover, desk().shelves
    db.session.rollback()  # reading takes its time, and nobody shall wait for our transaction meanwhile
    file = request.files.get("cover_file")
    if file is not None and file.filename:
        try:
            cover = covers.cover_of(shelves, bytes_of(file))
        except StoreFull:
            return before, gettext("There is no room left for pictures. This one was not added.")
        return (before, wording.refusal(cover)) if isinstance(cover, Refused) else (cover, "")
    if "no_cover" in request.form:
        return None, ""
    named = request.form.get("cover", "")
    return (named if named == before or covers.is_stored(shelves, named) else before), ""


def _landing_form(
    live_code: LiveCode,
    typed: Mapping[str, Any],
    errors: Mapping[str, Sequence[str]] | None = None,
    wrong: str = "",
    *,
    version: int | None = None,
    theirs: Sequence[tuple[str, str, str]] | None = None,
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
    live_code_id: int, values: dict[str, Any], labels: Mapping[str, Any], draw: Any, endpoint: str, typed: Any = None
) -> Answer:
    """Saves what a tab's form says (`typed`: to draw it again; the form itself unless given). Somebody else was faster:
    the form again, with theirs beside it (409)."""
    typed = request.form if typed is None else typed
    result = changed(lambda: store.update_live_code(db.session, asker(), live_code_id, values, version=form_version()))
    if result == STALE:
        fresh = found(live_code_id)
        page: str = draw(fresh, typed, theirs=compared(labels, values, fresh))
        return page, 409
    if isinstance(result, Refused):
        again: str = draw(found(live_code_id), typed, _under(result), wording.refusal(result))
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
    told = [history_wording.past_change(entry, about, desk().zone, language()) for entry, about in entries]
    return render_template("codes/history.html", live_code=live_code, entries=told, page=page, total=total)

"""Segments in the panel: filters with a name and how many people they find now; what stages and buyers begin at."""

from dataclasses import asdict, replace
from typing import Any

from flask import abort, redirect, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response

from app.accounts.guard import actor, current_user
from app.db import db, writing
from app.people import filters, segment_store, settings_store, store, wording
from app.people.api import asker_id, context
from app.people.rule_forms import cents
from app.people.shell import blueprint
from app.people.tasks_api import find_segment, save_segment
from app.rules.lifecycle import RFM_CLASSES, STAGES, Thresholds
from app.web.toast import say


@blueprint.get("/visitors/segments")
def segments() -> str:
    """Segments, and everybody by stage; the numbers come one by one, so that the page does not wait for them."""
    found = segment_store.list_segments(db.session, asker_id())
    return render_template(
        "people/segments.html",
        segments=[(one, wording.filter_words(one.filter, _names(one.filter))) for one in found],
        stages=[(name, wording.STAGES[name], wording.STAGE_HINTS[name]) for name in STAGES],
        rfm=[(code, wording.RFM[code]) for code in RFM_CLASSES],
        limits=settings_store.thresholds(db.session, current_user.id),
        money=wording.money,
        errors={},
        typed={},
    )


@blueprint.get("/visitors/segments/count")
def segment_count() -> Response | str:
    """How many people a filter finds, for a place on a page."""
    asked = filters.read(request.args, context())
    return str(store.count_visitors(db.session, asker_id(), asked.wanted))


@blueprint.post("/visitors/segments")
def new_segment() -> Response:
    """Gives the filter in front of the reader a name."""
    asked = filters.read(request.form, context())
    name = request.form.get("name", "").strip()[:100]
    if asked.errors or not name or not asked.arguments:
        say(gettext("A segment is a filter with a name."), "danger")
        return redirect(url_for("people.index", **_arguments(asked)), code=303)
    save_segment(name, asked.arguments)
    say(gettext("The segment is there."))
    return redirect(url_for("people.segments"), code=303)


@blueprint.post("/visitors/segments/<int:segment_id>/delete")
def delete_segment(segment_id: int) -> Response:
    """Forgets a segment; its people stay."""
    if find_segment(segment_id) is None:
        abort(404)
    with writing(db.session) as session:
        segment_store.drop_segment(session, actor(), segment_id)
    return redirect(url_for("people.segments"), code=303)


@blueprint.post("/visitors/segments/limits")
def set_limits() -> Any:
    """Where this user's stages and classes of buyers begin."""
    typed = {name: request.form.get(name, "").strip() for name in asdict(Thresholds())}
    values = {name: int(text) for name, text in typed.items() if text.isascii() and text.isdigit() and len(text) < 8}
    amount = cents(request.form.get("high_cents", ""))
    if amount is not None:
        values["high_cents"] = amount
    limits = replace(Thresholds(), **values)
    if set(values) != set(typed) or not limits.is_sound:
        say(
            gettext("These limits do not fit together: silent comes before lost, and every number is at least 1."),
            "danger",
        )
        return redirect(url_for("people.segments"), code=303)
    with writing(db.session) as session:
        settings_store.set_thresholds(session, actor(), current_user.id, limits)
    say(gettext("Saved."))
    return redirect(url_for("people.segments"), code=303)


def _names(query: dict[str, Any]) -> dict[str, str]:
    number = str(query.get("live_code_id", ""))
    return store.names_by_id(db.session, asker_id(), [int(number)] if number.isdigit() else [])


def _arguments(asked: filters.Asked) -> dict[str, Any]:
    return dict(asked.arguments)

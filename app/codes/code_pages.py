"""One live code as a thing to print and to look at: its permanent code, trial scans, its page, its history."""

import re
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from threading import Lock
from typing import Any, cast
from urllib.parse import quote

from flask import Response, abort, make_response, render_template, request
from flask_babel import gettext, lazy_gettext

from app.codes import forms, history, panel_forms, store, wording
from app.codes.changes import STALE, Refused
from app.codes.models import LiveCode
from app.codes.shell import Answer, asker, blueprint, changed, compared, desk, found, now, to
from app.codes.trial import PURPOSE, TRIAL_LASTS, trial_token
from app.db import db
from app.outside import qr_write
from app.rules.slugs import is_placement
from app.web.i18n import language
from app.web.paging import read_page
from app.web.signing import verify
from app.web.toast import say

MEDIA_TYPES: Mapping[str, str] = {"png": "image/png", "svg": "image/svg+xml", "pdf": "application/pdf"}
# As large as most people want them; the API draws any size.
PNG_PX, PRINT_MM = 1200, 60
KEPT_SECONDS = 24 * 3600
MOST_KEPT = 500
PAGE_LABELS: Mapping[str, Any] = {
    "name": lazy_gettext("Name in the panel"),
    "title": lazy_gettext("Title of the page"),
    "notice": lazy_gettext("A word to scanners"),
    "colour": lazy_gettext("Colour"),
}


class Drawn:
    """Codes drawn lately: a list of twenty asks for twenty, and each takes 40 ms to draw and to prove."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, str, str | None], bytes] = OrderedDict()
        self._lock = Lock()

    def get(self, url: str, form: str, title: str | None, test: bool) -> bytes:
        key = url, form, title
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        data = _draw(url, form, title, test)
        with self._lock:
            self._kept[key] = data
            while len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
        return data


def _draw(url: str, form: str, title: str | None, test: bool) -> bytes:
    size = None
    if title is not None:
        least, most = qr_write.size_bounds(url, cast(qr_write.Format, form))
        size = min(max(PNG_PX if form == "png" else PRINT_MM, least), most)
    return qr_write.permanent_code(
        url,
        format=cast(qr_write.Format, form),
        size=size,
        title=title,
        caption="微信扫一扫" if title is not None else None,
        test=test and title is not None,
    )


drawn = Drawn()


@blueprint.get("/codes/<int:live_code_id>/qr.<form>")
def qr(live_code_id: int, form: str) -> Response:
    """The permanent code: bare to look at; for download with its title and what to do, marked while it is a test."""
    live_code = found(live_code_id)
    placement = _placement()
    if form not in MEDIA_TYPES or placement is None:
        abort(404)
    url = desk().printed_url(live_code.slug, placement)
    title = live_code.title if request.args.get("download") else None
    response = make_response(drawn.get(url, form, title, desk().is_test))
    response.content_type = MEDIA_TYPES[form]
    response.headers["Cache-Control"] = f"private, max-age={KEPT_SECONDS if title is None else 0}"
    if title is not None:
        name = quote(_file_name(live_code, placement, form))
        response.headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{name}"
    if form == "svg":
        # An image we drew ourselves: it needs nothing, and styles inside it would be refused by the page's policy.
        response.headers["Content-Security-Policy"] = "default-src 'none'"
    return response


def _file_name(live_code: LiveCode, placement: str, form: str) -> str:
    words = re.sub(r"[^\w-]+", "-", live_code.name).strip("-")[:60] or live_code.slug
    test = "TEST-" if desk().is_test else ""
    return f"{test}{words}{'-' + placement if placement else ''}-{live_code.slug}.{form}"


def _placement() -> str | None:
    """Of the address; "" for none, None where it cannot be one."""
    typed = request.args.get("p", "").strip()
    return typed if not typed or is_placement(typed) else None


@blueprint.get("/codes/<int:live_code_id>/print")
def printable(live_code_id: int) -> Answer:
    live_code, placement = found(live_code_id), _placement()
    wrong = [gettext("Letters, digits, Chinese characters, - and _, at most 32.")] if placement is None else []
    return render_template(
        "codes/printable.html",
        live_code=live_code,
        placement=placement or "",
        placement_errors=wrong,
        is_new=request.args.get("new") == "1",
    )


@blueprint.get("/codes/<int:live_code_id>/trial")
def trial(live_code_id: int) -> Answer:
    """An address to try the live code out with, good for half an hour, as a code for the phone and as a link."""
    live_code = found(live_code_id)
    token = trial_token(live_code.slug, desk().key, now())
    response = make_response(
        render_template(
            "codes/trial.html",
            live_code=live_code,
            token=token,
            trial_url=f"{desk().short_url(live_code.slug)}?t={token}",
            trial_path=_trial_path(live_code, token),
            ends_at=now() + TRIAL_LASTS,
        )
    )
    response.headers["Cache-Control"] = "no-store"
    return response


def _trial_path(live_code: LiveCode, token: str) -> str:
    """On this very host, wherever the panel is read from."""
    return f"/s/{live_code.slug}?t={token}"


@blueprint.get("/codes/<int:live_code_id>/trial-<token>.svg")
def trial_qr(live_code_id: int, token: str) -> Response:
    live_code = found(live_code_id)
    if verify(PURPOSE, token, desk().key, now=now().timestamp()) != live_code.slug.encode():
        abort(404)
    response = make_response(_draw(f"{desk().short_url(live_code.slug)}?t={token}", "svg", None, False))
    response.content_type = MEDIA_TYPES["svg"]
    response.headers["Cache-Control"] = "no-store"
    response.headers["Content-Security-Policy"] = "default-src 'none'"
    return response


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
        trial_path=_trial_path(live_code, trial_token(live_code.slug, desk().key, now())),
    )


def form_version() -> int:
    """Which version of the live code the form was drawn from."""
    typed = request.form.get("version", "")
    return int(typed) if typed.isdigit() and len(typed) < 10 else 0


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

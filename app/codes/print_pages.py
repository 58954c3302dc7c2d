"""The permanent code as something to print: its files, one for each place it hangs at, and trial scans before that."""

import re
from collections import OrderedDict
from collections.abc import Mapping
from threading import Lock
from typing import cast
from urllib.parse import quote

from flask import Response, abort, make_response, render_template, request

from app.codes import placements
from app.codes.models import LiveCode
from app.codes.shell import Answer, blueprint, desk, found, now
from app.codes.trial import PURPOSE, TRIAL_LASTS, trial_token
from app.db import db
from app.outside import qr_write
from app.rules import regions
from app.rules.slugs import is_placement
from app.web.i18n import language
from app.web.signing import verify

MEDIA_TYPES: Mapping[str, str] = {"png": "image/png", "svg": "image/svg+xml", "pdf": "application/pdf"}
# As large as most people want them; the API draws any size.
PNG_PX, PRINT_MM = 1200, 60
KEPT_SECONDS = 24 * 3600
MOST_KEPT = 500


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
    url = desk().printed_url(live_code, placement)
    title = live_code.title if request.args.get("download") else None
    response = make_response(drawn.get(url, form, title, desk().is_test(live_code)))
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
    test = "TEST-" if desk().is_test(live_code) else ""
    return f"{test}{words}{'-' + placement if placement else ''}-{live_code.slug}.{form}"


def _placement() -> str | None:
    """Of the address; "" for none, None where it cannot be one."""
    typed = request.args.get("p", "").strip()
    return typed if not typed or is_placement(typed) else None


@blueprint.get("/codes/<int:live_code_id>/print")
def printable(live_code_id: int) -> Answer:
    """The code as it will be printed, a file for each placement, and what to know before."""
    live_code, key = found(live_code_id), _placement() or ""
    mine = placements.placements_of(db.session, live_code_id)
    return render_template(
        "codes/printable.html",
        live_code=live_code,
        placements=mine,
        shown=next((placement for placement in mine if placement.key == key), None),
        key=key,
        is_new=request.args.get("new") == "1",
        region_name=lambda region: regions.name(region, language(), full=True),
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
            trial_url=f"{desk().short_url(live_code)}?t={token}",
            trial_path=trial_path(live_code, token),
            ends_at=now() + TRIAL_LASTS,
        )
    )
    response.headers["Cache-Control"] = "no-store"
    return response


def trial_path(live_code: LiveCode, token: str) -> str:
    """On this very host, wherever the panel is read from."""
    return f"/s/{live_code.slug}?t={token}"


@blueprint.get("/codes/<int:live_code_id>/trial-<token>.svg")
def trial_qr(live_code_id: int, token: str) -> Response:
    live_code = found(live_code_id)
    if verify(PURPOSE, token, desk().key, now=now().timestamp()) != live_code.slug.encode():
        abort(404)
    response = make_response(_draw(f"{desk().short_url(live_code)}?t={token}", "svg", None, False))
    response.content_type = MEDIA_TYPES["svg"]
    response.headers["Cache-Control"] = "no-store"
    response.headers["Content-Security-Policy"] = "default-src 'none'"
    return response

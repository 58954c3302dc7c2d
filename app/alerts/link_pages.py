"""`/swap/<token>`: a group's owner swaps its code from their phone, without an account.

Three taps: open the link, pick the screenshot (it is sent and read at once), say yes. Without scripts a button sends
it. The address itself is the permission, so there is no session and no CSRF token; it is good for one member, and every
use is written down. Whatever is wrong with a link is told in words and changes nothing.
"""

from typing import cast

from flask import Blueprint, Response, current_app, g, make_response, render_template, request
from flask_babel import gettext

from app.alerts import links, wording
from app.alerts.desk import DESK, Desk
from app.alerts.links import Stale
from app.alerts.models import SwapLink
from app.db import db, writing
from app.db.audit import Actor
from app.outside.images import MAX_BYTES
from app.rules.kinds import KINDS
from app.rules.swap_link import Shown, Verdict
from app.web.csrf import csrf
from app.web.i18n import language

blueprint = Blueprint("links", __name__)
csrf.exempt(blueprint)


def desk() -> Desk:
    return cast(Desk, current_app.extensions[DESK])


@blueprint.get("/swap/<link_token>")
def page(link_token: str) -> Response:
    """The code shown now, and the one thing to do: pick the new screenshot."""
    link = _link(link_token)
    return link if isinstance(link, Response) else _ask(link_token, link)


@blueprint.post("/swap/<link_token>")
def swap(link_token: str) -> Response:
    """Reads the picture that was picked; with what was read before, and a yes, swaps."""
    link = _link(link_token)
    if isinstance(link, Response):
        return link
    if bound := request.form.get("bound", ""):
        return _bind(link_token, link, bound)
    return _read(link_token, link)


def _link(token: str) -> SwapLink | Response:
    found = links.find(db.session, token, desk().key, desk().clock())
    if isinstance(found, SwapLink):
        return found
    return _over(found.why if isinstance(found, Stale) else "unknown")


def _over(why: str) -> Response:
    status = {"unknown": 404, "gone": 410, "expired": 410, "revoked": 410, "used": 410}.get(why, 409)
    return _answer("alerts/link_over.html", status, why=str(wording.LINKS_OVER.get(why, wording.LINKS_OVER["unknown"])))


def _ask(token: str, link: SwapLink, verdict: Verdict | None = None) -> Response:
    shown = desk().door.show(db.session, link.member_id, desk().clock())
    if shown is None:
        return _over("gone")
    status = 422 if verdict is not None and not verdict.token else 200
    return _answer("alerts/link.html", status, token=token, shown=shown, verdict=verdict, **_words(shown, verdict))


def _words(shown: Shown, verdict: Verdict | None) -> dict[str, object]:
    now, zone = desk().clock(), desk().zone
    row = KINDS[verdict.kind] if verdict is not None and verdict.kind else None
    return {
        "old_until": wording.until(shown.expires_at, now, zone),
        "new_until": wording.until(verdict.expires_at, now, zone) if verdict is not None else "",
        "new_kind": "" if row is None else (row.name_zh if language() == "zh" else row.name_en),
    }


def _read(token: str, link: SwapLink) -> Response:
    file = request.files.get("image")
    if file is None or not file.filename:
        return _ask(token, link, Verdict(why=gettext("Pick a screenshot of the new code first.")))
    data = file.stream.read(MAX_BYTES + 1)
    link_id, member_id = link.id, link.member_id
    with writing(db.session):
        may = links.take_read(db.session, link_id)
    if not may:
        return _over("tries")
    verdict = desk().door.read(db.session, member_id, data, desk().clock())
    again = _link(token)
    return again if isinstance(again, Response) else _ask(token, again, verdict)


def _bind(token: str, link: SwapLink, bound: str) -> Response:
    now, link_id, member_id = desk().clock(), link.id, link.member_id
    actor = Actor(f"swap link {link_id}", None, g.get("request_id"))
    before = desk().door.show(db.session, member_id, now)
    why = desk().door.swap(
        db.session,
        actor,
        member_id,
        bound,
        new_group=request.form.get("new_group") == "1",
        now=now,
        take=lambda: links.take_use(db.session, actor, link_id, member_id, now),
    )
    if why == "taken":
        again = _link(token)
        return again if isinstance(again, Response) else _over("used")
    if why == "gone":
        return _ask(token, link, Verdict(why=gettext("That took too long. Pick the screenshot once more.")))
    if why:
        return _ask(token, link, Verdict(why=why))
    shown = desk().door.show(db.session, member_id, now)
    until = wording.until(shown.expires_at, now, desk().zone) if shown else ""
    return _answer("alerts/link_done.html", 200, shown=shown, before=before, until=until)


def _answer(template: str, status: int, **context: object) -> Response:
    """For a stranger's phone: kept by nobody, indexed by nobody, and its address told to nobody."""
    response = make_response(render_template(template, **context), status)
    response.headers["Cache-Control"] = "no-store"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["X-Robots-Tag"] = "noindex"
    return response

"""`/me`: what is kept of whoever scans, shown to themselves and deleted when they say so.

No log-in: the browser's own visitor cookie says who it is. Answers as the landing page does, for a stranger's phone:
without a session, without scripts.
"""

from typing import Any, cast

from flask import Blueprint, Response, current_app, g, make_response, redirect, render_template, request, url_for

from app.db import db
from app.db.audit import Actor
from app.people import orders, store, wording
from app.people.desk import DESK, Desk
from app.rules import regions
from app.web import settings
from app.web.csrf import csrf, same_origin
from app.web.errors import known_problem
from app.web.i18n import language

ORDERS_SHOWN = 200

blueprint = Blueprint("me", __name__)
csrf.exempt(blueprint)  # a token would need a session; the visitor's cookie is not sent from other sites (Lax)


def desk() -> Desk:
    return cast(Desk, current_app.extensions[DESK])


@blueprint.get("/me")
def me() -> Response:
    """What is kept of whoever scans with this browser."""
    key = desk().visitor_of(request.environ)
    visitor = store.find_by_key(db.session, key) if key else None
    people = store.people(db.session, None, [visitor] if visitor is not None else [])
    response = make_response(
        render_template(
            "people/me.html",
            person=people[0] if people else None,
            first_placement=visitor.first_placement if visitor is not None else None,
            called=orders.identities_of(db.session, None, visitor.id) if visitor is not None else [],
            bought=orders.orders_of(db.session, None, visitor.id, ORDERS_SHOWN) if visitor is not None else [],
            names=wording.IDENTITIES,
            money=wording.money,
            place=regions.name(people[0].region, language(), full=True) if people and people[0].region else "",
            is_known=key is not None,
            is_done="done" in request.args,
        )
    )
    response.headers["Cache-Control"] = "no-store"
    return response


@blueprint.post("/me/erase")
def erase() -> Any:
    """Deletes it, at their own wish."""
    if not (same_origin() or request.headers.get("Sec-Fetch-Site") == "same-origin"):
        raise known_problem(403)
    key = desk().visitor_of(request.environ)
    if key is not None:
        desk().eraser.erase(db.session, Actor("visitor", None, g.get("request_id")), key)
    response = redirect(url_for("me.me", done=1), code=303)
    response.delete_cookie(desk().cookie, path="/", secure=settings().is_https, httponly=True, samesite="Lax")
    response.headers["Cache-Control"] = "no-store"
    return response

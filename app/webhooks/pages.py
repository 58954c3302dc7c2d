"""The panel's webhook pages: where messages go, one endpoint with its log, the secret that is shown once."""

from typing import Any, cast

from flask import Blueprint, abort, current_app, redirect, render_template, request, url_for
from flask_babel import gettext
from marshmallow import ValidationError
from werkzeug.wrappers import Response

from app.accounts.guard import actor, current_user, protect_pages
from app.db import db, writing
from app.web.conflicts import Differences, differences, form_version, is_stale
from app.web.fields import from_form
from app.web.toast import say
from app.webhooks import forms, store, wording
from app.webhooks.desk import DESK, Desk
from app.webhooks.models import STATES, WebhookEndpoint

Answer = str | Response | tuple[str, int]
Errors = dict[str, list[str]]

blueprint = Blueprint("webhooks", __name__)
protect_pages(blueprint)

MESSAGES_SHOWN = 30
SWITCHES = ("covers_all", "is_active")


def desk() -> Desk:
    return cast(Desk, current_app.extensions[DESK])


@blueprint.context_processor
def words() -> dict[str, Any]:
    return {"wording": wording, "can_write": current_user.can_write, "by_state": by_state}


def by_state(endpoint_id: int, asked: str) -> list[tuple[str, str, bool]]:
    """The log's tabs: all of it, or one state."""
    return [
        (url_for("webhooks.show", endpoint_id=endpoint_id, state=state or None), str(words), asked == state)
        for state, words in (("", gettext("All")), *wording.STATES.items())
    ]


@blueprint.get("/webhooks")
def index() -> Answer:
    """The endpoints of this user, and how they fare."""
    rows = store.endpoints_of(db.session, current_user.id)
    health = store.health_of(db.session, [row.id for row in rows])
    return render_template("webhooks/index.html", rows=rows, health=health, most=store.MOST_ENDPOINTS)


@blueprint.route("/webhooks/new", methods=["GET", "POST"])
def new() -> Answer:
    """Another address to send messages to."""
    if request.method == "GET":
        typed = {"name": "", "url": "", "events": [], "covers_all": False}
        return render_template("webhooks/new.html", typed=typed, errors={})
    values, typed, errors = _read(forms.EndpointForm())
    if errors:
        return render_template("webhooks/new.html", typed=typed, errors=errors), 422
    secret = store.make_secret()
    with writing(db.session):
        row = store.add_endpoint(db.session, actor(), current_user.id, values, secret, desk().key)
        endpoint_id = row.id if row is not None else 0
    if not endpoint_id:
        say(gettext("You have %(most)s webhooks, which is all there can be.", most=store.MOST_ENDPOINTS), "warning")
        return redirect(url_for("webhooks.index"), code=303)
    return _page(_own(endpoint_id), secret=secret)


@blueprint.route("/webhooks/<int:endpoint_id>", methods=["GET", "POST"])
def show(endpoint_id: int) -> Answer:
    """One endpoint: what it is told, and what was sent."""
    row = _own(endpoint_id)
    if request.method == "GET":
        return _page(row)
    values, typed, errors = _read(forms.EndpointForm())
    if errors:
        answer = _page(row, typed=typed, errors=errors)
        answer.status_code = 422
        return answer
    with writing(db.session) as session:
        fresh = store.lock_endpoint(session, current_user.id, endpoint_id)
        if fresh is None:
            abort(404)
        was_faster = is_stale(fresh.version)
        if not was_faster:
            store.change_endpoint(session, actor(), fresh, values)
    if was_faster:
        row = _own(endpoint_id)
        theirs = differences(wording.FIELDS, values, {name: getattr(row, name) for name in store.FIELDS}, _words)
        answer = _page(row, typed=typed, theirs=theirs)
        answer.status_code = 409
        return answer
    say(gettext("Saved."))
    return _to(endpoint_id)


@blueprint.post("/webhooks/<int:endpoint_id>/secret")
def renew(endpoint_id: int) -> Answer:
    """A new secret, shown on the page that answers."""
    secret = store.make_secret()
    with writing(db.session):
        store.renew_secret(db.session, actor(), _own(endpoint_id), secret, desk().key)
    return _page(_own(endpoint_id), secret=secret)


@blueprint.post("/webhooks/<int:endpoint_id>/test")
def test(endpoint_id: int) -> Answer:
    """Puts a test in line."""
    with writing(db.session):
        store.queue_test(db.session, _own(endpoint_id), desk().clock())
    say(gettext("The test is on its way. Load this page again to see what became of it."))
    return _to(endpoint_id)


@blueprint.post("/webhooks/<int:endpoint_id>/delete")
def delete(endpoint_id: int) -> Answer:
    """Nothing is sent there any more; its log goes with it."""
    with writing(db.session):
        store.delete_endpoint(db.session, actor(), _own(endpoint_id))
    say(gettext("Deleted."))
    return redirect(url_for("webhooks.index"), code=303)


@blueprint.post("/webhooks/messages/<int:message_id>/resend")
def resend(message_id: int) -> Answer:
    """The same message once more."""
    with writing(db.session):
        row = store.find_message(db.session, current_user.id, message_id)
        if row is None:
            abort(404)
        store.send_again(db.session, row, desk().clock())
        endpoint_id = row.endpoint_id
    say(gettext("It is sent once more."))
    return _to(endpoint_id)


def _own(endpoint_id: int) -> WebhookEndpoint:
    row = store.find_endpoint(db.session, current_user.id, endpoint_id)
    if row is None:
        abort(404)
    return row


def _read(schema: forms.EndpointForm) -> tuple[dict[str, Any], dict[str, Any], Errors]:
    """The values, what to show again, and what is wrong."""
    form = request.form.copy()
    for name in ("csrf_token", "version"):
        form.poplist(name)
    for name in SWITCHES:
        form.setlist(name, ["1" if form.get(name) else "0"])
    typed = {
        "name": form.get("name", ""),
        "url": form.get("url", ""),
        "events": form.getlist("events"),
        **{name: form.get(name) == "1" for name in SWITCHES},
    }
    try:
        values: dict[str, Any] = schema.load(from_form(schema, form))
    except ValidationError as error:
        found: Any = error.messages
        return {}, typed, {name: _flat(messages) for name, messages in found.items()}
    values["covers_all"] = values["covers_all"] and current_user.is_admin
    wrong = desk().poster.wrong(values["url"])
    return values, typed, {"url": [wording.problem(wrong)]} if wrong is not None else {}


def _flat(messages: Any) -> list[str]:
    """A list's messages come by their place in it."""
    if isinstance(messages, dict):
        return [text for part in messages.values() for text in _flat(part)]
    return [str(text) for text in messages]


def _words(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return str(gettext("yes") if value else gettext("no"))
    return wording.value_words(name, value) or str(value)


def _page(
    row: WebhookEndpoint,
    *,
    secret: str = "",
    typed: dict[str, Any] | None = None,
    errors: Errors | None = None,
    theirs: Differences | None = None,
) -> Response:
    before, state = request.args.get("before", ""), request.args.get("state", "")
    messages, older = store.messages_of(
        db.session,
        row.id,
        before=int(before) if before.isascii() and before.isdigit() and len(before) < 19 else None,
        state=state if state in STATES else "",
        limit=MESSAGES_SHOWN,
    )
    shown = typed or {name: getattr(row, name) for name in store.FIELDS}
    page = render_template(
        "webhooks/show.html", row=row, typed=shown, errors=errors or {}, secret=secret, messages=messages, older=older,
        state_asked=state, states=wording.STATES, theirs=theirs,
        version=form_version() if errors else row.version,
    )  # fmt: skip
    response = current_app.make_response(page)
    if secret:
        response.headers["Cache-Control"] = "no-store"
    return response


def _to(endpoint_id: int) -> Response:
    return redirect(url_for("webhooks.show", endpoint_id=endpoint_id), code=303)

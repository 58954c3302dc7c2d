"""Webhooks for programs: endpoints, their log, a message sent once more. A token sees its user's."""

from typing import Any, cast

from flask import Response, current_app
from flask_babel import gettext

from app.accounts import guard
from app.accounts.guard import current_user
from app.db import db, writing
from app.web.answers import IF_MATCH, ApiBlueprint, look_for_change, reply
from app.web.errors import Problem, known_problem
from app.web.openapi import PREFIX
from app.webhooks import forms, store, wording
from app.webhooks.desk import DESK, Desk
from app.webhooks.models import WebhookEndpoint

blueprint = ApiBlueprint(
    "webhooks_api", __name__, url_prefix=PREFIX, description="Messages to other programs, signed and tried again."
)
guard.protect_api(blueprint)


def desk() -> Desk:
    return cast(Desk, current_app.extensions[DESK])


def _tell(row: WebhookEndpoint, status: int = 200, secret: str = "") -> Response:
    told = forms.EndpointAnswer().dump(row)
    return reply({**told, "secret": secret} if secret else told, status, row.version)


def _own(endpoint_id: int) -> WebhookEndpoint:
    row = store.find_endpoint(db.session, current_user.id, endpoint_id)
    if row is None:
        raise known_problem(404)
    return row


def _invalid(field: str, message: str) -> Problem:
    return Problem(422, "invalid", known_problem(422).message, {field: [message]})


def _checked(values: dict[str, Any]) -> dict[str, Any]:
    """The address is looked up before a transaction begins."""
    if values.get("covers_all") and not current_user.is_admin:
        raise _invalid("covers_all", gettext("This is for administrators."))
    wrong = desk().poster.wrong(values["url"]) if "url" in values else None
    if wrong is not None:
        raise _invalid("url", wording.problem(wrong))
    return values


@blueprint.route("/webhooks", methods=["GET"])
@blueprint.response(200, forms.EndpointList)
def list_webhooks() -> Response:
    """Your endpoints in the order they were made."""
    rows = store.endpoints_of(db.session, current_user.id)
    return reply({"items": forms.EndpointAnswer(many=True).dump(rows)})


@blueprint.route("/webhooks", methods=["POST"])
@blueprint.arguments(forms.EndpointForm)
@blueprint.response(201, forms.EndpointWithSecret)
def create_webhook(values: dict[str, Any]) -> Response:
    """Have messages sent to an address; the answer holds the secret they are signed with, this once."""
    values, secret = _checked(values), store.make_secret()
    with writing(db.session) as session:
        row = store.add_endpoint(session, guard.actor(), current_user.id, values, secret, desk().key)
        if row is None:
            message = gettext("You have %(most)s webhooks, which is all there can be.", most=store.MOST_ENDPOINTS)
            raise Problem(409, "webhook_limit", message)
    return _tell(row, 201, secret)


@blueprint.route("/webhooks/<int:endpoint_id>", methods=["GET"])
@blueprint.response(200, forms.EndpointAnswer)
def get_webhook(endpoint_id: int) -> Response:
    """One endpoint; its secret is not told."""
    return _tell(_own(endpoint_id))


@blueprint.route("/webhooks/<int:endpoint_id>", methods=["PATCH"])
@blueprint.arguments(forms.EndpointPatch(partial=True))
@blueprint.response(200, forms.EndpointAnswer)
@blueprint.doc(parameters=[IF_MATCH])
def change_webhook(values: dict[str, Any], endpoint_id: int) -> Response:
    """Change what is named; `is_active: true` switches one on again that was switched off."""
    _own(endpoint_id)
    values = _checked(values)
    with writing(db.session) as session:
        row = store.lock_endpoint(session, current_user.id, endpoint_id)
        if row is None:
            raise known_problem(404)
        look_for_change(row.version)
        store.change_endpoint(session, guard.actor(), row, values)
    return _tell(row)


@blueprint.route("/webhooks/<int:endpoint_id>", methods=["DELETE"])
@blueprint.response(204)
def delete_webhook(endpoint_id: int) -> Response:
    """Nothing is sent there any more; its log goes with it."""
    with writing(db.session) as session:
        store.delete_endpoint(session, guard.actor(), _own(endpoint_id))
    return Response(status=204)


@blueprint.route("/webhooks/<int:endpoint_id>/secret", methods=["POST"])
@blueprint.response(200, forms.EndpointWithSecret)
def renew_webhook_secret(endpoint_id: int) -> Response:
    """Make a new secret; every message from now on is signed with it."""
    secret = store.make_secret()
    with writing(db.session) as session:
        row = _own(endpoint_id)
        store.renew_secret(session, guard.actor(), row, secret, desk().key)
    return _tell(row, 200, secret)


@blueprint.route("/webhooks/<int:endpoint_id>/test", methods=["POST"])
@blueprint.response(202, forms.MessageAnswer)
def test_webhook(endpoint_id: int) -> Response:
    """Put a message of type `test` in line; the log tells what became of it."""
    with writing(db.session) as session:
        message = store.queue_test(session, _own(endpoint_id), desk().clock())
    return reply(forms.MessageAnswer().dump(message), 202)


@blueprint.route("/webhooks/<int:endpoint_id>/messages", methods=["GET"])
@blueprint.arguments(forms.LogQuery, location="query")
@blueprint.response(200, forms.MessageList)
def list_messages(query: dict[str, Any], endpoint_id: int) -> Response:
    """The log, the newest first; kept for thirty days."""
    _own(endpoint_id)
    rows, before = store.messages_of(
        db.session, endpoint_id, before=query["before"], state=query["state"], limit=query["per_page"]
    )
    return reply({"items": forms.MessageAnswer(many=True).dump(rows), "next_before": before})


@blueprint.route("/webhooks/messages/<int:message_id>/resend", methods=["POST"])
@blueprint.response(202, forms.MessageAnswer)
def resend_message(message_id: int) -> Response:
    """Send a message once more, under the id it had, also one that was taken."""
    with writing(db.session) as session:
        row = store.find_message(session, current_user.id, message_id)
        if row is None:
            raise known_problem(404)
        store.send_again(session, row, desk().clock())
    return reply(forms.MessageAnswer().dump(row), 202)

"""What is set about people, for programs: where stages begin, how long things are kept. Hangs its routes on
`api.blueprint`."""

from dataclasses import asdict, fields
from typing import Any

import marshmallow as ma
from flask import Response
from flask_babel import gettext

from app.accounts import guard
from app.accounts.guard import current_user
from app.db import db, writing
from app.people import settings_store
from app.people.api import blueprint
from app.people.forms import MOST_CENTS
from app.people.settings_store import LONGEST_DAYS, RETENTION_DAYS
from app.rules.lifecycle import Thresholds
from app.web.answers import reply
from app.web.errors import Problem, known_problem
from app.web.fields import Form, Whole

LimitsForm: type[ma.Schema] = Form.from_dict(
    {one.name: Whole(1, MOST_CENTS if "cents" in one.name else 9_999_999, required=True) for one in fields(Thresholds)},
    name="LimitsForm",
)
RetentionForm: type[ma.Schema] = Form.from_dict(
    {
        kind: Whole(0, LONGEST_DAYS, required=True, metadata={"description": "Days; 0 for ever."})
        for kind in RETENTION_DAYS
    },
    name="RetentionForm",
)


@blueprint.route("/segments/limits", methods=["GET"])
@blueprint.response(200, LimitsForm)
def get_limits() -> Response:
    """Where your stages and classes of buyers begin."""
    return reply(asdict(settings_store.thresholds(db.session, current_user.id)))


@blueprint.route("/segments/limits", methods=["PUT"])
@blueprint.arguments(LimitsForm)
@blueprint.response(200, LimitsForm)
def put_limits(values: dict[str, Any]) -> Response:
    """Have them begin elsewhere, from now on and for you alone."""
    limits = Thresholds(**values)
    if not limits.is_sound:
        message = gettext("These limits do not fit together: silent comes before lost, and every number is at least 1.")
        raise Problem(422, "invalid", known_problem(422).message, {"lost_days": [message]})
    with writing(db.session) as session:
        settings_store.set_thresholds(session, guard.actor(), current_user.id, limits)
    return reply(asdict(limits))


@blueprint.route("/visitors/retention", methods=["GET"])
@blueprint.response(200, RetentionForm)
def get_retention() -> Response:
    """For how many days what is known of people is kept; for administrators."""
    _for_administrators()
    return reply(dict(settings_store.retention(db.session.connection())))


@blueprint.route("/visitors/retention", methods=["PUT"])
@blueprint.arguments(RetentionForm)
@blueprint.response(200, RetentionForm)
def put_retention(values: dict[str, Any]) -> Response:
    """Keep it so long; applied within the hour."""
    _for_administrators()
    with writing(db.session) as session:
        settings_store.set_retention(session, guard.actor(), values)
    return reply(values)


def _for_administrators() -> None:
    if not current_user.is_admin:
        raise known_problem(403)

"""Choices of grouped live codes, for programs."""

from typing import Any

from flask import Response

from app.codes import choices, forms, store
from app.codes.schemas import ChoiceAnswer, ChoiceList, choice_answer
from app.codes.shared_api import IF_MATCH, ONCE, asker, blueprint, change, if_match, reply, seen, taken
from app.db import db, writing


def tell(choice_id: int, status: int = 200) -> Response:
    row = seen(choices.find_choice(db.session, asker(), choice_id))
    return reply(choice_answer(row), status, etag=str(row.version))


@blueprint.route("/live-codes/<int:live_code_id>/choices", methods=["POST"])
@blueprint.arguments(forms.ChoiceForm)
@blueprint.response(201, ChoiceAnswer)
@blueprint.doc(parameters=[ONCE])
def create_choice(values: dict[str, Any], live_code_id: int) -> Response:
    """Add a choice to a grouped live code, last unless a position is given."""
    return change(lambda session: choices.add_choice(session, asker(), live_code_id, values), tell, 201)


@blueprint.route("/live-codes/<int:live_code_id>/choices", methods=["GET"])
@blueprint.response(200, ChoiceList)
def list_choices(live_code_id: int) -> Response:
    """The choices as the page asks them, in order."""
    seen(store.find_live_code(db.session, asker(), live_code_id))
    return reply({"items": [choice_answer(row) for row in choices.choices_of(db.session, live_code_id)]})


@blueprint.route("/choices/<int:choice_id>", methods=["GET"])
@blueprint.response(200, ChoiceAnswer)
def get_choice(choice_id: int) -> Response:
    """One choice."""
    return tell(choice_id)


@blueprint.route("/choices/<int:choice_id>", methods=["PATCH"])
@blueprint.arguments(forms.ChoicePatch(partial=True))
@blueprint.response(200, ChoiceAnswer)
@blueprint.doc(parameters=[IF_MATCH])
def change_choice(values: dict[str, Any], choice_id: int) -> Response:
    """Change what is named."""
    matched = if_match()
    version = matched[0] if matched else None
    return change(lambda session: choices.update_choice(session, asker(), choice_id, values, version=version), tell)


@blueprint.route("/choices/<int:choice_id>", methods=["DELETE"])
@blueprint.response(200, ChoiceAnswer)
def archive_choice(choice_id: int) -> Response:
    """Take the choice off the page; its members are archived with it."""
    with writing(db.session) as session:
        row = taken(choices.archive_choice(session, asker(), choice_id))
        body = choice_answer(row)
    return reply(body)

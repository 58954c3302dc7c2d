"""Placements for programs: where a live code hangs, and the code to print for it."""

from typing import Any

import marshmallow as ma
from flask import Response

from app.codes import forms, placements, store
from app.codes.schemas import PlacementAnswer, PlacementList, placement_answer
from app.codes.shared_api import IF_MATCH, ONCE, asker, blueprint, change, desk, if_match, reply, seen
from app.db import db
from app.web.fields import Flag


class PlacementQuery(ma.Schema):
    archived = Flag(text=True, load_default=False, metadata={"description": "The archived ones instead."})


def tell(placement_id: int, status: int = 200) -> Response:
    row = seen(placements.find_placement(db.session, asker(), placement_id))
    return reply(placement_answer(desk(), row), status, etag=str(row.version))


@blueprint.route("/live-codes/<int:live_code_id>/placements", methods=["POST"])
@blueprint.arguments(forms.PlacementForm)
@blueprint.response(201, PlacementAnswer)
@blueprint.doc(parameters=[ONCE])
def create_placement(values: dict[str, Any], live_code_id: int) -> Response:
    """Name a place where the code hangs; its region beats what a phone's address says."""
    return change(lambda session: placements.add_placement(session, asker(), live_code_id, values), tell, 201)


@blueprint.route("/live-codes/<int:live_code_id>/placements", methods=["GET"])
@blueprint.arguments(PlacementQuery, location="query")
@blueprint.response(200, PlacementList)
def list_placements(query: dict[str, Any], live_code_id: int) -> Response:
    """The placements in the order they were made."""
    seen(store.find_live_code(db.session, asker(), live_code_id))
    rows = placements.placements_of(db.session, live_code_id, archived=query["archived"])
    return reply({"items": [placement_answer(desk(), row) for row in rows]})


@blueprint.route("/placements/<int:placement_id>", methods=["GET"])
@blueprint.response(200, PlacementAnswer)
def get_placement(placement_id: int) -> Response:
    """One placement, archived ones too."""
    return tell(placement_id)


@blueprint.route("/placements/<int:placement_id>", methods=["PATCH"])
@blueprint.arguments(forms.PlacementPatch(partial=True))
@blueprint.response(200, PlacementAnswer)
@blueprint.doc(parameters=[IF_MATCH])
def change_placement(values: dict[str, Any], placement_id: int) -> Response:
    """Change what is named; `archived: false` takes an archived placement back."""
    matched = if_match()
    version = matched[0] if matched else None
    return change(
        lambda session: placements.update_placement(session, asker(), placement_id, values, version=version), tell
    )


@blueprint.route("/placements/<int:placement_id>", methods=["DELETE"])
@blueprint.response(200, PlacementAnswer)
def archive_placement(placement_id: int) -> Response:
    """Archive: its region no longer counts; posters that still hang there go on working."""
    values = {"archived": True}
    return change(lambda session: placements.update_placement(session, asker(), placement_id, values), tell)

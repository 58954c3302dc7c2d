"""Visitors and tags for programs: listed, shown, tagged, exported, erased.

A marketer's token sees the people of the live codes that are that marketer's or shared with them, and erases them under
those they may change; an admin's sees and erases everywhere.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, cast

from flask import Response, current_app, request, stream_with_context
from flask_babel import gettext

from app.accounts import guard
from app.accounts.guard import current_user
from app.db import db, writing
from app.outside.sheets import xlsx_bytes
from app.people import export, filters, forms, settings_store, store, tag_store
from app.people.desk import DESK, Desk
from app.people.histories import HOUSE
from app.people.models import Visitor
from app.people.schemas import EventAnswer, TagAnswer, TagPage, VisitorAnswer, VisitorPage, VisitorWithEvents
from app.people.wanted import Wanted
from app.web.answers import ApiBlueprint
from app.web.answers import reply as reply
from app.web.errors import Problem, known_problem
from app.web.fields import PageQuery, page_of
from app.web.i18n import language
from app.web.openapi import PREFIX
from app.web.paging import envelope

EVENTS_SHOWN = 100
CSV = "text/csv; charset=utf-8"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
BINARY = {"schema": {"type": "string", "format": "binary"}}
FILE = {"description": "The file.", "content": {kind: BINARY for kind in ("text/csv", XLSX)}}


blueprint = ApiBlueprint("people_api", __name__, url_prefix=PREFIX, description="Visitors and their tags.")
guard.protect_api(blueprint, scope="visitors")


def desk() -> Desk:
    return cast(Desk, current_app.extensions[DESK])


def asker_id() -> int | None:
    """Through whose live codes people are seen; None: through everybody's."""
    return None if current_user.sees_all else current_user.id


def owner_id() -> int:
    """Whose identities, orders and settings somebody's are: the installation's for those who see all."""
    return HOUSE if current_user.sees_all else current_user.id


def context() -> filters.Context:
    """What filters are read with, as of this request."""
    limits = settings_store.thresholds(db.session, current_user.id)
    return filters.Context(datetime.now(UTC), desk().zone, language(), desk().digest, limits)


def wanted(query: Mapping[str, Any]) -> Wanted:
    """The visitors a loaded `Filter` asks for."""
    return filters.read({**request.args, "region": query.get("region")}, context()).wanted


def find(visitor_id: int) -> Visitor:
    """The visitor, or 404: also for those only others know."""
    visitor = store.find_visitor(db.session, asker_id(), visitor_id)
    if visitor is None:
        raise known_problem(404)
    return visitor


def events_of(visitor: Visitor) -> Any:
    """The newest events of a visitor, as far as the asker may know them."""
    asker = asker_id()
    places = None if asker is None else store.live_codes_of(db.session, asker, visitor.id)
    return desk().timeline(db.session.connection(), visitor.key, places, EVENTS_SHOWN)


def _tell(visitor_id: int, status: int = 200) -> Response:
    visitor = find(visitor_id)
    people = store.people(db.session, asker_id(), [visitor])
    if not people:
        raise known_problem(404)
    events = EventAnswer(many=True).dump(events_of(visitor))
    return reply({**VisitorAnswer().dump(people[0]), "events": events}, status)


@blueprint.route("/visitors", methods=["GET"])
@blueprint.arguments(forms.Filter, location="query")
@blueprint.response(200, VisitorPage)
def list_visitors(query: dict[str, Any]) -> Response:
    """List visitors, the most recent first."""
    page = page_of(query)
    people, total = store.list_visitors(db.session, asker_id(), wanted(query), page.limit, page.offset)
    return reply(envelope(VisitorAnswer(many=True).dump(people), page, total))


@blueprint.route("/visitors/<int:visitor_id>", methods=["GET"])
@blueprint.response(200, VisitorWithEvents)
def get_visitor(visitor_id: int) -> Response:
    """One visitor, with what they did last."""
    return _tell(visitor_id)


@blueprint.route("/visitors/<int:visitor_id>", methods=["DELETE"])
@blueprint.response(204)
def erase_visitor(visitor_id: int) -> Response:
    """Erase a person's data: under your own live codes, as an administrator everywhere. Counts stay."""
    erase(visitor_id)
    return Response(status=204)


def erase(visitor_id: int) -> None:
    visitor, asker = find(visitor_id), asker_id()
    places = None if asker is None else store.live_codes_of(db.session, asker, visitor.id, to_change=True)
    if places == []:
        raise known_problem(403)
    desk().eraser.erase(db.session, guard.actor(), visitor.key, places)


@blueprint.route("/visitors/<int:visitor_id>/tags", methods=["POST"])
@blueprint.arguments(forms.GiveTagForm)
@blueprint.response(200, VisitorWithEvents)
def give_tag(values: dict[str, Any], visitor_id: int) -> Response:
    """Give a tag by hand; a name that is new makes one."""
    visitor = find(visitor_id)
    places = store.live_codes_of(db.session, asker_id(), visitor.id, to_change=True)
    if not places:
        raise known_problem(403)
    place = values.get("live_code_id", places[0])
    if place not in places:
        raise Problem(
            422, "invalid", known_problem(422).message, {"live_code_id": [gettext("The visitor was never there.")]}
        )
    with writing(db.session) as session:
        tag = tag_store.find_tag(session, values["tag"], values.get("category"))
        category = values.get("category", forms.CATEGORY_BY_HAND)
        tag_id = tag.id if tag is not None else tag_store.make_tag(session, values["tag"], category)
        tag_store.give_tag(session, visitor_id, tag_id, place, desk().tell_tagged)
    return _tell(visitor_id)


@blueprint.route("/visitors/<int:visitor_id>/tags", methods=["DELETE"])
@blueprint.arguments(forms.TakeTagForm)
@blueprint.response(200, VisitorWithEvents)
def take_tag(values: dict[str, Any], visitor_id: int) -> Response:
    """Take a tag off."""
    visitor = find(visitor_id)
    if not store.live_codes_of(db.session, asker_id(), visitor.id, to_change=True):
        raise known_problem(403)
    with writing(db.session) as session:
        tag_store.take_tag(session, asker_id(), visitor_id, values["tag"])
    return _tell(visitor_id)


@blueprint.route("/visitors/export", methods=["GET"])
@blueprint.arguments(forms.ExportQuery, location="query")
@blueprint.doc(responses={"200": FILE})
def export_visitors(query: dict[str, Any]) -> Response:
    """All of them as a file, in pieces while it is made."""
    return exported(wanted(query), query["format"])


def exported(whom: Wanted, kind: str) -> Response:
    """These visitors as a file, in the reader's language."""
    zone = desk().zone
    name = f"visitors-{datetime.now(zone).date()}.{kind}"
    header = [str(forms.COLUMN_WORDS[column]) for column in export.COLUMNS]
    rows = export.rows(db.session, asker_id(), whom, language())
    pieces = (export.csv_bytes if kind == "csv" else xlsx_bytes)(header, rows, zone)
    response = Response(stream_with_context(pieces), content_type=CSV if kind == "csv" else XLSX)
    response.headers.set("Content-Disposition", "attachment", filename=name)
    response.headers["Cache-Control"] = "no-store"
    return response


@blueprint.route("/tags", methods=["GET"])
@blueprint.arguments(PageQuery, location="query")
@blueprint.response(200, TagPage)
def list_tags(query: dict[str, Any]) -> Response:
    """List tags, the most used first. The words are shared by all; the people behind them are not."""
    page = page_of(query)
    tags, total = tag_store.list_tags(db.session, asker_id(), page.limit, page.offset)
    return reply(envelope(TagAnswer(many=True).dump(tags), page, total))


@blueprint.route("/tags", methods=["POST"])
@blueprint.arguments(forms.TagForm)
@blueprint.response(201, TagAnswer)
@blueprint.alt_response(200, schema=TagAnswer, description="There is one of this name and category already.")
def make_tag(values: dict[str, Any]) -> Response:
    """Make a tag; one that is there already is answered as it is."""
    with writing(db.session) as session:
        known = tag_store.find_tag(session, values["name"], values["category"])
        tag_id = known.id if known is not None else tag_store.make_tag(session, values["name"], values["category"])
    return reply({"id": tag_id, **values}, 200 if known is not None else 201)

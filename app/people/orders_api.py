"""Orders and external ids for programs, and what the pages do with them, too. Hangs its routes on `api.blueprint`."""

from collections.abc import Sequence
from datetime import UTC, datetime
from io import BytesIO
from itertools import islice
from typing import IO, Any

from flask import Response, request
from flask_babel import gettext

from app.accounts import guard
from app.db import db, writing
from app.people import forms, orders, store, wording
from app.people.api import asker_id, blueprint, desk, find, owner_id, reply
from app.people.identities import key_of
from app.people.lines import Problem as LineProblem
from app.people.lines import Reading
from app.people.models import Visitor
from app.people.order_files import judge
from app.people.order_files import orders as read_orders
from app.people.orders import Bought, Called
from app.people.schemas import OrderAnswer, OrderPage, OrdersAnswer, PersonalAnswer
from app.web.errors import Problem, known_problem

AT_ONCE = 1000


def called(kind: str, value: str) -> Called:
    """What somebody is called, or 422."""
    key = key_of(kind, value, desk().digest)
    if key is None:
        raise Problem(422, "invalid", known_problem(422).message, {"value": [gettext("This cannot be used.")]})
    return Called(kind, key)


def may_know(ids: Sequence[int]) -> set[int]:
    """Those of these visitors the asker may know."""
    return set(store.known_ids(db.session, asker_id(), ids))


def name_visitor(visitor_id: int, kind: str, value: str) -> int:
    """Notes an external id; whoever is called so already turns out to be the same person. The visitor's number then."""
    find(visitor_id)
    what, now = called(kind, value), datetime.now(UTC)
    if not store.live_codes_of(db.session, asker_id(), visitor_id, to_change=True):
        raise known_problem(403)
    with writing(db.session) as session:
        other = orders.name(session, owner_id(), visitor_id, what, now)
    if other is None:
        return visitor_id
    if not may_join(visitor_id, other):
        message = gettext("Somebody else is called so already, whom others know, too. Ask an administrator.")
        raise Problem(409, "known_elsewhere", message)
    return join(visitor_id, other, now)[0]


def may_join(one_id: int, other_id: int) -> bool:
    """Whether these people may be made one: the asker's alone."""
    session, asker, ids = db.session, asker_id(), (one_id, other_id)
    are_known = len(set(store.known_ids(session, asker, ids))) == len(ids)
    return are_known and all(store.is_wholly_changeable(session, asker, each) for each in ids)


def join(one_id: int, other_id: int, now: datetime) -> tuple[int, int]:
    """Makes one of two, who may be: whose number stays, and whose goes. Who came first stays."""
    rows = [row for row in (db.session.get(Visitor, each) for each in (one_id, other_id)) if row is not None]
    if len(rows) < 2:  # erased meanwhile
        return one_id, other_id
    stays_id, goes_id = [row.id for row in sorted(rows, key=lambda row: (row.first_seen_at, row.id))]
    desk().joiner.join(db.session, guard.actor(), stays_id, goes_id, now)
    return stays_id, goes_id


def import_file(file: IO[bytes]) -> tuple[int, int, list[LineProblem]]:
    """How many orders a file holds, how many of them were new, and what is wrong with it; then nothing was written."""
    reading = Reading(desk().zone, desk().digest, may_know)
    number, problems = judge(file, reading)
    if problems:
        return number, 0, problems
    fresh, now = 0, datetime.now(UTC)
    with writing(db.session) as session:
        found = read_orders(file, reading)
        while part := list(islice(found, AT_ONCE)):
            fresh += orders.take_orders(session, owner_id(), part, now)
    return number, fresh, []


def _personal(visitor_id: int) -> Response:
    found = orders.identities_of(db.session, asker_id(), visitor_id)
    bought = orders.orders_of(db.session, asker_id(), visitor_id, 100)
    return reply({"id": visitor_id, **PersonalAnswer().dump({"external_ids": found, "orders": bought})})


@blueprint.route("/visitors/<int:visitor_id>/external-ids", methods=["GET"])
@blueprint.response(200, PersonalAnswer)
def get_external_ids(visitor_id: int) -> Response:
    """What other programs call a visitor, and what they bought. Of a phone number there is a keyed digest only."""
    find(visitor_id)
    return _personal(visitor_id)


@blueprint.route("/visitors/<int:visitor_id>/external-ids", methods=["POST"])
@blueprint.arguments(forms.CalledForm)
@blueprint.response(200, PersonalAnswer)
def add_external_id(values: dict[str, Any], visitor_id: int) -> Response:
    """Note an openid, external_userid or phone. Orders that waited for it find their visitor; two visitors who are
    called the same become one, the answer's `id`."""
    return _personal(name_visitor(visitor_id, values["kind"], values["value"]))


@blueprint.route("/visitors/<int:visitor_id>/external-ids", methods=["DELETE"])
@blueprint.arguments(forms.CalledForm)
@blueprint.response(200, PersonalAnswer)
def drop_external_id(values: dict[str, Any], visitor_id: int) -> Response:
    """Forget what a visitor is called; what they bought stays theirs."""
    find(visitor_id)
    with writing(db.session) as session:
        orders.unname(session, owner_id(), visitor_id, called(values["kind"], values["value"]))
    return _personal(visitor_id)


@blueprint.route("/orders", methods=["POST"])
@blueprint.arguments(forms.OrdersForm)
@blueprint.response(200, OrdersAnswer)
def take_orders(values: dict[str, Any]) -> Response:
    """Hand in orders, at most 500. One whose `order_id` is known is written anew, never twice."""
    found = [_bought(one) for one in values["orders"]]
    unknown = {one.visitor_id for one in found if one.visitor_id} - may_know([one.visitor_id or 0 for one in found])
    if unknown:
        problem = {"orders": [gettext("There is no such visitor.") + f" {sorted(unknown)[:5]}"]}
        raise Problem(422, "invalid", known_problem(422).message, problem)
    with writing(db.session) as session:
        fresh = orders.take_orders(session, owner_id(), found, datetime.now(UTC))
    return reply({"orders": len(found), "new": fresh, "problems": []})


def _bought(one: dict[str, Any]) -> Bought:
    what = called(one["kind"], one["value"]) if one.get("kind") and one.get("value") else None
    return Bought(
        one["order_id"], one["amount_cents"], one["currency"], one["product"], one["at"], one["visitor_id"], what
    )


@blueprint.route("/orders/import", methods=["POST"])
@blueprint.response(200, OrdersAnswer)
@blueprint.alt_response(422, schema=OrdersAnswer, description="Nothing was written; each line that is wrong is listed.")
def import_orders() -> Response:
    """Hand in orders as a CSV file (multipart `file`, or the body itself): all of it, or nothing if a line is wrong."""
    sent = request.files.get("file")
    with sent.stream if sent is not None else BytesIO(request.get_data()) as file:
        number, fresh, problems = import_file(file)
    told = [{"line": one.line, "column": one.column, "message": wording.line_problem(one)} for one in problems]
    return reply({"orders": number, "new": fresh, "problems": told}, 422 if problems else 200)


@blueprint.route("/orders", methods=["GET"])
@blueprint.arguments(forms.OrdersQuery, location="query")
@blueprint.response(200, OrderPage)
def list_orders(query: dict[str, Any]) -> Response:
    """The newest orders of a visitor, a hundred of them."""
    find(query["visitor_id"])
    found = orders.orders_of(db.session, asker_id(), query["visitor_id"], 100)
    return reply({"items": OrderAnswer(many=True).dump(found)})

"""What the API answers with: the shapes its OpenAPI document shows, and people put into them."""

from typing import Any

import marshmallow as ma

from app.people.models import CATEGORIES
from app.people.store import Person
from app.web.fields import Moment, Word


class GivenAnswer(ma.Schema):
    name = ma.fields.String()
    category = Word(*CATEGORIES)
    live_code_id = ma.fields.Integer()
    at = Moment()


class UnderAnswer(ma.Schema):
    live_code_id = ma.fields.Integer()
    name = ma.fields.String()
    choice_id = ma.fields.Integer(allow_none=True)
    choice = ma.fields.String(allow_none=True)
    member_id = ma.fields.Integer(allow_none=True, metadata={"description": "The member shown last."})
    member = ma.fields.String(allow_none=True)
    placement = ma.fields.String(allow_none=True, metadata={"description": "Where their first scan came from."})
    region = ma.fields.String(allow_none=True)
    first_at = Moment()
    last_at = Moment()
    scans = ma.fields.Integer()
    pressed = ma.fields.Integer()
    stuck = ma.fields.Integer()


class VisitorAnswer(ma.Schema):
    id = ma.fields.Integer()
    region = ma.fields.String(allow_none=True, metadata={"example": "CN/CN-GD/440100"})
    device = ma.fields.String(allow_none=True)
    app = ma.fields.String(allow_none=True)
    language = ma.fields.String(allow_none=True)
    first_seen_at = Moment()
    last_seen_at = Moment()
    scans = ma.fields.Integer()
    pressed = ma.fields.Integer()
    stuck = ma.fields.Integer()
    tags = ma.fields.List(ma.fields.Nested(GivenAnswer))
    live_codes = ma.fields.List(ma.fields.Nested(UnderAnswer), attribute="under")


class EventAnswer(ma.Schema):
    at = Moment()
    type = ma.fields.String()
    live_code_id = ma.fields.Integer()
    outcome = ma.fields.String(allow_none=True)
    member_id = ma.fields.Integer(allow_none=True)
    choice_id = ma.fields.Integer(allow_none=True)
    placement = ma.fields.String(allow_none=True)
    region = ma.fields.String(allow_none=True)
    reason = ma.fields.String(allow_none=True)


class VisitorWithEvents(VisitorAnswer):
    events = ma.fields.List(ma.fields.Nested(EventAnswer), metadata={"description": "The newest ones first."})


class VisitorPage(ma.Schema):
    items = ma.fields.List(ma.fields.Nested(VisitorAnswer))
    page = ma.fields.Integer()
    per_page = ma.fields.Integer()
    total = ma.fields.Integer()


class TagAnswer(ma.Schema):
    id = ma.fields.Integer()
    name = ma.fields.String()
    category = Word(*CATEGORIES)
    visitors = ma.fields.Integer(metadata={"description": "How many of the visitors you may see carry it."})


class TagPage(ma.Schema):
    items = ma.fields.List(ma.fields.Nested(TagAnswer))
    page = ma.fields.Integer()
    per_page = ma.fields.Integer()
    total = ma.fields.Integer()


class TaskAnswer(ma.Schema):
    id = ma.fields.Integer()
    kind = Word("csv", "xlsx", "tag", "untag")
    state = Word(
        "waiting", "running", "done", "failed", "void",
        metadata={"description": "void: somebody in the file was erased, so it was deleted."},
    )  # fmt: skip
    done_rows = ma.fields.Integer()
    total = ma.fields.Integer(allow_none=True)
    size_bytes = ma.fields.Integer(allow_none=True)
    made_at = Moment()
    finished_at = Moment(allow_none=True)


class TaskPage(ma.Schema):
    items = ma.fields.List(ma.fields.Nested(TaskAnswer))


class SegmentAnswer(ma.Schema):
    id = ma.fields.Integer()
    name = ma.fields.String()
    filter = ma.fields.Dict(keys=ma.fields.String(), values=ma.fields.String())


class SegmentPage(ma.Schema):
    items = ma.fields.List(ma.fields.Nested(SegmentAnswer))


class SegmentWithCount(SegmentAnswer):
    visitors = ma.fields.Integer(metadata={"description": "How many it finds now."})


class ConditionAnswer(ma.Schema):
    fact = ma.fields.String()
    comparison = ma.fields.String()
    number = ma.fields.Integer()
    word = ma.fields.String()
    days = ma.fields.Integer(allow_none=True)


class RuleAnswer(ma.Schema):
    id = ma.fields.Integer()
    name = ma.fields.String()
    tag = ma.fields.String()
    category = Word(*CATEGORIES)
    live_code_id = ma.fields.Integer(allow_none=True, metadata={"description": "Only there; all of yours if null."})
    conditions = ma.fields.List(ma.fields.Nested(ConditionAnswer))
    keeps = ma.fields.Boolean(metadata={"description": "Whether the tag stays on when it no longer fits."})
    is_active = ma.fields.Boolean()
    visitors = ma.fields.Integer(metadata={"description": "How many carry the tag through this rule."})
    is_settled = ma.fields.Boolean(metadata={"description": "Whether everybody was asked since it changed."})
    version = ma.fields.Integer(metadata={"description": "For If-Match."})


class RulePage(ma.Schema):
    items = ma.fields.List(ma.fields.Nested(RuleAnswer))


class TriedAnswer(ma.Schema):
    tagged = ma.fields.Integer()
    judged = ma.fields.Integer()
    people = ma.fields.Integer(metadata={"description": "How many the rule sees."})
    is_estimate = ma.fields.Boolean(metadata={"description": "Of more than 5,000 people, some are judged."})


class IdentityAnswer(ma.Schema):
    kind = ma.fields.String()
    value = ma.fields.String(attribute="key", metadata={"description": "Of a phone number, its keyed digest."})
    at = Moment()


class OrderAnswer(ma.Schema):
    order_id = ma.fields.String(attribute="number")
    visitor_id = ma.fields.Integer(allow_none=True)
    amount_cents = ma.fields.Integer()
    currency = ma.fields.String()
    product = ma.fields.String()
    at = Moment()


class OrderPage(ma.Schema):
    items = ma.fields.List(ma.fields.Nested(OrderAnswer))


class PersonalAnswer(ma.Schema):
    id = ma.fields.Integer()
    external_ids = ma.fields.List(ma.fields.Nested(IdentityAnswer))
    orders = ma.fields.List(ma.fields.Nested(OrderAnswer))


class OrderLineAnswer(ma.Schema):
    line = ma.fields.Integer(metadata={"description": "0: the file as a whole."})
    column = ma.fields.String()
    message = ma.fields.String()


class OrdersAnswer(ma.Schema):
    orders = ma.fields.Integer()
    new = ma.fields.Integer()
    problems = ma.fields.List(ma.fields.Nested(OrderLineAnswer))


class PeopleFileAnswer(ma.Schema):
    lines = ma.fields.Integer()
    new = ma.fields.Integer(metadata={"description": "What was not there before."})
    joined = ma.fields.Integer(metadata={"description": "How many became one with somebody known already."})
    passed_over = ma.fields.Integer(
        attribute="unknown", data_key="unknown", metadata={"description": "Lines about nobody you know."}
    )
    problems = ma.fields.List(ma.fields.Nested(OrderLineAnswer))


def visitor_answer(person: Person) -> Any:
    return VisitorAnswer().dump(person)

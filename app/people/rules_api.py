"""Tag rules for programs: listed, made, tried out, changed, deleted. Hangs its routes on `api.blueprint`."""

from datetime import UTC, datetime
from typing import Any

from flask import Response
from flask_babel import gettext
from sqlalchemy.orm import Session

from app.accounts import guard
from app.accounts.guard import current_user
from app.db import db, writing
from app.people import rule_store
from app.people.api import asker_id, blueprint, desk
from app.people.histories import Scope
from app.people.models import TagRule
from app.people.rule_forms import CHANGEABLE, RuleForm, RulePatch, TryForm
from app.people.rule_store import Listed, Wish, version_of
from app.people.schemas import RuleAnswer, RulePage, TriedAnswer
from app.people.tag_rules import conditions_of
from app.web.answers import IF_MATCH, look_for_change, reply
from app.web.errors import Problem, known_problem


def _told(one: Listed) -> dict[str, Any]:
    rule = one.rule
    told = {
        "id": rule.id, "name": rule.name, "tag": one.tag, "category": one.category, "live_code_id": rule.live_code_id,
        "conditions": conditions_of(rule.conditions), "keeps": rule.keeps, "is_active": rule.state == "active",
        "visitors": one.carriers, "is_settled": rule.swept_to is None, "version": version_of(rule),
    }  # fmt: skip
    return dict(RuleAnswer().dump(told))


def _tell(rule_id: int, status: int = 200) -> Response:
    one = next(iter(rule_store.list_rules(db.session, asker_id(), rule_id)), None)
    if one is None:
        raise known_problem(404)
    return reply(_told(one), status, version_of(one.rule))


def _own(rule_id: int) -> TagRule:
    row = rule_store.find_rule(db.session, asker_id(), rule_id)
    if row is None:
        raise known_problem(404)
    return row


def _scope(live_code_id: int | None, user_id: int) -> Scope:
    scope = rule_store.scope_of_wish(db.session, asker_id(), user_id, live_code_id)
    if scope is None:
        wrong = [gettext("Choose one of your own live codes.")]
        raise Problem(422, "invalid", known_problem(422).message, {"live_code_id": wrong})
    return scope


def _look_for_room(session: Session, owner_id: int, rule_id: int | None = None) -> None:
    if not rule_store.has_room(session, owner_id, rule_id):
        message = gettext("At most %(most)s rules.", most=rule_store.MOST_RULES)
        raise Problem(409, "rule_limit", message)


@blueprint.route("/tag-rules", methods=["GET"])
@blueprint.response(200, RulePage)
def list_tag_rules() -> Response:
    """List tag rules, the newest first."""
    return reply({"items": [_told(one) for one in rule_store.list_rules(db.session, asker_id())]})


@blueprint.route("/tag-rules", methods=["POST"])
@blueprint.arguments(RuleForm)
@blueprint.response(201, RuleAnswer)
def make_tag_rule(values: dict[str, Any]) -> Response:
    """Make a rule; whoever fits gets its tag within a minute or so."""
    scope = _scope(values["live_code_id"], current_user.id)
    with writing(db.session) as session:
        _look_for_room(session, scope.owner_id)
        rule = rule_store.save_rule(session, guard.actor(), scope, Wish(**values), None, datetime.now(UTC))
        rule_id = rule.id
    return _tell(rule_id, 201)


@blueprint.route("/tag-rules/try", methods=["POST"])
@blueprint.arguments(TryForm)
@blueprint.response(200, TriedAnswer)
def try_tag_rule(values: dict[str, Any]) -> Response:
    """How many people a rule would tag now, before there is one."""
    scope = _scope(values["live_code_id"], current_user.id)
    tried = rule_store.try_out(db.session, scope, values["conditions"], datetime.now(UTC), desk().zone)
    return reply(TriedAnswer().dump(tried))


@blueprint.route("/tag-rules/<int:rule_id>", methods=["GET"])
@blueprint.response(200, RuleAnswer)
def get_tag_rule(rule_id: int) -> Response:
    """One rule, and how many carry its tag through it."""
    return _tell(rule_id)


@blueprint.route("/tag-rules/<int:rule_id>", methods=["PATCH"])
@blueprint.arguments(RulePatch(partial=CHANGEABLE))
@blueprint.response(200, RuleAnswer)
@blueprint.doc(parameters=[IF_MATCH])
def change_tag_rule(values: dict[str, Any], rule_id: int) -> Response:
    """Change what is named; everybody the rule sees is asked about anew."""
    with writing(db.session) as session:
        row = rule_store.lock_rule(session, asker_id(), rule_id)
        if row is None:
            raise known_problem(404)
        look_for_change(version_of(row))
        wish = rule_store.wish_of(session, row, values)
        scope = _scope(wish.live_code_id, row.owner_id)
        _look_for_room(session, scope.owner_id, row.id)
        rule_store.save_rule(session, guard.actor(), scope, wish, row, datetime.now(UTC))
    return _tell(rule_id)


@blueprint.route("/tag-rules/<int:rule_id>", methods=["DELETE"])
@blueprint.response(204)
def delete_tag_rule(rule_id: int) -> Response:
    """Delete a rule; the tags it gave are taken off."""
    with writing(db.session) as session:
        rule_store.drop_rule(session, guard.actor(), _own(rule_id), datetime.now(UTC))
    return Response(status=204)

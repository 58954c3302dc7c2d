"""Tag rules in the panel: listed, written in a form that works without scripts, tried out before they are saved."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import marshmallow as ma
from flask import abort, redirect, render_template, request, url_for
from flask_babel import gettext, lazy_gettext
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from app.accounts.guard import actor, current_user
from app.db import db, writing
from app.people import forms, rule_store, store, tag_store, wording
from app.people.api import asker_id, desk
from app.people.histories import Scope
from app.people.models import CATEGORIES, Tag, TagRule
from app.people.rule_forms import Read, Row, read_rows
from app.people.rule_store import Wish
from app.people.shell import blueprint
from app.people.tag_rules import conditions_of
from app.rules import regions
from app.rules.tagging import FACTS, MOST_CONDITIONS
from app.web.conflicts import Differences, differences, form_version, is_stale
from app.web.fields import Id, Text
from app.web.i18n import language
from app.web.toast import say

LIVE_CODES_OFFERED = 300
TAGS_OFFERED = 200
# Rules many want, to begin with.
EXAMPLES: Mapping[str, tuple[Any, tuple[Row, ...]]] = {
    "hesitates": (
        wording.EXAMPLE_TAGS["hesitates"],
        (Row("scans", "at_least", "3", "7"), Row("presses", "at_most", "0")),
    ),
    "returns": (wording.EXAMPLE_TAGS["returns"], (Row("scans", "at_least", "5", "30"),)),
    "night": (wording.EXAMPLE_TAGS["night"], (Row("night_scans", "at_least", "2"),)),
    "silent": (wording.EXAMPLE_TAGS["silent"], (Row("silent_days", "at_least", "30"),)),
    "spends": (wording.EXAMPLE_TAGS["spends"], (Row("amount", "at_least", "500"),)),
}
LABELS: Mapping[str, Any] = {
    "name": lazy_gettext("What is the rule called?"),
    "tag": lazy_gettext("Tag to give"),
    "category": lazy_gettext("Kind"),
    "live_code_id": lazy_gettext("Live code"),
    "conditions": lazy_gettext("All of this must hold"),
    "keeps": lazy_gettext("Leave the tag on when they no longer fit"),
    "is_active": lazy_gettext("The rule is at work"),
}


class _Words(ma.Schema):
    name = Text(100, blank=False, required=True)
    tag = Text(50, blank=False, required=True)
    live_code_id = Id(load_default=None, allow_none=True)


def _region(text: str) -> str | None:
    likely = regions.search(text, language(), limit=1) if text else []
    return regions.normalise(text) or (likely[0].key if likely else None)


@blueprint.get("/visitors/rules")
def rules() -> str:
    """Tag rules: what each says and how many carry its tag."""
    listed = rule_store.list_rules(db.session, asker_id())
    return render_template(
        "people/rules.html",
        rules=[(one, conditions_of(one.rule.conditions)) for one in listed],
        examples=wording.EXAMPLE_TAGS,
        is_full=rule_store.is_full(db.session, current_user.id),
    )


@blueprint.route("/visitors/rules/new", methods=["GET", "POST"])
def new_rule() -> Any:
    """A new rule."""
    if request.method == "POST":
        return _save(None)
    tag, rows = EXAMPLES.get(request.args.get("example", ""), ("", ()))
    typed = {"name": str(tag), "tag": str(tag), "category": forms.CATEGORY_BY_HAND, "is_active": "1"}
    return _form(None, typed, rows or (Row(),))


@blueprint.route("/visitors/rules/<int:rule_id>", methods=["GET", "POST"])
def rule(rule_id: int) -> Any:
    """One rule, to be changed."""
    row = _found(rule_id)
    if request.method == "POST":
        return _save(row)
    tag = db.session.get_one(Tag, row.tag_id)
    typed = {
        "name": row.name,
        "tag": tag.name,
        "category": tag.category,
        "live_code_id": str(row.live_code_id or ""),
        "keeps": "1" if row.keeps else "",
        "is_active": "1" if row.state == "active" else "",
    }
    rows = tuple(
        Row(one.fact, one.comparison, wording.value_words(one), str(one.days or ""))
        for one in conditions_of(row.conditions)
    )
    return _form(row, typed, rows)


@blueprint.post("/visitors/rules/<int:rule_id>/delete")
def delete_rule(rule_id: int) -> Response:
    """Deletes a rule; the tags it gave go with it."""
    _found(rule_id)
    with writing(db.session) as session:
        rule_store.drop_rule(session, actor(), _found(rule_id), datetime.now(UTC))
    say(gettext("The rule is deleted; its tags are being taken off."))
    return redirect(url_for("people.rules"), code=303)


def _found(rule_id: int) -> TagRule:
    row = rule_store.find_rule(db.session, asker_id(), rule_id)
    if row is None:
        abort(404)
    return row


def _typed() -> tuple[dict[str, str], tuple[Row, ...]]:
    names = ("name", "tag", "category", "live_code_id", "keeps", "is_active")
    typed = {name: request.form.get(name, "").strip()[:200] for name in names}
    parts = ("fact", "comparison", "value", "days")
    rows = tuple(
        Row(*(request.form.get(f"{part}-{number}", "").strip()[:200] for part in parts))
        for number in range(MOST_CONDITIONS)
        if f"fact-{number}" in request.form
    )
    return typed, tuple(row for row in rows if not row.is_empty) or (Row(),)


def _save(row: TagRule | None) -> Any:
    typed, rows = _typed()
    if request.form.get("more"):
        return _form(row, typed, (*rows, Row())[:MOST_CONDITIONS])
    read, errors = read_rows(rows, _region), dict[str, Any]()
    values: dict[str, Any] = {}
    try:
        words = {"name": typed["name"], "tag": typed["tag"]}
        if typed["live_code_id"]:
            words["live_code_id"] = Id.from_text(typed["live_code_id"])
        values = _Words().load(words)
    except ma.ValidationError as error:
        errors |= error.messages_dict
    scope = rule_store.scope_of_wish(
        db.session, asker_id(), row.owner_id if row else current_user.id, values.get("live_code_id")
    )
    if scope is None:
        errors["live_code_id"] = [gettext("Choose one of your own live codes.")]
    if request.form.get("try") and scope is not None and not read.problems:
        tried = rule_store.try_out(db.session, scope, read.conditions, datetime.now(UTC), desk().zone)
        return _form(row, typed, rows, tried=tried)
    if errors or read.problems or scope is None:
        return _form(row, typed, rows, errors=errors, read=read), 422
    return _write(row, scope, values, typed, rows, read)


def _write(
    row: TagRule | None, scope: Scope, values: dict[str, Any], typed: dict[str, str], rows: tuple[Row, ...], read: Read
) -> Any:
    wish = Wish(
        name=values["name"],
        tag=values["tag"],
        category=typed["category"] if typed["category"] in CATEGORIES else forms.CATEGORY_BY_HAND,
        conditions=read.conditions,
        live_code_id=values["live_code_id"],
        keeps=bool(typed["keeps"]),
        is_active=bool(typed["is_active"]),
    )
    rule_id = row.id if row is not None else None
    with writing(db.session) as session:
        again = rule_store.lock_rule(session, asker_id(), rule_id) if rule_id else None
        if rule_id and again is None:
            abort(404)
        theirs, has_room = None, True
        if again is not None and is_stale(rule_store.version_of(again)):
            theirs = _differences(session, wish, rule_store.wish_of(session, again, {}))
        elif has_room := rule_store.has_room(session, scope.owner_id, rule_id):
            rule_store.save_rule(session, actor(), scope, wish, again, datetime.now(UTC))
    if rule_id and theirs is not None:
        return _form(_found(rule_id), typed, rows, theirs=theirs), 409
    if not has_room:
        return _form(_found(rule_id) if rule_id else None, typed, rows, read=Read(problems={None: "many_rules"})), 422
    say(gettext("Saved. Whoever fits gets the tag within a minute or so."))
    return redirect(url_for("people.rules"), code=303)


def _differences(session: Session, mine: Wish, theirs: Wish) -> Differences:
    return differences(LABELS, _said(session, mine), _said(session, theirs), lambda _name, words: str(words))


def _version(row: TagRule | None) -> int | None:
    return rule_store.version_of(row) if row is not None else None


def _said(session: Session, wish: Wish) -> dict[str, Any]:
    """A rule in words, by the names of LABELS."""
    names = store.names_by_id(session, asker_id(), [wish.live_code_id] if wish.live_code_id else [])
    return {
        "name": wish.name,
        "tag": wish.tag,
        "category": wording.CATEGORIES[wish.category],
        "live_code_id": names.get(str(wish.live_code_id), gettext("All of mine")),
        "conditions": gettext(", ").join(wording.condition(one) for one in wish.conditions),
        "keeps": gettext("yes") if wish.keeps else gettext("no"),
        "is_active": gettext("yes") if wish.is_active else gettext("no"),
    }


def _form(
    row: TagRule | None, typed: Mapping[str, str], rows: tuple[Row, ...], *, errors: Mapping[str, Any] | None = None,
    read: Read | None = None, tried: rule_store.Tried | None = None, theirs: Differences | None = None,
) -> str:  # fmt: skip
    problems = {key: wording.RULE_PROBLEMS[problem] for key, problem in (read or Read()).problems.items()}
    return render_template(
        "people/rule.html",
        rule=row,
        typed=typed,
        rows=rows,
        errors=errors or {},
        problems=problems,
        tried=tried,
        theirs=theirs,
        version=_version(row) if theirs is not None or request.method == "GET" else form_version(),
        facts=[(key, wording.FACTS[key]) for key in FACTS],
        comparisons=list(wording.COMPARISONS.items()),
        categories=[(name, wording.CATEGORIES[name]) for name in CATEGORIES],
        live_codes=store.live_code_names(db.session, asker_id(), LIVE_CODES_OFFERED),
        tags=tag_store.list_tags(db.session, asker_id(), TAGS_OFFERED, 0)[0],
        may_have_more=len(rows) < MOST_CONDITIONS,
    )

"""Visitors in the panel: the list and its files, one person with what they did, tags.

Decides what stands in a row and what a filter may be made of; who may see whom is `store`'s.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import marshmallow as ma
from flask import abort, redirect, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response

from app.accounts.guard import current_user
from app.db import db, writing
from app.people import forms, rule_pages, rule_store, store, tag_store, wording  # noqa: F401
from app.people.api import asker_id, desk, erase, events_of, exported, find
from app.people.models import CATEGORIES
from app.people.shell import blueprint as blueprint
from app.people.store import Wanted
from app.rules import regions
from app.web.i18n import language
from app.web.paging import read_page
from app.web.partial import render
from app.web.toast import say

LIVE_CODES_OFFERED = 300
TAGS_OFFERED = 200


@dataclass(frozen=True, slots=True)
class Asked:
    """What the filter's form says, as typed, what it comes to, and what of it cannot be."""

    typed: Mapping[str, str]
    wanted: Wanted
    errors: Mapping[str, str]

    @property
    def arguments(self) -> dict[str, str]:
        return {name: text for name, text in self.typed.items() if text}


FIELDS = ("live_code_id", "choice_id", "tag", "region", "placement", "from", "to")


def _asked() -> Asked:
    typed = {name: request.args.get(name, "").strip()[:100] for name in FIELDS}
    query = {name: text for name, text in typed.items() if text and name not in ("region", "from", "to")}
    errors: dict[str, str] = {}
    try:
        values = forms.Filter().load(query)
    except ma.ValidationError as error:
        values = dict(error.valid_data or {})
        errors |= {name: gettext("This cannot be used.") for name in error.messages_dict}
    wanted: dict[str, Any] = {name: values[name] for name in Wanted.__dataclass_fields__ if name in values}
    for name, read in (("region", _region), ("from", _start), ("to", _end)):
        if not typed[name]:
            continue
        value = read(typed[name])
        if value is None:
            errors[name] = gettext("This cannot be used.")
        else:
            wanted[{"from": "since", "to": "until"}.get(name, name)] = value
    return Asked(typed, Wanted(**wanted), errors)


def _region(text: str) -> str | None:
    """The place somebody means: a key as our own links write it, else what people call it ("gd" is Guangdong, not
    Grenada)."""
    likely = [] if text.isupper() or "/" in text else regions.search(text, language(), limit=1)
    return likely[0].key if likely else regions.normalise(text)


def _start(text: str) -> datetime | None:
    day = _day(text)
    return datetime.combine(day, time.min, desk().zone) if day else None


def _end(text: str) -> datetime | None:
    day = _day(text)
    return datetime.combine(day + timedelta(days=1), time.min, desk().zone) if day else None


def _day(text: str) -> date | None:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if 2000 <= day.year < 2200 else None


@blueprint.get("/visitors")
def index() -> Response:
    """Who scanned: by live code, choice, tag, region, placement and period."""
    asked, page = _asked(), read_page(request.args)
    people, total = store.list_visitors(db.session, asker_id(), asked.wanted, page.limit, page.offset)
    live_code_id = asked.wanted.live_code_id
    return render(
        "people/index.html",
        "people/_list.html",
        asked=asked,
        paging=page,
        people=people,
        total=total,
        live_codes=store.live_code_names(db.session, asker_id(), LIVE_CODES_OFFERED),
        choices=store.choice_titles(db.session, asker_id(), live_code_id) if live_code_id else [],
        tags=tag_store.list_tags(db.session, asker_id(), TAGS_OFFERED, 0)[0],
    )


@blueprint.get("/visitors/export")
def export() -> Response:
    """The visitors of a filter as a file."""
    kind = request.args.get("format", "csv")
    asked = _asked()
    return exported(asked.wanted, kind if kind in forms.FORMATS else "csv")


@blueprint.get("/visitors/<int:visitor_id>")
def visitor(visitor_id: int) -> str | Response:
    """One visitor: what they use, where they were, what they did, their tags."""
    row = find(visitor_id)
    people = store.people(db.session, asker_id(), [row])
    if not people:
        return redirect(url_for("people.index"), code=303)
    events = events_of(row)
    may_change = current_user.can_write and bool(store.live_codes_of(db.session, asker_id(), row.id, to_change=True))
    names = store.names_of(db.session, events)
    explained = rule_store.explain(db.session, asker_id(), row, datetime.now(UTC), desk().zone)
    return render_template(
        "people/visitor.html",
        person=people[0],
        portrait=wording.portrait(people[0]),
        rules={rule.id: (rule, verdict) for rule, _tag, verdict in explained},
        may_change=may_change,
        events=[
            (event, wording.happening(event, names), names.live_codes.get(event.live_code_id, "")) for event in events
        ],
        tags=tag_store.list_tags(db.session, asker_id(), TAGS_OFFERED, 0)[0],
    )


@blueprint.post("/visitors/<int:visitor_id>/tags")
def give_tag(visitor_id: int) -> Response:
    """Gives a tag by hand, or takes one off."""
    row = find(visitor_id)
    try:
        values = forms.TakeTagForm().load({"tag": request.form.get("tag", "")})
    except ma.ValidationError:
        say(gettext("A tag is a word of at most 50 characters."), "danger")
        return _back(visitor_id)
    places = store.live_codes_of(db.session, asker_id(), row.id, to_change=True)
    if not places:
        abort(403)
    with writing(db.session) as session:
        if request.form.get("take"):
            tag_store.take_tag(session, asker_id(), visitor_id, values["tag"])
        else:
            tag = tag_store.find_tag(session, values["tag"], None)
            tag_id = tag.id if tag else tag_store.make_tag(session, values["tag"], forms.CATEGORY_BY_HAND)
            tag_store.give_tag(session, visitor_id, tag_id, places[0], desk().tell_tagged)
    return _back(visitor_id)


def _back(visitor_id: int) -> Response:
    return redirect(url_for("people.visitor", visitor_id=visitor_id), code=303)


@blueprint.post("/visitors/<int:visitor_id>/erase")
def erase_visitor(visitor_id: int) -> Response:
    """Erases a person: a marketer under their own live codes, an administrator everywhere."""
    erase(visitor_id)
    say(gettext("The visitor was erased. What was counted stays counted."))
    return redirect(url_for("people.index"), code=303)


@blueprint.route("/visitors/tags", methods=["GET", "POST"])
def tags() -> str | Response | tuple[str, int]:
    """All tags, how many carry them, and a form for a new one."""
    page = read_page(request.args)
    errors: dict[str, Any] = {}
    if request.method == "POST":
        try:
            values = forms.TagForm().load({name: request.form.get(name, "") for name in ("name", "category")})
        except ma.ValidationError as error:
            errors = error.messages_dict
        else:
            with writing(db.session) as session:
                if tag_store.find_tag(session, values["name"], values["category"]) is None:
                    tag_store.make_tag(session, values["name"], values["category"])
            say(gettext("The tag is there."))
            return redirect(url_for("people.tags"), code=303)
    found, total = tag_store.list_tags(db.session, asker_id(), page.limit, page.offset)
    shown = render_template(
        "people/tags.html",
        tags=found,
        total=total,
        paging=page,
        errors=errors,
        categories=[(name, wording.CATEGORIES[name], wording.CATEGORY_HINTS[name]) for name in CATEGORIES],
        default_category=forms.CATEGORY_BY_HAND,
    )
    return (shown, 422) if errors else shown

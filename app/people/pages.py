"""Visitors in the panel: the list and its files, one person with what they did, tags.

Decides what stands in a row and what a filter may be made of; who may see whom is `store`'s.
"""

from datetime import UTC, datetime
from typing import Any

import marshmallow as ma
from flask import abort, redirect, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response

from app.accounts.guard import current_user
from app.db import db, writing
from app.people import (  # noqa: F401
    filters,
    forms,
    import_pages,
    imports_api,
    order_pages,
    orders,
    orders_api,
    retention_pages,
    rule_pages,
    rule_store,
    rules_api,
    segment_pages,
    settings_api,
    store,
    tag_store,
    task_pages,
    tasks_api,
    wording,
)
from app.people.api import asker_id, context, desk, erase, events_of, exported, find
from app.people.models import CATEGORIES
from app.people.shell import blueprint as blueprint
from app.web.paging import read_page
from app.web.partial import render
from app.web.toast import say

LIVE_CODES_OFFERED = 300
TAGS_OFFERED = 200
ORDERS_SHOWN = 20


def asked() -> filters.Asked:
    """What the filter's form says."""
    return filters.read(request.args, context())


@blueprint.get("/visitors")
def index() -> Response:
    """Who scanned: by live code, choice, tag, region, placement and period."""
    wish, page = asked(), read_page(request.args)
    people, total = store.list_visitors(db.session, asker_id(), wish.wanted, page.limit, page.offset)
    live_code_id = wish.wanted.live_code_id
    return render(
        "people/index.html",
        "people/_list.html",
        asked=wish,
        stages=list(wording.STAGES.items()),
        rfm_classes=list(wording.RFM.items()),
        devices=list(wording.DEVICES.items()),
        apps=list(wording.APPS.items()),
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
    return exported(asked().wanted, kind if kind in forms.FORMATS else "csv")


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
        identities=orders.identities_of(db.session, asker_id(), row.id),
        orders=orders.orders_of(db.session, asker_id(), row.id, ORDERS_SHOWN),
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

"""Members for programs: bound from a picture or a link, changed, swapped, rolled back, counted, trusted."""

from typing import Any

import marshmallow as ma
from flask import Response
from flask_babel import gettext

from app.codes import forms, members, store, uploads, versions
from app.codes.cards import Card, card_of, cards_of
from app.codes.changes import Refused
from app.codes.schemas import MemberAnswer, MemberList, VersionList, member_answer, version_answer
from app.codes.shared_api import (
    IF_MATCH,
    ONCE,
    PICTURE,
    asker,
    blueprint,
    change,
    desk,
    if_match,
    invalid,
    or_picture,
    picture,
    problem,
    reply,
    seen,
)
from app.codes.versions import Bound
from app.db import db
from app.rules.coordinates import looks_swapped
from app.web.fields import Flag


class MemberQuery(ma.Schema):
    archived = Flag(text=True, load_default=False, metadata={"description": "The archived ones instead."})


def tell(member_id: int, status: int = 200, *, swapped: bool = False) -> Response:
    card = _card(member_id)
    return reply(
        member_answer(card, _warnings(card, swapped)), status, etag=f"{card.version.number}.{card.row.revision}"
    )


def tell_swapped(member_id: int, status: int = 200) -> Response:
    return tell(member_id, status, swapped=True)


def _card(member_id: int) -> Card:
    row = seen(members.find_member(db.session, asker(), member_id))
    return card_of(db.session, desk().ledger, row.live_code, row, desk().clock())


def _warnings(card: Card, swapped: bool) -> list[str]:
    """What succeeded and yet needs a second look."""
    row = card.row
    found = {
        "still_full": swapped and card.room == 0,
        "still_disabled": swapped and row.state == "disabled",
        "no_choice": row.live_code.kind == "grouped" and row.choice_id is None and not row.is_fallback,
        "position_looks_swapped": row.latitude is not None
        and row.longitude is not None
        and looks_swapped(row.latitude, row.longitude),
    }
    return [name for name, holds in found.items() if holds]


def _bound(values: dict[str, Any]) -> Bound:
    """What the call binds: its picture or its link, one of them. Before any transaction, because it takes its time."""
    data, link, pick = picture(), values.pop("target_url", None), values.pop("pick", None)
    if (data is None) == (not link):
        raise invalid(PICTURE, gettext("Send a picture of the code as the file “image”, or its link as target_url."))
    db.session.rollback()
    bound = (
        uploads.bind_link(desk().shelves, link) if data is None else uploads.bind_picture(desk().shelves, data, pick)
    )
    if isinstance(bound, Refused):
        raise problem(bound)
    return bound


@blueprint.route("/live-codes/<int:live_code_id>/members", methods=["POST"])
@blueprint.arguments(forms.MemberForm)
@blueprint.response(201, MemberAnswer)
@blueprint.doc(parameters=[ONCE], requestBody=or_picture("MemberForm"))
def create_member(values: dict[str, Any], live_code_id: int) -> Response:
    """Bind a code: a picture of it, or its link."""
    seen(store.find_live_code(db.session, asker(), live_code_id))
    now = desk().clock()
    if forms.in_the_past(values, "expires_at", now):
        raise invalid("expires_at", forms.PAST)
    bound, allow = _bound(values), values.pop("allow_duplicate", False)
    return change(
        lambda session: members.add_member(
            session, asker(), live_code_id, bound, values, now=now, allow_duplicate=allow
        ),
        tell,
        201,
    )


@blueprint.route("/live-codes/<int:live_code_id>/members", methods=["GET"])
@blueprint.arguments(MemberQuery, location="query")
@blueprint.response(200, MemberList)
def list_members(query: dict[str, Any], live_code_id: int) -> Response:
    """The members in order of position."""
    live_code = seen(store.find_live_code(db.session, asker(), live_code_id))
    cards = cards_of(db.session, desk().ledger, [live_code], desk().clock(), archived=query["archived"])[live_code_id]
    return reply({"items": [member_answer(card, _warnings(card, swapped=False)) for card in cards]})


@blueprint.route("/members/<int:member_id>", methods=["GET"])
@blueprint.response(200, MemberAnswer)
def get_member(member_id: int) -> Response:
    """One member, archived ones too."""
    return tell(member_id)


@blueprint.route("/members/<int:member_id>", methods=["PATCH"])
@blueprint.arguments(forms.MemberPatch(partial=True))
@blueprint.response(200, MemberAnswer)
@blueprint.doc(parameters=[IF_MATCH])
def change_member(values: dict[str, Any], member_id: int) -> Response:
    """Change what is named; an expiry in the past ends the current code now. A state takes an archived member back."""
    version, revision = if_match() or (None, None)
    allow, show = values.pop("allow_duplicate", False), values.pop("show", None)
    image = _image_to_show(member_id, show) if show is not None else None
    now = desk().clock()
    return change(
        lambda session: members.update_member(
            session,
            asker(),
            member_id,
            values,
            version=version,
            revision=revision,
            allow_duplicate=allow,
            image=image,
            now=now,
        ),
        tell,
    )


def _image_to_show(member_id: int, show: str) -> str:
    version = _card(member_id).version
    db.session.rollback()
    image = version.cut if show == "cut" else uploads.draw_again(desk().shelves, version)
    if image is None:
        raise invalid("show", gettext("This code cannot be shown in that way."))
    return image


@blueprint.route("/members/<int:member_id>", methods=["DELETE"])
@blueprint.response(200, MemberAnswer)
def archive_member(member_id: int) -> Response:
    """Archive: nobody new is sent there, who holds a seat is sent elsewhere."""
    seen(members.find_member(db.session, asker(), member_id))
    cards = {version.card for version in versions.versions_of(db.session, member_id) if version.card}
    response = change(lambda session: members.archive_member(session, asker(), member_id), tell)
    uploads.forget(db.session, desk().shelves, cards)
    return response


@blueprint.route("/members/<int:member_id>/versions", methods=["GET"])
@blueprint.response(200, VersionList)
def list_versions(member_id: int) -> Response:
    """Every code it ever showed, the newest first."""
    seen(members.find_member(db.session, asker(), member_id))
    return reply({"items": [version_answer(row) for row in versions.versions_of(db.session, member_id)]})


@blueprint.route("/members/<int:member_id>/swap", methods=["POST"])
@blueprint.arguments(forms.SwapForm)
@blueprint.response(200, MemberAnswer)
@blueprint.doc(parameters=[ONCE], requestBody=or_picture("SwapForm"))
def swap(values: dict[str, Any], member_id: int) -> Response:
    """Show another code from the next scan on: of the same group, or of a new one."""
    seen(members.find_member(db.session, asker(), member_id))
    now = desk().clock()
    if forms.in_the_past(values, "expires_at", now):
        raise invalid("expires_at", forms.PAST)
    bound, allow = _bound(values), values.pop("allow_duplicate")
    return change(
        lambda session: versions.swap(session, asker(), member_id, bound, values, now=now, allow_duplicate=allow),
        tell_swapped,
    )


@blueprint.route("/members/<int:member_id>/rollback", methods=["POST"])
@blueprint.arguments(forms.RollbackForm)
@blueprint.response(200, MemberAnswer)
@blueprint.doc(parameters=[ONCE])
def rollback(values: dict[str, Any], member_id: int) -> Response:
    """Point back to an earlier version, with all that it owned."""
    return change(lambda session: versions.rollback(session, asker(), member_id, values["version"]), tell)


@blueprint.route("/members/<int:member_id>/headcount", methods=["POST"])
@blueprint.arguments(forms.HeadcountForm)
@blueprint.response(200, MemberAnswer)
@blueprint.doc(parameters=[ONCE])
def take_headcount(values: dict[str, Any], member_id: int) -> Response:
    """So many people are in the group now; counting goes on from there."""
    now = desk().clock()
    return change(lambda session: versions.take_headcount(session, asker(), member_id, values["count"], now=now), tell)


@blueprint.route("/members/<int:member_id>/trust", methods=["POST"])
@blueprint.response(200, MemberAnswer)
@blueprint.doc(parameters=[ONCE])
def trust(member_id: int) -> Response:
    """Clear `suspect`: somebody looked, and people can get in."""
    now = desk().clock()
    return change(lambda session: versions.trust(session, asker(), member_id, now=now), tell)

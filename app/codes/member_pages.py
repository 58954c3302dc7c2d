"""The members of one live code: the grid, and one member's own page.

Handing in new pictures is in `upload_pages`, swapping one in `swap_pages`; what one button changes is in
`member_state_pages` and `headcount_pages`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from flask import Response, abort, make_response, render_template, request, url_for
from flask_babel import gettext, lazy_gettext

from app.codes import forms, members, panel_forms, places_pages, uploads, versions, wording
from app.codes.cards import Card, card_of, cards_of, overview
from app.codes.changes import STALE, Refused
from app.codes.choices import choices_of
from app.codes.models import Choice, LiveCode, Member
from app.codes.shell import (
    Answer,
    asker,
    back,
    blueprint,
    changed,
    compared,
    desk,
    found,
    found_member,
    now,
    to,
)
from app.db import db
from app.rules.coordinates import looks_swapped
from app.web.toast import say

LABELS: Mapping[str, Any] = {
    "label": lazy_gettext("Name for yourselves"),
    "public_name": lazy_gettext("Name scanners read"),
    "owner": lazy_gettext("Who looks after it"),
    "notes": lazy_gettext("Notes"),
    "capacity": lazy_gettext("At most, in all"),
    "daily_capacity": lazy_gettext("At most, a day"),
    "weight": lazy_gettext("Weight"),
    "state": lazy_gettext("In use?"),
    "is_fallback": lazy_gettext("Fallback code"),
    "valid_from": lazy_gettext("Not before"),
    "windows": lazy_gettext("Opening times"),
    "regions": lazy_gettext("Places"),
    "latitude": lazy_gettext("Latitude"),
    "longitude": lazy_gettext("Longitude"),
}
PRESETS = {
    "office_hours": {"days": [1, 2, 3, 4, 5], "from": "09:00", "to": "18:00"},
    "daytime": {"days": [1, 2, 3, 4, 5, 6, 7], "from": "08:00", "to": "22:00"},
}
BLANK = {"days": [], "from": "", "to": ""}
KEPT_SECONDS = 3600


@blueprint.get("/codes/<int:live_code_id>")
def show(live_code_id: int) -> Answer:
    return members_page(found(live_code_id))


def members_page(live_code: LiveCode, **more: Any) -> str:
    at, ledger = now(), desk().ledger
    cards = cards_of(db.session, ledger, [live_code], at)[live_code.id]
    archived = cards_of(db.session, ledger, [live_code], at, archived=True)[live_code.id]
    choices = choices_of(db.session, live_code.id)
    return render_template(
        "codes/members.html",
        live_code=live_code,
        cards=cards,
        archived=archived,
        choices=choices,
        sections=_sections(live_code, choices, cards),
        overview=overview(cards),
        groups=[card for card in cards if card.fact.is_group],
        has_cards=any(card.version.card for card in cards),
        cut=request.args.get("look") == "card",
        is_new=request.args.get("new") == "1",
        **more,
    )


def _sections(
    live_code: LiveCode, choices: Sequence[Choice], cards: Sequence[Card]
) -> list[tuple[Choice | None, list[Card]]]:
    """The cards by choice, those of no choice first; one section where nobody chooses."""
    if live_code.kind != "grouped" and not choices:
        return [(None, list(cards))]
    free = [card for card in cards if card.row.choice_id is None]
    by_choice = [(choice, [card for card in cards if card.row.choice_id == choice.id]) for choice in choices]
    return ([(None, free)] if free else []) + list(by_choice)


@blueprint.route("/members/<int:member_id>", methods=["GET", "POST"])
def member(member_id: int) -> Answer:
    row = found_member(member_id)
    if request.method == "GET":
        return _form(row, _stored(row))
    typed, errors = _typed(row)
    if "do" in request.form:
        return _form(row, _helped(typed, request.form["do"]), revision=_revision())
    if errors:
        return _form(row, typed, errors, gettext("Please look at the marked fields."), revision=_revision()), 422
    return _save(row, typed)


def _save(row: Member, typed: dict[str, Any]) -> Answer:
    member_id, live_code_id = row.id, row.live_code_id
    values = dict(typed["values"])
    result = changed(lambda: members.update_member(db.session, asker(), member_id, values, revision=_revision()))
    if result == STALE:
        fresh = found_member(member_id)
        theirs = compared(LABELS, values, fresh)
        return _form(fresh, typed, theirs=theirs), 409
    if isinstance(result, Refused):
        return _form(found_member(member_id), typed, _under(result), wording.refusal(result)), 422
    say(gettext("Saved. It counts from the next scan."))
    if (
        "latitude" in values
        and values["latitude"] is not None
        and looks_swapped(values["latitude"], values["longitude"])
    ):
        say(gettext("This position looks swapped: latitude comes first. Look at it again."), "warning")
    return to("codes.show", anchor=f"member-{member_id}", live_code_id=live_code_id)


def _under(refused: Refused) -> dict[str, list[str]]:
    return {name: [str(forms.REASONS.get(why, wording.refusal(refused)))] for name, why in refused.fields.items()}


def _revision() -> int:
    typed = request.form.get("revision", "")
    return int(typed) if typed.isdecimal() and len(typed) < 10 else 0


def _stored(row: Member) -> dict[str, Any]:
    """The row as the form shows it."""
    version, _ = versions.current_versions(db.session, [row])[row.id]
    plain = {name: getattr(row, name) for name in forms.MemberPatch().fields if hasattr(row, name)}
    zone = desk().zone
    return plain | {
        "valid_from": panel_forms.local_input(row.valid_from, zone),
        "expiry": panel_forms.NEVER if version.expires_at is None else panel_forms.OTHER,
        "expires_at": panel_forms.local_input(version.expires_at, zone),
        "choice_id": row.choice_id or "",
        "coordinates": "wgs84",
        "windows": list(row.windows),
        "regions": list(row.regions),
    }


def _typed(row: Member) -> tuple[dict[str, Any], dict[str, list[str]]]:
    """What was typed, as the form shows it again, with the checked `values` in it; and what is wrong."""
    form, zone = request.form, desk().zone
    version, _ = versions.current_versions(db.session, [row])[row.id]
    more: dict[str, Any] = {
        "windows": panel_forms.windows_of_form(form),
        "regions": panel_forms.regions_of_form(form),
        "is_fallback": "is_fallback" in form,
        **panel_forms.expiry_of_form(form, now(), zone),
    }
    raw = panel_forms.read(forms.MemberPatch(), form, zone=zone, more=more)
    if form.get("expiry") == panel_forms.OTHER and panel_forms.unchanged(
        form.get("expires_at", ""), version.expires_at, zone
    ):
        raw.pop("expires_at", None)
    if panel_forms.unchanged(form.get("valid_from", ""), row.valid_from, zone):
        raw.pop("valid_from", None)
    if raw.get("state") == "archived":
        raw.pop("state")
    values, errors = panel_forms.load(forms.MemberPatch(partial=True), raw)
    typed = {**form.to_dict(), **more, "values": values}
    typed["expires_at"] = form.get("expires_at", "")
    return typed, errors


def _helped(typed: dict[str, Any], do: str) -> dict[str, Any]:
    """A button inside the form that adds something to it and saves nothing yet."""
    if do in PRESETS:
        typed["windows"] = [*typed["windows"], PRESETS[do]]
    elif do == "add_window":
        typed["windows"] = [*typed["windows"], BLANK]
    typed["regions"] = places_pages.helped(typed["regions"], do)
    return typed


def _form(
    row: Member,
    typed: dict[str, Any],
    errors: Mapping[str, list[str]] | None = None,
    wrong: str = "",
    *,
    revision: int | None = None,
    theirs: Sequence[tuple[str, str, str]] | None = None,
) -> str:
    live_code, at = row.live_code, now()
    card = card_of(db.session, desk().ledger, live_code, row, at)
    choices = choices_of(db.session, live_code.id)
    return render_template(
        "codes/member.html",
        live_code=live_code,
        card=card,
        typed=typed,
        errors=errors or {},
        wrong=wrong,
        revision=row.revision if revision is None else revision,
        theirs=theirs,
        choices=choices,
        choice_options=[(choice.id, choice.title) for choice in choices],
        chips=[chip for chip in panel_forms.expiry_chips(at, desk().zone) if chip.day],
        windows=typed["windows"] or [BLANK],
        **places_pages.picker(typed["regions"]),
        versions=versions.versions_of(db.session, row.id),
        generations=versions.generations_of(db.session, row.id),
    )


@blueprint.get("/members/<int:member_id>/card/<int:number>.jpg")
def card_image(member_id: int, number: int) -> Response:
    """The card of an upload: it shows names and faces, so only those who see the member see it."""
    found_member(member_id)
    version = next((v for v in versions.versions_of(db.session, member_id) if v.number == number), None)
    data = desk().shelves.cards.open(version.card) if version is not None and version.card else None
    if data is None:
        abort(404)
    response = make_response(data)
    response.content_type = "image/jpeg"
    response.headers["Cache-Control"] = f"private, max-age={KEPT_SECONDS}"
    return response


@blueprint.post("/members/<int:member_id>/show")
def show_as(member_id: int) -> Answer:
    """The code drawn anew, or the piece cut out of the picture."""
    row = found_member(member_id)
    home = url_for("codes.member", member_id=member_id)
    version, _ = versions.current_versions(db.session, [row])[member_id]
    cut = request.form.get("show") == "cut"
    image = version.cut if cut else uploads.draw_again(desk().shelves, version)
    if image is None:
        say(gettext("This code cannot be shown in that way."), "warning")
        return back(home)
    changed(lambda: members.update_member(db.session, asker(), member_id, {}, image=image))
    say(gettext("Saved. It counts from the next scan."))
    return back(home)


def home_of(row: Member) -> str:
    """The card in the grid."""
    return url_for("codes.show", live_code_id=row.live_code_id, _anchor=f"member-{row.id}")

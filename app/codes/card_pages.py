"""A card of the grid edited where it stands: capacity, weight, expiry, places, opening times.

Without scripts the same button leads to the member's own page, which has everything. Nobody's change is overwritten
unseen: when the row moved on since the card was opened, theirs is shown beside what was typed.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from flask import render_template, request, url_for
from flask_babel import gettext
from werkzeug.datastructures import MultiDict

from app.codes import forms, history_wording, members, panel_forms, versions, wording
from app.codes.cards import card_of
from app.codes.changes import STALE, Refused
from app.codes.member_pages import BLANK, LABELS
from app.codes.models import Member
from app.codes.shell import Answer, asker, blueprint, changed, compared, desk, found_member, now, to
from app.db import db
from app.web.i18n import language
from app.web.partial import wants_partial
from app.web.toast import say

BETWEEN = "; "
NUMBERS = ("capacity", "daily_capacity", "weight")


@blueprint.get("/members/<int:member_id>/card")
def card(member_id: int) -> Answer:
    """The card as it stands, or, with `?edit=1`, as a form."""
    row = found_member(member_id)
    if not wants_partial():
        return to("codes.member", member_id=member_id)
    return _editor(row, _stored(row)) if request.args.get("edit") else _card(row)


@blueprint.post("/members/<int:member_id>/card")
def save_card(member_id: int) -> Answer:
    row = found_member(member_id)
    typed, values, errors = _typed(row)
    if errors:
        return _editor(row, typed, errors, revision=_revision()), 422
    result = changed(lambda: members.update_member(db.session, asker(), member_id, values, revision=_revision()))
    if result == STALE:
        fresh = found_member(member_id)
        return _editor(fresh, typed, theirs=_theirs(fresh, values)), 409
    if isinstance(result, Refused):
        wrong = {name: [str(forms.REASONS.get(why, wording.refusal(result)))] for name, why in result.fields.items()}
        return _editor(found_member(member_id), typed, wrong or {"_": [wording.refusal(result)]}), 422
    say(gettext("Saved. It counts from the next scan."))
    if not wants_partial():
        return to("codes.show", anchor=f"member-{member_id}", live_code_id=result.live_code_id)
    return _card(found_member(member_id), told=True)


def _card(row: Member, told: bool = False) -> str:
    mine = [other.id for other in members.members_of(db.session, row.live_code_id) if other.choice_id == row.choice_id]
    return render_template(
        "codes/_card.html",
        live_code=row.live_code,
        card=card_of(db.session, desk().ledger, row.live_code, row, now()),
        is_first=not mine or mine[0] == row.id,
        is_last=not mine or mine[-1] == row.id,
        told=told,
        next_url=url_for("codes.show", live_code_id=row.live_code_id),
    )


def _editor(
    row: Member,
    typed: Mapping[str, Any],
    errors: Mapping[str, Sequence[str]] | None = None,
    *,
    revision: int | None = None,
    theirs: Sequence[tuple[str, str, str]] | None = None,
) -> str:
    return render_template(
        "codes/_card_edit.html",
        card=card_of(db.session, desk().ledger, row.live_code, row, now()),
        typed=typed,
        windows=typed["windows"] or [BLANK],
        errors=errors or {},
        theirs=theirs,
        revision=row.revision if revision is None else revision,
    )


def _revision() -> int:
    typed = request.form.get("revision", "")
    return int(typed) if typed.isdecimal() and len(typed) < 10 else 0


def _stored(row: Member) -> dict[str, Any]:
    version, _ = versions.current_versions(db.session, [row])[row.id]
    numbers = {name: getattr(row, name) for name in NUMBERS}
    return numbers | {
        "expires_at": panel_forms.local_input(version.expires_at, desk().zone),
        "places": BETWEEN.join(wording.region_names(row.regions, language())),
        "windows": list(row.windows),
    }


def _typed(row: Member) -> tuple[dict[str, Any], dict[str, Any], dict[str, list[str]]]:
    """What was typed, what it means, what is wrong with it. An expiry and places left as they were drawn stay."""
    form, stored = request.form, _stored(row)
    typed: dict[str, Any] = {name: form.get(name, "").strip() for name in (*NUMBERS, "expires_at", "places")}
    typed["windows"] = panel_forms.windows_of_form(form)
    numbers, more = {name: typed[name] for name in NUMBERS}, {"windows": typed["windows"]}
    raw = panel_forms.read(forms.MemberPatch(), MultiDict(numbers), zone=desk().zone, more=more)
    if typed["expires_at"] != stored["expires_at"]:
        raw |= panel_forms.expiry_of_form(
            {"expiry": panel_forms.OTHER, "expires_at": typed["expires_at"]}, now(), desk().zone
        )
    unknown: list[str] = []
    if typed["places"] != stored["places"]:
        raw["regions"], unknown = panel_forms.places_typed(typed["places"], language())
    values, errors = panel_forms.load(forms.MemberPatch(partial=True), raw)
    if unknown:
        errors["places"] = [gettext("There is no such place: %(names)s", names=BETWEEN.join(unknown))]
    elif "regions" in errors:
        errors["places"] = errors["regions"]
    return typed, values, errors


def _theirs(fresh: Member, mine: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """What differs by now, the expiry of the code shown included; places by their names."""
    version, _ = versions.current_versions(db.session, [fresh])[fresh.id]
    found = compared({name: label for name, label in LABELS.items() if name != "regions"}, mine, fresh)
    found += compared({"expires_at": history_wording.FIELDS["expires_at"]}, mine, version)
    if "regions" in mine and list(mine["regions"]) != list(fresh.regions):
        own, other = (wording.region_names(keys, language()) for keys in (mine["regions"], fresh.regions))
        found.append((str(LABELS["regions"]), BETWEEN.join(own) or "–", BETWEEN.join(other) or "–"))
    return found

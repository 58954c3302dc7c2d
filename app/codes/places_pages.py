"""Places of one live code: who is sent where, the rules by place in one table, and where the code hangs.

Decides what a change of a rule writes into its members. The picker of places is shared with
the member's own page.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from flask import abort, render_template, request, url_for
from flask_babel import gettext, lazy_gettext
from sqlalchemy.orm import Session

from app.codes import forms, members, panel_forms, placements, places_wording, wording
from app.codes.cards import Card, cards_of
from app.codes.changes import Refused
from app.codes.choices import choices_of
from app.codes.coverage import Coverage, coverages
from app.codes.models import LiveCode, Member, Placement
from app.codes.shell import Answer, asker, blueprint, changed, desk, found, now, refuse, to
from app.db import db
from app.rules import regions
from app.web.fields import Form
from app.web.i18n import language
from app.web.toast import say

# In answer to one search or one province.
FOUND_AT_MOST = 12
BELOW = "below:"
ABROAD = "海外"
NOTHING_CHOSEN = lazy_gettext("Choose at least one place.")
NOBODY_CHOSEN = lazy_gettext("Choose at least one code.")


@dataclass(frozen=True)
class Draft:
    """A rule as it is being written. `was`, `was_regions`: what it said before, where it is being changed."""

    regions: Sequence[str] = ()
    members: frozenset[int] = frozenset()
    was: Sequence[int] = ()
    was_regions: Sequence[str] = ()


# -- the picker ------------------------------------------------------------------------------------------------------


def picker(typed: Sequence[str]) -> dict[str, Any]:
    """What `codes/_places.html` shows: the chosen places, and those found by a button of the form just sent."""
    do = request.form.get("do", "")
    find = request.form.get("find", "").strip() if do == "find" else ""
    below = do.removeprefix(BELOW) if do.startswith(BELOW) else ""
    return {
        "places": chips_of(typed),
        "find": find,
        "places_found": _search(find) if find else _below(below),
        "quick_groups": [(group, wording.group_name(group, language())) for group in regions.QUICK_GROUPS],
        "provinces": [(region.key, regions.name(region.key, language())) for region in regions.children("CN")],
        "abroad": ABROAD,
    }


def helped(keys: Sequence[str], do: str) -> list[str]:
    """A part of the country joins the chosen places at the press of its button."""
    group = regions.QUICK_GROUPS.get(do.removeprefix(panel_forms.GROUP), ()) if do.startswith(panel_forms.GROUP) else ()
    return list(dict.fromkeys([*keys, *group]))


def chips_of(keys: Sequence[str]) -> list[tuple[str, str]]:
    """A part of the country that is chosen whole is one chip."""
    groups, others = regions.quick_groups_in(keys)
    whole = [(panel_forms.GROUP + group, wording.group_name(group, language())) for group in groups]
    return whole + [(key, regions.name(key, language(), full=True)) for key in others]


def _search(text: str) -> list[tuple[str, str]]:
    found = regions.search(text, language(), FOUND_AT_MOST)
    return [(region.key, regions.name(region.key, language(), full=True)) for region in found]


def _below(key: str) -> list[tuple[str, str]]:
    """A province whole and its cities; the countries for 海外."""
    if key == ABROAD:
        return sorted(
            ((key, regions.name(key, language())) for key in regions.QUICK_GROUPS[ABROAD]), key=lambda p: p[1]
        )
    region = regions.REGIONS.get(key)
    if region is None or region.level != "province":
        return []
    whole = gettext("%(place)s, all of it", place=regions.name(key, language()))
    return [(key, whole), *((city.key, regions.name(city.key, language())) for city in regions.children(key))]


@blueprint.get("/codes/places")
def places() -> Answer:
    """Places that answer to what is being typed, or that lie in a province; a partial of the picker."""
    find = request.args.get("find", "").strip()
    rows = _search(find) if find else _below(request.args.get("of", ""))
    return render_template("codes/_places_found.html", find=find, places_found=rows)


# -- who is sent where -----------------------------------------------------------------------------------------------


@blueprint.get("/codes/<int:live_code_id>/places")
def who_goes_where(live_code_id: int) -> Answer:
    """The rules by place, what is odd about them, and the placements."""
    live_code = found(live_code_id)
    ids = _ids(request.args.get("rule", ""))
    rules = (rule for coverage in _coverages(live_code) for rule in coverage.rules)
    rule = next((rule for rule in rules if rule.member_ids == ids), None)
    return _page(live_code, Draft() if rule is None else Draft(rule.places, frozenset(ids), ids, rule.places))


@blueprint.post("/codes/<int:live_code_id>/places")
def set_rule(live_code_id: int) -> Answer:
    """Sends these places to these codes; a rule that is being changed first loses what it said."""
    live_code, form = found(live_code_id), request.form
    draft = Draft(
        panel_forms.regions_of_form(form),
        frozenset(_ids("-".join(form.getlist("members")))),
        _ids(form.get("was", "")),
        panel_forms.regions_of_form(form, "was_regions"),
    )
    if "do" in form:
        return _page(live_code, replace(draft, regions=helped(draft.regions, form["do"])))
    mine = {card.id for card in _cards(live_code)}
    values, errors = panel_forms.load(forms.MemberPatch(partial=True), {"regions": draft.regions})
    if not draft.regions:
        errors["regions"] = [str(NOTHING_CHOSEN)]
    if not draft.members & mine:
        errors["members"] = [str(NOBODY_CHOSEN)]
    if errors:
        return _page(live_code, draft, errors, gettext("Please look at the marked fields.")), 422
    result = changed(lambda: _write(db.session, replace(draft, regions=values["regions"]), mine))
    if isinstance(result, Refused):
        return _page(found(live_code_id), draft, {}, wording.refusal(result)), 422
    say(gettext("Saved. It counts from the next scan."))
    return to("codes.who_goes_where", live_code_id=live_code_id)


@blueprint.post("/codes/<int:live_code_id>/places/clear")
def clear_rule(live_code_id: int) -> Answer:
    """Takes a rule away: its codes no longer name these places, and those that name no other serve everybody."""
    live_code = found(live_code_id)
    was = _ids(request.form.get("was", ""))
    gone = Draft(was=was, was_regions=panel_forms.regions_of_form(request.form, "was_regions"))
    mine = {card.id for card in _cards(live_code)}
    result = changed(lambda: _write(db.session, gone, mine))
    if isinstance(result, Refused):
        refuse(result)
    else:
        say(gettext("The rule is gone. Codes without a place serve everybody."))
    return to("codes.who_goes_where", live_code_id=live_code_id)


def _write(session: Session, draft: Draft, mine: set[int]) -> list[Member] | Refused:
    """All of it in one transaction; the first refusal undoes the rest."""
    written = []
    for member_id in sorted((draft.members | set(draft.was)) & mine):
        row = members.find_member(session, asker(), member_id)
        if row is None:
            continue
        lost = set(draft.was_regions) if member_id in draft.was else set()
        gained = draft.regions if member_id in draft.members else []
        keys = list(dict.fromkeys([*(key for key in row.regions if key not in lost), *gained]))
        if len(keys) > forms.MOST_REGIONS:
            return Refused("invalid", {"regions": "too_many"})
        done = members.update_member(session, asker(), member_id, {"regions": keys})
        if isinstance(done, Refused):
            return done
        written.append(done)
    return written


def _ids(text: str) -> list[int]:
    return [int(part) for part in text.split("-")[:400] if part.isdecimal() and len(part) < 10]


def _cards(live_code: LiveCode) -> list[Card]:
    return cards_of(db.session, desk().ledger, [live_code], now())[live_code.id]


def _coverages(live_code: LiveCode) -> list[Coverage]:
    return coverages(live_code, choices_of(db.session, live_code.id), _cards(live_code))


def _page(
    live_code: LiveCode,
    draft: Draft,
    errors: Mapping[str, Sequence[str]] | None = None,
    wrong: str = "",
    *,
    placing: Mapping[str, Any] | None = None,
    placing_errors: Mapping[str, Sequence[str]] | None = None,
    editing: int = 0,
) -> str:
    """`placing`: what was typed for a placement, of the one `editing` (0: a new one)."""
    covered = _coverages(live_code)
    return render_template(
        "codes/places.html",
        live_code=live_code,
        coverages=covered,
        findings=[
            (finding.kind, places_wording.told(finding, live_code, language()))
            for one in covered
            for finding in one.findings
        ],
        draft=draft,
        cards=[card for card in _cards(live_code) if not card.row.is_fallback],
        errors=errors or {},
        wrong=wrong,
        chips_of=chips_of,
        placements=placements.placements_of(db.session, live_code.id),
        archived=placements.placements_of(db.session, live_code.id, archived=True),
        placing=placing or {},
        placing_errors=placing_errors or {},
        editing=editing,
        known_places=panel_forms.place_names(language()),
        region_name=lambda key: regions.name(key, language(), full=True) if key else "",
        printed_url=lambda row: desk().printed_url(live_code, row.key),
        **picker(draft.regions),
    )


# -- placements ------------------------------------------------------------------------------------------------------


@blueprint.post("/codes/<int:live_code_id>/placements")
def add_placement(live_code_id: int) -> Answer:
    live_code = found(live_code_id)
    values, errors = _placement_typed(forms.PlacementForm())
    if errors:
        return _placing(live_code, errors)
    result = changed(lambda: placements.add_placement(db.session, asker(), live_code_id, values))
    if isinstance(result, Refused):
        return _placing(found(live_code_id), {"key" if result.fields else "name": [wording.refusal(result)]})
    say(gettext("“%(name)s” is there. Its code says so: download it below.", name=result.name))
    return to("codes.who_goes_where", anchor=f"placement-{result.id}", live_code_id=live_code_id)


@blueprint.post("/placements/<int:placement_id>")
def change_placement(placement_id: int) -> Answer:
    """Its name and where it hangs; the word in its printed code stays."""
    row = _found_placement(placement_id)
    live_code_id = row.live_code_id
    values, errors = _placement_typed(forms.PlacementPatch(partial=True))
    if errors:
        return _placing(row.live_code, errors, placement_id)
    typed = request.form.get("version", "")
    version = int(typed) if typed.isdecimal() and len(typed) < 10 else None
    result = changed(lambda: placements.update_placement(db.session, asker(), placement_id, values, version=version))
    if isinstance(result, Refused):
        return _placing(found(live_code_id), {"name": [wording.refusal(result)]}, placement_id)
    say(gettext("Saved. It counts from the next scan."))
    return to("codes.who_goes_where", anchor=f"placement-{placement_id}", live_code_id=live_code_id)


@blueprint.post("/placements/<int:placement_id>/archived")
def archive_placement(placement_id: int) -> Answer:
    """Archives it, or takes it back."""
    row = _found_placement(placement_id)
    live_code_id, name, archived = row.live_code_id, row.name, request.form.get("archived") == "1"
    result = changed(lambda: placements.update_placement(db.session, asker(), placement_id, {"archived": archived}))
    if isinstance(result, Refused):
        refuse(result)
    else:
        undo = url_for("codes.archive_placement", placement_id=placement_id), {"archived": "0" if archived else "1"}
        words = gettext("“%(name)s” is archived. Posters there go on working.", name=name)
        say(words if archived else gettext("“%(name)s” is back.", name=name), undo=undo)
    return to("codes.who_goes_where", anchor="placements", live_code_id=live_code_id)


def _found_placement(placement_id: int) -> Placement:
    row = placements.find_placement(db.session, asker(), placement_id)
    if row is None:
        abort(404)
    return row


def _placement_typed(schema: Form) -> tuple[dict[str, Any], dict[str, list[str]]]:
    typed = request.form.get("region", "").strip()
    region = panel_forms.place_typed(typed, language()) if typed else None
    raw = {"name": request.form.get("name", ""), "region": region}
    if "key" in schema.fields and request.form.get("key", "").strip():
        raw["key"] = request.form["key"]
    values, errors = panel_forms.load(schema, raw)
    if typed and region is None:
        errors["region"] = [gettext("There is no such place. A city, a province, or a country.")]
    return values, errors


def _placing(live_code: LiveCode, errors: Mapping[str, Sequence[str]], editing: int = 0) -> Answer:
    page = _page(live_code, Draft(), placing=request.form, placing_errors=errors, editing=editing)
    return page, 422

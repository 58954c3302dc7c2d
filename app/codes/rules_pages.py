"""The rules of one live code: what each means, what will happen as they stand, and a simulator to try them with."""

import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from flask import render_template, request
from flask_babel import gettext, lazy_gettext

from app.codes import forms, panel_forms, rules_wording, simulator, store, wording
from app.codes.choices import choices_of
from app.codes.code_pages import form_version, save_live_code
from app.codes.models import LiveCode
from app.codes.shell import Answer, asker, blueprint, desk, found, now
from app.codes.snapshot import read_snapshot
from app.db import db
from app.ledger import LedgerDown
from app.rules import coordinates, regions
from app.rules.model import ClosedPolicy, Contact, Member, Mode, RegionPolicy, Snapshot
from app.rules.regions import Place
from app.rules.targeting import Position
from app.web.fields import Moment
from app.web.i18n import language

LABELS: Mapping[str, Any] = {
    "mode": lazy_gettext("Who gets which code?"),
    "region_policy": lazy_gettext("Places"),
    "asks_city": lazy_gettext("Let scanners choose their city on the page"),
    "choice_policy": lazy_gettext("How many choices may one person take?"),
    "on_closed_member": lazy_gettext("Their code is closed"),
    "unpressed_seat_hours": lazy_gettext("Free seats again after (hours)"),
    "dedupe_group": lazy_gettext("One group only, across live codes"),
    "starts_at": lazy_gettext("Starts"),
    "ends_at": lazy_gettext("Ends"),
    "contact_text": lazy_gettext("Words on the button"),
    "contact_phone": lazy_gettext("Phone"),
    "contact_url": lazy_gettext("Link (customer service, a page)"),
    "open": lazy_gettext("Links that open by themselves"),
}
DATES = ("starts_at", "ends_at")
EXAMPLES = (
    "CN/CN-BJ",
    "CN/CN-SH",
    "CN/CN-GD/440100",
    "CN/CN-GD/440300",
    "CN/CN-SC/510100",
    "CN/CN-ZJ/330100",
    "HK",
    "US",
)


@dataclass(frozen=True, slots=True)
class Line:
    name: str
    eligible: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Simulated:
    """What a new visitor would meet, and every member's yes or no."""

    place: str
    known_by: str
    outcome: str
    member: Member | None
    member_name: str
    opens_at: datetime | None
    trace: list[Line]


@blueprint.route("/codes/<int:live_code_id>/rules", methods=["GET", "POST"])
def rules(live_code_id: int) -> Answer:
    live_code = found(live_code_id)
    if request.method == "GET":
        return _form(live_code, _stored(live_code))
    values, errors = _typed(live_code)
    if errors:
        wrong = gettext("Please look at the marked fields.")
        return _form(live_code, request.form, errors, wrong, version=form_version()), 422
    return save_live_code(live_code_id, values, LABELS, _form, "codes.rules")


def _stored(live_code: LiveCode) -> dict[str, Any]:
    plain = {name: getattr(live_code, name) for name in LABELS}
    return plain | {name: panel_forms.local_input(plain[name], desk().zone) for name in DATES}


def _typed(live_code: LiveCode) -> tuple[dict[str, Any], dict[str, list[str]]]:
    form = request.form
    contact = {name: form.get(f"contact_{name}", "") for name in ("text", "phone", "url")}
    raw = panel_forms.read(
        forms.LiveCodePatch(), form, zone=desk().zone, more={"contact": contact, "asks_city": "asks_city" in form}
    )
    for name in DATES:
        if panel_forms.unchanged(form.get(name, ""), getattr(live_code, name), desk().zone):
            raw.pop(name, None)
    if raw.get("unpressed_seat_hours", 0) is None:
        raw.pop("unpressed_seat_hours")
    return panel_forms.load(forms.LiveCodePatch(partial=True), raw)


def _form(
    live_code: LiveCode,
    typed: Mapping[str, Any],
    errors: Mapping[str, Sequence[str]] | None = None,
    wrong: str = "",
    *,
    version: int | None = None,
    theirs: Sequence[tuple[str, str, str]] | None = None,
) -> str:
    choices = choices_of(db.session, live_code.id)
    asked, simulated, asked_errors = _simulated(live_code.id)
    return render_template(
        "codes/rules.html",
        live_code=live_code,
        typed=typed,
        errors=errors or {},
        wrong=wrong,
        version=live_code.version if version is None else version,
        theirs=theirs,
        told=_told(live_code.id, {}),
        choices=choices,
        choice_options=[(choice.id, choice.title) for choice in choices],
        dedupe_groups=store.dedupe_groups(db.session, asker(), live_code.owner_id),
        example_cities=[regions.name(key, language()) for key in EXAMPLES],
        asked=asked,
        asked_errors=asked_errors,
        simulated=simulated,
    )


def _told(live_code_id: int, values: Mapping[str, Any]) -> list[str]:
    snapshot = read_snapshot(db.session, live_code_id, desk().zone)
    if snapshot is None:
        return []
    labels = simulator.labels(db.session, live_code_id)
    return rules_wording.summary(_as_typed(snapshot, values), labels, language(), now())


def _as_typed(snapshot: Snapshot, values: Mapping[str, Any]) -> Snapshot:
    """The live code as it would be with these values."""
    if not values:
        return snapshot
    plain = ("unpressed_seat_hours", "dedupe_group", "starts_at", "ends_at")
    changes: dict[str, Any] = {name: values[name] for name in plain if name in values}
    changes |= {name: make(values[name]) for name, make in _WORDS.items() if name in values}
    contact = Contact(*(values.get(f"contact_{name}", "") for name in ("text", "phone", "url")))
    return replace(snapshot, contact=contact, **changes)


_WORDS: Mapping[str, Any] = {"mode": Mode, "region_policy": RegionPolicy, "on_closed_member": ClosedPolicy}


@blueprint.post("/codes/<int:live_code_id>/rules/told")
def told(live_code_id: int) -> Answer:
    """What would happen with the form as it stands, not saved yet; a partial."""
    values, errors = _typed(found(live_code_id))
    return render_template("codes/_told.html", told=_told(live_code_id, {} if errors else values))


@blueprint.get("/codes/<int:live_code_id>/rules/simulated")
def simulate(live_code_id: int) -> Answer:
    """The simulator's answer; a partial."""
    found(live_code_id)
    _, simulated, errors = _simulated(live_code_id)
    if errors:
        wrong = " ".join(text for texts in errors.values() for text in texts)
        return render_template("codes/_wrong.html", wrong=wrong)
    return render_template("codes/_simulated.html", simulated=simulated)


def _simulated(live_code_id: int) -> tuple[dict[str, str], Simulated | None, dict[str, list[str]]]:
    """What was asked, the answer, and what was wrong with the question."""
    asked = {name: request.args.get(name, "").strip()[:60] for name in ("from", "at", "choice_id")}
    if not request.args.get("simulate"):
        return asked, None, {}
    where = _where(asked["from"])
    if isinstance(where, str):
        return asked, None, {"from": [where]}
    raw = {"at": Moment.from_text(asked["at"], desk().zone)} if asked["at"] else {}
    values, errors = panel_forms.load(forms.SimulateForm(), raw)
    if errors:
        return asked, None, errors
    snapshot = read_snapshot(db.session, live_code_id, desk().zone)
    db.session.rollback()  # the ledger may have to write before it can count
    if snapshot is None:
        return asked, None, {}
    choice_id = int(asked["choice_id"]) if asked["choice_id"].isdecimal() and len(asked["choice_id"]) < 10 else None
    if snapshot.choice(choice_id) is None:
        choice_id = None
    try:
        return asked, _answer(snapshot, choice_id, where, values.get("at") or now()), {}
    except LedgerDown:
        return asked, None, {"from": [gettext("The seats cannot be counted right now. Try again in a moment.")]}


def _where(text: str) -> tuple[Place, Position | None] | str:
    """Where somebody stands, by what was typed: a place, a network address or a position; or what is wrong with it."""
    if not text:
        return Place.UNKNOWN, None
    if (typed := _POSITION.fullmatch(text)) is not None:
        position = float(typed[1]), float(typed[2])
        if coordinates.looks_swapped(*position) or not coordinates.is_position(*position):
            return str(gettext("Latitude comes first, such as 23.13, 113.26."))
        return Place(regions.nearest_city(*position), "position"), position
    try:
        return desk().place_of(str(ipaddress.ip_address(text.strip("[]")))), None
    except ValueError:
        key = panel_forms.place_typed(text, language())
    if key is None:
        return str(gettext("There is no such place. A city, a province, a position or a network address."))
    return Place(key, "given"), None


_POSITION = re.compile(r"(-?\d{1,3}(?:\.\d{1,12})?)\s*[,，]\s*(-?\d{1,3}(?:\.\d{1,12})?)", re.ASCII)


def _answer(snapshot: Snapshot, choice_id: int | None, where: tuple[Place, Position | None], at: datetime) -> Simulated:
    place, position = where
    simulation = simulator.simulate(desk().ledger, snapshot, choice_id=choice_id, place=place, at=at, position=position)
    labels = simulator.labels(db.session, snapshot.id)
    decision = simulation.decision
    member = decision.member

    def called(member_id: int) -> str:
        return labels.get(member_id) or wording.code_number(member_id)

    return Simulated(
        place=regions.name(place.region, language(), full=True) if place.region else "",
        known_by=str(wording.SOURCES.get(place.source, "")) if place.region else "",
        outcome=str(wording.OUTCOMES.get(decision.outcome.value, decision.outcome.value)),
        member=member,
        member_name=called(member.id) if member is not None else "",
        opens_at=decision.opens_at,
        trace=[
            Line(called(line.member_id), line.eligible, str(wording.REASONS.get(line.reason, line.reason)))
            for line in simulation.trace
        ],
    )

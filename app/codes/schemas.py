"""What the API answers with: the shapes its OpenAPI document shows, and the rows put into them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

import marshmallow as ma

from app.codes.cards import Card
from app.codes.desk import Desk
from app.codes.models import Choice, LiveCode, MemberVersion, Placement
from app.rules.model import ChoicePolicy, ClosedPolicy, LiveCodeState, MemberState, Mode, RegionPolicy
from app.web.fields import Moment, Word
from app.web.openapi import PREFIX

STATUSES = (
    "archived", "disabled", "reserve", "not_yet", "expired", "suspect", "full", "expiring", "filling", "active",
)  # fmt: skip
WARNINGS = ("still_full", "still_disabled", "no_choice", "position_looks_swapped")


class ContactAnswer(ma.Schema):
    text = ma.fields.String()
    phone = ma.fields.String()
    url = ma.fields.String()


class LiveCodeAnswer(ma.Schema):
    id = ma.fields.Integer()
    slug = ma.fields.String()
    short_url = ma.fields.String(metadata={"description": "What the printed code says, for ever."})
    host = ma.fields.String(metadata={"description": "What `short_url` begins with."})
    version = ma.fields.Integer(metadata={"description": "For If-Match; rises with every change a scan could see."})
    name = ma.fields.String()
    title = ma.fields.String()
    notice = ma.fields.String()
    contact = ma.fields.Nested(ContactAnswer)
    kind = Word("simple", "grouped")
    mode = Word(*Mode)
    region_policy = Word(*RegionPolicy)
    open = Word("page", "redirect")
    choice_policy = Word(*ChoicePolicy)
    unpressed_seat_hours = ma.fields.Integer()
    on_closed_member = Word(*ClosedPolicy)
    dedupe_group = ma.fields.String(allow_none=True)
    starts_at = Moment(allow_none=True)
    ends_at = Moment(allow_none=True)
    state = Word(*LiveCodeState)
    pinned_member_id = ma.fields.Integer(allow_none=True)
    asks_city = ma.fields.Boolean()
    colour = ma.fields.String(allow_none=True)
    folder = ma.fields.String(allow_none=True)
    owner_id = ma.fields.Integer()
    created_at = Moment()
    updated_at = Moment()
    warnings = ma.fields.List(ma.fields.String())


class LiveCodePage(ma.Schema):
    items = ma.fields.List(ma.fields.Nested(LiveCodeAnswer))
    page = ma.fields.Integer()
    per_page = ma.fields.Integer()
    total = ma.fields.Integer()


class ChoiceAnswer(ma.Schema):
    id = ma.fields.Integer()
    live_code_id = ma.fields.Integer()
    title = ma.fields.String()
    description = ma.fields.String()
    tag = ma.fields.String(allow_none=True)
    position = ma.fields.Integer()
    mode = Word(*Mode)
    version = ma.fields.Integer()


class ChoiceList(ma.Schema):
    items = ma.fields.List(ma.fields.Nested(ChoiceAnswer))


class PlacementAnswer(ma.Schema):
    id = ma.fields.Integer()
    live_code_id = ma.fields.Integer()
    key = ma.fields.String(metadata={"description": "What the printed address says as ?p=."})
    name = ma.fields.String()
    region = ma.fields.String(allow_none=True)
    short_url = ma.fields.String(metadata={"description": "What the code printed for this placement says."})
    qr_url = ma.fields.String(metadata={"description": "Where that code is drawn."})
    archived = ma.fields.Boolean()
    version = ma.fields.Integer()
    created_at = Moment()


class PlacementList(ma.Schema):
    items = ma.fields.List(ma.fields.Nested(PlacementAnswer))


class WindowAnswer(ma.Schema):
    days = ma.fields.List(ma.fields.Integer())
    start = ma.fields.String(data_key="from")
    end = ma.fields.String(data_key="to")


class MemberAnswer(ma.Schema):
    id = ma.fields.Integer()
    live_code_id = ma.fields.Integer()
    choice_id = ma.fields.Integer(allow_none=True)
    kind = ma.fields.String()
    target_url = ma.fields.String()
    image_url = ma.fields.String()
    version = ma.fields.Integer(metadata={"description": "Of the code shown: rises with every swap. For If-Match."})
    generation = ma.fields.Integer(metadata={"description": "Which group it stands for."})
    label = ma.fields.String()
    public_name = ma.fields.String()
    owner = ma.fields.String()
    notes = ma.fields.String()
    state = Word(*MemberState)
    status = Word(*STATUSES)
    is_fallback = ma.fields.Boolean()
    capacity = ma.fields.Integer(allow_none=True)
    occupied = ma.fields.Integer(allow_none=True, metadata={"description": "null while the ledger does not answer."})
    pressed = ma.fields.Integer(allow_none=True, metadata={"description": "Seats that were long-pressed."})
    headcount = ma.fields.Integer(allow_none=True)
    headcount_at = Moment(allow_none=True)
    daily_capacity = ma.fields.Integer(allow_none=True)
    weight = ma.fields.Integer()
    position = ma.fields.Integer()
    regions = ma.fields.List(ma.fields.String())
    windows = ma.fields.List(ma.fields.Nested(WindowAnswer))
    latitude = ma.fields.Float(allow_none=True)
    longitude = ma.fields.Float(allow_none=True)
    radius_m = ma.fields.Integer(allow_none=True)
    valid_from = Moment(allow_none=True)
    expires_at = Moment(allow_none=True)
    expiry_source = Word("guessed", "entered", "read", "none")
    suspect_at = Moment(allow_none=True)
    created_at = Moment()
    updated_at = Moment()
    warnings = ma.fields.List(Word(*WARNINGS))


class MemberList(ma.Schema):
    items = ma.fields.List(ma.fields.Nested(MemberAnswer))


class VersionAnswer(ma.Schema):
    version = ma.fields.Integer()
    generation = ma.fields.Integer()
    kind = ma.fields.String()
    target_url = ma.fields.String()
    image_url = ma.fields.String()
    expires_at = Moment(allow_none=True)
    expiry_source = Word("guessed", "entered", "read", "none")
    created_at = Moment()
    created_by = ma.fields.String()


class VersionList(ma.Schema):
    items = ma.fields.List(ma.fields.Nested(VersionAnswer))


class TrialAnswer(ma.Schema):
    url = ma.fields.String(metadata={"description": "Opened on a phone it decides like a new visitor, taking no seat."})
    expires_at = Moment()


class PlaceAnswer(ma.Schema):
    region = ma.fields.String(allow_none=True)
    country = ma.fields.String(allow_none=True)
    province = ma.fields.String(allow_none=True)
    city = ma.fields.String(allow_none=True)
    source = ma.fields.String()


class TraceAnswer(ma.Schema):
    member_id = ma.fields.Integer()
    eligible = ma.fields.Boolean()
    reason = ma.fields.String(metadata={"description": "Why not; where eligible, in which rank it stands."})


class SimulateAnswer(ma.Schema):
    outcome = ma.fields.String()
    member_id = ma.fields.Integer(allow_none=True)
    place = ma.fields.Nested(PlaceAnswer)
    opens_at = Moment(allow_none=True)
    trace = ma.fields.List(ma.fields.Nested(TraceAnswer))


def live_code_answer(desk: Desk, row: LiveCode) -> dict[str, Any]:
    plain = {name: getattr(row, name) for name in LiveCodeAnswer().fields if hasattr(row, name)}
    contact = {"text": row.contact_text, "phone": row.contact_phone, "url": row.contact_url}
    printed = {"host": desk.host(row), "short_url": desk.short_url(row)}
    return _dumped(LiveCodeAnswer, plain | printed | {"contact": contact})


def placement_answer(desk: Desk, row: Placement) -> dict[str, Any]:
    plain = {name: getattr(row, name) for name in PlacementAnswer().fields if hasattr(row, name)}
    drawn = f"{PREFIX}/live-codes/{row.live_code_id}/qr?placement={quote(row.key)}"
    printed = desk.printed_url(row.live_code, row.key)
    return _dumped(PlacementAnswer, plain | {"short_url": printed, "qr_url": drawn})


def choice_answer(row: Choice) -> dict[str, Any]:
    return _dumped(ChoiceAnswer, {name: getattr(row, name) for name in ChoiceAnswer().fields})


def member_answer(card: Card, warnings: list[str] | None = None) -> dict[str, Any]:
    row, version, generation = card.row, card.version, card.generation
    plain = {name: getattr(row, name) for name in MemberAnswer().fields if hasattr(row, name)}
    shown = {
        "kind": version.kind,
        "target_url": version.target,
        "image_url": image_url(version.image),
        "version": version.number,
        "generation": generation.number,
        "status": card.status,
        "occupied": card.occupied,
        "pressed": card.pressed,
        "headcount": generation.headcount,
        "headcount_at": generation.headcount_at,
        "windows": [{"days": w["days"], "start": w["from"], "end": w["to"]} for w in row.windows],
        "expires_at": version.expires_at,
        "expiry_source": version.expiry_source,
    }
    return _dumped(MemberAnswer, plain | shown | ({"warnings": warnings} if warnings else {}))


def version_answer(row: MemberVersion) -> dict[str, Any]:
    plain = {name: getattr(row, name) for name in VersionAnswer().fields if hasattr(row, name)}
    shown = {"version": row.number, "target_url": row.target, "image_url": image_url(row.image)}
    return _dumped(VersionAnswer, plain | shown)


def trial_answer(url: str, expires_at: datetime) -> dict[str, Any]:
    return _dumped(TrialAnswer, {"url": url, "expires_at": expires_at})


def image_url(name: str) -> str:
    return f"/m/{name}"


def _dumped(schema: type[ma.Schema], values: Mapping[str, Any]) -> dict[str, Any]:
    dumped: dict[str, Any] = schema().dump(values)
    return dumped

"""What may be written into a live code, a choice, a member, a swap: one set of checks for the API and the panel.

A schema's `load` answers with the values as `store`, `choices`, `members` and `versions` take them, or raises
marshmallow's ValidationError with every input that is wrong, in the reader's language. What depends on stored rows
(duplicates, limits, whose choice it is) is refused there; `REASONS` words it.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import marshmallow as ma
from flask_babel import lazy_gettext as _

from app.rules import coordinates, regions
from app.rules.kinds import MAX_LINK_LENGTH
from app.rules.model import ChoicePolicy, ClosedPolicy, Mode, RegionPolicy
from app.rules.slugs import LONGEST_PLACEMENT, is_placement
from app.web.fields import Flag, Form, Id, Moment, Number, Part, Several, Spelled, Text, Whole, Word, refused

MOST_REGIONS = 400
MOST_WINDOWS = 50
MOST_PEOPLE = 1_000_000
_LINK = re.compile(r"https?://[^\s<>\"\\]+", re.IGNORECASE)
_COLOUR = re.compile(r"#[0-9a-fA-F]{6}", re.ASCII)
_TIME = re.compile(r"(?:[01]\d|2[0-3]):[0-5]\d|24:00", re.ASCII)

# What the store's refusals say about an input, by their short reasons.
REASONS: Mapping[str, Any] = {
    "unknown": _("There is no such one here."),
    "before_start": _("The end must come after the start."),
    "is_fallback": _("A fallback cannot be pinned."),
    "nobody_to_share_with": _("There is no marketer with this address to share with."),
}
PAST = _("This is in the past.")


def in_the_past(values: Mapping[str, Any], name: str, now: datetime) -> bool:
    """Is this moment given and over? Refused on create and swap, while an edit may end something now."""
    moment = values.get(name)
    return moment is not None and moment <= now


class Link(Text):
    """A web address a phone can open; empty where that is allowed."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        link = super()._deserialize(value, attr, data, **kwargs)
        if link and not _LINK.fullmatch(link):
            raise refused(_("An address that begins with http:// or https://."))
        return link


class Region(Spelled):
    """A key of the region catalogue, in any spelling of it; comes out as the catalogue's own."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        key = regions.normalise(value)
        if key is None:
            raise refused(_("There is no such region."))
        return key


class PlacementKey(Text):
    """What `?p=` may say; empty where that is allowed."""

    def __init__(self, **more: Any) -> None:
        super().__init__(LONGEST_PLACEMENT, **more)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        key = super()._deserialize(value, attr, data, **kwargs)
        if key and not is_placement(key):
            raise refused(_("Letters, digits, Chinese characters, - and _."))
        return key


class Latitude(Number):
    """Degrees north. Maps of China copy "113.26,23.13", longitude first: asked back about rather than just refused."""

    def __init__(self, **more: Any) -> None:
        super().__init__(-90, 90, **more)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if isinstance(value, int | float) and 90 < abs(value) <= 180:
            raise refused(_("Latitude lies between -90 and 90. Are the two swapped?"))
        return super()._deserialize(value, attr, data, **kwargs)


class TimeOfDay(Spelled):
    """09:00; the end of a window may be 24:00."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if not isinstance(value, str) or not _TIME.fullmatch(value.strip()):
            raise refused(_("A time of day such as 09:00, at most 24:00."))
        return value.strip()


class Colour(Spelled):
    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if not isinstance(value, str) or not _COLOUR.fullmatch(value.strip()):
            raise refused(_("A colour such as #07C160."))
        return value.strip().upper()


class ContactForm(Form):
    text = Text(100)
    phone = Text(40)
    url = Link(500)


class LiveCodeForm(Form):
    name = Text(100, blank=False, required=True, metadata={"description": "What the panel calls it."})
    title = Text(100, metadata={"description": "What scanners read; the name unless given."})
    notice = Text(500, lines=True)
    contact = Part(ContactForm)
    kind = Word("simple", "grouped")
    mode = Word(*Mode)
    region_policy = Word(*RegionPolicy)
    open = Word("page", "redirect")
    choice_policy = Word(*ChoicePolicy)
    on_closed_member = Word(*ClosedPolicy)
    unpressed_seat_hours = Whole(0, 8760)
    dedupe_group = Text(50, allow_none=True)
    starts_at = Moment(allow_none=True)
    ends_at = Moment(allow_none=True)
    state = Word("active", "paused")
    asks_city = Flag()
    colour = Colour(allow_none=True)
    folder = Text(50, allow_none=True, metadata={"description": "Where the panel's list keeps it."})

    @ma.validates_schema
    def _check_dates(self, data: dict[str, Any], **kwargs: Any) -> None:
        starts_at, ends_at = data.get("starts_at"), data.get("ends_at")
        if starts_at is not None and ends_at is not None and ends_at <= starts_at:
            raise ma.ValidationError([REASONS["before_start"]], "ends_at")

    @ma.post_load
    def _flatten(self, data: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        contact = data.pop("contact", {})
        for name in ("dedupe_group", "folder"):
            if name in data:
                data[name] = data[name] or None
        return data | {f"contact_{name}": value for name, value in contact.items()}


class NewLiveCode(LiveCodeForm):
    host = Text(255, metadata={"description": "What its printed code begins with; the default unless given."})


class LiveCodePatch(LiveCodeForm):
    """Only what is named is changed."""


class ChoiceForm(Form):
    title = Text(60, blank=False, required=True)
    description = Text(200)
    tag = Text(50, allow_none=True, metadata={"description": "What visitors who choose it are tagged with."})
    position = Whole(1, 1_000_000)
    mode = Word(*Mode)

    @ma.post_load
    def _tidy(self, data: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        return data | ({"tag": data["tag"] or None} if "tag" in data else {})


class ChoicePatch(ChoiceForm):
    """Only what is named is changed."""


class WindowForm(Form):
    """Open on these days (1 is Monday), from a time up to, not including, another of the same day."""

    days = Several(Whole(1, 7), 7, required=True)
    start = TimeOfDay(data_key="from", required=True)
    end = TimeOfDay(data_key="to", required=True)

    @ma.validates_schema
    def _check_order(self, data: dict[str, Any], **kwargs: Any) -> None:
        if not data["days"]:
            raise ma.ValidationError([_("At least one day.")], "days")
        if data["start"] >= data["end"]:
            message = _("Must be after the beginning. A window across midnight is two: up to 24:00, and from 00:00.")
            raise ma.ValidationError([message], "to")

    @ma.post_load
    def _stored(self, data: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        return {"days": sorted(set(data["days"])), "from": data["start"], "to": data["end"]}


def _check_windows(windows: list[dict[str, Any]]) -> None:
    for number, window in enumerate(windows):
        for other in windows[:number]:
            shares_a_day = not set(window["days"]).isdisjoint(other["days"])
            if shares_a_day and window["from"] < other["to"] and other["from"] < window["to"]:
                raise refused(_("These windows overlap: %(one)s and %(two)s.", one=_span(other), two=_span(window)))


def _span(window: Mapping[str, Any]) -> str:
    return f"{window['from']}–{window['to']}"


class MemberFields(Form):
    """What a member may be given when it is made and later."""

    label = Text(100, metadata={"description": "Private: never shown to scanners."})
    public_name = Text(100, metadata={"description": "What scanners read; the live code's title unless given."})
    owner = Text(100)
    notes = Text(1000, lines=True)
    choice_id = Id(allow_none=True)
    state = Word("active", "disabled", "reserve")
    is_fallback = Flag()
    capacity = Whole(1, MOST_PEOPLE, allow_none=True)
    daily_capacity = Whole(1, MOST_PEOPLE, allow_none=True)
    weight = Whole(1, 100)
    position = Whole(1, 1_000_000)
    regions = Several(Region(), MOST_REGIONS)
    windows = Several(Part(WindowForm), MOST_WINDOWS, validate=_check_windows)
    latitude = Latitude(allow_none=True)
    longitude = Number(-180, 180, allow_none=True)
    coordinates = Word(*coordinates.System, metadata={"description": "Which system the position is written in."})
    radius_m = Whole(1, 20_000_000, allow_none=True)
    valid_from = Moment(allow_none=True)
    expires_at = Moment(allow_none=True)
    allow_duplicate = Flag()

    @ma.validates_schema
    def _check_dates(self, data: dict[str, Any], **kwargs: Any) -> None:
        valid_from, expires_at = data.get("valid_from"), data.get("expires_at")
        if valid_from is not None and expires_at is not None and expires_at <= valid_from:
            raise ma.ValidationError([REASONS["before_start"]], "expires_at")

    @ma.validates_schema
    def _check_position(self, data: dict[str, Any], **kwargs: Any) -> None:
        latitude, longitude = data.get("latitude"), data.get("longitude")
        if (latitude is None) != (longitude is None) or ("latitude" in data) != ("longitude" in data):
            raise ma.ValidationError([_("Latitude and longitude come together.")], "latitude")
        if latitude is not None and longitude is not None and not coordinates.is_position(latitude, longitude):
            raise ma.ValidationError([_("There is no such position.")], "latitude")

    @ma.post_load
    def _tidy(self, data: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        system = data.pop("coordinates", coordinates.System.WGS84)
        if data.get("latitude") is not None:
            position = coordinates.to_wgs84(data["latitude"], data["longitude"], system)
            data["latitude"], data["longitude"] = position
        if "regions" in data:
            data["regions"] = list(dict.fromkeys(data["regions"]))
        return data


class MemberForm(MemberFields):
    """A new member: `target_url`, or a picture sent as the file `image`."""

    target_url = Text(MAX_LINK_LENGTH, allow_none=True)
    pick = Whole(0, 100, metadata={"description": "Which of several codes in the picture: its index."})
    headcount = Whole(0, MOST_PEOPLE, allow_none=True, metadata={"description": "People in the group by now."})


class MemberPatch(MemberFields):
    """Only what is named is changed; `expires_at` is the current version's, and may be past."""

    show = Word("drawn", "cut", metadata={"description": "The code drawn anew, or the piece cut from the picture."})


class SwapForm(Form):
    """The member's next code: `target_url`, or a picture sent as the file `image`."""

    target_url = Text(MAX_LINK_LENGTH, allow_none=True)
    pick = Whole(0, 100, metadata={"description": "Which of several codes in the picture: its index."})
    new_group = Flag(load_default=False, metadata={"description": "Another group: counting begins anew."})
    headcount = Whole(0, MOST_PEOPLE, allow_none=True)
    expires_at = Moment(allow_none=True)
    allow_duplicate = Flag(load_default=False)


class RollbackForm(Form):
    version = Whole(1, 1_000_000, required=True)


class HeadcountForm(Form):
    count = Whole(0, MOST_PEOPLE, required=True)


class PlacementForm(Form):
    """A place where the code hangs. `region`: where that is, whoever stands before it."""

    name = Text(60, blank=False, required=True)
    key = PlacementKey(
        metadata={"description": "What the printed address says as ?p=; made from the name unless given. For good."}
    )
    region = Region(allow_none=True)


class PlacementPatch(Form):
    """Only what is named is changed; the key is printed, and stays."""

    name = Text(60, blank=False)
    region = Region(allow_none=True)
    archived = Flag()


class PinForm(Form):
    member_id = Id(required=True)


class QrQuery(ma.Schema):
    """The permanent code as a file: `size` is its width, in px of a PNG and mm of an SVG or a PDF."""

    class Meta:
        unknown = ma.EXCLUDE

    format = Word("png", "svg", "pdf", load_default="png")
    size = Whole(1, 10_000, text=True, metadata={"description": "Width: px of a PNG, mm of an SVG or a PDF."})
    title = Text(100, load_default="", metadata={"description": "A line above the code."})
    caption = Text(100, load_default="", metadata={"description": "A line below it."})
    p = PlacementKey(load_default="", metadata={"description": "The same as `placement`, shorter."})
    placement = PlacementKey(load_default="", metadata={"description": "The key of the placement this print hangs at."})

    @ma.post_load
    def _one_name(self, data: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        return data | {"p": data["p"] or data.pop("placement")}


class SimulateForm(Form):
    """Somebody who stands in `region`, or comes from the address `ip`, at a moment (now unless given)."""

    region = Region(allow_none=True)
    ip = Text(60, allow_none=True)
    at = Moment(allow_none=True)
    visitor_id = Text(64, allow_none=True)
    choice_id = Id(allow_none=True)
    latitude = Number(-90, 90, allow_none=True)
    longitude = Number(-180, 180, allow_none=True)

"""What may be asked about visitors and written onto them, and what their columns are called."""

from collections.abc import Mapping
from typing import Any

import marshmallow as ma
from flask_babel import lazy_gettext as _

from app.people.identities import KINDS
from app.people.models import CATEGORIES, TAG_CHARACTERS
from app.rules import regions
from app.rules.lifecycle import RFM_CLASSES, STAGES
from app.web.fields import (
    REQUIRED,
    Flag,
    Form,
    Id,
    Moment,
    Named,
    PageQuery,
    Part,
    Several,
    Text,
    Whole,
    Word,
    refused,
)
from app.web.parsing import LARGEST_ID

# A tag that somebody gives by hand is what they believe of a visitor.
CATEGORY_BY_HAND = "predicted"
FORMATS = ("csv", "xlsx")
MOST_CENTS = 10**12

COLUMN_WORDS: Mapping[str, Any] = {
    "id": _("Visitor"),
    "first_seen_at": _("First seen"),
    "last_seen_at": _("Last seen"),
    "scans": _("Scans"),
    "pressed": _("Long-presses"),
    "country": _("Country"),
    "province": _("Province"),
    "city": _("City"),
    "device": _("Device"),
    "app": _("App"),
    "language": _("Language"),
    "live_codes": _("Live codes"),
    "choices": _("Choices"),
    "members": _("Members"),
    "placements": _("Placements"),
    "tags": _("Tags"),
}


class Region(ma.fields.String):
    """A key of the region catalogue, in any spelling of it; comes out as the catalogue's own."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        text = str(value).strip()
        key = regions.normalise(text) if text else ""
        if key is None:
            raise refused(_("There is no such region."))
        return key


class Filter(PageQuery):
    """Which visitors."""

    live_code_id = Whole(1, LARGEST_ID, text=True)
    tag = Text(TAG_CHARACTERS, load_default="")
    region = Region(load_default="", metadata={"description": "A country, province or city, and all within it."})
    choice_id = Whole(1, LARGEST_ID, text=True)
    placement = Text(100, load_default="")
    since = Moment(metadata={"description": "Seen at this time or later."})
    until = Moment(metadata={"description": "Seen before this time."})
    days = Whole(1, 3650, text=True, metadata={"description": "Seen within so many days."})
    without_tag = Text(TAG_CHARACTERS, load_default="")
    device = Text(40, load_default="")
    app = Text(40, load_default="")
    language = Text(40, load_default="", metadata={"description": "Of their browser, as `zh` or `en`."})
    pressed = Flag(text=True)
    stage = Word(*STAGES, metadata={"description": "Of the life cycle; its thresholds are set in the panel."})
    rfm = Word(*RFM_CLASSES, metadata={"description": "Recency, frequency, money of buyers: 1 high, 0 low."})
    q = Text(100, load_default="", metadata={"description": "A visitor's number, external id, phone; an order's."})


class ExportQuery(Filter):
    format = Word(*FORMATS, load_default="csv")


class TagForm(Form):
    name = Text(TAG_CHARACTERS, blank=False, required=True)
    category = Word(*CATEGORIES, load_default=CATEGORY_BY_HAND)


class GiveTagForm(Form):
    tag = Text(TAG_CHARACTERS, blank=False, required=True)
    category = Word(*CATEGORIES, metadata={"description": "Of a tag that is new; predicted unless given."})
    live_code_id = Id(metadata={"description": "Under which one; the visitor's most recent unless given."})


class TakeTagForm(Form):
    tag = Text(TAG_CHARACTERS, blank=False, required=True)


FILTER_CHARACTERS = 1000


def _filter() -> Any:
    """As on `GET /visitors`, by name."""
    told = {"description": 'As on `GET /visitors`: {"tag": "母婴", "days": "30"}.', "example": {"days": "30"}}
    return Named(FILTER_CHARACTERS, load_default=dict, metadata=told)


class TaskForm(Form):
    kind = Word("csv", "xlsx", "tag", "untag", required=True)
    filter = _filter()
    tag = Text(TAG_CHARACTERS, metadata={"description": "To give or to take off."})
    category = Word(*CATEGORIES, metadata={"description": "Of a tag that is new; predicted unless given."})

    @ma.validates_schema
    def _names_a_tag(self, values: dict[str, Any], **_more: Any) -> None:
        if values.get("kind") in ("tag", "untag") and not values.get("tag"):
            raise ma.ValidationError({"tag": [REQUIRED]})


class SegmentForm(Form):
    name = Text(100, blank=False, required=True)
    filter = _filter()


class CalledForm(Form):
    kind = Word(*KINDS, required=True)
    value = Text(200, blank=False, required=True)


class OrderForm(Form):
    order_id = Text(64, blank=False, required=True)
    amount_cents = Whole(
        -MOST_CENTS, MOST_CENTS, required=True, metadata={"description": "In hundredths; refunds below 0."}
    )
    currency = Text(3, load_default="CNY")
    product = Text(200, load_default="")
    at = Moment(required=True)
    visitor_id = Id(load_default=None, allow_none=True)
    kind = Word(*KINDS, metadata={"description": "What `value` is, where the visitor is known by it."})
    value = Text(200)


class OrdersForm(Form):
    orders = Several(Part(OrderForm), 500, required=True)


class OrdersQuery(ma.Schema):
    class Meta:
        unknown = ma.EXCLUDE

    visitor_id = Whole(1, LARGEST_ID, text=True, required=True)

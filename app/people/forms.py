"""What may be asked about visitors and written onto them, and what their columns are called."""

from collections.abc import Mapping
from typing import Any

import marshmallow as ma
from flask_babel import lazy_gettext as _

from app.people.models import CATEGORIES, TAG_CHARACTERS
from app.people.store import Wanted
from app.rules import regions
from app.web.fields import Form, Id, Moment, PageQuery, Text, Whole, Word, refused
from app.web.parsing import LARGEST_ID

# A tag that somebody gives by hand is what they believe of a visitor.
CATEGORY_BY_HAND = "predicted"
FORMATS = ("csv", "xlsx")

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


def wanted(query: Mapping[str, Any]) -> Wanted:
    """The visitors a loaded `Filter` asks for."""
    return Wanted(**{name: query[name] for name in Wanted.__dataclass_fields__ if name in query})

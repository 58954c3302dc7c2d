"""Values as programs and forms hand them in: checked strictly, refused in the reader's language, input by input.

Decides what a text, a whole number, a flag or a moment is, and how the text of an HTML form becomes one. What a value
may be used for is checked in each feature's `forms.py`, which builds its schemas of these. From JSON a number is a
number: "5" and true are refused. Texts may hold any language's letters, markup and bidirectional marks, which are shown
harmless; control characters and half surrogates, which no page can show and no database keeps, are refused.
"""

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, tzinfo
from math import isfinite
from typing import Any

import marshmallow as ma
from flask import Request
from flask_babel import lazy_gettext as _
from marshmallow import validate
from webargs.flaskparser import FlaskParser
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import BadRequest, UnsupportedMediaType

from app.web.paging import PAGE_MAX, PER_PAGE, PER_PAGE_MAX, PageRequest
from app.web.parsing import LARGEST_ID

REQUIRED = _("This is needed.")
# Lists, because marshmallow would format a bare text before it is known in which language.
_COMMON: dict[str, Any] = {"required": [REQUIRED], "null": [_("This cannot be empty.")]}
_TEXTUAL = {**_COMMON, "invalid": [_("This must be text.")], "invalid_utf8": [_("This must be text.")]}
_LISTED = {**_COMMON, "invalid": [_("This must be a list.")]}
_NAMED = {**_COMMON, "invalid": [_("This must be an object with named values.")]}
_FORM_MESSAGES: dict[str, Any] = {
    "unknown": _("There is no such input here."),
    "type": _("This must be an object with named values."),
}
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_RFC_3339 = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?(?P<zone>[Zz]|[+-]\d\d:\d\d)?", re.ASCII
)
_WHOLE = re.compile(r"[+-]?\d{1,15}", re.ASCII)
_YEARS = range(1970, 2200)
_FLAGS = {"true": True, "1": True, "on": True, "yes": True, "false": False, "0": False, "off": False, "no": False}


def refused(message: Any) -> ma.ValidationError:
    """What a check raises; marshmallow takes a translated text only inside a list."""
    return ma.ValidationError([message])


class Text(ma.fields.String):
    """Trimmed text of at most `longest` characters, on one line unless `lines`. `blank`: whether nothing is enough."""

    default_error_messages = _TEXTUAL

    def __init__(self, longest: int, *, blank: bool = True, lines: bool = False, **more: Any) -> None:
        super().__init__(validate=validate.Length(max=longest), **more)
        self.longest, self.blank, self.lines = longest, blank, lines

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        text = super()._deserialize(value, attr, data, **kwargs)
        # Counted before anything is done with it: nobody needs a megabyte to be trimmed first.
        if len(text) > self.longest + 1000:
            raise refused(_too_long(self.longest))
        if _CONTROLS.search(text):
            raise refused(_("This holds a character that cannot be shown."))
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        if not self.lines:
            text = text.replace("\n", " ").replace("\t", " ")
        text = text.strip()
        if not text and not self.blank:
            raise refused(REQUIRED)
        if len(text) > self.longest:
            raise refused(_too_long(self.longest))
        return text


def _too_long(longest: int) -> Any:
    return _("At most %(longest)s characters.", longest=longest)


class Spelled(ma.fields.String):
    """Base of texts that must be spelt in some way of their own."""

    default_error_messages = _TEXTUAL


class Word(Spelled):
    """One of a few words."""

    def __init__(self, *words: str, **more: Any) -> None:
        message = _("One of: %(words)s.", words=", ".join(words))
        super().__init__(validate=_OneOf(words, message), **more)


class _OneOf(validate.OneOf):
    def __init__(self, words: tuple[str, ...], message: Any) -> None:
        super().__init__(words)
        self.message = message

    def __call__(self, value: Any) -> Any:
        if value not in self.choices:
            raise refused(self.message)
        return value


class Whole(ma.fields.Integer):
    """A whole number from `lowest` to `highest`. `text`: written in an address (`?page=2`), so digits are taken."""

    default_error_messages = _COMMON

    def __init__(self, lowest: int, highest: int, *, text: bool = False, **more: Any) -> None:
        super().__init__(validate=validate.Range(lowest, highest), **more)
        self.lowest, self.highest, self.text = lowest, highest, text

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if self.text:
            value = self.from_text(value)
        if not isinstance(value, int) or isinstance(value, bool) or not self.lowest <= value <= self.highest:
            raise refused(_("A whole number from %(lowest)s to %(highest)s.", lowest=self.lowest, highest=self.highest))
        return value

    @staticmethod
    def from_text(text: Any) -> Any:
        return int(text) if isinstance(text, str) and _WHOLE.fullmatch(text.strip()) else text


class Id(Whole):
    """What rows are called by; a number too large for the column is nobody's."""

    def __init__(self, **more: Any) -> None:
        super().__init__(1, LARGEST_ID, **more)


class Number(ma.fields.Float):
    """A finite number from `lowest` to `highest`."""

    default_error_messages = _COMMON

    def __init__(self, lowest: float, highest: float, **more: Any) -> None:
        super().__init__(validate=validate.Range(lowest, highest), **more)
        self.lowest, self.highest = lowest, highest

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        right = isinstance(value, int | float) and not isinstance(value, bool)
        # The range first: isfinite cannot take a whole number of four hundred digits.
        if not right or not self.lowest <= value <= self.highest or not isfinite(value):
            raise refused(_("A number from %(lowest)s to %(highest)s.", lowest=self.lowest, highest=self.highest))
        return float(value)

    @staticmethod
    def from_text(text: Any) -> Any:
        try:
            return float(text)
        except ValueError:
            return text


class Flag(ma.fields.Boolean):
    """true or false."""

    default_error_messages = _COMMON

    def __init__(self, *, text: bool = False, **more: Any) -> None:
        super().__init__(**more)
        self.text = text

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if self.text:
            value = self.from_text(value)
        if not isinstance(value, bool):
            raise refused(_("true or false."))
        return value

    @staticmethod
    def from_text(text: Any) -> Any:
        return _FLAGS.get(text.strip().lower(), text) if isinstance(text, str) else text


class Several(ma.fields.List[Any]):
    """A list of one kind of value, at most `most` of them."""

    default_error_messages = _LISTED

    def __init__(self, inner: ma.fields.Field[Any], most: int, **more: Any) -> None:
        super().__init__(inner, **more)
        self.most = most

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if isinstance(value, list) and len(value) > self.most:
            raise refused(_("At most %(most)s.", most=self.most))
        return super()._deserialize(value, attr, data, **kwargs)


class Named(ma.fields.Dict):
    """Texts of at most `longest` characters by their names."""

    default_error_messages = _NAMED

    def __init__(self, longest: int, **more: Any) -> None:
        super().__init__(keys=Text(longest), values=Text(longest), **more)


class Part(ma.fields.Nested):
    """An object inside another."""

    default_error_messages = _COMMON


class Moment(ma.fields.DateTime):
    """An RFC 3339 time with its zone; comes out aware, in UTC, to the second."""

    default_error_messages = _COMMON

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        found = _RFC_3339.fullmatch(value.strip()) if isinstance(value, str) else None
        if found is None:
            raise refused(_("A time such as 2026-11-30T18:00:00+08:00."))
        if found["zone"] is None:
            raise refused(_("The time zone is missing, such as +08:00 or Z at the end."))
        moment = _moment(found[0])
        if moment is None:
            raise refused(_("There is no such time."))
        return moment

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        return None if value is None else value.astimezone(UTC).isoformat().replace("+00:00", "Z")

    @staticmethod
    def from_text(text: Any, zone: tzinfo | None = None) -> Any:
        """What <input type="datetime-local"> sends has no zone and means the panel's."""
        found = _RFC_3339.fullmatch(text.strip()) if zone is not None and isinstance(text, str) else None
        if found is None or found["zone"] is not None:
            return text
        local = _moment(found[0] + "Z")
        return text if local is None else local.replace(tzinfo=zone).isoformat()


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text.upper().replace(",", "."))
        moment = moment.astimezone(UTC).replace(microsecond=0)
    except (ValueError, OverflowError):
        return None
    return moment if moment.year in _YEARS else None


class Form(ma.Schema):
    """Base of what is handed in: a name nobody knows is refused, so that a slip of the pen is no silent loss."""

    error_messages = _FORM_MESSAGES


class PageQuery(ma.Schema):
    """`?page=&per_page=`; `page_of` makes it a request for a page."""

    class Meta:
        unknown = ma.EXCLUDE

    page = Whole(1, PAGE_MAX, text=True, load_default=1)
    per_page = Whole(1, PER_PAGE_MAX, text=True, load_default=PER_PAGE)


def page_of(query: Mapping[str, Any]) -> PageRequest:
    return PageRequest(query["page"], query["per_page"])


def from_form(
    schema: ma.Schema, form: MultiDict[str, str], *, zone: tzinfo | None = None, empty_is_null: bool = False
) -> dict[str, Any]:
    """The texts of a form as the values their fields expect; what cannot be one stays text and is refused by its field.

    An input left empty is as if it were not there or, where a form edits what exists (`empty_is_null`), takes a value
    away; a text may simply be empty. A list comes as several inputs of one name, or as one JSON array. `zone`: where
    times without one are at home. Names that are no field are kept, and refused.
    """
    found: dict[str, Any] = {}
    for name in form:
        field = schema.fields.get(name)
        texts = form.getlist(name)
        if isinstance(field, ma.fields.List | ma.fields.Nested):
            found[name] = _several(texts, field)
        elif field is None or isinstance(field, ma.fields.String) or texts[-1].strip():
            found[name] = _one(field, texts[-1], zone)
        elif empty_is_null:
            found[name] = None
    return found


def _several(texts: list[str], field: Any) -> Any:
    if len(texts) == 1 and texts[0].lstrip().startswith(("[", "{")):
        try:
            return read_json(texts[0])
        except ValueError:
            return texts[0]
    inner = getattr(field, "inner", None)
    return [_one(inner, text, None) for text in texts if text.strip()]


def _one(field: Any, text: str, zone: tzinfo | None) -> Any:
    if isinstance(field, Moment):
        return Moment.from_text(text, zone)
    from_text: Callable[[Any], Any] | None = getattr(field, "from_text", None)
    return from_text(text) if from_text is not None else text


def read_json(text: str | bytes) -> Any:
    """Raises ValueError for whatever is no JSON, a number of a million digits and a tower of brackets included."""
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


class BodyParser(FlaskParser):
    """Reads a body that is JSON or a form, whichever the caller sent, into one and the same schema."""

    def load_json(self, req: Request, schema: ma.Schema) -> Any:
        if req.mimetype in ("multipart/form-data", "application/x-www-form-urlencoded"):
            return from_form(schema, req.form, empty_is_null=req.method == "PATCH")
        body = req.get_data(cache=True)
        if not body.strip():
            return {}
        if req.mimetype and not req.is_json:
            raise UnsupportedMediaType("Send JSON or a form.")
        try:
            return read_json(body)
        except ValueError as error:
            raise BadRequest("The body could not be parsed.") from error

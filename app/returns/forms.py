"""What is handed in about spend, one at a time or as a file; what may be asked of the tables."""

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

import marshmallow as ma
from flask_babel import gettext
from flask_babel import lazy_gettext as _

from app.returns.models import NOTE_CHARACTERS
from app.rules.slugs import LONGEST_PLACEMENT, is_placement
from app.web.fields import Form, PageQuery, Spelled, Text, Whole, Word, refused

CURRENCY = "CNY"
MOST_CENTS = 10**13
MOST_ROWS = 5000
MOST_BYTES = 2_000_000
LONGEST_DAYS = 3 * 366
YEARS = range(2000, 2200)
BY = ("month", "week")

# What a file's columns may be called.
COLUMNS = {
    "placement": ("placement", "投放位"),
    "first_day": ("from", "开始日期", "日期"),
    "last_day": ("to", "结束日期"),
    "amount_cents": ("amount", "金额"),
    "currency": ("currency", "币种"),
    "note": ("note", "说明"),
}


class Day(ma.fields.Field[Any]):
    """A local day, such as 2026-11-02."""

    default_error_messages = Spelled.default_error_messages

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> date:
        try:
            found = date.fromisoformat(str(value).strip().replace("/", "-"))
        except ValueError:
            found = date.min
        if found.year not in YEARS:
            raise refused(_("A day such as 2026-11-02."))
        return found

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        return None if value is None else value.isoformat()


class Currency(Spelled):
    """Three capital letters."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        text = super()._deserialize(value, attr, data, **kwargs).strip().upper()
        if not (len(text) == 3 and text.isascii() and text.isalpha()):
            raise refused(_("Three letters, such as CNY."))
        return text


class PlacementKey(Text):
    """The key behind ?p=, or nothing."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        text = super()._deserialize(value, attr, data, **kwargs)
        if text and not is_placement(text):
            raise refused(_("This is no placement's key."))
        return text


class SpendPatch(Form):
    placement = PlacementKey(LONGEST_PLACEMENT, metadata={"description": "Behind ?p=; empty: the whole live code."})
    first_day = Day(metadata={"type": "string", "format": "date"})
    last_day = Day(metadata={"type": "string", "format": "date", "description": "Included; default: first_day."})
    amount_cents = Whole(0, MOST_CENTS, metadata={"description": "In hundredths of the currency."})
    currency = Currency()
    note = Text(NOTE_CHARACTERS)

    @ma.validates_schema
    def _check_days(self, values: Mapping[str, Any], **_more: Any) -> None:
        check_days(values)


class SpendForm(SpendPatch):
    placement = PlacementKey(LONGEST_PLACEMENT, load_default="")
    first_day = Day(required=True, metadata={"type": "string", "format": "date"})
    last_day = Day(load_default=None, metadata={"type": "string", "format": "date"})
    amount_cents = Whole(0, MOST_CENTS, required=True)
    currency = Currency(load_default=CURRENCY)
    note = Text(NOTE_CHARACTERS, load_default="")

    @ma.post_load
    def _one_day(self, values: dict[str, Any], **_more: Any) -> dict[str, Any]:
        return {**values, "last_day": values["last_day"] or values["first_day"]}


def check_days(values: Mapping[str, Any]) -> None:
    first, last = values.get("first_day"), values.get("last_day")
    if first and last and not 0 <= (last - first).days < LONGEST_DAYS:
        raise ma.ValidationError([_("Not before the first day, and three years at most.")], "last_day")


class SpendAnswer(ma.Schema):
    id = ma.fields.Integer()
    live_code_id = ma.fields.Integer()
    placement = ma.fields.String()
    first_day = ma.fields.Date()
    last_day = ma.fields.Date()
    amount_cents = ma.fields.Integer()
    currency = ma.fields.String()
    note = ma.fields.String()
    version = ma.fields.Integer()


class SpendPage(ma.Schema):
    items = ma.fields.List(ma.fields.Nested(SpendAnswer))
    page = ma.fields.Integer()
    per_page = ma.fields.Integer()
    total = ma.fields.Integer()


class RowProblem(ma.Schema):
    row = ma.fields.Integer(metadata={"description": "As a spreadsheet counts: the header is row 1."})
    message = ma.fields.String()


class ImportAnswer(ma.Schema):
    fresh = ma.fields.Integer()
    corrected = ma.fields.Integer()
    known = ma.fields.Integer()
    problems = ma.fields.List(ma.fields.Nested(RowProblem))


class TableQuery(ma.Schema):
    since = Day(data_key="from", load_default=None, metadata={"type": "string", "format": "date"})
    until = Day(data_key="to", load_default=None, metadata={"type": "string", "format": "date"})
    currency = Currency(load_default=CURRENCY)


class CohortQuery(ma.Schema):
    by = Word(*BY, load_default="month")
    count = Whole(1, 26, text=True, load_default=12, metadata={"description": "How many of them, up to the current."})
    currency = Currency(load_default=CURRENCY)
    placement = PlacementKey(LONGEST_PLACEMENT, load_default="")


class PlacementRowAnswer(ma.Schema):
    key = ma.fields.String(metadata={"description": "Empty: scans that named no placement."})
    name = ma.fields.String()
    scans = ma.fields.Integer()
    seats = ma.fields.Integer()
    presses = ma.fields.Integer()
    spent_cents = ma.fields.Integer(attribute="spent")
    per_seat = ma.fields.Decimal(as_string=True, allow_none=True, metadata={"description": "null: unknown."})
    per_press = ma.fields.Decimal(as_string=True, allow_none=True)


class PlacementTable(ma.Schema):
    items = ma.fields.List(ma.fields.Nested(PlacementRowAnswer))
    total = ma.fields.Nested(PlacementRowAnswer)
    since = ma.fields.Date(data_key="from")
    until = ma.fields.Date(data_key="to", metadata={"description": "Included."})
    currency = ma.fields.String()


class HorizonAnswer(ma.Schema):
    days = ma.fields.Integer()
    revenue_cents = ma.fields.Integer()
    clv = ma.fields.Decimal(as_string=True, allow_none=True, metadata={"description": "R / M; null: unknown."})
    roi = ma.fields.Decimal(as_string=True, allow_none=True, metadata={"description": "CLV / CAC; null: unknown."})
    is_over = ma.fields.Boolean(metadata={"description": "false: it can still grow."})


class CohortAnswer(ma.Schema):
    first_day = ma.fields.Date()
    last_day = ma.fields.Date()
    newcomers = ma.fields.Integer(metadata={"description": "M"})
    spent_cents = ma.fields.Integer(metadata={"description": "C"})
    cac = ma.fields.Decimal(as_string=True, allow_none=True, metadata={"description": "C / M; null: unknown."})
    horizons = ma.fields.List(ma.fields.Nested(HorizonAnswer))


class CohortTable(ma.Schema):
    items = ma.fields.List(ma.fields.Nested(CohortAnswer))
    by = ma.fields.String()
    currency = ma.fields.String()


class PageOfSpend(PageQuery):
    pass


@dataclass(frozen=True, slots=True)
class Problem:
    """A row of a file that cannot be read, as a spreadsheet counts rows."""

    row: int
    message: str


def cents_of(text: str) -> int | None:
    """ "1,234.50" in hundredths; None for what is no sum of money with two places at most."""
    try:
        amount = Decimal(text.strip().replace(",", "").removeprefix("¥").removeprefix("￥")) * 100
    except InvalidOperation:
        return None
    if not amount.is_finite() or amount != amount.to_integral_value() or not 0 <= amount <= MOST_CENTS:
        return None
    return int(amount)


def read_file(data: bytes) -> tuple[list[dict[str, Any]], list[Problem]]:
    """The rows that can be read, and what is wrong with the others. A file without the columns needed has one problem,
    in row 1."""
    if len(data) > MOST_BYTES:
        return [], [Problem(1, gettext("The file is too large: two megabytes at most."))]
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        try:
            text = data.decode("gb18030")  # what Excel writes in China
        except UnicodeDecodeError:
            return [], [Problem(1, gettext("This is no CSV file."))]
    rows = _rows(text)
    header = next(rows, [])
    places = _places(header)
    if "first_day" not in places or "amount_cents" not in places:
        return [], [Problem(1, gettext("The first row must name the columns: placement,from,to,amount,currency,note."))]
    good: list[dict[str, Any]] = []
    problems: list[Problem] = []
    for number, cells in enumerate(rows, 2):
        if not any(cell.strip() for cell in cells):
            continue
        if number > MOST_ROWS + 1:
            problems.append(Problem(number, gettext("%(most)s rows at most; the rest was left out.", most=MOST_ROWS)))
            break
        values = {name: cells[place].strip() for name, place in places.items() if place < len(cells)}
        try:
            good.append(_read_row(values))
        except ma.ValidationError as error:
            problems.append(Problem(number, _words(error.messages)))
    return good, problems


def _rows(text: str) -> Iterator[list[str]]:
    rows = csv.reader(io.StringIO(text.replace("\0", "")))
    while True:
        try:
            yield next(rows)
        except StopIteration:
            return
        except csv.Error:
            yield []


def _places(header: list[str]) -> dict[str, int]:
    names = [cell.strip().lower() for cell in header]
    return {name: names.index(word) for name, words in COLUMNS.items() for word in words if word in names}


def _read_row(values: Mapping[str, str]) -> dict[str, Any]:
    cents = cents_of(values.get("amount_cents", ""))
    if cents is None:
        raise ma.ValidationError({"amount_cents": [_("A sum such as 1234.50.")]})
    given = {name: text for name, text in values.items() if text and name != "amount_cents"}
    loaded: dict[str, Any] = SpendForm().load({**given, "amount_cents": cents})
    return loaded


def _words(messages: Any) -> str:
    found: Mapping[str, Any] = messages if isinstance(messages, dict) else {"": messages}
    return " ".join(
        f"{COLUMNS[name][0] if name in COLUMNS else name}: {' '.join(str(text) for text in texts)}"
        for name, texts in found.items()
    )

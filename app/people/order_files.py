"""Orders from a CSV file: read twice, first to be judged, line by line, then to be written; all of it or nothing."""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime, tzinfo
from typing import IO, Any

import marshmallow as ma

from app.people.lines import (
    MOST_LINES,
    MOST_PROBLEMS,
    PERSON,
    VISITOR,
    Columns,
    Problem,
    Reading,
    called_in,
    read_lines,
    visitor_number,
)
from app.people.orders import Bought
from app.people.rule_forms import cents
from app.web.fields import Moment

COLUMNS: Columns = {
    "order_id": ("order_id", "订单号"),
    "amount": ("amount", "金额"),
    "currency": ("currency", "币种"),
    "product": ("product", "商品"),
    "at": ("at", "时间", "下单时间"),
    **PERSON,
}
NEEDED = ("order_id", "amount", "at")
_NUMBER = re.compile(r"[^\x00-\x1f\x7f]{1,64}")
_LOCAL = re.compile(r"(\d{4})[-/](\d{1,2})[-/](\d{1,2})(?: (\d{1,2}:\d\d(?::\d\d)?))?", re.ASCII)
_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)


def judge(file: IO[bytes], reading: Reading) -> tuple[int, list[Problem]]:
    """How many orders there are, and what is wrong with them; the first fifty problems."""
    problems: list[Problem] = []
    number, visitors = 0, dict[int, int]()
    for line, one in _lines(file, reading):
        if isinstance(one, Problem):
            problems.append(one)
        else:
            number += 1
            if one.visitor_id is not None:
                visitors.setdefault(one.visitor_id, line)
        if number > MOST_LINES:
            problems.append(Problem(line, "", "too_many"))
        if len(problems) >= MOST_PROBLEMS or number > MOST_LINES:
            break
    unknown = set(visitors) - reading.may_know(sorted(visitors))
    problems += [Problem(visitors[each], VISITOR, "unknown") for each in sorted(unknown)]
    return number, sorted(problems, key=lambda one: one.line)[:MOST_PROBLEMS]


def orders(file: IO[bytes], reading: Reading) -> Iterator[Bought]:
    """The orders of a file that has been judged."""
    for _, one in _lines(file, reading):
        if isinstance(one, Bought):
            yield one


def _lines(file: IO[bytes], reading: Reading) -> Iterator[tuple[int, Bought | Problem]]:
    for line, values in read_lines(file, COLUMNS, NEEDED):
        yield line, values if isinstance(values, Problem) else _order(values, line, reading)


def _order(values: Mapping[str, str], line: int, reading: Reading) -> Bought | Problem:
    checked: dict[str, Any] = {}
    for column, check in (
        ("order_id", lambda text: text if _NUMBER.fullmatch(text) else None),
        ("amount", cents),
        ("currency", lambda text: _currency(text)),
        ("product", lambda text: text if len(text) <= 200 else None),
        ("at", lambda text: moment(text, reading.zone)),
        (VISITOR, visitor_number),
    ):
        text = values.get(column, "")
        if not text and column not in NEEDED:
            continue
        checked[column] = check(text)
        if checked[column] is None:
            return Problem(line, column, "wrong")
    called = next(called_in(values, line, reading.digest), None)
    if isinstance(called, Problem):
        return called
    return Bought(
        number=checked["order_id"],
        amount_cents=checked["amount"],
        currency=checked.get("currency", "CNY"),
        product=checked.get("product", ""),
        at=checked["at"],
        visitor_id=checked.get(VISITOR),
        called=called,
    )


def _currency(text: str) -> str | None:
    return text.upper() if _CURRENCY.fullmatch(text.upper()) else None


def moment(text: str, zone: tzinfo) -> datetime | None:
    """With its zone, or of the panel's, as spreadsheets write it: "2026/11/2 9:05"."""
    if found := _LOCAL.fullmatch(text):
        year, month, day, clock = found.groups()
        text = f"{year}-{month:0>2}-{day:0>2} {_clock(clock)}"
    try:
        at: datetime = Moment().deserialize(Moment.from_text(text, zone))
    except ma.ValidationError:
        return None
    return at


def _clock(text: str | None) -> str:
    """ "9:05" is 09:05."""
    hour, _, rest = (text or "0:00").partition(":")
    return f"{hour:0>2}:{rest}"

"""Orders from a CSV file: read twice, first to be judged, line by line, then to be written; all of it or nothing."""

import csv
import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import IO, Any

import marshmallow as ma

from app.people.identities import EXTERNAL_USERID, KINDS, OPENID, PHONE, Digest, key_of
from app.people.orders import Bought, Called
from app.people.rule_forms import cents
from app.web.fields import Moment

MOST_LINES = 20_000
MOST_PROBLEMS = 50
LONGEST_LINE = 4000

# What a column may be called.
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "order_id": ("order_id", "订单号"),
    "amount": ("amount", "金额"),
    "currency": ("currency", "币种"),
    "product": ("product", "商品"),
    "at": ("at", "时间", "下单时间"),
    "visitor_id": ("visitor_id", "访客"),
    OPENID: (OPENID,),
    EXTERNAL_USERID: (EXTERNAL_USERID, "外部联系人"),
    PHONE: (PHONE, "手机号"),
}
NEEDED = ("order_id", "amount", "at")
_NUMBER = re.compile(r"[^\x00-\x1f\x7f]{1,64}")
_LOCAL = re.compile(r"(\d{4})[-/](\d{1,2})[-/](\d{1,2})(?: (\d{1,2}:\d\d(?::\d\d)?))?", re.ASCII)
_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a line, and in which column; line 0: with the file."""

    line: int
    column: str
    what: str


@dataclass(frozen=True, slots=True)
class Reading:
    """What a file is read with. `may_know`: whether this visitor's number is one of the asker's people."""

    zone: tzinfo
    digest: Digest
    may_know: Callable[[Sequence[int]], set[int]]


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
    problems += [Problem(visitors[each], "visitor_id", "unknown") for each in sorted(unknown)]
    return number, sorted(problems, key=lambda one: one.line)[:MOST_PROBLEMS]


def orders(file: IO[bytes], reading: Reading) -> Iterator[Bought]:
    """The orders of a file that has been judged."""
    for _, one in _lines(file, reading):
        if isinstance(one, Bought):
            yield one


def _lines(file: IO[bytes], reading: Reading) -> Iterator[tuple[int, Bought | Problem]]:
    file.seek(0)
    text = io.TextIOWrapper(file, encoding=_encoding(file), errors="replace", newline="")
    try:
        rows = csv.reader(text)
        header = next(rows, [])
        names = {place: name for place, word in enumerate(header) if (name := _column(word)) is not None}
        missing = [name for name in NEEDED if name not in names.values()]
        if missing:
            yield 0, Problem(0, missing[0], "missing")
            return
        for row in rows:
            line = rows.line_num
            if not any(cell.strip() for cell in row):
                continue
            values = {name: row[place].strip() for place, name in names.items() if place < len(row)}
            yield line, _order(values, line, reading)
    except csv.Error:
        yield 0, Problem(0, "", "no_csv")
    finally:
        text.detach()


def _encoding(file: IO[bytes]) -> str:
    """What spreadsheets write in China when it is not UTF-8."""
    head = file.read(1 << 16)
    file.seek(0)
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        return "gb18030" if error.start < len(head) - 4 else "utf-8-sig"
    return "utf-8-sig"


def _column(word: str) -> str | None:
    found = word.strip().casefold()
    return next((name for name, words in COLUMNS.items() if found in words), None)


def _order(values: Mapping[str, str], line: int, reading: Reading) -> Bought | Problem:
    checked: dict[str, Any] = {}
    for column, check in (
        ("order_id", lambda text: text if _NUMBER.fullmatch(text) else None),
        ("amount", cents),
        ("currency", lambda text: _currency(text)),
        ("product", lambda text: text if len(text) <= 200 else None),
        ("at", lambda text: moment(text, reading.zone)),
        ("visitor_id", lambda text: int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None),
    ):
        text = values.get(column, "")
        if not text and column not in NEEDED:
            continue
        checked[column] = check(text)
        if checked[column] is None:
            return Problem(line, column, "wrong")
    called = _called(values, line, reading.digest)
    if isinstance(called, Problem):
        return called
    return Bought(
        number=checked["order_id"],
        amount_cents=checked["amount"],
        currency=checked.get("currency", "CNY"),
        product=checked.get("product", ""),
        at=checked["at"],
        visitor_id=checked.get("visitor_id"),
        called=called,
    )


def _called(values: Mapping[str, str], line: int, digest: Digest) -> Called | Problem | None:
    for kind in KINDS:
        if text := values.get(kind, ""):
            key = key_of(kind, text, digest)
            return Called(kind, key) if key is not None else Problem(line, kind, "wrong")
    return None


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

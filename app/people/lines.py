"""CSV files as spreadsheets in China write them: their encoding, their columns by any of their names, and what is wrong
with which line. What a line may say is each file's own."""

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import IO

from app.people.identities import EXTERNAL_USERID, KINDS, OPENID, PHONE, Digest, key_of
from app.people.orders import Called

MOST_LINES = 20_000
MOST_PROBLEMS = 50

Columns = Mapping[str, tuple[str, ...]]  # what a column may be called
VISITOR = "visitor_id"
# Who a line is about.
PERSON: Columns = {
    VISITOR: (VISITOR, "访客"),
    OPENID: (OPENID,),
    EXTERNAL_USERID: (EXTERNAL_USERID, "外部联系人"),
    PHONE: (PHONE, "手机号"),
}


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a line, and in which column; line 0: with the file."""

    line: int
    column: str
    what: str


@dataclass(frozen=True, slots=True)
class Reading:
    """What a file is read with. `may_know`: those of these visitors a line may name."""

    zone: tzinfo
    digest: Digest
    may_know: Callable[[Sequence[int]], set[int]]


def read_lines(
    file: IO[bytes], columns: Columns, needed: Sequence[str]
) -> Iterator[tuple[int, Mapping[str, str] | Problem]]:
    """Line by line, from the beginning, what stands in the columns that are known; empty lines are passed over. Where
    none is needed, one of them must be there all the same."""
    file.seek(0)
    text = io.TextIOWrapper(file, encoding=_encoding(file), errors="replace", newline="")
    try:
        rows = csv.reader(text)
        header = next(rows, [])
        names = {place: name for place, word in enumerate(header) if (name := _column(word, columns)) is not None}
        missing = [name for name in needed or list(columns)[: not names] if name not in names.values()]
        if missing:
            yield 0, Problem(0, missing[0], "missing")
            return
        for row in rows:
            line = rows.line_num
            if not any(cell.strip() for cell in row):
                continue
            yield line, {name: row[place].strip() for place, name in names.items() if place < len(row)}
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


def _column(word: str, columns: Columns) -> str | None:
    found = word.strip().casefold()
    return next((name for name, words in columns.items() if found in words), None)


def in_order(*problems: Sequence[Problem]) -> list[Problem]:
    """The first fifty of what is wrong, from the file's beginning."""
    return sorted((one for some in problems for one in some), key=lambda one: one.line)[:MOST_PROBLEMS]


def visitor_number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def called_in(values: Mapping[str, str], line: int, digest: Digest) -> Iterator[Called | Problem]:
    """The external ids by which a line names its person, one after the other."""
    for kind in KINDS:
        if text := values.get(kind, ""):
            key = key_of(kind, text, digest)
            yield Called(kind, key) if key is not None else Problem(line, kind, "wrong")

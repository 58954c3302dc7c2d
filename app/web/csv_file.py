"""A table as a file for spreadsheets: UTF-8 that Excel knows for such, and nothing in it that it would run."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from urllib.parse import quote

from flask import Response, stream_with_context

BYTE_ORDER_MARK = "\ufeff".encode()
# A spreadsheet runs what begins like this as a formula, in its full-width forms too; an apostrophe makes it a text.
FORMULA_MARKS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
AT_ONCE = 200

Cell = str | int | float | None


def csv_file(rows: Iterable[Sequence[Cell]], name: str) -> Response:
    """A download, written while the rows come."""
    response = Response(stream_with_context(_pieces(rows)), mimetype="text/csv")
    response.headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(name)}"
    response.headers["Cache-Control"] = "no-store"
    return response


def _pieces(rows: Iterable[Sequence[Cell]]) -> Iterator[bytes]:
    yield BYTE_ORDER_MARK
    text = io.StringIO()
    write = csv.writer(text).writerow
    for number, row in enumerate(rows, 1):
        write([_harmless(cell) for cell in row])
        if number % AT_ONCE == 0:
            yield _taken(text)
    yield _taken(text)


def _harmless(cell: Cell) -> Cell:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA_MARKS) else cell


def _taken(text: io.StringIO) -> bytes:
    data = text.getvalue().encode("utf-8", "replace")
    text.seek(0)
    text.truncate()
    return data

"""Spreadsheet files (XlsxWriter): rows in, an .xlsx on disk, one row in memory at a time."""

from collections.abc import Iterable, Sequence
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any

import xlsxwriter

Cell = str | int | datetime | None

ROWS_PER_SHEET = 1_048_576  # Excel's own limit, the header included
OPTIONS = {
    "constant_memory": True,
    # A text is a text, whatever it looks like: nobody who scans may put a formula or a link into our sheet.
    "strings_to_formulas": False,
    "strings_to_urls": False,
    "strings_to_numbers": False,
}


def write_xlsx(
    file: Path,
    header: Sequence[str],
    rows: Iterable[Sequence[Cell]],
    zone: tzinfo,
    rows_per_sheet: int = ROWS_PER_SHEET,
) -> None:
    """Writes a new file; a sheet that is full is followed by another one. Times are shown in `zone`: a spreadsheet
    knows none. Memory stays flat; while it is written, the disk holds the rows twice. OSError where it has no room."""
    try:
        _write(file, header, rows, zone, rows_per_sheet)
    except xlsxwriter.exceptions.FileCreateError as error:
        raise error.args[0] from None  # the library's wrapping of an OSError


def _write(
    file: Path, header: Sequence[str], rows: Iterable[Sequence[Cell]], zone: tzinfo, rows_per_sheet: int
) -> None:
    with xlsxwriter.Workbook(str(file), {**OPTIONS, "tmpdir": str(file.parent)}) as book:
        moment = book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        sheet, line = _new_sheet(book, header), 1
        for row in rows:
            if line == rows_per_sheet:
                sheet, line = _new_sheet(book, header), 1
            for column, cell in enumerate(row):
                if isinstance(cell, datetime):
                    sheet.write_datetime(line, column, cell.astimezone(zone).replace(tzinfo=None), moment)
                elif isinstance(cell, int):
                    sheet.write_number(line, column, cell)
                elif cell:
                    sheet.write_string(line, column, cell)
            line += 1


def _new_sheet(book: Any, header: Sequence[str]) -> Any:
    sheet = book.add_worksheet()
    sheet.freeze_panes(1, 0)
    bold = book.add_format({"bold": True})
    for column, name in enumerate(header):
        sheet.write_string(0, column, name, bold)
    return sheet

"""Spreadsheet files (Office Open XML): rows in, an .xlsx out in pieces while they come, one row in memory at a time.

Written by hand, because a library writes its rows to disk before it makes a file of them, which nobody can send before
its end. Only what we need of the format: texts, whole numbers and times, a bold first line that stays, several sheets.
"""

import re
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, tzinfo
from html import escape
from itertools import chain
from pathlib import Path
from string import ascii_uppercase
from typing import IO, cast

Cell = str | int | datetime | None

ROWS_PER_SHEET = 1_048_576  # Excel's own limit, the header included
LONGEST_TEXT = 32_767  # Excel's too
AT_ONCE = 200
# Days since this one, as Excel counts them.
FIRST_DAY = datetime(1899, 12, 30)
MOMENT, BOLD = 1, 2  # places in STYLES

_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_LINKS = "http://schemas.openxmlformats.org/package/2006/relationships"
_KINDS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_TYPES = "application/vnd.openxmlformats-officedocument.spreadsheetml"
STYLES = (
    f'{_HEAD}<styleSheet xmlns="{_MAIN}"><numFmts count="1">'
    '<numFmt numFmtId="164" formatCode="yyyy\\-mm\\-dd\\ hh:mm:ss"/></numFmts>'
    '<fonts count="2"><font><sz val="11"/><name val="Calibri"/></font>'
    '<font><b/><sz val="11"/><name val="Calibri"/></font></fonts>'
    '<fills count="2"><fill><patternFill patternType="none"/></fill><fill><patternFill patternType="gray125"/></fill>'
    '</fills><borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders>'
    '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>'
    '<cellXfs count="3"><xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/>'
    '<xf numFmtId="164" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/>'
    '<xf numFmtId="0" fontId="1" fillId="0" borderId="0" xfId="0" applyFont="1"/></cellXfs>'
    '<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>'
)
_SHEET = (
    f'{_HEAD}<worksheet xmlns="{_MAIN}"><sheetViews><sheetView workbookViewId="0">'
    '<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/></sheetView></sheetViews><sheetData>'
)
_LETTERS = [*ascii_uppercase, *(f"{first}{last}" for first in ascii_uppercase for last in ascii_uppercase)]
# Excel reads a character's number out of this, so its first sign is written as a number itself.
_CODE = re.compile(r"_(?=x[0-9a-fA-F]{4}_)")
# XML has no place for these, whatever they are written as.
_UNWRITABLE = {code: None for code in (*range(9), 11, 12, *range(14, 32), 0xFFFE, 0xFFFF, *range(0xD800, 0xE000))}


def write_xlsx(
    file: Path,
    header: Sequence[str],
    rows: Iterable[Sequence[Cell]],
    zone: tzinfo,
    rows_per_sheet: int = ROWS_PER_SHEET,
) -> None:
    """Writes a new file. OSError where it has no room."""
    with file.open("wb") as out:
        out.writelines(xlsx_bytes(header, rows, zone, rows_per_sheet))


def xlsx_bytes(
    header: Sequence[str],
    rows: Iterable[Sequence[Cell]],
    zone: tzinfo,
    rows_per_sheet: int = ROWS_PER_SHEET,
) -> Iterator[bytes]:
    """The file in pieces; a sheet that is full is followed by another one. Times are shown in `zone`: a spreadsheet
    knows none. A text is a text, whatever it looks like: nobody who scans may put a formula or a link into our file."""
    sink = _Sink()
    with zipfile.ZipFile(cast(IO[bytes], sink), "w", zipfile.ZIP_DEFLATED, compresslevel=1) as book:
        left, number = iter(rows), 0
        row = next(left, None)
        while row is not None or number == 0:
            number += 1
            with book.open(f"xl/worksheets/sheet{number}.xml", "w", force_zip64=True) as sheet:
                sheet.write(f"{_SHEET}{_line(1, header, zone, BOLD)}".encode())
                lines: list[str] = []
                line = 1
                while row is not None and line < rows_per_sheet:
                    line += 1
                    lines.append(_line(line, row, zone))
                    row = next(left, None)
                    if len(lines) == AT_ONCE:
                        sheet.write("".join(lines).encode())
                        lines.clear()
                        yield sink.taken()
                sheet.write(f"{''.join(lines)}</sheetData></worksheet>".encode())
            yield sink.taken()
        for name, text in _frame(number):
            book.writestr(name, text)
    yield sink.taken()


class _Sink:
    """Where the archive is written to, and taken from at once; it cannot go back."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._pieces.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        pass

    def taken(self) -> bytes:
        data = b"".join(self._pieces)
        self._pieces.clear()
        return data


def _line(line: int, row: Sequence[Cell], zone: tzinfo, style: int = 0) -> str:
    cells = [_cell(f"{_LETTERS[place]}{line}", cell, zone, style) for place, cell in enumerate(row)]
    return f'<row r="{line}">{"".join(cells)}</row>'


def _cell(place: str, cell: Cell, zone: tzinfo, style: int) -> str:
    if not cell and cell != 0:
        return ""
    if isinstance(cell, str):
        styled = f' s="{style}"' if style else ""
        kept = ' xml:space="preserve"' if cell[0].isspace() or cell[-1].isspace() else ""
        return f'<c r="{place}" t="inlineStr"{styled}><is><t{kept}>{_text(cell)}</t></is></c>'
    if isinstance(cell, datetime):
        days = (cell.astimezone(zone).replace(tzinfo=None) - FIRST_DAY).total_seconds() / 86400
        return f'<c r="{place}" s="{MOMENT}"><v>{days:.10f}</v></c>'
    return f'<c r="{place}"><v>{cell}</v></c>'


def _text(text: str) -> str:
    text = text[:LONGEST_TEXT]
    if not text.isprintable():
        text = text.translate(_UNWRITABLE)
    if "_x" in text:
        text = _CODE.sub("_x005F_", text)
    return escape(text, quote=False)


def _frame(sheets: int) -> Iterator[tuple[str, str]]:
    """What says that these are sheets of one book; written when their number is known."""
    every = range(1, sheets + 1)
    parts = "".join(
        f'<Override PartName="/xl/{name}.xml" ContentType="{_TYPES}.{kind}+xml"/>'
        for name, kind in chain(
            (("workbook", "sheet.main"), ("styles", "styles")),
            ((f"worksheets/sheet{number}", "worksheet") for number in every),
        )
    )
    yield (
        "[Content_Types].xml",
        f'{_HEAD}<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Default Extension="xml" ContentType="application/xml"/>{parts}</Types>',
    )
    yield "_rels/.rels", _links([("rId1", "officeDocument", "xl/workbook.xml")])
    listed = "".join(f'<sheet name="Sheet{number}" sheetId="{number}" r:id="rId{number}"/>' for number in every)
    yield (
        "xl/workbook.xml",
        f'{_HEAD}<workbook xmlns="{_MAIN}" xmlns:r="{_KINDS}"><sheets>{listed}</sheets></workbook>',
    )
    links = [(f"rId{number}", "worksheet", f"worksheets/sheet{number}.xml") for number in every]
    yield "xl/_rels/workbook.xml.rels", _links([*links, (f"rId{sheets + 1}", "styles", "styles.xml")])
    yield "xl/styles.xml", STYLES


def _links(links: Iterable[tuple[str, str, str]]) -> str:
    told = "".join(f'<Relationship Id="{id}" Type="{_KINDS}/{kind}" Target="{to}"/>' for id, kind, to in links)
    return f'{_HEAD}<Relationships xmlns="{_LINKS}">{told}</Relationships>'

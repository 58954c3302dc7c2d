"""Spreadsheets: sent while they are made, harmless texts, and a disk that does not take them."""

import io
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

import pytest

from app.outside.sheets import LONGEST_TEXT, write_xlsx, xlsx_bytes

SPACE = {"x": "http://schemas.openxmlformats.org/spreadsheetml/2006/main"}


def cells(data: bytes, sheet: int = 1) -> dict[str, str]:
    """What each cell of a sheet holds, by its address."""
    with zipfile.ZipFile(io.BytesIO(data)) as book:
        assert book.testzip() is None
        root = ElementTree.fromstring(book.read(f"xl/worksheets/sheet{sheet}.xml"))
    return {cell.attrib["r"]: "".join(cell.itertext()) for cell in root.iterfind(".//x:c", SPACE)}


def test_cells_stand_where_they_belong() -> None:
    moment = datetime(2026, 11, 2, 12, tzinfo=UTC)
    found = cells(b"".join(xlsx_bytes(["a", "b"], [(1, None), ("", "x"), (0, moment)], UTC)))
    assert found == {"A1": "a", "B1": "b", "A2": "1", "B3": "x", "A4": "0", "B4": "46328.5000000000"}


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("=1+1", "=1+1"),
        ("<b>&amp;</b>", "<b>&amp;</b>"),
        (" 两边 ", " 两边 "),
        ("a\x00b\x1fc\ufffe", "abc"),
        ("_x000D_", "_x005F_x000D_"),  # Excel reads the first sign's number, and no line's end
        ("长" * 40_000, "长" * LONGEST_TEXT),
        ("一\n二", "一\n二"),
        ("👪", "👪"),
    ],
)
def test_a_text_is_a_text(text: str, kept: str) -> None:
    data = b"".join(xlsx_bytes(["a"], [(text,)], UTC))
    assert cells(data)["A2"] == kept
    with zipfile.ZipFile(io.BytesIO(data)) as book:
        assert b"<f" not in book.read("xl/worksheets/sheet1.xml")


def test_every_part_that_is_named_is_there() -> None:
    with zipfile.ZipFile(io.BytesIO(b"".join(xlsx_bytes(["a"], [(1,), (2,), (3,)], UTC, rows_per_sheet=2)))) as book:
        names = set(book.namelist())
        links = ElementTree.fromstring(book.read("xl/_rels/workbook.xml.rels"))
        listed = {f"xl/{link.attrib['Target']}" for link in links}
        parts = ElementTree.fromstring(book.read("[Content_Types].xml"))
        typed = {part.attrib["PartName"].lstrip("/") for part in parts if "PartName" in part.attrib}
        for name in names:
            ElementTree.fromstring(book.read(name))
    assert (
        listed | {"xl/workbook.xml"} == typed == {name for name in names if "rels" not in name and "Types" not in name}
    )
    assert len(typed) == 5


def test_a_file_is_sent_while_its_rows_come() -> None:
    taken = []

    def rows() -> Iterator[tuple[int]]:
        for number in range(100_000):
            taken.append(number)
            yield (number,)

    sent = 0
    for piece in xlsx_bytes(["a"], rows(), UTC):
        sent += len(piece)
        if sent > 1000:
            break
    assert len(taken) < 50_000


def test_a_file_that_cannot_be_written_is_the_operating_system_s_own_trouble(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_xlsx(tmp_path / "no such folder" / "a.xlsx", ["name"], [["x"]], UTC)

"""Files of visitors: whole, in flat memory, and harmless in a spreadsheet."""

import csv
import io
import subprocess
import sys
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from sqlalchemy import Engine, insert
from werkzeug.test import TestResponse

from app.outside.sheets import write_xlsx
from app.people import export
from app.people.models import Visitor, VisitorLiveCode
from tests.happen import at, event, happened, live_codes, transaction
from tests.make import NOW, ZONE
from tests.panel import Somebody
from tests.people.conftest import Town

ROOT = Path(__file__).resolve().parents[2]
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def read_csv(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline="")))


def read_xlsx(data: bytes) -> list[list[Any]]:
    """The first sheet's cells as texts, formulas marked."""
    space = {"x": "http://schemas.openxmlformats.org/spreadsheetml/2006/main"}
    with zipfile.ZipFile(io.BytesIO(data)) as book:
        root = ElementTree.fromstring(book.read("xl/worksheets/sheet1.xml"))
    found = []
    for row in root.iterfind(".//x:row", space):
        cells = []
        for cell in row.iterfind("x:c", space):
            assert cell.find("x:f", space) is None, "a formula"
            text = "".join(part.text or "" for part in cell.iterfind(".//x:t", space))
            number = cell.find("x:v", space)
            cells.append(text if number is None else float(number.text or "nan"))
        found.append(cells)
    return found


def download(asker: Somebody, **query: Any) -> tuple[TestResponse, bytes]:
    """The answer and its file; closed, as a server does."""
    with asker.get("/visitors/export", query_string=query) as reply:
        assert reply.status_code == 200, reply.text
        return reply, reply.data


def test_a_csv_says_who_chose_what(town: Town) -> None:
    reply, data = download(town.bob, lang="en")
    assert reply.content_type == "text/csv; charset=utf-8"
    assert "attachment; filename=visitors-" in reply.headers["Content-Disposition"]
    assert data.startswith(b"\xef\xbb\xbfVisitor,")
    ann, bea = read_csv(data)
    assert ann == {
        "Visitor": ann["Visitor"],
        "First seen": "2026-11-02 10:00:00",
        "Last seen": "2026-11-02 11:01:00",
        "Scans": "1",
        "Long-presses": "1",
        "Country": "China (mainland)",
        "Province": "Guangdong",
        "City": "Guangzhou",
        "Device": "pad",
        "App": "wechat",
        "Language": "zh",
        "Live codes": "海报",
        "Choices": "母婴群",
        "Members": "内部三群",
        "Placements": "门口",
        "Tags": "母婴",
    }
    assert (bea["Live codes"], bea["City"]) == ("传单", "")


def test_filters_and_ownership_hold_for_files_too(town: Town) -> None:
    def numbers(asker: Somebody, **query: Any) -> int:
        return len(read_csv(download(asker, **query)[1]))

    assert (numbers(town.bob), numbers(town.carl), numbers(town.alice)) == (2, 2, 3)
    assert numbers(town.bob, tag="母婴") == 1
    assert numbers(town.bob, tag="数码") == 0
    assert numbers(town.alice, region="CN/CN-BJ") == 2


@on_sqlite
def test_a_chinese_reader_gets_chinese_columns_and_places(town: Town) -> None:
    ann = read_csv(download(town.bob, lang="zh")[1])[0]
    assert list(ann)[:3] == ["访客", "首次扫码", "最近扫码"]
    assert (ann["省份"], ann["城市"]) == ("广东", "广州")


FORMULAS = ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "＝1+1", "＋1", "－1", "＠x", '=HYPERLINK("http://x")')


@on_sqlite
def test_nothing_in_a_file_is_a_formula(engine: Engine, town: Town) -> None:
    for number, tag in enumerate(FORMULAS):
        happened(engine, event(visitor=f"f{number}", tag=tag, choice_id=5, at=at("2026-11-05 10:00")))
    tags = [row["标签"] for row in read_csv(download(town.bob, lang="zh")[1])]
    assert {f"'{tag}" for tag in FORMULAS} <= set(tags)
    assert not [tag for tag in tags if tag.startswith(export.FORMULA_MARKS)]
    cells = read_xlsx(download(town.bob, format="xlsx")[1])
    assert {row[-1] for row in cells} >= set(FORMULAS)  # as texts, which read_xlsx has made sure of


def test_a_spreadsheet_holds_texts_numbers_and_times(town: Town) -> None:
    reply, data = download(town.bob, format="xlsx", lang="en")
    assert reply.content_type.endswith("spreadsheetml.sheet")
    header, ann, _bea = read_xlsx(data)
    assert header[0] == "Visitor"
    assert ann[3:5] == [1.0, 1.0]
    # Excel's own count of days, in the panel's time zone.
    assert ann[1] == pytest.approx((datetime(2026, 11, 2, 10) - datetime(1899, 12, 30)).total_seconds() / 86400)
    assert ann[-1] == "母婴"


@on_sqlite
def test_no_file_is_left_behind(app: Any, town: Town) -> None:
    data_dir = app.extensions["huozi"].settings.data_dir
    before = {path for path in data_dir.rglob("*") if "scratch" in path.parts or path.suffix in (".xlsx", ".csv")}
    download(town.bob, format="xlsx")
    after = {path for path in data_dir.rglob("*") if "scratch" in path.parts or path.suffix in (".xlsx", ".csv")}
    assert after == before == set()


@on_sqlite
@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_a_download_begins_before_its_end_is_known(town: Town, kind: str) -> None:
    with town.bob.get("/visitors/export", query_string={"format": kind}, buffered=False) as reply:
        assert reply.is_streamed
        assert "Content-Length" not in reply.headers


def test_a_full_sheet_is_followed_by_another(tmp_path: Path) -> None:
    file = tmp_path / "five.xlsx"
    write_xlsx(file, ["a"], [(number,) for number in range(5)], ZONE, rows_per_sheet=3)
    with zipfile.ZipFile(file) as book:
        assert len([name for name in book.namelist() if "worksheets/sheet" in name]) == 3


def test_an_empty_file_has_its_header(tmp_path: Path) -> None:
    assert read_csv(b"".join(export.csv_bytes(["a", "b"], [], ZONE))) == []
    write_xlsx(tmp_path / "none.xlsx", ["a", "b"], [], ZONE)
    assert read_xlsx((tmp_path / "none.xlsx").read_bytes()) == [["a", "b"]]


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (None, ""),
        (5, "5"),
        ("=1", "'=1"),
        ("a=1", "a=1"),
        ("", ""),
        (datetime(2026, 11, 1, 16, tzinfo=UTC), "2026-11-02 00:00:00"),
    ],
)
def test_cells_become_texts(cell: export.Cell, text: str) -> None:
    assert export.as_text(cell, ZONE) == text


PEOPLE = 50_000
EXPORTING = """
import resource, sys
from app import create_app
from app.db import db
from app.people import export
from app.people.wanted import Wanted
from app.outside.sheets import write_xlsx
from app.settings import load
from pathlib import Path

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024

app = create_app(load({"HUOZI_DATA_DIR": sys.argv[2], "HUOZI_DATABASE_URL": sys.argv[1], "HUOZI_SECRET_KEY": "x"}))
zone = app.extensions["huozi"].settings.zone
with app.app_context():
    def rows():
        return export.rows(db.session, None, Wanted(), "zh")
    few = iter(rows())
    for _ in range(1500):
        next(few)
    few.close()
    before = peak()
    size = sum(len(part) for part in export.csv_bytes(export.COLUMNS, rows(), zone))
    after_csv = peak()
    file = Path(sys.argv[2]) / "all.xlsx"
    write_xlsx(file, export.COLUMNS, rows(), zone)
    print(before, after_csv, peak(), size, file.stat().st_size)
"""


@on_sqlite
def test_fifty_thousand_visitors_are_written_in_flat_memory(engine: Engine, database_url: str, tmp_path: Path) -> None:
    live_codes(engine, 1)
    visitor = {
        "first_seen_at": NOW, "last_seen_at": NOW, "scans": 1, "pressed": 0, "first_live_code_id": 1,
        "region": "CN/CN-GD/440100", "device": "phone", "app": "wechat", "language": "zh",
    }  # fmt: skip
    under = {"live_code_id": 1, "first_at": NOW, "last_at": NOW, "scans": 1, "pressed": 0, "stuck": 0}
    with transaction(engine) as connection:
        ids = range(1, PEOPLE + 1)
        connection.execute(insert(Visitor), [{"id": id, "key": f"visitor-{id}", **visitor} for id in ids])
        connection.execute(insert(VisitorLiveCode), [{"visitor_id": id, **under} for id in ids])
    done = subprocess.run(
        [sys.executable, "-c", EXPORTING, database_url, str(tmp_path)], capture_output=True, cwd=ROOT, timeout=120
    )
    assert done.returncode == 0, done.stderr.decode()
    before, after_csv, after_xlsx, size, xlsx_size = map(int, done.stdout.split())
    assert size > PEOPLE * 50
    assert xlsx_size > PEOPLE
    assert after_csv - before < 16, f"CSV of {size >> 20} MB took {after_csv - before} MB"
    assert after_xlsx - before < 24, f"XLSX took {after_xlsx - before} MB"

"""The sheet that docs/cohorts.md works by hand, computed by both databases; and who may know what."""

import re
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy.orm import Session

from app.returns import store
from app.returns.store import Asked
from app.rules.cohorts import Cohort, Sheet
from app.settings import ROOT
from tests.panel import share
from tests.returns.conftest import World

ZONE = ZoneInfo("Asia/Shanghai")
AUTUMN = (
    Cohort(date(2026, 9, 1), date(2026, 9, 30)),
    Cohort(date(2026, 10, 1), date(2026, 10, 31)),
)


def sheets(
    world: World, asker: int | None = None, code: int | None = 1, placement: str = "", **more: Any
) -> list[Sheet]:
    with Session(world.engine) as session:
        return store.sheets(session, Asked(asker, code, placement), AUTUMN, more.get("currency", "CNY"), ZONE)


@pytest.fixture
def sheet(world: World) -> World:
    world.came("ann", "2026-09-01 10:00")
    world.came("bea", "2026-09-03 09:00")
    world.came("cho", "2026-09-15 12:00")
    world.came("dan", "2026-09-30 23:59")
    world.bought("ann", "2026-09-01 20:00", 20000)
    world.bought("ann", "2026-09-20 12:00", 9999)
    world.bought("bea", "2026-09-10 09:00", 5000)
    world.bought("cho", "2026-09-14 12:00", 50000)
    world.bought("cho", "2026-11-20 12:00", 12000)
    world.bought("cho", "2026-11-21 12:00", -12000)
    world.spent("2026-09-01", 30000, placement="gate", note="printing")
    world.spent("2026-09-28", 10000, placement="gate", last_day="2026-10-02")
    return world


def cells(row: str) -> list[str]:
    return [cell.strip() for cell in row.strip().strip("|").split("|")]


def test_the_sheet_is_the_one_worked_by_hand(sheet: World) -> None:
    text = (ROOT / "docs" / "cohorts.md").read_text(encoding="utf-8")
    found = re.search(r"^\| September .*?(?=\n\n)", text, re.MULTILINE | re.DOTALL)
    assert found is not None
    rows = [cells(row) for row in found[0].split("\n")]
    for name, first, second, row in (
        ("September", rows[0], rows[1], sheets(sheet)[0]),
        ("October", rows[2], rows[3], sheets(sheet)[1]),
    ):
        shown = [row.cac, *row.clvs, *row.rois]
        texts = ["–" if value is None else str(value) for value in shown]
        assert first[:3] == [name, str(row.newcomers), f"{row.spent / 100:.2f}"]
        assert [first[3], *first[5:], *second[5:]] == texts


def test_the_api_answers_the_same(sheet: World) -> None:
    told = sheet.bob.answer("/live-codes/1/cohorts", query_string={"count": 26, "by": "month"})
    by_day = {item["first_day"]: item for item in told["items"]}
    assert len(by_day) == 26
    row = by_day.get("2026-09-01")
    if row is not None:  # as long as it is among the last 26 months
        assert (row["newcomers"], row["spent_cents"], row["cac"]) == (4, 36000, "90.00")
        assert [one["roi"] for one in row["horizons"]][2:] == ["0.97"] * 4
        assert by_day["2026-10-01"]["cac"] is None


def test_a_placement_has_its_own_sheet(sheet: World) -> None:
    sheet.came("eve", "2026-09-05 10:00", placement="hall")
    sheet.bought("eve", "2026-09-05 11:00", 700)
    hall, gate = sheets(sheet, placement="hall")[0], sheets(sheet, placement="gate")[0]
    assert (hall.newcomers, hall.spent, hall.revenues[0]) == (1, 0, 700)
    assert (gate.newcomers, gate.spent, gate.revenues[0]) == (4, 36000, 20000)
    assert (sheets(sheet)[0].newcomers, sheets(sheet)[0].revenues[0]) == (5, 20700)


def test_who_was_elsewhere_first_is_no_newcomer_here(sheet: World) -> None:
    sheet.came("fay", "2026-09-02 10:00", live_code_id=2)
    sheet.came("fay", "2026-09-03 10:00")
    sheet.bought("fay", "2026-09-04 10:00", 4000)
    assert sheets(sheet)[0].newcomers == 4
    assert sheets(sheet)[0].revenues[-1] == 34999
    assert sheets(sheet, code=2)[0].newcomers == 1


def test_all_live_codes_together_count_nobody_twice(sheet: World) -> None:
    sheet.came("fay", "2026-09-02 10:00", live_code_id=2)
    sheet.came("fay", "2026-09-03 10:00")
    sheet.spent("2026-09-09", 500, sheet.carl, 2)
    whole = sheets(sheet, code=None)[0]
    assert (whole.newcomers, whole.spent) == (5, 36500)
    bobs, carls = sheets(sheet, sheet.bob.id, None)[0], sheets(sheet, sheet.carl.id, None)[0]
    assert (bobs.newcomers, bobs.spent) == (4, 36000)
    assert (carls.newcomers, carls.spent, carls.revenues[-1]) == (1, 500, 0)


def test_orders_of_the_house_are_everybody_s_and_another_owner_s_are_not(sheet: World) -> None:
    sheet.bought("dan", "2026-10-01 08:00", 100, owner_id=0)
    sheet.bought("dan", "2026-10-01 09:00", 100_000, sheet.carl)
    assert sheets(sheet)[0].revenues[0] == 20100
    assert sheets(sheet, code=None)[0].revenues[0] == 20100


def test_currencies_are_not_mixed(sheet: World) -> None:
    sheet.bought("dan", "2026-10-01 08:00", 100, currency="USD")
    sheet.spent("2026-09-30", 50, currency="USD")
    [dollars, _] = sheets(sheet, currency="USD")
    assert (dollars.spent, dollars.revenues[0], dollars.newcomers) == (50, 100, 4)
    assert sheets(sheet)[0].revenues[0] == 20000
    with Session(sheet.engine) as session:
        assert set(store.currencies(session, Asked(None, 1))) == {"CNY", "USD"}


def test_an_order_a_second_short_of_the_horizon_is_within_it(sheet: World) -> None:
    sheet.bought("dan", "2026-10-01 23:58:59", 100)
    sheet.bought("dan", "2026-10-01 23:59:00", 7)
    assert sheets(sheet)[0].revenues[:2] == (20100, 20107)


def test_others_live_codes_do_not_exist_and_shared_ones_do(sheet: World) -> None:
    assert sheet.carl.get("/live-codes/1/cohorts").status_code == 404
    share(sheet.engine, 1, sheet.carl, "view")
    assert sheet.carl.get("/live-codes/1/cohorts").status_code == 200


@pytest.mark.parametrize(
    "query", [{"by": "day"}, {"count": 27}, {"count": 0}, {"currency": "yuan"}, {"placement": "a b"}]
)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_cannot_be_asked_is_refused(world: World, query: dict[str, Any]) -> None:
    assert world.bob.get("/live-codes/1/cohorts", query_string=query).status_code == 422

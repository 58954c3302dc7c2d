import io
import threading
from datetime import date
from typing import Any

import pytest
from sqlalchemy.orm import Session

from app.db import writing
from app.db.audit import Actor
from app.returns import forms, spend
from tests.happen import at, event, happened
from tests.panel import share, somebody
from tests.returns.conftest import World

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
FILE = """placement,from,to,amount,currency,note
gate,2026-09-01,,300.00,CNY,printing
,2026-09-28,2026-10-02,"1,100.00",CNY,moments
"""


def imported(world: World, text: str | bytes, status: int = 200) -> Any:
    answer = world.bob.call("POST", "/live-codes/1/spend/import", data=text, content_type="text/csv")
    assert answer.status_code == status, answer.text
    return answer.json


def listed(world: World) -> list[tuple[str, str, str, int]]:
    rows = world.bob.answer("/live-codes/1/spend")["items"]
    return sorted((row["placement"], row["first_day"], row["last_day"], row["amount_cents"]) for row in rows)


def test_one_day_needs_no_last_day(world: World) -> None:
    world.spent("2026-09-01", 30000, placement="gate")
    assert listed(world) == [("gate", "2026-09-01", "2026-09-01", 30000)]


def test_the_same_spend_is_entered_once(world: World) -> None:
    world.spent("2026-09-01", 30000)
    again = world.bob.call("POST", "/live-codes/1/spend", json={"first_day": "2026-09-01", "amount_cents": 1})
    assert (again.status_code, (again.json or {})["error"]["code"]) == (409, "duplicate_spend")
    world.spent("2026-09-01", 1, note="another bill")


def test_two_who_enter_the_same_at_once_enter_it_once(world: World) -> None:
    values = {"placement": "", "first_day": date(2026, 9, 1), "last_day": date(2026, 9, 1), "amount_cents": 5,
              "currency": "CNY", "note": ""}  # fmt: skip
    go, done = threading.Barrier(4), []

    def enter() -> None:
        go.wait(10)
        with Session(world.engine) as session, writing(session):
            done.append(spend.add_spend(session, Actor("test"), 1, values) is not None)

    threads = [threading.Thread(target=enter) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(done) == [False, False, False, True]


def test_a_spend_is_changed_and_taken_away(world: World) -> None:
    id_ = world.spent("2026-09-01", 30000)
    changed = world.bob.call("PATCH", f"/spend/{id_}", json={"amount_cents": 1, "last_day": "2026-09-03"}).json
    assert changed is not None
    assert (changed["amount_cents"], changed["last_day"], changed["version"]) == (1, "2026-09-03", 2)
    assert world.bob.call("PATCH", f"/spend/{id_}", json={"first_day": "2026-09-04"}).status_code == 422
    other = world.spent("2026-09-02", 5)
    clash = world.bob.call("PATCH", f"/spend/{other}", json={"first_day": "2026-09-01", "last_day": "2026-09-03"})
    assert clash.status_code == 409
    assert world.bob.call("DELETE", f"/spend/{id_}").status_code == 204
    assert len(listed(world)) == 1


def test_who_may_only_look_changes_nothing(world: World) -> None:
    id_ = world.spent("2026-09-01", 30000)
    assert world.carl.get("/live-codes/1/spend").status_code == 404
    assert world.carl.call("DELETE", f"/spend/{id_}").status_code == 404
    share(world.engine, 1, world.carl, "view")
    assert world.carl.get("/live-codes/1/spend").status_code == 200
    body = {"first_day": "2026-09-02", "amount_cents": 1}
    assert world.carl.call("POST", "/live-codes/1/spend", json=body).status_code == 403
    assert world.carl.call("POST", "/live-codes/1/spend/import", data=FILE).status_code == 403
    assert world.carl.call("PATCH", f"/spend/{id_}", json={"amount_cents": 1}).status_code == 404
    viewer = somebody(world.app, world.engine, "viewer")
    assert viewer.call("POST", "/live-codes/1/spend", json=body).status_code == 403
    assert world.alice.call("POST", "/live-codes/1/spend", json=body).status_code == 201


def test_a_file_sent_twice_changes_nothing_the_second_time(world: World) -> None:
    assert imported(world, FILE) == {"fresh": 2, "corrected": 0, "known": 0, "problems": []}
    assert imported(world, FILE) == {"fresh": 0, "corrected": 0, "known": 2, "problems": []}
    assert listed(world) == [("", "2026-09-28", "2026-10-02", 110000), ("gate", "2026-09-01", "2026-09-01", 30000)]


def test_another_amount_corrects_the_row(world: World) -> None:
    imported(world, FILE)
    assert imported(world, FILE.replace("300.00", "310.00"))["corrected"] == 1
    assert ("gate", "2026-09-01", "2026-09-01", 31000) in listed(world)


def test_a_row_that_is_in_a_file_twice_counts_once(world: World) -> None:
    lines = FILE.splitlines()
    assert imported(world, "\n".join([*lines, lines[1]])) == {"fresh": 2, "corrected": 0, "known": 1, "problems": []}


def test_bad_rows_are_listed_and_the_good_ones_taken(world: World) -> None:
    told = imported(
        world,
        FILE + "gate,tomorrow,,1,CNY,\n\ngate,2026-09-02,,many,CNY,\ngate,2026-09-05,2026-09-04,1,CNY,\n"
        "a b,2026-09-02,,1,CNY,\ngate,2026-09-02,,1.005,CNY,\ngate,2026-09-02,,-1,CNY,\ngate,2026-09-02,,1,yuan,\n",
    )
    assert told["fresh"] == 2
    assert [problem["row"] for problem in told["problems"]] == [4, 6, 7, 8, 9, 10, 11]
    assert told["problems"][0]["message"].startswith("from: ")
    assert told["problems"][1]["message"].startswith("amount: ")


@on_sqlite
def test_excel_s_chinese_files_are_read(world: World) -> None:
    text = "投放位,日期,结束日期,金额,币种,说明\r\ngate,2026/09/01,,￥300,,印刷\r\n"
    assert imported(world, text.encode("gb18030"))["fresh"] == 1
    assert imported(world, text.encode("utf-8-sig"))["known"] == 1


@on_sqlite
@pytest.mark.parametrize("text", [b"", b"\xff\xfe\x00", b"a,b\n1,2\n", b"\x00" * 100, "金额\n1".encode()])
def test_what_is_no_such_file_says_so(world: World, text: bytes) -> None:
    told = imported(world, text)
    assert (told["fresh"], [problem["row"] for problem in told["problems"]]) == (0, [1])


@on_sqlite
def test_a_form_s_file_is_taken_too_and_one_too_large_is_not(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = world.bob.call("POST", "/live-codes/1/spend/import", data={"file": (io.BytesIO(FILE.encode()), "x.csv")})
    assert (answer.json or {})["fresh"] == 2
    monkeypatch.setattr(forms, "MOST_ROWS", 1)
    assert [problem["row"] for problem in imported(world, FILE)["problems"]] == [3]
    monkeypatch.setattr(forms, "MOST_BYTES", 10)
    assert [problem["row"] for problem in imported(world, FILE)["problems"]] == [1]


@pytest.mark.parametrize(
    ("text", "cents"),
    [("300", 30000), ("1,234.50", 123450), ("￥0.01", 1), ("", None), ("1.001", None), ("NaN", None), ("1e20", None),
     ("-1", None), ("Infinity", None), ("１２", 1200)],
)  # fmt: skip
def test_sums_are_read_exactly(text: str, cents: int | None) -> None:
    assert forms.cents_of(text) == cents


def test_the_table_tells_what_each_placement_drew_and_cost(world: World) -> None:
    happened(
        world.engine,
        event(visitor="ann", at=at("2026-09-01 10:00"), placement="gate"),
        event(visitor="bea", at=at("2026-09-02 10:00"), placement="gate"),
        event("press", visitor="bea", at=at("2026-09-02 10:01"), placement="gate"),
        event(visitor="cho", at=at("2026-09-02 10:00"), placement=None, outcome="full", member_id=None),
        event(visitor="dan", at=at("2026-10-05 10:00"), placement="gate"),
    )
    world.spent("2026-09-01", 30000, placement="gate")
    world.spent("2026-09-28", 10000, last_day="2026-10-02")
    told = world.bob.answer("/live-codes/1/placements/table", query_string={"from": "2026-09-01", "to": "2026-09-30"})
    rows = {row["key"]: row for row in told["items"]}
    gate, none, hall = rows["gate"], rows[""], rows["hall"]
    assert (gate["name"], gate["scans"], gate["seats"], gate["presses"], gate["spent_cents"]) == (
        "大门",
        2,
        2,
        1,
        30000,
    )
    assert (gate["per_seat"], gate["per_press"]) == ("150.00", "300.00")
    assert (none["scans"], none["seats"], none["spent_cents"], none["per_seat"]) == (1, 0, 6000, None)
    assert (hall["scans"], hall["spent_cents"], hall["per_seat"]) == (0, 0, None)
    assert (told["total"]["scans"], told["total"]["spent_cents"]) == (3, 36000)
    assert [row["key"] for row in told["items"]] == ["gate", "", "hall"]


@on_sqlite
def test_a_table_of_no_days_is_refused_and_of_no_scans_is_empty(world: World) -> None:
    path = "/live-codes/1/placements/table"
    assert world.bob.get(path, query_string={"from": "2026-09-02", "to": "2026-09-01"}).status_code == 422
    assert world.bob.get(path, query_string={"from": "yesterday"}).status_code == 422
    assert world.carl.get(path).status_code == 404
    assert world.bob.answer(path)["total"]["scans"] == 0

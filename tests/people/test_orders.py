"""Orders find their visitor, by whatever name; two who are called the same are one person."""

import io
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy import Engine

from app.people.models import Alias, Identity, Order, Visitor, Worth
from app.pipeline.fold import fold
from tests.happen import at, count, event, happened, rows, transaction
from tests.panel import Somebody, logged_in, share
from tests.people.conftest import Town

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
HEADER = "order_id,amount,currency,product,at,visitor_id,openid,phone\n"


def hand_in(asker: Somebody, *lines: str, header: str = HEADER, status: int = 200) -> dict[str, Any]:
    file = (io.BytesIO((header + "\n".join(lines)).encode()), "orders.csv")
    reply = asker.call("POST", "/orders/import?lang=en", data={"file": file})
    assert reply.status_code == status, reply.text
    found: dict[str, Any] = reply.json or {}
    return found


def call_them(asker: Somebody, visitor: int, kind: str, value: str, status: int = 200) -> dict[str, Any]:
    reply = asker.call("POST", f"/visitors/{visitor}/external-ids", json={"kind": kind, "value": value})
    assert reply.status_code == status, reply.text
    found: dict[str, Any] = reply.json or {}
    return found


def worth(engine: Engine) -> list[tuple[int, int, int]]:
    return [(row["visitor_id"], row["orders"], row["amount_cents"]) for row in rows(engine, Worth)]


@pytest.fixture
def ann(town: Town) -> int:
    return town.visitor(town.bob, tag="母婴")


def test_a_file_of_orders_finds_people_and_is_read_once(engine: Engine, town: Town, ann: int) -> None:
    call_them(town.bob, ann, "phone", "+86 138 0013 8000")
    lines = (f"A-1,99.50,CNY,面膜,2026-11-03 10:00,{ann},,", "A-2,¥100,,茶,2026-11-04 10:00,,,13800138000")
    assert hand_in(town.bob, *lines) == {"orders": 2, "new": 2, "problems": []}
    assert hand_in(town.bob, *lines)["new"] == 0
    assert worth(engine) == [(ann, 2, 19950)]
    hand_in(town.bob, "A-2,-100,CNY,退货,2026-11-04 10:00,,,13800138000")
    assert worth(engine) == [(ann, 1, -50)]
    [first, _] = town.bob.answer("/orders", query_string={"visitor_id": ann})["items"]
    assert (first["order_id"], first["amount_cents"], first["product"]) == ("A-2", -10000, "退货")


def test_an_order_waits_for_its_visitor(engine: Engine, town: Town, ann: int) -> None:
    hand_in(town.bob, "A-1,10,CNY,,2026-11-03T10:00:00+08:00,,o-ann-1,")
    assert worth(engine) == []
    call_them(town.bob, ann, "openid", "o-ann-1")
    assert worth(engine) == [(ann, 1, 1000)]


def test_a_phone_number_is_nowhere_in_the_clear(engine: Engine, town: Town, ann: int) -> None:
    hand_in(town.bob, "A-1,10,CNY,,2026-11-03 10:00,,,13800138000")
    answer = call_them(town.bob, ann, "phone", "0086-138-0013-8000")
    assert len(answer["orders"]) == 1
    with engine.connect() as connection:
        for table in (Identity, Order):
            text = str(connection.execute(sa.select(table.__table__)).all())
            assert "8000" not in text.replace("800000", ""), text
            assert "0013" not in text


@on_sqlite
@pytest.mark.parametrize(
    ("line", "column"),
    [
        (",10,CNY,,2026-11-03 10:00,,,", "order_id"),
        ("A,x,CNY,,2026-11-03 10:00,,,", "amount"),
        ("A,10.123,CNY,,2026-11-03 10:00,,,", "amount"),
        ("A,10,YUAN,,2026-11-03 10:00,,,", "currency"),
        ("A,10,CNY,,yesterday,,,", "at"),
        ("A,10,CNY,,2026-11-03 10:00,ann,,", "visitor_id"),
        ("A,10,CNY,,2026-11-03 10:00,3,,", "visitor_id"),
        ("A,10,CNY,,2026-11-03 10:00,,!,", "openid"),
        ("A,10,CNY,,2026-11-03 10:00,,,12", "phone"),
    ],
)
def test_a_wrong_line_is_named_and_nothing_is_written(engine: Engine, town: Town, line: str, column: str) -> None:
    good = "G-1,10,CNY,,2026-11-03 10:00,,,"
    [problem] = hand_in(town.bob, good, line, good, status=422)["problems"]
    assert (problem["line"], problem["column"]) == (3, column)
    assert count(engine, Order) == 0


@on_sqlite
def test_files_from_spreadsheets_in_china_are_read(engine: Engine, town: Town, ann: int) -> None:
    text = f'订单号,金额,时间,商品,访客\r\nA-1,"1,299.00",2026/11/3 9:05,茶,{ann}\r\n\r\n'
    for encoding in ("utf-8-sig", "gb18030"):
        reply = town.bob.call("POST", "/orders/import", data=text.encode(encoding), content_type="text/csv")
        assert reply.status_code == 200, reply.text
    [order] = rows(engine, Order)
    assert (order["amount_cents"], order["product"]) == (129900, "茶")
    assert order["at"] == at("2026-11-03 09:05")


@on_sqlite
def test_a_file_that_is_no_table_says_so(town: Town) -> None:
    assert hand_in(town.bob, header="a,b\n", status=422)["problems"][0]["line"] == 0
    assert hand_in(town.bob, header="", status=422)["problems"][0]["message"] == "The column order_id is missing."
    many = [f"A-{number},1,CNY,,2026-11-03 10:00,,," for number in range(20_001)]
    large = (HEADER + "\n".join(many)).encode()
    reply = town.bob.call("POST", "/orders/import?lang=en", data=large, content_type="text/csv")
    assert reply.status_code == 422
    assert "at most 20000" in reply.text


def test_orders_by_api(engine: Engine, town: Town, ann: int) -> None:
    order = {"order_id": "B-1", "amount_cents": 500, "at": "2026-11-03T10:00:00Z", "visitor_id": ann}
    reply = town.bob.call("POST", "/orders", json={"orders": [order, {**order, "order_id": "B-2", "visitor_id": None}]})
    assert reply.json == {"orders": 2, "new": 2, "problems": []}
    assert worth(engine) == [(ann, 1, 500)]
    cho = town.visitor(town.carl, region="CN/CN-BJ")
    assert town.bob.call("POST", "/orders", json={"orders": [{**order, "visitor_id": cho}]}).status_code == 422
    assert town.bob.get("/orders", query_string={"visitor_id": cho}).status_code == 404
    assert town.carl.answer("/orders", query_string={"visitor_id": ann})["items"] == []  # Bob's alone


def test_two_who_are_called_the_same_are_one(app: Flask, engine: Engine, town: Town, ann: int) -> None:
    happened(engine, event(visitor="ann2", at=at("2026-11-05 10:00"), region="CN/CN-BJ", placement="背面"),
             event("press", visitor="ann2", at=at("2026-11-05 10:01")))  # fmt: skip
    other = town.visitor(town.bob, placement="背面")
    town.bob.call("POST", f"/visitors/{other}/tags", json={"tag": "回访"})
    hand_in(town.bob, f"A-1,10,CNY,,2026-11-03 10:00,{other},,")
    call_them(town.alice, ann, "openid", "o-ann")
    assert call_them(town.alice, other, "openid", "o-ann")["id"] == ann
    assert town.alice.get(f"/visitors/{other}").status_code == 404
    found = town.bob.answer(f"/visitors/{ann}")
    assert {tag["name"] for tag in found["tags"]} == {"母婴", "回访"}
    [code] = found["live_codes"]
    assert (code["scans"], code["pressed"], code["placement"], code["choice"]) == (2, 2, "门口", "母婴群")
    assert worth(engine) == [(ann, 1, 1000)]
    happened(engine, event(visitor="ann2", at=at("2026-11-06 10:00")))  # the other browser again
    assert town.bob.answer(f"/visitors/{ann}")["scans"] == 3
    assert count(engine, Visitor) == 3


@on_sqlite
def test_nobody_joins_people_others_know(engine: Engine, town: Town, ann: int) -> None:
    bea = town.visitor(town.bob, live_code_id=2)
    call_them(town.bob, ann, "openid", "o-same")
    refused = call_them(town.bob, bea, "openid", "o-same", 409)  # Carl knows Ann, too
    assert refused["error"]["code"] == "known_elsewhere"
    assert count(engine, Alias) == 0
    call_them(town.carl, bea, "openid", "o-x-1", 404)
    share(engine, 2, town.carl, "view")
    call_them(town.carl, bea, "openid", "o-x-1", 403)


def test_an_erased_person_leaves_no_name_and_no_order(app: Flask, engine: Engine, town: Town, ann: int) -> None:
    happened(engine, event(visitor="ann2", at=at("2026-11-05 10:00"), placement="背面"))
    call_them(town.alice, ann, "openid", "o-ann")
    call_them(town.alice, town.visitor(town.bob, placement="背面"), "openid", "o-ann")
    hand_in(town.bob, "A-1,10,CNY,,2026-11-03 10:00,,o-ann,")
    assert town.alice.call("DELETE", f"/visitors/{ann}").status_code == 204
    assert count(engine, Identity) == count(engine, Alias) == count(engine, Worth) == 0
    [order] = rows(engine, Order)
    assert (order["visitor_id"], order["identity_key"], order["amount_cents"]) == (None, None, 1000)
    # Neither browser brings back what was said before.
    late = [event(visitor=key, at=at("2026-11-05 11:00")) for key in ("ann", "ann2")]
    with transaction(engine) as connection:
        fold(connection, late, app.extensions["huozi"].drainer.audience)
    assert count(engine, Visitor) == 2


@on_sqlite
def test_the_panel_reads_a_file_and_a_name(app: Flask, engine: Engine, town: Town, ann: int) -> None:
    bob = logged_in(app, town.bob)
    good = (io.BytesIO((HEADER + f"A-1,10,CNY,茶,2026-11-03 10:00,{ann},,").encode()), "o.csv")
    assert "1 order was read" in bob.post("/visitors/orders?lang=en", data={"file": good}).text
    bad = (io.BytesIO((HEADER + "A-1,x,CNY,,2026-11-03 10:00,,,").encode()), "o.csv")
    reply = bob.post("/visitors/orders?lang=en", data={"file": bad})
    assert reply.status_code == 422
    assert "Line 2: amount cannot be used." in reply.text
    assert bob.post("/visitors/orders").status_code == 303
    assert bob.post(f"/visitors/{ann}/external-ids", data={"kind": "openid", "value": "o-ann"}).status_code == 303
    bob.post(f"/visitors/{ann}/external-ids", data={"kind": "phone", "value": "1"})
    text = bob.get(f"/visitors/{ann}?lang=en").text
    for shown in ("o-ann", "10 CNY", "茶", "A-1", "This cannot be used."):
        assert shown in text, shown

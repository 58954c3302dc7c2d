"""What people are called, and tags, handed in as a file: all of it or nothing, about one's own people only."""

import io
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Engine

from app.people.imports import MOST_JOINS
from app.people.lines import MOST_LINES
from app.people.models import Alias, Identity, Tag, Visitor, VisitorTag, Worth
from app.people.person_files import MOST_TAGS
from tests.happen import at, count, event, happened, rows
from tests.panel import Somebody, logged_in, share, somebody
from tests.people.conftest import Town
from tests.people.test_orders import call_them, worth
from tests.people.test_orders import hand_in as hand_in_orders

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
NAMES = "visitor_id,openid,external_userid,phone\n"
TAGS = "tag,category,visitor_id,openid,phone\n"


def hand_in(asker: Somebody, what: str, *lines: str, header: str = "", status: int = 200) -> dict[str, Any]:
    header = header or (NAMES if what == "external-ids" else TAGS)
    file = (io.BytesIO((header + "\n".join(lines)).encode()), "people.csv")
    reply = asker.call("POST", f"/visitors/{what}/import?lang=en", data={"file": file})
    assert reply.status_code == status, reply.text
    found: dict[str, Any] = reply.json or {}
    return found


def names(asker: Somebody, visitor: int) -> list[tuple[str, str]]:
    found = asker.answer(f"/visitors/{visitor}/external-ids")["external_ids"]
    return [(one["kind"], one["value"]) for one in found if one["kind"] != "phone"]


def done(lines: int, new: int, *, joined: int = 0, unknown: int = 0) -> dict[str, Any]:
    return {"lines": lines, "new": new, "joined": joined, "unknown": unknown, "problems": []}


@pytest.fixture
def ann(town: Town) -> int:
    return town.visitor(town.bob, tag="母婴")


@pytest.fixture
def bea(town: Town) -> int:
    return town.visitor(town.bob, live_code_id=2)


def test_a_file_says_what_people_are_called_and_their_orders_find_them(
    engine: Engine, town: Town, ann: int, bea: int
) -> None:
    hand_in_orders(town.bob, "A-1,10,CNY,,2026-11-03 10:00,,,13800138000", "A-2,5,CNY,,2026-11-03 10:00,,o-bea-1,")
    lines = (f"{ann},o-ann-1,wm-ann-1,", ",o-ann-1,,+86 138 0013 8000", f"{bea},o-bea-1,,", ",o-nobody,,13900139000")
    assert hand_in(town.bob, "external-ids", *lines) == done(4, 4, unknown=1)
    assert names(town.bob, ann) == [("external_userid", "wm-ann-1"), ("openid", "o-ann-1")]
    assert sorted(worth(engine)) == sorted([(ann, 1, 1000), (bea, 1, 500)])
    assert hand_in(town.bob, "external-ids", *lines) == done(4, 0, unknown=1)
    assert names(town.carl, ann) == []  # what Bob knows is Bob's


def test_two_whom_a_file_calls_the_same_are_one(engine: Engine, town: Town, ann: int, bea: int) -> None:
    happened(engine, event(visitor="dan", at=at("2026-11-05 10:00"), placement="背面"))
    dan = town.visitor(town.bob, placement="背面")
    call_them(town.alice, bea, "openid", "o-bea-1")
    lines = (f"{ann},o-ann-1,,", f"{dan},o-ann-1,wm-dan-1,", f"{dan},o-bea-1,,")
    assert hand_in(town.alice, "external-ids", *lines) == done(3, 2, joined=2)
    assert (count(engine, Alias), count(engine, Visitor)) == (2, 2)
    assert names(town.alice, ann) == [("external_userid", "wm-dan-1"), ("openid", "o-ann-1"), ("openid", "o-bea-1")]


@on_sqlite
def test_nobody_joins_by_file_people_others_know(engine: Engine, town: Town, ann: int, bea: int) -> None:
    lines = (f"{ann},o-same,,", f"{bea},o-same,,")  # Carl knows Ann, too
    [problem] = hand_in(town.bob, "external-ids", *lines, status=422)["problems"]
    assert (problem["line"], "Ask an administrator" in problem["message"]) == (3, True)
    assert count(engine, Identity) == count(engine, Alias) == 0


def test_tags_are_given_by_file_by_number_or_by_name(engine: Engine, town: Town, ann: int, bea: int) -> None:
    call_them(town.bob, bea, "phone", "13800138000")
    before = count(engine, VisitorTag)
    lines = (f"回访,业务,{ann},,", "回访,business,,,138-0013-8000", "母婴,,,,13800138000", "回访,,,o-nobody,")
    assert hand_in(town.bob, "tags", *lines) == done(4, 3, unknown=1)
    assert hand_in(town.bob, "tags", *lines) == done(4, 0, unknown=1)
    assert count(engine, VisitorTag) == before + 3
    given = {tag["name"]: tag for tag in town.bob.answer(f"/visitors/{bea}")["tags"]}
    assert (given["回访"]["category"], given["回访"]["live_code_id"]) == ("business", 2)
    assert {row["category"] for row in rows(engine, Tag) if row["name"] == "母婴"} == {given["母婴"]["category"]}


@on_sqlite
def test_a_file_reaches_only_people_one_may_change(engine: Engine, town: Town, ann: int, bea: int) -> None:
    cho = town.visitor(town.carl, region="CN/CN-BJ")
    call_them(town.alice, cho, "openid", "o-cho-1")  # the installation knows her, Bob does not
    share(engine, 3, town.bob, "view")
    before = count(engine, VisitorTag)
    assert hand_in(town.bob, "tags", "x,,,o-cho-1,") == done(1, 0, unknown=1)
    for what, line in (("tags", f"x,,{cho},,"), ("external-ids", f"{cho},o-cho-2,,")):
        [problem] = hand_in(town.bob, what, line, status=422)["problems"]
        assert (problem["line"], problem["column"]) == (2, "visitor_id")
    assert count(engine, VisitorTag) == before
    assert hand_in(town.carl, "tags", "x,,,o-cho-1,") == done(1, 1)


@on_sqlite
@pytest.mark.parametrize(
    ("what", "line", "column"),
    [
        ("external-ids", "ANN,,,", ""),
        ("external-ids", ",o-ann-1,,", ""),
        ("external-ids", "ann,o-ann-1,,", "visitor_id"),
        ("external-ids", "99,o-ann-1,,", "visitor_id"),
        ("external-ids", "ANN,!,,", "openid"),
        ("external-ids", "ANN,o-ann-1,,12", "phone"),
        ("tags", "回访,,,,", ""),
        ("tags", ",,ANN,,", "tag"),
        ("tags", "x" * 51 + ",,ANN,,", "tag"),
        ("tags", "回访,colour,ANN,,", "category"),
        ("tags", "回访,,99,,", "visitor_id"),
        ("tags", "回访,,ANN,!,", "openid"),
    ],
)
def test_a_wrong_line_about_people_is_named_and_nothing_is_written(
    engine: Engine, town: Town, ann: int, what: str, line: str, column: str
) -> None:
    before = count(engine, VisitorTag), count(engine, Tag)
    good = f"{ann},o-good-1,," if what == "external-ids" else f"好,,{ann},,"
    found = hand_in(town.bob, what, good, line.replace("ANN", str(ann)), good, status=422)
    [problem] = found["problems"]
    assert (problem["line"], problem["column"]) == (3, column)
    assert problem["message"]
    assert (found["new"], found["joined"]) == (0, 0)
    assert count(engine, Identity) == 0
    assert (count(engine, VisitorTag), count(engine, Tag)) == before


@on_sqlite
def test_what_is_wrong_is_told_from_the_beginning_on(town: Town, ann: int) -> None:
    found = hand_in(town.bob, "external-ids", "99,o-one-1,,", ",o-two-2,,", "98,o-three-3,,", status=422)["problems"]
    assert [one["line"] for one in found] == [2, 3, 4]


@on_sqlite
def test_a_file_about_people_that_is_no_table_says_so(town: Town) -> None:
    for what, column in (("external-ids", "visitor_id"), ("tags", "tag")):
        [problem] = hand_in(town.bob, what, "1,2", header="a,b\n", status=422)["problems"]
        assert (problem["line"], problem["message"]) == (0, f"The column {column} is missing.")
    many = hand_in(town.bob, "external-ids", *["1,o-1234,,"] * (MOST_LINES + 1), status=422)["problems"]
    assert many[0]["message"] == "Too many lines; at most 20000 at once."
    words = [f"标签{number},,1,," for number in range(MOST_TAGS + 1)]
    [mixed_up] = hand_in(town.bob, "tags", *words, status=422)["problems"]
    assert mixed_up["message"] == "More than 200 different tags. Is this the right column?"


@on_sqlite
def test_so_many_people_become_one_with_others_and_no_more(engine: Engine, town: Town, ann: int) -> None:
    many = [event(visitor=f"v{number}", at=at("2026-11-05 10:00"), placement="多") for number in range(MOST_JOINS + 1)]
    happened(engine, *many)
    ids = [row["id"] for row in rows(engine, Visitor) if row["first_placement"] == "多"]
    lines = [f"{ann},o-ann-1,,", *(f"{id_},o-ann-1,," for id_ in ids)]
    [problem] = hand_in(town.alice, "external-ids", *lines, status=422)["problems"]
    assert problem["line"] == MOST_JOINS + 3
    assert count(engine, Alias) == 0


@on_sqlite
def test_whoever_may_only_look_hands_in_nothing(app: Flask, engine: Engine, town: Town, ann: int) -> None:
    viewer = somebody(app, engine, "viewer")
    for what in ("external-ids", "tags"):
        hand_in(viewer, what, f"{ann},o-ann-1,,", status=403)
    assert count(engine, Worth) == count(engine, Identity) == 0


@on_sqlite
def test_the_panel_reads_files_about_people(app: Flask, engine: Engine, town: Town, ann: int) -> None:
    bob = logged_in(app, town.bob)

    def send(what: str, text: str, status: int = 200) -> str:
        file = (io.BytesIO(text.encode()), "people.csv")
        reply = bob.post(f"/visitors/import/{what}?lang=en", data={"file": file})
        assert reply.status_code == status, reply.text
        return reply.text

    for page in ("/visitors/orders", "/visitors/tags"):
        assert 'href="/visitors/import/tags"' in bob.get(page).text
    text = send("external-ids", f"{NAMES}{ann},o-ann-1,,\n,o-nobody,,13800138000\n")
    assert "2 lines were read. New: 1. 1 line is about somebody nobody knows here" in text
    assert "1 line was read. New: 1." in send("tags", f"{TAGS}回访,,,o-ann-1,\n")
    text = send("tags", f"{TAGS}回访,,99,,\n", 422)
    assert "Line 2: There is no such visitor." in text
    assert "<code>标签</code>" in text
    assert bob.post("/visitors/import/tags").status_code == 303
    assert bob.get("/visitors/import/colours").status_code == 404
    viewer = logged_in(app, somebody(app, engine, "viewer"))
    assert "multipart/form-data" not in viewer.get("/visitors/import/tags").text

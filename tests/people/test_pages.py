"""Visitors in the panel."""

import re
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine

from app.people.models import Visitor
from tests.happen import at, count, event, happened
from tests.panel import Somebody, logged_in, share, somebody
from tests.people.conftest import Town

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def page(browser: FlaskClient, path: str, status: int = 200, **query: Any) -> str:
    reply = browser.get(path, query_string={"lang": "en", **query})
    assert reply.status_code == status, reply.text
    return reply.text


def listed(text: str) -> list[int]:
    """The numbers of the visitors in a list."""
    return [int(number) for number in re.findall(r'href="/visitors/(\d+)"', text)]


@pytest.fixture
def bob(app: Flask, town: Town) -> FlaskClient:
    return logged_in(app, town.bob)


def test_the_list_holds_a_marketer_s_own_visitors(app: Flask, town: Town, bob: FlaskClient) -> None:
    ann, bea = town.visitor(town.bob, tag="母婴"), town.visitor(town.bob, live_code_id=2)
    text = page(bob, "/visitors")
    assert listed(text) == [bea, ann]
    for shown in ("2 visitors", "Guangzhou, Guangdong", "母婴", "海报", "chose 母婴群", "long-pressed"):
        assert shown in text, shown
    assert "门店" not in text
    assert len(listed(page(logged_in(app, town.alice), "/visitors"))) == 3


@on_sqlite
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"live_code_id": "1"}, ["ann"]),
        ({"live_code_id": "1", "choice_id": "CHOICE"}, ["ann"]),
        ({"tag": "母婴"}, ["ann"]),
        ({"region": "guangdong"}, ["ann"]),
        ({"region": "广东"}, ["ann"]),
        ({"region": "CN/CN-BJ"}, ["bea"]),
        ({"placement": "门口"}, ["ann"]),
        ({"from": "2026-11-02", "to": "2026-11-02"}, ["ann", "bea"]),
        ({"from": "2026-11-03"}, []),
        ({"to": "2026-11-01"}, []),
        ({"tag": "数码"}, []),
        ({"live_code_id": "3"}, []),
    ],
)
def test_the_filter_finds_them(town: Town, bob: FlaskClient, query: dict[str, str], expected: list[str]) -> None:
    ids = {"ann": town.visitor(town.bob, tag="母婴"), "bea": town.visitor(town.bob, live_code_id=2)}
    query = {name: text.replace("CHOICE", str(town.choice)) for name, text in query.items()}
    text = page(bob, "/visitors", **query)
    assert set(listed(text)) == {ids[name] for name in expected}
    assert expected or "Nobody fits" in text


@on_sqlite
@pytest.mark.parametrize(
    "query", [{"live_code_id": "x"}, {"region": "Atlantis"}, {"from": "soon"}, {"to": "9999-99-99"}]
)
def test_a_filter_that_cannot_be_says_so_and_shows_the_rest(bob: FlaskClient, query: dict[str, str]) -> None:
    text = page(bob, "/visitors", **query)
    assert "This cannot be used." in text
    assert len(listed(text)) == 2


@on_sqlite
def test_typing_gets_the_list_alone(bob: FlaskClient) -> None:
    text = bob.get("/visitors?tag=母婴", headers={"HX-Request": "true"}).text
    assert "<html" not in text
    assert len(listed(text)) == 1


@on_sqlite
def test_the_choices_of_a_live_code_can_be_filtered_by(bob: FlaskClient) -> None:
    assert "母婴群</option>" in page(bob, "/visitors", live_code_id=1)
    assert "母婴群</option>" not in page(bob, "/visitors", live_code_id=2)
    assert "母婴群</option>" not in page(bob, "/visitors", live_code_id=3)


@on_sqlite
def test_files_hold_what_the_filter_shows(bob: FlaskClient) -> None:
    text = page(bob, "/visitors", tag="母婴")
    assert '<input type="hidden" name="tag" value="母婴"><button class="btn" type="submit" name="kind"' in text
    with bob.get("/visitors/export", query_string={"format": "csv", "tag": "母婴", "lang": "en"}) as reply:
        assert reply.data.decode("utf-8-sig").count("\r\n") == 2
    with bob.get("/visitors/export", query_string={"format": "xlsx"}) as reply:
        assert reply.data.startswith(b"PK")
    with bob.get("/visitors/export", query_string={"format": "exe"}) as reply:
        assert reply.content_type.startswith("text/csv")


def test_one_visitor_is_shown_with_what_they_did(town: Town, bob: FlaskClient) -> None:
    text = page(bob, f"/visitors/{town.visitor(town.bob, tag='母婴')}")
    for shown in (
        "Chose 母婴群, got 内部三群",
        "Scanned, came back to 内部三群",
        "Long-pressed 内部三群",
        "came by 门口",
    ):
        assert shown in text, shown
    assert "门店" not in text
    assert "Take off 母婴" in text
    assert "Take off 数码" not in text


@on_sqlite
def test_everything_that_can_happen_has_its_words(app: Flask, engine: Engine, town: Town) -> None:
    outcomes = ("assigned", "returning", "held", "elsewhere", "choose", "fallback", "full", "unavailable", "paused",
                "not_started", "ended", None)  # fmt: skip
    happened(
        engine,
        *(event(visitor="dot", outcome=outcome, at=at(f"2026-11-04 10:{n:02}")) for n, outcome in enumerate(outcomes)),
        event("reroute", visitor="dot", outcome="assigned", at=at("2026-11-04 11:00")),
        event("stuck", visitor="dot", reason="full", at=at("2026-11-04 11:01")),
        event("stuck", visitor="dot", reason="other", at=at("2026-11-04 11:02")),
        event("release", visitor="dot", at=at("2026-11-04 11:03")),
        event("choose", visitor="dot", outcome="full", member_id=None, at=at("2026-11-04 11:04")),
    )
    dot = listed(page(logged_in(app, town.bob), "/visitors"))[0]
    text = page(logged_in(app, town.bob), f"/visitors/{dot}")
    for shown in (
        "Another way: got code 7",
        "Could not get into code 7: the group is full",
        "Gave up the place in code 7",
        "Chose a group, read that all groups are full",
        "read that it has ended",
    ):
        assert shown in text, shown
    assert "%(" not in text


@on_sqlite
def test_tags_are_given_and_taken(town: Town, bob: FlaskClient) -> None:
    ann = town.visitor(town.bob, tag="母婴")
    assert bob.post(f"/visitors/{ann}/tags", data={"tag": " VIP "}).status_code == 303
    assert town.visitor(town.bob, tag="VIP") == ann
    assert bob.post(f"/visitors/{ann}/tags", data={"tag": "VIP", "take": "1"}).status_code == 303
    assert town.bob.answer("/visitors?tag=VIP")["total"] == 0
    assert bob.post(f"/visitors/{ann}/tags?lang=en", data={"tag": ""}).status_code == 303
    assert "A tag is a word of at most 50 characters." in page(bob, f"/visitors/{ann}")


@on_sqlite
def test_a_new_tag_is_made_and_listed(bob: FlaskClient) -> None:
    assert bob.post("/visitors/tags", data={"name": "复购", "category": "business"}).status_code == 303
    assert bob.post("/visitors/tags", data={"name": "复购", "category": "business"}).status_code == 303
    text = page(bob, "/visitors/tags")
    assert text.count(">复购<") == 1
    wrong = bob.post("/visitors/tags?lang=en", data={"name": "", "category": "colour"})
    assert wrong.status_code == 422
    assert "This is needed." in wrong.text


def test_a_visitor_is_erased(engine: Engine, town: Town, bob: FlaskClient) -> None:
    ann = town.visitor(town.bob, tag="母婴")
    assert "cannot be taken back" in page(bob, f"/visitors/{ann}")
    assert bob.post(f"/visitors/{ann}/erase").status_code == 303
    assert "The visitor was erased." in page(bob, "/visitors")
    assert page(bob, f"/visitors/{ann}", status=404)
    assert count(engine, Visitor) == 3


@on_sqlite
def test_another_marketer_s_visitor_is_not_there(town: Town, bob: FlaskClient) -> None:
    cho = town.visitor(town.carl, region="CN/CN-BJ")
    assert page(bob, f"/visitors/{cho}", status=404)
    for path in (f"/visitors/{cho}/tags", f"/visitors/{cho}/erase"):
        assert bob.post(path, data={"tag": "x"}).status_code == 404


@on_sqlite
def test_a_viewer_looks_and_changes_nothing(app: Flask, engine: Engine, town: Town) -> None:
    viewer: Somebody = somebody(app, engine, "viewer")
    browser = logged_in(app, viewer)
    ann = town.visitor(town.alice, tag="数码")
    text = page(browser, f"/visitors/{ann}")
    assert "Erase" not in text
    assert "Another tag" not in text
    assert browser.post(f"/visitors/{ann}/erase").status_code == 403
    assert browser.post("/visitors/tags", data={"name": "x"}).status_code == 403


@on_sqlite
def test_a_visitor_of_a_code_shared_to_look_at_can_only_be_looked_at(engine: Engine, app: Flask, town: Town) -> None:
    share(engine, 2, town.carl, "view")
    bea = town.visitor(town.carl, live_code_id=2)
    browser = logged_in(app, town.carl)
    assert "Another tag" not in page(browser, f"/visitors/{bea}")
    assert browser.post(f"/visitors/{bea}/erase").status_code == 403
    assert browser.post(f"/visitors/{bea}/tags", data={"tag": "VIP"}).status_code == 403


@on_sqlite
def test_strange_names_are_shown_harmless(engine: Engine, bob: FlaskClient) -> None:
    happened(engine, event(visitor="dot", tag="<script>alert(1)</script>", choice_id=5, at=at("2026-11-04 10:00")))
    text = page(bob, "/visitors") + page(bob, "/visitors/tags")
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(1)" in text

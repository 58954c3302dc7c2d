"""Visitors and tags, as programs ask for them."""

from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Engine

from tests.happen import at, event, happened
from tests.panel import share, somebody
from tests.people.conftest import Town

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def keys_of(answer: Any) -> list[str]:
    """Visitors by what tells them apart here: their regions."""
    return [item["region"] for item in answer["items"]]


def test_a_marketer_sees_the_people_of_their_own_live_codes(town: Town) -> None:
    answer = town.bob.answer("/visitors")
    assert (answer["total"], answer["page"], answer["per_page"]) == (2, 1, 20)
    bea, ann = answer["items"]  # Ann was seen later, but not by Bob
    assert (ann["region"], bea["region"]) == ("CN/CN-GD/440100", "CN/CN-BJ")
    assert (ann["scans"], ann["pressed"]) == (1, 1)
    assert (ann["first_seen_at"], ann["last_seen_at"]) == ("2026-11-02T02:00:00Z", "2026-11-02T03:01:00Z")
    assert [tag["name"] for tag in ann["tags"]] == ["母婴"]
    [under] = ann["live_codes"]
    assert (under["live_code_id"], under["name"], under["choice"], under["member"], under["placement"]) == (
        1,
        "海报",
        "母婴群",
        "内部三群",
        "门口",
    )


def test_an_admin_sees_everybody_whole(town: Town) -> None:
    ann = town.alice.answer("/visitors")["items"][0]
    assert (ann["region"], ann["device"], ann["scans"]) == ("US", "pad", 2)
    assert [one["live_code_id"] for one in ann["live_codes"]] == [3, 1]
    assert {tag["name"] for tag in ann["tags"]} == {"母婴", "数码"}
    assert town.alice.answer("/visitors")["total"] == 3


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"live_code_id": 1}, ["CN/CN-GD/440100"]),
        ({"live_code_id": 2}, ["CN/CN-BJ"]),
        ({"live_code_id": 3}, []),
        ({"live_code_id": 99}, []),
        ({"tag": "母婴"}, ["CN/CN-GD/440100"]),
        ({"tag": "数码"}, []),
        ({"tag": "母婴", "live_code_id": 2}, []),
        ({"region": "CN"}, ["CN/CN-BJ", "CN/CN-GD/440100"]),
        ({"region": "CN/CN-GD"}, ["CN/CN-GD/440100"]),
        ({"region": "US"}, []),
        ({"placement": "门口"}, ["CN/CN-GD/440100"]),
        ({"since": "2026-11-02T11:30:00+08:00"}, ["CN/CN-BJ"]),
        ({"until": "2026-11-02T11:30:00+08:00"}, ["CN/CN-GD/440100"]),
        ({"page": 2, "per_page": 1}, ["CN/CN-GD/440100"]),
        ({"page": 9}, []),
    ],
)
def test_filters_find_what_a_marketer_may_see(town: Town, query: dict[str, Any], expected: list[str]) -> None:
    assert keys_of(town.bob.answer("/visitors", query_string=query)) == expected


def test_who_chose_what_is_found_by_choice_and_by_tag(town: Town) -> None:
    ann = town.visitor(town.bob, tag="母婴")
    assert town.visitor(town.bob, choice_id=town.choice) == ann
    assert town.visitor(town.alice, tag="数码", live_code_id=3) == ann
    assert town.alice.answer("/visitors", query_string={"region": "US"})["total"] == 1


@on_sqlite
@pytest.mark.parametrize(
    "query", [{"live_code_id": "x"}, {"live_code_id": "0"}, {"region": "Atlantis"}, {"tag": "t" * 51}, {"since": "now"}]
)
def test_a_filter_that_cannot_be_is_refused(town: Town, query: dict[str, str]) -> None:
    reply = town.bob.get("/visitors", query_string=query)
    assert reply.status_code == 422
    assert reply.json is not None
    assert list(reply.json["error"]["fields"]) == list(query)


def test_one_visitor_comes_with_what_they_did(town: Town) -> None:
    ann = town.visitor(town.bob, tag="母婴")
    assert [e["type"] for e in town.bob.answer(f"/visitors/{ann}")["events"]] == ["press", "scan", "choose"]
    assert [e["live_code_id"] for e in town.alice.answer(f"/visitors/{ann}")["events"]] == [3, 1, 1, 1]


def test_another_marketer_s_visitor_is_not_there(town: Town) -> None:
    bea, cho = town.visitor(town.bob, live_code_id=2), town.visitor(town.carl, region="CN/CN-BJ")
    for method, path, body in (
        ("GET", f"/visitors/{cho}", None),
        ("DELETE", f"/visitors/{cho}", None),
        ("POST", f"/visitors/{cho}/tags", {"tag": "VIP"}),
        ("DELETE", f"/visitors/{cho}/tags", {"tag": "VIP"}),
    ):
        assert town.bob.call(method, path, json=body).status_code == 404, (method, path)
    assert town.carl.get(f"/visitors/{bea}").status_code == 404
    assert town.bob.get("/visitors/987654").status_code == 404
    assert town.bob.get("/visitors/99999999999999999999").status_code == 404


def test_a_tag_given_by_hand_is_seen_by_those_it_concerns(town: Town) -> None:
    ann = town.visitor(town.bob, tag="母婴")
    reply = town.bob.call("POST", f"/visitors/{ann}/tags", json={"tag": "VIP"})
    assert reply.status_code == 200, reply.text
    given = {tag["name"]: (tag["category"], tag["live_code_id"]) for tag in reply.json["tags"]}  # type: ignore[index]
    assert given["VIP"] == ("predicted", 1)
    assert "VIP" not in [tag["name"] for tag in town.carl.answer(f"/visitors/{ann}")["tags"]]
    assert "VIP" in [tag["name"] for tag in town.alice.answer(f"/visitors/{ann}")["tags"]]
    assert town.bob.call("POST", f"/visitors/{ann}/tags", json={"tag": "VIP"}).status_code == 200
    assert town.visitor(town.bob, tag="VIP") == ann
    town.bob.call("DELETE", f"/visitors/{ann}/tags", json={"tag": "VIP"})
    assert town.bob.answer("/visitors", query_string={"tag": "VIP"})["total"] == 0


def test_a_marketer_s_hand_does_not_reach_another_s_tags(town: Town) -> None:
    ann = town.visitor(town.carl, tag="数码")
    assert town.bob.call("DELETE", f"/visitors/{ann}/tags", json={"tag": "数码"}).status_code == 200
    assert town.visitor(town.carl, tag="数码") == ann


@on_sqlite
def test_a_tag_stands_under_a_live_code_the_visitor_was_at(town: Town) -> None:
    ann = town.visitor(town.bob, tag="母婴")
    for place in (2, 3, 99):
        reply = town.bob.call("POST", f"/visitors/{ann}/tags", json={"tag": "VIP", "live_code_id": place})
        assert reply.status_code == 422, place
    reply = town.alice.call("POST", f"/visitors/{ann}/tags", json={"tag": "VIP", "live_code_id": 1})
    assert reply.status_code == 200
    assert town.visitor(town.bob, tag="VIP") == ann


@on_sqlite
@pytest.mark.parametrize("body", [{}, {"tag": ""}, {"tag": "  "}, {"tag": 5}, {"tag": "x" * 51}, {"tag": "a\0b"}])
def test_a_tag_must_be_a_word(town: Town, body: dict[str, Any]) -> None:
    ann = town.visitor(town.bob, tag="母婴")
    for method in ("POST", "DELETE"):
        reply = town.bob.call(method, f"/visitors/{ann}/tags", json=body)
        assert reply.status_code == 422
        assert reply.json is not None
        assert list(reply.json["error"]["fields"]) == ["tag"]


def test_tags_are_made_once_and_counted_for_whom_one_may_see(town: Town) -> None:
    made = town.bob.call("POST", "/tags", json={"name": "复购", "category": "business"})
    assert (made.status_code, made.json["name"], made.json["category"]) == (201, "复购", "business")  # type: ignore[index]
    again = town.carl.call("POST", "/tags", json={"name": "复购", "category": "business"})
    assert (again.status_code, again.json["id"]) == (200, made.json["id"])  # type: ignore[index]
    assert town.bob.call("POST", "/tags", json={"name": "复购"}).status_code == 201
    seen = {(tag["name"], tag["category"]): tag["visitors"] for tag in town.bob.answer("/tags")["items"]}
    assert seen == {
        ("母婴", "behaviour"): 1,
        ("数码", "behaviour"): 0,
        ("复购", "business"): 0,
        ("复购", "predicted"): 0,
    }
    assert town.bob.call("POST", "/tags", json={"name": "x", "category": "colour"}).status_code == 422
    assert town.bob.answer("/tags", query_string={"per_page": 1})["total"] == 4


@on_sqlite
def test_who_may_not_see_people_is_told_so(app: Flask, engine: Engine, town: Town) -> None:
    assert app.test_client().get("/api/v1/visitors").status_code == 401
    without = somebody(app, engine, scopes=("read", "write"))
    assert without.get("/visitors").status_code == 403
    viewer = somebody(app, engine, "viewer")
    ann = town.visitor(viewer, tag="母婴")
    assert viewer.call("DELETE", f"/visitors/{ann}").status_code == 403
    assert viewer.call("POST", f"/visitors/{ann}/tags", json={"tag": "x"}).status_code == 403


@on_sqlite
def test_names_are_shown_as_they_are(engine: Engine, town: Town) -> None:
    ugly = "<b>\u202e'\"; DROP"
    happened(engine, event(visitor="dot", at=at("2026-11-04 09:00"), tag=ugly, choice_id=5, outcome="assigned"))
    assert [tag["name"] for tag in town.bob.answer("/visitors")["items"][0]["tags"]] == [ugly]
    assert town.bob.answer("/visitors", query_string={"tag": ugly})["total"] == 1


def test_a_live_code_shared_to_look_at_shows_its_people(engine: Engine, town: Town) -> None:
    share(engine, 1, town.carl, "view")
    ann = town.visitor(town.carl, tag="母婴")
    assert [one["live_code_id"] for one in town.carl.answer(f"/visitors/{ann}")["live_codes"]] == [3, 1]
    assert town.carl.answer("/visitors", query_string={"live_code_id": 1})["total"] == 1
    assert town.carl.answer("/visitors", query_string={"live_code_id": 2})["total"] == 0


def test_what_is_shared_to_look_at_cannot_be_changed(engine: Engine, town: Town) -> None:
    share(engine, 2, town.carl, "view")
    bea = town.visitor(town.carl, live_code_id=2)
    assert town.carl.call("DELETE", f"/visitors/{bea}").status_code == 403
    assert town.carl.call("POST", f"/visitors/{bea}/tags", json={"tag": "VIP"}).status_code == 403
    assert town.carl.call("DELETE", f"/visitors/{bea}/tags", json={"tag": "VIP"}).status_code == 403
    ann = town.visitor(town.carl, tag="数码")
    share(engine, 1, town.carl, "view")
    assert town.carl.call("DELETE", f"/visitors/{ann}/tags", json={"tag": "母婴"}).status_code == 200
    assert town.visitor(town.bob, tag="母婴") == ann
    assert town.carl.call("DELETE", f"/visitors/{ann}").status_code == 204  # at their own live code
    assert town.visitor(town.bob, tag="母婴") == ann


def test_what_is_shared_to_be_changed_can_be(engine: Engine, town: Town) -> None:
    share(engine, 2, town.carl, "edit")
    bea = town.visitor(town.carl, live_code_id=2)
    assert town.carl.call("POST", f"/visitors/{bea}/tags", json={"tag": "VIP"}).status_code == 200
    assert town.visitor(town.bob, tag="VIP") == bea
    assert town.carl.call("DELETE", f"/visitors/{bea}").status_code == 204
    assert town.bob.answer("/visitors")["total"] == 1

"""Tag rules by API: as strict as the panel, and nobody's but their owner's."""

from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Engine

from app.people.rule_store import MOST_RULES
from tests.panel import Somebody, share
from tests.people.conftest import Town
from tests.people.test_rule_pages import stored, sweep

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

SCANS = {"fact": "scans", "comparison": "at_least", "number": 1}
NO_PRESS = {"fact": "presses", "comparison": "at_most", "number": 0}
RULE = {"name": "犹豫的人", "tag": "犹豫", "conditions": [SCANS, NO_PRESS]}


def made(who: Somebody, status: int = 201, **changes: Any) -> Any:
    reply = who.call("POST", "/tag-rules", json=RULE | changes)
    assert reply.status_code == status, reply.text
    return reply.json


def test_a_rule_is_made_tried_out_and_given(app: Flask, engine: Engine, town: Town) -> None:
    tried = town.bob.call("POST", "/tag-rules/try", json={"conditions": [SCANS, NO_PRESS]})
    assert tried.json == {"tagged": 1, "judged": 2, "people": 2, "is_estimate": False}
    assert stored(engine) == []
    rule = made(town.bob)
    assert (rule["category"], rule["live_code_id"], rule["keeps"], rule["is_active"]) == (
        "predicted",
        None,
        False,
        True,
    )
    assert rule["conditions"][0] == {**SCANS, "word": "", "days": None}
    assert (rule["visitors"], rule["is_settled"]) == (0, False)
    sweep(app)
    told = town.bob.answer(f"/tag-rules/{rule['id']}")
    assert (told["visitors"], told["is_settled"]) == (1, True)
    assert town.bob.answer("/tag-rules")["items"] == [told]
    assert town.visitor(town.bob, tag="犹豫") == town.visitor(town.bob, live_code_id=2)


def test_a_change_names_what_it_changes_and_may_be_stale(app: Flask, engine: Engine, town: Town) -> None:
    rule = made(town.bob, category="behaviour", live_code_id=2)
    path = f"/tag-rules/{rule['id']}"
    seen = {"If-Match": f'"{rule["version"]}"'}
    changed = town.bob.call("PATCH", path, json={"is_active": False, "name": "别的"}, headers=seen)
    assert changed.status_code == 200, changed.text
    same = {name for name in rule if changed.json is not None and rule[name] == changed.json[name]}
    assert set(rule) - same == {"name", "is_active", "version"}
    assert changed.headers["ETag"] == f'"{changed.json["version"]}"'  # type: ignore[index]
    stale = town.bob.call("PATCH", path, json={"keeps": True}, headers=seen)
    assert (stale.status_code, stale.json["error"]["code"]) == (412, "stale")  # type: ignore[index]
    widened = town.bob.call("PATCH", path, json={"live_code_id": None, "conditions": [SCANS]})
    assert widened.json is not None and widened.json["live_code_id"] is None
    [row] = stored(engine)
    assert (row.state, row.live_code_id, len(row.conditions)) == ("paused", None, 1)


def test_a_deleted_rule_takes_its_tags_with_it(app: Flask, engine: Engine, town: Town) -> None:
    rule = made(town.bob)
    sweep(app)
    assert town.bob.call("DELETE", f"/tag-rules/{rule['id']}").status_code == 204
    assert town.bob.get(f"/tag-rules/{rule['id']}").status_code == 404
    assert town.bob.answer("/tag-rules")["items"] == []
    sweep(app)
    assert stored(engine) == []
    assert town.bob.answer("/visitors", query_string={"tag": "犹豫"})["total"] == 0


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"conditions": []}, "conditions"),
        ({"conditions": [SCANS] * 7}, "conditions"),
        ({"conditions": [{**SCANS, "fact": "shoes"}]}, "conditions.0.fact"),
        ({"conditions": [{**SCANS, "comparison": "is"}]}, "conditions"),
        ({"conditions": [{**SCANS, "days": 91}]}, "conditions.0.days"),
        ({"conditions": [{"fact": "silent_days", "comparison": "at_least", "number": 3, "days": 7}]}, "conditions"),
        ({"conditions": [{"fact": "region", "comparison": "is", "word": "Atlantis"}]}, "conditions"),
        ({"conditions": [{"fact": "device", "comparison": "is"}]}, "conditions"),
        ({"name": " "}, "name"),
        ({"tag": "t" * 51}, "tag"),
        ({"category": "shoes"}, "category"),
        ({"live_code_id": 3}, "live_code_id"),
        ({"live_code_id": 99}, "live_code_id"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_what_cannot_be_a_rule_is_refused_by_its_input(
    engine: Engine, town: Town, changes: dict[str, Any], field: str
) -> None:
    assert field in made(town.bob, 422, **changes)["error"]["fields"]
    rule = made(town.bob)
    reply = town.bob.call("PATCH", f"/tag-rules/{rule['id']}", json=changes)
    assert reply.status_code == 422 and reply.json is not None and field in reply.json["error"]["fields"]
    [row] = stored(engine)
    assert (row.name, row.live_code_id, len(row.conditions)) == ("犹豫的人", None, 2)


def test_others_rules_do_not_exist_and_administrators_see_all(engine: Engine, town: Town) -> None:
    rule = made(town.bob)
    share(engine, 1, town.carl, "edit")
    path = f"/tag-rules/{rule['id']}"
    for method in ("GET", "PATCH", "DELETE"):
        assert town.carl.call(method, path, json={} if method == "PATCH" else None).status_code == 404
    assert town.carl.answer("/tag-rules")["items"] == []
    assert made(town.carl, 422, live_code_id=1)["error"]["fields"]["live_code_id"]
    assert town.alice.answer("/tag-rules")["items"] == [rule]
    changed = town.alice.call("PATCH", path, json={"name": "管理员改的"})
    assert changed.status_code == 200
    [row] = stored(engine)
    assert (row.owner_id, row.name) == (town.bob.id, "管理员改的")


def test_so_many_rules_and_no_more(town: Town) -> None:
    for _ in range(MOST_RULES):
        made(town.bob)
    assert made(town.bob, 409)["error"]["code"] == "rule_limit"
    made(town.carl)
    hers = made(town.alice)
    moved = town.alice.call("PATCH", f"/tag-rules/{hers['id']}", json={"live_code_id": 1})  # it would be Bob's
    assert (moved.status_code, moved.json and moved.json["error"]["code"]) == (409, "rule_limit")

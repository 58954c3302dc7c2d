"""Tag rules in the panel: written without scripts, tried out, explained on the visitor."""

import re
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from app.people.models import TagRule
from app.people.rule_store import MOST_RULES
from tests.panel import logged_in, somebody
from tests.people.conftest import Town

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

FORM = {
    "name": "犹豫的人", "tag": "犹豫", "category": "predicted", "live_code_id": "", "is_active": "1",
    "fact-0": "scans", "comparison-0": "at_least", "value-0": "1", "days-0": "",
    "fact-1": "presses", "comparison-1": "at_most", "value-1": "0", "days-1": "",
}  # fmt: skip


@pytest.fixture
def bob(app: Flask, town: Town) -> FlaskClient:
    return logged_in(app, town.bob)


def post(browser: FlaskClient, path: str, status: int = 303, **changes: Any) -> str:
    reply = browser.post(f"{path}?lang=en", data=FORM | {name.replace("_n", "-"): v for name, v in changes.items()})
    assert reply.status_code == status, reply.text
    return reply.text


def stored(engine: Engine) -> list[TagRule]:
    with Session(engine) as session:
        return list(session.scalars(sa.select(TagRule).order_by(TagRule.id)))


def sweep(app: Flask) -> None:
    """What the pipeline does beside folding."""
    for run in app.extensions["huozi"].drainer._beside:
        rules = getattr(run, "__self__", None)
        while hasattr(rules, "ask") and rules.step():
            pass


def test_a_rule_is_made_tried_out_and_explained(app: Flask, engine: Engine, town: Town, bob: FlaskClient) -> None:
    assert "1 of 2 people would get the tag now." in post(bob, "/visitors/rules/new", 200, **{"try": "1"})
    assert stored(engine) == []
    post(bob, "/visitors/rules/new")
    sweep(app)
    page = bob.get("/visitors/rules?lang=en").text
    assert "犹豫的人" in page
    assert "scans at least 1" in page
    assert "1 visitor" in page
    bea = town.visitor(town.bob, live_code_id=2)
    person = re.sub(r"\s+", " ", bob.get(f"/visitors/{bea}?lang=en").text)
    assert (
        'by the rule <a href="/visitors/rules/1">犹豫的人</a>: scans at least 1 (now 1), long-presses at most 0 (now 0)'
        in person
    )
    assert "Take off 犹豫" not in person


def test_a_rule_is_changed_and_deleted(app: Flask, engine: Engine, bob: FlaskClient) -> None:
    post(bob, "/visitors/rules/new")
    text = bob.get("/visitors/rules/1?lang=en").text
    assert 'value="犹豫的人"' in text
    post(bob, "/visitors/rules/1", name="别的名字", is_active="")
    [rule] = stored(engine)
    assert (rule.name, rule.state) == ("别的名字", "paused")
    assert bob.post("/visitors/rules/1/delete").status_code == 303
    assert bob.get("/visitors/rules/1").status_code == 404
    sweep(app)
    assert stored(engine) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"value-0": "x"}, "A number from 0 up is needed."),
        ({"comparison-0": "is"}, "Numbers are compared with"),
        ({"days-0": "91"}, "Days are a number from 1 to 90"),
        ({"days-0": "x"}, "Days are a number from 1 to 90"),
        ({"fact-0": "luck"}, "There is no such fact."),
        ({"fact-0": "region", "comparison-0": "is", "value-0": "Atlantis"}, "There is no such region."),
        ({"fact-0": "device", "comparison-0": "is", "value-0": ""}, "A word is needed."),
        ({"fact-0": "amount", "value-0": "1.234"}, "A number from 0 up is needed."),
        ({"fact-0": "", "value-0": "", "fact-1": "", "value-1": ""}, "A rule needs a condition."),
        ({"name": ""}, "This is needed."),
        ({"live_code_id": "3"}, "Choose one of your own live codes."),
    ],
)
def test_what_cannot_be_is_shown_where_it_stands(
    engine: Engine, bob: FlaskClient, changes: dict[str, str], words: str
) -> None:
    reply = bob.post("/visitors/rules/new?lang=en", data=FORM | changes)
    assert reply.status_code == 422
    assert words in reply.text
    assert 'value="犹豫"' in reply.text
    assert stored(engine) == []


def test_places_and_money_are_typed_as_people_write_them(engine: Engine, bob: FlaskClient) -> None:
    places = {"fact-0": "region", "comparison-0": "is", "value-0": "广东", "fact-1": "amount", "value-1": "99.50"}
    assert bob.post("/visitors/rules/new", data=FORM | places).status_code == 303
    [rule] = stored(engine)
    assert [(one["word"], one["number"]) for one in rule.conditions] == [("CN/CN-GD", 0), ("", 9950)]
    text = bob.get("/visitors/rules/1?lang=en").text
    assert 'value="99.50"' in text
    assert "amount of orders at most 99.50" in bob.get("/visitors/rules?lang=en").text


def test_another_condition_and_an_example_need_no_script(bob: FlaskClient) -> None:
    assert 'name="fact-2"' in post(bob, "/visitors/rules/new", 200, more="1")
    text = bob.get("/visitors/rules/new?example=hesitates&lang=en").text
    assert 'value="Hesitating"' in text
    assert text.count('class="rule-row"') == 2


def test_rules_are_their_owner_s(app: Flask, engine: Engine, town: Town, bob: FlaskClient) -> None:
    post(bob, "/visitors/rules/new")
    carl, alice = logged_in(app, town.carl), logged_in(app, town.alice)
    assert carl.get("/visitors/rules/1").status_code == 404
    assert carl.post("/visitors/rules/1/delete").status_code == 404
    assert "犹豫的人" not in carl.get("/visitors/rules?lang=en").text
    post(alice, "/visitors/rules/1", name="由管理员改")
    [rule] = stored(engine)
    assert (rule.name, rule.owner_id) == ("由管理员改", town.bob.id)
    viewer = logged_in(app, somebody(app, engine, "viewer"))
    assert viewer.get("/visitors/rules/1").status_code == 200
    assert viewer.post("/visitors/rules/1", data=FORM).status_code == 403


def test_the_panel_makes_no_more_rules_than_programs_may(
    app: Flask, engine: Engine, town: Town, bob: FlaskClient
) -> None:
    for number in range(MOST_RULES):
        assert 'href="/visitors/rules/new"' in bob.get("/visitors/rules").text
        post(bob, "/visitors/rules/new", name=f"第 {number} 条")
    assert 'href="/visitors/rules/new"' not in bob.get("/visitors/rules").text
    text = post(bob, "/visitors/rules/new", 422, name="再一条")
    assert "At most 50 rules." in text
    assert 'value="再一条"' in text  # what was typed is still there
    post(bob, "/visitors/rules/1", name="改一条")  # those there are may be changed
    assert len(stored(engine)) == MOST_RULES
    alice = logged_in(app, town.alice)  # who has none of her own
    assert 'href="/visitors/rules/new"' in alice.get("/visitors/rules").text
    assert alice.post("/visitors/rules/new", data=FORM | {"live_code_id": "1"}).status_code == 422  # it would be Bob's
    post(alice, "/visitors/rules/new", name="管理员的")
    moved = post(alice, f"/visitors/rules/{MOST_RULES + 1}", 422, live_code_id="1")
    assert 'value="犹豫的人"' in moved
    assert len(stored(engine)) == MOST_RULES + 1


def drawn(page: str) -> str:
    """The version the form was drawn from."""
    found = re.search(r'name="version" value="(\d+)"', page)
    assert found is not None
    return found[1]


def test_a_colleague_s_change_is_shown_beside_one_s_own_and_not_overwritten(engine: Engine, bob: FlaskClient) -> None:
    post(bob, "/visitors/rules/new")
    version = drawn(bob.get("/visitors/rules/1").text)
    post(bob, "/visitors/rules/1", name="theirs", is_active="", **{"value-0": "7"})
    text = post(bob, "/visitors/rules/1", 409, name="mine", version=version)
    assert "theirs: theirs · yours: mine" in text and "theirs: no · yours: yes" in text
    assert "theirs: scans at least 7, long-presses at most 0 · yours: scans at least 1, long-presses at most 0" in text
    assert 'value="mine"' in text and stored(engine)[0].name == "theirs"
    post(bob, "/visitors/rules/1", name="mine", version=drawn(text))
    assert stored(engine)[0].name == "mine"


def test_trying_a_rule_out_does_not_hide_that_somebody_was_faster(engine: Engine, bob: FlaskClient) -> None:
    post(bob, "/visitors/rules/new")
    version = drawn(bob.get("/visitors/rules/1").text)
    post(bob, "/visitors/rules/1", name="theirs")
    tried = post(bob, "/visitors/rules/1", 200, name="mine", version=version, **{"try": "1"})
    assert drawn(tried) == version
    post(bob, "/visitors/rules/1", 409, name="mine", version=drawn(tried))
    assert stored(engine)[0].name == "theirs"


def test_a_rule_deleted_meanwhile_does_not_come_back_by_a_form_left_open(engine: Engine, bob: FlaskClient) -> None:
    post(bob, "/visitors/rules/new")
    bob.post("/visitors/rules/1/delete")
    post(bob, "/visitors/rules/1", 404, name="mine")
    assert [rule.state for rule in stored(engine)] == ["gone"]

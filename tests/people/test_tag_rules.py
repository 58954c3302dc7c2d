"""Rules give tags and take them: when something happens, when time passes, when the rule changes."""

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from app.db import writing
from app.people import rule_store, tag_store
from app.people.histories import Scope
from app.people.models import Tag, TagRule, TagRuleDue, Visitor, VisitorTag
from app.people.rule_store import Wish
from app.people.tag_rules import AT_ONCE, TagRules
from app.pipeline.fold import Audience, fold
from app.rules.tagging import AT_LEAST, AT_MOST, IS, Condition
from app.rules.tally import ScanEvent
from tests import happen
from tests.happen import count, event, live_codes, transaction
from tests.make import NOW, ZONE
from tests.panel import TEST

DAY = timedelta(days=1)
HESITATES = (Condition("scans", AT_LEAST, 3, days=7), Condition("presses", AT_MOST, 0))
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


class World:
    """Live codes 1 and 2 of one owner, 3 of another; a clock that is moved by hand."""

    def __init__(self, engine: Engine) -> None:
        self.engine, self.now = engine, NOW
        live_codes(engine, 1, 2)
        live_codes(engine, 3)
        with Session(engine) as session:
            owners = sa.select(sa.column("owner_id")).select_from(sa.text("live_codes")).order_by(sa.text("id"))
            self.bob, _, self.carl = session.scalars(owners)
        self.rules = TagRules(engine, ZONE, lambda: self.now)

    def happen(self, *events: ScanEvent) -> None:
        everybody = happen.audience()
        audience = Audience(everybody.screen, (*everybody.listeners, self.rules.listen))
        with transaction(self.engine) as connection:
            fold(connection, events, audience)

    def scans(self, who: str, *days_ago: float, **more: Any) -> None:
        self.happen(*(event(visitor=who, at=self.now - ago * DAY, **more) for ago in days_ago))

    def rule(self, *conditions: Condition, rule: int | None = None, **more: Any) -> int:
        scope = Scope(more.pop("owner", self.bob), more.pop("live_code_id", None))
        wish = Wish(**({"name": "r", "tag": "犹豫", "category": "predicted", "conditions": conditions} | more))
        with Session(self.engine) as session, writing(session):
            row = session.get(TagRule, rule) if rule else None
            return rule_store.save_rule(session, TEST, scope, wish, row, self.now).id

    def steps(self) -> int:
        """Does all that is due; how many pieces it took."""
        number = 0
        while self.rules.step():
            number += 1
            assert number < 50
        return number

    def tagged(self, tag: str = "犹豫") -> list[str]:
        query = (
            sa.select(Visitor.key)
            .join(VisitorTag, VisitorTag.visitor_id == Visitor.id)
            .join(Tag, Tag.id == VisitorTag.tag_id)
            .where(Tag.name == tag)
            .order_by(Visitor.key)
        )
        with Session(self.engine) as session:
            return list(session.scalars(query))


@pytest.fixture
def world(engine: Engine) -> World:
    return World(engine)


def test_the_third_scan_tags_and_a_press_takes_it_off(world: World) -> None:
    world.rule(*HESITATES)
    world.scans("ann", 2, 1)
    assert world.tagged() == []
    world.scans("ann", 0)
    assert world.tagged() == ["ann"]
    world.happen(event("press", visitor="ann", at=world.now))
    assert world.tagged() == []


def test_a_rule_is_applied_to_who_was_there_before_it(world: World) -> None:
    world.scans("ann", 3, 2, 1)
    world.scans("bea", 1)
    world.rule(*HESITATES)
    assert world.steps() == 1
    assert world.tagged() == ["ann"]
    assert world.steps() == 0


def test_time_alone_takes_a_tag_off_and_gives_another(world: World) -> None:
    world.rule(*HESITATES)
    world.rule(Condition("silent_days", AT_LEAST, 30), tag="沉默")
    world.scans("ann", 2, 1, 0)
    world.steps()
    world.now += 5 * DAY - timedelta(seconds=1)
    assert world.steps() == 0
    world.now += timedelta(seconds=1)
    assert world.steps() == 1
    assert (world.tagged(), world.tagged("沉默")) == ([], [])
    world.now += 25 * DAY
    world.steps()
    assert world.tagged("沉默") == ["ann"]
    world.scans("ann", 0)
    assert world.tagged("沉默") == []


def test_a_rule_that_keeps_leaves_the_tag_on(world: World) -> None:
    world.rule(*HESITATES, keeps=True)
    world.scans("ann", 2, 1, 0)
    world.happen(event("press", visitor="ann", at=world.now))
    assert world.tagged() == ["ann"]


def test_a_rule_sees_its_owner_s_live_codes_only(world: World) -> None:
    world.rule(Condition("scans", AT_LEAST, 2))
    world.rule(Condition("scans", AT_LEAST, 1), tag="二号", live_code_id=2)
    world.scans("ann", 1, live_code_id=1)
    world.scans("ann", 0, live_code_id=3)
    assert world.tagged() == []
    world.scans("ann", 0, live_code_id=2)
    assert world.tagged() == world.tagged("二号") == ["ann"]
    with Session(world.engine) as session:
        places = session.execute(sa.select(Tag.name, VisitorTag.live_code_id).join(VisitorTag)).all()
    assert {tuple(place) for place in places} == {("犹豫", 1), ("二号", 2)}


def test_what_a_hand_gave_no_rule_takes_off(world: World) -> None:
    world.scans("ann", 0)
    with Session(world.engine) as session, writing(session):
        ann = session.scalars(sa.select(Visitor.id)).one()
        tag_store.give_tag(session, ann, tag_store.make_tag(session, "犹豫", "predicted"), 1)
    rule = world.rule(Condition("scans", AT_LEAST, 1))
    world.steps()
    world.rule(Condition("scans", AT_LEAST, 9), rule=rule)
    world.steps()
    assert world.tagged() == ["ann"]


def test_a_changed_rule_moves_its_tags(world: World) -> None:
    rule = world.rule(Condition("scans", AT_LEAST, 1))
    world.scans("ann", 0)
    world.scans("bea", 1, 0)
    world.rule(Condition("scans", AT_LEAST, 2), rule=rule, tag="常来")
    world.steps()
    assert (world.tagged(), world.tagged("常来")) == ([], ["bea"])


def test_a_paused_rule_leaves_everything_as_it_is(world: World) -> None:
    rule = world.rule(Condition("scans", AT_LEAST, 1))
    world.scans("ann", 0)
    world.rule(Condition("scans", AT_LEAST, 9), rule=rule, is_active=False)
    world.scans("bea", 0)
    assert world.steps() == 0
    assert world.tagged() == ["ann"]


def test_a_rule_that_is_deleted_takes_its_tags_along(world: World) -> None:
    rule = world.rule(Condition("scans", AT_LEAST, 1), Condition("silent_days", AT_MOST, 5))
    other = world.rule(Condition("scans", AT_LEAST, 1), tag="来过")
    world.scans("ann", 0)
    with Session(world.engine) as session, writing(session):
        found = rule_store.find_rule(session, world.bob, rule)
        assert found is not None
        rule_store.drop_rule(session, TEST, found, world.now)
    world.steps()
    assert (world.tagged(), world.tagged("来过")) == ([], ["ann"])
    assert count(world.engine, TagRuleDue) == 0
    with Session(world.engine) as session:
        assert session.scalars(sa.select(TagRule.id)).all() == [other]


def test_more_people_than_are_asked_at_once(world: World, engine: Engine) -> None:
    number = AT_ONCE + 7
    world.happen(*(event(visitor=f"v{each}", at=world.now) for each in range(number)))
    world.rule(Condition("scans", AT_LEAST, 1))
    assert world.steps() == 2
    assert count(engine, VisitorTag) == number


@on_sqlite
@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (Condition("region", IS, word="CN/CN-GD"), ["ann"]),
        (Condition("device", IS, word="pad"), ["bea"]),
        (Condition("placement", IS, word="门口"), ["ann"]),
        (Condition("language", IS, word="zh"), ["ann", "bea"]),
        (Condition("app", IS, word="alipay"), []),
        (Condition("tag", IS, word="母婴"), ["bea"]),
        (Condition("night_scans", AT_LEAST, 1), ["bea"]),
        (Condition("live_codes", AT_LEAST, 2), ["ann"]),
        (Condition("stuck", AT_LEAST, 1), ["bea"]),
        (Condition("orders", AT_MOST, 0), ["ann", "bea"]),
        (Condition("amount", AT_LEAST, 1), []),
        (Condition("product", IS, word="x"), []),
    ],
)
def test_every_fact_is_read_from_what_is_kept(world: World, condition: Condition, expected: list[str]) -> None:
    world.scans("ann", 0.25, placement="门口")  # at six in the morning in Shanghai
    world.happen(
        event(visitor="ann", live_code_id=2, at=NOW - DAY),
        event("choose", visitor="bea", at=NOW, outcome="assigned", tag="母婴", choice_id=5),
        event(visitor="bea", at=NOW + timedelta(hours=11), region="CN/CN-BJ", device="pad"),
        event("stuck", visitor="bea", at=NOW + timedelta(hours=11)),
    )  # fmt: skip
    world.now += 2 * DAY
    world.rule(condition)
    world.steps()
    assert world.tagged() == expected


def test_trying_out_says_how_many(world: World, engine: Engine) -> None:
    world.scans("ann", 2, 1, 0)
    world.scans("bea", 0)
    world.scans("cho", 0, live_code_id=3)
    with Session(engine) as session:
        tried = rule_store.try_out(session, Scope(world.bob), HESITATES, NOW, ZONE)
    assert (tried.tagged, tried.people, tried.is_estimate) == (1, 2, False)
    world.happen(*(event(visitor=f"v{each}", at=NOW) for each in range(28)))
    with Session(engine) as session:
        every = (Condition("scans", AT_LEAST, 1),)
        tried = rule_store.try_out(session, Scope(world.bob), every, NOW, ZONE, at_most=8)
    assert (tried.people, tried.tagged, tried.is_estimate) == (30, 30, True)
    assert tried.judged <= 8


def test_a_rule_explains_itself(world: World, engine: Engine) -> None:
    world.scans("ann", 2, 1, 0)
    world.rule(*HESITATES)
    with Session(engine) as session:
        ann = session.scalars(sa.select(Visitor)).one()
        [(_, tag, verdict)] = rule_store.explain(session, world.bob, ann, NOW, ZONE)
        assert rule_store.explain(session, world.carl, ann, NOW, ZONE) == []
    assert (tag.name, verdict.holds, [reason.found for reason in verdict.reasons]) == ("犹豫", True, [3, 0])


def test_two_rules_of_one_owner_are_asked_together(world: World) -> None:
    world.rule(Condition("scans", AT_LEAST, 1))
    world.rule(Condition("scans", AT_LEAST, 2), tag="常来")
    world.scans("ann", 1, 0)
    assert world.tagged() == world.tagged("常来") == ["ann"]

"""Filters beyond place and time, kept as segments; stages and buyers."""

import re
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import product
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from app.db import writing
from app.people import filters, store
from app.people import wanted as asked
from app.people.models import Identity, Order, Segment, Visitor, VisitorLiveCode, VisitorTag, Worth
from app.people.wanted import Eyes
from app.rules.lifecycle import STAGES, Thresholds, stage_of
from tests.happen import at, count, event, happened
from tests.make import NOW, ZONE
from tests.panel import Somebody, logged_in, share
from tests.people.conftest import Town

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def found(asker: Somebody, **query: Any) -> int:
    return int(asker.answer("/visitors", query_string=query)["total"])


@pytest.fixture
def bought(town: Town, engine: Engine) -> int:
    """Ann bought twice of Bob, 600 yuan; the town's days are long ago, so these were, too."""
    ann = town.visitor(town.bob, tag="母婴")
    day = at("2026-11-05 10:00")
    with Session(engine) as session, writing(session):
        session.add(
            Worth(owner_id=town.bob.id, visitor_id=ann, orders=2, amount_cents=60_000, first_at=day, last_at=day)
        )
        session.add(Identity(owner_id=town.bob.id, kind="openid", key="o-ann", visitor_id=ann, at=day))
        session.add(
            Order(
                owner_id=town.bob.id, number="A-1", visitor_id=ann, amount_cents=1, currency="CNY", product="", at=day
            )
        )
    return ann


def test_every_filter_finds_whom_it_should(town: Town, bought: int) -> None:
    expected = [
        ({"without_tag": "母婴"}, 1, 2), ({"device": "pad"}, 1, 1), ({"device": "phone"}, 1, 2),
        ({"app": "wechat"}, 2, 3), ({"pressed": "1"}, 1, 1), ({"pressed": "0"}, 1, 2),
        ({"live_code_id": "1", "pressed": "1"}, 1, 1),
        ({"q": str(bought)}, 1, 1), ({"q": "o-ann"}, 1, 1), ({"q": "A-1"}, 1, 1), ({"q": "nobody"}, 0, 0),
        ({"days": "3650"}, 2, 3), ({"tag": "母婴", "device": "pad", "pressed": "1"}, 1, 1),
    ]  # fmt: skip
    for query, bobs, all_ in expected:
        assert (found(town.bob, **query), found(town.alice, **query)) == (bobs, all_), query
    assert found(town.carl, q="o-ann") == found(town.carl, q="A-1") == 0


@on_sqlite
def test_people_are_found_by_language_and_by_poster(app: Flask, engine: Engine, town: Town) -> None:
    happened(engine, event(visitor="eve", live_code_id=2, at=at("2026-11-04 10:00"), language="en", placement="hall"))
    for query, number in (
        ({"language": "en"}, 1), ({"language": "zh"}, 2), ({"language": "fr"}, 0), ({"placement": "hall"}, 1),
        ({"language": "en", "placement": "门口"}, 0), ({"live_code_id": 2, "language": "zh"}, 1),
    ):  # fmt: skip
        assert found(town.bob, **query) == number, query
    page = logged_in(app, town.bob).get("/visitors?language=en&placement=hall&lang=en").text
    assert '<option value="en" selected>' in page
    assert re.search(r'<input[^>]*name="placement"[^>]*value="hall"', page)


def test_everybody_is_in_one_stage_and_every_buyer_in_one_class(town: Town, bought: int) -> None:
    for asker, number in ((town.bob, 2), (town.alice, 3)):
        by_stage = {name: found(asker, stage=name) for name in ("new", "first_order", "repeat", "silent", "lost")}
        assert sum(by_stage.values()) == number, by_stage
        codes = ("111", "101", "011", "001", "110", "100", "010", "000")
        assert sum(found(asker, rfm=code) for code in codes) == 1
    assert sum(found(town.carl, rfm=code) for code in codes) == 0
    with_code = [found(town.bob, live_code_id=1, stage=name) for name in by_stage]
    assert sum(with_code) == 1


@on_sqlite
def test_limits_move_people_between_stages(app: Flask, town: Town, bought: int) -> None:
    bob = logged_in(app, town.bob)
    limits = {
        "silent_days": "3000",
        "lost_days": "3650",
        "recent_days": "3650",
        "frequent_orders": "2",
        "high_cents": "600",
    }
    assert bob.post("/visitors/segments/limits", data=limits).status_code == 303
    assert (found(town.bob, stage="repeat"), found(town.bob, stage="new"), found(town.bob, rfm="111")) == (1, 1, 1)
    assert found(town.alice, stage="lost") + found(town.alice, stage="silent") + found(town.alice, stage="new") >= 2
    for wrong in ({"silent_days": "0"}, {"lost_days": "3000"}, {"high_cents": "x"}, {"recent_days": ""}):
        assert bob.post("/visitors/segments/limits", data=limits | wrong).status_code == 303
    assert found(town.bob, stage="repeat") == 1
    assert 'value="600"' in bob.get("/visitors/segments?lang=en").text


@pytest.fixture
def bob(app: Flask, town: Town) -> FlaskClient:
    return logged_in(app, town.bob)


@on_sqlite
def test_a_segment_is_kept_counted_and_forgotten(engine: Engine, town: Town, bob: FlaskClient) -> None:
    assert bob.post("/visitors/segments", data={"name": "妈妈", "tag": "母婴"}).status_code == 303
    page = bob.get("/visitors/segments?lang=en").text
    assert "妈妈" in page
    assert "tagged 母婴" in page
    assert bob.get("/visitors/segments/count?tag=母婴").text == "1"
    [row] = town.bob.answer("/segments")["items"]
    assert town.bob.answer(f"/segments/{row['id']}") == {**row, "visitors": 1}
    assert town.carl.get(f"/segments/{row['id']}").status_code == 404
    assert town.carl.call("DELETE", f"/segments/{row['id']}").status_code == 404
    assert town.carl.answer("/segments")["items"] == []
    assert bob.post(f"/visitors/segments/{row['id']}/delete").status_code == 303
    assert count(engine, Segment) == 0


@on_sqlite
def test_a_segment_by_api(engine: Engine, town: Town) -> None:
    body = {"name": "广东", "filter": {"region": "CN/CN-GD", "days": "30"}}
    made = town.bob.call("POST", "/segments", json=body)
    assert made.status_code == 201
    again = town.bob.call("POST", "/segments", json={**body, "filter": {"days": "60"}}).json
    assert again is not None
    assert (again["id"], again["filter"]) == ((made.json or {})["id"], {"days": "60"})
    for wrong in (
        {"name": "x", "filter": {}},
        {"name": "", "filter": {"days": "3"}},
        {"name": "x", "filter": {"days": "z"}},
    ):
        assert town.bob.call("POST", "/segments", json=wrong).status_code == 422
    assert town.bob.call("DELETE", f"/segments/{again['id']}").status_code == 204
    assert count(engine, Segment) == 0


@on_sqlite
def test_a_segment_without_name_or_filter_is_none(engine: Engine, bob: FlaskClient) -> None:
    for data in ({"name": "", "tag": "母婴"}, {"name": "alle"}, {"name": "x", "region": "Atlantis"}):
        assert bob.post("/visitors/segments", data=data).status_code == 303
    assert count(engine, Segment) == 0


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("query", [*({"stage": name} for name in STAGES), {"rfm": "111"}, {"tag": "a", "days": "9"}])
def test_no_count_reads_a_list_anew_for_every_visitor(engine: Engine, query: dict[str, str]) -> None:
    """PostgreSQL joins what it can; a subplan of a million rows is read a million times."""
    wanted = filters.read({**query, "without_tag": "母婴"}, filters.Context(NOW, ZONE, "zh", str)).wanted
    with Session(engine) as session:
        for eyes in (Eyes(None, True), Eyes(7), Eyes(7, True), Eyes(7, seen=(1, 2, 3))):
            statement = asked.number(eyes, wanted).compile(engine, compile_kwargs={"literal_binds": True})
            plan = "\n".join(session.scalars(sa.text(f"EXPLAIN {statement}".replace(":", "\\:"))))
            assert "SubPlan" not in plan, plan


@dataclass(frozen=True)
class _Life:
    """Whether somebody was at Bob's codes 1 and 2 and at Carl's 3, and when Bob sold them something, in days before."""

    seen: tuple[int | None, int | None, int | None]
    bought: tuple[int | None, int | None] = (None, None)  # his own order, and the installation's

    @property
    def stage_for_bob(self) -> str | None:
        visits = [day for day in self.seen[:2] if day is not None]
        if not visits:
            return None
        orders = [day for day in self.bought if day is not None]
        return stage_of(Thresholds(), NOW, NOW - timedelta(days=min(visits + orders)), len(orders))


def test_silent_and_lost_people_are_counted_once_each_by_their_last_deed(engine: Engine, town: Town) -> None:
    """Every way in which somebody may have been here, there, elsewhere and at the till."""
    days = (None, 5, 50, 120)
    lives = [_Life((*pair, 5), sold) for pair in product(days, days) for sold in product(days, days)]
    lives += [_Life((120, 120, None), sold) for sold in product(days, days)]
    with Session(engine) as session, writing(session):
        for table in (VisitorTag, VisitorLiveCode, Visitor):
            session.execute(sa.delete(table))
        for number, life in enumerate(lives, 1):
            _live(session, number, life, town)
    expected = Counter(life.stage_for_bob for life in lives)
    context = filters.Context(NOW, ZONE, "zh", str)
    with Session(engine) as session:
        eyes = store.eyes_of(session, town.bob.id)
        assert eyes == Eyes(town.bob.id, seen=(1, 2))
        for some in (eyes, Eyes(town.bob.id)):
            for stage in STAGES:
                wanted = filters.read({"stage": stage}, context).wanted
                assert session.scalar(asked.number(some, wanted)) == expected[stage], (some, stage)
                ids, _ = asked.found(some, wanted)
                assert len(session.scalars(ids).all()) == expected[stage]
                pads = filters.read({"stage": stage, "device": "pad"}, context).wanted
                found_pads, _ = asked.found(some, pads)
                assert session.scalar(asked.number(some, pads)) == len(session.scalars(found_pads).all())


def _live(session: Session, number: int, life: _Life, town: Town) -> None:
    def before(day: int) -> datetime:
        return NOW - timedelta(days=day)

    visits = {code: day for code, day in enumerate(life.seen, 1) if day is not None} or {3: 120}
    last = before(min(visits.values()))
    device = "pad" if number % 3 else "phone"
    session.add(
        Visitor(
            id=number, key=f"v{number}", first_seen_at=last, last_seen_at=last, scans=1, pressed=0,
            first_live_code_id=1, device=device,
        )
    )  # fmt: skip
    session.flush()
    for code, day in visits.items():
        session.add(
            VisitorLiveCode(
                visitor_id=number, live_code_id=code, first_at=before(day), last_at=before(day), scans=1, pressed=0,
                stuck=0,
            )
        )  # fmt: skip
    for owner, day in zip((town.bob.id, 0), life.bought, strict=True):
        if day is not None:
            at_ = before(day)
            session.add(Worth(owner_id=owner, visitor_id=number, orders=1, amount_cents=1, first_at=at_, last_at=at_))


def test_who_sees_every_live_code_counts_everybody_alike(engine: Engine, town: Town, bought: int) -> None:
    queries = [{}, {"tag": "母婴"}, {"without_tag": "母婴"}, {"region": "US"}, {"pressed": "1"}, {"q": "o-ann"}]
    with Session(engine) as session:
        assert not store.eyes_of(session, town.bob.id).everywhere
    share(engine, 3, town.bob, "view")
    with Session(engine) as session:
        assert store.eyes_of(session, town.bob.id) == Eyes(town.bob.id, True)
        assert not store.eyes_of(session, town.carl.id).everywhere
    for query in [*queries, *({"stage": name} for name in STAGES)]:
        assert found(town.bob, **query) == found(town.alice, **query), query
    # What others know of a person is not told with it.
    with Session(engine) as session, writing(session):
        session.add(Identity(owner_id=town.carl.id, kind="openid", key="o-cho", visitor_id=bought, at=at("2026-11-05")))
    assert found(town.bob, q="o-cho") == 0


def test_a_count_is_the_length_of_its_list(engine: Engine, town: Town, bought: int) -> None:
    share(engine, 3, town.bob, "view")
    with Session(engine) as session, writing(session):
        session.add(Worth(owner_id=0, visitor_id=bought, orders=1, amount_cents=1, first_at=NOW, last_at=NOW))
    others = [
        {},
        {"days": "1"},
        {"days": "3650"},
        {"live_code_id": "1"},
        {"tag": "母婴"},
        {"region": "CN"},
        {"pressed": "1"},
    ]
    for asker in (town.alice, town.bob, town.carl):
        for query in others:
            for stage in STAGES:
                answer = asker.answer("/visitors", query_string={**query, "stage": stage})
                assert answer["total"] == len(answer["items"]), (query, stage)

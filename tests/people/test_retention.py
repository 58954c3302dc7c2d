"""What is older than it may be is forgotten; what was counted stays counted."""

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from app.db import writing
from app.people import settings_store
from app.people.models import Identity, Order, PeopleSetting, Task, Visitor
from app.people.retention import Keeping
from app.pipeline.models import dead_events, events
from app.stats.models import rollup_total_day
from tests.happen import count, event, happened, rows, transaction
from tests.panel import TEST, logged_in
from tests.people.conftest import Town

DAY = timedelta(days=1)
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def keeping(app: Flask) -> Keeping:
    found: Keeping = app.extensions["huozi"].keeping
    return found


def keep(engine: Engine, **days: int) -> None:
    with Session(engine) as session, writing(session):
        settings_store.set_retention(session, TEST, {**dict.fromkeys(settings_store.RETENTION_DAYS, 0), **days})


def test_nothing_is_forgotten_that_is_kept_for_ever(app: Flask, engine: Engine, town: Town) -> None:
    keep(engine)
    assert keeping(app).apply() == {}
    assert count(engine, Visitor) == 3


def test_each_kind_goes_when_its_days_are_over(app: Flask, engine: Engine, town: Town) -> None:
    now = keeping(app).clock()
    happened(engine, event(visitor="new", at=now - DAY))
    before = rows(engine, rollup_total_day)
    ann = town.visitor(town.bob, tag="母婴")
    folder = keeping(app).folder
    folder.path.mkdir(parents=True)
    folder.file(1, "csv").write_text("x")
    task: dict[str, Any] = {"user_id": town.bob.id, "kind": "csv", "filter": {}, "language": "zh", "done_rows": 1}
    with Session(engine) as session, writing(session):
        for id_, at in ((1, now - 9 * DAY), (2, now - DAY)):
            session.add(Task(id=id_, **task, state="done", attempt=1, made_at=at, finished_at=at))
            session.add(Identity(owner_id=0, kind="openid", key=f"o-{id_}", visitor_id=ann, at=at))
            session.add(Order(owner_id=0, number=f"A-{id_}", identity_kind="openid", identity_key=f"o-{id_}",
                              amount_cents=1, currency="CNY", product="", at=at, created_at=at))  # fmt: skip
    with transaction(engine) as connection:
        for id_, at in ((1, now - 9 * DAY), (2, now - DAY)):
            connection.execute(sa.insert(dead_events).values(origin=f"x:{id_}", raw="?", reason="?", at=at))
    kept = {"events": 5, "identities": 5, "files": 5, "dead": 5}
    keep(engine, **kept)
    done = keeping(app).apply()
    assert (done["identities"], done["files"], done["dead"]) == (2, 1, 1)
    assert done["events"] >= 6
    assert count(engine, events) == 1
    assert [row["key"] for row in rows(engine, Identity)] == ["o-2"]
    assert sorted(str(row["identity_key"]) for row in rows(engine, Order)) == ["None", "o-2"]
    assert [row["id"] for row in rows(engine, Task)] == [2]
    assert not folder.file(1, "csv").exists()
    assert rows(engine, rollup_total_day) == before
    keep(engine, visitors=5)
    assert keeping(app).apply() == {"visitors": 3}
    assert [row["key"] for row in rows(engine, Visitor)] == ["new"]
    assert rows(engine, rollup_total_day) == before


@on_sqlite
def test_administrators_set_the_days(app: Flask, engine: Engine, town: Town) -> None:
    alice = logged_in(app, town.alice)
    page = alice.get("/visitors/retention?lang=en").text
    assert 'value="730"' in page
    days = {"events": "90", "visitors": "365", "identities": "365", "files": "3", "dead": "30"}
    assert alice.post("/visitors/retention", data=days).status_code == 303
    [row] = rows(engine, PeopleSetting)
    assert row["value"] == {name: int(text) for name, text in days.items()}
    for wrong in ({"events": "-1"}, {"events": "3651"}, {"files": ""}):
        assert alice.post("/visitors/retention", data=days | wrong).status_code == 422
    bob = logged_in(app, town.bob)
    assert bob.get("/visitors/retention").status_code == 403
    assert bob.post("/visitors/retention", data=days).status_code == 403

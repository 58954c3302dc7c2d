"""Forgetting one person: whole, where it was asked for, for good, and without losing a count."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from app.db.audit import Actor, AuditEntry
from app.ledger.tables import outbox
from app.people.erase import Eraser
from app.people.models import ErasedVisitor, Visitor, VisitorLiveCode, VisitorTag
from app.pipeline.fold import fold
from app.pipeline.models import dead_events, events
from app.stats.models import rollup_total, visitor_days
from tests.happen import audience, count, eraser, event, happened, live_codes, rows, transaction
from tests.people.conftest import Town

TEST = Actor("test")


@pytest.fixture
def session(engine: Engine) -> Iterator[Session]:
    with Session(engine) as session:
        yield session


def named(engine: Engine) -> list[str]:
    return sorted(str(row["visitor"]) for row in rows(engine, events) if row["visitor"])


def test_an_admin_erases_a_person_everywhere(engine: Engine, town: Town) -> None:
    ann = town.visitor(town.alice, tag="数码")
    assert town.alice.call("DELETE", f"/visitors/{ann}").status_code == 204
    assert town.alice.get(f"/visitors/{ann}").status_code == 404
    assert sorted(row["key"] for row in rows(engine, Visitor)) == ["bea", "cho"]
    assert [row["visitor_id"] == ann for row in rows(engine, VisitorLiveCode)] == [False, False]
    assert count(engine, VisitorTag) == 0
    assert named(engine) == ["bea", "cho"]
    assert "ann" not in str(rows(engine, visitor_days)) + str(rows(engine, ErasedVisitor))


def test_what_was_counted_stays_counted(engine: Engine, town: Town) -> None:
    before = rows(engine, rollup_total)
    town.alice.call("DELETE", f"/visitors/{town.visitor(town.alice, tag='数码')}")
    assert rows(engine, rollup_total) == before
    assert count(engine, events) == 6


def test_a_marketer_erases_a_person_under_their_own_live_codes_only(engine: Engine, town: Town) -> None:
    ann = town.visitor(town.bob, tag="母婴")
    assert town.bob.call("DELETE", f"/visitors/{ann}").status_code == 204
    assert town.bob.get(f"/visitors/{ann}").status_code == 404
    [left] = town.carl.answer(f"/visitors/{ann}")["live_codes"]
    assert left["live_code_id"] == 3
    assert [tag["name"] for tag in town.alice.answer(f"/visitors/{ann}")["tags"]] == ["数码"]
    assert [row["live_code_id"] for row in rows(engine, events) if row["visitor"] == "ann"] == [3]
    assert town.carl.call("DELETE", f"/visitors/{ann}").status_code == 204
    assert town.alice.get(f"/visitors/{ann}").status_code == 404


def test_the_ledger_forgets_the_same_seats(app: Flask, session: Session) -> None:
    house, asked = app.extensions["huozi"], []
    assert house.people_desk().eraser.seats == house.ledger.erase
    Eraser(b"x", lambda key, places: asked.append((key, places))).erase(session, TEST, "ann", [1, 2])
    assert asked == [("ann", [1, 2])]


def test_erasing_is_written_down_without_a_name(engine: Engine, town: Town) -> None:
    ann = town.visitor(town.bob, tag="母婴")
    town.bob.call("DELETE", f"/visitors/{ann}")
    [entry] = [row for row in rows(engine, AuditEntry) if row["action"] == "visitor.erased"]
    assert (entry["object_id"], entry["after"]) == (ann, {"everywhere": False, "live_code_ids": [1]})


def test_events_still_under_way_stay_nameless(engine: Engine, session: Session) -> None:
    live_codes(engine, 1)
    now = datetime.now(UTC)
    happened(engine, event(visitor="ann", at=now - timedelta(minutes=1)))
    eraser().erase(session, TEST, "ann")
    happened(engine, event(visitor="ann", at=now - timedelta(seconds=1)))
    assert count(engine, Visitor) == 0
    assert named(engine) == []
    assert sum(row["scans"] for row in rows(engine, rollup_total)) == 2


def test_somebody_who_comes_back_later_is_somebody_new(engine: Engine, session: Session) -> None:
    live_codes(engine, 1)
    happened(engine, event(visitor="ann", at=datetime.now(UTC)))
    eraser().erase(session, TEST, "ann")
    happened(engine, event(visitor="ann", at=datetime.now(UTC) + timedelta(seconds=1)))
    assert [row["scans"] for row in rows(engine, Visitor)] == [1]


def test_under_some_live_codes_only_their_events_lose_the_name(engine: Engine, session: Session) -> None:
    live_codes(engine, 1, 2)
    past = datetime.now(UTC) - timedelta(minutes=1)
    happened(engine, event(visitor="ann", live_code_id=1, at=past), event(visitor="ann", live_code_id=2, at=past))
    eraser().erase(session, TEST, "ann", [1])
    happened(engine, event(visitor="ann", live_code_id=1, at=past), event(visitor="ann", live_code_id=2, at=past))
    assert [row["live_code_id"] for row in rows(engine, VisitorLiveCode)] == [2]
    assert sorted(row["live_code_id"] for row in rows(engine, events) if row["visitor"]) == [2, 2]


def test_somebody_whose_first_scan_is_still_under_way_can_be_forgotten(engine: Engine, session: Session) -> None:
    live_codes(engine, 1)
    moment = datetime.now(UTC)
    eraser().erase(session, TEST, "ann")
    happened(engine, event(visitor="ann", at=moment))
    assert count(engine, Visitor) == 0


def test_another_key_s_tombstone_is_nobody_s(engine: Engine, session: Session) -> None:
    live_codes(engine, 1)
    eraser(b"another installation").erase(session, TEST, "ann")
    happened(engine, event(visitor="ann", at=datetime.now(UTC) - timedelta(hours=1)))
    assert count(engine, Visitor) == 1


def test_an_entry_nobody_could_read_loses_the_name_too(engine: Engine, session: Session) -> None:
    with transaction(engine) as connection:
        connection.execute(
            dead_events.insert(),
            {"origin": "outbox:1", "raw": '{"visitor":"ann%_x","ty', "reason": "torn", "at": datetime.now(UTC)},
        )
    eraser().erase(session, TEST, "ann%_x")
    assert [row["raw"] for row in rows(engine, dead_events)] == ['{"visitor":"erased","ty']


def test_erasing_and_folding_at_once_leave_nobody_behind(engine: Engine, session: Session) -> None:
    """A fold that read the tombstones before the erasure must not write after it."""
    live_codes(engine, 1)
    moment = datetime.now(UTC)
    happened(engine, event(visitor="ann", at=moment))
    screened, go_on = threading.Event(), threading.Event()
    usual = audience()

    def slow_screen(connection, happening):  # type: ignore[no-untyped-def]
        found = usual.screen(connection, happening)
        screened.set()
        go_on.wait(5)
        return found

    def fold_slowly() -> None:
        with transaction(engine) as connection:
            fold(connection, [event(visitor="ann", at=moment)], type(usual)(slow_screen, usual.listeners))

    folding = threading.Thread(target=fold_slowly)
    folding.start()
    screened.wait(5)
    erasing = threading.Thread(target=lambda: eraser().erase(session, TEST, "ann"))
    erasing.start()
    erasing.join(0.5)
    assert erasing.is_alive(), "the erasure waits for the fold that began before it"
    go_on.set()
    for thread in (folding, erasing):
        thread.join(15)
    assert count(engine, Visitor) == 0
    assert named(engine) == []


def test_nothing_changes_when_the_ledger_does_not_answer(engine: Engine, session: Session) -> None:
    live_codes(engine, 1)
    happened(engine, event(visitor="ann"))

    def down(_key: str, _places: object) -> None:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        Eraser(b"x", down).erase(session, TEST, "ann")
    assert count(engine, Visitor) == 1
    assert count(engine, ErasedVisitor) == 0


def test_no_outbox_is_touched(engine: Engine, session: Session) -> None:
    """What waits there is folded without its name instead."""
    with transaction(engine) as connection:
        connection.execute(outbox.insert(), {"body": event(visitor="ann").encode()})
    eraser().erase(session, TEST, "ann")
    assert count(engine, outbox) == 1

"""Files and bulk tags are made beside the requests: once, by one runner, gone when somebody in them is erased."""

import threading
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from app.db import writing
from app.people.models import Task, VisitorTag
from app.people.tasks import MOST_ATTEMPTS, MOST_WAITING, SILENT_FOR, Runner
from tests.happen import at, count, event, happened
from tests.panel import Somebody, logged_in, share, somebody
from tests.people.conftest import Town
from tests.people.test_export import read_csv, read_xlsx
from tests.people.test_orders import call_them

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def runner(app: Flask) -> Runner:
    found: Runner = app.extensions["huozi"].exports
    return found


def begin(asker: Somebody, kind: str = "csv", status: int = 202, **more: Any) -> dict[str, Any]:
    reply = asker.call("POST", "/visitors/tasks?lang=en", json={"kind": kind, **more})
    assert reply.status_code == status, reply.text
    found: dict[str, Any] = reply.json or {}
    return found


def shown(asker: Somebody, task: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = asker.answer(f"/visitors/tasks/{task['id']}")
    return found


def fetched(asker: Somebody, task: dict[str, Any], status: int = 200) -> bytes:
    with asker.get(f"/visitors/tasks/{task['id']}/file") as reply:
        assert reply.status_code == status, reply.text
        return reply.data


def change(engine: Engine, **values: Any) -> None:
    with Session(engine) as session, writing(session):
        session.execute(sa.update(Task).values(**values))


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_a_file_is_made_and_fetched(app: Flask, town: Town, kind: str) -> None:
    task = begin(town.bob, kind, filter={"tag": "母婴"})
    assert (task["state"], task["total"]) == ("waiting", None)
    fetched(town.bob, task, 404)
    assert runner(app).step()
    assert not runner(app).step()
    done = shown(town.bob, task)
    assert (done["state"], done["done_rows"], done["total"]) == ("done", 1, 1)
    data = fetched(town.bob, task)
    assert done["size_bytes"] == len(data)
    rows = read_csv(data) if kind == "csv" else read_xlsx(data)[1:]
    assert len(rows) == 1
    assert "母婴" in (list(rows[0].values()) if isinstance(rows[0], dict) else rows[0])


@on_sqlite
def test_a_task_is_its_maker_s_alone(app: Flask, town: Town) -> None:
    task = begin(town.bob)
    runner(app).step()
    for other in (town.carl, town.alice):
        assert other.get(f"/visitors/tasks/{task['id']}").status_code == 404
        assert other.get(f"/visitors/tasks/{task['id']}/file").status_code == 404
        assert logged_in(app, other).post(f"/visitors/tasks/{task['id']}/delete").status_code == 404
    assert len(read_csv(fetched(town.bob, task))) == 2  # of three people there are


def test_a_finished_file_is_deleted_with_its_task(app: Flask, engine: Engine, town: Town) -> None:
    task, waits, tagged = begin(town.bob), begin(town.bob, "xlsx"), begin(town.bob, "tag", tag="回访")
    runner(app).step()
    path = f"/visitors/tasks/{task['id']}"
    assert town.carl.call("DELETE", path).status_code == 404
    assert len(list(runner(app).folder.path.glob(f"{task['id']}.*"))) == 2  # the file, and who is in it
    assert town.bob.call("DELETE", path).status_code == 204
    assert list(runner(app).folder.path.glob(f"{task['id']}.*")) == []
    assert town.bob.get(path).status_code == 404
    assert town.bob.call("DELETE", path).status_code == 404
    assert town.bob.call("DELETE", f"/visitors/tasks/{waits['id']}").status_code == 204
    assert runner(app).step()  # the tag: what waited before it is not made any more
    assert not runner(app).step()
    assert town.bob.call("DELETE", f"/visitors/tasks/{tagged['id']}").status_code == 204
    assert town.bob.answer("/visitors", query_string={"tag": "回访"})["total"] == 2  # what was given stays
    assert town.bob.answer("/visitors/tasks")["items"] == []


def test_a_task_deleted_under_way_leaves_nothing(app: Flask, engine: Engine, town: Town) -> None:
    task, whole = begin(town.bob), runner(app)
    asked: list[datetime] = []

    def clock() -> datetime:
        if len(asked) == 1:  # it was taken; now it looks whom to write down
            assert town.bob.call("DELETE", f"/visitors/tasks/{task['id']}").status_code == 204
        asked.append(whole._clock())
        return asked[-1]

    assert Runner(engine, whole.folder, whole._zone, clock, whole._digest).step()
    assert len(asked) > 1
    assert list(whole.folder.path.glob("*")) == []
    assert not whole.step()


@on_sqlite
@pytest.mark.parametrize(
    "body",
    [
        {"kind": "pdf"},
        {"kind": "csv", "filter": {"colour": "red"}},
        {"kind": "csv", "filter": {"region": "Atlantis"}},
        {"kind": "csv", "filter": {"stage": "happy"}},
        {"kind": "tag"},
        {"kind": "tag", "tag": "x" * 51},
    ],
)
def test_what_cannot_be_done_is_refused(engine: Engine, town: Town, body: dict[str, Any]) -> None:
    assert town.bob.call("POST", "/visitors/tasks", json=body).status_code == 422
    assert count(engine, Task) == 0


@on_sqlite
def test_nobody_fills_the_queue(town: Town) -> None:
    for _ in range(MOST_WAITING):
        begin(town.bob)
    begin(town.bob, status=429)
    begin(town.carl)


@on_sqlite
def test_an_erased_person_takes_finished_files_along(app: Flask, town: Town) -> None:
    with_ann, without = begin(town.bob, filter={"tag": "母婴"}), begin(town.bob, filter={"live_code_id": "2"})
    runner(app).step()
    runner(app).step()
    ann = town.visitor(town.bob, tag="母婴")
    assert town.bob.call("DELETE", f"/visitors/{ann}").status_code == 204
    assert shown(town.bob, with_ann)["state"] == "void"
    fetched(town.bob, with_ann, 404)
    assert list(runner(app).folder.path.glob(f"{with_ann['id']}.*")) == []
    assert len(read_csv(fetched(town.bob, without))) == 1


def test_a_file_under_way_is_begun_anew_when_somebody_is_erased(app: Flask, engine: Engine, town: Town) -> None:
    task = begin(town.bob)
    change(engine, state="running", attempt=1)
    ann = town.visitor(town.bob, tag="母婴")
    assert town.bob.call("DELETE", f"/visitors/{ann}").status_code == 204
    assert shown(town.bob, task)["state"] == "waiting"
    runner(app).step()
    assert len(read_csv(fetched(town.bob, task))) == 1


def test_a_file_goes_with_somebody_in_it_under_another_number(app: Flask, engine: Engine, town: Town) -> None:
    happened(engine, event(visitor="ann2", live_code_id=2, at=at("2026-11-05 10:00"), placement="背面"))
    ann, other = town.visitor(town.bob, tag="母婴"), town.visitor(town.bob, placement="背面")
    task, without = begin(town.bob, filter={"placement": "背面"}), begin(town.bob, filter={"region": "CN/CN-BJ"})
    runner(app).step()
    runner(app).step()
    for visitor in (ann, other):
        call_them(town.alice, visitor, "openid", "o-ann-1")  # two who turn out to be one: Ann, who came first
    assert shown(town.bob, task)["state"] == "done"
    assert town.alice.call("DELETE", f"/visitors/{ann}").status_code == 204
    assert shown(town.bob, task)["state"] == "void"
    fetched(town.bob, task, 404)
    assert shown(town.bob, without)["state"] == "done"


def test_what_a_killed_runner_left_goes_with_whom_it_may_hold(app: Flask, engine: Engine, town: Town) -> None:
    task, folder = begin(town.bob), runner(app).folder
    change(engine, state="running", attempt=1)
    folder.path.mkdir(parents=True)
    for left in ("draft", "people-draft"):
        (folder.path / f"{task['id']}.1.{left}").write_bytes("ann, 母婴".encode())
    ann = town.visitor(town.bob, tag="母婴")
    assert town.bob.call("DELETE", f"/visitors/{ann}").status_code == 204
    assert list(folder.path.glob("*")) == []


def test_what_a_killed_runner_left_goes_when_the_next_begins(app: Flask, engine: Engine, town: Town) -> None:
    task, folder = begin(town.bob), runner(app).folder
    change(engine, attempt=1)
    folder.path.mkdir(parents=True)
    (folder.path / f"{task['id']}.1.draft").write_bytes(b"half a file")
    assert runner(app).step()
    left = {file.name for file in folder.path.glob("*")}
    assert left == {f"{task['id']}.csv", f"{task['id']}.people"}
    assert len(read_csv(fetched(town.bob, task))) == 2


def test_a_runner_that_was_killed_is_followed_by_another(app: Flask, engine: Engine, town: Town) -> None:
    task = begin(town.bob)
    now = runner(app)._clock()
    change(engine, state="running", attempt=1, beat_at=now - SILENT_FOR / 2)
    assert not runner(app).step()
    change(engine, beat_at=now - SILENT_FOR - timedelta(seconds=1))
    assert runner(app).step()
    assert shown(town.bob, task)["state"] == "done"


@on_sqlite
def test_what_kills_every_runner_is_given_up(app: Flask, engine: Engine, town: Town) -> None:
    task = begin(town.bob)
    change(engine, attempt=MOST_ATTEMPTS)
    assert not runner(app).step()
    assert shown(town.bob, task)["state"] == "failed"


@on_sqlite
def test_a_full_disk_fails_the_file_and_nothing_else(app: Flask, town: Town) -> None:
    task, folder = begin(town.bob), runner(app).folder.path
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.write_text("a file where the folder should be")
    runner(app).step()
    assert shown(town.bob, task)["state"] == "failed"


@on_sqlite
def test_a_stopped_runner_puts_the_task_back(app: Flask, town: Town) -> None:
    task, stop = begin(town.bob), threading.Event()
    stop.set()
    runner(app).step(stop)
    assert shown(town.bob, task)["state"] == "waiting"
    assert runner(app).step()
    assert shown(town.bob, task)["state"] == "done"


def test_everybody_a_filter_finds_gets_a_tag_and_loses_it(app: Flask, engine: Engine, town: Town) -> None:
    happened(engine, *(event(visitor=f"v{n}", live_code_id=2, at=at("2026-11-04 10:00")) for n in range(7)))
    few = Runner(engine, runner(app).folder, runner(app)._zone, runner(app)._clock, runner(app)._digest, at_once=3)
    task = begin(town.bob, "tag", tag="回访", filter={"live_code_id": "2"})
    few.step()
    assert shown(town.bob, task)["done_rows"] == 8
    assert town.bob.answer("/visitors", query_string={"tag": "回访"})["total"] == 8
    begin(town.bob, "untag", tag="回访", filter={"q": str(town.visitor(town.bob, tag="母婴"))})
    few.step()
    assert town.bob.answer("/visitors", query_string={"tag": "回访"})["total"] == 8
    begin(town.bob, "untag", tag="回访")
    few.step()
    assert town.bob.answer("/visitors", query_string={"tag": "回访"})["total"] == 0


@on_sqlite
def test_whoever_may_only_look_tags_nobody(app: Flask, engine: Engine, town: Town) -> None:
    dora = somebody(app, engine)
    share(engine, 1, dora, "view")
    before = count(engine, VisitorTag)
    begin(dora, "tag", tag="x")
    runner(app).step()
    assert count(engine, VisitorTag) == before
    begin(somebody(app, engine, "viewer"), "tag", 403, tag="x")


@on_sqlite
def test_the_panel_begins_watches_and_fetches_without_scripts(app: Flask, town: Town) -> None:
    bob = logged_in(app, town.bob)
    begun = bob.post("/visitors/tasks", data={"kind": "csv", "tag": "母婴"})
    assert begun.status_code == 303
    page = bob.get(f"{begun.location}?lang=en").text
    assert '<noscript><meta http-equiv="refresh"' in page
    assert 'hx-trigger="every 2s"' in page
    assert "tagged 母婴" in page
    runner(app).step()
    done = bob.get(f"{begun.location}?lang=en", headers={"HX-Request": "true"}).text
    assert "<html" not in done
    assert "hx-trigger" not in done
    with bob.get(f"{begun.location}/file") as reply:
        assert len(read_csv(reply.data)) == 1
        assert "attachment; filename=visitors-" in reply.headers["Content-Disposition"]
    assert "1 of 1" in bob.get("/visitors/tasks?lang=en").text
    assert bob.post(f"{begun.location}/delete").status_code == 303
    assert bob.get(begun.location).status_code == 404
    assert bob.post("/visitors/tasks", data={"kind": "tag"}).location == "/visitors"
    assert (
        bob.post("/visitors/tasks", data={"kind": "csv", "region": "Atlantis"}).location == "/visitors?region=Atlantis"
    )
    assert bob.post("/visitors/tasks", data={"kind": "x", "give_tag": "y"}).status_code == 422


@on_sqlite
def test_who_is_in_a_file_is_looked_up_without_reading_it(app: Flask) -> None:
    folder = runner(app).folder
    folder.path.mkdir(parents=True)
    numbers = [3, 5, 8, 1_000_000_007]
    folder.people(1).write_bytes(b"".join(number.to_bytes(8, "little") for number in numbers))
    assert [number for number in (0, 3, 4, 5, 8, 9, 1_000_000_007, 2**40) if folder.holds(1, number)] == numbers
    folder.people(2).write_bytes(b"")
    assert not folder.holds(2, 3)
    assert folder.holds(3, 3)  # nobody knows

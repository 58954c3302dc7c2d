"""A PostgreSQL that hangs gives a page that says so, not a page that never comes; and only pages are in a hurry."""

import time
from collections.abc import Callable, Iterator
from threading import Thread
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from app.codes.models import LiveCode
from app.db import db, make_engine, writing
from app.db.migrate import migrations
from tests import make
from tests.panel import Somebody, logged_in
from tests.servers import Running, start_postgresql

pytestmark = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)

SECONDS = 1
ENOUGH = 8.0  # a busy machine's


@pytest.fixture
def app(make_app: Any) -> Flask:
    return make_app(database_seconds=SECONDS, language="en")  # type: ignore[no-any-return]


@pytest.fixture
def panel(app: Flask) -> FlaskClient:
    with app.app_context(), writing(db.session):
        owner = make.user_row(db.session, role="admin")
        make.live_code_row(db.session, owner, name="spring fair")
        owner_id = owner.id
    client = logged_in(app, Somebody(owner_id, "", app.test_client()))
    client.set_cookie("huozi_lang", "en")
    return client


def seconds_of(work: Callable[[], Any]) -> tuple[float, Any]:
    began = time.monotonic()
    found = work()
    return time.monotonic() - began, found


def test_a_page_says_that_the_database_does_not_answer_while_somebody_locks_its_table(
    panel: FlaskClient, database_url: str
) -> None:
    assert "spring fair" in panel.get("/codes").text
    engine = make_engine(database_url)
    with engine.connect() as somebody:
        somebody.execute(sa.text("LOCK TABLE live_codes IN ACCESS EXCLUSIVE MODE"))
        took, answer = seconds_of(lambda: panel.get("/codes"))
        assert answer.status_code == 503 and "does not answer right now" in answer.text
        assert answer.headers["Retry-After"] == "5" and took < ENOUGH
        assert panel.get("/api/v1/live-codes").status_code != 500
    engine.dispose()
    assert "spring fair" in panel.get("/codes").text


def test_a_change_that_waits_for_another_one_is_refused_and_not_half_made(
    panel: FlaskClient, database_url: str
) -> None:
    engine = make_engine(database_url)
    with engine.connect() as somebody:
        somebody.execute(sa.select(LiveCode.id).with_for_update())
        took, answer = seconds_of(lambda: panel.post("/codes/1/state", data={"state": "paused"}))
        assert answer.status_code == 503 and took < ENOUGH
        assert somebody.scalar(sa.select(LiveCode.state)) == "active"
    engine.dispose()
    assert panel.post("/codes/1/state", data={"state": "paused"}).status_code == 303


def test_a_statement_that_does_not_end_is_ended(app: Flask) -> None:
    for name, statement in (("slow", "SELECT pg_sleep(60)"), ("quick", "SELECT 1")):
        app.add_url_rule(f"/api/v1/{name}", name, lambda said=statement: str(db.session.scalar(sa.text(said))))
    took, answer = seconds_of(lambda: app.test_client().get("/api/v1/slow"))
    assert answer.status_code == 503 and took < ENOUGH
    assert app.test_client().get("/api/v1/quick").text == "1", "the connection is as good as before"


def test_commands_wait_as_long_as_it_takes_with_a_connection_that_served_a_page(app: Flask, panel: FlaskClient) -> None:
    assert panel.get("/codes").status_code == 200
    with app.app_context():
        assert db.session.scalar(sa.text("SELECT pg_sleep(1.2)")) == ""
        assert db.session.scalar(sa.text("SHOW lock_timeout")) == "0"


def test_a_migration_waits_for_whoever_reads_the_table(app: Flask, database_url: str) -> None:
    engine = make_engine(database_url)
    with engine.connect() as somebody, app.app_context():
        migrations.downgrade("0008")
        somebody.execute(sa.text("LOCK TABLE alert_channels IN ACCESS SHARE MODE"))
        let_go = Thread(target=lambda: (time.sleep(1.3), somebody.rollback()))
        let_go.start()
        took, _ = seconds_of(migrations.upgrade)
        let_go.join()
    engine.dispose()
    assert took > SECONDS


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    """One that may be frozen."""
    running = start_postgresql()
    yield running
    running.stop()


def test_a_frozen_server_costs_one_page_a_wait_and_the_others_none(make_app: Any, server: Running) -> None:
    url = server.url.replace("postgresql:", "postgresql+psycopg:")
    app = make_app(database_url=url, database_seconds=SECONDS)
    app.add_url_rule("/api/v1/one", "one", lambda: str(db.session.scalar(sa.text("SELECT 1"))))

    def ask() -> Any:
        return app.test_client().get("/api/v1/one")

    assert ask().status_code == 200
    server.freeze()
    try:
        took, answer = seconds_of(ask)
        assert answer.status_code == 503 and answer.json["error"]["code"] == "store_unavailable"
        assert took < ENOUGH
        others = [seconds_of(ask) for _ in range(3)]
        assert {answer.status_code for _, answer in others} == {503}
        assert sorted(took for took, _ in others)[1] < 1, "one of them at most finds out whether it is back"
    finally:
        server.thaw()
    until = time.monotonic() + ENOUGH
    while (answer := ask()).status_code != 200 and time.monotonic() < until:
        time.sleep(0.1)
    assert answer.status_code == 200

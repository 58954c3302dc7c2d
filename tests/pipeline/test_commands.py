"""`flask pipeline …`, as an operator uses it."""

import json
import os
import signal
import subprocess
import sys

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy import Engine

from app.ledger.tables import outbox
from app.pipeline.models import dead_events, events
from app.settings import Settings
from tests.happen import count, event, live_codes, transaction
from tests.pipeline.test_drain import ROOT, wait_for

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def send(engine: Engine, *bodies: str) -> None:
    with transaction(engine) as connection:
        connection.execute(sa.insert(outbox), [{"body": body} for body in bodies])


def run(app: Flask, *arguments: str) -> str:
    result = app.test_cli_runner().invoke(args=["pipeline", *arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


def told(app: Flask) -> tuple[int, int, int]:
    said = json.loads(run(app, "status"))
    return said["waiting"], said["dead"], said["lost"]


def test_what_waits_can_be_folded_at_once(app: Flask, engine: Engine) -> None:
    live_codes(engine, 1)
    send(engine, event().encode(), event().encode(), "nonsense")
    assert told(app) == (3, 0, 0)
    assert run(app, "run", "--once") == "3 entries folded\n"
    assert told(app) == (0, 1, 0)
    assert count(engine, events) == 2


def test_what_was_set_aside_is_shown_and_tried_again(app: Flask, engine: Engine) -> None:
    early = event(live_code_id=5)
    send(engine, early.encode(), "无用")
    run(app, "run", "--once")
    shown = {one["raw"]: one for one in map(json.loads, run(app, "dead").splitlines())}
    assert (shown["无用"]["origin"], shown["无用"]["reason"][:12]) == ("outbox:2", "not an event")
    assert shown[early.encode()]["reason"].startswith("refused")
    assert len(run(app, "dead", "--limit", "1").splitlines()) == 1
    live_codes(engine, 5)
    assert run(app, "retry") == "1 folded, 1 still unreadable\n"
    assert count(engine, dead_events) == 1


def test_it_runs_until_it_is_told_to_stop(engine: Engine, settings: Settings) -> None:
    live_codes(engine, 1)
    environ = {
        **{name: value for name, value in os.environ.items() if not name.startswith("HUOZI_")},
        "HUOZI_DATA_DIR": str(settings.data_dir),
        "HUOZI_DATABASE_URL": settings.database_url,
        "HUOZI_SECRET_KEY": settings.secret_key,
    }
    command = [sys.executable, "-m", "flask", "--app", "wsgi", "pipeline", "run"]
    process = subprocess.Popen(command, cwd=ROOT, env=environ, stderr=subprocess.PIPE)
    try:
        send(engine, event().encode())
        wait_for(lambda: count(engine, events) == 1, 30)
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.communicate()

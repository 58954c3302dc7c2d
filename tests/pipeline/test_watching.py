"""What an operator is told of events on their way into SQL: the command, /metrics and /system agree."""

import json
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import redis
import sqlalchemy as sa
from flask import Flask
from sqlalchemy import Engine

from app.installation import look
from app.ledger import keys
from app.ledger.spool import Spool
from app.pipeline.drain import Drainer
from app.pipeline.models import dead_events
from tests.happen import audience, event, live_codes, transaction
from tests.pipeline.test_drain import send

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def ago(seconds: float) -> datetime:
    return datetime.now(UTC) - timedelta(seconds=seconds)


def test_lag_is_the_oldest_events_wherever_it_waits(engine: Engine, tmp_path: Path) -> None:
    live_codes(engine, 1)
    folder = tmp_path / "spool"
    drainer = Drainer(engine, folder, audience())
    assert drainer.lag_seconds() == 0.0
    send(engine, event(at=ago(30)), event(at=ago(10)))
    assert 30 <= drainer.lag_seconds() < 40
    spool = Spool(folder)
    spool.append(event(at=ago(100)).encode())
    spool.append(event(at=ago(300)).encode())
    assert 100 <= drainer.lag_seconds() < 110
    drainer.run_until_empty()
    assert drainer.lag_seconds() == 0.0
    spool.append("nobody can read this")
    assert drainer.lag_seconds() == 0.0
    spool.close()


def test_spool_file_that_has_just_been_drained_by_another_is_no_lag(engine: Engine, tmp_path: Path) -> None:
    folder = tmp_path / "spool"
    folder.mkdir()
    (folder / "1-1-1.jsonl").symlink_to(folder / "gone")
    assert Drainer(engine, folder, audience()).lag_seconds() == 0.0


def metric(told: str, name: str) -> float:
    found = re.search(rf"^{name} (\S+)$", told, re.MULTILINE)
    assert found is not None, told
    return float(found[1])


def test_command_metrics_and_page_tell_the_same(make_app: Callable[..., Flask], redis_url: str, engine: Engine) -> None:
    app = make_app(redis_url=redis_url)
    with redis.Redis.from_url(redis_url) as client:
        client.xadd(keys.stream(5), {"e": event().encode()}, id=f"{int(time.time() * 1000) - 60_000}-0")
    row = {"origin": "outbox:1", "raw": "{", "reason": "torn", "at": datetime.now(UTC)}
    with transaction(engine) as connection:
        connection.execute(sa.insert(dead_events).values(row))
    folder = app.extensions["huozi"].settings.data_dir / "spool"
    folder.mkdir(parents=True, exist_ok=True)
    Spool(folder).losses.add(4)

    said = json.loads(app.test_cli_runner().invoke(args=["pipeline", "status"]).stdout)
    assert (said["waiting"], said["dead"], said["lost"]) == (1, 1, 4)
    assert 60 <= said["lag_seconds"] < 90
    told = app.test_client().get("/metrics").text
    assert metric(told, "huozi_events_waiting") == 1
    assert 60 <= metric(told, "huozi_events_lag_seconds") < 90
    assert (metric(told, "huozi_events_dead"), metric(told, "huozi_events_lost_total")) == (1, 4)
    seen = look(app.extensions["huozi"])
    assert (seen.waiting, seen.dead, seen.lost) == (1, 1, 4)
    assert {one.name: one.files for one in seen.kept}["spool"] == 0


def test_metrics_leave_out_what_a_store_that_is_down_would_tell(make_app: Callable[..., Flask]) -> None:
    told = make_app(redis_url="redis://127.0.0.1:1/0").test_client().get("/metrics").text
    assert 'huozi_up{store="pipeline"} 0' in told
    assert "huozi_events_lag_seconds" not in told

"""`flask alerts run`, as real processes: one round, rounds at given times, several at once, and until it is stopped."""

import json
import os
import signal
import subprocess
import sys
import time
from datetime import timedelta

import pytest

from tests.alerts.conftest import NOW, World, later, real_now
from tests.servers import ROOT

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def environ(world: World) -> dict[str, str]:
    settings = world.app.config["HUOZI"]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("HUOZI_")}
    return inherited | {
        "HUOZI_DATA_DIR": str(settings.data_dir),
        "HUOZI_DATABASE_URL": settings.database_url,
        "HUOZI_SECRET_KEY": settings.secret_key,
        "HUOZI_ALERT_NETWORKS": "127.0.0.0/8",
    }


def start(world: World, *more: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "flask", "--app", "wsgi", "alerts", "run", *more]
    return subprocess.Popen(
        command, cwd=ROOT, env=environ(world), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip


def expiring(world: World, hours: float) -> None:
    code = world.live_code()
    world.member(code)
    world.member(code, expires_at=real_now() + timedelta(hours=hours))


def test_once_is_one_round_that_says_what_it_did(world: World) -> None:
    world.channel()
    expiring(world, 40)
    out, _ = start(world, "--once").communicate(timeout=120)
    said = json.loads(out)
    assert (said["begun"], said["queued"], said["sent"], said["failed"]) == (1, 1, 1, 0)
    assert world.heard() == [["expiring"]]


def test_several_at_once_tell_everything_once(world: World) -> None:
    world.channel()
    for hours in (40, 41, 42):
        expiring(world, hours)
    at_once = [start(world, "--once") for _ in range(3)]
    for one in at_once:
        one.communicate(timeout=240)
        assert one.returncode == 0
    assert sorted(kind for kinds in world.heard() for kind in kinds) == ["expiring"] * 3
    assert len({heard.headers["x-huozi-id"] for heard in world.hook.heard}) == len(world.hook.heard)


def test_rounds_are_taken_at_the_times_that_are_given(world: World) -> None:
    world.channel()
    code = world.live_code()
    world.member(code)
    world.member(code, expires_at=later(hours=60))
    times = "".join(f"{later(hours=hour).isoformat()}\n" for hour in (0, 12, 13, 48))
    out, _ = start(world, "--now", "-").communicate(times, timeout=120)
    assert [json.loads(line)["begun"] for line in out.splitlines()] == [0, 1, 0, 1]


@pytest.mark.parametrize("given", ["tomorrow", "2026-11-02T12:00:00"])
def test_a_time_that_is_none_is_refused(given: str, world: World) -> None:
    process = start(world, "--now", given)
    _, words = process.communicate(timeout=120)
    assert process.returncode == 2 and "Traceback" not in words


def test_it_goes_on_until_it_is_told_to_stop(world: World) -> None:
    world.channel()
    expiring(world, 40)
    process = start(world)
    deadline = time.monotonic() + 90
    while not world.hook.heard and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert world.heard() == [["expiring"]]
    assert world.messages()[0].created_at > NOW

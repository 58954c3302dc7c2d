"""Of all web workers of a machine exactly one drains, and another one goes on when it dies."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from sqlalchemy import Engine

from app.pipeline.background import Background
from app.pipeline.drain import Drainer
from app.pipeline.models import events
from tests.happen import audience, count, event, live_codes
from tests.pipeline.test_drain import ROOT, send, wait_for

WORKER = """
import sys, time
from pathlib import Path
from app.db import make_engine
from app.pipeline.background import Background
from app.pipeline.drain import Drainer
from tests.happen import audience

class Telling(Drainer):
    def run(self, stop):
        print("draining", flush=True)
        super().run(stop)

folder = Path(sys.argv[2])
Background(Telling(make_engine(sys.argv[1]), folder / "spool", audience()), folder / "drain.lock").ensure_running()
print("started", flush=True)
time.sleep(60)
"""


def start(database_url: str, folder: Path) -> subprocess.Popen[bytes]:
    worker = subprocess.Popen(
        [sys.executable, "-c", WORKER, database_url, str(folder)], stdout=subprocess.PIPE, cwd=ROOT
    )
    assert worker.stdout is not None
    os.set_blocking(worker.stdout.fileno(), False)
    return worker


class Words:
    def __init__(self, worker: subprocess.Popen[bytes]) -> None:
        self.worker, self.heard = worker, b""

    def __contains__(self, word: bytes) -> bool:
        assert self.worker.stdout is not None
        self.heard += self.worker.stdout.read() or b""
        return word in self.heard


def test_one_worker_drains_and_another_takes_over_when_it_is_killed(
    engine: Engine, database_url: str, tmp_path: Path
) -> None:
    live_codes(engine, 1)
    workers = [start(database_url, tmp_path) for _ in range(2)]
    try:
        words = [Words(worker) for worker in workers]
        wait_for(lambda: all(b"started" in said for said in words), 60)
        wait_for(lambda: any(b"draining" in said for said in words), 5)
        time.sleep(1.5)
        draining = [b"draining" in said for said in words]
        assert sorted(draining) == [False, True]
        os.kill(workers[draining.index(True)].pid, signal.SIGKILL)
        wait_for(lambda: b"draining" in words[draining.index(False)], 5)
        send(engine, event())
        wait_for(lambda: count(engine, events) == 1, 5)
    finally:
        for worker in workers:
            worker.kill()
            worker.wait(10)
            assert worker.stdout is not None
            worker.stdout.close()


def test_a_worker_has_one_thread_and_it_ends_when_told(engine: Engine, tmp_path: Path) -> None:
    live_codes(engine, 1)
    background = Background(Drainer(engine, tmp_path / "spool", audience()), tmp_path / "drain.lock")
    background.ensure_running()
    thread = background._thread
    background.ensure_running()
    assert background._thread is thread
    assert thread is not None
    send(engine, event())
    wait_for(lambda: count(engine, events) == 1, 5)
    background.stop()
    assert not thread.is_alive()
    background.ensure_running()
    send(engine, event())
    wait_for(lambda: count(engine, events) == 2, 5)
    background.stop()


def test_workers_stand_back_while_a_process_of_its_own_drains(engine: Engine, tmp_path: Path) -> None:
    live_codes(engine, 1)
    worker, apart = (
        Background(Drainer(engine, tmp_path / "spool", audience()), tmp_path / "drain.lock") for _ in range(2)
    )
    worker.ensure_running()
    try:
        send(engine, event())
        wait_for(lambda: count(engine, events) == 1, 5)
        with apart.apart():
            time.sleep(1.0)  # whatever the worker was at, it has seen it by now
            send(engine, event())
            time.sleep(1.5)
            assert count(engine, events) == 1
        wait_for(lambda: count(engine, events) == 2, 5)
    finally:
        worker.stop()

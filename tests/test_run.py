"""`make run` behind the Makefile: scripts/run on a data directory of its own, as an operator meets it."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import gunicorn_h1c
import pytest

from app.settings import ROOT
from tests.servers import free_port

READY = re.compile(r"Huozi is ready: (http://127\.0\.0\.1:\d+)/")
SECONDS = 60


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("HUOZI_", "MAKE"))}
    return {**inherited, "HUOZI_DATA_DIR": str(tmp_path / "data"), "PORT": str(free_port()), "HUOZI_WORKERS": "1"}


class Run:
    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process = process
        self._log = log

    @property
    def words(self) -> str:
        return self._log.read_text(encoding="utf-8")

    def ready(self) -> str:
        """The address it says it serves."""
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            if found := READY.search(self.words):
                return found[1]
            time.sleep(0.1)
        raise AssertionError(f"not ready:\n{self.words}")

    def children(self) -> list[int]:
        listed = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text(encoding="ascii")
        return [int(pid) for pid in listed.split()]


@contextmanager
def running(environ: Mapping[str, str], log: Path) -> Iterator[Run]:
    with log.open("wb") as out:
        command = [sys.executable, "scripts/run"]
        process = subprocess.Popen(command, cwd=ROOT, env=dict(environ), stdout=out, stderr=out)
    try:
        yield Run(process, log)
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(SECONDS)


def refused(environ: Mapping[str, str]) -> str:
    command = [sys.executable, "scripts/run"]
    done = subprocess.run(command, cwd=ROOT, env=dict(environ), capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    return done.stderr


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except OSError:
        return False


def is_gone(pid: int) -> bool:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        time.sleep(0.1)
    return False


def test_the_first_start_shows_an_administrator_and_the_second_keeps_the_data(
    environ: dict[str, str], tmp_path: Path
) -> None:
    with running(environ, tmp_path / "first") as first:
        assert answers(f"{first.ready()}/readyz")
        assert "First admin: admin@localhost" in first.words and "Password:" in first.words
    assert first.process.returncode == 0, first.words

    with running(environ, tmp_path / "second") as second:
        assert answers(f"{second.ready()}/readyz")
        assert "Password" not in second.words
    assert second.process.returncode == 0


def test_ctrl_c_ends_everything(environ: dict[str, str], tmp_path: Path) -> None:
    with running(environ, tmp_path / "log") as run:
        address = run.ready()
        children = run.children()
        assert children
        run.process.send_signal(signal.SIGINT)
        assert run.process.wait(SECONDS) == 0
        assert all(is_gone(pid) for pid in children)
        assert not answers(address)


def test_nothing_outlives_a_killed_run(environ: dict[str, str], tmp_path: Path) -> None:
    with running(environ, tmp_path / "log") as run:
        address = run.ready()
        children = run.children()
        run.process.kill()
        assert all(is_gone(pid) for pid in children)
        assert not answers(address)


def test_a_server_that_ends_by_itself_ends_the_run(environ: dict[str, str], tmp_path: Path) -> None:
    with running(environ, tmp_path / "log") as run:
        run.ready()
        os.kill(run.children()[0], signal.SIGKILL)
        assert run.process.wait(SECONDS) == 1
        assert "ended by itself" in run.words


def test_a_port_that_is_taken_is_named(environ: dict[str, str], tmp_path: Path) -> None:
    with running(environ, tmp_path / "log") as run:
        run.ready()
        assert f"port {environ['PORT']} on 127.0.0.1 is taken" in refused(environ)


def test_a_wrong_environment_is_refused_in_one_line(environ: dict[str, str]) -> None:
    assert refused({**environ, "HUOZI_ENV": "production"}).count("\n") == 1
    assert "HUOZI_TIMEZONE" in refused({**environ, "HUOZI_TIMEZONE": "Mars"})


def test_a_request_the_server_cannot_read_is_logged_without_its_sender(environ: dict[str, str], tmp_path: Path) -> None:
    with running(environ, tmp_path / "log") as run:
        run.ready()
        with socket.create_connection(("127.0.0.1", int(environ["PORT"])), SECONDS) as peer:
            peer.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nOdd: a\0b\r\n\r\n")
            assert b" 400 " in peer.recv(100)
        assert "Invalid request from somebody: " in run.words
        assert "ip=" not in run.words


def test_the_server_s_parser_in_c_is_there_and_new_enough() -> None:
    assert hasattr(gunicorn_h1c, "LimitRequestLine")  # what gunicorn asks for before it uses it

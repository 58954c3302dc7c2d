"""Real servers for the tests: PostgreSQL, Redis and Huozi itself, on free ports, in folders of their own.

Each is started when a test first asks for it and stopped by its own process id. A server that is not installed is an
error that says what to install; nothing is skipped and nothing is imitated.
"""

import contextlib
import ctypes
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import redis

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 60
PR_SET_PDEATHSIG = 1


class ServerMissing(Exception):
    """A program the tests need is not installed."""


def missing(program: str, package: str) -> ServerMissing:
    return ServerMissing(
        f"{program} is not installed. As root on Debian: scripts/install-test-servers (or apt-get install {package})."
    )


@dataclass
class Running:
    """A server process of ours; `folder` goes when it is stopped."""

    process: subprocess.Popen[bytes]
    port: int
    folder: Path
    log: Path
    url: str = ""
    stop_signal: int = signal.SIGTERM
    command: Sequence[str] = field(default_factory=tuple)

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(self.stop_signal)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(20)
        shutil.rmtree(self.folder, ignore_errors=True)

    def kill(self) -> None:
        """kill -9, as a test of what survives it; the folder stays."""
        self.process.kill()
        self.process.wait(20)

    def freeze(self) -> None:
        """It and every process of its own stops where it is: connections stay, nothing is answered."""
        for pid in (self.process.pid, *self.children()):
            os.kill(pid, signal.SIGSTOP)

    def thaw(self) -> None:
        for pid in (*self.children(), self.process.pid):
            os.kill(pid, signal.SIGCONT)

    def children(self) -> list[int]:
        """PostgreSQL's backends, gunicorn's workers."""
        main = self.process.pid
        return [int(pid) for pid in Path(f"/proc/{main}/task/{main}/children").read_text().split()]

    def words(self) -> str:
        """What the server has written to its log so far."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def wait_until(self, ready: Callable[[], object]) -> None:
        """Until `ready` neither raises nor is false; an error with the server's own words if that never happens."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            with contextlib.suppress(OSError, psycopg.Error, redis.RedisError, urllib.error.URLError):
                if ready():
                    return
            time.sleep(0.05)
        words = self.words()[-3000:]
        self.stop()
        raise RuntimeError(f"the server did not come up: {' '.join(self.command)}\n{words}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start_postgresql() -> Running:
    """An empty cluster without durability; user postgres, no password. `url` names its maintenance database."""
    programs = _postgresql_programs()
    account = _unprivileged_account()
    folder = Path(tempfile.mkdtemp(prefix="huozi-postgresql-"))
    log = folder / "log"
    data = folder / "data"
    log.touch()
    if account:
        for path in (folder, log):
            shutil.chown(path, account.pw_name)
    initdb = [
        str(programs / "initdb"),
        "-D",
        str(data),
        "-U",
        "postgres",
        "-A",
        "trust",
        "-E",
        "UTF8",
        "--locale=C",
        "-N",
    ]
    made = subprocess.run(initdb, capture_output=True, check=False, cwd="/", **_as_account(account))
    if made.returncode:
        shutil.rmtree(folder, ignore_errors=True)
        raise RuntimeError(f"initdb failed: {made.stderr.decode(errors='replace')}")
    port = free_port()
    options = {
        "listen_addresses": "127.0.0.1",
        "port": str(port),
        "unix_socket_directories": "",
        "fsync": "off",
        "synchronous_commit": "off",
        "full_page_writes": "off",
        "max_connections": "300",
        "shared_buffers": "64MB",
    }
    command = [str(programs / "postgres"), "-D", str(data)]
    for name, value in options.items():
        command += ["-c", f"{name}={value}"]
    # SIGINT is PostgreSQL's "fast" shutdown; SIGTERM would wait for every client.
    running = _start(command, folder, log, port, signal.SIGINT, cwd="/", **_as_account(account))
    running.url = f"postgresql://postgres@127.0.0.1:{port}/postgres"
    running.wait_until(lambda: _execute(running.url, "SELECT 1"))
    return running


def start_redis(*options: str, port: int | None = None, folder: Path | None = None) -> Running:
    """A Redis that keeps nothing on disk unless `options` ("--appendonly", "yes") say so. With `port` and `folder` of
    one that was killed, the same server again."""
    program = shutil.which("redis-server")
    if not program:
        raise missing("redis-server", "redis-server")
    port = port or free_port()
    folder = folder or Path(tempfile.mkdtemp(prefix="huozi-redis-"))
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", "", *options]
    running = _start(command, folder, folder / "log", port)
    running.url = f"redis://127.0.0.1:{port}/0"

    def answers() -> bool:
        with redis.Redis.from_url(running.url, socket_timeout=2) as client:
            return bool(client.ping())

    running.wait_until(answers)
    return running


def start_huozi(environ: Mapping[str, str], *, migrate: bool = True, program: str = "wsgi:app") -> Running:
    """The service as it is run for real: gunicorn with our gunicorn.conf.py, on a free port unless `environ` has PORT.
    `environ` needs HUOZI_DATA_DIR at least. Inherits nothing named HUOZI_* from the tests' own environment."""
    folder = Path(tempfile.mkdtemp(prefix="huozi-web-"))
    port = int(environ.get("PORT") or free_port())
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("HUOZI_")}
    env = {**inherited, "HUOZI_WORKERS": "2", **environ, "PORT": str(port)}
    if migrate:
        flask(["db", "upgrade"], env)
    command = [sys.executable, "-m", "gunicorn", "-c", "gunicorn.conf.py", program]
    running = _start(command, folder, folder / "log", port, cwd=str(ROOT), env=env)
    running.url = f"http://127.0.0.1:{port}"
    running.wait_until(lambda: _answers_200(f"{running.url}/readyz"))
    return running


def flask(arguments: Sequence[str], env: Mapping[str, str], stdin: str = "") -> str:
    """Runs `flask --app wsgi …` with `env` as its whole environment; what it prints on stdout."""
    command = [sys.executable, "-m", "flask", "--app", "wsgi", *arguments]
    done = subprocess.run(
        command, cwd=ROOT, env=dict(env), input=stdin.encode(), capture_output=True, check=False, timeout=120
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}\n{done.stderr.decode(errors='replace')}")
    return done.stdout.decode()


def chromium() -> str:
    """The path of Debian's Chromium, for Playwright's executable_path."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    raise missing("chromium", "chromium fonts-wqy-microhei")


class PostgresqlDatabases:
    """Databases of one PostgreSQL, each a copy of a template: milliseconds instead of a migration's seconds."""

    def __init__(self, server: Running) -> None:
        self._server = server
        self._made = 0

    def create(self, template: str = "template1") -> str:
        """The name of a new database."""
        self._made += 1
        name = f"huozi_{self._made}"
        _execute(self._server.url, f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY FILE_COPY')
        return name

    def drop(self, name: str) -> None:
        _execute(self._server.url, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def url(self, name: str) -> str:
        return f"postgresql+psycopg://postgres@127.0.0.1:{self._server.port}/{name}"


def _start(
    command: Sequence[str],
    folder: Path,
    log: Path,
    port: int,
    stop_signal: int = signal.SIGTERM,
    **options: object,
) -> Running:
    with log.open("ab") as out:
        process = subprocess.Popen(  # type: ignore[call-overload]
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=lambda: _die_with_parent(stop_signal),
            **options,
        )
    return Running(process, port, folder, log, stop_signal=stop_signal, command=command)


_libc = ctypes.CDLL(None)


def _die_with_parent(stop_signal: int) -> None:
    """So that nothing of ours outlives a test run that was killed. (Linux; elsewhere the call does not exist.)"""
    if sys.platform == "linux":
        _libc.prctl(PR_SET_PDEATHSIG, stop_signal)


def _postgresql_programs() -> Path:
    """The folder of initdb and postgres. Debian keeps them off the PATH, by version; the newest wins."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    found = str(debian[-1]) if debian else shutil.which("initdb")
    if not found:
        raise missing("PostgreSQL (initdb)", "postgresql")
    return Path(found).resolve().parent


def _unprivileged_account() -> pwd.struct_passwd | None:
    """Whom to run PostgreSQL as: it refuses root. None: as ourselves."""
    if os.geteuid():
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise ServerMissing("PostgreSQL will not run as root, and there is no account postgres or nobody to run it as.")


def _as_account(account: pwd.struct_passwd | None) -> dict[str, object]:
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []} if account else {}


def _execute(url: str, statement: str) -> bool:
    with psycopg.connect(url, autocommit=True, connect_timeout=5) as connection:
        connection.execute(statement)
    return True


def _answers_200(url: str) -> bool:
    with urllib.request.urlopen(url, timeout=5) as answer:
        return bool(answer.status == 200)

#!/usr/bin/env python3
"""Starts Huozi as an operator does (`make run`), on SQLite and on PostgreSQL, and runs the contract's checks on it.

    .ci/against_service.py SHARED    the folder that may hold conformance.py; without it, starting and stopping is all

Prints what they print; exit status 1 when one of them failed, when the service noted an error of its own, or when it
did not come up or go down as it should.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.servers import PostgresqlDatabases, flask, free_port, start_postgresql  # noqa: E402

READY_SECONDS = 300
CHECK_SECONDS = 240
ADMIN = "ci@example.com"


def main() -> int:
    shared = Path(sys.argv[1] if len(sys.argv) > 1 else "nowhere").resolve()
    server = start_postgresql()
    try:
        databases = PostgresqlDatabases(server)
        results = [
            on("SQLite", "", shared),
            on("PostgreSQL", databases.url(databases.create()), shared),
        ]
    finally:
        server.stop()
    return 0 if all(results) else 1


def on(name: str, database_url: str, shared: Path) -> bool:
    print(f"-- the service on {name}", flush=True)
    with tempfile.TemporaryDirectory(prefix="huozi-ci-") as data:
        inherited = {
            key: value for key, value in os.environ.items() if not key.startswith(("HUOZI_", "MAKE", "MFLAGS"))
        }
        env = {
            **inherited,
            "HUOZI_DATA_DIR": data,
            "HUOZI_DATABASE_URL": database_url,
            "HUOZI_TRUSTED_PROXIES": "127.0.0.1/32",
            "PORT": str(free_port()),
        }
        log = Path(data) / "log"
        with running(env, log) as address:
            flask(["user", "create", ADMIN, "--role", "admin", "--password-stdin"], env, "correct horse battery 9\n")
            token = flask(["token", "create", ADMIN, "--name", "ci"], env).strip()
            conformance = shared / "conformance.py"
            passed = not conformance.exists() or check([sys.executable, str(conformance), address, token], env)
        clean = noted_no_error(log)
        return passed and clean


def noted_no_error(log: Path) -> bool:
    noted = [line for line in log.read_text(encoding="utf-8").splitlines() if '"level": "error"' in line]
    print("\n".join(["-- the service noted errors:", *noted]) if noted else "-- the service noted no error", flush=True)
    return not noted


def check(command: list[str], env: dict[str, str]) -> bool:
    print(f"-- {Path(command[1]).name}", flush=True)
    try:
        return subprocess.run(command, cwd=ROOT, env=env, check=False, timeout=CHECK_SECONDS).returncode == 0
    except subprocess.TimeoutExpired:
        print(f"-- not done after {CHECK_SECONDS} s", flush=True)
        return False


@contextmanager
def running(env: dict[str, str], log: Path) -> Iterator[str]:
    """`make run`; its address, once it answers. Stopped as Ctrl-C stops it, which must leave nothing behind."""
    address = f"http://127.0.0.1:{env['PORT']}"
    with log.open("wb") as out:
        command = ["make", "--no-print-directory", "run"]
        process = subprocess.Popen(
            command, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
        )
        try:
            wait_for(process, address)
            yield address
        except BaseException:
            print(log.read_text(encoding="utf-8", errors="replace")[-5000:], flush=True)
            raise
        finally:
            os.killpg(process.pid, signal.SIGINT)
            process.wait(60)
    if answers(address):
        raise RuntimeError("the service was stopped and still answers")


def wait_for(process: subprocess.Popen[bytes], address: str) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        if answers(f"{address}/readyz"):
            return
        if process.poll() is not None:
            raise RuntimeError(f"make run ended with {process.returncode}")
        time.sleep(0.2)
    raise RuntimeError(f"make run was not ready after {READY_SECONDS} s")


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except OSError:
        return False


if __name__ == "__main__":
    sys.exit(main())

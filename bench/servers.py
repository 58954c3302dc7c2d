"""The servers of the benchmark: Huozi as `make run` runs it, and the pages it is compared with, each on a free port."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.servers import Running, flask, free_port, start_postgresql, start_redis

ROOT = Path(__file__).resolve().parent.parent
WORKERS, THREADS = 2, 16
GUNICORN = [sys.executable, "-m", "gunicorn", "-c", "gunicorn.conf.py"]


@dataclass(frozen=True)
class Served:
    """One address to load, the processes that answer there, and the environment they run in."""

    url: str
    processes: tuple[int, ...]
    environ: Mapping[str, str]
    rests: int | None = None  # the process that stands still under load

    @contextlib.contextmanager
    def loaded(self) -> Iterator[None]:
        if self.rests is not None:
            os.kill(self.rests, signal.SIGSTOP)
        try:
            yield
        finally:
            if self.rests is not None:
                os.kill(self.rests, signal.SIGCONT)

    def cpu_seconds(self) -> float:
        """What these processes and their children have spent so far."""
        ticks = sum(_ticks(pid) for pid in _with_children(self.processes))
        return ticks / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def stores(database: str, *, redis: bool, full: Path | None = None) -> Iterator[dict[str, str]]:
    """The environment of a service with a database of its own, `sqlite` or `postgresql`, migrated. `full`: begun as
    what `bench/full.py` left there."""
    with tempfile.TemporaryDirectory(prefix="huozi-bench-") as folder, contextlib.ExitStack() as stack:
        environ = {"HUOZI_DATA_DIR": folder, "HUOZI_SECRET_KEY": "b" * 40, "HUOZI_TRUSTED_PROXIES": "127.0.0.1/32"}
        if database == "postgresql":
            server = start_postgresql()
            stack.callback(server.stop)
            environ["HUOZI_DATABASE_URL"] = server.url
        if full is not None:
            shutil.copy(full / "huozi.db", folder)
        if redis:
            memory = Path(tempfile.mkdtemp(prefix="huozi-redis-"))
            if full is not None:
                shutil.copy(full / "dump.rdb", memory)
            cache = start_redis(folder=memory)
            stack.callback(cache.stop)
            environ["HUOZI_REDIS_URL"] = cache.url
        flask(["db", "upgrade"], {**os.environ, **environ})
        yield environ


@contextlib.contextmanager
def huozi(environ: Mapping[str, str], server: str = "gunicorn", *, folds: bool = True) -> Iterator[Served]:
    """The service, and beside it the pipeline, as `make run` starts them. `folds` False: while it is loaded the
    pipeline stands still; what the door can do is measured apart from what the pipeline can."""
    command = [sys.executable, "-m", "flask", "--app", "wsgi", "pipeline", "run"]
    with _started(command, environ) as pipeline, _serving(server, "wsgi:app", environ, "/readyz") as running:
        pids = (running.process.pid, pipeline.process.pid)
        yield Served(running.url, pids, environ, None if folds else pipeline.process.pid)


@contextlib.contextmanager
def bare(size: int, server: str = "gunicorn", *, call: bool = False) -> Iterator[Served]:
    """A callable that answers `size` bytes, if asked after one call of a script in a Redis of its own."""
    with tempfile.TemporaryDirectory(prefix="huozi-bare-") as folder, contextlib.ExitStack() as stack:
        environ = {"HUOZI_DATA_DIR": folder, "BARE_BYTES": str(size)}
        if call:
            cache = start_redis()
            stack.callback(cache.stop)
            environ["BARE_REDIS"] = cache.url
        with _serving(server, "bench.bare:app", environ, "/") as running:
            yield Served(running.url, (running.process.pid,), environ)


@contextlib.contextmanager
def _serving(server: str, app: str, environ: Mapping[str, str], ready: str) -> Iterator[Running]:
    port = free_port()
    if server == "gunicorn":
        command = [*GUNICORN, app]
    else:
        command = [sys.executable, "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port)]
        command += ["--workers", str(WORKERS), "--blocking-threads", "1", "--no-ws", "--log-level", "warning", app]
    more = {"PORT": str(port), "HUOZI_WORKERS": str(WORKERS), "HUOZI_THREADS": str(THREADS)}
    with _started(command, {**environ, **more}) as running:
        running.port, running.url = port, f"http://127.0.0.1:{port}"
        running.wait_until(lambda: urllib.request.urlopen(running.url + ready, timeout=5).status == 200)
        yield running


@contextlib.contextmanager
def _started(command: Sequence[str], environ: Mapping[str, str]) -> Iterator[Running]:
    folder = Path(tempfile.mkdtemp(prefix="huozi-bench-log-"))
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("HUOZI_")}
    log = folder / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(command, cwd=ROOT, env={**inherited, **environ}, stdout=out, stderr=out)
    running = Running(process, 0, folder, log)
    try:
        yield running
    finally:
        running.stop()


def _with_children(pids: Sequence[int]) -> list[int]:
    found = list(pids)
    for pid in pids:
        for task in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(FileNotFoundError):  # a thread that has just ended
                found += _with_children([int(child) for child in (task / "children").read_text().split()])
    return found


def _ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])  # user and system

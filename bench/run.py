"""`make bench`: what a scan costs, beside a bare WSGI page of the same size under the same server.

Machines are noisy, so everything is measured in one run, in interleaved rounds, and told as a ratio of medians. Writes
the table into docs/performance.md.
"""

import argparse
import contextlib
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench.load import WECHAT, Measured, wrk  # noqa: E402
from bench.places import seed  # noqa: E402
from tests.servers import Running, free_port, start_huozi, start_postgresql  # noqa: E402

WORKERS, THREADS = 2, 16
VISITORS = 2000
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"


@dataclass(frozen=True)
class Case:
    """One thing to load; `beside` is the case its ratio is of."""

    name: str
    load: Callable[[float], Measured]
    beside: str | None = None


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--seconds", type=float, default=6.0, help="length of one measurement")
    words.add_argument("--rounds", type=int, default=5)
    words.add_argument("--only", default="", help="measure cases whose name contains this, and the bare page")
    words.add_argument("--no-write", action="store_true", help="leave docs/performance.md alone")
    asked = words.parse_args()
    with contextlib.ExitStack() as stack:
        cases = [c for c in make_cases(stack) if c.beside is None or asked.only in c.name]
        results = measure(cases, asked.seconds, asked.rounds)
    table = as_table(cases, results, asked.rounds, asked.seconds)
    print(table)
    if not asked.no_write:
        write(ROOT / "docs" / "performance.md", table)


def make_cases(stack: contextlib.ExitStack) -> list[Case]:
    """Starts every server; they idle while another one is loaded."""
    sqlite = stack.enter_context(huozi("sqlite"))
    codes = seed(sqlite.environ)
    page = urllib.request.urlopen(scan_request(sqlite.url, codes["few"])).read()
    bare = stack.enter_context(bare_page(len(page)))
    cases = [
        Case("bare WSGI page", lambda s: wrk(bare.url, s)),
        scans("first scan, SQLite, 10 members", sqlite.url, codes["few"]),
        returning("returning scan, SQLite, 10 members", sqlite.url, codes["few"]),
        scans("first scan, SQLite, 200 members in 40 regions", sqlite.url, codes["regions"]),
        scans("first scan, SQLite, round robin over 10", sqlite.url, codes["round_robin"]),
    ]
    postgresql = stack.enter_context(huozi("postgresql"))
    codes = seed(postgresql.environ)
    cases += [
        scans("first scan, PostgreSQL, 10 members", postgresql.url, codes["few"]),
        returning("returning scan, PostgreSQL, 10 members", postgresql.url, codes["few"]),
    ]
    return cases


def scans(name: str, url: str, slug: str) -> Case:
    """Everybody is new: nobody sends a cookie."""
    return Case(name, lambda seconds: wrk(f"{url}/s/{slug}", seconds), "bare WSGI page")


def returning(name: str, url: str, slug: str) -> Case:
    cookies: list[str] = []

    def load(seconds: float) -> Measured:
        if not cookies:
            with ThreadPoolExecutor(8) as pool:
                cookies.extend(pool.map(lambda _: cookie_of(url, slug), range(VISITORS)))
        return wrk(f"{url}/s/{slug}", seconds, cookies)

    return Case(name, load, "bare WSGI page")


def scan_request(url: str, slug: str) -> urllib.request.Request:
    return urllib.request.Request(f"{url}/s/{slug}", headers={"User-Agent": WECHAT, "Accept": "text/html"})


def cookie_of(url: str, slug: str) -> str:
    with urllib.request.urlopen(scan_request(url, slug), timeout=30) as reply:
        return str(reply.headers["Set-Cookie"]).partition(";")[0]


def measure(cases: list[Case], seconds: float, rounds: int) -> dict[str, list[Measured]]:
    results: dict[str, list[Measured]] = {case.name: [] for case in cases}
    for number in range(rounds + 1):
        for case in cases:
            measured = case.load(seconds if number else 2.0)  # the first round warms up
            if measured.errors:
                raise SystemExit(f"{case.name}: {measured.errors} requests failed")
            if number:
                results[case.name].append(measured)
            print(f"round {number}: {case.name}: {measured.rate:.0f}/s", file=sys.stderr)
            time.sleep(0.5)
    return results


def as_table(cases: list[Case], results: dict[str, list[Measured]], rounds: int, seconds: float) -> str:
    def rate(name: str) -> float:
        return statistics.median(m.rate for m in results[name])

    lines = [
        f"{machine()}, {time.strftime('%Y-%m-%d')}. {WORKERS} workers × {THREADS} threads (gthread, C parser),",
        f"wrk with 32 keep-alive connections on this machine, {rounds} interleaved rounds of {seconds:g} s; medians.",
        "",
        "| | requests/s | × of the bare page (min – max) | p99 ms |",
        "| --- | --- | --- | --- |",
    ]
    for case in cases:
        p99 = statistics.median(m.p99_ms for m in results[case.name])
        ratio = "1"
        if case.beside is not None:
            pairs = [a.rate / b.rate for a, b in zip(results[case.name], results[case.beside], strict=True)]
            ratio = f"**{rate(case.name) / rate(case.beside):.2f}** ({min(pairs):.2f} – {max(pairs):.2f})"
        lines.append(f"| {case.name} | {rate(case.name):,.0f} | {ratio} | {p99:.0f} |")
    return "\n".join(lines)


def machine() -> str:
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
        model = next((line.partition(":")[2].strip() for line in file if line.startswith("model name")), "a processor")
    return f"{os.cpu_count()} cores of {model}, Python {platform.python_version()}"


def write(file: Path, table: str) -> None:
    text = file.read_text(encoding="utf-8") if file.exists() else f"# Performance\n\n{BEGIN}\n{END}\n"
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    file.write_text(f"{before}{BEGIN}\n{table}\n{END}{after}", encoding="utf-8")


@dataclass(frozen=True)
class Service:
    url: str
    environ: dict[str, str]


@contextlib.contextmanager
def huozi(database: str) -> Iterator[Service]:
    """The service on a fresh database, as `make run` starts it."""
    with tempfile.TemporaryDirectory(prefix="huozi-bench-") as folder, contextlib.ExitStack() as stack:
        environ = {"HUOZI_DATA_DIR": folder, "HUOZI_WORKERS": str(WORKERS), "HUOZI_THREADS": str(THREADS)}
        if database == "postgresql":
            server = start_postgresql()
            stack.callback(server.stop)
            environ["HUOZI_DATABASE_URL"] = server.url
        running = start_huozi(environ)
        stack.callback(running.stop)
        yield Service(running.url, environ)


@contextlib.contextmanager
def bare_page(size: int) -> Iterator[Running]:
    """gunicorn with the service's own configuration, around a callable that does nothing."""
    port = free_port()
    folder = Path(tempfile.mkdtemp(prefix="huozi-bare-"))
    env = {**os.environ, "HUOZI_DATA_DIR": str(folder), "PORT": str(port), "BARE_BYTES": str(size)}
    env |= {"HUOZI_WORKERS": str(WORKERS), "HUOZI_THREADS": str(THREADS)}
    command = [sys.executable, "-m", "gunicorn", "-c", "gunicorn.conf.py", "bench.bare:app"]
    log = folder / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=out, stderr=out)
    running = Running(process, port, folder, log, url=f"http://127.0.0.1:{port}/")
    running.wait_until(lambda: urllib.request.urlopen(running.url, timeout=2).status == 200)
    try:
        yield running
    finally:
        running.stop()


if __name__ == "__main__":
    main()

"""`make bench`: what a scan costs, beside a bare page of the same size under the same server.

Machines are noisy, so everything is measured in one run, in interleaved rounds, and told as a ratio of medians. Writes
the tables into docs/performance.md.
"""

import argparse
import contextlib
import os
import platform
import statistics
import sys
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench.load import HEADERS, Measured, open_loop, wrk  # noqa: E402
from bench.places import Codes, addresses, seed  # noqa: E402
from bench.servers import THREADS, WORKERS, Served, bare, huozi, stores  # noqa: E402

VISITORS = 2000
STORES = ("SQLite", "PostgreSQL", "Redis", "granian")
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
BARE, CALL, GRANIAN = "bare page", "bare page + one script call", "bare page, granian"


@dataclass(frozen=True)
class Case:
    """One thing to load; `beside` is the case its ratio is of."""

    name: str
    served: Served
    url: str
    beside: str | None = None
    lines: Callable[[], Sequence[str]] = list


@dataclass(frozen=True)
class Round:
    measured: Measured
    cpu_us: float  # of the serving processes and the pipeline, a request


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--seconds", type=int, default=6, help="length of one measurement")
    words.add_argument("--rounds", type=int, default=5)
    words.add_argument("--stores", default=",".join(STORES), help="which of these to measure")
    words.add_argument(
        "--full", type=Path, help="a folder made by bench/full.py, to compare with an empty installation"
    )
    words.add_argument("--only", default="", help="of their cases those with these words; a | between several")
    words.add_argument("--no-write", action="store_true", help="leave docs/performance.md alone")
    asked = words.parse_args()
    with contextlib.ExitStack() as stack:
        cases = make_cases(stack, asked.stores.split(","), asked.full)
        wanted = {case.name for case in cases if any(words in case.name for words in asked.only.split("|"))}
        wanted |= {case.beside for case in cases if case.name in wanted and case.beside} | {BARE}
        cases = [case for case in cases if case.name in wanted]
        results = measure(cases, asked.seconds, asked.rounds)
        tables = f"{as_table(cases, results, asked.rounds, asked.seconds)}\n\n{tails(cases, results, asked.seconds)}"
    print(tables)
    if not asked.no_write:
        write(ROOT / "docs" / "performance.md", tables)


def make_cases(stack: contextlib.ExitStack, wanted: Sequence[str], full: Path | None) -> list[Case]:
    """Starts every server; they idle while another one is loaded."""
    cities = addresses()
    everywhere = [f"X-Forwarded-For: {address}" for group in zip(*cities.values(), strict=True) for address in group]
    size, made = 3000, []

    def scans(name: str, database: str, beside: str, *, redis: bool = False, server: str = "gunicorn") -> list[Case]:
        nonlocal size
        environ = stack.enter_context(stores(database, redis=redis))
        codes = seed(environ, cities)
        # With Redis the pipeline is measured by itself: it may live on another machine.
        served = stack.enter_context(huozi(environ, server, folds=not redis))
        few, first = f"{served.url}/s/{codes.few}", f"first scan, {name}"
        size = len(urllib.request.urlopen(request(few)).read())
        return [
            Case(first, served, few, beside),
            Case(f"returning scan, {name}", served, few, beside, lambda: cookies(few)),
            *(
                Case(f"{first}, {what}", served, f"{served.url}/s/{slug}", first, lines)
                for what, slug, lines in variants(codes, everywhere)
                if server == "gunicorn"
            ),
        ]

    if "SQLite" in wanted:
        made += scans("SQLite", "sqlite", BARE)
    if "PostgreSQL" in wanted:
        made += scans("PostgreSQL", "postgresql", BARE)
    if "Redis" in wanted:
        made += scans("Redis", "postgresql", CALL, redis=True)
        made.insert(0, Case(CALL, called := stack.enter_context(bare(size, call=True)), called.url, BARE))
    if "granian" in wanted:
        made += scans("Redis, granian", "postgresql", BARE, redis=True, server="granian")
        made.insert(0, Case(GRANIAN, other := stack.enter_context(bare(size, "granian")), other.url, BARE))
    if full is not None:
        empty, filled = (stack.enter_context(stores("sqlite", redis=True, full=folder)) for folder in (None, full))
        made += sizes(*((environ, stack.enter_context(huozi(environ, folds=False))) for environ in (empty, filled)))
    page = stack.enter_context(bare(size))
    return [Case(BARE, page, page.url), *made]


def sizes(empty: tuple[dict[str, str], Served], filled: tuple[dict[str, str], Served]) -> list[Case]:
    """The same live code alone, and among a hundred thousand others."""
    made: list[Case] = []
    for name, (environ, served), beside in (("empty", empty, BARE), ("full", filled, "empty")):
        url = f"{served.url}/s/{seed(environ, {'CN': []}).few}"
        for what, lines in (("first", list), ("returning", partial(cookies, url))):
            other = BARE if beside == BARE else f"{what} scan, Redis, empty"
            made.append(Case(f"{what} scan, Redis, {name}", served, url, other, lines))
    return made


def variants(codes: Codes, everywhere: Sequence[str]) -> Sequence[tuple[str, str, Callable[[], Sequence[str]]]]:
    """What a live code may be otherwise than the simplest: name, slug, headers."""
    return (
        ("200 members", codes.many, list),
        ("10 in turns", codes.turns, list),
        ("200 in turns", codes.many_turns, list),
        ("200 at random", codes.many_random, list),
        ("10 members, people of 40 cities", codes.few, lambda: everywhere),
        ("200 members in 40 cities, people of these", codes.regions, lambda: everywhere),
    )


def cookies(url: str) -> list[str]:
    """Of people who have been here."""

    def one(_: int) -> str:
        with urllib.request.urlopen(request(url), timeout=30) as reply:
            return f"Cookie: {str(reply.headers['Set-Cookie']).partition(';')[0]}"

    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(one, range(VISITORS)))


def request(url: str) -> urllib.request.Request:
    return urllib.request.Request(url, headers=HEADERS)


def measure(cases: Sequence[Case], seconds: int, rounds: int) -> dict[str, list[Round]]:
    results: dict[str, list[Round]] = {case.name: [] for case in cases}
    lines = {case.name: case.lines() for case in cases}
    for number in range(rounds + 1):
        for case in cases:
            before = case.served.cpu_seconds()
            with case.served.loaded():
                measured = wrk(case.url, seconds if number else 2, lines[case.name])  # the first round warms up
                spent = case.served.cpu_seconds() - before
            settle(case)
            if case.served.rests is None:
                spent = case.served.cpu_seconds() - before  # with what was folded afterwards
            if measured.errors:
                raise SystemExit(f"{case.name}: {measured.errors} requests failed")
            one = Round(measured, spent / (measured.rate * (seconds if number else 2)) * 1e6)
            if number:
                results[case.name].append(one)
            print(f"round {number}: {case.name}: {measured.rate:.0f}/s, {one.cpu_us:.0f} µs CPU", file=sys.stderr)
    return results


def settle(case: Case) -> None:
    """Until everything this case left behind is folded: the next case shall not pay for it."""
    idle, last = 0, case.served.cpu_seconds()
    while idle < 2:
        time.sleep(0.5)
        now = case.served.cpu_seconds()
        idle, last = (idle + 1 if now - last < 0.05 else 0), now


def tails(cases: Sequence[Case], results: Mapping[str, list[Round]], seconds: int) -> str:
    """Half and 99 % of the answers where requests come by the clock, at 70 % of what the server can do."""
    lines = ["| at 70 % load, open loop | requests/s | p50 ms | p99 ms | p99/p50 |", "| --- | --- | --- | --- | --- |"]
    for case in cases:
        if case.beside in (BARE, CALL):
            rate = 0.7 * statistics.median(one.measured.rate for one in results[case.name])
            with case.served.loaded():
                told = open_loop(case.url, rate, seconds, case.lines())
            settle(case)
            ratio = told.p99_ms / told.p50_ms
            lines.append(f"| {case.name} | {told.rate:,.0f} | {told.p50_ms:.1f} | {told.p99_ms:.1f} | {ratio:.0f} |")
    return "\n".join(lines)


def as_table(cases: Sequence[Case], results: Mapping[str, list[Round]], rounds: int, seconds: int) -> str:
    def rate(name: str) -> float:
        return statistics.median(one.measured.rate for one in results[name])

    lines = [
        f"{machine()}, {time.strftime('%Y-%m-%d')}. {WORKERS} workers of {THREADS} threads (gthread, C parser),",
        f"wrk with 32 keep-alive connections on this machine, {rounds} rounds of {seconds} s in turn; medians. CPU:",
        "of the server's processes and the pipeline, a request; wrk, PostgreSQL and Redis come on top.",
        "",
        "| | requests/s | CPU µs | × (min – max) | of | p99 ms |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for case in cases:
        p99 = statistics.median(one.measured.p99_ms for one in results[case.name])
        cpu = statistics.median(one.cpu_us for one in results[case.name])
        ratio = "1"
        if case.beside is not None:
            both = zip(results[case.name], results[case.beside], strict=True)
            pairs = [a.measured.rate / b.measured.rate for a, b in both]
            ratio = f"**{rate(case.name) / rate(case.beside):.2f}** ({min(pairs):.2f} – {max(pairs):.2f})"
        beside = case.beside or ""
        lines.append(f"| {case.name} | {rate(case.name):,.0f} | {cpu:.0f} | {ratio} | {beside} | {p99:.0f} |")
    return "\n".join(lines)


def machine() -> str:
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
        model = next((line.partition(":")[2].strip() for line in file if line.startswith("model name")), "a processor")
    return f"{os.cpu_count()} cores of {model}, Python {platform.python_version()}"


def write(file: Path, tables: str) -> None:
    before, _, rest = file.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    file.write_text(f"{before}{BEGIN}\n{tables}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()

"""The last seats under a race: threads and processes at once, on one store."""

import collections
import json
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sqlalchemy.engine import Engine

from app.db import make_engine
from app.ledger.spool import Spool
from app.scan.decide import Decider
from tests.ledger.books import SqlBooks
from tests.ledger.conftest import open_ledger
from tests.ledger.world import World

ROOT = Path(__file__).resolve().parents[2]
PROCESSES, THREADS, MEMBERS, SEATS = 4, 16, 20, 5


def scan_many(
    url: str, store_url: str, spool_dir: str, slug: str, prefix: str, threads: int, scans: int
) -> dict[str, int]:
    """One process: `threads` at once, new visitors each; member id or outcome → how often."""
    engine = make_engine(url, pool_size=0)
    spool = Spool(Path(spool_dir))
    ledger = open_ledger(store_url, engine, spool)
    world = World(engine, ledger, SqlBooks(engine, spool.directory))
    decider = Decider(world.snapshots, world.ledger)
    gate = threading.Barrier(threads)

    def one(number: int) -> str:
        gate.wait(60)
        answer = decider.scan(slug, world.scanner(f"{prefix}{number:018d}"))
        assert not answer.provisional
        if answer.decision.outcome.value == "assigned" and answer.decision.member is not None:
            return str(answer.decision.member.id)
        return answer.decision.outcome.value

    with ThreadPoolExecutor(threads) as pool:
        got = collections.Counter(pool.map(one, range(scans)))
    ledger.close()
    spool.close()
    engine.dispose()
    return dict(got)


def test_64_threads_in_4_processes_give_every_last_seat_once(
    world: World, engine: Engine, store_url: str, tmp_path: Path
) -> None:
    code = world.live_code()
    ids = [world.member(code, capacity=SEATS) for _ in range(MEMBERS)]
    url = engine.url.render_as_string(hide_password=False)
    script = (
        "import json, sys; from tests.ledger.test_races import scan_many; "
        "a = json.loads(sys.argv[1]); print(json.dumps(scan_many(**a)))"
    )
    running = [
        subprocess.Popen(
            [
                sys.executable,
                "-c",
                script,
                json.dumps(
                    {
                        "url": url,
                        "store_url": store_url,
                        "spool_dir": str(tmp_path / "spools"),
                        "slug": code.slug,
                        "prefix": f"p{n}__",
                        "threads": THREADS,
                        "scans": 2 * THREADS,
                    }
                ),
            ],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        for n in range(PROCESSES)
    ]
    got: collections.Counter[str] = collections.Counter()
    for process in running:
        out, _ = process.communicate(timeout=120)
        assert process.returncode == 0
        got.update(json.loads(out))
    assert got == {**{str(m): SEATS for m in ids}, "full": PROCESSES * 2 * THREADS - MEMBERS * SEATS}
    world.check_books()
    assert len([seat for seat in world.books.seats() if seat.counted]) == MEMBERS * SEATS


def test_one_visitor_scanning_at_once_takes_one_seat(world: World) -> None:
    code = world.live_code(mode="round_robin")
    ids = [world.member(code) for _ in range(3)]
    who = world.visitor()
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda _: world.scan(code, who), range(24)))
    shown = {a.decision.member.id for a in answers if a.decision.member is not None}
    assert len(shown) == 1 and not any(a.provisional for a in answers)
    assert sum(world.counted(code, m) for m in ids) == 1


def test_one_visitor_at_two_posters_of_a_dedupe_group_takes_one_seat(world: World) -> None:
    one = world.live_code(dedupe_group="spring")
    two = world.live_code(dedupe_group="spring", owner_id=one.owner_id)
    a, b = world.member(one), world.member(two)
    for _ in range(8):
        who = world.visitor()
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda n, who=who: world.scan((one, two)[n % 2], who), range(8)))
        assert len({x.decision.member.id for x in answers if x.decision.member is not None}) == 1
    assert world.counted(one, a) + world.counted(two, b) == 8
    world.check_books()


def test_swaps_and_scans_at_once_never_show_an_old_code(world: World) -> None:
    code = world.live_code()
    a = world.member(code, capacity=500)
    visitors = [world.visitor() for _ in range(60)]

    def scan(who: str) -> bool:
        before = world.snapshot(code).member(a)
        answer = world.scan(code, who)
        shown = answer.decision.member
        return before is not None and shown is not None and (shown.version or 0) >= (before.version or 0)

    with ThreadPoolExecutor(8) as pool:
        swaps = pool.submit(lambda: [world.swap(a) for _ in range(10)])
        assert all(pool.map(scan, visitors))
        swaps.result()
    assert world.counted(code, a) == 60

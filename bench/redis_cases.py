"""What the Redis ledger costs: bytes a visitor, microseconds a claim, events a second into SQL.

`python bench/redis_cases.py memory [--visitors 1000000]`, `… claims`, `… pipeline`; each starts servers of its own. The
claims are real ones, sent in pipelines, so that the script is measured and not the round trip.
"""

import argparse
import contextlib
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import redis  # noqa: E402
from sqlalchemy.orm import Session  # noqa: E402

from app.codes.snapshot import Snapshots  # noqa: E402
from app.db import make_engine, writing  # noqa: E402
from app.ledger import Claim, keys  # noqa: E402
from app.ledger.redis import RedisLedger  # noqa: E402
from app.ledger.scripts import SLOTS  # noqa: E402
from app.ledger.servers import Servers  # noqa: E402
from app.ledger.spool import Spool  # noqa: E402
from app.ledger.streams import Streams  # noqa: E402
from app.ledger.truth import Truth  # noqa: E402
from app.rules import capacity, routing  # noqa: E402
from app.rules.model import Plan, Snapshot  # noqa: E402
from app.rules.regions import Place  # noqa: E402
from app.rules.tally import ScanEvent  # noqa: E402
from tests import make  # noqa: E402
from tests.servers import flask, start_postgresql, start_redis  # noqa: E402

ROOM = 10_000_000
BATCH = 400


class Bench:
    """A Redis, a database, a ledger on both."""

    def __init__(self, database_url: str, redis_url: str, folder: Path) -> None:
        self.engine = make_engine(database_url, pool_size=0)
        self.servers = Servers(redis_url)
        self.truth = Truth(self.engine, b"bench")
        self.ledger = RedisLedger(self.servers, self.truth, Spool(folder / "spool"))
        self.snapshots = Snapshots(self.engine, make.ZONE)
        self.client = redis.Redis.from_url(redis_url)

    def live_code(self, members: int, *, room: int = ROOM, **more: object) -> Snapshot:
        with Session(self.engine, expire_on_commit=False) as session, writing(session):
            code = make.live_code_row(session, make.user_row(session), slug=secrets.token_hex(5), **more)
            for number in range(members):
                make.member_row(session, code, capacity=room, position=number)
        found = self.snapshots.by_id(code.id)
        assert found is not None
        return found

    def claims(self, snapshot: Snapshot, visitors: list[str], *, forget: bool = True) -> float:
        """Seconds for these visitors' claims; their events are thrown away between batches."""
        now = datetime.now(UTC)
        plan = routing.compile_plan(snapshot, None, Place.UNKNOWN, now)
        scope = routing.scope_of(snapshot)
        bucket = keys.bucket_of(scope)
        assert self.ledger.version(snapshot.id) == snapshot.version
        self.ledger.claim(_claim(snapshot, plan, scope, secrets.token_urlsafe(16), now))
        spent = 0.0
        for start in range(0, len(visitors), BATCH):
            part = [
                self.ledger._message(_claim(snapshot, plan, scope, visitor, now), bucket)
                for visitor in visitors[start : start + BATCH]
            ]
            begun = time.perf_counter()
            answers = self.servers.ask_all(SLOTS[bucket], part)
            spent += time.perf_counter() - begun
            assert all(answer[0] in (1, 2) for answer in answers), answers[0]
            if forget:
                self.client.delete(keys.stream(bucket))
        return spent

    def close(self) -> None:
        self.ledger.close()
        self.client.close()
        self.engine.dispose()


def _claim(snapshot: Snapshot, plan: Plan, scope: str, visitor: str, now: datetime) -> Claim:
    event = ScanEvent(
        id=secrets.token_hex(12),
        type="scan",
        at=now,
        live_code_id=snapshot.id,
        visitor=visitor,
        region="CN/CN-GD/440100",
        region_source="address",
        device="phone",
        app="wechat",
        language="zh",
    )
    lapse = capacity.lapses_before(snapshot, now)
    roll = int.from_bytes(secrets.token_bytes(4), "big") / 2**32
    return Claim(plan, scope, visitor, now, now.date(), event, roll=roll, lapses_before=lapse)


@contextlib.contextmanager
def place(database: str = "sqlite") -> Iterator[Bench]:
    with tempfile.TemporaryDirectory(prefix="huozi-bench-") as folder, contextlib.ExitStack() as stack:
        server = start_redis()
        stack.callback(server.stop)
        environ = {"HUOZI_DATA_DIR": folder, "PATH": "/usr/bin:/bin"}
        url = f"sqlite:///{folder}/huozi.db"
        if database == "postgresql":
            started = start_postgresql()
            stack.callback(started.stop)
            environ["HUOZI_DATABASE_URL"] = started.url
            url = started.url.replace("postgresql://", "postgresql+psycopg://")
        flask(["db", "upgrade"], environ)
        made = Bench(url, server.url, Path(folder))
        stack.callback(made.close)
        yield made


def visitors(number: int) -> list[str]:
    return [secrets.token_urlsafe(16) for _ in range(number)]


def memory(number: int) -> None:
    """One live code of ten members, everybody new."""
    with place() as here:
        snapshot = here.live_code(10)
        here.claims(snapshot, visitors(1))
        here.client.delete(keys.stream(keys.bucket_of(f"lc:{snapshot.id}")))
        before = here.client.info("memory")["used_memory"]
        spent = 0.0
        for _ in range(0, number, 50_000):
            spent += here.claims(snapshot, visitors(50_000))
        time.sleep(0.5)
        after = here.client.info("memory")["used_memory"]
        again = visitors(20_000)
        spent_full = here.claims(snapshot, again)
        back = here.claims(snapshot, again)
        print(f"{number} visitors: {(after - before) / number:.1f} bytes each")
        print(
            f"first scan {spent / number * 1e6:.1f} µs, at the end {spent_full / 2e4 * 1e6:.1f}, "
            f"back {back / 2e4 * 1e6:.1f}"
        )


def claims(rounds: int = 5, number: int = 4000) -> None:
    """Microseconds a claim: by number of members and mode, with room in the first or only in the last."""
    with place() as here:
        codes = {
            f"{mode}, {members} members": here.live_code(members, mode=mode)
            for mode in ("sequential", "round_robin", "random")
            for members in (10, 200)
        }
        nearly_full = here.live_code(200, room=2)
        here.claims(nearly_full, visitors(380))
        first: dict[str, list[float]] = {name: [] for name in codes}
        back: dict[str, list[float]] = {name: [] for name in codes}
        for _ in range(rounds):
            for name, snapshot in codes.items():
                who = visitors(number)
                first[name].append(here.claims(snapshot, who) / number * 1e6)
                back[name].append(here.claims(snapshot, who) / number * 1e6)
        inside = {}
        for name, snapshot in codes.items():
            here.client.config_resetstat()
            here.claims(snapshot, visitors(number))
            inside[name] = here.client.info("commandstats")["cmdstat_evalsha"]["usec_per_call"]
        for name in codes:
            print(
                f"{name}: in the server {inside[name]:.1f} µs, first {statistics.median(first[name]):.1f} µs, "
                f"back {statistics.median(back[name]):.1f} µs"
            )
        print(f"190 of 200 full: first {here.claims(nearly_full, visitors(15)) / 15 * 1e6:.1f} µs")


def pipeline(number: int = 40_000, readers: int = 1) -> None:
    """Events a second from prefilled streams into PostgreSQL, by `flask pipeline run --once`."""
    with place("postgresql") as here:
        codes = [here.live_code(10) for _ in range(8)]
        for snapshot in codes:
            here.claims(snapshot, visitors(number // len(codes)), forget=False)
        url = here.engine.url.render_as_string(hide_password=False).replace("+psycopg", "")
        port = here.client.connection_pool.connection_kwargs["port"]
        with tempfile.TemporaryDirectory() as folder:
            environ = {
                "HUOZI_DATA_DIR": folder,
                "HUOZI_DATABASE_URL": url,
                "HUOZI_REDIS_URL": f"redis://127.0.0.1:{port}/0",
                "PATH": "/usr/bin:/bin",
            }
            program = [sys.executable, "-m", "flask", "--app", "wsgi", "pipeline", "run", "--once"]
            waiting = Streams(here.servers)
            begun, started = 0.0, 0
            running = [subprocess.Popen(program, cwd=ROOT, env=environ) for _ in range(readers)]
            while any(process.poll() is None for process in running):
                time.sleep(0.05)
                left = waiting.waiting()
                if not begun and left < number:
                    begun, started = time.perf_counter(), left
                if not left:
                    break
            spent = time.perf_counter() - begun
            for process in running:
                process.wait(60)
        print(f"{readers} readers: {started / spent:.0f} events/s of {number}")


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("what", choices=("memory", "claims", "pipeline"))
    words.add_argument("--visitors", type=int, default=1_000_000)
    words.add_argument("--readers", type=int, default=1)
    asked = words.parse_args()
    if asked.what == "memory":
        memory(asked.visitors)
    elif asked.what == "claims":
        claims()
    else:
        pipeline(readers=asked.readers)


if __name__ == "__main__":
    main()

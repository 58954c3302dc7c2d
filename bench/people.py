#!/usr/bin/env python3
"""A million visitors: how long a segment's count takes, and how much memory a file of all of them:
`.venv/bin/python bench/people.py`

Starts a PostgreSQL of its own, makes the visitors up (some minutes; `--data` keeps them for the next time), then counts
each kind of filter as an administrator and as marketers of all live codes and of all but one (medians of five), and
has a service hand out all of them as CSV and XLSX, directly and by the task beside it: rows are counted in what came,
and the largest size in memory of every process is read. Ends with 1 when a count takes more than a second, a process
more than 200 MB, or a file lacks somebody. `--explain` shows the plan of the slowest count.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import sqlalchemy as sa  # noqa: E402
from flask import Flask  # noqa: E402

from app import create_app  # noqa: E402
from app.accounts import store as accounts  # noqa: E402
from app.codes.models import LiveCode  # noqa: E402
from app.db import db  # noqa: E402
from app.db.migrate import migrations  # noqa: E402
from app.people import filters, store  # noqa: E402
from app.people.models import Visitor  # noqa: E402
from app.people.wanted import Eyes, Wanted, number  # noqa: E402
from app.settings import load  # noqa: E402
from bench.people_files import files  # noqa: E402

BUDGET_SECONDS, BUDGET_MB, TIMES = 1.0, 200, 5
FILTERS: list[dict[str, str]] = [
    {}, {"tag": "母婴"}, {"without_tag": "母婴"}, {"tag": "母婴", "without_tag": "犹豫"}, {"region": "CN/CN-GD"},
    {"device": "ios"}, {"app": "wechat"}, {"days": "30"}, {"from": "2026-01-01", "to": "2099-12-31"}, {"pressed": "0"},
    {"live_code_id": "FIRST"}, {"live_code_id": "FIRST", "tag": "护肤", "region": "CN/CN-SC", "days": "60"},
    {"tag": "母婴", "region": "CN/CN-GD", "days": "30", "pressed": "1"}, {"stage": "new"}, {"stage": "first_order"},
    {"stage": "repeat"}, {"stage": "silent"}, {"stage": "lost"}, {"rfm": "111"}, {"rfm": "000"}, {"q": "4711"},
    {"stage": "silent", "tag": "犹豫", "device": "android"},
]  # fmt: skip

# A million by `demo seed` takes Python ten minutes, and the server half a one. Each was at one to three live codes,
# half of them at the first; six in ten carry a tag, 15 % have bought.
MORE = (
    "INSERT INTO visitors (key, first_seen_at, last_seen_at, scans, pressed, first_live_code_id, profile_at, region,"
    " device, app, language) SELECT md5(n::text)::varchar(22), at, at, 1 + n % 4, n % 2, 1, at,"
    " (ARRAY['CN/CN-GD/440100','CN/CN-SC/510100','CN/CN-BJ','CN/CN-GD',NULL])[1 + n % 5],"
    " (ARRAY['android','ios','harmony'])[1 + n % 3], 'wechat', 'zh'"
    " FROM (SELECT n, now() - random() * interval '120 days' AS at FROM generate_series(11, NUMBER) n) one",
    "INSERT INTO visitor_live_codes (visitor_id, live_code_id, first_at, last_at, scans, pressed, stuck, profile_at,"
    " region, seat_at, member_id) SELECT v.id, l.id, v.first_seen_at, v.last_seen_at, 1, v.pressed, 0, v.profile_at,"
    " v.region, v.profile_at, 1 FROM visitors v JOIN live_codes l ON l.id = CASE WHEN v.id % 2 = 0 THEN 1"
    " ELSE 1 + (v.id % 1000) * 7919 % 200 END WHERE v.id > 10",
    "INSERT INTO visitor_live_codes (visitor_id, live_code_id, first_at, last_at, scans, pressed, stuck)"
    " SELECT v.id, 1 + (v.id % 1009) * 104729 % 200, v.first_seen_at, v.last_seen_at, 1, 0, 0 FROM visitors v"
    " WHERE v.id > 10 AND v.id % 3 = 0 ON CONFLICT DO NOTHING",
    "INSERT INTO visitor_tags (visitor_id, tag_id, live_code_id, at) SELECT v.visitor_id, 1 + v.visitor_id % 5,"
    " v.live_code_id, v.last_at FROM visitor_live_codes v WHERE v.visitor_id % 10 < 6 AND v.visitor_id > 10",
    "INSERT INTO orders (owner_id, number, visitor_id, amount_cents, currency, product, at, created_at)"
    " SELECT 0, 'more-' || id, id, 900 + (id % 9973) * 31 % 199100, 'CNY', '面膜', last_seen_at, last_seen_at"
    " FROM visitors WHERE id % 20 < 3 AND id > 10",
    "INSERT INTO visitor_worth (owner_id, visitor_id, orders, amount_cents, first_at, last_at)"
    " SELECT 0, visitor_id, 1 + visitor_id % 3, amount_cents, at, at FROM orders WHERE number LIKE 'more-%'",
)


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked.add_argument("--visitors", type=int, default=1_000_000)
    asked.add_argument("--database", help="a PostgreSQL to use, filled already or empty (default: one of our own)")
    asked.add_argument("--data", type=Path, help="data directory (default: thrown away)")
    asked.add_argument("--explain", action="store_true")
    asked.add_argument("--no-files", action="store_true")
    asked.add_argument("--no-counts", action="store_true")
    options = asked.parse_args()
    with tempfile.TemporaryDirectory(prefix="huozi-people-") as folder:
        data = (options.data or Path(folder)).resolve()
        if options.database:
            return measure(options, options.database, data)
        from tests.servers import PostgresqlDatabases, start_postgresql

        server = start_postgresql()
        try:
            databases = PostgresqlDatabases(server)
            return measure(options, databases.url(databases.create()), data)
        finally:
            server.stop()


def measure(options: argparse.Namespace, url: str, data: Path) -> int:
    app = make_app(url, data)
    with app.app_context():
        fill(app, options.visitors)
        slow = not options.no_counts and counts(options.explain)
        people = db.session.scalar(sa.select(sa.func.count()).select_from(Visitor)) or 0
        db.session.rollback()
    wrong = not options.no_files and written(url, data, people)
    return 1 if slow or wrong else 0


def make_app(url: str, data: Path) -> Flask:
    return create_app(load(environ_of(url, data)))


def environ_of(url: str, data: Path) -> dict[str, str]:
    return {"HUOZI_DATA_DIR": str(data), "HUOZI_DATABASE_URL": url, "HUOZI_SECRET_KEY": "bench" * 8}


def fill(app: Flask, visitors: int) -> None:
    migrations.upgrade()
    accounts.ensure_admin(db.session, "admin@example.com")
    if db.session.scalar(sa.select(sa.func.count()).select_from(Visitor)) in (0, 10):
        print(f"Making up {visitors} visitors …", flush=True)
        began = time.perf_counter()
        arguments = ["demo", "seed", "--live-codes", "200", "--members", "20", "--scans", "1000", "--visitors", "10"]
        if db.session.scalar(sa.select(LiveCode.id).limit(1)) is None:
            print(app.test_cli_runner().invoke(args=arguments).output, end="")
        db.session.rollback()
        with db.engine.begin() as connection:
            for statement in MORE:
                connection.exec_driver_sql(statement.replace("NUMBER", str(visitors)).replace("%", "%%"))
        with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM ANALYZE")
        print(f"… {time.perf_counter() - began:.0f} s", flush=True)


def counts(explain: bool) -> bool:
    """Prints a line for each filter, medians; whether one is too slow. As an administrator; as a marketer of every live
    code; and as one whose people must all be looked for, as if one live code among those were somebody else's."""
    first = str(db.session.scalar(sa.select(sa.func.min(LiveCode.id))))
    owner = db.session.scalar(sa.select(LiveCode.owner_id).limit(1))
    not_all = Eyes(owner, seen=tuple(db.session.scalars(sa.select(LiveCode.id).order_by(LiveCode.id))))
    context = filters.Context(datetime.now(UTC), UTC, "zh", str)
    slowest: tuple[float, Any, Any] = (0.0, None, None)
    print("| filter | found | administrator, ms | marketer of all, ms | of all but one, ms |\n|---|--:|--:|--:|--:|")
    for query in FILTERS:
        wanted = filters.read({name: text.replace("FIRST", first) for name, text in query.items()}, context).wanted
        every = [store.eyes_of(db.session, asker) for asker in (None, owner)] + [not_all]
        times = [[counted(eyes, wanted) for eyes in every] for _ in range(TIMES)]
        medians = [statistics.median(one[place][0] for one in times) for place in range(len(every))]
        for seconds, eyes in zip(medians, every, strict=True):
            slowest = max(slowest, (seconds, eyes, wanted), key=lambda one: one[0])
        cells = [
            json.dumps(query, ensure_ascii=False),
            times[0][0][1],
            *(f"{seconds * 1000:.0f}" for seconds in medians),
        ]
        print("|", " | ".join(map(str, cells)), "|", flush=True)
    if explain:
        show_plan(slowest[1], slowest[2])
    return slowest[0] > BUDGET_SECONDS


def counted(eyes: Eyes, wanted: Wanted) -> tuple[float, int]:
    began = time.perf_counter()
    found = db.session.scalar(number(eyes, wanted)) or 0
    db.session.rollback()
    return time.perf_counter() - began, found


def show_plan(eyes: Eyes, wanted: Wanted) -> None:
    statement = number(eyes, wanted)
    text = str(statement.compile(db.engine, compile_kwargs={"literal_binds": True}))
    for row in db.session.execute(sa.text("EXPLAIN ANALYZE " + text.replace(":", "\\:"))):
        print("   ", row[0])


def written(url: str, data: Path, visitors: int) -> bool:
    """Prints a line for each file; whether one is too large for the memory there is, or lacks somebody."""
    print("| file | rows | MB | s | largest process, MB |\n|---|--:|--:|--:|--:|")
    wrong = False
    for made in files(environ_of(url, data), data):
        cells = [f"{made.megabytes:.0f}", f"{made.seconds:.0f}", str(made.largest_mb)]
        print("|", " | ".join([f"{made.kind} by {made.way}", f"{made.rows:,}", *cells]), "|", flush=True)
        wrong |= made.rows != visitors or made.largest_mb > BUDGET_MB
    return wrong


if __name__ == "__main__":
    sys.exit(main())

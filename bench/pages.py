#!/usr/bin/env python3
"""Server time of every page of the panel, on an installation as large as one gets: `.venv/bin/python bench/pages.py`

Makes 5,000 live codes, one with 200 members, and 10 million scans in a database of its own the first time (a minute or
two; `HUOZI_DATABASE_URL` names a PostgreSQL), then asks for each page as its administrator would, inside this process:
what is measured is what a worker spends on a page, without network and browser. Prints the middle of several in Chinese
and in English, the slowest of all, the very first in a worker that has just been forked and knows nothing yet, the
processor's share of the middle, and how many statements it took; ends with 1 when a middle or a first one is above the
budget, or a page of the panel is not among them (`panel_pages.py`).
"""

import argparse
import gc
import logging
import math
import os
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import sqlalchemy as sa  # noqa: E402
from flask import Flask  # noqa: E402
from flask.testing import FlaskClient  # noqa: E402
from sqlalchemy import event  # noqa: E402
from sqlalchemy.engine import Engine  # noqa: E402

from app import create_app  # noqa: E402
from app.accounts import sessions, store  # noqa: E402
from app.accounts.models import User  # noqa: E402
from app.codes.models import LiveCode  # noqa: E402
from app.db import db, writing  # noqa: E402
from app.db.migrate import migrations  # noqa: E402
from app.settings import load  # noqa: E402
from app.web.warm import warm  # noqa: E402
from bench.panel_pages import LANGUAGES, PARTIALS, furnish, left_out, pages_of  # noqa: E402

BUDGET_MS = 300
TIMES = 5


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked.add_argument("--data", type=Path, default=ROOT / ".run" / "pages", help="data directory of its own")
    asked.add_argument("--only", default="", help="pages whose address contains this")
    asked.add_argument("--languages", default=",".join(LANGUAGES), help="one column of milliseconds for each")
    options = asked.parse_args()
    app = make_app(options.data.resolve())
    with app.app_context():
        fill(app)
        client = admin(app)
        pages = pages_of(db.session)
    if missing := left_out(app, pages):
        print("not measured: " + " ".join(missing))
        return 1
    pages, languages = [page for page in pages if options.only in page], options.languages.split(",")
    return 1 if measure(client, pages, languages, first_ones(app, client, pages, languages[0])) else 0


def make_app(data: Path) -> Flask:
    database = os.environ.get("HUOZI_DATABASE_URL", "")
    environ = {"HUOZI_DATA_DIR": str(data), "HUOZI_DATABASE_URL": database, "HUOZI_SECRET_KEY": "bench" * 8}
    return create_app(load(environ))


def fill(app: Flask) -> None:
    migrations.upgrade()
    store.ensure_admin(db.session, "admin@example.com")
    if db.session.scalar(sa.select(LiveCode.id).limit(1)) is None:
        print("Making up an installation …", flush=True)
        done = app.test_cli_runner().invoke(args=["demo", "seed"])
        print(done.output, end="")
    if furnish(db.session, app.config["HUOZI"].secret_key):
        app.test_cli_runner().invoke(args=["alerts", "run", "--once"])


def admin(app: Flask) -> FlaskClient:
    """Somebody logged in who sees everything."""
    with writing(db.session) as session:
        user = session.scalars(sa.select(User).order_by(User.id)).first()
        assert user is not None
        here = sessions.Browser("127.0.0.1", "bench")
        token = sessions.open_session(
            session, user, user.session_epoch, remember=True, browser=here, now=datetime.now(UTC)
        )
    client = app.test_client()
    with client.session_transaction() as cookie:
        cookie["_user_id"], cookie["_fresh"] = token, True
    return client


@contextmanager
def statements() -> Iterator[list[str]]:
    said: list[str] = []

    def listen(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        said.append(statement)

    event.listen(Engine, "before_cursor_execute", listen)
    try:
        yield said
    finally:
        event.remove(Engine, "before_cursor_execute", listen)


def first_ones(app: Flask, client: FlaskClient, pages: list[str], language: str) -> dict[str, float]:
    """What the first request of a fresh worker takes, in milliseconds: as gunicorn.conf.py has it, the application is
    loaded and warm before the fork, and every page asks a worker of its own. A worker that breaks took for ever."""
    logging.getLogger("app.request").setLevel(logging.WARNING)  # a line a request, between those of the table
    warm(app)
    with app.app_context():
        db.engine.dispose()
        app.extensions["huozi"].quick.dispose()
    client.set_cookie("huozi_lang", language)
    taken = {}
    for page in pages:
        reading, writing_end = os.pipe()
        worker = os.fork()
        if not worker:
            began = time.perf_counter()
            answer = client.get(page, headers=headers_of(page))
            took = (time.perf_counter() - began) * 1000 if answer.status_code == 200 else math.inf
            os.write(writing_end, str(took).encode())
            os._exit(0)
        os.close(writing_end)
        with os.fdopen(reading) as told:
            taken[page] = float(told.read() or math.inf)
        os.waitpid(worker, 0)
    return taken


def headers_of(page: str) -> dict[str, str]:
    return {"HX-Request": "true"} if PARTIALS.search(page) else {}


def measure(client: FlaskClient, pages: list[str], languages: list[str], first: dict[str, float]) -> list[str]:
    """Prints a line for each; those above the budget in any language, or the first time."""
    client.get("/today")  # templates are compiled once a process
    slow = []
    gc.collect()
    gc.freeze()  # as gunicorn.conf.py does
    gc.set_threshold(20_000, 20, 20)
    print(
        "".join(f"{word:>9}" for word in (*languages, "slowest", "first", "CPU", "SQL")) + "  page   (middle of the ms)"
    )
    for page in pages:
        taken = {language: timed(client, page, language) for language in languages}
        middles = [statistics.median(one.milliseconds) for one in taken.values()]
        slowest = max(max(one.milliseconds) for one in taken.values())
        busy = max(statistics.median(one.processor) for one in taken.values())
        wrong = {one.status for one in taken.values()} - {200}
        numbers = (*middles, slowest, first[page], busy, max(one.statements for one in taken.values()))
        note = f"  answers {wrong}" if wrong else ""
        print("".join(f"{number:9.0f}" for number in numbers) + f"  {page}{note}", flush=True)
        if max(*middles, first[page]) > BUDGET_MS or wrong:
            slow.append(page)
    worst = max(first, key=first.__getitem__)
    print(f"the slowest first one: {first[worst]:.0f} ms for {worst}")
    print(f"{len(pages)} pages, {len(slow)} above {BUDGET_MS} ms or not answered" + "".join(f"\n  {p}" for p in slow))
    return slow


@dataclass(slots=True)
class Taken:
    """What one page took in one language, each time it was asked for."""

    milliseconds: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)
    statements: int = 0
    status: int = 0


def timed(client: FlaskClient, page: str, language: str) -> Taken:
    taken = Taken()
    client.set_cookie("huozi_lang", language)
    for _ in range(TIMES):
        with statements() as said:
            began, worked = time.perf_counter(), time.process_time()
            answer = client.get(page, headers=headers_of(page))
            taken.processor.append((time.process_time() - worked) * 1000)
            taken.milliseconds.append((time.perf_counter() - began) * 1000)
        taken.statements, taken.status = len(said), answer.status_code
    return taken


if __name__ == "__main__":
    sys.exit(main())

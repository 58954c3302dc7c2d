#!/usr/bin/env python3
"""Server time of every page of the panel, on an installation as large as one gets: `.venv/bin/python bench/pages.py`

Makes 5,000 live codes, one with 200 members, and 10 million scans in a database of its own the first time (some
minutes), then asks for each page as its administrator would, inside this process: what is measured is what a worker
spends on a page, without network and browser. Prints the middle and the slowest of several, the processor's share of
the middle, and how many statements it took; ends with 1 when a middle is above the budget.
"""

import argparse
import gc
import os
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
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
from app.codes.models import LiveCode, Member  # noqa: E402
from app.db import db, writing  # noqa: E402
from app.db.migrate import migrations  # noqa: E402
from app.people.models import Visitor  # noqa: E402
from app.settings import load  # noqa: E402

BUDGET_MS = 300
TIMES = 5


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked.add_argument("--data", type=Path, default=ROOT / ".run" / "pages", help="data directory of its own")
    asked.add_argument("--only", default="", help="pages whose address contains this")
    options = asked.parse_args()
    app = make_app(options.data.resolve())
    with app.app_context():
        fill(app)
        client = admin(app)
        pages = [page for page in pages_of(db.session) if options.only in page]
    return 1 if measure(client, pages) else 0


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


def pages_of(session: Any) -> list[str]:
    """Every page that is read, with the most scanned live code in the place of any."""
    code = session.scalar(sa.select(sa.func.min(LiveCode.id)))
    member = session.scalar(sa.select(sa.func.min(Member.id)).where(Member.live_code_id == code))
    visitor = session.scalar(sa.select(sa.func.max(Visitor.id)))
    return [
        "/today", "/codes", "/codes?q=0123", "/codes?q=福利&sort=name", "/codes?state=trouble", "/codes?page=250",
        "/codes/new", "/swaps", "/codes?folder=-", "/hosts",
        f"/codes/{code}", f"/codes/{code}/rules", f"/codes/{code}/page", f"/codes/{code}/print",
        f"/codes/{code}/history", f"/codes/{code}/headcounts", f"/codes/{code}/choices", f"/codes/{code}/stats",
        f"/codes/{code}/stats?days=90", f"/codes/{code}/stats?days=365",
        f"/codes/{code}/rules/simulated?region=CN/CN-SC/510100",
        f"/members/{member}", f"/members/{member}/swap",
        "/stats", "/stats?days=90", "/stats?days=365",
        "/visitors", "/visitors?page=500", f"/visitors?live_code_id={code}", f"/visitors/{visitor}",
        "/account", "/account/devices", "/account/tokens", "/users", "/audit", "/system",
    ]  # fmt: skip


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


def measure(client: FlaskClient, pages: list[str]) -> list[str]:
    """Prints a line for each; those above the budget."""
    client.get("/today")  # templates are compiled once a process
    slow = []
    gc.collect()
    gc.freeze()  # as gunicorn.conf.py does
    gc.set_threshold(20_000, 20, 20)
    print(f"{'middle ms':>10} {'slowest':>8} {'cold':>8} {'CPU':>5} {'SQL':>4}  page")
    for page in pages:
        milliseconds, processor = [], []
        for _ in range(TIMES):
            with statements() as said:
                began, worked = time.perf_counter(), time.process_time()
                answer = client.get(page)
                processor.append((time.process_time() - worked) * 1000)
                milliseconds.append((time.perf_counter() - began) * 1000)
        middle, cold, busy = statistics.median(milliseconds), milliseconds[0], statistics.median(processor)
        note = "" if answer.status_code == 200 else f"  answers {answer.status_code}"
        print(
            f"{middle:10.0f} {max(milliseconds):8.0f} {cold:8.0f} {busy:5.0f} {len(said):4}  {page}{note}", flush=True
        )
        if middle > BUDGET_MS or answer.status_code != 200:
            slow.append(page)
    return slow


if __name__ == "__main__":
    sys.exit(main())

"""Every route with somebody's id in it, asked by another marketer: there is nothing there, and nothing changes."""

import re
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy import Engine

from app.db import make_engine, metadata
from tests.accounts.test_every_route import api_calls, filled, page_calls
from tests.panel import logged_in, somebody

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

OWNED = re.compile(r"<int:\w+>")
# Looked for, it is not there (403: for administrators only). Changed: not there, or what was sent is unfit anyway.
LOOKED_FOR = (403, 404)
CHANGED = (400, 403, 404, 415, 422)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = make_engine(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def theirs(app: Flask, engine: Engine) -> None:
    """The first row of everything belongs to somebody else."""
    app.test_cli_runner().invoke(args=["user", "ensure-admin"])
    assert app.test_cli_runner().invoke(args=["demo", "load"]).exit_code == 0


def rows(engine: Engine) -> dict[str, int]:
    with engine.connect() as connection:
        return {
            name: connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0
            for name, table in metadata.tables.items()
            if name not in ("sessions", "api_tokens", "audit_log", "audit_entries", "throttle", "login_attempts")
        }


def test_api_has_nothing_of_others(app: Flask, engine: Engine, theirs: None) -> None:
    program = somebody(app, engine, "marketer")
    before = rows(engine)
    asked = [(method, path) for method, path in api_calls(app) if OWNED.search(path)]
    assert len(asked) > 30
    found = []
    for method, path in asked:
        reply = program.call(method, filled(path), json={} if method != "GET" else None)
        if reply.status_code not in (LOOKED_FOR if method == "GET" else CHANGED):
            found.append((method, path, reply.status_code))
    assert found == []
    assert rows(engine) == before


def test_panel_has_nothing_of_others(app: Flask, engine: Engine, theirs: None) -> None:
    browser = logged_in(app, somebody(app, engine, "marketer"))
    before = rows(engine)
    found = []
    for method, path in page_calls(app):
        if OWNED.search(path) and not path.startswith("/account/"):  # there the first session is their own
            reply = browser.open(filled(path), method=method)
            if method == "GET" and reply.status_code not in LOOKED_FOR:
                found.append((path, reply.status_code, reply.headers.get("Location")))
    assert found == []
    assert rows(engine) == before

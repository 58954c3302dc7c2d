"""Every route there is, asked by people who may not: strangers, read-only tokens, tokens without `read`, viewers.

Routes are taken from the application, so a new one is asked, too, and has to say here if it is open to somebody.
"""

import re
from collections.abc import Iterator

import pytest
from flask import Flask
from sqlalchemy import Engine
from werkzeug.routing import Rule

from app.db import make_engine
from tests.panel import logged_in, somebody

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

API = "/api/v1/"
# What describes the API is open to everybody.
OPEN_API = {"/api/v1/openapi.json", "/api/v1/docs"}
# Posted to, and yet nothing is changed by them.
READS = {"/live-codes/<int:live_code_id>/simulate", "/live-codes/<int:live_code_id>/trial"}
# Doors, what tells whether we live, and pages whose link is the key.
OPEN_PAGES = re.compile(r"/(login|appearance|invitation|healthz|readyz|static|favicon|me\b|swap/|status|metrics|$)")
# A viewer's own account is theirs; the rest looks or asks and changes nothing.
VIEWERS_MAY = re.compile(r"/(account|logout|alerts|visitors/export)|/(told|check|simulated|swap/check)$")


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = make_engine(database_url)
    yield engine
    engine.dispose()


def rules(app: Flask) -> list[Rule]:
    return sorted(app.url_map.iter_rules(), key=lambda rule: rule.rule)


def filled(rule: str) -> str:
    """Its address, with something in the place of each part."""
    rule = re.sub(r"<int:\w+>", "1", rule)
    return re.sub(r"<(?:\w+:)?\w+>", "x", rule)


def api_calls(app: Flask) -> list[tuple[str, str]]:
    """(method, path after the prefix) of every call."""
    return [
        (method, rule.rule.removeprefix("/api/v1"))
        for rule in rules(app)
        if rule.rule.startswith(API) and rule.rule not in OPEN_API
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
    ]


def page_calls(app: Flask) -> list[tuple[str, str]]:
    return [
        (method, rule.rule)
        for rule in rules(app)
        if not rule.rule.startswith(API) and not OPEN_PAGES.match(rule.rule)
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
    ]


def test_there_is_something_to_ask(app: Flask) -> None:
    assert len(api_calls(app)) > 40 and len(page_calls(app)) > 80


def test_api_asks_everybody_for_a_token(app: Flask) -> None:
    client = app.test_client()
    for method, path in api_calls(app):
        reply = client.open(f"/api/v1{filled(path)}", method=method)
        assert reply.status_code == 401, (method, path, reply.status_code)
        assert reply.json is not None and reply.json["error"]["code"] == "not_logged_in"


def test_read_only_token_changes_nothing(app: Flask, engine: Engine) -> None:
    program = somebody(app, engine, "admin", scopes=["read", "visitors"])
    for method, path in api_calls(app):
        reply = program.call(method, filled(path), json={} if method != "GET" else None)
        if method == "GET" or path in READS:
            assert reply.status_code != 403, (method, path, reply.text)
        else:
            assert reply.status_code == 403 and reply.json["error"]["code"] == "scope_missing", (method, path)


def test_token_that_may_only_write_reads_nothing(app: Flask, engine: Engine) -> None:
    program = somebody(app, engine, "admin", scopes=["write", "visitors"])
    for method, path in api_calls(app):
        if method == "GET":
            reply = program.call(method, filled(path))
            assert reply.status_code == 403 and reply.json["error"]["code"] == "scope_missing", path


def test_token_without_the_scope_for_visitors_sees_none(app: Flask, engine: Engine) -> None:
    program = somebody(app, engine, "admin", scopes=["read", "write"])
    asked = [(method, path) for method, path in api_calls(app) if path.startswith(("/visitors", "/tags"))]
    assert asked
    for method, path in asked:
        reply = program.call(method, filled(path), json={} if method != "GET" else None)
        assert reply.status_code == 403 and reply.json["error"]["code"] == "scope_missing", (method, path)


def test_viewers_token_changes_nothing_whatever_its_scopes(app: Flask, engine: Engine) -> None:
    program = somebody(app, engine, "viewer")
    for method, path in api_calls(app):
        if method != "GET" and path not in READS:
            reply = program.call(method, filled(path), json={})
            assert reply.status_code == 403, (method, path, reply.status_code)


def test_pages_ask_strangers_to_log_in(app: Flask) -> None:
    client = app.test_client()
    for method, path in page_calls(app):
        reply = client.open(filled(path), method=method)
        asked = reply.status_code in (302, 303) and "/login" in reply.headers["Location"]
        assert asked or reply.status_code in (401, 403), (method, path, reply.status_code)


def test_viewers_change_nothing_by_any_page(app: Flask, engine: Engine) -> None:
    client = logged_in(app, somebody(app, engine, "viewer"))
    for method, path in page_calls(app):
        if method == "POST" and not VIEWERS_MAY.search(path):
            reply = client.post(filled(path))
            assert reply.status_code == 403, (path, reply.status_code)


def test_pages_for_administrators_are_shut_to_marketers(app: Flask, engine: Engine) -> None:
    client = logged_in(app, somebody(app, engine, "marketer"))
    for path in ("/users", "/audit", "/audit.csv", "/system", "/hosts"):
        assert client.get(path).status_code == 403, path

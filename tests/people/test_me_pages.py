"""`/me`, for the person behind the phone."""

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine

from app.people.models import Identity, Order, Visitor
from app.pipeline.fold import fold
from app.scan.cookie import Kept
from app.scan.visitor import COOKIE
from tests.happen import at, count, event, happened, rows, transaction
from tests.people.conftest import Town
from tests.people.test_orders import call_them, hand_in

VISITOR = "YW5uIHdhcyBoZXJlISEhIQ"  # a key as the scan door makes them
ORIGIN = {"Origin": "http://localhost"}


@pytest.fixture
def phone(app: Flask, engine: Engine, town: Town) -> FlaskClient:
    """The browser of somebody who chose 母婴 at Bob's code 1 and was tagged by hand since."""
    happened(
        engine,
        event("choose", visitor=VISITOR, at=at("2026-11-02 10:00"), outcome="assigned", tag="母婴",
              choice_id=town.choice, member_id=town.member, placement="门口"),
    )  # fmt: skip
    return bring_cookie(app, app.test_client())


def bring_cookie(app: Flask, client: FlaskClient) -> FlaskClient:
    cookie = app.extensions["huozi"].visitors().cookie(Kept(VISITOR, 0))
    client.set_cookie(COOKIE, cookie.split(";")[0].partition("=")[2])
    return client


def page(client: FlaskClient, language: str = "en") -> str:
    reply = client.get("/me", headers={"Accept-Language": language})
    assert reply.status_code == 200
    assert reply.headers["Cache-Control"] == "no-store"
    return reply.text


def test_a_scanner_sees_what_is_kept_of_them(phone: FlaskClient) -> None:
    text = page(phone)
    for shown in (
        "2026-11-02 10:00",
        "海报的页面",
        "母婴群",
        "妈妈群",
        "母婴",
        "Guangzhou, Guangdong",
        "Delete everything",
    ):
        assert shown in text, shown


def test_what_was_added_to_them_is_shown_too(engine: Engine, town: Town, phone: FlaskClient) -> None:
    [me] = [row["id"] for row in rows(engine, Visitor) if row["key"] == VISITOR]
    for kind, value in (("openid", "o-me-1"), ("phone", "13800138000")):
        call_them(town.bob, me, kind, value)
    hand_in(town.carl, "B-1,5,CNY,,2026-11-04 10:00,,,")  # somebody else's
    hand_in(town.bob, f"A-1,99.5,CNY,面膜,2026-11-03 10:00,{me},,")
    text = page(phone)
    for shown in ("门口", "o-me-1", "Phone (digest)", "面膜 · 99.50 CNY · A-1"):
        assert shown in text, shown
    assert "B-1" not in text
    assert "138001" not in text
    assert phone.post("/me/erase", headers=ORIGIN).status_code == 303
    assert count(engine, Identity) == 0
    assert {row["visitor_id"] for row in rows(engine, Order)} == {None}
    assert "Nothing is kept" in page(bring_cookie(phone.application, phone.application.test_client()))


def test_what_is_the_panel_s_alone_is_not_shown(phone: FlaskClient) -> None:
    text = page(phone)
    assert "内部三群" not in text
    assert "门店" not in text
    assert VISITOR not in text


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_it_speaks_chinese(phone: FlaskClient) -> None:
    text = page(phone, "zh-CN")
    assert 'lang="zh-CN"' in text
    assert "全部删除" in text


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_browser_we_do_not_know_is_told_so(app: Flask, town: Town) -> None:
    client = app.test_client()
    assert "Nothing is kept of this browser." in page(client)
    client.set_cookie(COOKIE, "forged")
    text = page(client)
    assert "Nothing is kept of this browser." in text
    assert "Delete everything" not in text


def test_a_scanner_deletes_everything(engine: Engine, town: Town, phone: FlaskClient) -> None:
    assert count(engine, Visitor) == 4
    reply = phone.post("/me/erase", headers={**ORIGIN, "X-CSRFToken": ""})
    assert (reply.status_code, reply.headers["Location"]) == (303, "/me?done=1")
    assert any(line.startswith(f"{COOKIE}=;") for line in reply.headers.getlist("Set-Cookie"))
    assert count(engine, Visitor) == 3
    after = phone.get(reply.headers["Location"], headers={"Accept-Language": "en"}).text
    assert "Everything was deleted." in after
    assert "Delete everything" not in after


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    "headers", [{}, {"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}]
)
def test_another_site_cannot_delete_for_them(engine: Engine, phone: FlaskClient, headers: dict[str, str]) -> None:
    assert phone.post("/me/erase", headers={**headers, "X-CSRFToken": ""}).status_code == 403
    assert count(engine, Visitor) == 4


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_page_leaves_no_session_on_the_phone(phone: FlaskClient) -> None:
    reply = phone.get("/me")
    assert not reply.headers.getlist("Set-Cookie")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_somebody_whose_first_scan_is_not_folded_yet_may_delete_it(app: Flask, engine: Engine, town: Town) -> None:
    client = bring_cookie(app, app.test_client())
    assert "Delete everything" in page(client)
    moment: Any = at("2026-11-02 10:00")
    assert client.post("/me/erase", headers={**ORIGIN, "X-CSRFToken": ""}).status_code == 303
    happened_there(app, engine, event(visitor=VISITOR, at=moment))
    assert count(engine, Visitor) == 3


def happened_there(app: Flask, engine: Engine, *events: Any) -> None:
    """Folded as this installation does, with its own key."""
    audience = app.extensions["huozi"].drainer.audience
    with transaction(engine) as connection:
        fold(connection, events, audience)

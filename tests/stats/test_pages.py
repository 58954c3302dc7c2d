"""Numbers in the panel."""

from datetime import date, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine

from app.stats.pages import DAYS_SHOWN, Span, read_span
from tests.happen import event, happened, live_codes
from tests.make import ZONE
from tests.panel import Somebody, logged_in, somebody

TODAY = date(2026, 11, 22)


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [
        ({}, "2026-10-24", "2026-11-22"),
        ({"days": "7"}, "2026-11-16", "2026-11-22"),
        ({"from": "2026-11-01", "to": "2026-11-03"}, "2026-11-01", "2026-11-03"),
        ({"from": "2026-11-20"}, "2026-11-20", "2026-11-22"),
        ({"to": "2026-11-03"}, "2026-10-05", "2026-11-03"),
        ({"from": "2026-11-05", "to": "2026-11-05", "days": "7"}, "2026-11-05", "2026-11-05"),
    ],
)
def test_a_period_is_read_from_the_address(asked: dict[str, str], first: str, last: str) -> None:
    span = read_span(asked, TODAY)
    assert (str(span.first), str(span.last), span.is_refused) == (first, last, False)


@pytest.mark.parametrize(
    "asked",
    [
        {"from": "2026-11-03", "to": "2026-11-01"},
        {"from": "tomorrow"},
        {"from": "2001-01-01"},
        {"to": "9999-12-31"},
        {"from": "0001-01-01"},
        {"days": "-1"},
        {"days": "x"},
        {"from": "2026-13-01", "to": "2026-11-01"},
    ],
)
def test_what_is_no_period_shows_the_usual_one_and_says_so(asked: dict[str, str]) -> None:
    span = read_span(asked, TODAY)
    assert (span.length, span.last, span.is_refused) == (DAYS_SHOWN, TODAY, True)


def test_the_stretch_before_is_as_long() -> None:
    before = Span(date(2026, 11, 16), TODAY, 7).before
    assert (before.first, before.last, before.length) == (date(2026, 11, 9), date(2026, 11, 15), 7)


@pytest.fixture
def bob(app: Flask, engine: Engine) -> Somebody:
    """A marketer whose live code 1 was scanned by three people today; the live code 2 is somebody else's."""
    bob = somebody(app, engine)
    live_codes(engine, 1, owner_id=bob.id, name="海报 <b>")
    live_codes(engine, 2, name="门店")
    now = datetime.now(ZONE)
    happened(
        engine,
        event(at=now, device="ios", placement="door"),
        event(at=now, device="ios", region="CN/CN-BJ"),
        event(at=now, device="android", outcome="full", member_id=None),
        event(at=now - timedelta(days=40)),
        event(at=now, live_code_id=2),
    )
    return bob


def page(app: Flask, user: Somebody, path: str, **query: Any) -> str:
    reply = logged_in(app, user).get(path, query_string={"lang": "en", **query})
    assert reply.status_code == 200, reply.text
    return reply.text


def test_all_live_codes_are_added_up_for_their_owner(app: Flask, bob: Somebody) -> None:
    text = page(app, bob, "/stats")
    assert '<span class="tile-number">3</span>' in text
    assert "海报 &lt;b&gt;" in text
    assert "门店" not in text
    assert "before: 1" in text


@pytest.mark.parametrize("days", [1, 7, 30, 90, 365])
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_one_live_code_is_shown_from_every_side(app: Flask, bob: Somebody, days: int) -> None:
    text = page(app, bob, "/codes/1/stats", days=days)
    for shown in (
        "By code",
        "Code 7",
        "By region",
        "Beijing",
        "By phone",
        "iPhone",
        "What they were shown",
        "All full",
        "door",
    ):
        assert shown in text, shown
    assert "By choice" not in text


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_live_code_nobody_scanned_says_so(app: Flask, engine: Engine, bob: Somebody) -> None:
    live_codes(engine, 5, owner_id=bob.id)
    assert "Nothing was scanned in these days" in page(app, bob, "/codes/5/stats")
    assert "These dates make no period" in page(app, bob, "/codes/5/stats", days="x")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_another_marketer_s_numbers_are_not_there(app: Flask, engine: Engine, bob: Somebody) -> None:
    browser: FlaskClient = logged_in(app, bob)
    assert browser.get("/codes/2/stats").status_code == 404
    assert browser.get("/codes/99/stats").status_code == 404
    assert "门店" in page(app, somebody(app, engine, "viewer"), "/stats")
    assert "/login" in app.test_client().get("/stats").headers["Location"]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_share_of_scans_from_nobody_knows_where_is_told(app: Flask, engine: Engine, bob: Somebody) -> None:
    assert "Place unknown" not in page(app, bob, "/codes/1/stats", days=7)
    happened(engine, event(at=datetime.now(ZONE), region=None))
    assert "Place unknown: 25 % of scans" in page(app, bob, "/codes/1/stats", days=7)

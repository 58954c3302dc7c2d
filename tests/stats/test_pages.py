"""Numbers in the panel."""

import csv
import io
import re
from datetime import date, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from app.codes.models import LiveCode, MemberGeneration
from app.db import writing
from app.stats.shell import DAYS_SHOWN, Span, read_span
from tests import make
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
def test_numbers_of_one_live_code_are_one_of_its_tabs(app: Flask, bob: Somebody) -> None:
    text = page(app, bob, "/codes/1/stats")
    assert re.search(r'<a href="/codes/1/stats"[^>]* aria-current="page"', text)
    assert 'href="/codes/1/rules"' in text and 'href="/codes/1/choices"' not in text


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


def table(app: Flask, user: Somebody, path: str, **query: Any) -> list[list[str]]:
    reply = logged_in(app, user).get(path, query_string={"lang": "en", **query})
    assert reply.status_code == 200 and reply.content_type.startswith("text/csv"), reply.text
    return list(csv.reader(io.StringIO(reply.data.decode("utf-8-sig"))))


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_stretch_before_is_drawn_beside_when_asked_for(app: Flask, bob: Somebody) -> None:
    assert "Scans before" not in page(app, bob, "/codes/1/stats")
    for path in ("/codes/1/stats", "/stats"):
        text = page(app, bob, path, compare=1)
        assert "line-before" in text and "Scans before" in text and 'name="compare" value="1"' in text
    assert "line-before" in page(app, bob, "/codes/1/stats", compare=1, days=1)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_hours_of_the_week_are_a_table(app: Flask, bob: Somebody) -> None:
    text = page(app, bob, "/codes/1/stats", days=7)
    assert text.count('class="heat-5"') == 1 and text.count('class="heat-0"') == 7 * 24 - 1


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_way_from_scan_to_group_is_told_step_by_step(app: Flask, engine: Engine, bob: Somebody) -> None:
    happened(engine, event("press", at=datetime.now(ZONE), visitor=None))
    text = page(app, bob, "/codes/1/stats", days=7)
    funnel = text[text.index('class="funnel"') :].partition("</ol>")[0]
    assert re.findall(r'<b class="number">(\d+)</b>', funnel) == ["3", "3", "2", "1"]
    assert "67 % of the step before" in funnel


def test_people_known_to_be_in_the_groups_are_told_apart_from_the_funnel(
    app: Flask, engine: Engine, bob: Somebody
) -> None:
    assert "Known to be in the groups" not in page(app, bob, "/codes/1/stats", days=7)
    with Session(engine) as session, writing(session):
        code = session.get_one(LiveCode, 1)
        for headcount, more in (
            (100, {}), (65, {"state": "disabled"}), (None, {}),
            (7, {"state": "archived"}), (8, {"is_fallback": True}), (9, {"kind": "wechat_personal"}),
        ):  # fmt: skip
            make.member_row(session, code, headcount=headcount, **more)
        make.member_row(session, session.get_one(LiveCode, 2), headcount=500)
        session.execute(sa.update(MemberGeneration).values(headcount_at=make.NOW))
    text = page(app, bob, "/codes/1/stats", days=7)
    assert "165 people are in the groups that were counted (2 of 3)." in text
    assert "since <time" in text and ">2026-11-02</time>" in text
    funnel = text[text.index('class="funnel"') :].partition("</ol>")[0]
    assert "165" not in funnel


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_apps_are_told_apart(app: Flask, engine: Engine, bob: Somebody) -> None:
    happened(engine, event(at=datetime.now(ZONE), app="wechat"), event(at=datetime.now(ZONE), app="douyin"))
    text = page(app, bob, "/codes/1/stats", days=7)
    assert "Opened with" in text and "WeChat" in text and "Douyin" in text


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_every_table_is_a_file(app: Flask, bob: Somebody) -> None:
    today = f"{datetime.now(ZONE):%Y-%m-%d}"
    assert table(app, bob, "/stats.csv")[1][:3] == [today, "3", "3"]
    assert table(app, bob, "/stats.csv", by="live_code")[1][:2] == ["海报 <b>", "3"]
    assert table(app, bob, "/codes/1/stats.csv", by="day")[1][:2] == [today, "3"]
    assert ["iPhone", "2"] in [line[:2] for line in table(app, bob, "/codes/1/stats.csv", by="device")]
    week = table(app, bob, "/codes/1/stats.csv", by="week", days=7)
    assert (len(week), len(week[0])) == (8, 25) and sum(int(cell) for line in week[1:] for cell in line[1:]) == 3
    for by in ("hour", "member", "choice", "region", "outcome", "app", "placement"):
        assert len(table(app, bob, "/codes/1/stats.csv", by=by)) > 1
    browser = logged_in(app, bob)
    assert browser.get("/codes/1/stats.csv?by=nonsense").status_code == 404
    assert browser.get("/codes/2/stats.csv").status_code == 404


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_period_is_said_in_the_readers_words(app: Flask, bob: Somebody) -> None:
    query = {"from": "2026-10-24", "to": "2026-11-22"}
    assert "Oct 24, 2026 – Nov 22, 2026" in page(app, bob, "/codes/1/stats", **query)
    assert "2026年10月24日 – 2026年11月22日" in page(app, bob, "/stats", **{**query, "lang": "zh"})

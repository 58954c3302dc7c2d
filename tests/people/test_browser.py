"""Visitors and statistics in a real Chromium: on a phone and at a desk, in both languages, with scripts and without."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from flask import Flask
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import Engine

from app.people.models import Visitor
from app.scan.cookie import Kept
from app.scan.visitor import COOKIE
from tests.happen import at, count, event, happened
from tests.panel import logged_in
from tests.people.conftest import Town
from tests.servers import Running

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}
DESK = {"viewport": {"width": 1280, "height": 800}}
VISITOR = "YW5uIHdhcyBoZXJlISEhIQ"

Open = Callable[..., Any]


@pytest.fixture
def visit(app: Flask, browser: Browser, live_server: Running, town: Town) -> Open:
    """`with visit(**options) as page:` Bob's browser. Fails on whatever its console complains of."""

    @contextmanager
    def visit(cookies: dict[str, str] | None = None, **options: Any) -> Iterator[Page]:
        complaints: list[str] = []
        context = browser.new_context(base_url=live_server.url, **options)
        if cookies is None:
            name = app.config["SESSION_COOKIE_NAME"]
            kept = logged_in(app, town.bob).get_cookie(name)
            assert kept is not None
            cookies = {name: kept.value}
        context.add_cookies([{"name": name, "value": value, "url": live_server.url} for name, value in cookies.items()])
        page = context.new_page()
        page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        try:
            yield page
        finally:
            context.close()
        assert complaints == []

    return visit


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_page_fits_and_complains_of_nothing(
    visit: Open, town: Town, engine: Engine, size: dict[str, Any], language: str
) -> None:
    ann = town.visitor(town.bob, tag="母婴")
    happened(
        engine, event(visitor="ann", tag="一个很长很长的标签" * 5, choice_id=town.choice, at=at("2026-11-06 10:00"))
    )
    with visit(**size) as page:
        for path in (
            "/visitors",
            f"/visitors/{ann}",
            "/visitors/tags",
            "/visitors/segments",
            "/visitors/rules",
            "/visitors/rules/new?example=hesitates",
            "/visitors/orders",
            "/visitors/tasks",
            "/stats?from=2026-11-01",
            "/codes/1/stats?from=2026-11-01",
        ):
            page.goto(path + ("&" if "?" in path else "?") + f"lang={language}")
            assert page.evaluate("document.documentElement.scrollWidth") <= size["viewport"]["width"], path
            assert page.locator("h1").count() == 1


def test_the_list_follows_what_is_typed(visit: Open) -> None:
    with visit(**DESK) as page:
        page.goto("/visitors?lang=en")
        expect(page.locator(".people > li")).to_have_count(2)
        page.locator("input[name=tag]").press_sequentially("母婴")
        expect(page.locator(".people > li")).to_have_count(1)
        expect(page).to_have_url(re.compile("tag=%E6%AF%8D%E5%A9%B4"))
        page.click("text=CSV")  # made beside the page, which tells when it is done
        with page.expect_download() as download:
            page.click("text=Download", timeout=20_000)
        assert download.value.suggested_filename.endswith(".csv")


def test_a_chart_answers_to_a_finger_and_its_numbers_can_be_read(visit: Open) -> None:
    with visit(**DESK) as page:
        page.goto("/stats?from=2026-11-01&to=2026-11-07&lang=en")
        expect(page.locator(".chart-live canvas")).to_be_visible()
        expect(page.locator(".chart-still")).to_be_hidden()
        page.click("text=As a table")
        expect(page.locator(".chart-table tbody tr")).to_have_count(1)


def test_without_scripts_bars_are_drawn_and_people_erased(visit: Open, town: Town, engine: Engine) -> None:
    ann = town.visitor(town.bob, tag="母婴")
    with visit(**PHONE, java_script_enabled=False) as page:
        page.goto("/stats?from=2026-11-01&to=2026-11-07&lang=en")
        assert page.locator(".chart-still rect.bar-scans").count() == 7
        page.goto("/visitors?lang=en")
        page.fill("input[name=tag]", "母婴")
        page.click("button:has-text('Filter')")
        expect(page.locator(".people > li")).to_have_count(1)
        page.click(".people a")
        page.fill(".tag-form input[name=tag]", "VIP")
        page.click(".tag-form button")
        expect(page.locator(".portrait")).to_contain_text("VIP")
        page.click("summary:has-text('Erase')")
        page.click("button:has-text('Erase for good')")
        expect(page.locator(".toast-note")).to_contain_text("The visitor was erased.")
    assert town.bob.get(f"/visitors/{ann}").status_code == 404


def test_a_scanner_deletes_what_is_kept_with_two_taps(app: Flask, visit: Open, engine: Engine) -> None:
    happened(engine, event(visitor=VISITOR, at=at("2026-11-02 10:00")))
    cookie = app.extensions["huozi"].visitors().cookie(Kept(VISITOR, 0)).split(";")[0].partition("=")[2]
    before = count(engine, Visitor)
    with visit({COOKIE: cookie}, **PHONE, locale="zh-CN") as page:
        page.goto("/me")
        expect(page.locator("h1")).to_have_text("我们记住了你的什么")
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        page.click("summary")
        page.click("button")
        expect(page.locator("[role=status]")).to_contain_text("已全部删除")
        page.goto("/me")
        expect(page.locator("main")).to_contain_text("没有记住这个浏览器的任何信息")
    assert count(engine, Visitor) == before - 1

"""Every page, judged by axe-core: nothing serious, nothing critical; a quiet console; no request to another host."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from app.settings import ROOT
from tests.browser.demo import DESK, PHONE, Demo, log_in, start_demo, visiting

AXE = ROOT / "tests" / "vendor" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
GRAVE = ("serious", "critical")

PANEL = (
    "/today", "/codes", "/codes?state=archived", "/codes/new", "/swaps",
    "/codes/1", "/codes/1/rules", "/codes/1/page", "/codes/1/print", "/codes/1/history", "/codes/1/headcounts",
    "/codes/1/stats", "/codes/2", "/codes/2/choices", "/codes/3/stats", "/codes/1/trial", "/codes/1/sharing",
    "/members/1", "/members/1/swap",
    "/codes/1/places", "/codes/1/stats?compare=1", "/codes/1/stats?days=1", "/codes?folder=-",
    "/stats", "/visitors", "/visitors/tags", "/visitors/rules", "/visitors/rules/new",
    "/returns", "/codes/1/returns", "/alerts", "/alerts/log", "/alerts/channels/new", "/codes/1/alerts",
    "/members/1/links", "/status", "/hosts", "/webhooks", "/webhooks/new",
    "/account", "/account/password", "/account/devices", "/account/tokens", "/users", "/audit", "/system",
)  # fmt: skip
DOOR = ("/login", "/me", "/api/v1/docs", "/nothing-here")
LOOKS = [
    pytest.param(PHONE, "zh", "light", id="phone-zh-light"),
    pytest.param(PHONE, "en", "dark", id="phone-en-dark"),
    pytest.param(DESK, "zh", "dark", id="desk-zh-dark"),
    pytest.param(DESK, "en", "light", id="desk-en-light"),
]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    found = start_demo(tmp_path_factory.mktemp("demo"))
    yield found
    found.running.stop()


def judged(page: Page) -> list[str]:
    """What axe-core finds grave, a line each: the rule, where, and why."""
    # As a script of the debugger's, which no policy of the page keeps out.
    page.evaluate(AXE.read_text(encoding="utf-8"))
    run = "rules => axe.run(document, {runOnly: rules, resultTypes: ['violations']})"
    found: dict[str, Any] = page.evaluate(run, RULES)
    return [
        f"{page.url} {violation['id']}: {node['target']} {node['failureSummary']!r}"
        for violation in found["violations"]
        if violation["impact"] in GRAVE
        for node in violation["nodes"][:3]
    ]


def look_at(page: Page, paths: Sequence[str]) -> list[str]:
    """Every page is there, fits its screen, has one main heading, and is judged."""
    found = []
    for path in paths:
        answer = page.goto(path)
        assert answer is not None
        wanted = 404 if path == "/nothing-here" else 200
        found += [f"{path} answers {answer.status}"] if answer.status != wanted else []
        if "stats" in path:
            page.wait_for_load_state("networkidle")  # charts are drawn by a script that comes late
        width = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        found += [f"{path} is {width[0]} wide on {width[1]}"] if width[0] > width[1] else []
        found += [f"{path} has {page.locator('h1').count()} h1"] if page.locator("h1").count() != 1 else []
        found += judged(page)
    return found


@pytest.mark.parametrize(("size", "language", "scheme"), LOOKS)
def test_panel_keeps_nobody_out(browser: Browser, demo: Demo, size: dict[str, Any], language: str, scheme: str) -> None:
    with visiting(browser, demo, language, color_scheme=scheme, **size) as visit:
        log_in(visit.page, language)
        found = look_at(visit.page, PANEL)
        assert not found, "\n".join(found)
        assert visit.complaints == []


@pytest.mark.parametrize(("size", "language", "scheme"), LOOKS)
def test_what_opens_on_a_page_keeps_nobody_out(
    browser: Browser, demo: Demo, size: dict[str, Any], language: str, scheme: str
) -> None:
    """The card being edited, the ticked list, the page of a swap link."""
    with visiting(browser, demo, language, color_scheme=scheme, **size) as visit:
        page = visit.page
        log_in(page, language)
        page.goto("/codes/1")
        page.locator(".member-actions [hx-get]").first.click()
        expect(page.locator(".is-edited")).to_be_visible()
        found = judged(page)
        page.goto("/codes")
        page.locator(".code-tick input").first.check()
        found += judged(page)
        page.goto("/members/1/links")
        page.locator("main form button[type=submit]").first.click()
        link = page.locator("main .copyable code").first.inner_text()
        found += look_at(page, [urlsplit(link).path])
        assert not found, "\n".join(found)
        assert visit.complaints == []


@pytest.mark.parametrize(("size", "language", "scheme"), LOOKS)
def test_doors_and_landing_pages_keep_nobody_out(
    browser: Browser, demo: Demo, size: dict[str, Any], language: str, scheme: str
) -> None:
    with visiting(browser, demo, language, color_scheme=scheme, **size) as visit:
        paths = [*DOOR, *(f"/s/{slug}" for slug in demo.slugs.values())]
        found = look_at(visit.page, paths)
        assert not found, "\n".join(found)
        told = [line for line in visit.complaints if "404 (NOT FOUND)" not in line]
        assert told == []


def test_axe_would_tell(browser: Browser, tmp_path: Path) -> None:
    """A page with two faults that matter: the judge is awake."""
    page = browser.new_page()
    page.set_content("<!doctype html><html><body><img src='x'><input></body></html>")
    told = " ".join(judged(page))
    page.close()
    assert "image-alt" in told
    assert "label" in told

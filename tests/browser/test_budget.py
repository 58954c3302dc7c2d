"""What a page of the panel may cost a phone; the budget is told in docs/panel.md."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Response

from tests.browser.demo import PHONE, Demo, log_in, start_demo, visiting

KB = 1024
CODE = 400 * KB  # scripts and styles as they travel, ECharts apart
PAGE = 60 * KB  # the page itself
REQUESTS = 25  # pictures of codes apart, which load as they come into sight
NODES = 3000
SHIFT = 0.1  # how far the page jumps while it loads, as Lighthouse counts
CHARTS = ("/codes/1/stats", "/stats")
PAGES = ("/today", "/codes", "/codes/1", "/codes/1/rules", "/codes/1/page", "/members/1", "/members/1/swap", *CHARTS)
# Before the page begins, so that no shift is missed.
WATCH = """
    window.shifted = 0;
    new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shifted += entry.value;
    }).observe({ type: "layout-shift", buffered: true });
"""


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    found = start_demo(tmp_path_factory.mktemp("demo"))
    yield found
    found.running.stop()


def size(answer: Response) -> int:
    """Bytes that travelled."""
    measured: dict[str, Any] = answer.request.sizes()
    return int(measured["responseBodySize"])


@pytest.mark.parametrize("path", PAGES)
def test_page_costs_no_more_than_its_budget(browser: Browser, demo: Demo, path: str) -> None:
    with visiting(browser, demo, **PHONE) as visit:
        log_in(visit.page)
        visit.page.add_init_script(WATCH)
        answers: list[Response] = []
        visit.page.context.new_cdp_session(visit.page).send("Network.setCacheDisabled", {"cacheDisabled": True})
        visit.page.on("response", lambda answer: answers.append(answer))
        visit.page.goto(path)
        visit.page.wait_for_load_state("networkidle")
        paths = [urlsplit(answer.url).path for answer in answers]
        code = [answer for answer in answers if answer.request.resource_type in ("script", "stylesheet")]
        charts = [answer for answer in code if "echarts" in answer.url]
        assert bool(charts) == (path in CHARTS)
        assert sum(size(answer) for answer in code if answer not in charts) <= CODE
        assert size(answers[0]) <= PAGE
        assert len([one for one in paths if not one.startswith("/m/") and "qr.svg" not in one]) <= REQUESTS
        assert visit.page.locator("*").count() <= NODES
        assert visit.page.evaluate("window.shifted") <= SHIFT

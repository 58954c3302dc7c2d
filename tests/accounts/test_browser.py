"""The panel's shell in a real Chromium: on a phone and at a desk, in both languages, with scripts and without."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa
from playwright.sync_api import Browser, Page, expect
from sqlalchemy.orm import Session

from app.accounts.models import ApiToken, PanelSession
from tests.accounts.conftest import PASSWORD
from tests.servers import Running

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}
DESK = {"viewport": {"width": 1280, "height": 800}}
PAGES = ("/account", "/account/password", "/account/devices", "/account/tokens", "/users", "/audit")

Open = Callable[..., Any]


@pytest.fixture
def visit(browser: Browser, live_server: Running, alice: int) -> Open:
    """`with visit(**options) as page:` a browser of its own before the door. Fails on whatever its console complains
    of, but for a status the test `expects`, and on any request to another host."""

    @contextmanager
    def visit(expects: str = "nothing", **options: Any) -> Iterator[Page]:
        complaints: list[str] = []
        context = browser.new_context(base_url=live_server.url, **options)
        page = context.new_page()
        page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda asked: complaints.append(asked.url) if is_foreign(asked.url) else None)
        try:
            yield page
        finally:
            context.close()
        assert [complaint for complaint in complaints if f"status of {expects}" not in complaint] == []

    def is_foreign(url: str) -> bool:
        return not url.startswith((f"{live_server.url}/", "data:"))

    return visit


def log_in(page: Page, language: str = "en") -> None:
    page.goto(f"/login?lang={language}")
    page.fill("#email", "alice@example.com")
    page.fill("#password", PASSWORD)
    page.click("main button[type=submit]")
    expect(page.locator(".panel-main")).to_be_visible()
    page.wait_for_load_state()  # its scripts too


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_page_fits_and_complains_of_nothing(visit: Open, size: dict[str, Any], language: str) -> None:
    with visit(**size) as page:
        log_in(page, language)
        for path in PAGES:
            page.goto(path)
            assert page.evaluate("document.documentElement.scrollWidth") <= size["viewport"]["width"], path
            assert page.locator("h1").count() == 1


def test_everything_works_without_scripts(visit: Open, session: Session) -> None:
    with visit(**PHONE, java_script_enabled=False) as page:
        log_in(page)
        page.goto("/account/tokens")
        page.fill("#name", "shop")
        with page.expect_navigation():
            page.click("main form button[type=submit]:has-text('Make a token')")
        assert re.search(r"hz_[\w-]{43}", page.content())
        page.goto("/account/tokens")
        page.click("summary:has-text('Revoke')")
        page.click("button:has-text('Revoke the token')")
        expect(page.locator(".toast-note")).to_contain_text("no longer works")
        assert session.scalars(sa.select(ApiToken.revoked_at)).one() is not None
        page.click(".user-menu summary")
        with page.expect_navigation():
            page.click(".user-menu button[value=dark]")
        assert page.locator("html").get_attribute("data-look") == "dark"
        page.click(".user-menu summary")
        with page.expect_navigation():
            page.click(".user-menu button:has-text('Log out')")
        assert page.url.endswith("/login")


def test_device_decides_between_light_and_dark_until_the_reader_does(visit: Open) -> None:
    paper = "getComputedStyle(document.body).backgroundColor"
    with visit(**DESK, color_scheme="light") as light, visit(**DESK, color_scheme="dark") as dark:
        for page in (light, dark):
            page.goto("/login")
        assert light.evaluate(paper) != dark.evaluate(paper)
        with dark.expect_navigation():
            dark.click("button[value=light]")
        expect(dark.locator("html")).to_have_attribute("data-look", "light")
        assert light.evaluate(paper) == dark.evaluate(paper)


def test_form_tapped_twice_is_sent_once(visit: Open, session: Session) -> None:
    with visit(**PHONE) as page:
        log_in(page)
        page.goto("/account/tokens")
        page.fill("#name", "shop")
        page.evaluate("() => { for (const tap of [1, 2]) document.querySelector('main form .btn-primary').click(); }")
        expect(page.locator(".copyable code")).to_be_visible()
    assert session.scalar(sa.select(sa.func.count()).select_from(ApiToken)) == 1


def test_menu_shuts_by_escape_and_by_a_tap_elsewhere(visit: Open) -> None:
    with visit(**DESK) as page:
        log_in(page)
        menu = page.locator(".user-menu")
        page.click(".user-menu summary")
        expect(menu).to_have_attribute("open", "")
        page.keyboard.press("Escape")
        expect(menu).not_to_have_attribute("open", "")
        page.click(".user-menu summary")
        page.click("h1")
        expect(menu).not_to_have_attribute("open", "")


def test_failure_of_what_htmx_sends_is_told(visit: Open) -> None:
    with visit(expects="404", **DESK) as page:
        log_in(page)
        page.evaluate("htmx.ajax('POST', '/account/devices/999/revoke', {target: '#main'})")
        expect(page.locator(".toast-note")).to_contain_text("no longer there")
        expect(page.locator("h1")).to_be_visible()  # nothing was swapped in
        page.click(".toast-note [data-close]")
        expect(page.locator(".toast-note")).to_have_count(0)


def test_what_htmx_sends_carries_the_token(visit: Open, session: Session) -> None:
    with visit(**DESK) as page:
        log_in(page)
        page.goto("/account/devices")
        with page.expect_response("**/revoke-all") as answered:
            page.evaluate("htmx.ajax('POST', '/account/devices/revoke-all', {target: '#main', swap: 'none'})")
        assert answered.value.status == 303
    assert session.scalar(sa.select(sa.func.count()).select_from(PanelSession)) == 0


def test_session_that_ended_sends_an_htmx_page_to_the_door(visit: Open, session: Session) -> None:
    with visit(expects="401", **DESK) as page:
        log_in(page)
        page.goto("/account/devices")
        session.execute(sa.delete(PanelSession))
        session.commit()
        page.evaluate("htmx.ajax('GET', '/account/devices', {target: '#main'})")
        page.wait_for_url("**/login?next=/account/devices")


def test_keyboard_reaches_the_content_first(visit: Open) -> None:
    with visit(**DESK) as page:
        log_in(page)
        page.goto("/account")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip-link"
        page.keyboard.press("Enter")
        expect(page.locator("#main")).to_be_focused()

"""A group's owner with the link of a message, in a real Chromium at 360 px: three taps from the message to the end."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy.orm import Session

from app.alerts import links
from app.db import writing
from app.db.audit import Actor
from tests import make
from tests.browser.marketing import expired, fits, picture, shown_to_the_next_one
from tests.browser.world import PosterWorld
from tests.conftest import SECRET_KEY
from tests.servers import Running


@pytest.fixture
def message(poster: PosterWorld, marketer: int, service: Running) -> Callable[[], tuple[str, str]]:
    """The link as an alert carries it, and the slug of its poster."""

    def make_one() -> tuple[str, str]:
        code, member_id = expired(poster, marketer)
        with Session(poster.engine) as session, writing(session):
            lasts = timedelta(days=3)
            row = links.make(session, Actor("alerts"), member_id, version=1, now=poster.now, lasts=lasts)
            token = links.token_of(row, SECRET_KEY)
        return f"{service.url}/swap/{token}", code.slug

    return make_one


@pytest.fixture
def chat(phone: Callable[..., Any], service: Running) -> Page:
    """The owner's phone, with the message open in a chat."""
    page: Page = phone(base_url=service.url).page
    return page


def test_three_taps_from_the_message_to_the_end(
    chat: Page, message: Callable[[], tuple[str, str]], service: Running
) -> None:
    address, slug = message()
    target = make.group_url()
    chat.goto(f"{service.url}/healthz")
    taps = 0
    # The first tap: the link in the message.
    chat.evaluate("address => { document.body.innerHTML = ''; const a = document.createElement('a'); a.href = address;"
                  " a.textContent = 'link'; document.body.append(a); }", address)  # fmt: skip
    chat.get_by_text("link").tap()
    taps += 1
    expect(chat.get_by_role("heading", level=1)).to_be_visible()
    assert fits(chat)
    # The second: pick the screenshot; it is sent and read at once.
    with chat.expect_file_chooser() as chooser:
        chat.locator("label.go").tap()
        taps += 1
    chooser.value.set_files([picture(target)])
    # The third: yes.
    yes = chat.locator("[data-go]")
    expect(yes).to_be_visible()
    assert fits(chat)
    box = yes.bounding_box()
    assert box is not None and box["height"] >= 44, "large enough for a thumb"
    yes.tap()
    taps += 1
    expect(chat.get_by_role("status")).to_be_visible()
    expect(chat.locator(".mark"), "the page that says it is done").to_have_count(1)
    assert taps == 3 and fits(chat)
    assert shown_to_the_next_one(chat, slug)["member"]["target_url"] == target


def test_without_scripts_a_button_sends_it(phone: Callable[..., Any], message: Callable[[], tuple[str, str]]) -> None:
    address, _ = message()
    page = phone(java_script_enabled=False).page
    page.goto(address)
    page.set_input_files("input[type=file]", [picture(make.group_url())])
    page.locator("button.send").click()
    page.locator("[data-go]").click()
    expect(page.locator(".mark")).to_have_count(1)

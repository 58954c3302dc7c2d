"""What a marketer's tests share: screens, pictures to hand in, a live code whose group has expired."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import FilePayload, Page, expect

from app.codes.models import LiveCode
from tests import make, pictures
from tests.browser.world import PosterWorld

EMAIL, PASSWORD = "marketer@example.com", "correct horse battery"
PHONE: dict[str, Any] = {
    "viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True, "device_scale_factor": 2,
}  # fmt: skip
DESK: dict[str, Any] = {"viewport": {"width": 1280, "height": 900}}
SIZES = pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])

Open = Callable[..., Any]


def picture(payload: str, name: str = "code.png") -> FilePayload:
    return {"name": name, "mimeType": "image/png", "buffer": pictures.encoded(pictures.screen(payload))}


def group() -> FilePayload:
    return picture(make.group_url())


NOTES: FilePayload = {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"hello"}


def code_of(page: Page) -> int:
    found = re.search(r"/codes/(\d+)", page.url)
    assert found is not None, page.url
    return int(found[1])


def begin(page: Page, name: str) -> None:
    page.goto("/codes/new")
    page.fill("#name", name)
    page.click("main form button[type=submit]")
    expect(page.locator(".way [aria-current]")).to_have_text("Put codes behind it")


def count_taps(page: Page) -> None:
    """From the next page on, every tap and click of a finger or a mouse is counted by the browser itself."""
    page.add_init_script(
        "addEventListener('pointerdown', () => sessionStorage.setItem('taps', Number(sessionStorage.taps || 0) + 1),"
        " true)"
    )


def taps(page: Page) -> int:
    """How many there were; what happens in the phone's own album is not among them."""
    counted = page.evaluate("Number(sessionStorage.taps || 0)")
    return int(counted)


def fits(page: Page) -> bool:
    page.wait_for_load_state()  # without its styles no page fits
    return bool(page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"))


def expired(poster: PosterWorld, marketer: int, **more: Any) -> tuple[LiveCode, int]:
    """A live code whose only group expired three hours ago; its member's id."""
    code = poster.live_code(owner_id=marketer, name="Swap me")
    past = datetime.now(UTC) - timedelta(hours=3)
    return code, poster.member(code, label="old group", expires_at=past, capacity=195, **more)


def shown_to_the_next_one(page: Page, slug: str) -> Any:
    """What a scanner gets now."""
    answer = page.context.request.get(f"/s/{slug}", headers={"Accept": "application/json"})
    return answer.json()

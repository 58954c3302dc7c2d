"""The service with its demo data, as a new installation shows itself, and people who look at its pages."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.servers import Running, flask, start_huozi

EMAIL, PASSWORD = "admin@example.com", "a long sentence that nobody guesses 7"
PHONE: dict[str, Any] = {
    "viewport": {"width": 360, "height": 780}, "has_touch": True, "is_mobile": True, "device_scale_factor": 2,
}  # fmt: skip
DESK: dict[str, Any] = {"viewport": {"width": 1280, "height": 860}}


@dataclass(frozen=True)
class Demo:
    """A running service. `slugs`: its live codes' by what they are called; `grid`: the first one's number."""

    running: Running
    slugs: dict[str, str]

    @property
    def url(self) -> str:
        return self.running.url


def start_demo(folder: Path, **more: str) -> Demo:
    """Migrated, with an administrator, demo codes and a month of scans that never were."""
    settings = {"HUOZI_DATA_DIR": str(folder), "HUOZI_SECRET_KEY": "a key that is known to everybody", **more}
    env = {name: value for name, value in os.environ.items() if not name.startswith("HUOZI_")} | settings
    flask(["db", "upgrade"], env)
    flask(["user", "create", EMAIL, "--role", "admin", "--password-stdin"], env, PASSWORD)
    said = flask(["demo", "load"], env)
    flask(["demo", "scans"], env)
    running = start_huozi(settings, migrate=False)
    return Demo(running, {title: slug for title, slug in re.findall(r"demo: (.+?)  \S+/s/(\S+)", said)})


class Visit:
    """One browser. `complaints`: what its console said, and every address of another host it asked for."""

    def __init__(self, context: BrowserContext, url: str) -> None:
        self.url = url
        self.complaints: list[str] = []
        self.page = context.new_page()
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda asked: self._watch(asked.url))

    def _hear(self, said: Any) -> None:
        if said.type in ("error", "warning"):
            self.complaints.append(f"{self.page.url}: {said.text}")

    def _watch(self, address: str) -> None:
        if not address.startswith((f"{self.url}/", "data:", "blob:")):
            self.complaints.append(f"another host: {address}")


@contextmanager
def visiting(browser: Browser, demo: Demo, language: str = "zh", **options: Any) -> Iterator[Visit]:
    locale = {"zh": "zh-CN", "en": "en-GB"}[language]
    context = browser.new_context(base_url=demo.url, locale=locale, timezone_id="Asia/Shanghai", **options)
    try:
        yield Visit(context, demo.url)
    finally:
        context.close()


def log_in(page: Page, language: str = "zh") -> None:
    page.goto(f"/login?lang={language}")
    page.fill("#email", EMAIL)
    page.fill("#password", PASSWORD)
    page.click("main button[type=submit]")
    expect(page.locator(".panel-main")).to_be_visible()
    page.wait_for_load_state()  # its scripts too

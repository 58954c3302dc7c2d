"""Phones in front of the running service: Chromium with a phone's size, fingers, language and user agent."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, CDPSession, Page, expect
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

from app.accounts import store as accounts
from app.db import make_engine
from app.db.audit import COMMAND_LINE
from app.ledger.spool import Spool
from app.ledger.sql import SqlLedger
from app.outside.files import FileStore
from tests.browser.marketing import EMAIL, PASSWORD, Open
from tests.browser.world import PosterWorld
from tests.conftest import SECRET_KEY
from tests.scan.phone import WECHAT
from tests.servers import Running, start_huozi


class Phone:
    """One visitor's browser. `said` is what its console complained of, `asked` every address it asked for."""

    def __init__(self, context: BrowserContext, url: str) -> None:
        self.context = context
        self.url = url
        self.said: list[str] = []
        self.asked: list[str] = []
        self.page = context.new_page()
        self.page.on("console", lambda message: self.said.append(message.text) if message.type == "error" else None)
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(f"{request.method} {request.url}"))

    def scan(self, slug: str) -> Page:
        self.page.goto(f"{self.url}/s/{slug}")
        return self.page

    def asked_for(self, path: str) -> list[str]:
        """Requests whose path ends so."""
        return [line for line in self.asked if urlsplit(line.split(" ", 1)[1]).path.endswith(path)]

    def hosts(self) -> set[str]:
        return {urlsplit(line.split(" ", 1)[1]).netloc for line in self.asked}

    def hold(self, milliseconds: int, moving_by: int = 0) -> None:
        """A finger on the code for so long; it moves on half-way, as in a scroll."""
        fingers = self.context.new_cdp_session(self.page)
        self.finger_down(fingers)
        self.page.wait_for_timeout(milliseconds / 2)
        if moving_by:
            point = self._point()
            self._touch(fingers, "touchMove", {**point, "y": point["y"] - moving_by})
        self.page.wait_for_timeout(milliseconds / 2)
        self.finger_up(fingers)
        fingers.detach()

    def tap_for(self, milliseconds: int) -> None:
        """As `hold`, timed by the browser itself: a busy machine makes no long press of it."""
        fingers = self.context.new_cdp_session(self.page)
        gesture = {"duration": milliseconds, "gestureSourceType": "touch"}
        fingers.send("Input.synthesizeTapGesture", {**self._point(), **gesture})
        fingers.detach()

    def finger_down(self, fingers: CDPSession) -> None:
        self._touch(fingers, "touchStart", self._point())

    def finger_up(self, fingers: CDPSession) -> None:
        fingers.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})

    def _touch(self, fingers: CDPSession, kind: str, point: dict[str, float]) -> None:
        fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [point]})

    def _point(self) -> dict[str, float]:
        box = self.page.locator(".code").bounding_box()
        assert box is not None
        return {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}

    def come_back(self) -> None:
        """What a page hears when its app is opened again."""
        self.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory, migrated_sqlite: Path) -> Path:
    """What a browser sees does not depend on the database: SQLite is enough."""
    folder = tmp_path_factory.mktemp("service")
    shutil.copyfile(migrated_sqlite, folder / "huozi.db")
    return folder


@pytest.fixture(scope="module")
def service(data_dir: Path) -> Iterator[Running]:
    """The service as it is run for real, once for all phones: each test scans live codes of its own."""
    running = start_huozi({"HUOZI_DATA_DIR": str(data_dir), "HUOZI_SECRET_KEY": SECRET_KEY}, migrate=False)
    yield running
    running.stop()


@pytest.fixture
def poster(data_dir: Path, tmp_path: Path) -> Iterator[PosterWorld]:
    """Live codes with real pictures, in the database the service reads."""
    engine: Engine = make_engine(f"sqlite:///{data_dir / 'huozi.db'}")
    spool = Spool(tmp_path / "spool-of-the-test")
    world = PosterWorld(engine, SqlLedger(engine, spool, b"x"), FileStore(data_dir / "images"))
    world.now = datetime.now(UTC)
    yield world
    spool.close()
    engine.dispose()


@pytest.fixture
def phone(browser: Browser, service: Running) -> Iterator[Callable[..., Phone]]:
    """phone(user_agent=…, locale=…, java_script_enabled=False, …): a fresh visitor each time."""
    contexts: list[BrowserContext] = []

    def make(**changes: Any) -> Phone:
        options: dict[str, Any] = {
            "viewport": {"width": 360, "height": 780},
            "device_scale_factor": 2,
            "has_touch": True,
            "is_mobile": True,
            "locale": "zh-CN",
            "user_agent": WECHAT,
        }
        contexts.append(browser.new_context(**(options | changes)))
        return Phone(contexts[-1], service.url)

    yield make
    for context in contexts:
        context.close()


@pytest.fixture(scope="module")
def marketer(data_dir: Path) -> int:
    engine = make_engine(f"sqlite:///{data_dir / 'huozi.db'}")
    with Session(engine) as session:
        user = accounts.create_user(session, COMMAND_LINE, EMAIL, PASSWORD, "marketer", name="Mei")
        assert not isinstance(user, accounts.Refusal)
        identity = user.id
    engine.dispose()
    return identity


@pytest.fixture
def panel(browser: Browser, service: Running, marketer: int) -> Open:
    """`with panel(**options) as page:` logged in. Fails on whatever the console complains of, and on any other host.
    `told`: parts of what the browser itself says of answers that are expected to be refusals."""

    @contextmanager
    def panel(language: str = "en", told: tuple[str, ...] = (), **options: Any) -> Iterator[Page]:
        complaints: list[str] = []
        context = browser.new_context(base_url=service.url, accept_downloads=True, **options)
        page = context.new_page()
        page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda asked: complaints.append(asked.url) if is_foreign(asked.url) else None)
        try:
            page.goto(f"/login?lang={language}")
            page.fill("#email", EMAIL)
            page.fill("#password", PASSWORD)
            page.click("main button[type=submit]")
            expect(page.locator(".panel-main")).to_be_visible()
            page.wait_for_load_state()  # its scripts too
            yield page
        finally:
            context.close()
        assert [line for line in complaints if not any(part in line for part in told)] == []

    def is_foreign(url: str) -> bool:
        return not url.startswith((f"{service.url}/", "data:", "blob:"))

    return panel

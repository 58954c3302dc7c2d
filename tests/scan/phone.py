"""A phone in front of the scan door: keeps cookies, says what real ones say, and reads pages and JSON."""

import html
import re
from collections.abc import Iterable
from typing import Any

from werkzeug.test import Client, TestResponse

from app.outside.files import FileStore
from app.outside.geo import Geo
from app.scan.page import Pages
from app.scan.views import TRIAL, ScanDoor
from app.scan.visitor import Visitors
from app.web.signing import sign
from tests.ledger.world import World

KEY = "a key for the tests, known to everybody"
PUBLIC_URL = "https://qr.example.com"

WECHAT = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 "
    "MicroMessenger/8.0.54(0x18003631) NetType/4G Language/zh_CN"
)
SAFARI = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 "
    "Mobile/15E148 Safari/604.1"
)
CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"
GOOGLEBOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
HTML = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


def flask_stands_behind(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    start_response("418 I'm a teapot", [("Content-Length", "0")])
    return ()


class Doorway:
    """The door with everything behind it; `world` makes live codes and moves the clock."""

    def __init__(self, world: World, store: FileStore, **changes: Any) -> None:
        self.world = world
        self.store = store
        self._geo = Geo()
        self.door = self.open(**changes)

    def open(self, **changes: Any) -> ScanDoor:
        settings: dict[str, Any] = {"secure": False, "language": "zh", "trusted_proxies": ()} | changes
        visitors = Visitors(
            key=KEY,
            locate=self._geo.place,
            trusted_proxies=settings["trusted_proxies"],
            clock=lambda: self.world.now,
            secure=settings["secure"],
            language=settings["language"],
        )
        return ScanDoor(
            flask_stands_behind,
            decider=settings.get("decider", self.world.decider),
            visitors=visitors,
            pages=Pages(lambda: self.world.now),
            pictures=self.store,
            key=KEY,
            origins=(PUBLIC_URL,),
            trusted_proxies=settings["trusted_proxies"],
        )

    def phone(self, user_agent: str = WECHAT, language: str = "zh-CN", **changes: Any) -> "Phone":
        return Phone(self.open(**changes) if changes else self.door, user_agent, language)

    def trial(self, slug: str, minutes: float = 30) -> str:
        return sign(TRIAL, slug.encode(), KEY, expires_at=int(self.world.now.timestamp() + minutes * 60))


class Phone:
    def __init__(self, door: ScanDoor, user_agent: str = WECHAT, language: str = "zh-CN") -> None:
        self.client = Client(door)
        self.headers = {"User-Agent": user_agent, "Accept-Language": language}

    def get(self, path: str, accept: str = HTML, method: str = "GET", **headers: str) -> TestResponse:
        sent = {**self.headers, "Accept": accept, **_names(headers)}
        return self.client.open(path, method=method, headers=sent, base_url="http://localhost")

    def scan(self, slug: str, **headers: str) -> Any:
        """The decision as JSON."""
        reply = self.get(f"/s/{slug}", "application/json", **headers)
        assert reply.status_code in (200, 404), reply.status
        return reply.json

    def page(self, slug: str, **headers: str) -> str:
        reply = self.get(f"/s/{slug}", **headers)
        assert reply.status_code == 200, reply.status
        return reply.text

    def post(self, path: str, data: Any = None, json: Any = None, accept: str = HTML, **headers: str) -> TestResponse:
        sent = {**self.headers, "Accept": accept, "Origin": "http://localhost", **_names(headers)}
        return self.client.post(path, data=data, json=json, headers=sent, base_url="http://localhost")

    @property
    def cookie(self) -> str | None:
        found = self.client.get_cookie("huozi_v")
        return found.value if found else None


def _names(headers: dict[str, str]) -> dict[str, str]:
    """sec_purpose="prefetch" → Sec-Purpose."""
    return {name.replace("_", "-"): value for name, value in headers.items()}


def words(page: str) -> str:
    """What is read on a page: no tags, no script, no style."""
    body = re.sub(r"<(script|style|title)>.*?</\1>", "", page, flags=re.DOTALL)
    return re.sub(r"[ \n]+", " ", html.unescape(re.sub(r"<[^>]+>", " ", body))).strip()

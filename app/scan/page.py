"""A page and its bytes: everything that can be on one (`View`), how it is rendered, what a browser may do with it.

A View holds ready sentences, so the template only lays out. It is also the key under which its bytes are kept: nothing
can be on a page that did not choose it. Which sentences belong to which answer is `landing`'s business.
"""

import re
from base64 import b64encode
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from threading import Lock

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from app.scan.wording import TEXTS

LONG_NOTICE = 90
PAGES = 2000
VARY = ("Vary", "Accept, Accept-Language, Cookie, User-Agent")

Headers = list[tuple[str, str]]
Text = str | Markup


@dataclass(frozen=True, slots=True)
class Page:
    """Bytes and headers as WSGI takes them; headers are shared, so they are copied before anything is added."""

    body: bytes
    headers: Headers


@dataclass(frozen=True, slots=True)
class Link:
    href: str
    label: str


@dataclass(frozen=True, slots=True)
class Card:
    """One choice to press."""

    id: int
    title: str
    description: str
    room: str
    is_full: bool
    image: str | None
    badge: str = ""


@dataclass(frozen=True, slots=True)
class Where:
    """Where the scanner is taken to be. `label`: of the link to choose another place; "" where there is none."""

    words: str
    label: str


@dataclass(frozen=True, slots=True)
class Pick:
    """A place to choose; with `href` one that leads to the places in it."""

    name: str
    key: str = ""
    href: str = ""
    is_wide: bool = False


@dataclass(frozen=True, slots=True)
class Offer:
    """Places under one heading; `is_long`: too many for buttons."""

    head: str
    picks: tuple[Pick, ...]
    is_long: bool = False


@dataclass(frozen=True, slots=True)
class Stuck:
    label: str
    full: str
    is_open: bool


@dataclass(frozen=True, slots=True)
class Reach:
    """The live code's contact, as links that are safe to press."""

    head: str
    text: str
    tel: str | None
    call: str
    url: str | None
    label: str


@dataclass(frozen=True, slots=True)
class View:
    """All that is on one page; `None`, "" and () are not on it."""

    language: str
    home: str
    title: str
    query: str = ""
    token: str = ""
    notice: str = ""
    paint: str = ""
    bar: str = ""
    describes: str = ""
    message: Text = ""
    mark: str = ""
    name: str = ""
    how: str = ""
    aside: str = ""
    image: str | None = None
    alt: str = ""
    button: Link | None = None
    copy: str | None = None
    saves: bool = False
    save_hint: str = ""
    file: str = ""
    app_href: str | None = None
    app_label: str = ""
    press: bool = False
    ahead: bool = False
    unsure: bool = False
    shows_on_click: bool = False
    where: Where | None = None
    finds: bool = False
    offers: tuple[Offer, ...] = ()
    stuck: Stuck | None = None
    choices: tuple[Card, ...] = ()
    asks: bool = False
    contact: Reach | None = None
    link: Link | None = None
    footer: str = ""
    trial: str = ""
    leaves: bool = False
    may_be_framed: bool = False

    @property
    def lang(self) -> str:
        return "zh-CN" if self.language == "zh" else "en"

    @property
    def is_placed(self) -> bool:
        """Does it say or ask where somebody is?"""
        return self.finds or self.where is not None or bool(self.offers)

    @property
    def texts(self) -> Mapping[str, str]:
        return TEXTS[self.language]

    @property
    def plain_title(self) -> str:
        return plain(self.title)

    @property
    def notice_is_long(self) -> bool:
        return len(self.notice) > LONG_NOTICE or self.notice.count("\n") > 2


def plain(text: str) -> str:
    """Without the marks that turn the direction of text: for places where no element can hold them in."""
    return _TURNS.sub("", text)


_TURNS = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


class Pages:
    """Renders Views; safe over threads. `clock` answers aware UTC."""

    def __init__(self, clock: Callable[[], datetime], limit: int = PAGES) -> None:
        self.clock = clock
        self._limit = limit
        self._kept: OrderedDict[View, Page] = OrderedDict()
        self._by_key: dict[Hashable, Page] = {}
        self._lock = Lock()

    def page_by(self, key: Hashable | None, view: Callable[[], View]) -> Page:
        """The page under a key that stands for a whole View: the View itself is made only the first time."""
        page = self._by_key.get(key)
        if page is None:
            page = self.page(view())
            if key is not None:
                if len(self._by_key) >= self._limit:
                    self._by_key.clear()
                self._by_key[key] = page
        return page

    def page(self, view: View) -> Page:
        with self._lock:
            page = self._kept.get(view)
            if page is not None:
                self._kept.move_to_end(view)
                return page
        page = render(view)
        if not view.trial:  # its token is on the page: nobody will ask for these bytes again
            with self._lock:
                self._kept[view] = page
                if len(self._kept) > self._limit:
                    self._kept.popitem(last=False)
        return page


def render(view: View) -> Page:
    body = _TEMPLATE.render(page=view).encode("utf-8", "replace")
    headers = [
        ("Content-Type", "text/html; charset=utf-8"),
        ("Content-Length", str(len(body))),
        ("Cache-Control", "no-store"),
        ("Content-Security-Policy", _policy(view)),
        ("X-Content-Type-Options", "nosniff"),
        # Not no-referrer: that would also make the Origin of our own forms "null".
        ("Referrer-Policy", "same-origin"),
        # Only a page with the button that says why may ask a phone where it is.
        ("Permissions-Policy", f"geolocation={'(self)' if view.finds else '()'}"),
        VARY,
    ]
    return Page(body, headers)


def _policy(view: View) -> str:
    styles = " ".join(_source(text) for text in (STYLE, view.is_placed and PLACES_STYLE, view.paint) if text)
    # Chrome applies form-action to redirects after a form, too: a live code that opens links must be let go there.
    forms = "form-action 'self' https: http:" if view.leaves else "form-action 'self'"
    # The panel shows trial scans beside what is edited.
    frames = "frame-ancestors 'self'" if view.may_be_framed else "frame-ancestors 'none'"
    scripts = " ".join(_source(text) for text in ((SCRIPT, NEAR_SCRIPT) if view.finds else (SCRIPT,)))
    return (
        f"default-src 'none'; img-src 'self'; style-src {styles}; script-src {scripts}; connect-src 'self'; "
        f"{forms}; base-uri 'none'; {frames}"
    )


def _source(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


def _slim(source: str, comment: str) -> str:
    """Without comments and indentation; both files keep a comment on lines of its own."""
    text = re.sub(comment, "", source, flags=re.MULTILINE | re.DOTALL)
    return "\n".join(line.strip() for line in text.splitlines() if line.strip())


def _slim_style(source: str) -> str:
    """Also without the spaces that say nothing; both files have no string in which one of these marks stands."""
    return re.sub(r"\s*([{};,>])\s*|(:)\s+", r"\1\2", _slim(source, r"/\*.*?\*/"))


def _read(name: str) -> str:
    return files(__package__).joinpath(name).read_text("utf-8")


SCRIPT = _slim(_read("landing.js"), r"^\s*//[^\n]*$")
NEAR_SCRIPT = _slim(_read("near.js"), r"^\s*//[^\n]*$")
STYLE = _slim_style(_read("landing.css"))
PLACES_STYLE = _slim_style(_read("places.css"))

_ENVIRONMENT = Environment(
    loader=FileSystemLoader(Path(__file__).resolve().parent.parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_ENVIRONMENT.globals.update(
    style=Markup(STYLE), script=Markup(SCRIPT), near_script=Markup(NEAR_SCRIPT), places_style=Markup(PLACES_STYLE)
)
_TEMPLATE = _ENVIRONMENT.get_template("scan/page.html")

"""The panel's shell: what surrounds every page an account sees.

Decides the navigation, light or dark, how a file of `static/` is named and sent, and the few words templates share
(`asset`, `icon`, `ago`). Leaves every page's content to its feature.
"""

import gzip
import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from flask import Flask, Response, current_app, g, make_response, redirect, request, url_for
from flask_babel import format_datetime, format_timedelta, lazy_gettext
from markupsafe import Markup
from werkzeug.security import safe_join
from werkzeug.wrappers import Response as AnyResponse

from app.accounts.guard import safe_next

THEMES = ("auto", "light", "dark")
THEME_COOKIE = "huozi_theme"
THEME_COOKIE_SECONDS = 365 * 24 * 3600

COMPRESSED = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
ONE_YEAR_SECONDS = 365 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Entry:
    """One room in the navigation; shown when its page exists."""

    endpoint: str
    icon: str
    label: Any

    @property
    def blueprint(self) -> str:
        return self.endpoint.partition(".")[0]


# In the order of a day's work. The first five fit under a thumb on a phone.
ENTRIES = (
    Entry("today.index", "home", lazy_gettext("Today")),
    Entry("codes.index", "qrcode", lazy_gettext("Live codes")),
    Entry("people.index", "users", lazy_gettext("Visitors")),
    Entry("stats.index", "chart-bar", lazy_gettext("Statistics")),
    Entry("accounts.account", "settings", lazy_gettext("Settings")),
)


def init_app(app: Flask) -> None:
    app.jinja_env.globals.update(
        asset=asset, icon=icon, ago=ago, moment=moment, day=day, with_arguments=with_arguments,
        actor_name=actor_name,
    )  # fmt: skip
    app.context_processor(lambda: {"theme": theme, "navigation": navigation, "home_url": home_url})
    app.add_url_rule("/favicon.ico", "favicon", lambda: redirect(asset("img/huozi.svg"), code=302))
    app.before_request(_send_compressed)
    app.after_request(_say_how_long_to_keep)


def navigation() -> list[Entry]:
    return [entry for entry in ENTRIES if entry.endpoint in current_app.view_functions]


def home_url() -> str:
    """The page a user starts on: the first room there is."""
    return url_for(navigation()[0].endpoint)


# Who changes things beside people, as the audit log names them.
ACTORS = {
    "command line": lazy_gettext("command line"),
    "swap link": lazy_gettext("swap link"),
    "alerts": lazy_gettext("alerts"),
    "retention": lazy_gettext("retention"),
    "visitor": lazy_gettext("a visitor"),
}


def actor_name(actor: str) -> str:
    """Somebody's e-mail, or what did it by itself ("swap link 7"), in the reader's words."""
    name, _, number = actor.rpartition(" ")
    return f"{ACTORS[name]} {number}" if name in ACTORS and number.isdigit() else str(ACTORS.get(actor, actor))


def theme() -> str:
    """ "auto" (the device decides), "light" or "dark"; kept by the browser, drawn by the server, so nothing flashes."""
    choice = request.cookies.get(THEME_COOKIE, "")
    return choice if choice in THEMES else "auto"


def keep_theme(response: AnyResponse, choice: str) -> None:
    response.set_cookie(
        THEME_COOKIE, choice, max_age=THEME_COOKIE_SECONDS, httponly=True, samesite="Lax", secure=request.is_secure
    )


def with_arguments(**changes: Any) -> str:
    """The address of the page in front of the reader with some of its query changed; None takes an argument away. An
    answer to a form that was posted elsewhere counts as the page the form was on."""
    rule = request.url_rule
    if rule is not None and "GET" not in (rule.methods or ()):
        return safe_next(urlsplit(request.referrer or "").path) or home_url()
    arguments = request.args.to_dict(flat=False)
    for name, value in changes.items():
        arguments.pop(name, None)
        if value is not None:
            arguments[name] = [str(value)]
    query = urlencode(arguments, doseq=True)
    return quote(request.path) + (f"?{query}" if query else "")


def icon(name: str, label: str = "") -> Markup:
    """An icon of the sprite. Without a label it is decoration, and the text beside it says what it means."""
    drawn: dict[tuple[str, str], Markup] = g.setdefault("icons", {})  # a grid of 200 members draws 2,000
    if (name, label) not in drawn:
        drawn[name, label] = _draw_icon(name, label)
    return drawn[name, label]


def _draw_icon(name: str, label: str) -> Markup:
    voice = Markup('role="img" aria-label="{}"').format(label) if label else Markup('aria-hidden="true"')
    source = asset("vendor/icons.svg")
    return Markup('<svg class="icon" {}><use href="{}#{}"/></svg>').format(voice, source, name)


def ago(at: datetime | None, now: datetime | None = None) -> Markup:
    """ "3 minutes ago", with the exact time on hover; a dash for None."""
    if at is None:
        return Markup("–")
    span = format_timedelta(at - (now or datetime.now(UTC)), add_direction=True)
    return _time(at, span)


def moment(at: datetime | None) -> Markup:
    """The exact time, in the installation's zone, to the minute; a dash for None."""
    return _time(at, _exact(at)) if at is not None else Markup("–")


def day(at: datetime | None) -> Markup:
    return _time(at, str(format_datetime(at, "yyyy-MM-dd"))) if at is not None else Markup("–")


def _time(at: datetime, text: str) -> Markup:
    return Markup('<time datetime="{}" title="{}">{}</time>').format(at.isoformat(), _exact(at), text)


def _exact(at: datetime) -> str:
    return str(format_datetime(at, "yyyy-MM-dd HH:mm"))


def asset(name: str) -> str:
    """The URL of a file in `static/`, with its content's digest, so that a browser may keep it for good."""
    file = _static_file(name)
    version = _digest(file, file.stat().st_mtime_ns) if file else ""
    return url_for("static", filename=name, v=version or None)


def _static_file(name: str) -> Path | None:
    path = safe_join(str(current_app.static_folder), name)
    return Path(path) if path and Path(path).is_file() else None


@lru_cache(maxsize=256)
def _digest(file: Path, _mtime_ns: int) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()[:12]


@lru_cache(maxsize=64)
def _compressed(file: Path, _mtime_ns: int) -> bytes:
    return gzip.compress(file.read_bytes(), 9, mtime=0)


def _send_compressed() -> Response | None:
    """Styles and scripts shrink to an eighth; squeezed once a process, so that it needs no proxy to be quick."""
    if request.endpoint != "static" or "gzip" not in request.headers.get("Accept-Encoding", ""):
        return None
    name = (request.view_args or {}).get("filename", "")
    kind = COMPRESSED.get(Path(name).suffix)
    file = _static_file(name) if kind else None
    if file is None:
        return None
    mtime_ns = file.stat().st_mtime_ns
    response = make_response(_compressed(file, mtime_ns))
    response.content_type = f"{kind}; charset=utf-8"
    response.headers["Content-Encoding"] = "gzip"
    response.vary.add("Accept-Encoding")
    response.set_etag(_digest(file, mtime_ns) + "-gz")
    response.make_conditional(request)
    return response


def _say_how_long_to_keep(response: Response) -> Response:
    """A file under its digest for good; a page not at all, for it is one user's and of one moment."""
    if response.mimetype == "text/html" and "Cache-Control" not in response.headers:
        response.headers["Cache-Control"] = "private, no-cache"
    if request.endpoint == "static" and request.args.get("v") and response.status_code in (200, 304):
        response.headers["Cache-Control"] = f"public, max-age={ONE_YEAR_SECONDS}, immutable"
    return response

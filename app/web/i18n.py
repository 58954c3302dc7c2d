"""Which language a reader gets, and where the words come from.

Source text is English in code and templates; `app/translations/zh_Hans_CN/*.po` hold the Chinese, one file a feature.
They are read as they are when the first text is asked for (preloading does it once, before the workers are forked), so
there is no compiled catalogue that could be missing or old.
"""

import io
from collections.abc import Callable
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from babel import Locale
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations
from flask import Flask, Response, g, has_request_context, request
from flask_babel import Babel, Domain, get_locale

from app.settings import LANGUAGES

LOCALES = {"zh": "zh_Hans_CN", "en": "en"}
COOKIE = "huozi_lang"
COOKIE_SECONDS = 365 * 24 * 3600
CATALOGUES = Path(__file__).resolve().parent.parent / "translations"


def init_app(app: Flask, default: str, timezone: str, user_language: Callable[[], str | None] = lambda: None) -> None:
    """`user_language`: what the logged-in reader has chosen for good ("zh", "en"), None for nobody or no choice."""

    def locale() -> str:
        if not has_request_context():  # a command, or work between requests
            return LOCALES[default]
        return LOCALES[
            pick_language(
                request.args.get("lang"),
                request.cookies.get(COOKIE),
                user_language,
                request.headers.get("Accept-Language", ""),
                default,
            )
        ]

    babel = Babel()
    babel.init_app(app, LOCALES[default], locale_selector=locale, timezone_selector=lambda: timezone)
    babel.domain_instance = _PlainFiles()  # a cached property: Flask-Babel would make its own on first use
    # A page of 200 members asks for 7,000 texts; Flask-Babel's own way looks the domain up for each.
    app.jinja_env.install_gettext_callables(  # type: ignore[attr-defined]
        lambda text: _spoken().ugettext(text),
        lambda one, many, number: _spoken().ungettext(one, many, number),
        newstyle=True,
        pgettext=lambda context, text: _spoken().upgettext(context, text),
        npgettext=lambda context, one, many, number: _spoken().unpgettext(context, one, many, number),
    )
    app.after_request(_remember_choice)
    app.jinja_env.globals["language"] = language


def language() -> str:
    """The language of this request's reader: "zh" or "en". Also right inside `force_locale`."""
    found = get_locale()
    return "en" if found is not None and found.language == "en" else "zh"


def pick_language(
    asked: str | None, cookie: str | None, user: Callable[[], str | None], accept: str, default: str
) -> str:
    """?lang= → cookie → the user's own choice → Accept-Language → the installation's default."""
    for wish in (asked, cookie):
        if wish in LANGUAGES:
            return wish
    chosen = user()
    return chosen if chosen in LANGUAGES else from_header(accept) or default


def from_header(accept: str) -> str | None:
    """The best of an Accept-Language header that we speak, None when it names neither."""
    return _best_of(accept[:500])


@lru_cache(4096)
def _best_of(accept: str) -> str | None:
    best: tuple[float, str] | None = None
    for part in accept.split(","):
        tag, _, weight = part.strip().partition(";")
        tongue = tag.strip().lower().partition("-")[0]
        quality = _quality(weight)
        if tongue in LANGUAGES and quality > 0 and (best is None or quality > best[0]):
            best = (quality, tongue)
    return best[1] if best else None


def _quality(weight: str) -> float:
    name, _, value = weight.strip().partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0


def _remember_choice(response: Response) -> Response:
    wish = request.args.get("lang")
    if wish in LANGUAGES and request.cookies.get(COOKIE) != wish and not g.get("no_language_cookie"):
        response.set_cookie(
            COOKIE, wish, max_age=COOKIE_SECONDS, httponly=True, samesite="Lax", secure=request.is_secure
        )
    return response


class _PlainFiles(Domain):
    def __init__(self) -> None:
        super().__init__(translation_directories=[str(CATALOGUES)])

    def get_translations(self) -> NullTranslations:
        return _spoken()


def _spoken() -> NullTranslations:
    """The texts of this request's reader."""
    return _by_locale(get_locale())


@cache
def _by_locale(locale: Locale | None) -> NullTranslations:
    return translations(str(locale))


@cache
def translations(locale: str) -> NullTranslations:
    """All of one locale's files as one set of translations; a text without one stays English."""
    files = sorted((CATALOGUES / locale).glob("*.po"))
    if not files:
        return NullTranslations()
    whole = Catalog(locale=locale)
    for file in files:
        for message in read_catalogue(file, locale):
            if message.id:
                whole[message.id] = message
    compiled = io.BytesIO()
    write_mo(compiled, whole)
    compiled.seek(0)
    return Translations(compiled)


def read_catalogue(file: Path, locale: str) -> Any:
    with file.open("rb") as source:
        return read_po(source, locale=locale, abort_invalid=True)

import subprocess
import sys
from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask_babel import force_locale, gettext

from app.settings import ROOT
from app.web.i18n import from_header, language, pick_language

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def nobody() -> str | None:
    return None


def test_a_language_asked_for_beats_everything() -> None:
    assert pick_language("en", "zh", lambda: "zh", "zh-CN", "zh") == "en"


def test_the_cookie_beats_the_user_s_choice() -> None:
    assert pick_language(None, "en", lambda: "zh", "zh-CN", "zh") == "en"


def test_the_user_s_choice_beats_the_browser() -> None:
    assert pick_language(None, None, lambda: "en", "zh-CN", "zh") == "en"


def test_the_browser_beats_the_default() -> None:
    assert pick_language(None, None, nobody, "en-GB,en;q=0.9", "zh") == "en"


def test_the_default_is_what_is_left() -> None:
    assert pick_language(None, None, nobody, "fr", "zh") == "zh"
    assert pick_language("fr", "xx", lambda: "de", "", "en") == "en"


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("en;q=0.5, zh-TW;q=0.9", "zh"),
        ("fr, de;q=0.9, en;q=0.1", "en"),
        ("ZH-hans", "zh"),
        ("en;q=0", None),
        ("en;q=x, zh;q=0.1", "zh"),
        ("*", None),
        ("", None),
        (";;;,,,q=1", None),
        ("english", None),
    ],
)
def test_an_accept_language_header_is_weighed(header: str, found: str | None) -> None:
    assert from_header(header) == found


@on_sqlite
def test_an_asked_language_is_remembered(client: FlaskClient) -> None:
    assert 'lang="en"' in client.get("/no?lang=en").text
    assert 'lang="en"' in client.get("/no", headers={"Accept-Language": "zh-CN"}).text
    assert 'lang="zh-CN"' in client.get("/no?lang=zh").text
    assert 'lang="zh-CN"' in client.get("/no", headers={"Accept-Language": "en"}).text


@on_sqlite
def test_a_language_nobody_speaks_is_passed_over(client: FlaskClient) -> None:
    answer = client.get("/no?lang=%3Cscript%3E")
    assert 'lang="zh-CN"' in answer.text and "Set-Cookie" not in answer.headers


@on_sqlite
def test_the_installation_s_language_is_a_setting(make_app: Callable[..., Flask]) -> None:
    assert 'lang="en"' in make_app(language="en").test_client().get("/no").text


@on_sqlite
def test_work_outside_a_request_speaks_the_installation_s_language(app: Flask) -> None:
    with app.app_context():
        assert language() == "zh" and gettext("To the front page") == "回到首页"
    with app.app_context(), force_locale("en"):
        assert language() == "en" and gettext("To the front page") == "To the front page"


def test_every_text_in_code_and_templates_is_translated() -> None:
    command = [sys.executable, "scripts/translations", "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr

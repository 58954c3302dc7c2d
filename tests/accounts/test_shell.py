"""The panel's shell: what surrounds the pages, and how its files are named and sent."""

import gzip
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask, render_template_string
from flask.testing import FlaskClient

from app.accounts import shell
from app.settings import ROOT
from app.web.toast import say

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

LogIn = Callable[..., FlaskClient]
TEMPLATES = sorted((ROOT / "app" / "templates").rglob("*.html"))
NOW = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)


def drawn(app: Flask, template: str, path: str = "/login?lang=en", **context: object) -> str:
    with app.test_request_context(path):
        return render_template_string(template, **context)


def test_navigation_shows_the_rooms_that_are_there(app: Flask, log_in: LogIn, bob: int) -> None:
    with app.test_request_context("/"):
        shown = [entry.endpoint for entry in shell.navigation()]
    assert shown == [entry.endpoint for entry in shell.ENTRIES if entry.endpoint in app.view_functions]
    page = log_in("bob@example.com").get("/account").text
    assert page.count('aria-current="page"') == 2  # the room and the tab


@pytest.mark.parametrize(
    ("cookie", "look"), [(None, "auto"), ("light", "light"), ("dark", "dark"), ("neon", "auto"), ('"><script>', "auto")]
)
def test_light_or_dark_is_drawn_by_the_server(client: FlaskClient, cookie: str | None, look: str) -> None:
    if cookie:
        client.set_cookie(shell.THEME_COOKIE, cookie)
    page = client.get("/login").text
    assert f'data-look="{look}"' in page
    assert ("data-bs-theme" in page) == (look != "auto")


def test_light_or_dark_is_chosen_by_a_plain_form(client: FlaskClient) -> None:
    answer = client.post("/appearance", data={"theme": "dark", "next": "/login?lang=en"})
    assert (answer.status_code, answer.location) == (303, "/login?lang=en")
    assert 'data-look="dark"' in client.get("/login").text
    refused = client.post("/appearance", data={"theme": "neon", "next": "//evil.example"})
    assert "evil" not in refused.location
    assert 'data-look="dark"' in client.get("/login").text


def test_files_are_named_by_their_content_and_kept_for_a_year(app: Flask, client: FlaskClient) -> None:
    with app.test_request_context("/"):
        url = shell.asset("css/panel.css")
    assert re.fullmatch(r"/static/css/panel\.css\?v=[0-9a-f]{12}", url)
    assert "immutable" in client.get(url, buffered=True).headers["Cache-Control"]
    assert "immutable" not in client.get(url.partition("?")[0], buffered=True).headers.get("Cache-Control", "")


def test_file_that_is_not_there_still_has_an_address(app: Flask, client: FlaskClient) -> None:
    with app.test_request_context("/"):
        url = shell.asset("vendor/none.css")
    assert url == "/static/vendor/none.css"
    assert client.get(url, headers={"Accept-Encoding": "gzip"}).status_code == 404


def test_styles_and_scripts_are_sent_squeezed_to_whoever_can_read_them(client: FlaskClient) -> None:
    plain = (ROOT / "static" / "css" / "panel.css").read_bytes()
    answer = client.get("/static/css/panel.css", headers={"Accept-Encoding": "gzip, br"})
    assert answer.headers["Content-Encoding"] == "gzip"
    assert answer.mimetype == "text/css"
    assert "Accept-Encoding" in answer.headers["Vary"]
    assert gzip.decompress(answer.data) == plain
    again = client.get(
        "/static/css/panel.css", headers={"Accept-Encoding": "gzip", "If-None-Match": answer.headers["ETag"]}
    )
    assert again.status_code == 304
    unsqueezed = client.get("/static/css/panel.css", buffered=True)
    assert "Content-Encoding" not in unsqueezed.headers
    assert unsqueezed.data == plain


@pytest.mark.parametrize(
    "path", ["/static/../settings.py", "/static/css/../../settings.py", "/static/%2e%2e/settings.py"]
)
def test_nothing_outside_static_is_sent(client: FlaskClient, path: str) -> None:
    assert client.get(path, headers={"Accept-Encoding": "gzip"}).status_code == 404


def test_pages_are_kept_by_nobody_in_between(client: FlaskClient) -> None:
    assert client.get("/login").headers["Cache-Control"] == "private, no-cache"


def test_address_keeps_its_query_but_for_what_changes(app: Flask) -> None:
    with app.test_request_context("/audit?actor=%E7%8E%8B&page=3&_scheme=javascript&endpoint=x"):
        assert shell.with_arguments(page=4) == "/audit?actor=%E7%8E%8B&_scheme=javascript&endpoint=x&page=4"
        assert shell.with_arguments(page=None, actor=None) == "/audit?_scheme=javascript&endpoint=x"


def test_address_of_an_answer_to_a_post_is_the_page_the_form_was_on(app: Flask) -> None:
    with app.test_request_context(
        "/users/1/password-link", method="POST", headers={"Referer": "http://localhost/users?x=1"}
    ):
        assert shell.with_arguments(lang="en") == "/users"
    with app.test_request_context("/users/1/password-link", method="POST"):
        assert shell.with_arguments(lang="en") == shell.home_url()


def test_times_are_told_near_and_exact(app: Flask) -> None:
    with app.test_request_context("/login?lang=en"):
        told = shell.ago(NOW - timedelta(minutes=3), NOW)
        assert told == '<time datetime="2026-11-22T03:57:00+00:00" title="2026-11-22 11:57">3 minutes ago</time>'
        assert shell.moment(NOW).endswith(">2026-11-22 12:00</time>")
        assert shell.day(NOW).endswith(">2026-11-22</time>")
        assert shell.ago(None) == shell.moment(None) == shell.day(None) == "–"
    with app.test_request_context("/login?lang=zh"):
        assert "3分钟前" in shell.ago(NOW - timedelta(minutes=3), NOW)


def test_icon_is_silent_beside_words_and_speaks_alone(app: Flask) -> None:
    with app.test_request_context("/"):
        assert 'aria-hidden="true"' in shell.icon("home")
        assert 'role="img" aria-label="&lt;Home&gt;"' in shell.icon("home", "<Home>")


def test_undo_is_a_form_of_its_own(app: Flask, client: FlaskClient) -> None:
    @app.get("/done")
    def done() -> str:
        say("Archived", undo=("/undo", {"id": 7}))
        say("<b>Saved</b>")
        return ""

    client.get("/done")
    page = client.get("/login?lang=en").text
    assert 'action="/undo"' in page
    assert '<input type="hidden" name="id" value="7">' in page
    assert "&lt;b&gt;Saved&lt;/b&gt;" in page
    assert "Archived" not in client.get("/login").text


def test_field_keeps_what_was_typed_and_ties_its_error_to_it(app: Flask) -> None:
    page = drawn(
        app,
        '{% from "_form.html" import input %}'
        '{{ input("cap", "Capacity", typed, errors=["Too much."], hint="At most 200.", type="number", min=1) }}',
        typed='"><script>',
    )
    assert 'value="&#34;&gt;&lt;script&gt;"' in page
    assert 'aria-describedby="cap-hint cap-error"' in page
    assert 'aria-invalid="true"' in page
    assert 'id="cap-error"' in page and "Too much." in page
    assert 'min="1"' in page


def test_select_text_and_tick_keep_what_was_chosen(app: Flask) -> None:
    page = drawn(
        app,
        '{% from "_form.html" import input %}{{ input("a", "A", 2, options=[(1, "one"), (2, "two")]) }}'
        '{{ input("b", "B", "two\nlines", rows=3) }}{{ input("c", "C", true, type="checkbox") }}'
        '{{ input("d", "D", none) }}',
    )
    assert '<option value="2" selected>two</option>' in page
    assert ">\ntwo\nlines</textarea>" in page
    assert re.search(r'type="checkbox"[^>]* checked', page)
    assert re.search(r'value="" id="d"', page)


@pytest.mark.parametrize(
    ("occupied", "capacity", "tone", "width"),
    [
        (10, 195, "good", "5.1"),
        (156, 195, "warn", "80.0"),
        (195, 195, "bad", "100.0"),
        (300, 195, "bad", "100.0"),
        (0, 0, "bad", "100.0"),
    ],
)
def test_room_is_a_meter_with_numbers(app: Flask, occupied: int, capacity: int, tone: str, width: str) -> None:
    page = drawn(app, '{% from "_parts.html" import room %}{{ room(o, c) }}', o=occupied, c=capacity)
    assert f"room-{tone}" in page
    assert f'class="room-used" width="{width}"' in page
    assert f'aria-label="{occupied} of {capacity} given out"' in page


def test_room_without_a_limit_has_no_meter(app: Flask) -> None:
    page = drawn(app, '{% from "_parts.html" import room %}{{ room(7, none) }}')
    assert "meter" not in page
    assert "7 inside, no limit" in page


def test_states_are_told_in_the_readers_language(app: Flask) -> None:
    template = '{% from "_parts.html" import state %}{{ state("expiring") }}{{ state("unheard-of") }}'
    english, chinese = drawn(app, template), drawn(app, template, "/login?lang=zh")
    assert "Expires soon" in english and "unheard-of" in english
    assert "快过期" in chinese


def test_question_before_something_final_needs_no_script(app: Flask) -> None:
    page = drawn(
        app,
        '{% from "_form.html" import confirm %}'
        '{% call confirm("/gone", "Archive", "Really?", "Yes", fields={"id": 7}) %}<input name="why">{% endcall %}',
    )
    assert re.search(r'<details.*<summary.*Archive.*</summary>.*<form[^>]* method="post" action="/gone"', page, re.S)
    assert 'name="csrf_token"' in page and 'name="why"' in page and 'name="id" value="7"' in page


def test_no_panel_template_needs_more_than_the_strict_policy_allows(app: Flask) -> None:
    """No inline script or style, no handler, nothing of htmx that evaluates text. (The landing page sets its own.)"""
    forbidden = re.compile(r"<style|<script(?![^>]*\bsrc=)|\sstyle=|\son[a-z]+=|hx-on|javascript:|hx-vals=.js:", re.I)
    jinja = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.S)
    found = set()
    for file in TEMPLATES:
        if file.parent.name != "scan":
            html = jinja.sub("", file.read_text(encoding="utf-8"))
            found |= {f"{file.name}: {match[0]}" for match in forbidden.finditer(html)}
    assert found == set()


def test_every_icon_that_is_drawn_is_fetched(app: Flask) -> None:
    listed = set((ROOT / "scripts" / "icons.txt").read_text(encoding="utf-8").split())
    used = {entry.icon for entry in shell.ENTRIES}
    for file in TEMPLATES:
        text = file.read_text(encoding="utf-8")
        used |= set(re.findall(r"""icon\(["']([a-z0-9-]+)["']""", text))
        used |= set(re.findall(r"""picture=["']([a-z0-9-]+)["']""", text))
        used |= set(re.findall(r"""empty\(["']([a-z0-9-]+)["']""", text))
    assert used - listed == set()


def test_everything_a_panel_page_loads_fits_the_budget(client: FlaskClient) -> None:
    """400 KB squeezed, without the charts' library, which only pages with a chart load."""
    page = client.get("/login").text
    urls = set(re.findall(r'(?:href|src)="(/static/[^"#]+\.(?:css|js|svg)[^"#]*)', page))
    assert len(urls) >= 5
    sent = {url: client.get(url, headers={"Accept-Encoding": "gzip"}, buffered=True) for url in urls}
    assert {answer.status_code for answer in sent.values()} == {200}, "fetch them first: scripts/assets"
    assert sum(len(answer.data) for answer in sent.values()) <= 400 * 1024
    assert not [url for url in urls if "echarts" in url]

import re

import pytest
from flask import Flask, render_template_string
from flask.testing import FlaskClient

from app.web.csrf import csrf, same_origin

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

NOTHING = {"X-CSRFToken": ""}  # keeps the test client from adding a token of its own


@pytest.fixture
def browser(app: Flask) -> FlaskClient:
    app.add_url_rule("/form", "form", lambda: render_template_string("{{ csrf_token() }}"))
    app.add_url_rule("/form", "send", lambda: "done", methods=["POST"])
    app.add_url_rule("/beacon", "beacon", csrf.exempt(beacon), methods=["POST"])
    app.add_url_rule("/api/v1/form", "api", lambda: "done", methods=["POST"])
    return app.test_client()


def beacon() -> str:
    return "same" if same_origin() else "other"


def test_a_form_without_its_token_is_refused(browser: FlaskClient) -> None:
    answer = browser.post("/form", headers=NOTHING)
    assert answer.status_code == 403
    assert browser.post("/form", headers={**NOTHING, "Accept": "application/json"}).json["error"]["code"] == "csrf"


def test_a_form_with_its_token_passes(browser: FlaskClient) -> None:
    token = browser.get("/form").text
    assert re.fullmatch(r"[\w.-]+", token)
    assert browser.post("/form", headers=NOTHING, data={"csrf_token": token}).text == "done"


def test_the_token_of_another_session_is_refused(browser: FlaskClient, app: Flask) -> None:
    token = app.test_client().get("/form").text
    browser.get("/form")
    assert browser.post("/form", headers=NOTHING, data={"csrf_token": token}).status_code == 403


def test_another_site_s_page_is_refused_even_with_a_token(browser: FlaskClient) -> None:
    token = browser.get("/form").text
    for origin in ("https://evil.example", "null", "http://localhost:81", "http://localhost.evil.example"):
        answer = browser.post("/form", headers={**NOTHING, "Origin": origin}, data={"csrf_token": token})
        assert answer.status_code == 403, origin
    own = {**NOTHING, "Origin": "http://localhost"}
    assert browser.post("/form", headers=own, data={"csrf_token": token}).status_code == 200


def test_a_program_with_a_token_needs_no_form(browser: FlaskClient) -> None:
    assert browser.post("/api/v1/form", headers={"Authorization": "Bearer x"}).text == "done"


def test_an_api_call_without_a_session_is_left_to_the_api_s_guard(browser: FlaskClient) -> None:
    assert browser.post("/api/v1/form", headers=NOTHING).text == "done"


def test_an_api_call_that_rides_on_a_session_needs_the_token(browser: FlaskClient) -> None:
    browser.get("/form")
    assert browser.post("/api/v1/form", headers=NOTHING).status_code == 403


def test_an_exempt_view_judges_the_origin_itself(browser: FlaskClient) -> None:
    assert browser.post("/beacon", headers={**NOTHING, "Origin": "http://localhost"}).text == "same"
    assert browser.post("/beacon", headers={**NOTHING, "Origin": "http://LOCALHOST"}).text == "same"
    assert browser.post("/beacon", headers=NOTHING).text == "other"
    assert browser.post("/beacon", headers={**NOTHING, "Origin": "https://evil.example"}).text == "other"
    assert browser.post("/beacon", headers={**NOTHING, "Origin": "http://[::1"}).text == "other"

from collections.abc import Callable

import pytest
from flask import Flask, Response
from flask.testing import FlaskClient

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.mark.parametrize("path", ["/healthz", "/no", "/api/v1/openapi.json", "/static/css/error.css"])
def test_every_answer_tells_the_browser_what_it_may_do(path: str, client: FlaskClient) -> None:
    with client.get(path) as answer:
        headers = answer.headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert "Server" not in headers or "Werkzeug" not in headers["Server"]


def test_a_page_s_own_policy_is_left_alone(app: Flask) -> None:
    app.add_url_rule("/own", "own", lambda: Response("", headers={"Content-Security-Policy": "default-src 'self'"}))
    assert app.test_client().get("/own").headers["Content-Security-Policy"] == "default-src 'self'"


def test_only_https_installations_pin_browsers_to_https(client: FlaskClient, make_app: Callable[..., Flask]) -> None:
    assert "Strict-Transport-Security" not in client.get("/healthz").headers
    secure = make_app(public_url="https://qr.shop.cn").test_client()
    assert secure.get("/healthz").headers["Strict-Transport-Security"] == "max-age=31536000"


def test_the_session_cookie_is_secure_where_the_installation_is(make_app: Callable[..., Flask]) -> None:
    assert make_app().config["SESSION_COOKIE_SECURE"] is False
    assert make_app(public_url="https://qr.shop.cn").config["SESSION_COOKIE_SECURE"] is True

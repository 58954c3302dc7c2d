import json
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_a_request_is_one_line_with_its_id(client: FlaskClient, capsys: pytest.CaptureFixture[str]) -> None:
    answer = client.get("/no")

    (line,) = lines(capsys)
    assert {name: line[name] for name in ("level", "method", "path", "status")} == {
        "level": "info",
        "method": "GET",
        "path": "/no",
        "status": 404,
    }
    assert line["request_id"] == answer.headers["X-Request-Id"]
    assert line["ms"] >= 0 and line["at"].endswith("+00:00")


def test_nothing_private_is_written_down(app: Flask, capsys: pytest.CaptureFixture[str]) -> None:
    app.add_url_rule("/swap/<swap_token>", "swap", lambda swap_token: "")
    app.test_client().get(
        "/swap/private1?t=private2",
        headers={"Cookie": "a=private3", "Authorization": "Bearer private4", "X-Forwarded-For": "203.0.113.9"},
        environ_base={"REMOTE_ADDR": "203.0.113.7"},
    )
    (line,) = lines(capsys)
    assert line["path"] == "/swap/…"
    assert "private" not in json.dumps(line) and "203.0.113" not in json.dumps(line)


def test_a_line_break_in_a_path_stays_inside_its_line(client: FlaskClient, capsys: pytest.CaptureFixture[str]) -> None:
    client.get("/no%0A%7B%22level%22%3A%22error%22%7D")
    (line,) = lines(capsys)
    assert line["level"] == "info"


def test_health_checks_are_not_written_down(client: FlaskClient, capsys: pytest.CaptureFixture[str]) -> None:
    client.get("/healthz")
    client.get("/readyz")
    assert lines(capsys) == []


def test_a_second_application_does_not_double_the_lines(
    client: FlaskClient, make_app: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    make_app()
    client.get("/no")
    assert len(lines(capsys)) == 1


def test_misspelt_settings_are_warned_of(make_app: Any, capsys: pytest.CaptureFixture[str]) -> None:
    make_app(unknown_names=("HUOZI_PUBLIC_ULR",))
    (line,) = lines(capsys)
    assert line["level"] == "warning" and "HUOZI_PUBLIC_ULR" in line["message"]

import errno
import json
import os
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask, abort, request
from flask.testing import FlaskClient
from werkzeug.exceptions import TooManyRequests

from app.db import db
from app.web.errors import KNOWN, Problem, known_problem
from tests.servers import free_port

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
on_postgresql = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)

Answering = Callable[[Callable[[], Any]], FlaskClient]


@pytest.fixture
def answering(app: Flask) -> Answering:
    """A client of an application whose /try and /api/v1/try run the given function."""

    def make(view: Callable[[], Any]) -> FlaskClient:
        app.config["PROPAGATE_EXCEPTIONS"] = False  # as in production: the client sees what a reader would
        app.add_url_rule("/try", "try", view, methods=["GET", "POST"])
        app.add_url_rule("/api/v1/try", "api-try", view, methods=["GET", "POST"])
        return app.test_client()

    return make


def error_of(answer: Any) -> dict[str, Any]:
    assert set(answer.json) == {"error"} and {"code", "message", "fields"} <= set(answer.json["error"])
    found: dict[str, Any] = answer.json["error"]
    return found


@on_sqlite
@pytest.mark.parametrize("status", sorted(set(KNOWN) - {500}))
def test_every_known_status_has_its_code_and_words_in_both_languages(status: int, answering: Answering) -> None:
    def refuse() -> Any:
        raise known_problem(status)

    client = answering(refuse)
    chinese = client.get("/api/v1/try", headers={"Accept-Language": "zh-CN"})
    english = client.get("/api/v1/try", headers={"Accept-Language": "en"})

    assert chinese.status_code == english.status_code == status
    assert error_of(chinese)["code"] == KNOWN[status][0]
    assert error_of(english)["message"].isascii()
    assert not error_of(chinese)["message"].isascii(), "not translated"


@on_sqlite
def test_a_problem_says_what_is_wrong_with_which_input(answering: Answering) -> None:
    def refuse() -> Any:
        raise Problem(422, "several_qr_found", "Two codes.", {"image": ["Pick one."]}, {"found": ["a", "b"]})

    answer = answering(refuse).get("/api/v1/try")

    assert answer.status_code == 422
    assert error_of(answer) == {
        "code": "several_qr_found",
        "message": "Two codes.",
        "fields": {"image": ["Pick one."]},
        "found": ["a", "b"],
    }


@on_sqlite
def test_a_person_gets_a_page_and_a_program_gets_json(client: FlaskClient) -> None:
    browser = "text/html,application/xhtml+xml,*/*;q=0.8"
    assert client.get("/no", headers={"Accept": browser}).mimetype == "text/html"
    assert client.get("/no").mimetype == "text/html"
    assert client.get("/no", headers={"Accept": "application/json"}).mimetype == "application/json"
    assert client.get("/no", headers={"Accept": "*/*"}).mimetype == "text/html"
    assert client.get("/api/v1/no", headers={"Accept": browser}).mimetype == "application/json"


@on_sqlite
def test_what_a_problem_says_is_shown_harmless(answering: Answering) -> None:
    def refuse() -> Any:
        raise Problem(422, "invalid", "<b>no</b>", {"name": ["<script>"]})

    page = answering(refuse).get("/try").text
    assert "<b>no</b>" not in page and "<script>" not in page and "&lt;b&gt;no" in page


@on_sqlite
def test_json_that_is_none_is_a_bad_request(answering: Answering) -> None:
    answer = answering(lambda: request.get_json()).post(
        "/api/v1/try", data=b'{"name": ', content_type="application/json"
    )
    assert answer.status_code == 400 and error_of(answer)["code"] == "bad_request"


@on_sqlite
@pytest.mark.parametrize(
    "body",
    [
        b"--frontier\r\nContent-Disposition: form-data; name=a\r\n\r\ncut off",
        b"no boundary at all",
        b"--frontier\r\nno header\r\n\r\nx\r\n--frontier--\r\n",
    ],
)
def test_broken_multipart_is_a_bad_request_not_an_empty_form(body: bytes, answering: Answering) -> None:
    answer = answering(lambda: dict(request.form)).post(
        "/api/v1/try", data=body, content_type="multipart/form-data; boundary=frontier"
    )
    assert answer.status_code == 400 and error_of(answer)["code"] == "bad_request"


@on_sqlite
def test_multipart_without_a_boundary_is_a_bad_request(answering: Answering) -> None:
    answer = answering(lambda: dict(request.form)).post("/api/v1/try", data=b"x", content_type="multipart/form-data")
    assert answer.status_code == 400


@on_sqlite
def test_a_body_beyond_the_limit_is_too_large(answering: Answering, app: Flask) -> None:
    client = answering(lambda: str(len(request.get_data())))
    answer = client.post("/api/v1/try", data=b"x" * (app.config["MAX_CONTENT_LENGTH"] + 1))
    assert answer.status_code == 413 and error_of(answer)["code"] == "too_large"


@on_sqlite
def test_a_wrong_method_names_the_right_ones(client: FlaskClient) -> None:
    answer = client.post("/healthz", headers={"Accept": "application/json"})
    assert answer.status_code == 405 and "GET" in answer.headers["Allow"]
    assert error_of(answer)["code"] == "method_not_allowed"


@on_sqlite
def test_too_many_requests_say_when_to_come_back(answering: Answering) -> None:
    def refuse() -> Any:
        raise TooManyRequests(retry_after=30)

    answer = answering(refuse).get("/api/v1/try")
    assert answer.status_code == 429 and answer.headers["Retry-After"] == "30"


@on_sqlite
@pytest.mark.parametrize("path", ["/try", "/api/v1/try"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS])
def test_a_disk_that_takes_nothing_more_is_named(path: str, number: int, answering: Answering) -> None:
    def write() -> None:
        raise OSError(number, os.strerror(number))

    answer = answering(write).get(path, headers={"Accept-Language": "zh-CN"})
    assert answer.status_code == 507 and "服务器磁盘满了" in answer.get_data(as_text=True)


@on_sqlite
def test_any_other_trouble_of_the_operating_system_is_a_bug(answering: Answering) -> None:
    def write() -> None:
        raise PermissionError(errno.EACCES, "/var/lib/secret")

    answer = answering(write).get("/api/v1/try")
    assert answer.status_code == 500 and error_of(answer)["code"] == "internal_error"
    assert "secret" not in answer.text


@on_sqlite
def test_an_unlisted_status_keeps_its_name(answering: Answering) -> None:
    answer = answering(lambda: abort(418)).get("/api/v1/try")
    assert answer.status_code == 418 and error_of(answer)["code"] == "im_a_teapot"


@on_sqlite
def test_a_redirect_of_the_router_stays_a_redirect(app: Flask) -> None:
    app.add_url_rule("/folder/", "folder", lambda: "here")
    answer = app.test_client().get("/folder")
    assert answer.status_code == 308 and answer.headers["Location"].endswith("/folder/")


@on_sqlite
def test_an_id_too_large_for_sql_is_nobody_s_whatever_the_method(app: Flask) -> None:
    """Each method has a rule of its own, as flask-smorest makes them: a refusing converter made a GET a 405 here."""
    for method in ("GET", "POST"):
        app.add_url_rule("/ids/<int:one>/more", method, lambda one: str(one), methods=[method])
    client = app.test_client()
    assert client.get(f"/ids/{2**31 - 1}/more").text == str(2**31 - 1)
    for number in (str(2**31), str(2**63), "9" * 5000):
        assert client.get(f"/ids/{number}/more").text == "0"
    assert client.get("/ids/x/more").status_code == 404


@on_sqlite
@pytest.mark.parametrize("path", ["/try", "/api/v1/try"])
def test_a_bug_is_noted_with_its_request_and_not_shown(
    path: str, answering: Answering, capsys: pytest.CaptureFixture[str]
) -> None:
    def break_() -> Any:
        raise RuntimeError("hunter2 at line 7")

    answer = answering(break_).get(path)

    assert answer.status_code == 500
    assert "hunter2" not in answer.text and "Traceback" not in answer.text and "RuntimeError" not in answer.text
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    noted = next(line for line in lines if line["logger"] == "app.web.errors")
    assert noted["request_id"] == answer.headers["X-Request-Id"] and "hunter2" in noted["exception"]


@on_sqlite
def test_a_bug_s_page_names_the_number_to_ask_with(answering: Answering) -> None:
    def break_() -> Any:
        raise RuntimeError

    answer = answering(break_).get("/try")
    assert answer.headers["X-Request-Id"] in answer.text


@on_sqlite
def test_a_database_that_does_not_answer_is_said_to_be_away(make_app: Callable[..., Flask]) -> None:
    app = make_app(database_url=f"postgresql+psycopg://postgres:hunter2@127.0.0.1:{free_port()}/none")
    app.add_url_rule("/api/v1/try", "try", lambda: str(db.session.scalar(sa.text("SELECT 1"))))

    answer = app.test_client().get("/api/v1/try")

    assert answer.status_code == 503 and error_of(answer)["code"] == "store_unavailable"
    assert answer.headers["Retry-After"] == "5" and "hunter2" not in answer.text


@on_sqlite
def test_readyz_names_the_store_that_does_not_answer(
    make_app: Callable[..., Flask], capsys: pytest.CaptureFixture[str]
) -> None:
    app = make_app(database_url=f"postgresql+psycopg://postgres:hunter2@127.0.0.1:{free_port()}/none")

    answer = app.test_client().get("/readyz")

    assert answer.status_code == 503
    assert answer.json is not None and answer.json["stores"]["sql"] == "unreachable"
    assert answer.json["error"]["code"] == "store_unavailable"
    assert "hunter2" not in capsys.readouterr().err
    assert app.test_client().get("/healthz").status_code == 200


@on_postgresql
def test_a_value_no_column_can_hold_is_invalid(answering: Answering) -> None:
    def ask() -> Any:
        db.session.execute(sa.text("SELECT CAST(:name AS text)"), {"name": "a\x00b"})
        return ""

    answer = answering(ask).get("/api/v1/try")
    assert answer.status_code == 422 and error_of(answer)["code"] == "invalid"


def test_what_two_requests_did_at_once_is_a_conflict(answering: Answering) -> None:
    def ask() -> Any:
        db.session.execute(sa.text("CREATE TABLE once (id INTEGER PRIMARY KEY)"))
        for _ in range(2):
            db.session.execute(sa.text("INSERT INTO once VALUES (1)"))
        return ""

    answer = answering(ask).get("/api/v1/try")
    assert answer.status_code == 409 and error_of(answer)["code"] == "conflict"

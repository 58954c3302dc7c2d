"""How requests are read: bodies within bounds, and whose page sent them."""

from io import BytesIO
from typing import Any

import pytest

from app.scan.reply import Refusing
from app.scan.request import LONGEST_BODY, choice_asked, form_of, is_ours, wants_json
from app.settings import load
from tests.scan.phone import HTML

PUBLIC = "https://qr.example.com"
PROXIES = load({"HUOZI_SECRET_KEY": "x", "HUOZI_TRUSTED_PROXIES": "10.0.0.0/8"}).trusted_proxies


def environ(**more: Any) -> dict[str, Any]:
    defaults = {
        "REQUEST_METHOD": "POST",
        "HTTP_HOST": "live.example.com",
        "REMOTE_ADDR": "10.0.0.1",
        "wsgi.url_scheme": "http",
        "HTTP_ORIGIN": "http://live.example.com",
    }
    return {name: value for name, value in (defaults | more).items() if value is not None}


def body(data: bytes, length: object = "", **more: Any) -> dict[str, Any]:
    size = str(len(data)) if length == "" else length
    return environ(CONTENT_LENGTH=size, CONTENT_TYPE="application/json", **{"wsgi.input": BytesIO(data), **more})


@pytest.mark.parametrize(
    ("headers", "ours"),
    [
        ({}, True),
        ({"HTTP_HOST": "LIVE.example.com"}, True),
        ({"HTTP_HOST": "live.example.com:8000", "HTTP_ORIGIN": "http://live.example.com:8000"}, True),
        ({"HTTP_HOST": "live.example.com:8000"}, False),
        ({"HTTP_ORIGIN": PUBLIC}, True),
        ({"HTTP_ORIGIN": "https://evil.example"}, False),
        ({"HTTP_ORIGIN": "http://[::1"}, False),
        ({"HTTP_ORIGIN": ""}, False),
        ({"HTTP_ORIGIN": "", "HTTP_HOST": ""}, False),
        ({"HTTP_ORIGIN": None}, False),
        ({"HTTP_ORIGIN": "null"}, False),
        ({"HTTP_ORIGIN": None, "HTTP_SEC_FETCH_SITE": "same-origin"}, True),
        ({"HTTP_ORIGIN": "null", "HTTP_SEC_FETCH_SITE": "same-origin"}, True),
        ({"HTTP_ORIGIN": None, "HTTP_SEC_FETCH_SITE": "same-site"}, False),
        ({"HTTP_ORIGIN": "https://evil.example", "HTTP_SEC_FETCH_SITE": "same-origin"}, False),
    ],
)
def test_only_our_own_pages_send(headers: dict[str, Any], ours: bool) -> None:
    assert is_ours(environ(**headers), {PUBLIC}, ()) is ours


def test_https_at_a_proxy_nobody_named_is_not_held_against_a_phone() -> None:
    assert is_ours(environ(HTTP_ORIGIN="https://live.example.com"), {PUBLIC}, ())


@pytest.mark.parametrize(
    ("forwarded", "origin", "ours"),
    [
        ("https", "https://live.example.com", True),
        ("https", "http://live.example.com", False),
        ("http", "https://live.example.com", False),
        ("http, https", "https://live.example.com", True),
    ],
)
@pytest.mark.parametrize("peer", ["10.0.0.1", ""])
def test_a_named_proxy_says_which_scheme_the_phone_used(forwarded: str, origin: str, ours: bool, peer: str) -> None:
    sent = environ(HTTP_ORIGIN=origin, HTTP_X_FORWARDED_PROTO=forwarded, REMOTE_ADDR=peer)
    assert is_ours(sent, {PUBLIC}, PROXIES) is ours


def test_a_phones_own_forwarded_scheme_is_not_read() -> None:
    sent = environ(HTTP_X_FORWARDED_PROTO="https", REMOTE_ADDR="1.2.3.4")
    assert is_ours(sent, {PUBLIC}, PROXIES)
    assert is_ours(sent, {PUBLIC}, ())


def test_behind_our_own_https_plain_http_is_another_origin() -> None:
    assert not is_ours(environ(**{"wsgi.url_scheme": "https"}), {PUBLIC}, ())


def test_a_body_is_read_to_its_length_and_no_further() -> None:
    stream = BytesIO(b'{"reason": "full"}GET / HTTP/1.1')
    sent = environ(CONTENT_LENGTH="18", CONTENT_TYPE="application/json", **{"wsgi.input": stream})
    assert form_of(sent) == {"reason": "full"}
    assert stream.tell() == 18


@pytest.mark.parametrize("length", [str(LONGEST_BODY + 1), "99999999999999999999"])
def test_a_body_that_says_it_is_large_is_not_waited_for(length: str) -> None:
    with pytest.raises(Refusing) as refused:
        form_of(body(b"x" * (LONGEST_BODY + 1), length))
    assert (refused.value.status, refused.value.code) == (413, "too_large")
    assert refused.value.headers == [("Connection", "close")]


def test_a_chunked_body_is_bounded_too() -> None:
    chunked = {"wsgi.input_terminated": True}
    assert form_of(body(b'{"a": 1}', None, **chunked)) == {"a": 1}
    with pytest.raises(Refusing) as refused:
        form_of(body(b"x" * 100_000, None, **chunked))
    assert refused.value.code == "too_large"


@pytest.mark.parametrize("length", ["-1", "1e3", "٣", "many"])
def test_a_length_that_is_no_number_is_refused(length: str) -> None:
    with pytest.raises(Refusing) as refused:
        form_of(body(b"{}", length))
    assert (refused.value.status, refused.value.code) == (400, "bad_request")


def test_no_body_is_an_empty_form() -> None:
    assert form_of(environ()) == {}
    assert form_of(environ(CONTENT_LENGTH="", CONTENT_TYPE="text/plain;charset=UTF-8")) == {}


@pytest.mark.parametrize(
    ("headers", "json"),
    [
        ({"HTTP_ACCEPT": "application/json"}, True),
        ({"HTTP_ACCEPT": HTML}, False),
        ({"HTTP_ACCEPT": "*/*"}, False),
        ({}, False),
        ({"CONTENT_TYPE": "application/json; charset=utf-8"}, True),
        ({"CONTENT_TYPE": "application/json", "REQUEST_METHOD": "GET"}, False),
    ],
)
def test_programs_say_that_they_want_json(headers: dict[str, str], json: bool) -> None:
    assert wants_json(environ(**headers)) is json


@pytest.mark.parametrize(
    ("query", "choice"), [("c=7", 7), ("p=x&c=7", 7), ("", None), ("c=", None), ("c=-1", None), ("c=" + "9" * 16, None)]
)
def test_the_choice_asked_for_is_a_number_or_nothing(query: str, choice: int | None) -> None:
    assert choice_asked(environ(QUERY_STRING=query)) == choice

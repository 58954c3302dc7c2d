"""One message posted to somebody's program, which here is a small server that does what such programs do."""

import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.outside import hooks
from app.outside.hooks import Poster, Reply
from tests.outside.services import Services, nobody_listens, services

LOCAL = (ipaddress.ip_network("127.0.0.0/8"),)
NOTHING = {"Content-Type": "application/json"}


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Services]:
    with services(tmp_path, tls=False) as found:
        yield found


def url(receiver: Services, path: str = "/hook") -> str:
    return f"http://127.0.0.1:{receiver.port}{path}"


def test_body_and_headers_arrive_as_they_were_given(receiver: Services) -> None:
    reply = Poster(LOCAL).post(url(receiver, "/a b?x=ü".replace(" ", "%20")), b'{"a":1}', {"X-Huozi-Id": "evt_1"})
    assert reply == Reply(200)
    heard = receiver.heard[0]
    assert (heard.path, heard.body, heard.headers["x-huozi-id"]) == ("/a%20b?x=%C3%BC", b'{"a":1}', "evt_1")


@pytest.mark.parametrize("status", [400, 404, 500, 503])
def test_an_error_is_no_success(receiver: Services, status: int) -> None:
    receiver.answers.append((status, b"no", {}))
    assert Poster(LOCAL).post(url(receiver), b"{}", NOTHING) == Reply(status, "refused")


def test_a_redirect_is_not_followed(receiver: Services) -> None:
    receiver.answers.append((307, b"", {"Location": url(receiver, "/elsewhere")}))
    assert Poster(LOCAL).post(url(receiver), b"{}", NOTHING) == Reply(307, "redirect")
    assert [heard.path for heard in receiver.heard] == ["/hook"]


def test_a_number_that_says_no_in_the_body_is_the_receiver_s_own_business(receiver: Services) -> None:
    receiver.answers.append((200, b'{"code": 5, "errcode": 93000}', {}))
    assert Poster(LOCAL).post(url(receiver), b"{}", NOTHING) == Reply(200)


def test_nobody_there_is_told_in_a_word() -> None:
    assert Poster(LOCAL).post(f"http://127.0.0.1:{nobody_listens()}/", b"{}", NOTHING) == Reply(None, "connection")


@pytest.mark.parametrize("dribble", [b"", b"HTTP/1.1 200 OK\r\nX-Slow: "])
def test_a_receiver_that_dawdles_is_left_in_time(monkeypatch: pytest.MonkeyPatch, dribble: bytes) -> None:
    monkeypatch.setattr(hooks, "TOTAL_SECONDS", 0.4)
    with socket.create_server(("127.0.0.1", 0)) as server:
        stop = threading.Event()

        def dawdle() -> None:
            connection, _ = server.accept()
            with connection:
                connection.sendall(dribble)
                while not stop.wait(0.05):
                    try:
                        connection.sendall(b"z" if dribble else b"")
                    except OSError:
                        return

        thread = threading.Thread(target=dawdle)
        thread.start()
        began = time.monotonic()
        reply = Poster(LOCAL).post(f"http://127.0.0.1:{server.getsockname()[1]}/", b"{}", NOTHING)
        stop.set()
        thread.join(5)
    assert reply == Reply(None, "timeout")
    assert time.monotonic() - began < 3


@pytest.mark.parametrize(
    ("address", "wrong"),
    [
        ("https://127.0.0.1/hook", "private_address"),
        ("https://[::1]/hook", "private_address"),
        ("https://[::ffff:10.0.0.1]/", "private_address"),
        ("https://10.1.2.3/", "private_address"),
        ("https://169.254.169.254/latest/meta-data", "private_address"),
        ("https://crm.example.com/hook", None),
        ("http://crm.example.com/hook", "http"),
        ("https://inside.example.com/", "private_address"),
        ("https://nowhere.example.com/", "unknown_host"),
        ("https://user:pass@crm.example.com/", "address"),
        ("https://crm.example.com/#part", "address"),
        ("https://crm.example.com/ x", "address"),
        ("https://crm.example.com:0/", "address"),
        ("https://crm.example.com:99999/", "address"),
        ("ftp://crm.example.com/", "address"),
        ("crm.example.com", "address"),
        ("https://" + "x" * 1000, "address"),
    ],
)
def test_only_what_is_public_may_be_called(address: str, wrong: str | None) -> None:
    known = {"crm.example.com": "93.184.215.14", "inside.example.com": "192.168.1.1"}

    def resolve(host: str, port: int) -> list[tuple[str, int]]:
        try:
            return [(str(ipaddress.ip_address(host)), port)]
        except ValueError:
            pass
        if host not in known:
            raise OSError
        return [(known[host], port)]

    assert Poster(resolve=resolve).wrong(address) == wrong
    if wrong is not None:
        assert Poster(resolve=resolve).post(address, b"{}", NOTHING) == Reply(None, wrong)


def test_plain_http_is_for_networks_that_were_named() -> None:
    assert Poster(LOCAL).wrong("http://127.0.0.1:8080/hook") is None
    assert Poster((ipaddress.ip_network("10.0.0.0/8"),)).wrong("http://127.0.0.1:8080/hook") == "private_address"


def test_over_tls_the_certificate_must_be_the_host_s(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with services(tmp_path) as receiver:
        strangers = Poster(LOCAL, receiver.resolve)
        assert strangers.post("https://hook.example.cn/in", b"{}", NOTHING) == Reply(None, "tls")
        monkeypatch.setenv("SSL_CERT_FILE", str(receiver.authority))
        trusting = Poster(LOCAL, receiver.resolve)
        assert trusting.post("https://hook.example.cn/in", b"{}", NOTHING) == Reply(200)
        assert trusting.post("https://another.example.cn/in", b"{}", NOTHING) == Reply(None, "tls")
        assert receiver.heard[-1].host == "hook.example.cn"
    assert ssl.create_default_context().check_hostname

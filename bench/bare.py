"""The yardsticks: a WSGI callable that answers a page of the landing page's size and does nothing else, and the same
after one call of a Redis script, by a raw socket and a parser in C.

`BARE_BYTES` is that size, `BARE_REDIS` where Redis is, if anywhere. Served by the same server with the same settings as
the service they are compared with.
"""

import os
import secrets
import socket
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import hiredis

BODY = b"x" * int(os.environ.get("BARE_BYTES", "3000"))
REDIS = os.environ.get("BARE_REDIS", "")
HEADERS = [
    ("Content-Type", "text/html; charset=utf-8"),
    ("Content-Length", str(len(BODY))),
    ("Cache-Control", "no-store"),
]
SCRIPT = Path(__file__).with_name("one_call.lua").read_bytes()
EVENT = b"x" * 200
_held = threading.local()


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    if REDIS:
        call()
    start_response("200 OK", HEADERS)
    return (BODY,)


def call() -> None:
    if not hasattr(_held, "sha"):
        url = urlsplit(REDIS)
        _held.socket = socket.create_connection((url.hostname, url.port))
        _held.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        _held.reader = hiredis.Reader()
        _held.sha = ask("SCRIPT", "LOAD", SCRIPT)
        ask("ZADD", "room", 1, "m1")
    visitor = secrets.token_bytes(16)
    ask("EVALSHA", _held.sha, 4, b"seats:" + visitor[:1].hex().encode(), "room", "counts", "events", visitor, EVENT)


def ask(*words: Any) -> Any:
    _held.socket.sendall(hiredis.pack_command(words))
    while (answer := _held.reader.gets()) is False:
        _held.reader.feed(_held.socket.recv(65536))
    if isinstance(answer, Exception):
        raise answer
    return answer

"""What goes back from the door: status, headers, bytes, as WSGI takes them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from app.scan.page import VARY, Headers, Page

NO_STORE = ("Cache-Control", "no-store")


@dataclass(frozen=True, slots=True)
class Reply:
    """`headers` may be shared with a kept page: copy before adding."""

    status: str
    headers: Headers
    body: bytes = b""


class Refusing(Exception):
    """A request that is not answered as asked: the contract's error code, and which sentence a person reads."""

    def __init__(self, status: int, code: str, key: str = "refused", fields: Mapping[str, str] | None = None) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.key = key
        self.fields = fields or {}
        self.headers: Headers = []


def page_reply(status: int, page: Page, headers: Headers | None = None) -> Reply:
    return Reply(_line(status), [*page.headers, *headers] if headers else page.headers, page.body)


def json_reply(status: int, value: Any, headers: Headers | None = None) -> Reply:
    body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    own: Headers = [
        ("Content-Type", "application/json"),
        ("Content-Length", str(len(body))),
        NO_STORE,
        ("X-Content-Type-Options", "nosniff"),
        VARY,
    ]
    return Reply(_line(status), [*own, *(headers or [])], body)


def error_reply(
    status: int, code: str, message: str, fields: Mapping[str, str] | None = None, headers: Headers | None = None
) -> Reply:
    """The contract's one shape."""
    listed = {name: [text] for name, text in (fields or {}).items()}
    return json_reply(status, {"error": {"code": code, "message": message, "fields": listed}}, headers)


def redirect(status: int, to: str, headers: Headers | None = None) -> Reply:
    return Reply(_line(status), [("Location", to), ("Content-Length", "0"), NO_STORE, *(headers or [])])


def _line(status: int) -> str:
    return _LINES[status]


_LINES = {status.value: f"{status.value} {status.phrase}" for status in HTTPStatus}

"""`/m/<hash>.<ext>`: published images by their content hash. Who has one once never asks again."""

from collections.abc import Iterable
from typing import Any

from app.outside.files import FileStore, is_name
from app.scan.page import Headers
from app.scan.reply import NO_STORE, Reply, error_reply

IMMUTABLE = ("Cache-Control", "public, max-age=31536000, immutable")

_MEDIA_TYPES = {"png": "image/png", "webp": "image/webp", "jpg": "image/jpeg"}


class Pictures:
    """WSGI over the store of what scanners may see."""

    def __init__(self, store: FileStore) -> None:
        self._store = store

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            headers: Headers = [("Allow", "GET, HEAD")]
            return _send(start_response, error_reply(405, "method_not_allowed", "", headers=headers))
        name: str = environ["PATH_INFO"].removeprefix("/m/")
        if not is_name(name):
            return _send(start_response, _NOT_THERE)
        tag = f'"{name.partition(".")[0]}"'
        if tag in environ.get("HTTP_IF_NONE_MATCH", ""):
            return _send(start_response, Reply("304 Not Modified", [("ETag", tag), IMMUTABLE]))
        return self._file(environ, start_response, name, tag)

    def _file(self, environ: dict[str, Any], start_response: Any, name: str, tag: str) -> Iterable[bytes]:
        try:
            file = self._store.path(name).open("rb")
        except OSError:
            return _send(start_response, _NOT_THERE)
        headers: Headers = [
            ("Content-Type", _MEDIA_TYPES[name.rpartition(".")[2]]),
            ("Content-Length", str(file.seek(0, 2))),
            IMMUTABLE,
            ("ETag", tag),
            ("X-Content-Type-Options", "nosniff"),
            ("Content-Security-Policy", "default-src 'none'"),
        ]
        start_response("200 OK", headers)
        file.seek(0)
        if environ["REQUEST_METHOD"] == "HEAD":
            file.close()
            return ()
        if "wsgi.file_wrapper" in environ:
            wrapped: Iterable[bytes] = environ["wsgi.file_wrapper"](file)
            return wrapped
        with file:
            return (file.read(),)


_NOT_THERE = Reply("404 Not Found", [("Content-Length", "0"), NO_STORE])


def _send(start_response: Any, reply: Reply) -> Iterable[bytes]:
    start_response(reply.status, reply.headers)
    return (reply.body,) if reply.body else ()

"""One JSON line per request and per log record, on stderr.

Decides what may be written down: no query string, no cookie, no address, no body. A path is written with its secret
parts (route variables named `…token` or `…secret`) blanked.
"""

import json
import logging
import secrets
import sys
import time
from datetime import UTC, datetime
from typing import Any

from flask import Flask, Response, g, has_request_context, request

log = logging.getLogger("app.request")

# Asked every few seconds by whoever watches us; a line each would bury the rest.
QUIET_PATHS = ("/healthz", "/readyz")


class JsonFormatter(logging.Formatter):
    """{"at", "level", "logger", "message", …}; whatever a call passes as extra={"fields": {…}} is merged in."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if has_request_context() and "request_id" in g:
            line["request_id"] = g.request_id
        line.update(getattr(record, "fields", {}))
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


class _Handler(logging.StreamHandler[Any]):
    """Ours, so that a second application in the same process (tests, a command) does not double every line; stderr is
    looked up at each record, because it may be exchanged under us."""

    def __init__(self) -> None:
        super().__init__(sys.stderr)
        self.setFormatter(JsonFormatter())

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stderr
        super().emit(record)


def configure() -> None:
    root = logging.getLogger()
    if not any(isinstance(handler, _Handler) for handler in root.handlers):
        root.addHandler(_Handler())
    logging.getLogger("app").setLevel(logging.INFO)


def init_app(app: Flask) -> None:
    app.before_request(_begin)
    app.after_request(_finish)


def _begin() -> None:
    g.request_id = secrets.token_hex(8)
    g.request_began = time.perf_counter()


def _finish(response: Response) -> Response:
    if "request_id" not in g:
        return response
    response.headers["X-Request-Id"] = g.request_id
    if request.path not in QUIET_PATHS:
        took = (time.perf_counter() - g.request_began) * 1000
        fields = {
            "method": request.method,
            "path": loggable_path(),
            "status": response.status_code,
            "ms": round(took, 1),
        }
        log.info("request", extra={"fields": fields})
    return response


def loggable_path() -> str:
    path = request.path
    for name, value in (request.view_args or {}).items():
        if name.endswith(("token", "secret")) and value:
            path = path.replace(str(value), "…")
    return path[:300]

"""One shape for everything that goes wrong: JSON for programs, a page for people, never a trace.

Decides the status, the code and the words. `Problem` is how delivery code says no to a request it understood;
refusals that a scanner meets are not errors and have their own pages.
"""

import logging
from collections.abc import Mapping, Sequence
from errno import EDQUOT, ENOSPC, EROFS
from functools import partial
from http import HTTPStatus
from typing import Any

from flask import Flask, Response, current_app, g, jsonify, make_response, render_template, request
from flask_babel import gettext, lazy_gettext
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException, InternalServerError, RequestEntityTooLarge

log = logging.getLogger(__name__)

Fields = Mapping[str, Sequence[str]]


class Problem(Exception):
    """A request refused, in the contract's shape. `message` is for the reader and in their language; `fields` says the
    same for single inputs; `more` is added beside them in the JSON (the codes found in a picture, say)."""

    def __init__(
        self, status: int, code: str, message: Any, fields: Fields | None = None, more: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.message = message
        self.fields = fields or {}
        self.more = more or {}
        self.headers: dict[str, str] = {}


# What the statuses that Flask and its extensions raise by themselves are called, and what a person can do about them.
KNOWN: dict[int, tuple[str, Any]] = {
    400: ("bad_request", lazy_gettext("This request could not be read. Go back and try again.")),
    401: ("not_logged_in", lazy_gettext("Log in first, or send a valid API token.")),
    403: ("forbidden", lazy_gettext("You may not do this. Ask an administrator if you need to.")),
    404: ("not_found", lazy_gettext("There is nothing here. Check the address, or start again from the front page.")),
    405: ("method_not_allowed", lazy_gettext("This address cannot be used in this way.")),
    409: ("conflict", lazy_gettext("This does not fit what is stored by now. Load the page again.")),
    412: ("stale", lazy_gettext("Somebody else changed this in the meantime. Load it again, then make your change.")),
    413: ("too_large", lazy_gettext("This is larger than we accept. Send a smaller file.")),
    415: ("unsupported_media_type", lazy_gettext("This is not of a kind that can be used here.")),
    422: ("invalid", lazy_gettext("Some of these values cannot be used.")),
    429: ("too_many_requests", lazy_gettext("That was a little too often. Wait a moment, then try again.")),
    500: ("internal_error", lazy_gettext("Something broke on our side. It has been noted; please try again later.")),
    503: (
        "store_unavailable",
        lazy_gettext("A store we need does not answer right now. Please try again in a moment."),
    ),
    507: ("storage_full", lazy_gettext("The server's disk is full. Nothing was changed.")),
}
# What a disk answers that takes nothing more: full, over its quota, read-only.
_DISK_IS_FULL = {ENOSPC, EDQUOT, EROFS}


def init_app(app: Flask, store_errors: Mapping[int, Sequence[type[Exception]]]) -> None:
    """Registers the handlers. `store_errors`: what the stores raise, by the status it stands for: 503 when one does not
    answer, 422 for a value that no check caught and that it cannot hold, 409 for what two requests did at once."""
    app.register_error_handler(Problem, answer)
    app.register_error_handler(CSRFError, _answer_csrf)
    app.register_error_handler(HTTPException, _answer_http)
    app.register_error_handler(OSError, _answer_disk)
    for status, errors in store_errors.items():
        for error in errors:
            app.register_error_handler(error, partial(_answer_store, status))


def answer(problem: Problem) -> Response:
    """The response for `problem`: JSON to programs, a page to people."""
    if wants_json():
        response = jsonify(error_body(problem.code, problem.message, problem.fields, problem.more))
    else:
        response = make_response(_page(problem))
    response.status_code = problem.status
    response.headers.update(problem.headers)
    response.headers.setdefault("Cache-Control", "no-store")
    return response


def error_body(code: str, message: Any, fields: Fields | None = None, more: Mapping[str, Any] | None = None) -> Any:
    return {
        "error": {
            "code": code,
            "message": str(message),
            "fields": {name: [str(text) for text in texts] for name, texts in (fields or {}).items()},
            **(more or {}),
        }
    }


def wants_json() -> bool:
    """Is this asked by a program: the API, a JSON body, or an Accept header that likes JSON better than HTML?"""
    if request.path.startswith("/api/") or request.is_json:
        return True
    best = request.accept_mimetypes.best_match(["text/html", "application/json"], "text/html")
    return best == "application/json"


def known_problem(status: int) -> Problem:
    """The Problem that goes by `status` alone; an unlisted status keeps its number and its English name."""
    code, message = KNOWN.get(status) or _unlisted(status)
    return Problem(status, code, message)


def _unlisted(status: int) -> tuple[str, str]:
    try:
        name = HTTPStatus(status).phrase
    except ValueError:
        name = "Error"
    return name.lower().replace(" ", "_").replace("'", "").replace("-", "_"), name


def _page(problem: Problem) -> str:
    return render_template("web/error.html", problem=problem, request_id=g.get("request_id", ""))


def _answer_http(error: HTTPException) -> Response | HTTPException:
    status = error.code or 500
    if error.response is not None or status < 400:  # abort(response) and the router's redirects speak for themselves
        return error
    if isinstance(error, InternalServerError):
        _note_bug(error)
    problem = known_problem(status)
    problem.fields = _webargs_fields(error)
    problem.headers = _kept_headers(error)
    if isinstance(error, RequestEntityTooLarge):
        # The body was not read, so the connection cannot carry another request.
        problem.headers["Connection"] = "close"
    return answer(problem)


def _answer_disk(error: OSError) -> Response | HTTPException:
    """Large uploads and sheets pass through temporary files, so a full disk may meet any request."""
    if error.errno not in _DISK_IS_FULL:
        return _answer_http(InternalServerError(original_exception=error))
    log.error("the disk takes nothing more: %s", error.strerror)
    return answer(known_problem(HTTPStatus.INSUFFICIENT_STORAGE))


def _note_bug(error: InternalServerError) -> None:
    cause = error.original_exception or error
    log.error("unhandled %s", type(cause).__name__, exc_info=(type(cause), cause, cause.__traceback__))


def _kept_headers(error: HTTPException) -> dict[str, str]:
    """Allow of a 405, Retry-After of a 429, WWW-Authenticate of a 401."""
    kept = ("allow", "retry-after", "www-authenticate")
    return {name: value for name, value in error.get_headers(request.environ) if name.lower() in kept}


def _webargs_fields(error: HTTPException) -> Fields:
    """What webargs found wrong ({"json": {"name": ["…"]}}), as `fields`; nested ones joined by dots."""
    data = getattr(error, "data", None) or {}
    found: dict[str, list[str]] = {}
    for location in (data.get("messages") or data.get("errors") or {}).values():
        _flatten(location, "", found)
    return found


def _flatten(value: Any, name: str, found: dict[str, list[str]]) -> None:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            # What marshmallow finds wrong with an object as a whole belongs to the input that holds it.
            deeper = name if key == "_schema" else f"{name}.{key}" if name else str(key)
            _flatten(inner, deeper, found)
    elif isinstance(value, list | tuple):
        found.setdefault(name or "_", []).extend(str(text) for text in value)
    else:
        found.setdefault(name or "_", []).append(str(value))


def _answer_csrf(error: CSRFError) -> Response:
    log.info("csrf refused: %s", error.description)
    return answer(
        Problem(403, "csrf", gettext("This form is no longer valid. Load the page again, then send it once more."))
    )


def _answer_store(status: int, error: Exception) -> Response:
    # The driver's own words, without the statement and its values.
    reason = str(getattr(error, "orig", None) or type(error).__name__).splitlines()[0][:300]
    log.error("%s, answered %d: %s", type(error).__name__, status, reason, exc_info=current_app.debug)
    problem = known_problem(status)
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        problem.headers["Retry-After"] = "5"
    return answer(problem)

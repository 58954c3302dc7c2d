"""Is the process alive, and do its stores answer?

What a store is and how it is asked is handed in by the wiring, as callables that raise when it does not answer.
"""

import logging
from collections.abc import Callable, Mapping
from typing import Any

from flask import Blueprint, Response, jsonify

from app.web.errors import error_body, known_problem

log = logging.getLogger(__name__)

Check = Callable[[], object]


def blueprint(checks: Mapping[str, Check], version: str) -> Blueprint:
    """/healthz and /readyz. `checks`: store name → something that raises when the store is not reachable."""
    pages = Blueprint("health", __name__)

    @pages.get("/healthz")
    def healthz() -> Any:
        """Is the process alive? Asks no store."""
        return _fresh(jsonify(status="alive", version=version))

    @pages.get("/readyz")
    def readyz() -> Any:
        """Do the stores answer? 503 names the one that does not."""
        stores = {name: _answers(name, check) for name, check in checks.items()}
        if all(stores.values()):
            return _fresh(jsonify(status="ready", stores=dict.fromkeys(stores, "ok")))
        problem = known_problem(503)
        body = error_body(problem.code, problem.message)
        body["stores"] = {name: "ok" if answers else "unreachable" for name, answers in stores.items()}
        response = _fresh(jsonify(body))
        response.status_code = 503
        return response

    return pages


def _answers(name: str, check: Check) -> bool:
    try:
        check()
    except Exception as error:
        # Whatever a driver raises, the answer is the same; its text may hold an address, so only the type is noted.
        log.warning("%s is not reachable: %s", name, type(error).__name__)
        return False
    return True


def _fresh(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    return response

"""How the API answers: never kept by anybody on the way, and with its version where it can be changed.

Which values come in is `fields`', what a problem looks like `errors`'.
"""

from typing import Any

from flask import Response, jsonify, request
from flask_smorest import Blueprint

from app.web.errors import known_problem
from app.web.fields import BodyParser

# For the OpenAPI document.
IF_MATCH = {
    "in": "header",
    "name": "If-Match",
    "schema": {"type": "string"},
    "description": "The version last seen: 412 `stale` when somebody else was faster.",
}
CSV_BODY = {
    "content": {
        "text/csv": {"schema": {"type": "string"}},
        "multipart/form-data": {
            "schema": {"type": "object", "properties": {"file": {"type": "string", "format": "binary"}}}
        },
    }
}


class ApiBlueprint(Blueprint):
    """A feature's routes, whose bodies are read strictly."""

    ARGUMENTS_PARSER = BodyParser()


def reply(body: Any, status: int = 200, version: int | None = None) -> Response:
    response = jsonify(body)
    response.status_code = status
    response.headers["Cache-Control"] = "no-store"
    if version is not None:
        response.headers["ETag"] = f'"{version}"'
    return response


def look_for_change(version: int) -> None:
    """412 where the caller last saw another version than this one and says so."""
    seen = request.headers.get("If-Match", "").strip().removeprefix("W/").strip('"')
    if seen not in ("", "*", str(version)):
        raise known_problem(412)


def sent_file() -> bytes:
    """A file as part of a form (`file`), or the body itself."""
    file = request.files.get("file")
    return file.read() if file is not None else request.get_data()

"""One helper answers a partial to htmx and a page to everybody else."""

from typing import Any

from flask import Response, make_response, render_template, request


def wants_partial() -> bool:
    """htmx asked for a piece of the page; boosted links and restored history want the whole of it."""
    headers = request.headers
    return (
        headers.get("HX-Request") == "true"
        and headers.get("HX-Boosted") != "true"
        and headers.get("HX-History-Restore-Request") != "true"
    )


def render(page: str, partial: str, **context: Any) -> Response:
    """The template `partial` to htmx, `page` to everybody else, with the same context."""
    response = make_response(render_template(partial if wants_partial() else page, **context))
    response.vary.add("HX-Request")
    return response

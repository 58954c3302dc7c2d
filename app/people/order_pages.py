"""Orders in the panel: handed in as a file; what a visitor is called elsewhere."""

from typing import Any

from flask import redirect, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response

from app.people import wording
from app.people.identities import KINDS
from app.people.lines import MOST_LINES
from app.people.order_files import COLUMNS, NEEDED
from app.people.orders_api import import_file, name_visitor
from app.people.shell import blueprint
from app.web.errors import Problem
from app.web.toast import say


@blueprint.route("/visitors/orders", methods=["GET", "POST"])
def orders() -> Any:
    """Orders as a CSV file: all of it, or nothing and what is wrong with which line."""
    problems: list[Any] = []
    number, fresh, is_done = 0, 0, False
    if request.method == "POST":
        file = request.files.get("file")
        if file is None or not file.filename:
            say(gettext("Choose a file first."), "danger")
            return redirect(url_for("people.orders"), code=303)
        with file.stream as stream:
            number, fresh, problems = import_file(stream)
        is_done = not problems
    page = render_template(
        "people/orders.html",
        problems=[(one.line, wording.line_problem(one)) for one in problems],
        number=number,
        fresh=fresh,
        is_done=is_done,
        columns=[(name, words, name in NEEDED) for name, words in COLUMNS.items()],
        most=MOST_LINES,
    )
    return (page, 422) if problems else page


@blueprint.post("/visitors/<int:visitor_id>/external-ids")
def name(visitor_id: int) -> Response:
    """Notes what a visitor is called elsewhere; two who are called the same become one."""
    kind, value = request.form.get("kind", ""), request.form.get("value", "").strip()[:200]
    stays = visitor_id
    try:
        stays = name_visitor(visitor_id, kind if kind in KINDS else "openid", value)
    except Problem as problem:
        if problem.status in (403, 404):
            raise
        say(problem.message if problem.status == 409 else gettext("This cannot be used."), "danger")
    else:
        if stays != visitor_id:
            say(gettext("This is somebody known already; the two are one now."))
    return redirect(url_for("people.visitor", visitor_id=stays), code=303)

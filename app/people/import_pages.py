"""External ids and tags handed in as files, in the panel."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import IO, Any

from flask import abort, redirect, render_template, request, url_for
from flask_babel import gettext, lazy_gettext

from app.people import wording
from app.people.imports_api import Imported, import_names, import_tags
from app.people.lines import MOST_LINES, Columns
from app.people.person_files import NAME_COLUMNS, TAG_COLUMNS, TAG_NEEDED
from app.people.shell import blueprint
from app.web.toast import say


@dataclass(frozen=True, slots=True)
class _Kind:
    """A kind of file, as its page shows it."""

    title: Any
    subtitle: Any
    hint: Any
    columns: Columns
    needed: tuple[str, ...]
    read: Callable[[IO[bytes]], Imported]


KINDS: Mapping[str, _Kind] = {
    "external-ids": _Kind(
        lazy_gettext("External ids"),
        lazy_gettext("What your other programs call people. Their orders find them then."),
        lazy_gettext("Two columns a line or more, of one and the same person. Two who are called the same become one."),
        NAME_COLUMNS,
        (),
        import_names,
    ),
    "tags": _Kind(
        lazy_gettext("Tags from a file"),
        lazy_gettext("A tag a line, and who gets it."),
        lazy_gettext("Who gets it: visitor_id, openid, external_userid or phone. A tag that is new is made."),
        TAG_COLUMNS,
        TAG_NEEDED,
        import_tags,
    ),
}


@blueprint.route("/visitors/import/<kind>", methods=["GET", "POST"])
def import_people(kind: str) -> Any:
    """External ids or tags as a CSV file: all of it, or nothing and what is wrong with which line."""
    if kind not in KINDS:
        abort(404)
    done: Imported | None = None
    if request.method == "POST":
        file = request.files.get("file")
        if file is None or not file.filename:
            say(gettext("Choose a file first."), "danger")
            return redirect(url_for("people.import_people", kind=kind), code=303)
        with file.stream as stream:
            done = KINDS[kind].read(stream)
    problems = [(one.line, wording.line_problem(one)) for one in done.problems] if done else []
    page = render_template(
        "people/import.html",
        kind=kind,
        one=KINDS[kind],
        done=done,
        problems=problems,
        columns=[(name, words, name in KINDS[kind].needed) for name, words in KINDS[kind].columns.items()],
        most=MOST_LINES,
    )
    return (page, 422) if problems else page

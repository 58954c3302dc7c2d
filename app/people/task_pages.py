"""Files and bulk tags in the panel: begun with a filter, watched while they are made, fetched when they are done."""

from typing import Any

import marshmallow as ma
from flask import abort, redirect, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response

from app.accounts.guard import current_user
from app.db import db
from app.people import filters, forms, store, task_store, wording
from app.people.api import asker_id, context
from app.people.models import Tag, Task
from app.people.shell import blueprint
from app.people.tasks import FILES
from app.people.tasks_api import begin_task, drop_task, task_file
from app.web.partial import render
from app.web.toast import say


@blueprint.get("/visitors/tasks")
def tasks() -> str:
    """Files and bulk tags of this user, the newest first."""
    found = task_store.list_tasks(db.session, current_user.id)
    return render_template("people/tasks.html", tasks=[_shown(task) for task in found])


@blueprint.post("/visitors/tasks")
def new_task() -> Any:
    """Begins a file, or a tag given to or taken off everybody the filter finds."""
    kind, asked = request.form.get("kind", ""), filters.read(request.form, context())
    if asked.errors:
        say(gettext("Mend the filter first."), "danger")
        return redirect(url_for("people.index", **_arguments(asked)), code=303)
    tag = ""
    if kind not in FILES:
        try:
            tag = forms.TakeTagForm().load({"tag": request.form.get("give_tag", "")})["tag"]
        except ma.ValidationError:
            say(gettext("A tag is a word of at most 50 characters."), "danger")
            return redirect(url_for("people.index", **_arguments(asked)), code=303)
    if kind not in (*FILES, "tag", "untag"):
        abort(422)
    task = begin_task(kind, asked.arguments, tag, None)
    if task is None:
        say(gettext("Too many are being made already. Wait for one of them."), "danger")
        return redirect(url_for("people.tasks"), code=303)
    return redirect(url_for("people.task", task_id=task), code=303)


@blueprint.get("/visitors/tasks/<int:task_id>")
def task(task_id: int) -> Response:
    """How far one of them is; asks again by itself, with scripts or without."""
    return render("people/task.html", "people/_task.html", task=_shown(_found(task_id)))


@blueprint.get("/visitors/tasks/<int:task_id>/file")
def file(task_id: int) -> Response:
    """The finished file."""
    return task_file(_found(task_id))


@blueprint.post("/visitors/tasks/<int:task_id>/delete")
def delete_task(task_id: int) -> Response:
    """Stops it, or forgets it with its file."""
    drop_task(task_id)
    say(gettext("It is deleted."))
    return redirect(url_for("people.tasks"), code=303)


def _found(task_id: int) -> Task:
    row = task_store.find_task(db.session, current_user.id, task_id)
    if row is None:
        abort(404)
    return row


def _shown(row: Task) -> dict[str, Any]:
    """A task with its words."""
    tag = db.session.get(Tag, row.tag_id) if row.tag_id else None
    share = 100 if row.state == "done" else min(99, 100 * row.done_rows // max(1, row.total or 1))
    return {
        "row": row,
        "title": wording.task_title(row.kind, tag.name if tag else ""),
        "state": wording.TASK_STATES[row.state],
        "filter": wording.filter_words(row.filter.get("query", {}), _names(row)),
        "share": share,
        "is_moving": row.state in ("waiting", "running"),
        "is_file": row.kind in FILES,
    }


def _names(row: Task) -> dict[str, str]:
    query = row.filter.get("query", {})
    number = query.get("live_code_id", "")
    return dict(store.names_by_id(db.session, asker_id(), [int(number)] if number.isdigit() else []))


def _arguments(asked: filters.Asked) -> dict[str, Any]:
    return dict(asked.arguments)

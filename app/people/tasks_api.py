"""Files, bulk tags and segments for programs; what the pages do with them, too. Hangs its routes on `api.blueprint`."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from flask import Response, send_file
from flask_babel import gettext

from app.accounts import guard
from app.accounts.guard import current_user
from app.db import db, writing
from app.people import export, filters, forms, segment_store, store, tag_store, task_store
from app.people.api import CSV, FILE, XLSX, asker_id, blueprint, context, desk, reply
from app.people.models import Segment, Task
from app.people.schemas import SegmentAnswer, SegmentPage, SegmentWithCount, TaskAnswer, TaskPage
from app.people.tasks import FILES
from app.web.errors import Problem, known_problem
from app.web.i18n import language


def begin_task(kind: str, query: Mapping[str, str], tag: str, category: str | None) -> int | None:
    """The number of a new task with these visitors; None where too many wait already."""
    if kind not in FILES and not current_user.can_write:
        raise known_problem(403)
    header = [str(forms.COLUMN_WORDS[column]) for column in export.COLUMNS] if kind in FILES else []
    with writing(db.session) as session:
        tag_id = None
        if kind not in FILES:
            known = tag_store.find_tag(session, tag, category)
            tag_id = known.id if known else tag_store.make_tag(session, tag, category or forms.CATEGORY_BY_HAND)
        row = task_store.begin(
            session, guard.actor(), current_user.id, asker_id(), kind, query, language(), datetime.now(UTC),
            header=header, tag_id=tag_id,
        )  # fmt: skip
        return row.id if row is not None else None


def drop_task(task_id: int) -> None:
    """Stops a task, or forgets it with its file. A tag that was given stays given."""
    with writing(db.session) as session:
        task_store.drop(session, guard.actor(), _task(task_id))
        # While the row is locked: a runner can put no file there, and one who is killed here leaves none behind.
        desk().exports.drop(task_id)


def task_file(row: Task) -> Response:
    """The finished file of a task; 404 before and after."""
    file = desk().exports.file(row.id, row.kind)
    if row.state != "done" or row.kind not in FILES or not file.exists():
        raise known_problem(404)
    name = f"visitors-{row.made_at.astimezone(desk().zone).date()}-{row.id}.{row.kind}"
    kind = CSV if row.kind == "csv" else XLSX
    response = send_file(file, kind, as_attachment=True, download_name=name, conditional=False)
    response.headers["Cache-Control"] = "no-store"
    return response


def _task(task_id: int) -> Task:
    row = task_store.find_task(db.session, current_user.id, task_id)
    if row is None:
        raise known_problem(404)
    return row


@blueprint.route("/visitors/tasks", methods=["POST"])
@blueprint.arguments(forms.TaskForm)
@blueprint.response(202, TaskAnswer)
def make_task(values: dict[str, Any]) -> Response:
    """Begin a file, or a tag for everybody a filter finds; it is done beside, however many they are."""
    asked = filters.read(values["filter"], context())
    if asked.errors or set(values["filter"]) - set(filters.READERS):
        wrong = asked.errors or sorted(set(values["filter"]) - set(filters.READERS))
        problem = {"filter": [gettext("This cannot be used.") + f" {', '.join(wrong)}"]}
        raise Problem(422, "invalid", known_problem(422).message, problem)
    task_id = begin_task(values["kind"], asked.arguments, values.get("tag", ""), values.get("category"))
    if task_id is None:
        raise Problem(429, "too_many", gettext("Too many are being made already. Wait for one of them."))
    return reply(TaskAnswer().dump(_task(task_id)), 202)


@blueprint.route("/visitors/tasks", methods=["GET"])
@blueprint.response(200, TaskPage)
def list_tasks() -> Response:
    """Your files and bulk tags, the newest first; fifty of them."""
    return reply({"items": TaskAnswer(many=True).dump(task_store.list_tasks(db.session, current_user.id))})


@blueprint.route("/visitors/tasks/<int:task_id>", methods=["GET"])
@blueprint.response(200, TaskAnswer)
def get_task(task_id: int) -> Response:
    """How far a task is."""
    return reply(TaskAnswer().dump(_task(task_id)))


@blueprint.route("/visitors/tasks/<int:task_id>/file", methods=["GET"])
@blueprint.doc(responses={"200": FILE})
def get_task_file(task_id: int) -> Response:
    """The finished file."""
    return task_file(_task(task_id))


@blueprint.route("/visitors/tasks/<int:task_id>", methods=["DELETE"])
@blueprint.response(204)
def delete_task(task_id: int) -> Response:
    """Stop a task, or forget it with its file; tags it gave stay."""
    drop_task(task_id)
    return Response(status=204)


def find_segment(segment_id: int) -> Segment | None:
    return segment_store.find_segment(db.session, asker_id(), segment_id)


def save_segment(name: str, query: Mapping[str, str]) -> int:
    with writing(db.session) as session:
        return segment_store.save_segment(session, guard.actor(), current_user.id, name, query).id


@blueprint.route("/segments", methods=["GET"])
@blueprint.response(200, SegmentPage)
def list_segments() -> Response:
    """List segments: filters with a name."""
    return reply({"items": SegmentAnswer(many=True).dump(segment_store.list_segments(db.session, asker_id()))})


@blueprint.route("/segments", methods=["POST"])
@blueprint.arguments(forms.SegmentForm)
@blueprint.response(201, SegmentAnswer)
def make_segment(values: dict[str, Any]) -> Response:
    """Keep a filter under a name; one of that name gets the new filter."""
    asked = filters.read(values["filter"], context())
    if asked.errors or set(values["filter"]) - set(filters.READERS) or not asked.arguments:
        problem = {"filter": [gettext("This cannot be used.")]}
        raise Problem(422, "invalid", known_problem(422).message, problem)
    segment_id = save_segment(values["name"], asked.arguments)
    return reply(SegmentAnswer().dump(find_segment(segment_id)), 201)


@blueprint.route("/segments/<int:segment_id>", methods=["GET"])
@blueprint.response(200, SegmentWithCount)
def get_segment(segment_id: int) -> Response:
    """A segment, and how many people it finds now. Its visitors: the same filter on `GET /visitors`."""
    row = find_segment(segment_id)
    if row is None:
        raise known_problem(404)
    number = store.count_visitors(db.session, asker_id(), filters.read(row.filter, context()).wanted)
    return reply({**SegmentAnswer().dump(row), "visitors": number})


@blueprint.route("/segments/<int:segment_id>", methods=["DELETE"])
@blueprint.response(204)
def drop_segment(segment_id: int) -> Response:
    """Forget a segment; its people stay."""
    row = find_segment(segment_id)
    if row is None:
        raise known_problem(404)
    with writing(db.session) as session:
        segment_store.drop_segment(session, guard.actor(), segment_id)
    return Response(status=204)

"""How every API call of this feature is asked and answered: who asks, what a refusal becomes, once per key, ETags.

One call is one transaction. The answer is told after it, because counts are the ledger's, which may not be asked while
we hold the lock it needs.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

from flask import Response, current_app, jsonify, request
from flask_babel import gettext
from flask_smorest import Blueprint
from sqlalchemy.orm import Session
from werkzeug.datastructures import FileStorage

from app.accounts import guard
from app.accounts.guard import current_user
from app.codes import forms, wording
from app.codes.changes import Asker, Refused
from app.codes.desk import DESK, Desk
from app.db import db, writing
from app.db.once import LONGEST_KEY, Answered, Once, OtherRequest, answered, make_once, remember
from app.outside.files import StoreFull
from app.web.errors import Problem, answer, known_problem
from app.web.fields import BodyParser
from app.web.openapi import PREFIX

STATUSES = {
    "not_found": 404,
    "stale": 412,
    "not_an_image": 415,
    "image_too_large": 413,
    "image_too_many_pixels": 413,
    "image_broken": 422,
    "no_qr_found": 422,
    "several_qr_found": 422,
    "payment_code": 422,
    "not_a_link": 422,
    "invalid": 422,
    "archived": 409,
    "member_limit": 409,
    "choice_limit": 409,
    "placement_limit": 409,
    "duplicate_placement": 409,
    "not_grouped": 409,
    "duplicate_member": 409,
    "same_code": 409,
    "has_choices": 409,
}
PICTURE = "image"

Row = TypeVar("Row")


class CodesBlueprint(Blueprint):
    ARGUMENTS_PARSER = BodyParser()


blueprint = CodesBlueprint(
    "codes_api", __name__, url_prefix=PREFIX, description="Live codes, their choices and members."
)
guard.protect_api(blueprint, reads=("simulate", "trial"))


@blueprint.errorhandler(StoreFull)
def _say_full(error: StoreFull) -> Any:
    message = gettext("There is no room left for pictures. Nothing was changed.")
    return answer(Problem(507, "storage_full", message))


def desk() -> Desk:
    return cast(Desk, current_app.extensions[DESK])


def asker() -> Asker:
    """Viewers see everything, too; that they change nothing is the guard's business."""
    return Asker(guard.actor(), None if current_user.sees_all else current_user.id)


def seen(row: Row | None) -> Row:
    """The row, or 404: also for what belongs to somebody else."""
    if row is None:
        raise known_problem(404)
    return row


def problem(refused: Refused) -> Problem:
    """The contract's error for a refusal of the store."""
    message = wording.refusal(refused)
    if refused.code in ("not_found", "stale", "invalid"):
        message = str(known_problem(STATUSES[refused.code]).message)
    fields = {name: [str(forms.REASONS.get(reason, message))] for name, reason in refused.fields.items()}
    return Problem(STATUSES[refused.code], refused.code, message, fields, refused.about)


def invalid(field: str, message: Any) -> Problem:
    return Problem(422, "invalid", known_problem(422).message, {field: [message]})


def taken(done: Row | Refused) -> Row:
    """What was done, or the refusal as an error, which undoes the transaction."""
    if isinstance(done, Refused):
        raise problem(done)
    return done


def change(do: Callable[[Session], Any], tell: Callable[[int, int], Response], status: int = 200) -> Response:
    """Runs `do` in one transaction and tells of the row it made or changed.

    With an Idempotency-Key it is done once: sent again within a day, the request changes nothing, and the row is told
    of as it is by then.
    """
    once, now = _once(), desk().clock()
    with writing(db.session) as session:
        before = answered(session, once, now) if once is not None else None
        if before is None:
            row_id: int = taken(do(session)).id
            if once is not None:
                remember(session, once, status, {"id": row_id}, now)
    match before:
        case Answered():
            response = tell(before.answer["id"], before.status)
            response.headers["Idempotent-Replayed"] = "true"
            return response
        case OtherRequest():
            raise Problem(409, "key_reused", gettext("This Idempotency-Key came with another request before."))
    return tell(row_id, status)


def _once() -> Once | None:
    key = request.headers.get("Idempotency-Key", "")
    if not key or request.method != "POST":
        return None
    if len(key) > LONGEST_KEY:
        raise invalid("Idempotency-Key", gettext("At most %(longest)s characters.", longest=LONGEST_KEY))
    parts = [request.method.encode(), request.path.encode(), *_body_parts()]
    return make_once(current_user.id, key, *parts)


def _body_parts() -> list[bytes]:
    """The body, or what was in the form: a boundary is another one each time."""
    if not (request.form or request.files):
        return [request.get_data(cache=True)]
    texts = sorted((name, text) for name, several in request.form.lists() for text in several)
    parts = [part.encode("utf-8", "surrogatepass") for pair in texts for part in pair]
    return [*parts, *(_bytes(file) for _, file in sorted(request.files.items(multi=True), key=lambda pair: pair[0]))]


def _bytes(file: FileStorage) -> bytes:
    file.stream.seek(0)
    return file.stream.read()


def picture() -> bytes | None:
    """The bytes of the file sent as `image`; None when none was chosen."""
    file = request.files.get(PICTURE)
    return _bytes(file) if file is not None and (file.filename or file.stream.read(1)) else None


def if_match() -> tuple[int, int | None] | None:
    """(version, revision) the caller last saw, from If-Match; None when anything will do.

    A number that cannot be one is nobody's version, and so stale.
    """
    text = request.headers.get("If-Match", "").strip().removeprefix("W/").strip('"')
    if text in ("", "*"):
        return None
    version, _, revision = text.partition(".")
    try:
        return int(version), int(revision) if revision else None
    except ValueError:
        raise known_problem(412) from None


def reply(body: Any, status: int = 200, etag: str | None = None) -> Response:
    response = jsonify(body)
    response.status_code = status
    response.headers["Cache-Control"] = "no-store"
    if etag is not None:
        response.headers["ETag"] = f'"{etag}"'
    return response


# For the OpenAPI document.
ONCE = {
    "in": "header",
    "name": "Idempotency-Key",
    "schema": {"type": "string", "maxLength": LONGEST_KEY},
    "description": "Sent again with the same key within a day, the request is done once.",
}
IF_MATCH = {
    "in": "header",
    "name": "If-Match",
    "schema": {"type": "string"},
    "description": "The version last seen, or an ETag: 412 `stale` when somebody else was faster.",
}


def or_picture(schema: str) -> dict[str, Any]:
    """A request body that may also come as a form with a picture."""
    image = {"type": "object", "properties": {PICTURE: {"type": "string", "format": "binary"}}}
    form = {"allOf": [{"$ref": f"#/components/schemas/{schema}"}, image]}
    return {"content": {"multipart/form-data": {"schema": form}}}

"""External ids and tags handed in as CSV files, by programs and by the page. Hangs its routes on `api.blueprint`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from typing import IO

from flask import Response, request
from sqlalchemy.orm import Session

from app.accounts import guard
from app.db import db, writing
from app.db.audit import record
from app.people import forms, imports, orders, tag_store, wording
from app.people.api import asker_id, blueprint, desk, owner_id, reply
from app.people.lines import Problem, in_order
from app.people.orders_api import join, may_join
from app.people.person_files import read_names, read_tags
from app.people.schemas import PeopleFileAnswer
from app.web.answers import CSV_BODY

AT_ONCE = 1000
WRONG = "Nothing was written; each line that is wrong is listed."


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of a file. `new`: names or tags that were not there before; with problems nothing was written."""

    lines: int
    new: int = 0
    joined: int = 0
    unknown: int = 0
    problems: Sequence[Problem] = ()


def import_names(file: IO[bytes]) -> Imported:
    """What people are called elsewhere. Orders that waited find them; those who are called the same become one."""
    lines, problems = read_names(file, desk().digest)
    found = imports.naming(db.session, asker_id(), owner_id(), lines, may_join)
    if problems := in_order(problems, found.problems):
        return Imported(len(lines), problems=problems)
    now = datetime.now(UTC)
    with writing(db.session) as session:
        fresh = orders.name_all(session, owner_id(), found.names, now)
        facts = {"lines": len(lines), "new": fresh, "joins": len(found.joins)}
        record(session, guard.actor(), "visitors.named", "visitor", None, after=facts)
    # Each by itself, as the ledger must be told first; sent again, the file goes on where this was broken off.
    gone: dict[int, int] = {}
    for pair in found.joins:
        one, other = (_now(gone, each) for each in pair)
        if one != other:
            stays, goes = join(one, other, now)
            gone[goes] = stays
    return Imported(len(lines), fresh, len(gone), found.unknown)


def _now(gone: dict[int, int], visitor_id: int) -> int:
    while visitor_id in gone:
        visitor_id = gone[visitor_id]
    return visitor_id


def import_tags(file: IO[bytes]) -> Imported:
    """Tags given by hand, each under the live code where its visitor was last."""
    lines, problems = read_tags(file, desk().digest)
    found = imports.tagging(db.session, asker_id(), owner_id(), lines)
    if problems := in_order(problems, found.problems):
        return Imported(len(lines), problems=problems)
    fresh = 0
    with writing(db.session) as session:
        for (name, category), ids in sorted(found.tags.items(), key=str):
            known = tag_store.find_tag(session, name, category)
            tag_id = known.id if known else tag_store.make_tag(session, name, category or forms.CATEGORY_BY_HAND)
            fresh += _give(session, tag_id, sorted(ids))
        facts = {"lines": len(lines), "new": fresh, "tags": sorted({name for name, _ in found.tags})}
        record(session, guard.actor(), "visitors.tagged", "visitor", None, after=facts)
    return Imported(len(lines), fresh, 0, found.unknown)


def _give(session: Session, tag_id: int, ids: Sequence[int]) -> int:
    fresh = 0
    for start in range(0, len(ids), AT_ONCE):
        places = tag_store.places_of(session, asker_id(), ids[start : start + AT_ONCE])
        fresh += tag_store.give_tags(session, places, tag_id, desk().tell_tagged)
    return fresh


def _answer(read: Callable[[IO[bytes]], Imported]) -> Response:
    sent = request.files.get("file")
    with sent.stream if sent is not None else BytesIO(request.get_data()) as file:
        done = read(file)
    told = [{"line": one.line, "column": one.column, "message": wording.line_problem(one)} for one in done.problems]
    answer = {**PeopleFileAnswer(exclude=("problems",)).dump(done), "problems": told}
    return reply(answer, 422 if done.problems else 200)


@blueprint.route("/visitors/external-ids/import", methods=["POST"])
@blueprint.response(200, PeopleFileAnswer)
@blueprint.alt_response(422, schema=PeopleFileAnswer, description=WRONG)
@blueprint.doc(requestBody=CSV_BODY)
def import_external_ids() -> Response:
    """Hand in what people are called as CSV: visitor_id,openid,external_userid,phone, two of them a line or more. All
    of it, or nothing if a line is wrong; people nobody knows are passed over."""
    return _answer(import_names)


@blueprint.route("/visitors/tags/import", methods=["POST"])
@blueprint.response(200, PeopleFileAnswer)
@blueprint.alt_response(422, schema=PeopleFileAnswer, description=WRONG)
@blueprint.doc(requestBody=CSV_BODY)
def import_visitor_tags() -> Response:
    """Hand in tags as CSV: tag,category and visitor_id,openid,external_userid or phone. All of it, or nothing if a line
    is wrong; people nobody knows are passed over."""
    return _answer(import_tags)

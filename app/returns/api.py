"""Spend, the table of placements and the cohorts for programs. What they mean is told in docs/cohorts.md."""

from datetime import date, datetime, timedelta
from typing import Any

from flask import Response
from flask_babel import gettext

from app.accounts import guard
from app.accounts.guard import current_user
from app.db import db, writing
from app.returns import forms, spend, store
from app.returns.models import Spend
from app.returns.store import Asked
from app.rules.cohorts import HORIZONS, Sheet, months, weeks
from app.web import settings
from app.web.answers import CSV_BODY, ApiBlueprint, reply, sent_file
from app.web.errors import Problem, known_problem
from app.web.fields import page_of
from app.web.openapi import PREFIX
from app.web.paging import envelope

DAYS_SHOWN = 30


blueprint = ApiBlueprint("returns_api", __name__, url_prefix=PREFIX, description="What was spent, and what came back.")
guard.protect_api(blueprint)


def asker_id() -> int | None:
    return None if current_user.sees_all else current_user.id


def editor_id() -> int | None:
    """Through whose eyes something may be changed; the guard has kept viewers out."""
    return None if current_user.is_admin else current_user.id


def today() -> date:
    return datetime.now(settings().zone).date()


def _look(live_code_id: int, *, to_change: bool = False) -> None:
    """404 where there is none this asker may look at; 403 where they may not change it."""
    if spend.live_code_name(db.session, asker_id(), live_code_id) is None:
        raise known_problem(404)
    if to_change and spend.live_code_name(db.session, editor_id(), live_code_id, to_change=True) is None:
        raise known_problem(403)


def _own(spend_id: int) -> Spend:
    row = spend.find_spend(db.session, editor_id(), spend_id, to_change=True)
    if row is None:
        raise known_problem(404)
    return row


def _known_already() -> Problem:
    message = gettext("There is a spend of these days, placement, currency and note already.")
    return Problem(409, "duplicate_spend", message)


@blueprint.route("/live-codes/<int:live_code_id>/spend", methods=["GET"])
@blueprint.arguments(forms.PageOfSpend, location="query")
@blueprint.response(200, forms.SpendPage)
def list_spend(query: dict[str, Any], live_code_id: int) -> Response:
    """What was spent on a live code, the newest days first."""
    _look(live_code_id)
    page = page_of(query)
    rows, total = spend.spends_of(db.session, live_code_id, page.limit, page.offset)
    return reply(envelope(forms.SpendAnswer(many=True).dump(rows), page, total))


@blueprint.route("/live-codes/<int:live_code_id>/spend", methods=["POST"])
@blueprint.arguments(forms.SpendForm)
@blueprint.response(201, forms.SpendAnswer)
def enter_spend(values: dict[str, Any], live_code_id: int) -> Response:
    """Enter what was spent on one day or over several; 409 where it was entered before."""
    _look(live_code_id, to_change=True)
    with writing(db.session) as session:
        row = spend.add_spend(session, guard.actor(), live_code_id, values)
        if row is None:
            raise _known_already()
    return reply(forms.SpendAnswer().dump(row), 201)


@blueprint.route("/spend/<int:spend_id>", methods=["PATCH"])
@blueprint.arguments(forms.SpendPatch(partial=True))
@blueprint.response(200, forms.SpendAnswer)
def change_spend(values: dict[str, Any], spend_id: int) -> Response:
    """Change what is named."""
    with writing(db.session) as session:
        row = _own(spend_id)
        days = {name: values.get(name, getattr(row, name)) for name in ("first_day", "last_day")}
        if not 0 <= (days["last_day"] - days["first_day"]).days < forms.LONGEST_DAYS:
            wrong = [gettext("Not before the first day, and three years at most.")]
            raise Problem(422, "invalid", known_problem(422).message, {"last_day": wrong})
        if not spend.change_spend(session, guard.actor(), row, values):
            raise _known_already()
    return reply(forms.SpendAnswer().dump(row))


@blueprint.route("/spend/<int:spend_id>", methods=["DELETE"])
@blueprint.response(204)
def delete_spend(spend_id: int) -> Response:
    """It was not spent after all."""
    with writing(db.session) as session:
        spend.delete_spend(session, guard.actor(), _own(spend_id))
    return Response(status=204)


@blueprint.route("/live-codes/<int:live_code_id>/spend/import", methods=["POST"])
@blueprint.response(200, forms.ImportAnswer)
@blueprint.doc(requestBody=CSV_BODY)
def import_spend(live_code_id: int) -> Response:
    """Take a CSV: placement,from,to,amount,currency,note. Sent again it changes nothing; rows that cannot be read are
    listed, the others are taken."""
    _look(live_code_id, to_change=True)
    rows, problems = forms.read_file(sent_file())
    with writing(db.session) as session:
        fresh, corrected, known = spend.take_rows(session, guard.actor(), live_code_id, rows)
    told = [{"row": problem.row, "message": problem.message} for problem in problems]
    return reply({"fresh": fresh, "corrected": corrected, "known": known, "problems": told})


@blueprint.route("/live-codes/<int:live_code_id>/placements/table", methods=["GET"])
@blueprint.arguments(forms.TableQuery, location="query")
@blueprint.response(200, forms.PlacementTable)
def placement_table(query: dict[str, Any], live_code_id: int) -> Response:
    """What each placement drew and cost on these local days; 30 up to today unless told otherwise."""
    _look(live_code_id)
    until = query["until"] or today()
    since = query["since"] or until - timedelta(days=DAYS_SHOWN - 1)
    if not 0 <= (until - since).days < forms.LONGEST_DAYS:
        wrong = [gettext("Not before the first day, and three years at most.")]
        raise Problem(422, "invalid", known_problem(422).message, {"to": wrong})
    asked = Asked(asker_id(), live_code_id)
    rows, total = store.placements_of(db.session, asked, since, until, query["currency"])
    body = {"items": rows, "total": total, "since": since, "until": until, "currency": query["currency"]}
    return reply(forms.PlacementTable().dump(body))


@blueprint.route("/live-codes/<int:live_code_id>/cohorts", methods=["GET"])
@blueprint.arguments(forms.CohortQuery, location="query")
@blueprint.response(200, forms.CohortTable)
def live_code_cohorts(query: dict[str, Any], live_code_id: int) -> Response:
    """CAC, CLV and ROI by cohort of first scan, of one live code or of one of its placements."""
    _look(live_code_id)
    return _cohorts(Asked(asker_id(), live_code_id, query["placement"]), query)


@blueprint.route("/cohorts", methods=["GET"])
@blueprint.arguments(forms.CohortQuery(exclude=["placement"]), location="query")
@blueprint.response(200, forms.CohortTable)
def cohorts(query: dict[str, Any]) -> Response:
    """The same of all live codes you see."""
    return _cohorts(Asked(asker_id()), query)


def _cohorts(asked: Asked, query: dict[str, Any]) -> Response:
    wanted = (weeks if query["by"] == "week" else months)(today(), query["count"])
    sheets = store.sheets(db.session, asked, wanted, query["currency"], settings().zone)
    body = {"items": [_told(sheet) for sheet in sheets], "by": query["by"], "currency": query["currency"]}
    return reply(forms.CohortTable().dump(body))


def _told(sheet: Sheet) -> dict[str, Any]:
    horizons = zip(HORIZONS, sheet.revenues, sheet.clvs, sheet.rois, strict=True)
    return {
        "first_day": sheet.cohort.first,
        "last_day": sheet.cohort.last,
        "newcomers": sheet.newcomers,
        "spent_cents": sheet.spent,
        "cac": sheet.cac,
        "horizons": [
            {"days": days, "revenue_cents": revenue, "clv": clv, "roi": roi,
             "is_over": sheet.cohort.is_over(days, today())}
            for days, revenue, clv, roi in horizons
        ],
    }  # fmt: skip

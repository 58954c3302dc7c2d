"""The panel's pages of spend and return: one live code with its placements, spends and cohorts; all of them together.

A chart is drawn here already; the script only makes it answer to a finger. The same numbers come as a CSV.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from flask import Blueprint, abort, redirect, render_template, request, url_for
from flask_babel import gettext, ngettext
from marshmallow import ValidationError
from werkzeug.wrappers import Response

from app.accounts.guard import actor, current_user, protect_pages
from app.db import db, writing
from app.returns import forms, spend, store, wording
from app.returns.api import asker_id, editor_id, today
from app.returns.store import Asked
from app.rules.cohorts import HORIZONS, Sheet, months, weeks
from app.web import settings
from app.web.csv_file import csv_file
from app.web.fields import from_form
from app.web.toast import say

Answer = str | Response | tuple[str, int]
Row = list[str | int | float | None]

blueprint = Blueprint("returns", __name__)
protect_pages(blueprint)

DAYS_OFFERED = (7, 30, 90, 365)
DAYS_SHOWN = 30
COHORTS_SHOWN = 12
SPENDS_SHOWN = 50
CHARTED = 30, 180  # CLV within so many days


@blueprint.context_processor
def words() -> dict[str, Any]:
    return {"wording": wording, "horizons": HORIZONS, "unknown": wording.UNKNOWN}


@blueprint.get("/returns")
def index() -> Answer:
    """All live codes together: what new people cost and brought, by cohort."""
    return _cohorts_page("returns/index.html", Asked(asker_id()))


@blueprint.get("/codes/<int:live_code_id>/returns")
def live_code(live_code_id: int) -> Answer:
    """One live code: its placements, what was spent, the cohorts."""
    return _page(live_code_id)


@blueprint.get("/returns.csv")
def index_file() -> Response:
    """The cohorts of all live codes as a file."""
    return _file(Asked(asker_id()), "cohorts")


@blueprint.get("/codes/<int:live_code_id>/returns.csv")
def live_code_file(live_code_id: int) -> Response:
    """The cohorts of one live code as a file."""
    _name(live_code_id)
    return _file(Asked(asker_id(), live_code_id, _placement()), f"cohorts-{live_code_id}")


@blueprint.post("/codes/<int:live_code_id>/spend")
def enter(live_code_id: int) -> Answer:
    """Enters one spend."""
    _name(live_code_id, to_change=True)
    form = request.form.copy()
    form.poplist("csrf_token")
    cents = forms.cents_of(form.pop("amount", ""))
    try:
        texts = from_form(forms.SpendForm(), form)
        values = forms.SpendForm().load({**texts, "amount_cents": 0 if cents is None else cents})
    except ValidationError as error:
        errors: dict[str, Any] = dict(error.messages_dict)
    else:
        errors = {}
    if cents is None:
        errors["amount"] = [gettext("A sum such as 1234.50.")]
    if not errors:
        with writing(db.session):
            row = spend.add_spend(db.session, actor(), live_code_id, values)
        if row is not None:
            say(gettext("Entered."))
            return _to(live_code_id)
        errors["note"] = [gettext("There is a spend of these days, placement, currency and note already.")]
    return _page(live_code_id, errors=errors), 422


@blueprint.post("/codes/<int:live_code_id>/spend/import")
def take_file(live_code_id: int) -> Answer:
    """Takes the rows of a CSV; lists those that cannot be read."""
    _name(live_code_id, to_change=True)
    file = request.files.get("file")
    rows, problems = forms.read_file(file.read() if file is not None else b"")
    with writing(db.session):
        fresh, corrected, known = spend.take_rows(db.session, actor(), live_code_id, rows)
    done = gettext(
        "%(fresh)s new, %(corrected)s corrected, %(known)s known already.",
        fresh=fresh, corrected=corrected, known=known,
    )  # fmt: skip
    if not problems:
        say(done)
        return _to(live_code_id)
    unread = ngettext("%(num)s row could not be read.", "%(num)s rows could not be read.", len(problems))
    return _page(live_code_id, told=f"{done} {unread}", problems=problems), 422


@blueprint.post("/spend/<int:spend_id>/delete")
def delete(spend_id: int) -> Answer:
    """Takes one spend away."""
    with writing(db.session):
        row = spend.find_spend(db.session, editor_id(), spend_id, to_change=True)
        if row is None:
            abort(404)
        live_code_id = row.live_code_id
        spend.delete_spend(db.session, actor(), row)
    say(gettext("Deleted."))
    return _to(live_code_id)


def _to(live_code_id: int) -> Response:
    return redirect(url_for("returns.live_code", live_code_id=live_code_id, _anchor="spend"), code=303)


def _name(live_code_id: int, *, to_change: bool = False) -> str:
    """404 for another's; 403 for what is shared to be looked at."""
    name = spend.live_code_name(db.session, asker_id(), live_code_id)
    if name is None:
        abort(404)
    if to_change and spend.live_code_name(db.session, editor_id(), live_code_id, to_change=True) is None:
        abort(403)
    return name


def _placement() -> str:
    return request.args.get("placement", "")[:100]


def _currency(offered: Sequence[str]) -> str:
    asked = request.args.get("currency", "")
    return asked if asked in offered else (offered[0] if offered else forms.CURRENCY)


def _days() -> int:
    return next((days for days in DAYS_OFFERED if str(days) == request.args.get("days", "")), DAYS_SHOWN)


def _page(live_code_id: int, **more: Any) -> str:
    name, days, until = _name(live_code_id), _days(), today()
    asked = Asked(asker_id(), live_code_id, _placement())
    currency = _currency(store.currencies(db.session, asked))
    since = until - timedelta(days=days - 1)
    rows, total = store.placements_of(db.session, asked, since, until, currency)
    spends, spend_count = spend.spends_of(db.session, live_code_id, SPENDS_SHOWN)
    may_change = (
        current_user.can_write
        and spend.live_code_name(db.session, editor_id(), live_code_id, to_change=True) is not None
    )
    return _cohorts_page(
        "returns/live_code.html", asked, live_code_id=live_code_id, name=name, days=days, offered=DAYS_OFFERED,
        rows=rows, total=total, spends=spends, spend_count=spend_count, may_change=may_change,
        placement_names=spend.placement_names(db.session, live_code_id), typed=request.form, today=until,
        **{"errors": {}, "problems": [], "told": "", **more},
    )  # fmt: skip


def _by() -> str:
    return "week" if request.args.get("by") == "week" else "month"


def _cohorts_page(template: str, asked: Asked, **more: Any) -> str:
    offered = store.currencies(db.session, asked) or [forms.CURRENCY]
    currency = _currency(offered)
    sheets, at = _sheets(asked, currency), today()
    return render_template(
        template,
        asked=asked,
        by=_by(),
        sheets=sheets,
        currency=currency,
        currencies=offered,
        is_over=lambda sheet, days: sheet.cohort.is_over(days, at),
        chart=_chart(sheets),
        highest=max((float(value) for sheet in sheets for value in _charted(sheet)), default=0.0),
        charted=_charted,
        **more,
    )


def _sheets(asked: Asked, currency: str) -> list[Sheet]:
    wanted = (weeks if _by() == "week" else months)(today(), COHORTS_SHOWN)
    return store.sheets(db.session, asked, wanted, currency, settings().zone)


def _charted(sheet: Sheet) -> tuple[float, float, float]:
    """CLV within 180 days, CAC, CLV within 30 days; what is unknown has no height."""
    first, last = (sheet.clvs[HORIZONS.index(days)] for days in CHARTED)
    return float(last or 0), float(sheet.cac or 0), float(first or 0)


def _chart(sheets: Sequence[Sheet]) -> dict[str, Any]:
    """What the script draws the chart of."""
    names = [gettext("CLV within 6 months"), gettext("CAC"), gettext("CLV within 1 month")]
    points = [
        (sheet.clvs[HORIZONS.index(CHARTED[1])], sheet.cac, sheet.clvs[HORIZONS.index(CHARTED[0])]) for sheet in sheets
    ]
    return {
        "labels": [wording.cohort_name(sheet.cohort, _by()) for sheet in sheets],
        "series": [
            {"name": name, "data": [_drawn(point[place]) for point in points]} for place, name in enumerate(names)
        ],
    }


def _drawn(value: Decimal | None) -> float | None:
    """What is unknown is a gap."""
    return None if value is None else float(value)


def _file(asked: Asked, stem: str) -> Response:
    currency = _currency(store.currencies(db.session, asked))
    header: Row = ["first_day", "last_day", "currency", "newcomers", "spent", "cac"]
    header += [f"{what}_{days}d" for days in HORIZONS for what in ("revenue", "clv", "roi", "is_over")]
    rows: list[Row] = [header, *(_row(sheet, currency, today()) for sheet in _sheets(asked, currency))]
    return csv_file(rows, f"{stem}-{today()}.csv")


def _row(sheet: Sheet, currency: str, at: date) -> Row:
    row: Row = [
        sheet.cohort.first.isoformat(), sheet.cohort.last.isoformat(), currency, sheet.newcomers,
        wording.plain(sheet.spent), _plain(sheet.cac),
    ]  # fmt: skip
    for days, revenue, clv, roi in zip(HORIZONS, sheet.revenues, sheet.clvs, sheet.rois, strict=True):
        row += [wording.plain(revenue), _plain(clv), _plain(roi), int(sheet.cohort.is_over(days, at))]
    return row


def _plain(value: Any) -> str:
    return "" if value is None else str(value)

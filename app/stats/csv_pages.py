"""Every table of the statistics as a file; the periods are those of the pages."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime

from flask import Response, abort, request
from flask_babel import gettext

from app.db import db
from app.stats import store, wording
from app.stats.charts import heat_of
from app.stats.shell import Span, asker_id, blueprint, read_span, today
from app.stats.store import Counts, Row
from app.web import settings
from app.web.csv_file import Cell, csv_file
from app.web.i18n import language

MOST_LIVE_CODES = 100_000
WEEK = "week"


@blueprint.get("/stats.csv")
def index_csv() -> Response:
    """All live codes together: by day, or which of them (`?by=live_code`)."""
    span, by = read_span(request.args, today()), request.args.get("by", "day")
    if by == "live_code":
        codes = store.by_live_code(db.session, asker_id(), span.first, span.last, MOST_LIVE_CODES)
        lines: list[Sequence[Cell]] = [(code.name, *_counts(code.counts)) for code in codes]
        return _file(_table(gettext("Live code"), lines), by, span)
    rows = store.of_all(db.session, asker_id(), span.first, span.last)
    return _file(_by_time(rows), "day", span)


@blueprint.get("/codes/<int:live_code_id>/stats.csv")
def live_code_csv(live_code_id: int) -> Response:
    """One live code by hour, day, hours of the week or any dimension."""
    if not store.may_see(db.session, live_code_id, asker_id()):
        abort(404)
    zone = settings().zone
    span, by = read_span(request.args, today()), request.args.get("by", "day")
    if by != WEEK and by not in store.BY:
        abort(404)
    period = store.days(span.first, span.last, zone)
    rows = store.report(db.session, live_code_id, period, "hour" if by == WEEK else by, zone).rows
    if by == WEEK:
        return _file(_week(rows), by, span)
    if by in ("hour", "day"):
        return _file(_by_time(rows), by, span)
    names = store.names_of(db.session, live_code_id)
    lines: list[Sequence[Cell]] = [
        (wording.name_of(by, row.key, names, language()), *_counts(row.counts)) for row in rows
    ]
    return _file(_table(str(wording.DIMENSIONS[by]), lines), by, span)


def _week(rows: Sequence[Row]) -> Iterable[Sequence[Cell]]:
    heat = heat_of(rows)
    hours = [f"{hour:02}:00" for hour in range(24)]
    yield ("", *hours)
    for name, row in zip(wording.weekdays(), heat.rows, strict=True):
        yield (name, *row)


def _by_time(rows: Iterable[Row]) -> Iterable[Sequence[Cell]]:
    return _table(gettext("When"), [(_when(row), *_counts(row.counts)) for row in rows])


def _table(first: str, lines: Iterable[Sequence[Cell]]) -> Iterable[Sequence[Cell]]:
    """The lines under what their columns are called."""
    yield (first, *(str(label) for label in wording.COUNTS.values()))
    yield from lines


def _counts(counts: Counts) -> list[int]:
    return [getattr(counts, name) for name in wording.COUNTS]


def _when(row: Row) -> str:
    if isinstance(row.key, datetime):
        return f"{row.key:%Y-%m-%d %H:%M}"
    return row.key.isoformat() if isinstance(row.key, date) else ""


def _file(rows: Iterable[Sequence[Cell]], by: str, span: Span) -> Response:
    return csv_file(rows, f"huozi-{by}-{span.first}-{span.last}.csv")

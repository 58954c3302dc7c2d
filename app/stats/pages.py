"""Numbers for people: all live codes together, and one of them from every side.

Decides which period is shown and what stands beside what; what is counted is decided in `store`. A chart is drawn here
already; the script only makes it answer to a finger.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, timedelta
from typing import Any

from flask import abort, render_template, request
from flask_babel import format_date

from app.db import db
from app.stats import csv_pages, store, wording  # noqa: F401
from app.stats.charts import funnel_of, heat_of
from app.stats.counted import counted
from app.stats.shell import DAYS_OFFERED, Span, asker_id, blueprint, read_span, today
from app.stats.store import Counts, Row
from app.web import settings
from app.web.i18n import language

__all__ = ["blueprint"]

LIVE_CODES_SHOWN = 50
ROWS_SHOWN = 8
HOURLY_UP_TO_DAYS = 2


@dataclass(frozen=True, slots=True)
class Tile:
    name: str
    label: str
    count: int
    before: int


@dataclass(frozen=True, slots=True)
class Point:
    label: str
    counts: Counts


@dataclass(frozen=True, slots=True)
class Line:
    """One row of a table of numbers. `share`: of the longest bar, 0 to 100."""

    name: str
    counts: Counts
    share: float


@dataclass(frozen=True, slots=True)
class Breakdown:
    title: str
    by: str
    lines: Sequence[Line]
    more: Sequence[Line]
    note: str = ""


@blueprint.get("/stats")
def index() -> str:
    """All live codes together: how many came, day by day, and to which."""
    span = read_span(request.args, today())
    rows = store.of_all(db.session, asker_id(), span.first, span.last)
    before = store.of_all(db.session, asker_id(), span.before.first, span.before.last)
    codes = store.by_live_code(db.session, asker_id(), span.first, span.last, LIVE_CODES_SHOWN)
    most = max((code.counts.visitors for code in codes), default=0)
    return render_template(
        "stats/index.html",
        span=span,
        offered=DAYS_OFFERED,
        tiles_found=_tiles(_sum(rows), _sum(before)),
        points=_daily_points(rows, span),
        before_points=_daily_points(before, span.before) if compares() else [],
        span_words=_span_words(span),
        codes=[(code.live_code_id, _line(code.name, code.counts, most)) for code in codes],
        count_words=wording.COUNTS,
    )


@blueprint.get("/codes/<int:live_code_id>/stats")
def live_code(live_code_id: int) -> str:
    """One live code from every side: codes, choices, placements, regions, outcomes, phones."""
    if not store.may_see(db.session, live_code_id, asker_id()):
        abort(404)
    zone = settings().zone
    span = read_span(request.args, today(), (1, *DAYS_OFFERED))
    period = store.days(span.first, span.last, zone)
    is_hourly = span.length <= HOURLY_UP_TO_DAYS
    found = store.report(db.session, live_code_id, period, "hour" if is_hourly else "day", zone)
    earlier = store.days(span.before.first, span.before.last, zone)
    before = store.report(db.session, live_code_id, earlier, "hour" if is_hourly else "day", zone)
    heat = heat_of(found.rows if is_hourly else store.report(db.session, live_code_id, period, "hour", zone).rows)
    names = store.names_of(db.session, live_code_id)
    breakdowns = [
        _breakdown(by, store.report(db.session, live_code_id, period, by, zone).rows, names)
        for by in wording.DIMENSIONS
    ]
    return render_template(
        "stats/live_code.html",
        live_code_id=live_code_id,
        name=names.live_code,
        is_grouped=names.is_grouped,
        span=span,
        offered=(1, *DAYS_OFFERED),
        tiles_found=_tiles(found.totals, before.totals),
        points=_points(found.rows, span, period, is_hourly),
        before_points=_points(before.rows, span.before, earlier, is_hourly) if compares() else [],
        span_words=_span_words(span),
        heat=heat if heat.most else None,
        weekdays=wording.weekdays(),
        funnel=funnel_of(found.totals),
        joined=counted(db.session, live_code_id),
        breakdowns=[breakdown for breakdown in breakdowns if breakdown is not None],
        count_words=wording.COUNTS,
    )


def _sum(rows: Sequence[Row]) -> Counts:
    return store.sum_up(row.counts for row in rows)


def _tiles(now: Counts, before: Counts) -> list[Tile]:
    return [Tile(name, str(label), getattr(now, name), getattr(before, name)) for name, label in wording.COUNTS.items()]


def compares() -> bool:
    """Is the stretch before to be drawn beside?"""
    return request.args.get("compare") == "1"


def _span_words(span: Span) -> dict[str, str]:
    """The period and the one before as its reader writes dates; the browser's own fields may write them otherwise."""
    form = "y年M月d日" if language() == "zh" else "MMM d, y"
    return {
        name: f"{format_date(one.first, form)} – {format_date(one.last, form)}"
        if one.length > 1
        else format_date(one.first, form)
        for name, one in (("now", span), ("before", span.before))
    }


def _points(rows: Sequence[Row], span: Span, period: store.Period, is_hourly: bool) -> list[Point]:
    return _hourly_points(rows, period) if is_hourly else _daily_points(rows, span)


def _daily_points(rows: Sequence[Row], span: Span) -> list[Point]:
    """Every day of the stretch, those in which nothing happened too."""
    found = {row.key: row.counts for row in rows}
    days = [span.first + timedelta(days=number) for number in range(span.length)]
    form = "M月d日" if language() == "zh" else "MMM d"
    return [Point(format_date(day, form), found.get(day, Counts())) for day in days]


def _hourly_points(rows: Sequence[Row], period: store.Period) -> list[Point]:
    found = {row.key: row.counts for row in rows}
    zone, first = period.since.tzinfo, period.since.astimezone(UTC)
    count = int((period.until.astimezone(UTC) - first) / timedelta(hours=1))
    hours = [(first + timedelta(hours=number)).astimezone(zone) for number in range(count)]
    return [Point(f"{hour:%H:%M}", found.get(hour, Counts())) for hour in hours]


def _breakdown(by: str, rows: Sequence[Row], names: store.Names) -> Breakdown | None:
    """None where there is nothing to tell apart."""
    told = [row for row in rows if row.counts.scans or row.counts.assigned]
    if not told or (len(told) == 1 and told[0].key is None):
        return None
    # People, not page views: where visitors choose first, the page that asks is scanned and the code is given.
    told.sort(key=lambda row: -row.counts.visitors)
    most = told[0].counts.visitors
    lines = [_line(wording.name_of(by, row.key, names, language()), row.counts, most) for row in told]
    note = wording.unknown_share(store.unknown_share(rows)) if by == "region" else ""
    return Breakdown(str(wording.DIMENSIONS[by]), by, lines[:ROWS_SHOWN], lines[ROWS_SHOWN:], note)


def _line(name: str, counts: Counts, most: int) -> Line:
    return Line(name, counts, 100 * counts.visitors / most if most else 0.0)


def chart_data(points: Sequence[Point], before: Sequence[Point] = ()) -> dict[str, Any]:
    """What the script draws the chart of. `before`: the same of the stretch before, day beside day."""
    series = [
        {"name": str(wording.COUNTS[name]), "data": [getattr(point.counts, name) for point in points]}
        for name in ("scans", "visitors", "assigned")
    ]
    if before:
        series.append({"name": str(wording.SCANS_BEFORE), "data": [point.counts.scans for point in before]})
    return {"labels": [point.label for point in points], "series": series}


blueprint.context_processor(lambda: {"chart_data": chart_data})

"""Numbers for people: all live codes together, and one of them from every side.

Decides which period is shown and what stands beside what; what is counted is decided in `store`. A chart is drawn here
already; the script only makes it answer to a finger.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from flask import Blueprint, abort, render_template, request
from flask_babel import format_date

from app.accounts.guard import current_user, protect_pages
from app.db import db
from app.stats import store, wording
from app.stats.store import Counts, Row
from app.web import settings
from app.web.i18n import language

blueprint = Blueprint("stats", __name__)
protect_pages(blueprint)

DAYS_OFFERED = (7, 30, 90, 365)
DAYS_SHOWN = 30
LIVE_CODES_SHOWN = 50
ROWS_SHOWN = 8
HOURLY_UP_TO_DAYS = 2


@dataclass(frozen=True, slots=True)
class Span:
    """Local days, both included. `days`: the offered stretch up to today this is, None for one of the reader's own."""

    first: date
    last: date
    days: int | None
    is_refused: bool = False

    @property
    def length(self) -> int:
        return (self.last - self.first).days + 1

    @property
    def arguments(self) -> dict[str, Any]:
        """The query that asks for it."""
        return {"days": self.days} if self.days else {"from": self.first, "to": self.last}

    @property
    def before(self) -> "Span":
        """The stretch of the same length just before."""
        return Span(self.first - timedelta(days=self.length), self.first - timedelta(days=1), None)


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
    lines: Sequence[Line]
    more: Sequence[Line]
    note: str = ""


def asker_id() -> int | None:
    return None if current_user.sees_all else current_user.id


def read_span(asked: Mapping[str, str], today: date, offered: Sequence[int] = DAYS_OFFERED) -> Span:
    """`?from=&to=` (either alone will do) or `?days=`; what cannot be one is the usual stretch, and said to be."""
    usual = Span(today - timedelta(days=DAYS_SHOWN - 1), today, DAYS_SHOWN)
    if asked.get("from") or asked.get("to"):
        last = _day(asked.get("to", ""), today)
        first = _day(asked.get("from", ""), last - timedelta(days=DAYS_SHOWN - 1)) if last else None
        if first is None or last is None or not 0 <= (last - first).days < store.MOST_DAYS:
            return Span(usual.first, usual.last, usual.days, is_refused=True)
        return Span(first, last, None)
    text = asked.get("days", "")
    days = next((days for days in offered if str(days) == text), DAYS_SHOWN)
    return Span(today - timedelta(days=days - 1), today, days, is_refused=bool(text) and str(days) != text)


def _day(text: str, otherwise: date) -> date | None:
    if not text:
        return otherwise
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if 2000 <= day.year < 2200 else None


@blueprint.get("/stats")
def index() -> str:
    """All live codes together: how many came, day by day, and to which."""
    span = read_span(request.args, datetime.now(settings().zone).date())
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
        codes=[(code.live_code_id, _line(code.name, code.counts, most)) for code in codes],
        count_words=wording.COUNTS,
    )


@blueprint.get("/codes/<int:live_code_id>/stats")
def live_code(live_code_id: int) -> str:
    """One live code from every side: codes, choices, placements, regions, outcomes, phones."""
    if not store.may_see(db.session, live_code_id, asker_id()):
        abort(404)
    zone = settings().zone
    span = read_span(request.args, datetime.now(zone).date(), (1, *DAYS_OFFERED))
    period = store.days(span.first, span.last, zone)
    is_hourly = span.length <= HOURLY_UP_TO_DAYS
    found = store.report(db.session, live_code_id, period, "hour" if is_hourly else "day", zone)
    before = store.report(db.session, live_code_id, store.days(span.before.first, span.before.last, zone), "day", zone)
    names = store.names_of(db.session, live_code_id)
    breakdowns = [
        _breakdown(by, store.report(db.session, live_code_id, period, by, zone).rows, names)
        for by in wording.DIMENSIONS
    ]
    return render_template(
        "stats/live_code.html",
        live_code_id=live_code_id,
        name=names.live_code,
        span=span,
        offered=(1, *DAYS_OFFERED),
        tiles_found=_tiles(found.totals, before.totals),
        points=_hourly_points(found.rows, period) if is_hourly else _daily_points(found.rows, span),
        breakdowns=[breakdown for breakdown in breakdowns if breakdown is not None],
        count_words=wording.COUNTS,
    )


def _sum(rows: Sequence[Row]) -> Counts:
    return store.sum_up(row.counts for row in rows)


def _tiles(now: Counts, before: Counts) -> list[Tile]:
    return [Tile(name, str(label), getattr(now, name), getattr(before, name)) for name, label in wording.COUNTS.items()]


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
    return Breakdown(str(wording.DIMENSIONS[by]), lines[:ROWS_SHOWN], lines[ROWS_SHOWN:], note)


def _line(name: str, counts: Counts, most: int) -> Line:
    return Line(name, counts, 100 * counts.visitors / most if most else 0.0)


def chart_data(points: Sequence[Point]) -> dict[str, Any]:
    """What the script draws the chart of."""
    return {
        "labels": [point.label for point in points],
        "series": [
            {"name": str(wording.COUNTS[name]), "data": [getattr(point.counts, name) for point in points]}
            for name in ("scans", "visitors", "assigned")
        ],
    }


blueprint.context_processor(lambda: {"chart_data": chart_data})

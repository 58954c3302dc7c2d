"""`GET /live-codes/{id}/stats`: numbers for programs. What they mean is decided in `store`."""

from datetime import date, datetime, timedelta, tzinfo
from typing import Any

import marshmallow as ma
from flask_babel import gettext, lazy_gettext
from flask_smorest import Blueprint

from app.accounts import guard
from app.accounts.guard import current_user
from app.db import db
from app.stats import store
from app.stats.models import COUNTS
from app.web import settings
from app.web.errors import Problem, known_problem
from app.web.fields import Word, refused
from app.web.openapi import PREFIX

blueprint = Blueprint("stats_api", __name__, url_prefix=PREFIX, description="Numbers, from hourly roll-ups.")
guard.protect_api(blueprint)

VISITORS_NOTE = (
    "different people per local day, summed over the days of a longer period; by hour: different people of the hour"
)

YEARS = range(2000, 2200)


class Edge(ma.fields.Field[Any]):
    """A local day ("2026-11-02") or a time with its zone (RFC 3339)."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> date | datetime:
        # A plus sign that nobody escaped arrives as a space.
        text = str(value).strip().replace(" ", "+")
        try:
            moment = date.fromisoformat(text) if len(text) == len("2026-11-02") else datetime.fromisoformat(text)
        except ValueError:
            moment = date.min
        if moment.year not in YEARS or (isinstance(moment, datetime) and moment.tzinfo is None):
            raise refused(lazy_gettext("A day such as 2026-11-02, or a time with its zone."))
        return moment


class StatsQuery(ma.Schema):
    since = Edge(data_key="from", metadata={"description": "First day or time; default: 30 days up to today."})
    until = Edge(
        data_key="to", metadata={"description": "Last day, included, or the time before which to stop; default: today."}
    )
    by = Word(*store.BY, load_default="day")


class CountsAnswer(ma.Schema):
    scans = ma.fields.Integer()
    visitors = ma.fields.Integer(metadata={"description": VISITORS_NOTE})
    assigned = ma.fields.Integer(metadata={"description": "Seats taken."})
    pressed = ma.fields.Integer(metadata={"description": "Long-presses, the best signal of a join."})
    stuck = ma.fields.Integer(metadata={"description": "Reports that the group let nobody in."})


class RowAnswer(CountsAnswer):
    key = ma.fields.Raw(
        metadata={
            "type": ["string", "integer", "null"],
            "description": "The hour, the day, the member's or choice's id, the region …; null: without a value.",
        }
    )


class StatsAnswer(ma.Schema):
    rows = ma.fields.List(ma.fields.Nested(RowAnswer))
    totals = ma.fields.Nested(CountsAnswer)
    unknown_share = ma.fields.Float(
        allow_none=True, metadata={"description": "By region: which part of the scans came from nobody knows where."}
    )
    by = ma.fields.String()
    since = ma.fields.DateTime(data_key="from")
    until = ma.fields.DateTime(data_key="to", metadata={"description": "Not included."})
    visitors_are = ma.fields.String(metadata={"description": VISITORS_NOTE})


@blueprint.get("/live-codes/<int:live_code_id>/stats")
@blueprint.arguments(StatsQuery, location="query")
@blueprint.response(200, StatsAnswer)
def stats(query: dict[str, Any], live_code_id: int) -> Any:
    """What happened at a live code, by hour, day, member, choice, region, outcome, device or placement."""
    if not store.may_see(db.session, live_code_id, None if current_user.sees_all else current_user.id):
        raise known_problem(404)
    zone = settings().zone
    period = _period(query, zone)
    found = store.report(db.session, live_code_id, period, query["by"], zone)
    return {
        "rows": [{"key": _key(row.key), **_counts(row.counts)} for row in found.rows],
        "totals": _counts(found.totals),
        **({"unknown_share": store.unknown_share(found.rows)} if query["by"] == "region" else {}),
        "by": query["by"],
        "since": period.since,
        "until": period.until,
        "visitors_are": VISITORS_NOTE,
    }


def _period(query: dict[str, Any], zone: tzinfo) -> store.Period:
    today = datetime.now(zone).date()
    until = _edge(query.get("until", today), zone, ends=True)
    since = _edge(query["since"], zone) if "since" in query else until - timedelta(days=store.DAYS_SHOWN)
    period = store.hours(since, until, zone)
    most_days = store.MOST_DAYS_BY_HOUR if query["by"] == "hour" else store.MOST_DAYS
    if period.length <= timedelta(0):
        raise _wrong(gettext("The end lies before the beginning."))
    if period.length > timedelta(days=most_days):
        raise _wrong(gettext("At most %(days)s days at once.", days=most_days))
    return period


def _edge(moment: date | datetime, zone: tzinfo, ends: bool = False) -> datetime:
    if isinstance(moment, datetime):
        return moment
    day = store.days(moment, moment, zone)
    return day.until if ends else day.since


def _wrong(message: str) -> Problem:
    problem = known_problem(422)
    problem.fields = {"to": [message]}
    return problem


def _key(key: store.Key) -> int | str | None:
    return key.isoformat() if isinstance(key, date) else key


def _counts(counts: store.Counts) -> dict[str, int]:
    return {name: getattr(counts, name) for name in COUNTS}

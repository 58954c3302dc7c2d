"""`/status` for people, `/metrics` for Prometheus: is everything being done that should be?

`/metrics` answers whoever sends the token of `HUOZI_METRICS_TOKEN`; without one, this very machine alone, and not
through a proxy, which looks like this machine.
"""

import hmac
import ipaddress
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate
from typing import Any, TypeVar, cast

from flask import Blueprint, Response, current_app, make_response, render_template, request

from app.accounts.guard import login_required
from app.alerts import store, wording
from app.alerts.desk import DESK, Behind, Desk
from app.alerts.standing import members_by_status
from app.db import db
from app.ledger import LedgerDown
from app.ledger.timed import EDGES, FAILED, MICROSECONDS
from app.web import settings
from app.web.errors import known_problem
from app.web.outcomes import OUTCOMES

blueprint = Blueprint("status", __name__)

T = TypeVar("T")
LATE_SECONDS = 120
FORWARDED = ("X-Forwarded-For", "Forwarded", "X-Real-IP", "Via")


@dataclass(frozen=True, slots=True)
class Seen:
    """What could be learnt. None: its store does not answer."""

    claim_seconds: float | None
    claims: Sequence[int]
    members: Mapping[str, int] | None
    waiting: int | None
    behind: Behind | None
    scans: Mapping[str, int]
    backlog: store.Backlog
    round_at: datetime | None
    round_ms: int | None

    @property
    def mean_claim_ms(self) -> float | None:
        counted = sum(self.claims[: len(EDGES) + 1])
        return self.claims[MICROSECONDS] / counted / 1000 if counted else None

    def round_age(self, now: datetime) -> float | None:
        return None if self.round_at is None else max(0.0, (now - self.round_at).total_seconds())


def desk() -> Desk:
    return cast(Desk, current_app.extensions[DESK])


def look(now: datetime) -> Seen:
    """Reads everything once. Raises what SQL raises."""
    claim, members = _ledger(now)
    midnight = now.astimezone(desk().zone).replace(hour=0, minute=0, second=0, microsecond=0)
    last = store.last_round(db.session)
    return Seen(
        claim_seconds=claim,
        claims=desk().claims(),
        members=members,
        waiting=_unless_down(desk().waiting),
        behind=_unless_down(desk().behind),
        scans=store.scans_since(db.session, midnight),
        backlog=store.backlog(db.session, now - timedelta(days=1)),
        round_at=None if last is None else last.at,
        round_ms=None if last is None else last.took_ms,
    )


def _ledger(now: datetime) -> tuple[float | None, Mapping[str, int] | None]:
    """How long the ledger takes to answer a scan's first question, and members by state."""
    began = time.perf_counter()
    try:
        desk().ledger.version(0)
        took = time.perf_counter() - began
        found = members_by_status(db.session, desk().ledger, now)
    except LedgerDown:
        return None, None
    return took, found


def _unless_down(ask: Callable[[], T]) -> T | None:
    try:
        return ask()
    except (OSError, LedgerDown):
        return None


@blueprint.get("/status")
@login_required
def status() -> Response:
    """How the installation is doing, for whoever is logged in."""
    now = desk().clock()
    seen = look(now)
    age = seen.round_age(now)
    is_late = age is None or age > LATE_SECONDS
    page = render_template(
        "alerts/status.html",
        seen=seen,
        age=age,
        is_late=is_late,
        round_at=seen.round_at and wording.moment(seen.round_at, desk().zone),
        outcomes=OUTCOMES,
    )
    response = make_response(page)
    response.headers["Cache-Control"] = "no-store"
    return response


@blueprint.get("/metrics")
def metrics() -> Response:
    """Numbers for Prometheus, in its text format."""
    if not _may_scrape():
        raise known_problem(404)
    now = desk().clock()
    response = make_response("".join(lines(look(now), now)))
    response.headers["Content-Type"] = "text/plain; version=0.0.4; charset=utf-8"
    response.headers["Cache-Control"] = "no-store"
    return response


def _may_scrape() -> bool:
    token = settings().metrics_token
    if token:
        sent = request.headers.get("Authorization", "").removeprefix("Bearer ")
        return hmac.compare_digest(sent.encode(), token.encode())
    try:
        is_here = ipaddress.ip_address(request.remote_addr or "").is_loopback
    except ValueError:
        return False
    return is_here and not any(name in request.headers for name in FORWARDED)


def lines(seen: Seen, now: datetime) -> Iterable[str]:
    """Prometheus' text. What is not known is left out, and `huozi_up` says of which store."""
    known = {"ledger": seen.claim_seconds is not None, "pipeline": seen.waiting is not None}
    yield from _metric(
        "huozi_up", "gauge", "1 where the store answers", {("store", n): int(v) for n, v in known.items()}
    )
    yield from _metric(
        "huozi_scans_total",
        "counter",
        "Scans by outcome; begins anew at local midnight",
        {("outcome", outcome): count for outcome, count in seen.scans.items()},
    )
    if seen.claim_seconds is not None:
        words = "What a scan's first question to the ledger takes now"
        yield from _metric("huozi_ledger_answer_seconds", "gauge", words, {None: round(seen.claim_seconds, 6)})
    yield from _claim_lines(seen.claims)
    if seen.members is not None:
        by_state = {("state", state): count for state, count in seen.members.items()}
        yield from _metric("huozi_members", "gauge", "Members of live codes that run, by state", by_state)
    if seen.waiting is not None:
        words = "Scan events that are not in SQL yet"
        yield from _metric("huozi_events_waiting", "gauge", words, {None: seen.waiting})
    if seen.behind is not None:
        behind = seen.behind
        words = "For how long the oldest event that is not in SQL yet has been waiting"
        yield from _metric("huozi_events_lag_seconds", "gauge", words, {None: round(behind.lag_seconds, 3)})
        words = "Events on this machine's disk, because the store of seats did not answer"
        yield from _metric("huozi_events_spooled", "gauge", words, {None: behind.spooled})
        words = "Events that could not be read and were set aside: flask pipeline dead"
        yield from _metric("huozi_events_dead", "gauge", words, {None: behind.dead})
        words = "Events that neither a store nor this machine's disk took"
        yield from _metric("huozi_events_lost_total", "counter", words, {None: behind.lost})
    open_ones = {("kind", kind): count for kind, count in seen.backlog.open.items()}
    yield from _metric("huozi_alerts_open", "gauge", "Alerts that hold now, by kind", open_ones)
    waiting, gave_up = seen.backlog.waiting, seen.backlog.gave_up
    yield from _metric("huozi_alert_messages_waiting", "gauge", "Messages in line", {None: waiting})
    yield from _metric("huozi_alert_messages_failed", "gauge", "Messages given up in the past day", {None: gave_up})
    age = seen.round_age(now)
    if age is not None:
        words = "Since alerts were last looked for; above two minutes nobody does"
        yield from _metric("huozi_alert_round_age_seconds", "gauge", words, {None: round(age, 1)})


def _claim_lines(claims: Sequence[int]) -> Iterable[str]:
    """A histogram, as Prometheus wants it: each bucket holds those before it, too."""
    name = "huozi_claim_seconds"
    yield f"# HELP {name} What a scan waits for: one claim in the ledger, all processes of this machine\n"
    yield f"# TYPE {name} histogram\n"
    buckets = list(accumulate(claims[: len(EDGES) + 1]))
    for edge, count in zip((*map(str, EDGES), "+Inf"), buckets, strict=True):
        yield f'{name}_bucket{{le="{edge}"}} {count}\n'
    yield f"{name}_sum {claims[MICROSECONDS] / 1e6:.6f}\n{name}_count {buckets[-1]}\n"
    words = "Claims that the ledger did not answer"
    yield from _metric("huozi_claims_failed_total", "counter", words, {None: claims[FAILED]})


def _metric(name: str, kind: str, words: str, values: Mapping[Any, float]) -> Iterable[str]:
    """`values` by (label, value of the label), or by None for a number without one."""
    yield f"# HELP {name} {words}\n# TYPE {name} {kind}\n"
    for label, value in sorted(values.items(), key=lambda pair: pair[0] or ("", "")):
        yield f"{name} {value}\n" if label is None else f'{name}{{{label[0]}="{_escaped(label[1])}"}} {value}\n'


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")

"""`flask --app wsgi alerts run`: looks for what somebody should be told, and tells them, until it is stopped."""

import json
import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import nullcontext
from datetime import datetime
from typing import Any, cast

import click
import sqlalchemy as sa
from flask import current_app
from flask.cli import AppGroup

from app.alerts import deliveries, rounds
from app.alerts.desk import DESK, Desk
from app.db import db
from app.ledger import LedgerDown
from app.outside.signals import told_to_stop

log = logging.getLogger(__name__)

EVERY_SECONDS = 20.0
LONGEST_PAUSE_SECONDS = 120.0
OUTAGES = (sa.exc.OperationalError, sa.exc.InterfaceError, sa.exc.TimeoutError, LedgerDown)

group = AppGroup("alerts", help="Telling people before a code is dead.")


@group.command("run")
@click.option("--once", is_flag=True, help="One round, then end.")
@click.option(
    "--now",
    "clock",
    metavar="TIME",
    help='For simulations: take the round at this time ("2026-11-02T12:00:00+08:00"); "-": one round for each line'
    " read from the standard input, each answered by a line of JSON.",
)
def run(once: bool, clock: str | None) -> None:
    """Notice what somebody should know, send what is due. Several of these may run at once."""
    stop = told_to_stop()
    desk = cast(Desk, current_app.extensions[DESK])
    if clock is not None:
        for moment in _moments(clock):
            click.echo(json.dumps(_round(desk, moment, stop)))
            sys.stdout.flush()
        return
    if once:
        click.echo(json.dumps(_round(desk, desk.clock(), stop)))
        return
    pause = EVERY_SECONDS
    while not stop.is_set():
        pause = _survive(desk, stop, pause)
        stop.wait(pause)


def _moments(clock: str) -> Iterator[datetime]:
    with nullcontext([clock]) if clock != "-" else nullcontext(sys.stdin) as lines:
        for line in lines:
            try:
                moment = datetime.fromisoformat(line.strip())
            except ValueError:
                raise click.BadParameter(f"{line.strip()!r} is no time such as 2026-11-02T12:00:00+08:00") from None
            if moment.tzinfo is None:
                raise click.BadParameter("give the time with its zone, such as +08:00")
            yield moment


def _round(desk: Desk, now: datetime, stop: threading.Event) -> dict[str, Any]:
    done = rounds.take_round(db.session, desk.survey, desk.zone, now)
    sent = deliveries.send_due(db.session, desk, now, stop.is_set)
    db.session.close()
    return {
        "at": now.isoformat(),
        "begun": done.begun,
        "ended": done.ended,
        "queued": done.queued,
        "sent": sent.sent,
        "failed": sent.failed,
    }


def _survive(desk: Desk, stop: threading.Event, pause: float) -> float:
    """One round; how long to wait for the next. An outage is logged once and waited out."""
    try:
        _round(desk, desk.clock(), stop)
    except Exception as error:
        # Nothing is lost: what holds is noted by the next round that works.
        if pause == EVERY_SECONDS:
            log.error("no alerts for now: %s", type(error).__name__, exc_info=not isinstance(error, OUTAGES))
        db.session.rollback()
        return min(pause * 2, LONGEST_PAUSE_SECONDS)
    if pause != EVERY_SECONDS:
        log.warning("alerts are looked for again")
    return EVERY_SECONDS

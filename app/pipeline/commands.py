"""`flask --app wsgi pipeline …`: drain in the foreground, see what waits, look at what could not be read."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager

import click
import sqlalchemy as sa
from flask.cli import AppGroup

from app.db import db, writing
from app.outside.signals import told_to_stop
from app.pipeline.drain import Drainer
from app.pipeline.fold import retry_dead
from app.pipeline.models import dead_events


def group(make_drainer: Callable[[], Drainer], apart: Callable[[], AbstractContextManager[None]]) -> AppGroup:
    """The command group; `make_drainer` is called inside an application context. `apart`: makes the web
    workers of this machine leave the draining to this process."""
    commands = AppGroup("pipeline", help="Scan events on their way into SQL.")

    @commands.command("run")
    @click.option("--once", is_flag=True, help="Fold what is waiting now, then end.")
    def run(once: bool) -> None:
        """Drain scan events into SQL until told to stop."""
        drainer = make_drainer()
        if once:
            click.echo(f"{drainer.run_until_empty()} entries folded")
            return
        with apart():
            drainer.run(told_to_stop())

    @commands.command("status")
    def status() -> None:
        """How many events wait and for how long, how many were set aside, and how many were lost."""
        drainer = make_drainer()
        lag = round(drainer.lag_seconds(), 3)
        told = {"waiting": drainer.waiting(), "lag_seconds": lag, "dead": drainer.dead(), "lost": drainer.lost()}
        click.echo(json.dumps(told))

    @commands.command("dead")
    @click.option("--limit", default=50, show_default=True)
    def dead(limit: int) -> None:
        """The newest entries that could not be read, one JSON object a line."""
        for row in db.session.execute(sa.select(dead_events).order_by(dead_events.c.id.desc()).limit(limit)):
            fields = {"at": row.at.isoformat(), "origin": row.origin, "reason": row.reason, "raw": row.raw}
            click.echo(json.dumps(fields, ensure_ascii=False))

    @commands.command("retry")
    def retry() -> None:
        """Try the entries set aside once more (after an update that can read them)."""
        with writing(db.session):
            done = retry_dead(db.session.connection(), make_drainer().audience)
        click.echo(f"{done.events} folded, {done.dead} still unreadable")

    return commands

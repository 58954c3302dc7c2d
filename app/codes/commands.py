"""`flask --app wsgi files sweep`: pictures that nobody names any more are deleted."""

from typing import cast

import click
from flask import Flask, current_app
from flask.cli import AppGroup

from app.codes.desk import DESK, Desk
from app.codes.uploads import names_in_use
from app.db import db

files = AppGroup("files", help="Stored pictures.")


def register(app: Flask) -> None:
    app.cli.add_command(files)


@files.command("sweep")
@click.option("--older-than", default=3600, show_default=True, help="Seconds; what an upload has just put is spared.")
def sweep(older_than: int) -> None:
    """Delete pictures that no version, choice or live code names: what failed uploads and archived cards left."""
    desk = cast(Desk, current_app.extensions[DESK])
    # Read before anything is listed: a picture put after this is younger than `older-than`.
    keep = names_in_use(db.session)
    shelves = (desk.shelves.images, desk.shelves.cards)
    gone = sum(shelf.sweep(keep, older_than_seconds=older_than) for shelf in shelves)
    click.echo(f"{gone} pictures were deleted, {len(keep)} are in use.")

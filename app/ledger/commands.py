"""`flask --app wsgi ledger …`: what an operator may do with the seats."""

from collections.abc import Callable

import click
from flask.cli import AppGroup

Rebuild = Callable[[], int]


def group(rebuild_of: Callable[[], Rebuild | None]) -> AppGroup:
    """The command group; `rebuild_of` answers how to rebuild, None where seats are kept in SQL."""
    commands = AppGroup("ledger", help="Who holds which seat.")

    @commands.command("rebuild")
    def rebuild() -> None:
        """Begin Redis again from SQL; scans wait meanwhile."""
        run = rebuild_of()
        if run is None:
            raise click.ClickException("seats are kept in SQL: there is nothing to rebuild (HUOZI_REDIS_URL is empty)")
        click.echo(f"{run()} live codes rebuilt")

    return commands

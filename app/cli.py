"""Collects each feature's commands under `flask --app wsgi …`. What they do is in the features' `commands.py`."""

from flask import Flask

from app import demo, seed  # noqa: F401  (it hangs its commands on the group of `demo`)
from app.accounts import commands as accounts
from app.alerts import commands as alerts
from app.codes import commands as codes
from app.ledger import commands as ledger
from app.pipeline import commands as pipeline


def register(app: Flask) -> None:
    """Adds every command group to `app`. `db` (migrations) is added by app/db itself."""
    accounts.register(app)
    app.cli.add_command(alerts.group)
    codes.register(app)
    demo.register(app)
    app.cli.add_command(
        pipeline.group(lambda: app.extensions["huozi"].drainer, lambda: app.extensions["huozi"].background.apart())
    )
    app.cli.add_command(ledger.group(lambda: app.extensions["huozi"].rebuild))

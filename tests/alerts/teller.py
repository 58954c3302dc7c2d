"""The application as `flask --app tests.alerts.teller:make_app alerts run` starts it: a process of its own, the real
command, in which the services' public names lead to the small server that the test runs (TELLER_SERVICES=port)."""

import contextlib
import ipaddress
import os
from collections.abc import Sequence
from dataclasses import replace

from flask import Flask

from app import create_app
from app.alerts.desk import DESK
from app.outside.notify import Notifier
from app.settings import load_from_process


def make_app() -> Flask:
    settings = load_from_process()
    app = create_app(settings)
    notifier = Notifier(settings.alert_networks, _resolve)
    app.extensions[DESK] = replace(app.extensions[DESK], notifier=notifier)
    return app


def _resolve(host: str, port: int) -> Sequence[tuple[str, int]]:
    with contextlib.suppress(ValueError):
        return [(str(ipaddress.ip_address(host)), port)]
    return [("127.0.0.1", int(os.environ["TELLER_SERVICES"]))]

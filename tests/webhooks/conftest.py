"""Bob has a live code and a program of his own that listens; Carl has another; Alice administers."""

import ipaddress
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from app.db import make_engine, writing
from app.outside.hooks import Poster
from app.pipeline.fold import fold
from app.rules.tally import ScanEvent
from app.rules.webhooks import EVENTS
from app.webhooks.models import WebhookDelivery, WebhookEndpoint
from app.webhooks.sending import Sender, Switched
from tests import make
from tests.happen import transaction
from tests.outside.services import Services, services
from tests.panel import Somebody, somebody

LOCAL = (ipaddress.ip_network("127.0.0.0/8"),)


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    return make_app(alert_networks=LOCAL, language="en")


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = make_engine(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Services]:
    with services(tmp_path, tls=False) as found:
        yield found


@dataclass
class World:
    """What tests of webhooks do: let something happen, let time pass, send, listen."""

    app: Flask
    engine: Engine
    receiver: Services
    alice: Somebody
    bob: Somebody
    carl: Somebody
    member: int
    now: datetime = make.NOW
    switched: list[Switched] = field(default_factory=list)

    def endpoint(self, owner: Somebody | None = None, path: str = "/hook", **more: Any) -> dict[str, Any]:
        """Made by the API; the answer with its secret."""
        values = {"url": f"http://127.0.0.1:{self.receiver.port}{path}", "events": list(EVENTS), **more}
        answer = (owner or self.bob).call("POST", "/webhooks", json=values)
        assert answer.status_code == 201, answer.text
        assert answer.json is not None
        return dict(answer.json)

    def happened(self, *events: ScanEvent) -> None:
        """Folded as the application folds."""
        with transaction(self.engine) as connection:
            fold(connection, events, self.app.extensions["huozi"].drainer.audience)

    def sender(self) -> Sender:
        house = self.app.extensions["huozi"]
        standing = house.alerts_desk().survey.standing
        poster = Poster(LOCAL)
        key = house.settings.secret_key
        return Sender(self.engine, poster, key, lambda: self.now, standing, self.switched.append, roll=lambda: 0.5)

    def send(self, **later: float) -> int | None:
        """What is due is sent, after so long. Messages are due by the real clock, so that is not behind."""
        self.now = max(self.now, datetime.now().astimezone()) + timedelta(**later)
        return self.sender().send_due()

    def heard(self) -> list[dict[str, Any]]:
        return [json.loads(heard.body) for heard in self.receiver.heard]

    def messages(self) -> list[WebhookDelivery]:
        with Session(self.engine) as session:
            return list(session.scalars(sa.select(WebhookDelivery).order_by(WebhookDelivery.id)))

    def row(self, endpoint_id: int) -> WebhookEndpoint:
        with Session(self.engine) as session:
            return session.get_one(WebhookEndpoint, endpoint_id)


@pytest.fixture
def world(app: Flask, engine: Engine, receiver: Services) -> World:
    alice, bob, carl = somebody(app, engine, "admin"), somebody(app, engine), somebody(app, engine)
    with Session(engine) as session, writing(session):
        code = make.live_code_row(session, id=1, owner_id=bob.id, name="海报")
        make.live_code_row(session, id=2, owner_id=carl.id, name="门店")
        member = make.member_row(session, code).id
    return World(app, engine, receiver, alice, bob, carl, member)

"""A small installation to be told about: live codes, a ledger, a webhook of our own that hears every message."""

import ipaddress
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.orm import Session

from app.accounts.models import User
from app.alerts import deliveries, rounds
from app.alerts.desk import DESK, Desk
from app.alerts.models import Alert, AlertChannel, Delivery
from app.codes.models import LiveCode, Member
from app.db import db, writing
from app.outside.notify import Target
from tests import make
from tests.outside.services import Services, services

LOCAL = (ipaddress.ip_network("127.0.0.0/8"),)
NOW = make.NOW


@pytest.fixture
def hook(tmp_path: Path) -> Iterator[Services]:
    with services(tmp_path, tls=False) as found:
        yield found


@pytest.fixture
def app(make_app: Any) -> Flask:
    return make_app(alert_networks=LOCAL, language="en")  # type: ignore[no-any-return]


class World:
    """What tests of alerts do: make codes, let time pass, listen."""

    def __init__(self, app: Flask, session: Session, owner: User, hook: Services) -> None:
        self.app, self.session, self.owner, self.hook = app, session, owner, hook
        self.desk: Desk = app.extensions[DESK]

    def live_code(self, **more: Any) -> LiveCode:
        with writing(self.session):
            return make.live_code_row(self.session, self.owner, **more)

    def member(self, live_code: LiveCode, **more: Any) -> Member:
        with writing(self.session):
            row = make.member_row(self.session, live_code, **more)
            self._bump(live_code.id)
        return row

    def change(self, member: Member, **values: Any) -> None:
        """As an admin would: the live code's version rises."""
        with writing(self.session):
            row = self.session.get(Member, member.id)
            assert row is not None
            for name, value in values.items():
                setattr(row, name, value)
            self._bump(row.live_code_id)

    def _bump(self, live_code_id: int) -> None:
        self.session.flush()
        raised = sa.update(LiveCode).where(LiveCode.id == live_code_id)
        self.session.execute(raised.values(version=LiveCode.version + 1))

    def channel(self, owner: User | None = None, **more: Any) -> int:
        target = Target("webhook", f"http://127.0.0.1:{self.hook.port}/{more.pop('path', 'all')}")
        defaults: dict[str, Any] = {"name": "hook", "kind": "webhook", "language": "en"}
        sealed = deliveries.sealed(target, self.desk.key)
        with writing(self.session):
            row = AlertChannel(owner_id=(owner or self.owner).id, sealed=sealed, **(defaults | more))
            self.session.add(row)
            self.session.flush()
            return row.id

    def round(self, now: datetime = NOW, *, send: bool = True) -> rounds.Round:
        """One round of one process, in its own application context."""
        with self.app.app_context():
            done = rounds.take_round(db.session, self.desk.survey, self.desk.zone, now)
            if send:
                deliveries.send_due(db.session, self.desk, now)
            return done

    def heard(self) -> list[list[str]]:
        """The kinds each message told of, in the order of the messages."""
        return [[alert["kind"] for alert in heard.sent["alerts"]] for heard in self.hook.heard]

    def alerts(self) -> list[Alert]:
        self.session.rollback()
        return list(self.session.scalars(sa.select(Alert).order_by(Alert.id)))

    def messages(self) -> list[Delivery]:
        self.session.rollback()
        return list(self.session.scalars(sa.select(Delivery).order_by(Delivery.id)))


@pytest.fixture
def world(app: Flask, database_url: str, hook: Services) -> Iterator[World]:
    engine = sa.create_engine(database_url)
    with Session(engine) as session:
        with writing(session):
            owner = make.user_row(session, role="admin")
        yield World(app, session, owner, hook)
    engine.dispose()


def later(**more: float) -> datetime:
    return NOW + timedelta(**more)


def real_now() -> datetime:
    return datetime.now(UTC)


def expiring(world: World, hours: float, **more: Any) -> Member:
    """A member that expires in so many hours, beside one that does not."""
    code = world.live_code(**more)
    world.member(code, public_name="somewhere else")
    return world.member(code, public_name="②群", expires_at=later(hours=hours))

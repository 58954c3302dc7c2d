"""Bob with the live code of docs/cohorts.md; Carl with another; Alice, who administers."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from app.codes.models import Placement
from app.db import make_engine, writing
from app.people.models import Order, Visitor
from tests import make
from tests.happen import at, event, happened
from tests.panel import Somebody, somebody


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    return make_app(language="en")


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = make_engine(database_url)
    yield engine
    engine.dispose()


@dataclass
class World:
    app: Flask
    engine: Engine
    alice: Somebody
    bob: Somebody
    carl: Somebody

    def came(self, visitor: str, when: str, **more: Any) -> None:
        happened(self.engine, event(visitor=visitor, at=at(when), **({"placement": "gate"} | more)))

    def bought(self, visitor: str, when: str, cents: int, owner: Somebody | None = None, **more: Any) -> None:
        with Session(self.engine) as session, writing(session):
            id_ = session.scalar(sa.select(Visitor.id).where(Visitor.key == visitor))
            number = f"{visitor}-{when}-{cents}-{owner and owner.id}"
            moment = datetime.fromisoformat(when).replace(tzinfo=make.ZONE).astimezone(UTC)
            values = {"owner_id": (owner or self.bob).id, "currency": "CNY", "product": ""} | more
            session.add(Order(number=number, visitor_id=id_, amount_cents=cents, at=moment, **values))

    def spent(self, first_day: str, cents: int, who: Somebody | None = None, live_code_id: int = 1, **more: Any) -> int:
        values = {"first_day": first_day, "amount_cents": cents, **more}
        answer = (who or self.bob).call("POST", f"/live-codes/{live_code_id}/spend", json=values)
        assert answer.status_code == 201, answer.text
        return int((answer.json or {})["id"])


@pytest.fixture
def world(app: Flask, engine: Engine) -> World:
    alice, bob, carl = somebody(app, engine, "admin"), somebody(app, engine), somebody(app, engine)
    with Session(engine) as session, writing(session):
        make.live_code_row(session, id=1, owner_id=bob.id, name="海报")
        make.live_code_row(session, id=2, owner_id=carl.id, name="门店")
        session.add(Placement(live_code_id=1, key="gate", name="大门"))
        session.add(Placement(live_code_id=1, key="hall", name="大厅"))
    return World(app, engine, alice, bob, carl)

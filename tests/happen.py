"""Things that happen at posters, and the SQL they are folded into: what tests of pipeline, people and stats share."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Engine
from sqlalchemy.orm import Session

from app.db import writing
from app.people.absorb import absorb
from app.people.erase import Eraser
from app.pipeline import history
from app.pipeline.fold import Audience, fold
from app.rules.tally import ScanEvent
from app.stats import rollup
from tests import make

SECRET = b"a secret of the tests"

_numbers = itertools.count(1)


def event(type: str = "scan", **more: Any) -> ScanEvent:
    """A first scan at the live code 1 that was assigned the member 7, unless told otherwise."""
    number = next(_numbers)
    defaults: dict[str, Any] = {
        "id": f"event-{number}",
        "at": make.NOW,
        "live_code_id": 1,
        "visitor": f"visitor-{number}",
        "outcome": "assigned" if type == "scan" else None,
        "member_id": 7,
        "region": "CN/CN-GD/440100",
        "device": "phone",
        "app": "wechat",
        "language": "zh",
    }
    return ScanEvent(type=type, **(defaults | more))


def live_codes(engine: Engine, *ids: int, owner_id: int | None = None, **more: Any) -> None:
    """Live codes of these ids, of one owner."""
    with Session(engine) as session, writing(session):
        owner = owner_id or make.user_row(session).id
        for id in ids:
            make.live_code_row(session, owner_id=owner, id=id, **more)


def eraser(secret: bytes = SECRET) -> Eraser:
    """Erases everywhere but in a ledger."""
    return Eraser(secret, lambda _visitor, _live_codes: None, (history.forget, rollup.forget))


def audience() -> Audience:
    """Everybody who keeps something of events, as the application wires them."""
    return Audience(eraser().screen, (absorb, partial(rollup.add, zone=make.ZONE)))


@contextmanager
def transaction(engine: Engine) -> Iterator[Connection]:
    with engine.connect() as connection, connection.execution_options(immediate=True).begin():
        yield connection


def happened(engine: Engine, *events: ScanEvent) -> int:
    """Folds `events` as one batch."""
    with transaction(engine) as connection:
        return fold(connection, events, audience())


def rows(engine: Engine, table: Any, *without: str) -> list[dict[str, Any]]:
    """Everything in a table, in the order of its values."""
    with engine.connect() as connection:
        found = [dict(row) for row in connection.execute(sa.select(_table(table))).mappings()]
    return sorted(({k: v for k, v in row.items() if k not in without} for row in found), key=lambda row: str(row))


def count(engine: Engine, table: Any) -> int:
    with engine.connect() as connection:
        return connection.scalar(sa.select(sa.func.count()).select_from(_table(table))) or 0


def _table(table: Any) -> sa.Table:
    found: sa.Table = getattr(table, "__table__", table)
    return found


def at(text: str) -> datetime:
    """A moment of the panel's local time: at("2026-11-02 23:59")."""
    return datetime.fromisoformat(text).replace(tzinfo=make.ZONE)


def shuffled_batches(events: Sequence[ScanEvent], order: Sequence[int], size: int) -> Iterable[list[ScanEvent]]:
    """The events in another order, some of them twice, in batches."""
    picked = [events[index % len(events)] for index in order] + list(events)
    for start in range(0, len(picked), size):
        yield picked[start : start + size]

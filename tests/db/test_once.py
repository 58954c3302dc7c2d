"""Idempotency keys: done once, answered twice, also when both come at the same time."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.db import make_engine, writing
from app.db.once import (
    KEPT_FOR,
    Answered,
    IdempotencyKey,
    Once,
    OtherRequest,
    answered,
    make_once,
    remember,
)

NOW = datetime(2026, 11, 2, 4, 0, tzinfo=UTC)


@pytest.fixture
def engine(database_url: str) -> Iterator[sa.Engine]:
    engine = make_engine(database_url)
    yield engine
    engine.dispose()


def ask(engine: sa.Engine, once: Once, now: datetime = NOW) -> object:
    with Session(engine) as session, writing(session):
        before = answered(session, once, now)
        if before is None:
            remember(session, once, 201, {"id": 7}, now)
        return before


def test_second_request_gets_the_first_ones_answer(engine: sa.Engine) -> None:
    once = make_once(1, "key", b"POST", b"/x", b"{}")
    assert ask(engine, once) is None
    assert ask(engine, once) == Answered(201, {"id": 7})


def test_same_key_with_another_request_is_told(engine: sa.Engine) -> None:
    assert ask(engine, make_once(1, "key", b"POST", b"/x", b"{}")) is None
    assert ask(engine, make_once(1, "key", b"POST", b"/x", b"[]")) == OtherRequest()
    assert ask(engine, make_once(1, "key", b"POST/", b"x", b"{}")) == OtherRequest()


def test_another_users_key_is_another_key(engine: sa.Engine) -> None:
    assert ask(engine, make_once(1, "key", b"")) is None
    assert ask(engine, make_once(2, "key", b"")) is None


def test_key_is_free_again_after_a_day(engine: sa.Engine) -> None:
    once = make_once(1, "key", b"")
    ask(engine, once)
    assert ask(engine, once, NOW + KEPT_FOR) is not None
    assert ask(engine, once, NOW + KEPT_FOR + timedelta(seconds=1)) is None


def test_old_keys_are_dropped_now_and_then(engine: sa.Engine) -> None:
    sweeping = next(name for name in map(str, range(5000)) if make_once(1, name, b"").key.startswith("00"))
    ask(engine, make_once(1, "old", b""))
    ask(engine, make_once(1, "new", b""), NOW + KEPT_FOR)
    ask(engine, make_once(1, sweeping, b""), NOW + KEPT_FOR + timedelta(seconds=1))
    with Session(engine) as session:
        kept = set(session.scalars(sa.select(IdempotencyKey.key)))
    assert kept == {make_once(1, name, b"").key for name in ("new", sweeping)}


def test_refused_request_leaves_no_key(engine: sa.Engine) -> None:
    once = make_once(1, "key", b"")
    with pytest.raises(RuntimeError), Session(engine) as session, writing(session):
        remember(session, once, 201, {}, NOW)
        raise RuntimeError
    assert ask(engine, once) is None


def test_requests_at_the_same_moment_are_done_once(engine: sa.Engine) -> None:
    once, gate, seen = make_once(1, "key", b""), threading.Barrier(6), []

    def click() -> None:
        gate.wait()
        seen.append(ask(engine, once))

    threads = [threading.Thread(target=click) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert seen.count(None) == 1 and seen.count(Answered(201, {"id": 7})) == 5
    with Session(engine) as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(IdempotencyKey)) == 1

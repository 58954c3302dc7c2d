"""A database that says nothing costs one wait, not one a scan."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from app.db import make_engine
from app.db.bounded import wait_briefly, wait_long
from app.db.breaker import Breaker
from app.db.held import PROBE_SECONDS, HeldConnections, WriteTurn
from tests.servers import Running, start_postgresql


def seconds_of(work: Callable[[], object]) -> float:
    began = time.monotonic()
    work()
    return time.monotonic() - began


def test_breaker_lets_one_caller_a_pause_find_out() -> None:
    breaker = Breaker(1.5, 0.3)
    assert not breaker.is_open and not breaker.refuses()
    breaker.trip()
    assert breaker.is_open and breaker.refuses()
    time.sleep(0.31)
    assert not breaker.is_resting
    assert [breaker.refuses() for _ in range(3)] == [False, True, True]
    assert breaker.is_resting
    time.sleep(0.31)  # whoever asks has not answered yet
    assert breaker.refuses()
    breaker.mend()
    breaker.mend()
    assert not breaker.refuses()


@pytest.fixture(scope="module")
def postgresql() -> Iterator[Running]:
    """One that may be frozen."""
    server = start_postgresql()
    yield server
    server.stop()


@pytest.fixture
def engine(postgresql: Running) -> Iterator[Engine]:
    engine = make_engine(postgresql.url.replace("postgresql:", "postgresql+psycopg:"), answer_seconds=0.5)
    yield engine
    postgresql.thaw()
    engine.dispose()


ONE = sa.text("SELECT 1")


def ask(engine: Engine) -> object:
    with engine.connect() as connection:
        return connection.scalar(ONE)


def fails(engine: Engine) -> None:
    with pytest.raises(sa.exc.OperationalError):
        ask(engine)


def test_frozen_postgresql_costs_one_wait_and_is_found_again(engine: Engine, postgresql: Running) -> None:
    assert ask(engine) == 1
    postgresql.freeze()
    assert 0.4 < seconds_of(lambda: fails(engine)) < 5
    assert max(seconds_of(lambda: fails(engine)) for _ in range(20)) < 0.2
    postgresql.thaw()
    time.sleep(1.1)
    assert ask(engine) == 1


def test_connection_that_is_held_is_refused_at_once_after_another_one_waited(
    engine: Engine, postgresql: Running
) -> None:
    with engine.connect() as held:
        assert held.scalar(ONE) == 1
        postgresql.freeze()
        fails(engine)

        def use() -> None:
            with pytest.raises(sa.exc.OperationalError, match="a moment ago"):
                held.scalar(ONE)

        assert seconds_of(use) < 0.2


def test_postgresql_that_is_gone_is_asked_once_a_pause(postgresql: Running) -> None:
    engine = make_engine("postgresql+psycopg://postgres@127.0.0.1:1/none", answer_seconds=0.5)
    fails(engine)
    with pytest.raises(sa.exc.OperationalError, match="a moment ago"):
        ask(engine)
    engine.dispose()


def test_lock_of_somebody_else_is_refused_by_a_server_that_lives(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE posters (id int)"))
    with engine.begin() as holder:
        holder.execute(sa.text("LOCK posters"))
        with pytest.raises(sa.exc.OperationalError, match="lock timeout"), engine.begin() as connection:
            connection.execute(sa.text("LOCK posters"))
        assert ask(engine) == 1


def test_bulk_may_take_its_time(engine: Engine) -> None:
    slow = sa.text("SELECT pg_sleep(0.8)")
    with engine.connect() as connection:
        wait_long(connection)
        connection.execute(slow)
        wait_briefly(connection)
        with pytest.raises(sa.exc.OperationalError, match="no answer within"):
            connection.execute(slow)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "huozi.db"


def writers(file: Path) -> HeldConnections:
    turn = WriteTurn(file.with_name("turn"), wait_seconds=0.5)
    return HeldConnections(make_engine(f"sqlite:///{file}", answer_seconds=0.5, pool_size=0), turn)


def write(held: HeldConnections) -> float:
    """How long it took to be refused; 0 when it was not."""
    began = time.monotonic()
    try:
        with held.writing() as connection:
            connection.exec_driver_sql("INSERT INTO t VALUES (1)")
        return 0.0
    except sqlite3.OperationalError:
        return time.monotonic() - began


def test_sqlite_locked_from_outside_holds_up_one_writer_a_pause(file: Path) -> None:
    with sqlite3.connect(file) as outside:
        outside.execute("CREATE TABLE t (n int)")
    first, second = writers(file), writers(file)  # two processes' worth
    assert write(first) == write(second) == 0.0
    outside.execute("BEGIN IMMEDIATE")
    with ThreadPoolExecutor(16) as pool:
        waited = sorted(pool.map(lambda n: write((first, second)[n % 2]), range(32)))
    assert waited[0] > 0.0
    assert waited[-1] < 3  # both processes' first ones waited, one after the other
    later = sorted(write(first) for _ in range(200))
    assert sum(seconds > PROBE_SECONDS / 2 for seconds in later) <= 2
    outside.rollback()
    time.sleep(1.1)
    assert write(first) == write(second) == 0.0
    outside.close()
    first.close()
    second.close()
    first.engine.dispose()
    second.engine.dispose()


def test_turn_that_another_process_keeps_is_not_waited_for_twice(file: Path) -> None:
    with sqlite3.connect(file) as outside:
        outside.execute("CREATE TABLE t (n int)")
    ours, theirs = writers(file), WriteTurn(file.with_name("turn"), wait_seconds=0.5)
    assert write(ours) == 0.0
    outside.execute("BEGIN IMMEDIATE")
    assert write(ours) > 0.4
    time.sleep(1.05)
    with theirs:
        assert PROBE_SECONDS <= write(ours) < 0.5
    outside.rollback()
    outside.close()
    time.sleep(1.05)
    assert write(ours) == 0.0
    ours.close()
    ours.engine.dispose()


def test_writer_of_one_process_waits_no_longer_than_its_turn(tmp_path: Path) -> None:
    turn = WriteTurn(None, wait_seconds=0.2)
    with turn, ThreadPoolExecutor(1) as pool:

        def enter() -> None:
            with turn:
                pass

        with pytest.raises(sqlite3.OperationalError, match="our turn"):
            pool.submit(enter).result()
    with turn:  # who had the turn has mended it
        pass

"""The ledger under test, on each of its engines."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.engine import Engine

from app.db import make_engine
from app.db.held import WriteTurn
from app.ledger.spool import Spool
from app.ledger.sql import SqlLedger
from tests.ledger.world import World

SECRET = b"a secret of the tests"


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = make_engine(database_url, pool_size=0)
    yield engine
    engine.dispose()


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    spool = Spool(tmp_path / "spool")
    yield spool
    spool.close()


@pytest.fixture
def world(engine: Engine, spool: Spool, tmp_path: Path) -> Iterator[World]:
    ledger = SqlLedger(engine, spool, SECRET, WriteTurn(tmp_path / "ledger.lock"))
    yield World(engine, ledger)
    ledger.close()

"""The scan door as it stands before Flask, on each database: the real decider, ledger, places and signed cookies."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.engine import Engine

from app.db import make_engine
from app.ledger.spool import Spool
from app.ledger.sql import SqlLedger
from app.outside.files import FileStore
from tests.ledger.world import World
from tests.scan.phone import Doorway

SECRET = b"a secret of the tests"


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = make_engine(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    spool = Spool(tmp_path / "spool")
    yield spool
    spool.close()


@pytest.fixture
def world(engine: Engine, spool: Spool) -> World:
    return World(engine, SqlLedger(engine, spool, SECRET))


@pytest.fixture
def doorway(world: World, tmp_path: Path) -> Doorway:
    return Doorway(world, FileStore(tmp_path / "images"))

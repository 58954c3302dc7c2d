"""The ledger under test, on each of its engines."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy.engine import Engine

from app.db import make_engine
from app.db.held import WriteTurn
from app.ledger import Ledger
from app.ledger.redis import RedisLedger
from app.ledger.servers import Servers
from app.ledger.spool import Spool
from app.ledger.sql import SqlLedger
from app.ledger.truth import Truth
from tests.ledger.books import Books, RedisBooks, SqlBooks
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


@pytest.fixture(params=["sql", "redis"])
def store_url(request: pytest.FixtureRequest) -> str:
    """Where seats are kept: "" = in SQL."""
    return str(request.getfixturevalue("redis_url")) if request.param == "redis" else ""


def open_ledger(store_url: str, engine: Engine, spool: Spool) -> Ledger:
    turn = WriteTurn(spool.directory / "ledger.lock")
    if store_url:
        return RedisLedger(Servers(store_url), Truth(engine, SECRET, turn), spool)
    return SqlLedger(engine, spool, SECRET, turn)


@pytest.fixture
def make_ledger(store_url: str, engine: Engine, spool: Spool) -> Iterator[Callable[[], Ledger]]:
    """Another worker's ledger on the same store, each time."""
    made: list[Ledger] = []

    def make() -> Ledger:
        made.append(open_ledger(store_url, engine, spool))
        return made[-1]

    yield make
    for ledger in made:
        ledger.close()


@pytest.fixture
def books(store_url: str, engine: Engine, spool: Spool) -> Books:
    return RedisBooks(store_url) if store_url else SqlBooks(engine, spool.directory)


@pytest.fixture
def world(engine: Engine, make_ledger: Callable[[], Ledger], books: Books) -> World:
    return World(engine, make_ledger(), books)

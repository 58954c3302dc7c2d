"""A database of the test's own, and ledgers on whatever Redis a test starts."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy.engine import Engine

from app.db import make_engine
from app.ledger.redis import RedisLedger
from app.ledger.servers import Servers
from app.ledger.spool import Spool
from app.ledger.truth import Truth
from tests.faults.house import House, open_house
from tests.ledger.world import World

SECRET = b"a secret of the tests"


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """PostgreSQL, a Redis that keeps a log, two web workers."""
    with open_house(tmp_path) as made:
        yield made


@pytest.fixture
def world_in(house: House) -> Iterator[World]:
    """Whoever edits the house's live codes from outside: its own process, on the same stores."""
    assert house.redis is not None
    engine = make_engine(house.sql_url)
    ledger = RedisLedger(Servers(house.redis.url), Truth(engine, SECRET), Spool(Path("/nowhere")))
    world = World(engine, ledger)
    world.now = datetime.now(UTC)
    yield world
    ledger.close()
    engine.dispose()


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = make_engine(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def ledger_on(engine: Engine, tmp_path: Path) -> Iterator[Callable[[str], RedisLedger]]:
    """A ledger on the Redis at this URL."""
    made: list[tuple[RedisLedger, Spool]] = []

    def make(url: str) -> RedisLedger:
        spool = Spool(tmp_path / "spool")
        made.append((RedisLedger(Servers(url), Truth(engine, SECRET), spool), spool))
        return made[-1][0]

    yield make
    for ledger, spool in made:
        ledger.close()
        spool.close()

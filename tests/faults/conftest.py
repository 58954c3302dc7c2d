"""A database of the test's own, and ledgers on whatever Redis a test starts."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy.engine import Engine

from app.db import make_engine
from app.ledger.redis import RedisLedger
from app.ledger.spool import Spool
from app.ledger.truth import Truth
from app.ledger.wire import Servers

SECRET = b"a secret of the tests"


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

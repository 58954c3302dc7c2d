"""How long claims take is counted, by whoever asks for seats."""

from pathlib import Path

import pytest
from sqlalchemy.engine import Engine

from app.ledger.spool import Spool
from app.ledger.timed import EDGES, FAILED, MICROSECONDS, WIDTH, timed
from app.outside.tallies import Tallies
from tests.ledger.conftest import open_ledger
from tests.ledger.world import World
from tests.servers import start_redis

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def test_every_claim_is_counted_once_and_the_rest_is_the_ledger_s_own(world: World, tmp_path: Path) -> None:
    tallies = Tallies(tmp_path / "claims", WIDTH)
    other = World(world.engine, timed(world.ledger, tallies), world.books)
    code = other.live_code()
    a = other.member(code)
    assert other.crowd(code, 3) == [a] * 3
    assert other.counted(code, a) == 3
    sums = tallies.sums()
    assert sum(sums[: len(EDGES) + 1]) == 3
    assert sums[MICROSECONDS] > 0 and sums[FAILED] == 0


def test_claim_that_nobody_answers_is_counted_as_failed(engine: Engine, spool: Spool, tmp_path: Path) -> None:
    server = start_redis()
    tallies = Tallies(tmp_path / "claims", WIDTH)
    ledger = open_ledger(server.url, engine, spool)
    world = World(engine, timed(ledger, tallies))
    code = world.live_code()
    world.member(code)
    world.crowd(code, 1)
    server.kill()
    assert world.scan(code).provisional
    sums = tallies.sums()
    assert (sum(sums[: len(EDGES) + 1]), sums[FAILED]) == (1, 1)
    ledger.close()
    server.stop()

"""The ledger on a Cluster of three, and through a failover."""

import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import redis
from sqlalchemy.engine import Engine

from app.ledger.redis import RedisLedger
from app.ledger.scripts import SLOTS
from app.ledger.servers import Servers
from app.ledger.streams import Streams
from app.ledger.truth import Truth
from app.pipeline.drain import Drainer
from app.pipeline.models import events
from app.pipeline.stream_source import StreamSource
from tests import happen
from tests.faults.clusters import cluster, sentinel, until
from tests.faults.conftest import SECRET
from tests.ledger.books import SqlBooks
from tests.ledger.world import World

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
MakeLedger = Callable[[str], RedisLedger]


def drain(engine: Engine, url: str, folder: Path) -> None:
    servers, truth = Servers(url), Truth(engine, SECRET)
    source = StreamSource(Streams(servers), truth)
    Drainer(engine, folder / "spool", happen.audience(), streams=source).run_until_empty()
    servers.close()
    truth.close()


def test_cluster_of_three_gives_every_seat_once(engine: Engine, ledger_on: MakeLedger, tmp_path: Path) -> None:
    with cluster() as servers:
        world = World(engine, ledger_on(servers[1].url))
        codes = [world.live_code(dedupe_group="spring" if n % 3 == 0 else None) for n in range(9)]
        members = {code.id: [world.member(code, capacity=5) for _ in range(3)] for code in codes}
        with ThreadPoolExecutor(8) as pool:
            got = list(pool.map(lambda n: (codes[n % 9].id, world.shown(codes[n % 9])), range(9 * 18)))
        for code in codes:
            shown = Counter(told for id_, told in got if id_ == code.id)
            assert shown == {**dict.fromkeys(members[code.id], 5), "full": 3}
            assert [world.counted(code, member) for member in members[code.id]] == [5, 5, 5]
        holders = []
        for server in servers:
            with redis.Redis.from_url(server.url) as client:
                holders.append(client.dbsize())
        assert min(holders) > 0
        drain(engine, servers[0].url, tmp_path)
        assert happen.count(engine, events) == 9 * 18
        assert len([seat for seat in SqlBooks(engine, tmp_path).seats() if seat.counted]) == 9 * 15


def test_slots_that_move_are_followed(engine: Engine, ledger_on: MakeLedger) -> None:
    with cluster() as servers:
        ledger = ledger_on(servers[0].url)
        world = World(engine, ledger)
        code = world.live_code()
        a = world.member(code, capacity=100)
        assert world.crowd(code, 2) == [a, a]
        _move_everything(servers[0].port, servers[1].port)
        _move_everything(servers[2].port, servers[1].port)
        assert world.crowd(code, 2) == [a, a]
        assert world.counted(code, a) == 4


def _move_everything(source: int, target: int) -> None:
    """Every slot of ours that the source has, with its keys."""
    with redis.Redis(port=source) as old, redis.Redis(port=target) as new:
        names = {client: client.execute_command("CLUSTER", "MYID") for client in (old, new)}
        for slot in set(SLOTS):
            keys = old.execute_command("CLUSTER", "GETKEYSINSLOT", slot, 1000)
            if keys:
                new.execute_command("CLUSTER", "SETSLOT", slot, "IMPORTING", names[old])
                old.execute_command("CLUSTER", "SETSLOT", slot, "MIGRATING", names[new])
                old.execute_command("MIGRATE", "127.0.0.1", target, "", 0, 5000, "KEYS", *keys)
                new.execute_command("CLUSTER", "SETSLOT", slot, "NODE", names[new])
                old.execute_command("CLUSTER", "SETSLOT", slot, "NODE", names[new])


def test_failover_by_sentinel_goes_on_where_it_was(engine: Engine, ledger_on: MakeLedger) -> None:
    with sentinel() as (url, master):
        world = World(engine, ledger_on(url))
        code = world.live_code()
        a = world.member(code, capacity=100)
        visitors = [world.visitor() for _ in range(10)]
        assert [world.shown(code, who) for who in visitors] == [a] * 10
        with redis.Redis.from_url(master.url) as client:
            client.wait(1, 5000)
        master.kill()
        assert world.scan(code).provisional

        def is_back() -> bool:
            time.sleep(0.2)
            world.decider._quiet_until = 0.0
            return not world.scan(code, visitors[0]).provisional

        until(is_back)
        assert [world.shown(code, who) for who in visitors] == ["returning"] * 10
        assert world.shown(code) == a
        assert world.counted(code, a) == 11

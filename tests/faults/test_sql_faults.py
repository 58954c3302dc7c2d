"""SQL frozen, locked and out of reach under load, and the pipeline killed; with Redis and without."""

import sqlite3
import subprocess
import sys
import time
from pathlib import Path

from app.db.breaker import PAUSE_SECONDS
from app.db.held import PROBE_SECONDS
from app.wiring import ANSWER_SECONDS
from tests.faults.crowd import Visitor
from tests.faults.house import LOAD_SECONDS, PROVE, SQL_OUTAGE_SECONDS, THREADS, House, open_house
from tests.ledger.world import World
from tests.servers import ROOT, start_huozi

WORKERS = 2


def test_sql_that_is_frozen_holds_up_no_scan(house: House) -> None:
    assert house.postgresql is not None
    with house.crowd() as crowd:
        began = time.monotonic()
        time.sleep(LOAD_SECONDS)
        frozen = time.monotonic()
        house.postgresql.freeze()
        time.sleep(SQL_OUTAGE_SECONDS)
        during = [v for v in crowd.visitors if v.outcomes][-1]
        thawed = time.monotonic()
        house.postgresql.thaw()
        time.sleep(LOAD_SECONDS)
    assert during.outcomes[-1] == "assigned"
    assert house.waits() == 0
    if PROVE:
        assert not crowd.is_slower([(began, frozen), (thawed, thawed + LOAD_SECONDS)], (frozen, thawed))
    house.check(crowd)
    assert house.lost() == 0


def test_pipeline_that_is_killed_mid_batch_folds_every_event_once(house: House) -> None:
    command = [sys.executable, "-m", "flask", "--app", "wsgi", "pipeline", "run"]
    with house.crowd() as crowd:
        for _ in range(6 if PROVE else 2):
            reader = subprocess.Popen(command, cwd=ROOT, env=house.environ, stderr=subprocess.DEVNULL)
            time.sleep(LOAD_SECONDS + 1.0)
            reader.kill()
            reader.wait(20)
    house.check(crowd)
    assert house.lost() == 0


def test_worker_that_missed_a_swap_shows_the_new_code_on_its_next_scan(house: House, world_in: World) -> None:
    assert house.web is not None and house.postgresql is not None
    code = world_in.live_code()
    member = world_in.member(code, capacity=100)
    house.slug = code.slug
    other = start_huozi(house.environ, migrate=False)
    try:
        crowd, elsewhere = house.crowd(), house.crowd()
        elsewhere.port = other.port
        who = Visitor()
        for one in (crowd, elsewhere):
            for _ in range(6):  # every worker of both has read the live code
                one.scan(who)
        assert set(who.versions) == {1}
        other.freeze()
        world_in.swap(member)
        crowd.scan(who)
        assert who.versions[-1] == 2
        other.thaw()
        for _ in range(6):
            elsewhere.scan(who)
        assert set(who.versions[-6:]) == {2}

        # A worker that learns of a newer version while it cannot read it: pages, of which one in a while has waited;
        # and the new code as soon as it can be read.
        world_in.swap(member)
        house.postgresql.freeze()
        with elsewhere:
            frozen = time.monotonic()
            time.sleep(SQL_OUTAGE_SECONDS)
            elsewhere.scan(who)
            thawed = time.monotonic()
        house.postgresql.thaw()
        took = elsewhere.took(frozen, thawed)
        waits = sum(seconds > ANSWER_SECONDS * 0.9 for seconds in took)
        # Those who met it first, and then one of each worker a while; a busy machine may be slow now and then.
        rounds = (thawed - frozen) / (ANSWER_SECONDS + PAUSE_SECONDS)
        assert 1 <= waits <= THREADS + WORKERS * (1 + rounds) + len(took) / 50
        time.sleep(2)
        elsewhere.scan(who)
        assert who.versions[-1] == 3
        assert set(who.shown) == {member}
        assert set(elsewhere.statuses) == {200}
    finally:
        house.postgresql.thaw()
        other.stop()


def test_sqlite_that_is_locked_from_outside_holds_up_one_scan_a_while(tmp_path: Path) -> None:
    with open_house(tmp_path, redis_options=None) as house:
        outside = sqlite3.connect(house.sql_url.removeprefix("sqlite:///"), isolation_level=None)
        with house.crowd() as crowd:
            began = time.monotonic()
            time.sleep(LOAD_SECONDS)
            outside.execute("BEGIN IMMEDIATE")
            locked = time.monotonic()
            time.sleep(20.0 if PROVE else 5.0)
            outside.rollback()
            free = time.monotonic()
            time.sleep(LOAD_SECONDS)
        outside.close()
        # At first those who were on their way; then, for a fifth of a second, one of each process a while.
        rounds = (free - locked) / (PROBE_SECONDS + PAUSE_SECONDS)
        assert 1 <= house.waits() <= THREADS + WORKERS * (1 + rounds)
        if PROVE:
            assert not crowd.is_slower([(began, locked), (free + 2, free + 2 + LOAD_SECONDS)], (locked, free))
        assert crowd.gets_a_seat_again()
        house.check(crowd)
        assert house.lost() == 0

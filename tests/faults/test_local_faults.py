"""What happens to a machine of ours: a worker is killed, its disk is full, its clock is set back."""

import os
import resource
import signal
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa

from app.pipeline.models import events
from app.stats.models import rollup_total
from tests.faults.house import LOAD_SECONDS, House, open_house


def test_web_worker_that_is_killed_loses_nothing(house: House) -> None:
    with house.crowd() as crowd:
        time.sleep(LOAD_SECONDS)
        os.kill(house.workers()[0], signal.SIGKILL)
        time.sleep(LOAD_SECONDS)
    house.check(crowd)
    assert house.lost() == 0


def let_no_file_grow(house: House, beyond: int) -> None:
    """As on a disk with so little left; what is larger already, logs among it, takes nothing more."""
    for pid in house.workers():
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (beyond, resource.RLIM_INFINITY))


def test_full_disk_and_no_redis_serve_pages_and_count_what_is_lost(house: House) -> None:
    assert house.redis is not None
    with house.crowd() as crowd:
        time.sleep(LOAD_SECONDS)
        house.redis.freeze()  # for as long as it takes to open every worker's spool
        time.sleep(2)
        house.redis.thaw()
        assert crowd.gets_a_seat_again()
        let_no_file_grow(house, beyond=16 * 1024)
        house.redis.freeze()
        time.sleep(LOAD_SECONDS + 2)
        house.redis.thaw()
        let_no_file_grow(house, beyond=resource.RLIM_INFINITY)
        time.sleep(LOAD_SECONDS)
    assert crowd.gets_a_seat_again()
    house.check(crowd)
    assert house.lost() > 0


def test_full_disk_of_the_embedded_service_serves_pages(tmp_path: Path) -> None:
    with open_house(tmp_path, redis_options=None) as house:
        with house.crowd() as crowd:
            time.sleep(LOAD_SECONDS)
            let_no_file_grow(house, beyond=16 * 1024)
            time.sleep(LOAD_SECONDS + 2)
            let_no_file_grow(house, beyond=resource.RLIM_INFINITY)
            time.sleep(LOAD_SECONDS)
        assert crowd.gets_a_seat_again()
        house.check(crowd)


def test_clock_that_is_set_back_an_hour_moves_and_doubles_nobody(tmp_path: Path) -> None:
    offset = tmp_path / "offset"
    offset.write_text("0")
    with open_house(tmp_path, program="tests.faults.stepped:app", CLOCK_OFFSET_FILE=str(offset)) as house:
        with house.crowd() as crowd:
            for seconds in ("0", "-3600", "0", "-3600"):
                offset.write_text(seconds)
                time.sleep(LOAD_SECONDS)
                if seconds == "-3600":  # and the store is lost before the clock is right again
                    with house.store() as client:
                        client.flushall()
                    time.sleep(LOAD_SECONDS)
        house.check(crowd)
        assert house.lost() == 0
        happened = Counter(_hour(row.at) for row in house.rows(sa.select(events.c.at).where(events.c.type == "scan")))
        assert len(happened) >= 2 and min(happened.values()) > 10
        counted = {_hour(row.hour): row.scans for row in house.rows(sa.select(rollup_total))}
        assert counted == happened


def _hour(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)

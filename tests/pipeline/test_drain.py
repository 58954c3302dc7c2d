"""From outbox and spool into SQL: within a second, once, through kill -9, torn lines, outages and rivals."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from app.ledger.spool import Spool, spool_files
from app.ledger.tables import outbox, spool_marks
from app.people.models import Visitor
from app.pipeline.drain import Drainer
from app.pipeline.models import dead_events, events
from app.rules.tally import ScanEvent
from app.stats.models import rollup_total
from tests.happen import audience, count, event, live_codes, rows, transaction

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "spool"


@pytest.fixture
def spool(folder: Path) -> Iterator[Spool]:
    spool = Spool(folder)
    yield spool
    spool.close()


@pytest.fixture
def drainer(engine: Engine, folder: Path) -> Drainer:
    live_codes(engine, 1)
    return Drainer(engine, folder, audience())


def send(engine: Engine, *sent: ScanEvent) -> None:
    with transaction(engine) as connection:
        connection.execute(sa.insert(outbox), [{"body": one.encode()} for one in sent])


def uids(engine: Engine) -> set[str]:
    return {str(row["uid"]) for row in rows(engine, events)}


def test_outbox_rows_become_events_and_go(engine: Engine, drainer: Drainer) -> None:
    sent = [event() for _ in range(5)]
    send(engine, *sent)
    assert drainer.waiting() == 5
    assert drainer.run_once() == 5
    assert uids(engine) == {one.id for one in sent}
    assert count(engine, outbox) == 0
    assert drainer.waiting() == 0
    assert drainer.run_once() == 0


def test_events_of_one_transaction_lie_in_one_row(engine: Engine, drainer: Drainer) -> None:
    first, second = event(), event()
    with transaction(engine) as connection:
        body = "\n".join([first.encode(), "nonsense", second.encode()])
        connection.execute(sa.insert(outbox), [{"body": body}])
    assert drainer.waiting() == 3
    assert drainer.lag_seconds() > 0
    assert drainer.run_until_empty() == 3
    assert uids(engine) == {first.id, second.id}
    assert [row["origin"] for row in rows(engine, dead_events)] == ["outbox:1:1"]
    assert count(engine, outbox) == drainer.waiting() == 0


def test_more_than_a_batch_is_taken_in_order_until_none_is_left(engine: Engine, drainer: Drainer) -> None:
    send(engine, *(event() for _ in range(2100)))
    assert drainer.run_until_empty() == 2100
    assert count(engine, events) == 2100


def test_spool_lines_become_events_and_the_position_is_kept(engine: Engine, drainer: Drainer, spool: Spool) -> None:
    first, second = event(), event()
    spool.append(first.encode())
    assert drainer.waiting() == 1
    assert drainer.run_once() == 1
    assert drainer.run_once() == 0
    spool.append(second.encode())
    assert drainer.run_once() == 1
    assert uids(engine) == {first.id, second.id}
    assert rows(engine, spool_marks)[0]["offset"] == spool_files(spool.directory)[0].stat().st_size


def test_half_a_line_waits_for_its_rest(engine: Engine, drainer: Drainer, spool: Spool) -> None:
    spool.append(event().encode())
    [file] = spool_files(spool.directory)
    late = event().encode().encode() + b"\n"
    with file.open("ab") as out:
        out.write(late[:40])
        out.flush()
        assert drainer.run_until_empty() == 1
        assert drainer.run_once() == 0
        out.write(late[40:])
    assert drainer.run_once() == 1
    assert (count(engine, events), count(engine, dead_events)) == (2, 0)


def test_a_torn_line_is_set_aside_when_its_writer_is_gone(engine: Engine, drainer: Drainer, spool: Spool) -> None:
    spool.append(event().encode())
    [file] = spool_files(spool.directory)
    with file.open("ab") as out:
        out.write(b'{"id":"torn","ty')
    drainer.run_until_empty()
    assert count(engine, dead_events) == 0
    spool.close()
    for _ in range(3):
        drainer.run_once()
    assert [row["raw"] for row in rows(engine, dead_events)] == ['{"id":"torn","ty']
    assert count(engine, events) == 1
    assert spool_files(spool.directory) == []
    assert count(engine, spool_marks) == 0


def test_a_file_is_deleted_when_it_is_folded_and_its_writer_gone(
    engine: Engine, drainer: Drainer, spool: Spool
) -> None:
    spool.append(event().encode())
    drainer.run_until_empty()
    drainer.run_once()
    assert len(spool_files(spool.directory)) == 1
    spool.append(event().encode())
    spool.close()
    drainer.run_until_empty()
    drainer.run_once()
    assert spool_files(spool.directory) == []
    assert (count(engine, events), count(engine, spool_marks)) == (2, 0)


def test_garbage_between_lines_costs_its_own_line_only(engine: Engine, drainer: Drainer, folder: Path) -> None:
    folder.mkdir()
    first, second = event(), event()
    lines = [first.encode().encode(), b"\x00\xff\r garbage \r", b"", second.encode().encode()]
    (folder / "1-1-1.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    drainer.run_until_empty()
    assert uids(engine) == {first.id, second.id}
    assert count(engine, dead_events) == 2


def test_a_line_longer_than_any_buffer_does_not_stop_the_others(engine: Engine, drainer: Drainer, folder: Path) -> None:
    folder.mkdir()
    (folder / "1-1-1.jsonl").write_bytes(b"x" * (3 << 20) + b"\n" + event().encode().encode() + b"\n")
    drainer.run_until_empty()
    assert (count(engine, events), count(engine, dead_events)) == (1, 1)


def test_a_file_read_again_from_its_beginning_counts_nothing_twice(
    engine: Engine, drainer: Drainer, spool: Spool
) -> None:
    spool.append(event().encode())
    spool.append("nonsense")
    drainer.run_until_empty()
    with transaction(engine) as connection:
        connection.execute(sa.delete(spool_marks))
    drainer.run_until_empty()
    assert (count(engine, events), count(engine, dead_events)) == (1, 1)


def test_two_drainers_at_once_fold_everything_once(engine: Engine, folder: Path, drainer: Drainer) -> None:
    sent = [event() for _ in range(600)]
    spooled = [event() for _ in range(600)]
    spool = Spool(folder)
    send(engine, *sent[:300])
    with transaction(engine) as connection:
        bodies = ["\n".join(one.encode() for one in sent[at : at + 10]) for at in range(300, 600, 10)]
        connection.execute(sa.insert(outbox), [{"body": body} for body in bodies])
    for one in spooled:
        spool.append(one.encode())
    spool.close()
    failures: list[BaseException] = []

    def work() -> None:
        mine = Drainer(engine, folder, audience())
        mine._batch = 37
        try:
            for _ in range(200):
                if not mine.run_once() and not mine.waiting():
                    return
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not failures
    assert uids(engine) == {one.id for one in (*sent, *spooled)}
    assert count(engine, dead_events) == 0
    assert sum(row["scans"] for row in rows(engine, Visitor)) == 1200
    assert sum(row["scans"] for row in rows(engine, rollup_total)) == 1200


WRITER = """
import sys
from pathlib import Path
from app.ledger.spool import Spool
from app.rules.tally import ScanEvent
from datetime import UTC, datetime
spool = Spool(Path(sys.argv[1]))
for number in range(10_000_000):
    at = datetime.now(UTC)
    event = ScanEvent(f"{sys.argv[2]}-{number}", "scan", at, 1, f"v{number % 50}", "returning", 7)
    spool.append(event.encode())
    sys.stdout.write(f"{event.id}\\n")  # acknowledged: only now may anybody rely on it
    sys.stdout.flush()
"""


def test_killed_workers_lose_no_acknowledged_event(engine: Engine, folder: Path, drainer: Drainer) -> None:
    acknowledged: set[str] = set()
    for round_ in range(3):
        worker = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(folder), f"worker{round_}"], stdout=subprocess.PIPE, cwd=ROOT
        )
        assert worker.stdout is not None
        acknowledged.add(worker.stdout.readline().decode().strip())
        time.sleep(0.15)
        drainer.run_once()
        os.kill(worker.pid, signal.SIGKILL)
        rest = worker.stdout.read().decode().split("\n")[:-1]
        acknowledged.update(rest)
        worker.stdout.close()
        worker.wait(10)
    drainer.run_until_empty()
    drainer.run_once()
    assert len(acknowledged) > 30
    assert acknowledged <= uids(engine)
    assert sum(row["scans"] for row in rows(engine, rollup_total)) == count(engine, events)
    assert spool_files(folder) == []


DRAINER = """
import sys
from pathlib import Path
from app.db import make_engine
from app.pipeline.drain import Drainer
from tests.happen import audience
drainer = Drainer(make_engine(sys.argv[1]), Path(sys.argv[2]), audience())
drainer._batch = 20
print("ready", flush=True)
while True:
    print(drainer.run_once(), flush=True)
"""


def test_a_drainer_killed_at_any_moment_neither_loses_nor_doubles(
    engine: Engine, database_url: str, folder: Path, drainer: Drainer
) -> None:
    sent = [event() for _ in range(300)]
    spool = Spool(folder)
    for one in sent[:150]:
        spool.append(one.encode())
    spool.close()
    send(engine, *sent[150:])
    for wait in (0.0, 0.03, 0.07):
        worker = subprocess.Popen(
            [sys.executable, "-c", DRAINER, database_url, str(folder)], stdout=subprocess.PIPE, cwd=ROOT
        )
        assert worker.stdout is not None
        assert worker.stdout.readline() == b"ready\n"
        time.sleep(wait)
        os.kill(worker.pid, signal.SIGKILL)
        worker.stdout.close()
        worker.wait(10)
    drainer.run_until_empty()
    assert uids(engine) == {one.id for one in sent}
    assert sum(row["scans"] for row in rows(engine, Visitor)) == 300
    assert sum(row["scans"] for row in rows(engine, rollup_total)) == 300


def test_the_loop_folds_within_a_second_and_ends_when_told(engine: Engine, drainer: Drainer) -> None:
    stop = threading.Event()
    thread = threading.Thread(target=drainer.run, args=(stop,))
    thread.start()
    try:
        send(engine, event())
        assert wait_for(lambda: count(engine, events) == 1, 3.0) < 1.5
    finally:
        stop.set()
        thread.join(10)
    assert not thread.is_alive()


def wait_for(condition: object, seconds: float) -> float:
    began = time.monotonic()
    while not condition():  # type: ignore[operator]
        assert time.monotonic() - began < seconds, "it did not happen"
        time.sleep(0.02)
    return time.monotonic() - began


def test_chores_are_done_once_an_hour(engine: Engine, folder: Path) -> None:
    done: list[int] = []
    drainer = Drainer(engine, folder, audience(), chores=[lambda _connection: done.append(1)])
    stop = threading.Event()
    thread = threading.Thread(target=drainer.run, args=(stop,))
    thread.start()
    try:
        wait_for(lambda: done, 10)
        time.sleep(1.2)
    finally:
        stop.set()
        thread.join(10)
    assert done == [1]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_an_outage_is_logged_once_and_waited_out(
    engine: Engine, drainer: Drainer, caplog: pytest.LogCaptureFixture
) -> None:
    send(engine, event())
    with engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE outbox RENAME TO gone")
    stop = threading.Event()
    thread = threading.Thread(target=drainer.run, args=(stop,))
    thread.start()
    try:
        wait_for(lambda: "take" in caplog.text, 5)
        time.sleep(1.2)
        with engine.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE gone RENAME TO outbox")
        wait_for(lambda: count(engine, events) == 1, 8)
        wait_for(lambda: "folded again" in caplog.text, 5)
    finally:
        stop.set()
        thread.join(10)
    assert [record.levelname for record in caplog.records if record.name == "app.pipeline.drain"] == [
        "ERROR",
        "WARNING",
    ]

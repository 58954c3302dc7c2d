"""Numbers shared by processes: none lost by threads, forks and deaths, and no sum ever falls."""

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from app.outside.tallies import ROWS, Tallies
from tests.servers import ROOT

COUNTS = """
import sys, time
from pathlib import Path
from app.outside.tallies import Tallies
found = Tallies(Path(sys.argv[1]), 3)
for _ in range(1000):
    found.add(((0, 1), (2, 5)))
print("counted", flush=True)
time.sleep(float(sys.argv[2]))
"""


def process(path: Path, stays: float = 0.0) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", COUNTS, str(path), str(stays)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def test_before_the_first_nothing_was_counted(tmp_path: Path) -> None:
    assert Tallies(tmp_path / "tallies", 3).sums() == [0, 0, 0]


def test_threads_lose_nothing(tmp_path: Path) -> None:
    found = Tallies(tmp_path / "tallies", 2)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: found.add(((1, 1),)), range(4000)))
    assert found.sums() == [0, 4000]


def test_processes_count_side_by_side_and_a_dead_one_s_row_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "tallies"
    first, second = process(path, 60), process(path, 60)
    for one in (first, second):
        assert one.stdout is not None and one.stdout.readline() == "counted\n"
    assert Tallies(path, 3).sums() == [2000, 0, 10000]
    first.send_signal(signal.SIGKILL)
    first.communicate(timeout=20)
    third = process(path)
    third.communicate(timeout=60)
    assert Tallies(path, 3).sums() == [3000, 0, 15000]
    second.kill()
    second.communicate(timeout=20)


def test_a_child_of_a_fork_takes_a_row_of_its_own(tmp_path: Path) -> None:
    command = (
        "import os, sys; from pathlib import Path; from app.outside.tallies import Tallies\n"
        "found = Tallies(Path(sys.argv[1]), 1); found.add(((0, 1),))\n"
        "pid = os.fork(); [found.add(((0, 1),)) for _ in range(500)]\n"
        "pid and os.waitpid(pid, 0)"
    )
    done = subprocess.run([sys.executable, "-c", command, str(tmp_path / "t")], cwd=ROOT, check=True, timeout=60)
    assert done.returncode == 0
    assert Tallies(tmp_path / "t", 1).sums() == [1001]


def test_without_a_place_to_write_nothing_is_counted_and_nobody_notices(tmp_path: Path) -> None:
    found = Tallies(tmp_path / "no such folder" / "tallies", 1)
    found.add(((0, 1),))
    assert found.sums() == [0]


def test_more_processes_than_rows_are_not_counted(tmp_path: Path) -> None:
    path = tmp_path / "tallies"
    command = (
        "import fcntl, os, sys, time; f = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)\n"
        f"fcntl.lockf(f, fcntl.LOCK_EX, {ROWS}, 0); print('held', flush=True); time.sleep(60)"
    )
    other = subprocess.Popen([sys.executable, "-c", command, str(path)], stdout=subprocess.PIPE, text=True)
    assert other.stdout is not None and other.stdout.readline() == "held\n"
    found = Tallies(path, 1)
    found.add(((0, 1),))
    assert found.sums() == [0]
    other.kill()
    other.communicate(timeout=20)
    assert os.path.getsize(path) == 8 * ROWS

"""The spool: whole lines, one file a process, nothing lost to fork, rotation or a full disk."""

import fcntl
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from app.ledger.spool import Spool, is_abandoned, retire, spool_files, whole_lines


def lines(folder: Path) -> list[bytes]:
    return [line for file in spool_files(folder) for line, _ in whole_lines(file, 0)]


def test_lines_are_whole_and_in_order(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    for n in range(3):
        spool.append(f"line {n}")
    (file,) = spool_files(tmp_path)
    assert lines(tmp_path) == [b"line 0", b"line 1", b"line 2"]
    first = next(whole_lines(file, 0))
    assert list(whole_lines(file, first[1])) == [(b"line 1", 14), (b"line 2", 21)]
    spool.close()
    spool.close()


def test_half_written_line_waits(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_bytes(b"whole\nhal")
    assert list(whole_lines(file, 0)) == [(b"whole", 6)]


def test_line_longer_than_a_read_is_read_whole(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_bytes(b"x" * 50 + b"\nnext\n")
    assert list(whole_lines(file, 0, limit=4)) == [(b"x" * 50, 51), (b"next", 56)]


def test_file_that_a_drainer_deletes_before_it_is_locked_is_not_written_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, gone = fcntl.flock, []

    def lock_late(fd: int, operation: int) -> None:
        """The drainer comes between the opening of the first file and its lock."""
        if operation == fcntl.LOCK_EX and not gone:
            for file in spool_files(tmp_path):
                gone.append(file)
                assert retire(file, 0)
        lock(fd, operation)

    monkeypatch.setattr(fcntl, "flock", lock_late)
    spool = Spool(tmp_path)
    spool.append("kept")
    assert lines(tmp_path) == [b"kept"]
    assert len(gone) == 1 and spool_files(tmp_path) != gone
    spool.close()


def test_living_writer_keeps_its_file(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.append("one")
    (file,) = spool_files(tmp_path)
    assert not is_abandoned(file) and not retire(file, 4) and file.exists()
    spool.close()
    assert is_abandoned(file)
    assert not retire(file, 3) and file.exists()
    assert retire(file, 4) and not file.exists()
    assert is_abandoned(file) and retire(file, 4)


def test_killed_writer_leaves_every_line_and_its_file_to_others(tmp_path: Path) -> None:
    script = (
        "import os, pathlib, signal, sys; from app.ledger.spool import Spool; s = Spool(pathlib.Path(sys.argv[1]));"
        "[s.append(f'{n}') for n in range(500)]; os.kill(os.getpid(), signal.SIGKILL)"
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], cwd=root, check=False, timeout=60)
    assert done.returncode == -9
    assert lines(tmp_path) == [str(n).encode() for n in range(500)]
    (file,) = spool_files(tmp_path)
    assert is_abandoned(file)


def test_child_of_a_fork_writes_a_file_of_its_own(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.append("parent")
    child = os.fork()
    if child == 0:
        spool.append("child")
        os._exit(0)
    os.waitpid(child, 0)
    spool.append("parent again")
    assert len(spool_files(tmp_path)) == 2
    assert sorted(lines(tmp_path)) == [b"child", b"parent", b"parent again"]
    spool.close()


def test_big_file_is_followed_by_another(tmp_path: Path) -> None:
    spool = Spool(tmp_path, rotate_bytes=10)
    for n in range(4):
        spool.append(f"line {n}")
    assert len(spool_files(tmp_path)) == 2 and len(lines(tmp_path)) == 4
    spool.close()


def test_full_disk_leaves_no_half_line(tmp_path: Path) -> None:
    """In a process of its own whose files may not grow beyond 4 kB: the write is cut short by the kernel."""
    script = """
import pathlib, resource, signal, sys
from app.ledger.spool import Spool
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
before = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
spool, refused = Spool(pathlib.Path(sys.argv[1])), 0
for n in range(10):
    try:
        spool.append("x" * 999)
    except OSError:
        refused += 1
resource.setrlimit(resource.RLIMIT_FSIZE, before)  # whatever measures this process writes its own files at the end
print(refused)
"""
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], cwd=root, check=True, timeout=60, capture_output=True, text=True
    )
    assert done.stdout.strip() == "6"
    assert [len(line) for line in lines(tmp_path)] == [999] * 4
    assert spool_files(tmp_path)[0].stat().st_size == 4000


def test_disk_that_refuses_the_next_file_leaves_no_descriptor_that_is_somebody_elses(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", rotate_bytes=10)
    spool.append("a line longer than that")
    (tmp_path / "spool").rename(tmp_path / "elsewhere")
    (tmp_path / "spool").write_text("in the way")
    with pytest.raises(OSError):
        spool.append("refused")
    with (tmp_path / "another").open("wb") as another:  # gets the number of the file that was closed
        with pytest.raises(OSError):
            spool.append("refused again")
        another.write(b"whole")
    assert (tmp_path / "another").read_bytes() == b"whole"
    spool.close()


def test_number_of_lost_events_is_shared_and_outlives_everybody(tmp_path: Path) -> None:
    one, other = Spool(tmp_path / "spool"), Spool(tmp_path / "spool")
    assert one.losses.total() == 0
    one.append("a line takes the number's place on the disk")
    assert os.stat(tmp_path / "spool" / ".lost").st_size == 8
    one.losses.add(3)
    other.losses.add()
    assert one.losses.total() == other.losses.total() == Spool(tmp_path / "spool").losses.total() == 4
    one.close()


def test_number_is_kept_in_mind_where_there_is_no_disk_for_it(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    spool.losses.add(2)
    assert spool.losses.total() == 2
    (tmp_path / "spool").mkdir()
    spool.losses.add()
    assert Spool(tmp_path / "spool").losses.total() == 3
    assert stat.S_IMODE(os.stat(tmp_path / "spool" / ".lost").st_mode) == 0o600

"""Events that need no transaction of their own, appended to a local file that outlives the process.

One file a worker, `<start>-<pid>-<n>.jsonl`, one event a line. The living worker holds an flock on its file, so whoever
can lock a file knows that its writer is gone and may delete it once drained. A write reaches the kernel before `append`
returns: kill -9 of the worker loses nothing (a power cut may lose what the kernel had not written back). What no disk
takes is counted.
"""

import contextlib
import fcntl
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from struct import Struct

ROTATE_BYTES = 32 * 1024 * 1024


class Losses:
    """How many events neither a store nor the disk took, over all processes that share the folder. The number's place
    on the disk is taken before it is needed, since a full disk is when it counts."""

    def __init__(self, directory: Path) -> None:
        self._file = directory / ".lost"
        self._lock = threading.Lock()
        self._unwritten = 0
        self._is_prepared = False

    def prepare(self) -> None:
        """Takes the place, if the disk has it."""
        if not self._is_prepared:
            self.add(0)

    def add(self, number: int = 1) -> None:
        with self._lock:
            self._unwritten += number
            with contextlib.suppress(OSError):
                fd = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
                try:
                    fcntl.flock(fd, fcntl.LOCK_EX)
                    os.pwrite(fd, _NUMBER.pack(_read_number(fd) + self._unwritten), 0)
                    self._unwritten, self._is_prepared = 0, True
                finally:
                    os.close(fd)

    def total(self) -> int:
        try:
            fd = os.open(self._file, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return self._unwritten
        try:
            return _read_number(fd) + self._unwritten
        finally:
            os.close(fd)


_NUMBER = Struct(">Q")


def _read_number(fd: int) -> int:
    read = os.pread(fd, _NUMBER.size, 0)
    return int(_NUMBER.unpack(read)[0]) if len(read) == _NUMBER.size else 0


class Spool:
    """Append-only event log of this process; safe over threads and across fork."""

    def __init__(self, directory: Path, rotate_bytes: int = ROTATE_BYTES) -> None:
        self.directory = directory
        self.losses = Losses(directory)
        self._rotate_bytes = rotate_bytes
        self._lock = threading.Lock()
        self._pid = -1
        self._fd = -1
        self._size = 0
        self._files = 0

    def append(self, line: str) -> None:
        """One event, one line. Raises OSError when the disk does not take it; then nothing of it is left."""
        data = line.encode() + b"\n"
        with self._lock:
            if self._pid != os.getpid() or self._size > self._rotate_bytes:
                self._open()
            try:
                written = os.write(self._fd, data)
                while written < len(data):  # the last bytes of a disk are taken before it says that it is full
                    written += os.write(self._fd, data[written:])
            except OSError:
                os.ftruncate(self._fd, self._size)
                raise
            self._size += written

    def close(self) -> None:
        with self._lock:
            self._close()

    def _close(self) -> None:
        if self._pid == os.getpid():
            os.close(self._fd)
        self._pid, self._fd = -1, -1

    def _open(self) -> None:
        self._close()  # first, so that a disk that refuses the new file leaves no descriptor that is another's by then
        self.directory.mkdir(parents=True, exist_ok=True)
        self.losses.prepare()
        while True:
            self._files += 1
            path = self.directory / f"{time.time_ns():x}-{os.getpid()}-{self._files}.jsonl"
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            fcntl.flock(fd, fcntl.LOCK_EX)
            if os.fstat(fd).st_nlink:  # a drainer may have locked, found it empty and deleted it between the two calls
                break
            os.close(fd)
        self._fd, self._pid, self._size = fd, os.getpid(), 0


def spool_files(directory: Path) -> list[Path]:
    """Every spool file, oldest first."""
    return sorted(directory.glob("*.jsonl"))


def whole_lines(path: Path, offset: int, limit: int = 1 << 20) -> Iterator[tuple[bytes, int]]:
    """Complete lines from `offset`, each with the offset behind it; about `limit` bytes at a time."""
    with path.open("rb") as file:
        file.seek(offset)
        chunk = file.read(limit)
        while len(chunk) >= limit and b"\n" not in chunk:  # a broken disk's garbage
            limit *= 2
            chunk += file.read(limit - len(chunk))
    for line in chunk.split(b"\n")[:-1]:  # not splitlines, to which a \r ends a line, too
        offset += len(line) + 1
        yield line, offset


def is_abandoned(path: Path) -> bool:
    """Whether the writer of this file is gone, so that nothing more will be appended."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return True
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(fd)
    return True


def retire(path: Path, drained_to: int) -> bool:
    """Deletes a file whose writer is gone and whose every byte was drained; False otherwise."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return True
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(fd).st_size > drained_to:
            return False
        path.unlink(missing_ok=True)
    except BlockingIOError:
        return False
    finally:
        os.close(fd)
    return True

"""Events that need no transaction of their own, appended to a local file that outlives the process.

One file a worker, `<start>-<pid>-<n>.jsonl`, one event a line. The living worker holds an flock on its file, so whoever
can lock a file knows that its writer is gone and may delete it once drained. A write reaches the kernel before `append`
returns: kill -9 of the worker loses nothing (a power cut may lose what the kernel had not written back).
"""

import fcntl
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

ROTATE_BYTES = 32 * 1024 * 1024


class Spool:
    """Append-only event log of this process; safe over threads and across fork."""

    def __init__(self, directory: Path, rotate_bytes: int = ROTATE_BYTES) -> None:
        self.directory = directory
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
                if written < len(data):
                    written += os.write(self._fd, data[written:])
            except OSError:
                os.ftruncate(self._fd, self._size)
                raise
            self._size += written

    def close(self) -> None:
        with self._lock:
            if self._pid == os.getpid() and self._fd >= 0:
                os.close(self._fd)
            self._pid, self._fd = -1, -1

    def _open(self) -> None:
        if self._pid == os.getpid() and self._fd >= 0:
            os.close(self._fd)
        self.directory.mkdir(parents=True, exist_ok=True)
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

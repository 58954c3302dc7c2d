"""Numbers that only rise and that all processes of a machine share: one file, a row for each process, summed by whoever
asks.

A process takes a row by a lock on one of its bytes, which the kernel gives back when the process is gone, however it
went; the next one goes on where that row stands, so that no sum ever falls. Counting costs no system call. What is
counted, and under which name it is told, is up to the caller.
"""

import fcntl
import mmap
import os
import struct
import threading
from collections.abc import Sequence
from pathlib import Path

ROWS = 64


class Tallies:
    """`width` numbers. Safe over threads and forks. Where the file cannot be had, nothing is counted."""

    def __init__(self, path: Path, width: int) -> None:
        self._path, self._width = path, width
        self._lock = threading.Lock()
        self._forget()
        os.register_at_fork(after_in_child=self._forget)

    def _forget(self) -> None:
        """In a child of a fork the row is the parent's."""
        self._lock = threading.Lock()
        self._row: memoryview | None = None
        self._file: int | None = None
        self._is_tried = False

    def add(self, amounts: Sequence[tuple[int, int]]) -> None:
        """Adds to the numbers at these places."""
        with self._lock:
            row = self._row if self._is_tried else self._take()
            if row is not None:
                for place, amount in amounts:
                    row[place] += amount

    def sums(self) -> list[int]:
        """Of all processes there are and were; zeros before the first."""
        try:
            data = self._path.read_bytes()
        except OSError:
            data = b""
        whole = ROWS * self._width
        numbers = struct.unpack(f"={whole}Q", data[: 8 * whole]) if len(data) >= 8 * whole else (0,) * whole
        return [sum(numbers[place :: self._width]) for place in range(self._width)]

    def _take(self) -> memoryview | None:
        self._is_tried = True
        try:
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            size = 8 * ROWS * self._width
            if os.fstat(self._file).st_size < size:
                os.ftruncate(self._file, size)
            row = next(row for row in range(ROWS) if self._is_free(row))
            numbers = memoryview(mmap.mmap(self._file, size)).cast("Q")
            self._row = numbers[row * self._width : (row + 1) * self._width]
        except (OSError, StopIteration):
            self._row = None
        return self._row

    def _is_free(self, row: int) -> bool:
        assert self._file is not None
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, row)
        except OSError:
            return False
        return True

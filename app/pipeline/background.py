"""Where the drainer runs: in a process of its own where there is one, else as a thread of one web worker.

A thread that folds shares its interpreter with the scans it stands beside, and each of them waits for it several times.
So `make run` starts a process for it, and the workers' threads stand back while that one lives. They compete for a lock
on a file; the kernel gives it to another one when its holder ends, however it ends.
"""

import fcntl
import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from app.pipeline.drain import Drainer

log = logging.getLogger(__name__)

RETRY_SECONDS = 1.0


class Background:
    """Owned by one application; started in each process that serves it, never before a fork."""

    def __init__(self, drainer: Drainer, lock_file: Path) -> None:
        self._drainer = drainer
        self._lock_file = lock_file
        self._pid = -1
        self._starting = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def ensure_running(self) -> None:
        """Starts this process's thread unless it has one: cheap enough to be asked at every request."""
        if self._pid == os.getpid():
            return
        with self._starting:
            if self._pid != os.getpid():
                self._stop = threading.Event()
                self._thread = threading.Thread(target=self.run, args=(self._stop,), name="pipeline", daemon=True)
                self._thread.start()
                self._pid = os.getpid()

    def stop(self, seconds: float = 10.0) -> None:
        """Ends this process's thread; what it is folding is finished first."""
        if self._thread is not None and self._pid == os.getpid():
            self._stop.set()
            self._thread.join(seconds)
        self._thread, self._pid = None, -1

    def run(self, stop: threading.Event) -> None:
        """Drains until `stop`, whenever the lock is ours and no process of its own does it."""
        stand_back = _StandBack(stop, self._lock_file)
        while not stop.is_set():
            try:
                if not stand_back.is_set():
                    with _opened(self._lock_file) as file:
                        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                        self._drainer.run(stand_back)
            except BlockingIOError:
                pass  # another worker drains
            except OSError as error:
                log.error("cannot lock %s: %s", self._lock_file, error.strerror)
            stop.wait(RETRY_SECONDS)

    @contextmanager
    def apart(self) -> Iterator[None]:
        """While this process drains and serves nobody. Several may."""
        with _opened(_apart(self._lock_file)) as file:
            fcntl.flock(file, fcntl.LOCK_SH)
            yield


class _StandBack:
    """The `stop` of a worker's drainer: set as well when a process of its own drains."""

    def __init__(self, stop: threading.Event, lock_file: Path) -> None:
        self._stop = stop
        self._file = _apart(lock_file)

    def wait(self, seconds: float) -> bool:
        return self._stop.wait(seconds) or self.is_set()

    def is_set(self) -> bool:
        if self._stop.is_set():
            return True
        try:
            with _opened(self._file) as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


def _apart(lock_file: Path) -> Path:
    return lock_file.with_suffix(".apart")


def _opened(file: Path) -> IO[bytes]:
    file.parent.mkdir(parents=True, exist_ok=True)
    return file.open("ab")

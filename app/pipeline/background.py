"""Runs the drainer as a thread of a web worker, in exactly one worker of a machine at a time.

The workers compete for a lock on a file; the kernel gives it to another one when its holder ends, however it ends.
Where the pipeline runs as a process of its own, the lock merely keeps two of them from doing the same work.
"""

import fcntl
import logging
import os
import threading
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
        """Drains until `stop`, whenever the lock is ours."""
        while not stop.is_set():
            try:
                with _opened(self._lock_file) as file:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    self._drainer.run(stop)
            except BlockingIOError:
                pass  # another process drains
            except OSError as error:
                log.error("cannot lock %s: %s", self._lock_file, error.strerror)
            stop.wait(RETRY_SECONDS)


def _opened(file: Path) -> IO[bytes]:
    file.parent.mkdir(parents=True, exist_ok=True)
    return file.open("ab")

"""A thread that looks until something is so, in whichever process has something to look for."""

import os
import threading
from collections.abc import Callable

PAUSE_SECONDS = 0.5


class Watch:
    """A thread that asks again and again until `is_done`; at most one, in whichever process has something to ask."""

    def __init__(self, is_done: Callable[[], bool], pause_seconds: float = PAUSE_SECONDS) -> None:
        self._is_done, self._pause = is_done, pause_seconds
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self._pid = -1

    def ensure_running(self) -> None:
        if self._thread is not None and self._pid == os.getpid():
            return
        with self._lock:
            if self._thread is None or self._pid != os.getpid():
                self._stop, self._pid = threading.Event(), os.getpid()
                self._thread = threading.Thread(target=self._run, args=(self._stop,), name="watch", daemon=True)
                self._thread.start()

    def stop(self) -> None:
        thread = self._thread
        if thread is not None and self._pid == os.getpid():
            self._stop.set()
            thread.join(10)

    def _run(self, stop: threading.Event) -> None:
        while not stop.wait(self._pause):
            with self._lock:
                if self._is_done():
                    self._thread = None
                    return

"""What an outage of SQL may cost the people who scan: one of them waits for it, the others are told at once.

Decides for how long a database that did not answer is left alone, and who may find out whether it is back: one caller
in a while. What is shown to people meanwhile is the scan door's business.
"""

import threading
from time import monotonic

PAUSE_SECONDS = 1.0


class Breaker:
    """Of one database, in one process. `answer_seconds`: how long it may take to find out whether it is back; nobody
    else tries meanwhile. Safe over threads."""

    def __init__(self, answer_seconds: float = 0.0, pause_seconds: float = PAUSE_SECONDS) -> None:
        self._answer = answer_seconds
        self._pause = pause_seconds
        self._lock = threading.Lock()
        self._until = 0.0  # 0: the database answers

    @property
    def is_open(self) -> bool:
        """Whether the database is taken to be down."""
        return self._until != 0.0

    @property
    def is_resting(self) -> bool:
        """Whether it is left alone now, while somebody may be finding out; takes nobody's place."""
        return self._until != 0.0 and monotonic() < self._until

    def refuses(self) -> bool:
        """Whether to give up at once. While the database is down False for one caller a pause: who must report how
        asking it went, by `trip` or `mend`."""
        if not self._until:
            return False
        with self._lock:
            if monotonic() < self._until:
                return True
            self._until = monotonic() + self._answer + self._pause
            return False

    def trip(self) -> None:
        """The database did not answer in time."""
        with self._lock:
            self._until = monotonic() + self._pause

    def mend(self) -> None:
        """It did."""
        if self._until:
            self._until = 0.0

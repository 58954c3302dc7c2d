"""What an outage of SQL may cost the people who scan: one of them waits for it, the others are told at once.

Decides for how long a database that did not answer is left alone, and who may find out whether it is back: one caller
in a while, over all processes of one server. What is shown to people meanwhile is the scan door's business.
"""

import mmap
import threading
from time import monotonic

PAUSE_SECONDS = 1.0


class Moments:
    """Points in time (`time.monotonic`, seconds; 0.0: none), shared with every process that is forked later: what one
    worker has waited to learn of a store, the others need not."""

    def __init__(self, number: int = 1) -> None:
        self._cells = memoryview(mmap.mmap(-1, 8 * number)).cast("d")

    def __getitem__(self, place: int) -> float:
        return self._cells[place]

    def __setitem__(self, place: int, moment: float) -> None:
        self._cells[place] = moment

    def __len__(self) -> int:
        return len(self._cells)


class Breaker:
    """Of one database, in the process that made it and its children. `answer_seconds`: how long it may take to find out
    whether it is back; nobody else tries meanwhile. Safe over threads; two processes may both try at one moment."""

    def __init__(self, answer_seconds: float = 0.0, pause_seconds: float = PAUSE_SECONDS) -> None:
        self._answer = answer_seconds
        self._pause = pause_seconds
        self._lock = threading.Lock()
        self._until = Moments()  # none: the database answers

    @property
    def is_open(self) -> bool:
        """Whether the database is taken to be down."""
        return self._until[0] != 0.0

    @property
    def is_resting(self) -> bool:
        """Whether it is left alone now, while somebody may be finding out; takes nobody's place."""
        return self._until[0] != 0.0 and monotonic() < self._until[0]

    def refuses(self) -> bool:
        """Whether to give up at once. While the database is down False for one caller a pause: who must report how
        asking it went, by `trip` or `mend`."""
        if not self._until[0]:
            return False
        with self._lock:
            if monotonic() < self._until[0]:
                return True
            self._until[0] = monotonic() + self._answer + self._pause
            return False

    def trip(self) -> None:
        """The database did not answer in time."""
        with self._lock:
            self._until[0] = monotonic() + self._pause

    def mend(self) -> None:
        """It did."""
        if self._until[0]:
            self._until[0] = 0.0

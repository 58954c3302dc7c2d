"""Being told to stop: SIGTERM and SIGINT as an event that a loop waits for.

What is still finished before the end is the loop's business.
"""

import signal
from queue import SimpleQueue
from threading import Event, Thread


def told_to_stop() -> Event:
    """An event that the first of these signals sets. For a process's main thread, once.

    The handler itself must not set it: run in the middle of the main thread's own `wait`, it would want the lock which
    that holds, and neither would ever go on. A SimpleQueue may be put into from anywhere.
    """
    stop, told = Event(), SimpleQueue[int]()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _frame: told.put(number))

    def wait() -> None:
        told.get()
        stop.set()

    Thread(target=wait, name="signals", daemon=True).start()
    return stop

"""A ledger that is timed: how long each claim took, for `/metrics`. Everything else is the ledger's own.

A claim is what a scan waits for, so the watch costs a microsecond of its half a millisecond and no more.
"""

from bisect import bisect_left
from time import perf_counter
from typing import Any, cast

from app.ledger.protocol import Answer, Claim, Ledger

# Upper edges in seconds: a claim takes 0.3 ms in Redis, 1 to 5 in SQL, and more when something is wrong.
EDGES = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
# Places of the numbers: a bucket for each edge and one beyond, then all microseconds together, then claims that failed.
MICROSECONDS, FAILED = len(EDGES) + 1, len(EDGES) + 2
WIDTH = len(EDGES) + 3


class TimedLedger:
    """`tallies` has `add`, see `outside.tallies`."""

    def __init__(self, ledger: Ledger, tallies: Any) -> None:
        self._ledger, self._claim, self._add = ledger, ledger.claim, tallies.add

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)

    def claim(self, claim: Claim) -> Answer:
        began = perf_counter()
        try:
            answer = self._claim(claim)
        except BaseException:
            self._add(((FAILED, 1),))
            raise
        took = perf_counter() - began
        self._add(((bisect_left(EDGES, took), 1), (MICROSECONDS, int(took * 1e6))))
        return answer


def timed(ledger: Ledger, tallies: Any) -> Ledger:
    return cast(Ledger, TimedLedger(ledger, tallies))

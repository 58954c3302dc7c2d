"""What this process has told Redis and nobody is known to have brought into SQL yet.

A Redis that forgets everything (killed without its append-only file, flushed) forgets the events that waited in it,
too. Whoever put them there still remembers them: as soon as a bucket is seen to have begun another life, they are told
again, through the spool. An event counts once, so telling one twice does no harm. What nobody remembers is counted.
"""

import logging
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Any

from app.ledger import keys
from app.ledger.protocol import LedgerDown
from app.ledger.scripts import SLOTS
from app.ledger.servers import Servers
from app.ledger.spool import Spool
from app.ledger.watch import Watch
from app.ledger.wire import Refused, encode
from app.rules.tally import ScanEvent

log = logging.getLogger(__name__)

MOST_REMEMBERED = 20_000  # events; 10 MB a process, reached only while nobody drains
LOOK_SECONDS = 1.0
# So many events may stand in another order here than in Redis, at most: a thread is put aside between two lines.
OUT_OF_ORDER = 64

# Of each bucket: when we asked, the epoch it is in (0: none yet; None: a rebuild is at work), how many events wait.
Lives = dict[int, tuple[float, int | None, int]]


@dataclass(slots=True)
class Told:
    """One event and what its answer added to it, in the life of its bucket that `epoch` names."""

    at: float
    bucket: int
    epoch: int
    event: ScanEvent
    answer: Mapping[str, Any]


class Recent:
    """Safe over threads and across fork."""

    def __init__(self, servers: Servers, spool: Spool, most_remembered: int = MOST_REMEMBERED) -> None:
        self._servers, self._spool, self._most_remembered = servers, spool, most_remembered
        self._told: deque[Told] = deque()
        self._forgotten = 0
        self._watch = Watch(self._is_all_drained, LOOK_SECONDS)

    def note(self, bucket: int, epoch: int, event: ScanEvent, answer: Mapping[str, Any]) -> None:
        """Redis has acknowledged this event."""
        if len(self._told) >= self._most_remembered:
            self._told.popleft()
            self._forgotten += 1
        self._told.append(Told(monotonic(), bucket, epoch, event, answer))
        self._watch.ensure_running()

    def close(self) -> None:
        self._watch.stop()

    def look(self) -> None:
        """Drops what was drained, tells again what was lost. Raises LedgerDown when Redis does not answer."""
        told = [self._told.popleft() for _ in range(len(self._told))]
        kept: list[Told] = []
        try:
            lives = self._lives(sorted({one.bucket for one in told}))
            kept, lost = _sorted_out(told, lives)
        except LedgerDown:
            kept = told
            raise
        finally:
            self._told.extendleft(reversed(kept))
        if lost:
            self._tell_again(lost)
        elif not kept:
            self._forgotten = 0

    def _lives(self, buckets: list[int]) -> Lives:
        asked = [[b"HMGET", keys.versions(bucket).encode(), b"e", b"closed"] for bucket in buckets]
        asked += [[b"XLEN", keys.stream(bucket).encode()] for bucket in buckets]
        began = monotonic()
        try:
            answers = self._servers.ask_each(
                [(SLOTS[bucket], encode(words)) for bucket, words in zip(buckets * 2, asked, strict=True)]
            )
        except Refused as refused:
            raise LedgerDown(str(refused)) from refused
        lives: Lives = {}
        for bucket, (epoch, closed), waiting in zip(buckets, answers, answers[len(buckets) :], strict=False):
            lives[bucket] = (began, None if closed is not None else int(epoch or 0), waiting)
        return lives

    def _tell_again(self, lost: list[Told]) -> None:
        gone, self._forgotten = self._forgotten, 0
        told = 0
        for one in lost:
            try:
                self._spool.append(one.event.with_answer(**one.answer).encode())
                told += 1
            except OSError:
                gone += 1
        log.error("Redis has begun a new life: %d events that waited there are told again, %d are lost", told, gone)
        if gone:
            self._spool.losses.add(gone)

    def _is_all_drained(self) -> bool:
        try:
            self.look()
        except LedgerDown as down:
            log.debug("nobody knows what was drained: %s", down)
        return not self._told


def _sorted_out(told: list[Told], lives: Lives) -> tuple[list[Told], list[Told]]:
    """Those that may still wait, and those that went with the life of their bucket; oldest first."""
    kept, lost = [], []
    seen: dict[int, int] = {}
    for one in reversed(told):
        began, epoch, waiting = lives[one.bucket]
        if one.epoch and epoch is not None and one.epoch != epoch:
            lost.append(one)
        elif one.at >= began or (waiting and seen.get(one.bucket, 0) < waiting + OUT_OF_ORDER):
            # Those of ours that wait there are our newest: at most so many.
            seen[one.bucket] = seen.get(one.bucket, 0) + 1
            kept.append(one)
    return kept[::-1], lost[::-1]

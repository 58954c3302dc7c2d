"""One transaction for everybody of this process who wants to write at the same moment: group commit, for SQLite.

Its single writer is held for as long as a transaction takes, and a thread that works through eight statements gives its
interpreter away at each of them to the others, who only want to queue. So whoever comes first does the work of all who
wait, in the order in which they came, and commits once; PostgreSQL does the like by itself.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, TypeVar

from sqlalchemy.engine import Connection

T = TypeVar("T")
MOST = 64  # pieces of work in one transaction, so that nobody waits for the very last of a crowd


class Together:
    """`writing` opens a transaction; an error of kind `outage` in it is everybody's, any other its own piece's."""

    def __init__(
        self, writing: Callable[[], AbstractContextManager[Connection]], outage: type[Exception], most: int = MOST
    ) -> None:
        self._writing = writing
        self._outage = outage
        self._most = most
        self._waiting: deque[_Piece] = deque()
        self._mutex = threading.Lock()
        self._is_led = False

    def run(self, work: Callable[[Connection], T]) -> T:
        """What `work` answers, once it is committed; raises what it raised, and then nothing of it was written."""
        mine = _Piece(work)
        with self._mutex:
            self._waiting.append(mine)
            leads, self._is_led = not self._is_led, True
        if not leads:
            mine.woken.acquire()
        if not mine.is_done:
            self._lead(mine)
        if mine.error is not None:
            raise mine.error
        answer: T = mine.answer
        return answer

    def _lead(self, mine: "_Piece") -> None:
        """Mine is the first that waits: it and the others until now, then whoever came meanwhile leads in turn."""
        with self._mutex:
            batch = [self._waiting.popleft() for _ in range(min(self._most, len(self._waiting)))]
        try:
            self._do(batch)
        finally:
            with self._mutex:
                successor = self._waiting[0] if self._waiting else None
                self._is_led = successor is not None
            for piece in batch:
                if piece is not mine:
                    piece.woken.release()
            if successor is not None:
                successor.woken.release()

    def _do(self, batch: Sequence["_Piece"]) -> None:
        try:
            with self._writing() as connection:
                answers = [piece.work(connection) for piece in batch]
        except self._outage as error:
            for piece in batch:
                piece.fails(error)
        except BaseException as error:
            if len(batch) == 1:
                batch[0].fails(error)
                return
            for piece in batch:  # nothing was written; whose fault it was shows when each stands alone
                self._do([piece])
        else:
            for piece, answer in zip(batch, answers, strict=True):
                piece.answer, piece.is_done = answer, True


class _Piece:
    """One caller's work, and the lock it sleeps on until somebody has done it, or it is its turn to lead."""

    __slots__ = ("answer", "error", "is_done", "woken", "work")

    def __init__(self, work: Callable[[Connection], Any]) -> None:
        self.work = work
        self.answer: Any = None
        self.error: BaseException | None = None
        self.is_done = False
        self.woken = threading.Lock()
        self.woken.acquire()

    def fails(self, error: BaseException) -> None:
        self.error, self.is_done = error, True

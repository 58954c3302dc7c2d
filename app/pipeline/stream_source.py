"""Scan events that the Redis ledger left in its streams: folded like all others, and seats settled beside them.

One SQL transaction a batch holds the events, what everybody keeps of them, the seats and the counts; only when it has
committed are the entries acknowledged. A crash in between folds them again, which changes nothing.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

from sqlalchemy import Connection

from app.ledger.settling import settle
from app.ledger.streams import Entry as Told
from app.ledger.streams import Streams
from app.ledger.truth import Truth
from app.pipeline.fold import Audience, fold_entries
from app.pipeline.lines import Entry

Writing = Callable[[], AbstractContextManager[Connection]]


class StreamSource:
    def __init__(self, streams: Streams, truth: Truth) -> None:
        self.streams = streams
        self._truth = truth

    def drain(self, writing: Writing, audience: Audience, batch: int) -> int:
        """Everything that waits now, `batch` entries a transaction; how many there were."""
        entries = self.streams.read()
        for start in range(0, len(entries), batch):
            part = entries[start : start + batch]
            with writing() as connection:
                fold_entries(connection, _as_lines(part), audience)
                settle(connection, part, self._truth)
            self.streams.acknowledge(part)
        self.streams.settled()
        return len(entries)


def _as_lines(part: Sequence[Told]) -> list[Entry]:
    return [Entry(told.origin, told.event) for told in part]

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
from app.pipeline.lines import Entry, read
from app.rules.tally import ScanEvent

CatchUp = Callable[[ScanEvent], object]
Writing = Callable[[], AbstractContextManager[Connection]]


class StreamSource:
    """`catch_up` is given every event that SQL may not have heard of in time: a reserve that came into play, a group
    that lets nobody in. It is called before the entry is acknowledged, so that a failure brings both back."""

    def __init__(self, streams: Streams, truth: Truth, catch_up: CatchUp = lambda _event: None) -> None:
        self.streams = streams
        self._truth = truth
        self._catch_up = catch_up

    def drain(self, writing: Writing, audience: Audience, batch: int) -> int:
        """Everything that waits now, `batch` entries a transaction; how many there were."""
        entries = self.streams.read()
        for start in range(0, len(entries), batch):
            part = entries[start : start + batch]
            with writing() as connection:
                fold_entries(connection, _as_lines(part), audience)
                settle(connection, part, self._truth)
            self._follow(part)
            self.streams.acknowledge(part)
        self.streams.settled()
        return len(entries)

    def _follow(self, part: Sequence[Told]) -> None:
        due: dict[object, ScanEvent] = {}
        for told in part:
            if b'"rank":"reserve"' in told.event or b'"type":"stuck"' in told.event:
                good, _ = read(_as_lines([told]))
                due.update({(event.type, event.live_code_id, event.member_id): event for _, event in good})
        for event in due.values():
            self._catch_up(event)


def _as_lines(part: Sequence[Told]) -> list[Entry]:
    return [Entry(told.origin, told.event) for told in part]

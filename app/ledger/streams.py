"""The streams of events, one a bucket, as the pipeline reads them: in batches, each entry until it is acknowledged.

Any number of readers share them. What a reader took and did not acknowledge, because it was killed, is given to another
one after a while. An acknowledged entry is deleted, so what a stream holds is what waits.
"""

import os
import secrets
import socket
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from app.ledger import keys
from app.ledger.protocol import LedgerDown
from app.ledger.scripts import SLOTS
from app.ledger.servers import Servers
from app.ledger.wire import Refused, encode

TAKE_OVER_MILLISECONDS = 15_000
TAKE_OVER_EVERY_SECONDS = 5.0
PER_STREAM = 500
MARK_BITS = 20  # of an entry's mark, for its number within a millisecond

_STREAMS = [keys.stream(bucket).encode() for bucket in range(keys.BUCKETS)]
_GROUP = keys.GROUP.encode()


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry. `scope`, `value` and `counts` say what became of a seat; empty where nothing did."""

    bucket: int
    id: bytes
    event: bytes
    scope: bytes = b""
    value: bytes = b""
    counts: bytes = b""

    @property
    def origin(self) -> str:
        return f"stream:{self.bucket}:{self.id.decode()}"

    @property
    def mark(self) -> int:
        """Grows from entry to entry of a stream."""
        milliseconds, _, number = self.id.partition(b"-")
        return int(milliseconds) << MARK_BITS | int(number)


class Streams:
    """One reader. Not for several threads at once. `take_over_milliseconds`: after so long what another one holds is
    taken to be a killed one's."""

    def __init__(self, servers: Servers, take_over_milliseconds: int = TAKE_OVER_MILLISECONDS) -> None:
        self._servers = servers
        self._take_over_milliseconds = take_over_milliseconds
        self._name = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}".encode()
        self._pid = os.getpid()
        self._owes = False  # entries of ours were read and not acknowledged
        self._take_over_at = 0.0

    def read(self) -> list[Entry]:
        """The next entries of every stream, oldest first; [] when nothing waits."""
        if self._pid != os.getpid():
            self._name, self._pid = f"{self._name.decode()}-{os.getpid()}".encode(), os.getpid()
        entries = self._given(b"0") if self._owes else []
        if not entries:
            self._owes = False
            if time.monotonic() > self._take_over_at:
                self._take_over_at = time.monotonic() + TAKE_OVER_EVERY_SECONDS
                entries = self._taken_over()
            entries = entries or self._given(b">")
        self._owes = bool(entries)
        return entries

    def acknowledge(self, entries: Sequence[Entry]) -> None:
        """These are in SQL."""
        ids: dict[int, list[bytes]] = {}
        for entry in entries:
            ids.setdefault(entry.bucket, []).append(entry.id)
        self._ask([(b, [b"XACK", _STREAMS[b], _GROUP, *of]) for b, of in ids.items()])
        self._ask([(b, [b"XDEL", _STREAMS[b], *of]) for b, of in ids.items()])

    def settled(self) -> None:
        """All that was read has been acknowledged."""
        self._owes = False

    def waiting(self) -> int:
        """Entries not in SQL yet."""
        return sum(self._ask([(bucket, [b"XLEN", name]) for bucket, name in enumerate(_STREAMS)]))

    def lag_seconds(self) -> float:
        """How long the oldest entry has been waiting."""
        oldest = self._ask([(b, [b"XRANGE", name, b"-", b"+", b"COUNT", b"1"]) for b, name in enumerate(_STREAMS)])
        begun = [int(entries[0][0].partition(b"-")[0]) for entries in oldest if entries]
        return max(0.0, time.time() - min(begun) / 1000) if begun else 0.0

    def _given(self, after: bytes) -> list[Entry]:
        read = [b"XREADGROUP", b"GROUP", _GROUP, self._name, b"COUNT", b"%d" % PER_STREAM, b"STREAMS"]
        answers = self._of_group([(bucket, [*read, name, after]) for bucket, name in enumerate(_STREAMS)])
        found = ((bucket, answer[0][1]) for bucket, answer in enumerate(answers) if answer)
        return [_entry(bucket, one) for bucket, entries in found for one in entries if one[1] is not None]

    def _taken_over(self) -> list[Entry]:
        idle = b"%d" % self._take_over_milliseconds
        tail = [_GROUP, self._name, idle, b"0-0", b"COUNT", b"%d" % PER_STREAM]
        answers = self._of_group([(b, [b"XAUTOCLAIM", name, *tail]) for b, name in enumerate(_STREAMS)])
        return [_entry(bucket, one) for bucket, answer in enumerate(answers) for one in answer[1] if one[1] is not None]

    def _of_group(self, commands: Sequence[tuple[int, Sequence[bytes]]]) -> list[Any]:
        try:
            return self._ask(commands)
        except LedgerDown as down:
            if "NOGROUP" not in str(down):
                raise
        for bucket, name in enumerate(_STREAMS):
            try:
                self._servers.ask(SLOTS[bucket], encode([b"XGROUP", b"CREATE", name, _GROUP, b"0", b"MKSTREAM"]))
            except Refused as refused:
                if "BUSYGROUP" not in str(refused):
                    raise LedgerDown(str(refused)) from refused
        return self._ask(commands)

    def _ask(self, commands: Iterable[tuple[int, Sequence[bytes]]]) -> list[Any]:
        try:
            return self._servers.ask_each([(SLOTS[bucket], encode(words)) for bucket, words in commands])
        except Refused as refused:
            raise LedgerDown(str(refused)) from refused


def _entry(bucket: int, one: Any) -> Entry:
    id_, flat = one
    fields = dict(zip(flat[::2], flat[1::2], strict=True))
    return Entry(
        bucket, id_, fields.get(b"e", b""), fields.get(b"s", b""), fields.get(b"v", b""), fields.get(b"c", b"")
    )

"""The ledger's Lua scripts, ready to be run: one message, one answer, by digest.

A script is sent whole only to a server that does not know it yet (a new one, or one that has forgotten).
"""

from functools import cache
from hashlib import sha1
from pathlib import Path
from typing import Any

from app.ledger import keys
from app.ledger.protocol import LedgerDown
from app.ledger.servers import Servers, slot_of
from app.ledger.wire import Refused, encode

HERE = Path(__file__).parent
MOST_EVENTS = 200_000  # waiting in one bucket's stream; at ~250 bytes each, all buckets full are 3 GB

SLOTS = [slot_of(keys.versions(bucket)) for bucket in range(keys.BUCKETS)]
_KEYS = [keys.versions(bucket).encode() for bucket in range(keys.BUCKETS)]


@cache
def text(name: str) -> bytes:
    limit = f"local MOST_EVENTS = {MOST_EVENTS}\n"
    return (limit + (HERE / "seats.lua").read_text() + (HERE / f"{name}.lua").read_text()).encode()


@cache
def digest(name: str) -> bytes:
    return sha1(text(name), usedforsecurity=False).hexdigest().encode()


@cache
def head(name: str, bucket: int, arguments: int) -> bytes:
    """The message up to its arguments; each of those follows as `$length\\r\\n…\\r\\n`."""
    return b"*%d\r\n$7\r\nEVALSHA\r\n$40\r\n%b\r\n$1\r\n1\r\n$%d\r\n%b\r\n" % (
        arguments + 4,
        digest(name),
        len(_KEYS[bucket]),
        _KEYS[bucket],
    )


def bulk(word: bytes) -> bytes:
    return b"$%d\r\n%b\r\n" % (len(word), word)


class Scripts:
    """Runs scripts where a bucket's keys are. LedgerDown when the server does not answer, or refuses."""

    def __init__(self, servers: Servers) -> None:
        self.servers = servers

    def send(self, name: str, bucket: int, message: bytes) -> Any:
        """`message`: `head` and the arguments."""
        try:
            return self.servers.ask(SLOTS[bucket], message)
        except Refused as refused:
            if not str(refused).startswith("NOSCRIPT"):
                raise LedgerDown(f"{name}: {refused}") from refused
        try:
            self.servers.ask(SLOTS[bucket], encode([b"SCRIPT", b"LOAD", text(name)]))
            return self.servers.ask(SLOTS[bucket], message)
        except Refused as refused:
            raise LedgerDown(f"{name}: {refused}") from refused

    def run(self, name: str, bucket: int, *arguments: bytes) -> Any:
        return self.send(name, bucket, self.message(name, bucket, *arguments))

    def message(self, name: str, bucket: int, *arguments: bytes) -> bytes:
        return head(name, bucket, len(arguments)) + b"".join([bulk(word) for word in arguments])

    def command(self, bucket: int, *words: bytes) -> Any:
        """One plain command on keys of this bucket."""
        try:
            return self.servers.ask(SLOTS[bucket], encode(words))
        except Refused as refused:
            raise LedgerDown(f"{words[0].decode()}: {refused}") from refused

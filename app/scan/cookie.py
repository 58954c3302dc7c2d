"""What a visitor's cookie carries: a random number, the city they chose, and the newest seats they took.

It is what still knows somebody's group when the store was lost; whether a seat in it counts is the ledger's decision
(its epoch). Small, because a phone sends it with every request; signed by `visitor`.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator
from dataclasses import dataclass

from app.ledger.protocol import KeptSeat

MOST_SEATS = 20
VISITOR_BYTES = 16

_LAYOUT = 1
# How a scope is written: by name, or by the live code's number alone, or with the choice's.
_NAMED, _OWN, _CHOICE = range(3)
_SMALL = tuple(bytes((number,)) for number in range(0x80))


@dataclass(frozen=True, slots=True)
class Kept:
    """What the cookie says. `since_day` is the day it was sent (days since 1970), `seats` are the newest first."""

    visitor: str
    since_day: int
    city: str | None = None
    seats: tuple[tuple[str, KeptSeat], ...] = ()

    def with_seat(self, scope: str, seat: KeptSeat | None) -> "Kept":
        """The seat of `scope` replaced, or forgotten; the oldest beyond the limit fall off."""
        others = tuple(pair for pair in self.seats if pair[0] != scope)
        mine = () if seat is None else ((scope, seat),)
        return Kept(self.visitor, self.since_day, self.city, (mine + others)[:MOST_SEATS])


def pack(kept: Kept) -> bytes:
    """Layout 1: visitor, day, city, seats; numbers as varints, a scope by the numbers it is made of where it can be."""
    city = (kept.city or "").encode()
    out = bytearray((_LAYOUT,))
    out += urlsafe_b64decode(kept.visitor + "==")
    out += _varint(kept.since_day) + _varint(len(city)) + city
    for scope, seat in kept.seats:
        out += _packed_scope(scope, seat.live_code_id)
        for number in (seat.live_code_id, seat.member_id, seat.generation, seat.epoch):
            out += _varint(number)
    return bytes(out)


def unpack(payload: bytes) -> Kept | None:
    """None where it is no layout we know: written by another release."""
    try:
        read = _Reader(payload)
        if read.byte() != _LAYOUT:
            return None
        visitor = urlsafe_b64encode(read.take(VISITOR_BYTES)).rstrip(b"=").decode()
        day = read.varint()
        city = read.take(read.varint()).decode() or None
        return Kept(visitor, day, city, tuple(_seats(read)))
    except (IndexError, UnicodeDecodeError):
        return None


def _seats(read: "_Reader") -> Iterator[tuple[str, KeptSeat]]:
    while read.has_more():
        tag = read.byte()
        tail = read.take(read.varint()).decode() if tag == _NAMED else str(read.varint()) if tag == _CHOICE else ""
        seat = KeptSeat(read.varint(), read.varint(), read.varint(), read.varint())
        yield _scope(tag, seat.live_code_id, tail), seat


def _packed_scope(scope: str, live_code_id: int) -> bytes:
    own = f"lc:{live_code_id}"
    if scope == own:
        return bytes((_OWN,))
    choice = scope.removeprefix(f"{own}:c:")
    if choice != scope and choice.isascii() and choice.isdigit():
        return bytes((_CHOICE,)) + _varint(int(choice))
    name = scope.encode()
    return bytes((_NAMED,)) + _varint(len(name)) + name


def _scope(tag: int, live_code_id: int, tail: str) -> str:
    if tag == _NAMED:
        return tail
    return f"lc:{live_code_id}" + (f":c:{tail}" if tag == _CHOICE else "")


def _varint(number: int) -> bytes:
    if number <= 0x7F:
        return _SMALL[number]
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


class _Reader:
    """Takes a payload apart from the left; IndexError where it ends too early."""

    def __init__(self, payload: bytes) -> None:
        self._payload = payload
        self._at = 0

    def has_more(self) -> bool:
        return self._at < len(self._payload)

    def byte(self) -> int:
        value = self._payload[self._at]
        self._at += 1
        return value

    def take(self, length: int) -> bytes:
        value = self._payload[self._at : self._at + length]
        if len(value) < length:
            raise IndexError("the payload ends too early")
        self._at += length
        return value

    def varint(self) -> int:
        number = shift = 0
        while True:
            value = self.byte()
            number |= (value & 0x7F) << shift
            if value < 0x80:
                return number
            shift += 7

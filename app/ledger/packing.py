"""How seats, counts and plans are written for the scripts: a few bytes each, the same layouts as in `seats.lua`.

Times are whole milliseconds since 2024, days count from year 1, a slot is a minute.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from math import gcd
from struct import Struct

from app.rules.model import Candidate, Mode, Rank, Seat, Tier

BASE = datetime(2024, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)
SLOT = 60_000
NEVER = 0xFFFFFFFF  # no limit
COUNTED, LAPSES, WIDE, HAS_CHOICE, PRESSED, RECOUNTED, FOREIGN, MORE = (1 << n for n in range(8))

_KEPT = Struct("<I").pack, Struct(">HHIIIB").pack
KEPT_BYTES = 21
_PLAIN = Struct(">BHBBBIB")  # flags, member in three bytes, generation, counted_from, moment in five


def millis(at: datetime) -> int:
    return (at - BASE) // MILLISECOND


def moment(at: int) -> datetime:
    return BASE + at * MILLISECOND


def slots_before(before: datetime | None) -> int:
    """Slots that had wholly passed at this moment; seats of such a slot lapse. None: 0, which no slot is below."""
    return max(0, millis(before) // SLOT) if before is not None else 0


def day_number(day: date | None) -> int:
    return day.toordinal() if day is not None else 0


def day_of(number: int) -> date | None:
    return date.fromordinal(number) if number else None


@lru_cache(4096)
def visitor_field(visitor: str) -> bytes:
    """16 bytes for an id of ours, the text itself for any other."""
    if len(visitor) == 22:
        try:
            raw = urlsafe_b64decode(visitor + "==")
        except (ValueError, Error):
            return visitor.encode()
        if urlsafe_b64encode(raw).rstrip(b"=") == visitor.encode():
            return raw
    return visitor.encode()


def visitor_of(name: bytes) -> str:
    return urlsafe_b64encode(name).rstrip(b"=").decode() if len(name) == 16 else name.decode()


def spread(name: bytes) -> int:
    """Which of a scope's hashes a visitor's seat is in."""
    return int.from_bytes(name[-6:], "big") % 2654435761


@dataclass(slots=True)
class Row:
    """A visitor's row in a scope, as the store keeps it. `member_id` 0: no seat, only what must outlive it."""

    live_code_id: int
    member_id: int = 0
    generation: int = 0
    counted_from: int = 0
    choice_id: int = 0
    taken: int = 0
    counted_at: int = 0
    pressed: int = 0
    counted: bool = False
    lapses: bool = False
    changes: int = 0
    stuck_on: int = 0
    stuck_count: int = 0
    refused: tuple[int, ...] = ()

    def seat(self, lapsed: bool = False) -> Seat:
        return Seat(
            live_code_id=self.live_code_id,
            member_id=self.member_id,
            generation=self.generation,
            taken_at=moment(self.taken),
            choice_id=self.choice_id or None,
            pressed_at=moment(self.pressed) if self.pressed else None,
            counted=self.counted and not lapsed,
            changes=self.changes,
        )


def read_row(value: bytes, live_code_id: int) -> Row:
    """`live_code_id`: of the scope, for a value that does not name its own."""
    flags = value[0]
    if flags <= COUNTED | LAPSES:  # most seats: no number is large, nothing has happened to them yet
        _, high, low, generation, counted_from, early, late = _PLAIN.unpack(value)
        taken = early << 8 | late
        return Row(
            live_code_id, high << 8 | low, generation, counted_from, taken=taken, counted_at=taken,
            counted=bool(flags & COUNTED), lapses=bool(flags & LAPSES),
        )  # fmt: skip
    take = _Reader(value, 1)
    if flags & WIDE:
        member, generation, counted_from = take.number(4), take.number(2), take.number(2)
    else:
        member, generation, counted_from = take.number(3), take.number(1), take.number(1)
    taken = take.number(5)
    row = Row(live_code_id, member, generation, counted_from, taken=taken, counted_at=taken)
    row.counted, row.lapses = bool(flags & COUNTED), bool(flags & LAPSES)
    if flags & HAS_CHOICE:
        row.choice_id = take.number(4)
    if flags & PRESSED:
        row.pressed = take.number(5)
    if flags & RECOUNTED:
        row.counted_at = take.number(5)
    if flags & FOREIGN:
        row.live_code_id = take.number(4)
    if flags & MORE:
        row.changes, row.stuck_on, row.stuck_count = take.number(1), take.number(4), take.number(1)
        row.refused = tuple(take.number(4) for _ in range((len(value) - take.at) // 4))
    return row


def write_row(row: Row, live_code_id: int) -> bytes:
    wide = row.member_id > 0xFFFFFF or row.generation > 255 or row.counted_from > 255
    flags = COUNTED * row.counted | LAPSES * row.lapses | WIDE * wide
    head = _big(row.member_id, 4 if wide else 3)
    head += _big(row.generation, 2 if wide else 1) + _big(row.counted_from, 2 if wide else 1) + _big(row.taken, 5)
    if row.choice_id:
        flags, head = flags | HAS_CHOICE, head + _big(row.choice_id, 4)
    if row.pressed:
        flags, head = flags | PRESSED, head + _big(row.pressed, 5)
    if row.counted_at != row.taken:
        flags, head = flags | RECOUNTED, head + _big(row.counted_at, 5)
    if row.live_code_id != live_code_id:
        flags, head = flags | FOREIGN, head + _big(row.live_code_id, 4)
    if row.changes or row.stuck_on or row.refused:
        flags |= MORE
        head += _big(row.changes, 1) + _big(row.stuck_on, 4) + _big(row.stuck_count, 1)
        head += b"".join(_big(member, 4) for member in row.refused)
    return bytes((flags,)) + head


def _big(number: int, size: int) -> bytes:
    return number.to_bytes(size, "big")


class _Reader:
    __slots__ = ("_value", "at")

    def __init__(self, value: bytes, at: int) -> None:
        self._value, self.at = value, at

    def number(self, size: int) -> int:
        start, self.at = self.at, self.at + size
        return int.from_bytes(self._value[start : self.at], "big")


_HEAD = Struct(">IIII")
_WAIT = Struct(">II")


@dataclass(slots=True)
class Tallied:
    """One count. `swept`: seats of slots below it have lapsed. `waits`: unpressed seats that still may, by slot."""

    counted: int = 0
    day: int = 0
    taken: int = 0
    swept: int = 0
    waits: list[tuple[int, int]] = field(default_factory=list)


def read_count(value: bytes) -> Tallied:
    counted, day, taken, swept = _HEAD.unpack_from(value)
    return Tallied(counted, day, taken, swept, list(_WAIT.iter_unpack(value[_HEAD.size :])))


def write_count(count: Tallied) -> bytes:
    return _HEAD.pack(count.counted, count.day, count.taken, count.swept) + b"".join(
        _WAIT.pack(slot, number) for slot, number in count.waits
    )


@dataclass(frozen=True, slots=True)
class Booked:
    """A count as an event carries it into SQL: what it was after the event."""

    live_code_id: int
    member_id: int
    counted_from: int
    generation: int
    counted: int
    day: int
    taken: int
    swept: int
    pressed: int


_BOOKED = Struct(">IIHHIIIII")


def read_booked(value: bytes) -> Iterator[Booked]:
    return (Booked(*fields) for fields in _BOOKED.iter_unpack(value))


# -- plans ---------------------------------------------------------------------------------------------------------


def pack_keep(keep: Iterable[Candidate]) -> tuple[bytes, dict[int, int]]:
    """Every member whose seats stand, and the place of each in it, from 0."""
    small, rest = _KEPT
    records, places = [], {}
    for place, c in enumerate(keep):
        places[c.member_id] = place
        limit = NEVER if c.limit is None else min(c.limit, NEVER - 1)
        daily = NEVER if c.daily_limit is None else c.daily_limit
        flags = c.lapses | c.is_reserve << 1
        records.append(small(c.member_id) + rest(c.generation, c.counted_from, limit, daily, c.version or 0, flags))
    return b"".join(records), places


_MODES = {Mode.SEQUENTIAL: 0, Mode.ROUND_ROBIN: 1, Mode.RANDOM: 2}


def pack_tiers(tiers: Sequence[Tier], places: dict[int, int]) -> bytes:
    """For each tier: rank, mode, key, and whose turn it is by position in a cycle."""
    packed = []
    for tier in tiers:
        cycle = _cycle(tier)
        head = tier.rank.value.encode() + b"\0" + bytes((_MODES[tier.mode], tier.rank is Rank.PIN))
        order = b"".join(places[member].to_bytes(2, "big") for member in cycle)
        packed.append(head + tier.key.rpartition(":")[2].encode() + b"\0" + len(cycle).to_bytes(4, "big") + order)
    return b"".join(packed)


def _cycle(tier: Tier) -> list[int]:
    """Member ids in the order of turns. In every window of one cycle's length each is named as often as its weight
    says, wherever the window begins, and leaving somebody out keeps that true of the others."""
    ids = [c.member_id for c in tier.candidates]
    if tier.mode is Mode.SEQUENTIAL:
        return ids
    common = gcd(*(c.weight for c in tier.candidates))
    weights = [c.weight // common for c in tier.candidates]
    if tier.mode is Mode.RANDOM:
        return [member for member, weight in zip(ids, weights, strict=True) for _ in range(weight)]
    if max(weights) == 1:
        return ids
    # Stride scheduling: the n-th turn of a member of weight w comes at n/w; exact, since every pass is a fraction of
    # the common multiple of at most a few weights, and ties go by position.
    turns = sorted((n / weight, place) for place, weight in enumerate(weights) for n in range(weight))
    return [ids[place] for _, place in turns]

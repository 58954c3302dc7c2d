"""The one Ledger protocol: who holds which seat. Two engines implement it; the rules never look inside.

The rules say who is eligible and in what order (`Plan`); the ledger says, atomically, who still has room, and
remembers. Every method that answers a scan first checks that the snapshot's version is still the current one and
answers `Stale` when it is not, so that a change shows on the very next scan. Engines raise `LedgerDown` when their
store does not answer; nothing else escapes them.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

from app.rules.model import Candidate, Count, Plan, Rank, Seat, Turns
from app.rules.tally import ScanEvent


class LedgerDown(Exception):
    """The store behind the ledger does not answer; nothing was decided."""


class InDoubt(LedgerDown):
    """The store was asked and did not answer: it may have done it all the same."""


class NotReady(LedgerDown):
    """Only what was asked for is being loaded; everything else goes on."""


@dataclass(frozen=True, slots=True)
class KeptSeat:
    """A seat as a visitor's signed cookie remembers it; honoured only when the ledger's epoch is newer than `epoch`."""

    live_code_id: int
    member_id: int
    generation: int
    epoch: int


@dataclass(frozen=True, slots=True)
class Claim:
    """One visitor asks for a seat in `scope`.

    replace: the seat to be given up, once another one is found and only if it is still the one held; one that still
    stands is given up only with `moves` (another choice, another city), and `costs_change` notes it on the visitor.
    roll: in [0, 1), decides the random mode. lapses_before: seats of group kinds taken before this moment and never
    pressed stop counting (None: never). is_new: the visitor was made by this very scan and cannot hold a seat yet, so
    that there is no use in looking first. event: what to append; its outcome and member are filled in.
    """

    plan: Plan
    scope: str
    visitor: str
    at: datetime
    today: date
    event: ScanEvent
    roll: float = 0.0
    lapses_before: datetime | None = None
    choice_id: int | None = None
    replace: Seat | None = None
    moves: bool = False
    costs_change: bool = False
    kept: KeptSeat | None = None
    is_new: bool = False


@dataclass(frozen=True, slots=True)
class Stale:
    """The snapshot is not the current one: reload, ask again. `version` is the current one, None when it is gone."""

    version: int | None


@dataclass(frozen=True, slots=True)
class Assigned:
    """A new seat was taken and its event appended."""

    seat: Seat
    rank: Rank


@dataclass(frozen=True, slots=True)
class Returning:
    """The held seat stands (`Plan.keep`), counted again if it had lapsed; its event was appended."""

    seat: Seat


@dataclass(frozen=True, slots=True)
class Held:
    """A seat is held that the plan does not keep: closed, or in another live code of the scope. Nothing was written."""

    seat: Seat


@dataclass(frozen=True, slots=True)
class NoRoom:
    """Nobody had room; nothing was written. `full`: at least one candidate failed on its capacity alone."""

    full: bool


Answer = Assigned | Returning | Held | NoRoom | Stale


@dataclass(frozen=True, slots=True)
class CountKey:
    """Which count of which member to read; `lapses_before` as in `Claim`, None for kinds whose seats do not lapse."""

    live_code_id: int
    member_id: int
    generation: int
    counted_from: int
    lapses_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class StuckAnswer:
    """`allowed` is false after two a day, and when no seat is held. `reporters`: different visitors in 30 minutes."""

    allowed: bool
    seat: Seat | None = None
    reporters: int = 0


class Ledger(Protocol):
    def epoch(self) -> int:
        """Names this store's life: a store that was lost and begun again answers a larger number."""

    def claim(self, claim: Claim) -> Answer:
        """One atomic step: current version? held seat? first with room; remember; append the event."""

    def record(self, event: ScanEvent, version: int | None) -> Stale | None:
        """Appends the event of an answer that took no seat, if `version` is still current (None: not checked)."""

    def publish(self, live_code_id: int, version: int) -> None:
        """A change was committed to SQL: from here on no scan is answered from a snapshot older than `version`."""

    def version(self, live_code_id: int) -> int | None:
        """The current version, None for a live code that does not exist."""

    def seat(self, scope: str, visitor: str) -> Seat | None:
        """The live seat of this visitor in this scope."""

    def press(self, scope: str, visitor: str, event: ScanEvent) -> bool:
        """Records the first long-press of the seat held, at once. False when none is held; pressed before: True."""

    def stuck(self, scope: str, visitor: str, event: ScanEvent, today: date) -> StuckAnswer:
        """Releases the seat held and never offers that member to them again in this scope; twice a day."""

    def counts(self, keys: Sequence[CountKey]) -> Mapping[int, Count]:
        """Counts by member id as they stand now, lapsed seats taken off; members never counted are left out."""

    def turns(self, tier_key: str) -> Turns:
        """Round-robin state, for the simulator."""

    def refused(self, scope: str, visitor: str) -> frozenset[int]:
        """Members this visitor said they could not get into."""

    def erase(self, visitor: str, live_code_ids: Collection[int] | None = None) -> int:
        """Forgets this visitor under these live codes, or everywhere (None), and leaves keyed-hash tombstones, so that
        no signed cookie brings a seat back; counts stay. Answers how many seats were forgotten."""

    def share(self, stays: str, other: str) -> int:
        """Two visitors are one person: both hold the same seats from now on, of each scope the one taken first. Counts
        stay. Answers how many seats are shared."""

    def lease(self, plan: Plan) -> Candidate | None:
        """Somebody who may be shown to a new visitor while the store does not answer: one seat of the few that this
        worker may give away unasked, at most 2 % of the last known room. None: nobody, or no such seats."""

    def close(self) -> None:
        """Gives back connections, when nobody asks any more."""

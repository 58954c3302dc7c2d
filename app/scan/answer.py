"""What goes into a decision and what comes out: who stands before the poster, and what they are shown."""

from dataclasses import dataclass

from app.ledger import KeptSeat
from app.rules.model import Choice, Decision, MemberState, RegionPolicy, Seat, Snapshot
from app.rules.regions import Place
from app.rules.targeting import Position


@dataclass(frozen=True, slots=True)
class Scanner:
    """Who stands before the poster, as `visitor` read it. `first`: the cookie is made by this very scan."""

    visitor: str
    first: bool
    address_place: Place
    language: str
    chosen_city: str | None = None
    position: Position | None = None
    placement: str | None = None
    device: str | None = None
    app: str | None = None
    kept: tuple[tuple[str, KeptSeat], ...] = ()
    is_preview: bool = False


@dataclass(frozen=True, slots=True)
class ChoiceRoom:
    """`room`: seats left for this visitor's place, None where there is no cap. `is_local`: some member of it names the
    city they are in, and not every choice has one."""

    choice: Choice
    room: int | None
    is_local: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """snapshot: None for an unknown slug. seat: what the cookie should remember. provisional: the store was down."""

    decision: Decision
    snapshot: Snapshot | None
    scope: str | None = None
    seat: Seat | None = None
    epoch: int = 0
    choices: tuple[ChoiceRoom, ...] = ()
    provisional: bool = False
    is_trial: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """A POST that cannot be done: the contract's error code and its HTTP status."""

    code: str
    status: int


def asks_position(snapshot: Snapshot) -> bool:
    """Is anybody of this live code to be found by distance?"""
    return snapshot.region_policy is RegionPolicy.NEAREST and any(
        m.latitude is not None and m.state is not MemberState.ARCHIVED for m in snapshot.members
    )

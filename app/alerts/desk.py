"""What the pages and the commands of this feature work with besides SQL; made once by the wiring."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any, Protocol

from sqlalchemy.orm import Session

from app.alerts.survey import Survey
from app.db.audit import Actor
from app.ledger import Ledger
from app.outside.notify import Notifier
from app.rules.swap_link import Shown, Verdict

# Under this name the wiring keeps the desk in `app.extensions`.
DESK = "huozi.alerts"


class OwnersDoor(Protocol):
    """What a group's owner may do to one member; the live codes' own room does it."""

    def show(self, session: Session, member_id: int, now: datetime) -> Shown | None:
        """None where there is no such member any more."""

    def read(self, session: Session, member_id: int, data: bytes, now: datetime) -> Verdict:
        """Reads a picture; changes nothing."""

    def swap(
        self,
        session: Session,
        actor: Actor,
        member_id: int,
        token: str,
        *,
        new_group: bool,
        now: datetime,
        take: Callable[[], bool],
    ) -> str:
        """Binds what `read` has read, in one transaction together with `take`, which may refuse by answering false.
        "" when it was swapped, else why not: "gone", "taken", or words for the owner."""


@dataclass(frozen=True, slots=True)
class Behind:
    """Of scan events: for how long the oldest waits, how many wait on this machine's disk, how many nobody could read,
    how many an outage took."""

    lag_seconds: float
    spooled: int
    dead: int
    lost: int


@dataclass(frozen=True, slots=True)
class Desk:
    """key: seals channels and signs links. public_url: where the panel is, without a slash at its end. waiting: how
    many scan events are not in SQL yet; behind: how that is going. claims: `ledger.timed`'s numbers. seen_by: the query
    of live codes a user sees (`level="edit"`: may change)."""

    survey: Survey
    ledger: Ledger
    notifier: Notifier
    door: OwnersDoor
    zone: tzinfo
    key: str
    public_url: str
    clock: Callable[[], datetime]
    waiting: Callable[[], int]
    behind: Callable[[], Behind]
    claims: Callable[[], Sequence[int]]
    seen_by: Callable[..., Any]

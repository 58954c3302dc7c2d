"""Who a new visitor would be sent to: the rules over the counts of this moment. Takes no seat.

The panel's and the API's simulators ask here; who the visitor is and where they stand is theirs to find out.
"""

from collections.abc import Collection
from datetime import datetime
from random import random

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.codes.models import Member
from app.ledger import CountKey, Ledger
from app.rules import capacity, routing
from app.rules.model import Seat, Snapshot
from app.rules.regions import Place
from app.rules.routing import Simulation
from app.rules.targeting import Position


def simulate(
    ledger: Ledger,
    snapshot: Snapshot,
    *,
    choice_id: int | None,
    place: Place,
    at: datetime,
    seat: Seat | None = None,
    refused: Collection[int] = (),
    position: Position | None = None,
) -> Simulation:
    """Raises LedgerDown where nobody can be counted."""
    return routing.simulate(
        snapshot,
        choice_id=choice_id,
        place=place,
        now=at,
        counts=ledger.counts(count_keys(snapshot, at)),
        turns=ledger.turns,
        roll=random(),
        seat=seat,
        refused=refused,
        position=position,
    )


def count_keys(snapshot: Snapshot, at: datetime) -> list[CountKey]:
    lapses = capacity.lapses_before(snapshot, at)
    return [
        CountKey(snapshot.id, m.id, m.generation, m.counted_from, lapses if m.is_group else None)
        for m in snapshot.members
        if not m.is_fallback
    ]


def labels(session: Session, live_code_id: int) -> dict[int, str]:
    """What the panel calls the members of a live code, archived ones too."""
    query = sa.select(Member.id, Member.label, Member.public_name).where(Member.live_code_id == live_code_id)
    return {row.id: row.label or row.public_name for row in session.execute(query)}

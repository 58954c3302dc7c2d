"""Who a new visitor would be sent to: the rules over the counts of this moment. Takes no seat.

The panel's and the API's simulators ask here; who the visitor is and where they stand is theirs to find out.
"""

from collections.abc import Collection
from datetime import datetime
from random import random

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.codes.cards import count_key
from app.codes.models import Member
from app.ledger import Ledger
from app.rules import simulation
from app.rules.model import Seat, Snapshot
from app.rules.regions import Place
from app.rules.simulation import Simulation
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
    return simulation.simulate(
        snapshot,
        choice_id=choice_id,
        place=place,
        now=at,
        counts=ledger.counts([count_key(snapshot.id, m, snapshot.unpressed_seat_hours, at) for m in snapshot.members]),
        turns=ledger.turns,
        roll=random(),
        seat=seat,
        refused=refused,
        position=position,
    )


def labels(session: Session, live_code_id: int) -> dict[int, str]:
    """What the panel calls the members of a live code, archived ones too."""
    query = sa.select(Member.id, Member.label, Member.public_name).where(Member.live_code_id == live_code_id)
    return {row.id: row.label or row.public_name for row in session.execute(query)}

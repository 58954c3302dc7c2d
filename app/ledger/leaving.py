"""What happens to a seat after it was taken: a press, and giving it up because the group does not let its holder in.

Every function runs inside the caller's write transaction and locks in the ledger's one order: live code, counts, seats.
"""

from datetime import date, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.ledger.counting import count_press, set_member, uncount
from app.ledger.protocol import StuckAnswer
from app.ledger.statements import LOCK, SEAT, SEND, Found
from app.ledger.tables import members, seats, stuck_reports
from app.rules.model import Seat
from app.rules.tally import ScanEvent

STUCK_PER_DAY = 2
SUSPECT_AFTER = 3
SUSPECT_WITHIN = timedelta(minutes=30)


class LostRace(Exception):
    """Another transaction took the seat or the room between our look and our write: roll back, look again."""


def certain(held: bool) -> None:
    """What was read before must still be so when it is written. Raises LostRace."""
    if not held:
        raise LostRace


def seat_of(row: Found) -> Seat:
    return Seat(
        live_code_id=row.live_code_id,
        member_id=row.member_id,
        generation=row.generation,
        taken_at=row.taken_at,
        choice_id=row.choice_id,
        pressed_at=row.pressed_at,
        counted=row.counted,
        changes=row.changes,
    )


def refused_by(row: Found | None) -> frozenset[int]:
    """Members this visitor could not get into, never to be offered again in this scope."""
    return frozenset(map(int, row.refused.split(","))) if row is not None and row.refused else frozenset()


def press(connection: Connection, scope: str, visitor: str, event: ScanEvent) -> bool:
    row = _locked_seat(connection, scope, visitor)
    if row is None:
        return False
    if row.pressed_at is None:
        count_press(connection, row)
        _write(connection, row, pressed_at=event.at)
        _send(connection, event, row)
    return True


def stuck(connection: Connection, scope: str, visitor: str, event: ScanEvent, today: date) -> StuckAnswer:
    row = _locked_seat(connection, scope, visitor)
    if row is None:
        return StuckAnswer(False)
    already = row.stuck_count if row.stuck_on == today else 0
    if already >= STUCK_PER_DAY:
        return StuckAnswer(False, seat_of(row))
    uncount(connection, row)
    refused = ",".join(map(str, sorted(refused_by(row) | {row.member_id})))
    empty: dict[str, Any] = {"member_id": None, "choice_id": None, "pressed_at": None, "counted": False}
    _write(connection, row, **empty, lapsed=False, refused=refused, stuck_on=today, stuck_count=already + 1)
    report = {"member_id": row.member_id, "visitor": visitor, "at": event.at}
    connection.execute(sa.insert(stuck_reports).values(report))
    _send(connection, event, row)
    return StuckAnswer(True, seat_of(row), _suspect(connection, row, event.at))


def _suspect(connection: Connection, row: Found, now: datetime) -> int:
    """Different visitors who could not get in within half an hour, since the last trust; three make a suspect."""
    trusted = connection.execute(sa.select(members.c.trusted_at).where(members.c.id == row.member_id)).scalar()
    since = max(now - SUSPECT_WITHIN, trusted) if trusted is not None else now - SUSPECT_WITHIN
    who = sa.select(sa.func.count(sa.distinct(stuck_reports.c.visitor))).where(
        stuck_reports.c.member_id == row.member_id, stuck_reports.c.at > since
    )
    reporters = int(connection.execute(who).scalar_one())
    if reporters >= SUSPECT_AFTER:
        set_member(connection, row.live_code_id, row.member_id, suspect_at=now)
    return reporters


def _locked_seat(connection: Connection, scope: str, visitor: str) -> Found | None:
    """The live seat, its live code's row locked first as everywhere."""
    key = {"scope": scope, "visitor": visitor}
    row = connection.execute(SEAT, key).first()
    if row is None or row.member_id is None:
        return None
    connection.execute(LOCK, {"live_code_id": row.live_code_id})
    again = connection.execute(SEAT, key).first()
    certain(again is not None and (again.live_code_id, again.member_id) == (row.live_code_id, row.member_id))
    return again


def _write(connection: Connection, row: Found, **changes: Any) -> None:
    where = (seats.c.scope == row.scope) & (seats.c.visitor == row.visitor)
    connection.execute(sa.update(seats).where(where).values(changes))


def _send(connection: Connection, event: ScanEvent, row: Found) -> None:
    told = event.with_answer(member_id=row.member_id, choice_id=row.choice_id, live_code_id=row.live_code_id)
    connection.execute(SEND, {"body": told.encode()})

"""Forgets one person: under some live codes, or everywhere.

Decides what goes and in which order, and that nothing of theirs still under way brings them back. Seats, single events
and day marks belong to other rooms; the wiring hands in how to drop them. What was counted stays counted.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.orm import Session

from app.db import writing
from app.db.among import among
from app.db.audit import Actor, record
from app.db.upsert import insert
from app.people.models import (
    Alias,
    ErasedVisitor,
    Identity,
    Order,
    TagRuleDue,
    Visitor,
    VisitorLiveCode,
    VisitorTag,
    Worth,
)
from app.rules.tally import ScanEvent

EVERYWHERE = 0

# Folding takes this lock shared, erasing takes it alone, so that no fold that began before an erasure ends after it.
# SQLite has one writer at a time anyway.
ERASING = 0x68756F7A69

_ERASED: sa.Table = ErasedVisitor.__table__  # type: ignore[assignment]

ForgetPerson = Callable[[Connection, int | None], None]  # visitor's number
ForgetSeats = Callable[[str, Collection[int] | None], object]  # visitor key, live codes (None: everywhere)
Forget = Callable[[Connection, str, Collection[int]], None]  # visitor key, live codes


@dataclass(frozen=True, slots=True)
class Eraser:
    """`seats` is the ledger's; `others` run inside the erasing transaction and get every live code concerned; `people`
    run there, too, and get the visitor."""

    secret: bytes
    seats: ForgetSeats
    others: Sequence[Forget] = ()
    people: Sequence[ForgetPerson] = ()

    def erase(self, session: Session, actor: Actor, key: str, live_code_ids: Collection[int] | None = None) -> None:
        """Forgets the visitor of this key under these live codes, or everywhere (None); with the last of them the
        visitor goes too. One who is not in SQL yet has nothing there, and leaves the tombstone all the same.

        The ledger comes first: when it does not answer, nothing has changed and one may try again. Commits.
        """
        for each in keys_of(session, key):
            self.seats(each, live_code_ids)
        with writing(session):
            connection = session.connection()
            _lock(connection, shared=False)
            keys = keys_of(session, key)
            visitor_id = session.scalar(sa.select(Visitor.id).where(Visitor.key.in_(keys)))
            under = sa.select(VisitorLiveCode.live_code_id).where(VisitorLiveCode.visitor_id == visitor_id)
            known = set(session.scalars(under))
            gone = known if live_code_ids is None else known & set(live_code_ids)
            for each in keys:
                self._leave_tombstones(connection, each, [EVERYWHERE] if live_code_ids is None else sorted(gone))
                for forget in self.others:
                    forget(connection, each, gone)
            for forget_person in self.people:
                forget_person(connection, visitor_id)
            _delete(session, visitor_id, gone, None if gone == known else actor.user_id or 0)
            facts = {"everywhere": live_code_ids is None, "live_code_ids": sorted(gone)}
            record(session, actor, "visitor.erased", "visitor", visitor_id, after=facts)

    def _leave_tombstones(self, connection: Connection, key: str, live_code_ids: Sequence[int]) -> None:
        statement = insert(connection, _ERASED)
        statement = statement.on_conflict_do_update(
            index_elements=list(_ERASED.primary_key), set_={"erased_at": statement.excluded.erased_at}
        )
        now = datetime.now(UTC)
        rows = [{"digest": self.digest(key), "live_code_id": id_, "erased_at": now} for id_ in live_code_ids]
        if rows:
            connection.execute(statement, rows)

    def screen(self, connection: Connection, events: Sequence[ScanEvent]) -> Sequence[ScanEvent]:
        """The same events; those from before their visitor was erased without a name. Holds off erasures until the
        caller's transaction ends."""
        _lock(connection, shared=True)
        digests = {self.digest(event.visitor): event.visitor for event in events if event.visitor}
        rows = connection.execute(sa.select(_ERASED).where(among(connection, _ERASED.c.digest, digests)))
        erased = {(digests[row.digest], row.live_code_id): row.erased_at for row in rows}
        if not erased:
            return events
        return [
            event.with_answer(visitor=None)
            if any(
                event.at <= erased.get((event.visitor or "", place), datetime.min.replace(tzinfo=UTC))
                for place in (EVERYWHERE, event.live_code_id)
            )
            else event
            for event in events
        ]

    def digest(self, visitor: str) -> str:
        return blake2b(visitor.encode(), key=self.secret[:64], digest_size=16, person=b"huozi.erased").hexdigest()


def keys_of(session: Session, key: str) -> list[str]:
    """Every key of the same person, beginning with the one SQL knows them by; a key nobody knows is alone."""
    known = session.scalar(sa.select(Alias.visitor_id).where(Alias.key == key))
    visitor = sa.select(Visitor.id, Visitor.key).where(Visitor.key == key if known is None else Visitor.id == known)
    row = session.execute(visitor).first()
    if row is None:
        return [key]
    return [row.key, *session.scalars(sa.select(Alias.key).where(Alias.visitor_id == row.id).order_by(Alias.key))]


def _delete(session: Session, visitor_id: int | None, live_code_ids: Collection[int], owner_id: int | None) -> None:
    """`owner_id`: whose identities and orders are concerned; None: the visitor goes altogether."""
    for table in (VisitorTag, VisitorLiveCode):
        session.execute(sa.delete(table).where(table.visitor_id == visitor_id, table.live_code_id.in_(live_code_ids)))
    for owned in (Identity, Worth):
        whose = owned.owner_id == owner_id if owner_id is not None else sa.true()
        session.execute(sa.delete(owned).where(owned.visitor_id == visitor_id, whose))
    whose = Order.owner_id == owner_id if owner_id is not None else sa.true()
    nameless = {"visitor_id": None, "identity_kind": None, "identity_key": None}
    session.execute(sa.update(Order).where(Order.visitor_id == visitor_id, whose).values(nameless))
    if owner_id is None:
        for table_of_all in (TagRuleDue, Alias):
            session.execute(sa.delete(table_of_all).where(table_of_all.visitor_id == visitor_id))
        session.execute(sa.delete(Visitor).where(Visitor.id == visitor_id))


def _lock(connection: Connection, *, shared: bool) -> None:
    if connection.dialect.name == "postgresql":
        lock = sa.func.pg_advisory_xact_lock_shared if shared else sa.func.pg_advisory_xact_lock
        connection.execute(sa.select(lock(ERASING)))

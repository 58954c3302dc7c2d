"""Orders and identities: how a buyer and a visitor turn out to be the same, and what becomes of two visitors who are.

An owner's identities and orders are their own; those of whoever sees everything are the installation's (`HOUSE`), which
everybody's people may be found by. Nothing here commits, but `Joiner.join`.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.orm import Session

from app.db import writing
from app.db.audit import Actor, record
from app.db.upsert import Insert, insert, insert_rows
from app.people.histories import HOUSE
from app.people.models import Alias, Identity, Order, TagRuleDue, Visitor, VisitorLiveCode, VisitorTag, Worth
from app.people.tag_rules import ask_again
from app.people.wanted import owned

_WORTH: sa.Table = Worth.__table__  # type: ignore[assignment]
_ORDERS: sa.Table = Order.__table__  # type: ignore[assignment]
_IDENTITIES: sa.Table = Identity.__table__  # type: ignore[assignment]

AT_ONCE = 1000

ShareSeats = Callable[[str, str], object]  # the key that stays, the key that becomes another of theirs
Renumber = Callable[[Connection, int, int], object]  # the number that goes, the number that stays


@dataclass(frozen=True, slots=True)
class Called:
    """What another program calls somebody."""

    kind: str
    key: str


@dataclass(frozen=True, slots=True)
class Bought:
    """One order as it is handed in: of a visitor, of somebody called so, or of nobody known."""

    number: str
    amount_cents: int
    currency: str
    product: str
    at: datetime
    visitor_id: int | None = None
    called: Called | None = None


def identities_of(session: Session, asker_id: int | None, visitor_id: int) -> Sequence[Identity]:
    query = sa.select(Identity).where(Identity.visitor_id == visitor_id, owned(Identity.owner_id, asker_id))
    return list(session.scalars(query.order_by(Identity.kind, Identity.key)))


def orders_of(session: Session, asker_id: int | None, visitor_id: int, limit: int) -> Sequence[Order]:
    """The newest first."""
    query = sa.select(Order).where(Order.visitor_id == visitor_id, owned(Order.owner_id, asker_id))
    return list(session.scalars(query.order_by(Order.at.desc(), Order.id.desc()).limit(limit)))


def find_called(session: Session, owner_id: int, called: Collection[Called]) -> dict[Called, int]:
    """Who is called so, as this owner may know it; their own knowledge goes before the installation's."""
    return _find_called(session, (HOUSE, owner_id), called)


def find_own(session: Session, owner_id: int, called: Collection[Called]) -> dict[Called, int]:
    """Who is called so by this owner alone."""
    return _find_called(session, (owner_id,), called)


def _find_called(session: Session, owners: Collection[int], called: Collection[Called]) -> dict[Called, int]:
    if not called:
        return {}
    keys, row = sorted({one.key for one in called}), Identity
    found: dict[Called, int] = {}
    for start in range(0, len(keys), AT_ONCE):
        some = row.key.in_(keys[start : start + AT_ONCE])
        query = sa.select(row.kind, row.key, row.visitor_id).where(some, row.owner_id.in_(owners))
        for one in session.execute(query.order_by(row.owner_id)):  # HOUSE is 0, and so comes first
            found[Called(one.kind, one.key)] = one.visitor_id
    return {one: found[one] for one in called if one in found}


def name(session: Session, owner_id: int, visitor_id: int, called: Called, now: datetime) -> int | None:
    """Notes what somebody is called, and gives them the orders that waited for it. Answers who is called so already, if
    that is somebody else: then nothing was written."""
    known = session.scalar(
        sa.select(Identity.visitor_id).where(
            Identity.owner_id == owner_id, Identity.kind == called.kind, Identity.key == called.key
        )
    )
    if known is not None and known != visitor_id:
        return known
    if known is None:
        session.add(Identity(owner_id=owner_id, kind=called.kind, key=called.key, visitor_id=visitor_id, at=now))
        session.flush()
    waiting = sa.update(Order).where(
        Order.visitor_id.is_(None),
        Order.identity_kind == called.kind,
        Order.identity_key == called.key,
        Order.owner_id == owner_id if owner_id != HOUSE else sa.true(),
    )
    session.execute(waiting.values(visitor_id=visitor_id).execution_options(synchronize_session=False))
    add_up(session.connection(), [visitor_id], now)
    return None


def name_all(session: Session, owner_id: int, names: Sequence[tuple[int, Called]], now: datetime) -> int:
    """Notes what many are called, as `name` does; how many names were new. Whoever was erased meanwhile, and names that
    somebody got meanwhile, are passed over."""
    fresh = 0
    for start in range(0, len(names), AT_ONCE):
        part = names[start : start + AT_ONCE]
        there = sa.select(Visitor.id).where(Visitor.id.in_({id_ for id_, _ in part}))
        # Locked, so that nobody is erased before this is committed.
        known = set(session.scalars(there.order_by(Visitor.id).with_for_update(read=True, key_share=True)))
        rows = [
            {"owner_id": owner_id, "kind": one.kind, "key": one.key, "visitor_id": id_, "at": now}
            for id_, one in part
            if id_ in known
        ]
        told = insert_rows(session.connection(), _IDENTITIES, rows, _unless_named)
        fresh += len(told)
        _take_waiting(session, owner_id, {Called(row[0], row[1]): row[2] for row in told}, now)
    return fresh


def _unless_named(statement: Insert) -> Any:
    names = _IDENTITIES.c
    return statement.on_conflict_do_nothing().returning(names.kind, names.key, names.visitor_id)


def _take_waiting(session: Session, owner_id: int, called: Mapping[Called, int], now: datetime) -> None:
    """Orders that waited for somebody of these names."""
    waits = sa.select(_ORDERS.c.id, _ORDERS.c.identity_kind, _ORDERS.c.identity_key).where(
        _ORDERS.c.visitor_id.is_(None),
        _ORDERS.c.identity_kind.in_({one.kind for one in called}),
        _ORDERS.c.identity_key.in_({one.key for one in called}),
        _ORDERS.c.owner_id == owner_id if owner_id != HOUSE else sa.true(),
    )
    connection = session.connection()
    found = [(row[0], called.get(Called(row[1], row[2]))) for row in connection.execute(waits)]
    theirs = [{"order_id": order_id, "whose": whose} for order_id, whose in found if whose is not None]
    if theirs:
        one = sa.update(_ORDERS).where(_ORDERS.c.id == sa.bindparam("order_id"))
        connection.execute(one.values(visitor_id=sa.bindparam("whose")), theirs)
        add_up(connection, {row["whose"] for row in theirs}, now)


def unname(session: Session, owner_id: int, visitor_id: int, called: Called) -> bool:
    """Forgets what somebody is called; their orders stay theirs."""
    gone = sa.delete(Identity).where(
        Identity.owner_id == owner_id,
        Identity.kind == called.kind,
        Identity.key == called.key,
        Identity.visitor_id == visitor_id,
    )
    return bool(session.execute(gone).rowcount)  # type: ignore[attr-defined]


def take_orders(session: Session, owner_id: int, orders: Sequence[Bought], now: datetime) -> int:
    """Writes orders; one whose number is known is written anew, never twice. How many were new."""
    if not orders:
        return 0
    last = {one.number: one for one in orders}  # in one statement a number may stand once
    known = sa.select(Order.number, Order.visitor_id).where(Order.owner_id == owner_id, Order.number.in_(last))
    before = {row[0]: row[1] for row in session.execute(known)}
    called = find_called(session, owner_id, {one.called for one in last.values() if one.called is not None})
    rows: list[dict[str, Any]] = [
        {
            "owner_id": owner_id,
            "number": one.number,
            "visitor_id": one.visitor_id or (called.get(one.called) if one.called else None),
            "identity_kind": one.called.kind if one.called else None,
            "identity_key": one.called.key if one.called else None,
            "amount_cents": one.amount_cents,
            "currency": one.currency,
            "product": one.product,
            "at": one.at,
            "created_at": now,
        }
        for _, one in sorted(last.items())
    ]
    insert_rows(session.connection(), _ORDERS, rows, _written_anew)
    concerned = {row["visitor_id"] for row in rows} | set(before.values())
    add_up(session.connection(), sorted(id_ for id_ in concerned if id_ is not None), now)
    return len(set(last) - set(before))


def _written_anew(statement: Insert) -> Any:
    names = ("visitor_id", "identity_kind", "identity_key", "amount_cents", "currency", "product", "at")
    changes = {column: statement.excluded[column] for column in names}
    return statement.on_conflict_do_update(index_elements=["owner_id", "number"], set_=changes)


def add_up(connection: Connection, ids: Collection[int], now: datetime) -> None:
    """What these visitors' orders are worth, anew; rules are asked about them again."""
    if not ids:
        return
    connection.execute(sa.delete(_WORTH).where(_WORTH.c.visitor_id.in_(ids)))
    sums = (
        sa.select(
            _ORDERS.c.owner_id,
            _ORDERS.c.visitor_id,
            sa.func.sum(sa.case((_ORDERS.c.amount_cents > 0, 1), else_=0)),
            sa.func.sum(_ORDERS.c.amount_cents),
            sa.func.min(_ORDERS.c.at),
            sa.func.max(_ORDERS.c.at),
        )
        .where(_ORDERS.c.visitor_id.in_(ids))
        .group_by(_ORDERS.c.owner_id, _ORDERS.c.visitor_id)
        .having(sa.func.sum(sa.case((_ORDERS.c.amount_cents > 0, 1), else_=0)) > 0)
    )
    names = ["owner_id", "visitor_id", "orders", "amount_cents", "first_at", "last_at"]
    connection.execute(sa.insert(_WORTH).from_select(names, sums))
    ask_again(connection, ids, now)


@dataclass(frozen=True, slots=True)
class Joiner:
    """Makes one person of two visitors. `seats` is the ledger's: from then on both keys hold the same seats. `others`
    know people by their number, and run inside the joining transaction."""

    seats: ShareSeats
    others: Sequence[Renumber] = ()

    def join(self, session: Session, actor: Actor, stays_id: int, goes_id: int, now: datetime) -> bool:
        """`goes` becomes a key of `stays`: tags, visits, orders, identities follow, and so do events to come. Whoever
        was erased is not here any more, and so is joined with nobody (False). The ledger comes first: when it does not
        answer, nothing has changed; told twice, it changes nothing. Commits."""
        known = {row.id: row.key for row in session.execute(_keys(stays_id, goes_id))}
        if len(known) < 2:
            return False
        session.rollback()
        self.seats(known[stays_id], known[goes_id])
        with writing(session):
            return self._join(session, actor, stays_id, goes_id, now)

    def _join(self, session: Session, actor: Actor, stays_id: int, goes_id: int, now: datetime) -> bool:
        rows = {
            row.id: row
            for row in session.scalars(
                sa.select(Visitor).where(Visitor.id.in_((stays_id, goes_id))).order_by(Visitor.key).with_for_update()
            )
        }
        if len(rows) < 2:
            return False  # erased a moment ago
        stays, goes = rows[stays_id], rows[goes_id]
        for renumber in self.others:
            renumber(session.connection(), goes_id, stays_id)
        _join_places(session, stays_id, goes_id)
        _join_tags(session, stays_id, goes_id)
        for table in (Identity, Order, Alias):
            session.execute(sa.update(table).where(table.visitor_id == goes_id).values(visitor_id=stays_id))
        session.execute(sa.delete(Worth).where(Worth.visitor_id == goes_id))
        session.execute(sa.delete(TagRuleDue).where(TagRuleDue.visitor_id == goes_id))
        _join_rows(stays, goes)
        gone_key = goes.key
        session.delete(goes)
        session.flush()
        session.add(Alias(key=gone_key, visitor_id=stays_id, at=now))
        session.flush()
        add_up(session.connection(), [stays_id], now)
        ask_again(session.connection(), [stays_id], now)
        record(session, actor, "visitor.joined", "visitor", stays_id, after={"with": goes_id})
        return True


def _keys(*ids: int) -> sa.Select[Any, Any]:
    return sa.select(Visitor.id, Visitor.key).where(Visitor.id.in_(ids))


def _join_rows(stays: Visitor, goes: Visitor) -> None:
    stays.scans += goes.scans
    stays.pressed += goes.pressed
    stays.last_seen_at = max(stays.last_seen_at, goes.last_seen_at)
    if goes.first_seen_at < stays.first_seen_at:
        for column in ("first_seen_at", "first_live_code_id", "first_placement"):
            setattr(stays, column, getattr(goes, column))
    if goes.profile_at is not None and (stays.profile_at is None or goes.profile_at > stays.profile_at):
        for column in ("profile_at", "region", "device", "app", "language"):
            setattr(stays, column, getattr(goes, column))


def _join_places(session: Session, stays_id: int, goes_id: int) -> None:
    """Of each live code both were under, one row; the seat of the one who was there first stands."""
    row = VisitorLiveCode
    both = {
        (one.visitor_id, one.live_code_id): one
        for one in session.scalars(sa.select(row).where(row.visitor_id.in_((stays_id, goes_id))))
    }
    for (visitor_id, place), one in list(both.items()):
        if visitor_id != goes_id:
            continue
        other = both.get((stays_id, place))
        if other is None:
            session.execute(
                sa.update(row).where(row.visitor_id == goes_id, row.live_code_id == place).values(visitor_id=stays_id)
            )
            session.expunge(one)
            continue
        _add_place(other, one)
        session.delete(one)
    session.flush()


def _add_place(other: VisitorLiveCode, one: VisitorLiveCode) -> None:
    for count in ("scans", "pressed", "stuck"):
        setattr(other, count, getattr(other, count) + getattr(one, count))
    if one.first_at < other.first_at:
        if one.seat_at is not None:
            other.seat_at, other.member_id, other.choice_id = one.seat_at, one.member_id, one.choice_id
        other.first_at, other.placement = one.first_at, one.placement
    other.last_at = max(other.last_at, one.last_at)
    if one.profile_at is not None and (other.profile_at is None or one.profile_at > other.profile_at):
        other.profile_at, other.region = one.profile_at, one.region


def _join_tags(session: Session, stays_id: int, goes_id: int) -> None:
    """What both carry stays as it is; rules judge anew."""
    connection = session.connection()
    columns = [column.name for column in VisitorTag.__table__.columns if column.name != "visitor_id"]
    table: sa.Table = VisitorTag.__table__  # type: ignore[assignment]
    moved = sa.select(sa.literal(stays_id), *(table.c[name] for name in columns)).where(
        table.c.visitor_id == goes_id, table.c.rule_id.is_(None)
    )
    if rows := connection.execute(moved).all():
        values = [dict(zip(["visitor_id", *columns], one, strict=True)) for one in rows]
        connection.execute(insert(connection, table).on_conflict_do_nothing(), values)
    connection.execute(sa.delete(table).where(table.c.visitor_id == goes_id))

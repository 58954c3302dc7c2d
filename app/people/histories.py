"""What is known of visitors, put together as `rules.tagging` judges it: from one owner's live codes and no others."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from app.people.models import Order, Tag, Visitor, VisitorLiveCode, VisitorTag, Worth
from app.rules.tagging import Condition, Deed, History, longest_window

# What must be seen of tables that belong to other rooms.
_LIVE_CODES = sa.table("live_codes", sa.column("id", sa.Integer), sa.column("owner_id", sa.Integer))
_EVENTS = sa.table(
    "events",
    sa.column("visitor", sa.String),
    sa.column("at", VisitorLiveCode.__table__.c.first_at.type),
    sa.column("type", sa.String),
    sa.column("outcome", sa.String),
    sa.column("live_code_id", sa.Integer),
)
HOUSE = 0  # whose identities and orders everybody may use: the installation's
_BUSINESS = frozenset({"orders", "amount", "product"})


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose live codes a rule looks at: all of one owner's, or one of them."""

    owner_id: int
    live_code_id: int | None = None

    def holds(self, live_code_id: Any) -> sa.ColumnElement[bool]:
        """The condition on a column with a live code's id."""
        own = sa.select(_LIVE_CODES.c.id).where(_LIVE_CODES.c.owner_id == self.owner_id)
        if self.live_code_id is not None:
            own = own.where(_LIVE_CODES.c.id == self.live_code_id)
        found: sa.ColumnElement[bool] = live_code_id.in_(own)
        return found


@dataclass(frozen=True, slots=True)
class Known:
    """A visitor's history, and the live code of the scope they were first at: their tags stand under it."""

    history: History
    live_code_id: int


def histories(
    connection: Connection,
    scope: Scope,
    conditions: Iterable[Condition],
    ids: Collection[int],
    now: datetime,
    zone: tzinfo,
) -> Mapping[int, Known]:
    """Of those among these visitors who were ever within the scope; with whatever the conditions ask for."""
    asked = list(conditions)
    under = _under(connection, scope, ids)
    if not under:
        return {}
    facts = {condition.fact for condition in asked}
    deeds = _deeds(connection, scope, under, asked, now, zone)
    worth = _worth(connection, scope, under) if facts & _BUSINESS else {}
    products = _products(connection, scope, under) if "product" in facts else {}
    tags = _tags(connection, scope, under) if "tag" in facts else {}
    profiles = _profiles(connection, under)
    found = {}
    for id_, rows in under.items():
        orders, amount = worth.get(id_, (0, 0))
        profile = profiles[id_]
        history = History(
            first_at=min(row.first_at for row in rows),
            last_at=max(row.last_at for row in rows),
            ever={
                "scans": sum(row.scans for row in rows),
                "presses": sum(row.pressed for row in rows),
                "stuck": sum(row.stuck for row in rows),
                "live_codes": len(rows),
                "orders": orders,
                "amount": amount,
            },
            deeds=deeds.get(id_, ()),
            words={
                "region": _words(row.region for row in sorted(rows, key=lambda row: row.last_at)[-1:]),
                "placement": _words(row.placement for row in rows),
                "device": _words([profile.device]),
                "app": _words([profile.app]),
                "language": _words([profile.language]),
                "product": products.get(id_, frozenset()),
                "tag": tags.get(id_, frozenset()),
            },
        )
        found[id_] = Known(history, min(rows, key=lambda row: (row.first_at, row.live_code_id)).live_code_id)
    return found


def _words(words: Iterable[str | None]) -> frozenset[str]:
    return frozenset(word for word in words if word)


def _under(connection: Connection, scope: Scope, ids: Collection[int]) -> dict[int, list[Any]]:
    row = VisitorLiveCode
    query = sa.select(
        row.visitor_id, row.live_code_id, row.first_at, row.last_at, row.scans, row.pressed, row.stuck, row.placement,
        row.region,
    ).where(row.visitor_id.in_(ids), scope.holds(row.live_code_id))  # fmt: skip
    found: dict[int, list[Any]] = defaultdict(list)
    for one in connection.execute(query):
        found[one.visitor_id].append(one)
    return found


def _profiles(connection: Connection, ids: Collection[int]) -> Mapping[int, Any]:
    query = sa.select(Visitor.id, Visitor.key, Visitor.device, Visitor.app, Visitor.language).where(Visitor.id.in_(ids))
    return {row.id: row for row in connection.execute(query)}


def _deeds(
    connection: Connection,
    scope: Scope,
    ids: Collection[int],
    conditions: Sequence[Condition],
    now: datetime,
    zone: tzinfo,
) -> Mapping[int, Sequence[Deed]]:
    days = longest_window(conditions)
    if days is None:
        return {}
    since, found = now - timedelta(days=days), defaultdict(list)
    events = (
        sa.select(Visitor.id, _EVENTS.c.type, _EVENTS.c.at)
        .join(Visitor, Visitor.key == _EVENTS.c.visitor)
        .where(
            Visitor.id.in_(ids),
            _EVENTS.c.at >= since,
            _EVENTS.c.type.in_(("scan", "press", "stuck")),
            sa.func.coalesce(_EVENTS.c.outcome, "") != "preview",
            scope.holds(_EVENTS.c.live_code_id),
        )
    )
    for id_, kind, at in connection.execute(events):
        found[id_].append(Deed(kind, at, at.astimezone(zone).hour))
    if any(condition.fact in _BUSINESS for condition in conditions):
        orders = sa.select(Order.visitor_id, Order.at, Order.amount_cents).where(
            Order.visitor_id.in_(ids), Order.at >= since, Order.owner_id.in_((scope.owner_id, HOUSE))
        )
        for id_, at, amount in connection.execute(orders):
            found[id_].append(Deed("order", at, amount=amount))
    return found


def _worth(connection: Connection, scope: Scope, ids: Collection[int]) -> Mapping[int, tuple[int, int]]:
    query = (
        sa.select(Worth.visitor_id, sa.func.sum(Worth.orders), sa.func.sum(Worth.amount_cents))
        .where(Worth.visitor_id.in_(ids), Worth.owner_id.in_((scope.owner_id, HOUSE)))
        .group_by(Worth.visitor_id)
    )
    return {row[0]: (int(row[1]), int(row[2])) for row in connection.execute(query)}


def _products(connection: Connection, scope: Scope, ids: Collection[int]) -> Mapping[int, frozenset[str]]:
    query = sa.select(Order.visitor_id, Order.product).where(
        Order.visitor_id.in_(ids), Order.owner_id.in_((scope.owner_id, HOUSE)), Order.product != ""
    )
    return _gathered(connection, query.distinct())


def _tags(connection: Connection, scope: Scope, ids: Collection[int]) -> Mapping[int, frozenset[str]]:
    """Answers and what people gave by hand; a rule's tags are left out, or rules could go round in circles."""
    query = (
        sa.select(VisitorTag.visitor_id, Tag.name)
        .join(Tag, Tag.id == VisitorTag.tag_id)
        .where(VisitorTag.visitor_id.in_(ids), VisitorTag.rule_id.is_(None), scope.holds(VisitorTag.live_code_id))
    )
    return _gathered(connection, query)


def _gathered(connection: Connection, query: sa.Select[Any, Any]) -> Mapping[int, frozenset[str]]:
    found: dict[int, set[str]] = defaultdict(set)
    for id_, word in connection.execute(query):
        found[id_].add(word)
    return {id_: frozenset(words) for id_, words in found.items()}

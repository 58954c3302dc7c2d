"""Which visitors are asked for, as a query: of an asker's live codes, by what they did, are, were tagged and bought.

`asker_id` None sees everything. Which filter a reader typed is `filters`', what is shown of those found is `store`'s.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from app.codes.store import seen_by
from app.people.histories import HOUSE
from app.people.models import Identity, Order, Tag, Visitor, VisitorLiveCode, VisitorTag, Worth
from app.rules.lifecycle import Bounds, Buyer


@dataclass(frozen=True, slots=True)
class Search:
    """What somebody typed, as what it may be: a visitor's number, keys of identities, an order's number."""

    visitor_id: int | None
    keys: tuple[str, ...]
    order: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which visitors; an empty field asks for all. `region` also asks for every place within it."""

    live_code_id: int | None = None
    tag: str = ""
    region: str = ""
    choice_id: int | None = None
    placement: str = ""
    since: datetime | None = None
    until: datetime | None = None
    without_tag: str = ""
    device: str = ""
    app: str = ""
    pressed: bool | None = None
    stage: Bounds | None = None
    rfm: Buyer | None = None
    search: Search | None = None


def found(asker_id: int | None, wanted: Wanted) -> tuple[sa.Select[int], sa.ColumnElement[datetime]]:
    """The ids of the visitors asked for, each once, and when each was seen last.

    Read from where they were, not from who they are, as soon as a live code or a period is named: a visitor of half a
    million is found by the index of one live code, not by asking everybody.
    """
    ids, is_under = _rows(asker_id, wanted)
    if not is_under:
        return ids, sa.type_coerce(Visitor.last_seen_at, Visitor.last_seen_at.type)
    if wanted.live_code_id is not None:
        return ids, sa.type_coerce(VisitorLiveCode.last_at, VisitorLiveCode.last_at.type)
    return ids.group_by(ids.selected_columns[0]), sa.func.max(VisitorLiveCode.last_at)


def number(asker_id: int | None, wanted: Wanted) -> sa.Select[int]:
    """How many they are. People who were at several live codes are not sorted out but looked for among all: of a
    million, a third of the time, and PostgreSQL does it with several processes."""
    under = _under_conditions(asker_id, wanted)
    if not under or wanted.live_code_id is not None:
        ids, _ = _rows(asker_id, wanted)
    else:
        there = sa.select(VisitorLiveCode.visitor_id).where(*under)
        person = [*_conditions(asker_id, wanted, Visitor.id), *_profile_conditions(wanted)]
        ids = sa.select(Visitor.id).where(Visitor.id.in_(there), *person)
    return sa.select(sa.func.count()).select_from(ids.subquery())


def _rows(asker_id: int | None, wanted: Wanted) -> tuple[sa.Select[int], bool]:
    """Ids, and whether they are of rows of `visitor_live_codes`, of which a visitor may have several."""
    under = _under_conditions(asker_id, wanted)
    id: Any = VisitorLiveCode.visitor_id if under else Visitor.id
    conditions = [*under, *_conditions(asker_id, wanted, id)]
    if not under:
        conditions += _own_conditions(wanted)
    elif profile := _profile_conditions(wanted):
        conditions.append(id.in_(sa.select(Visitor.id).where(*profile)))
    return sa.select(id).where(*conditions), bool(under)


def _conditions(asker_id: int | None, wanted: Wanted, id: Any) -> list[sa.ColumnElement[bool]]:
    """Of a visitor, wherever their row was found."""
    conditions = []
    if wanted.tag:
        conditions.append(id.in_(_tagged(asker_id, wanted, wanted.tag)))
    if wanted.without_tag:
        conditions.append(_is_none_of(id, _tagged(asker_id, wanted, wanted.without_tag)))
    if wanted.stage is not None:
        conditions += _stage_conditions(asker_id, wanted, wanted.stage, id)
    if wanted.rfm is not None:
        conditions.append(id.in_(_buyers(asker_id, wanted.rfm)))
    if wanted.search is not None:
        conditions.append(_is_meant(asker_id, wanted.search, id))
    return conditions


def _own_conditions(wanted: Wanted) -> list[sa.ColumnElement[bool]]:
    """Where everybody is asked, of their own row."""
    conditions = _profile_conditions(wanted)
    if wanted.region:
        conditions.append(lies_in(Visitor.region, wanted.region))
    if wanted.pressed is not None:
        conditions.append((Visitor.pressed > 0) if wanted.pressed else (Visitor.pressed == 0))
    return conditions


def _profile_conditions(wanted: Wanted) -> list[sa.ColumnElement[bool]]:
    named = ((Visitor.device, wanted.device), (Visitor.app, wanted.app))
    return [column == value for column, value in named if value]


def _tagged(asker_id: int | None, wanted: Wanted, name: str) -> sa.Select[Any]:
    tags = sa.select(Tag.id).where(Tag.name == name)
    places = _places(VisitorTag.live_code_id, asker_id, wanted.live_code_id)
    return sa.select(VisitorTag.visitor_id).where(VisitorTag.tag_id.in_(tags), *places)


def _under_conditions(asker_id: int | None, wanted: Wanted) -> list[sa.ColumnElement[bool]]:
    """What one and the same row of `visitor_live_codes` must fulfil; nothing where everybody will do."""
    row = VisitorLiveCode
    found = _places(row.live_code_id, asker_id, wanted.live_code_id)
    if wanted.choice_id is not None:
        found.append(row.choice_id == wanted.choice_id)
    if wanted.placement:
        found.append(row.placement == wanted.placement)
    if wanted.since is not None:
        found.append(row.last_at >= wanted.since)
    if wanted.until is not None:
        found.append(row.last_at < wanted.until)
    if found and wanted.region:
        found.append(lies_in(row.region, wanted.region))
    if found and wanted.pressed is not None:
        found.append((row.pressed > 0) if wanted.pressed else (row.pressed == 0))
    return found


def _stage_conditions(asker_id: int | None, wanted: Wanted, stage: Bounds, id: Any) -> list[sa.ColumnElement[bool]]:
    """Scans and orders both keep somebody active."""
    worth = sa.select(Worth.visitor_id).where(owned(Worth.owner_id, asker_id))
    found: list[sa.ColumnElement[bool]] = []
    if stage.after is not None:
        bought = id.in_(worth.where(Worth.last_at > stage.after))
        found.append(sa.or_(_seen_after(asker_id, wanted, stage.after, id), bought))
    if stage.until is not None:
        found.append(sa.not_(_seen_after(asker_id, wanted, stage.until, id)))
        found.append(_is_none_of(id, worth.where(Worth.last_at > stage.until)))
    orders = sa.func.sum(Worth.orders)
    if stage.least_orders:
        several = worth.group_by(Worth.visitor_id).having(orders >= stage.least_orders)
        if stage.most_orders is not None:
            several = several.having(orders <= stage.most_orders)
        found.append(id.in_(several))
    elif stage.most_orders == 0:
        found.append(_is_none_of(id, worth))
    return found


def _is_none_of(id: Any, ids: sa.Select[Any]) -> sa.ColumnElement[bool]:
    """NOT IN, as PostgreSQL can join it."""
    column = ids.selected_columns[0]
    return sa.not_(ids.where(column == id).correlate(id.table).exists())


def _seen_after(asker_id: int | None, wanted: Wanted, at: datetime, id: Any) -> sa.ColumnElement[bool]:
    """Not a UNION with those who bought: PostgreSQL takes it for two hundred rows, and looks all up one by one."""
    if asker_id is None and wanted.live_code_id is None and id is Visitor.id:
        return Visitor.last_seen_at > at
    row = sa.orm.aliased(VisitorLiveCode)
    seen = sa.select(row.visitor_id).where(row.last_at > at, *_places(row.live_code_id, asker_id, wanted.live_code_id))
    found: sa.ColumnElement[bool] = id.in_(seen)
    return found


def _buyers(asker_id: int | None, buyer: Buyer) -> sa.Select[int]:
    reached = (
        (sa.func.max(Worth.last_at) > buyer.ordered_after, buyer.is_recent),
        (sa.func.sum(Worth.orders) >= buyer.frequent_orders, buyer.is_frequent),
        (sa.func.sum(Worth.amount_cents) >= buyer.high_cents, buyer.is_high),
    )
    query = sa.select(Worth.visitor_id).where(owned(Worth.owner_id, asker_id)).group_by(Worth.visitor_id)
    return query.having(*(condition if shall else sa.not_(condition) for condition, shall in reached))


def _is_meant(asker_id: int | None, search: Search, id: Any) -> sa.ColumnElement[bool]:
    known = sa.select(Identity.visitor_id).where(Identity.key.in_(search.keys), owned(Identity.owner_id, asker_id))
    bought = sa.select(Order.visitor_id).where(
        Order.number == search.order, owned(Order.owner_id, asker_id), Order.visitor_id.is_not(None)
    )
    return sa.or_(id == (search.visitor_id or 0), id.in_(known), id.in_(bought))


def owned(column: Any, asker_id: int | None) -> sa.ColumnElement[bool]:
    """Identities and orders of the asker's own, or of the installation."""
    may: sa.ColumnElement[bool] = column.in_((asker_id, HOUSE)) if asker_id is not None else sa.true()
    return may


def _places(column: Any, asker_id: int | None, live_code_id: int | None) -> list[sa.ColumnElement[bool]]:
    found: list[sa.ColumnElement[bool]] = []
    if live_code_id is not None:
        found.append(column == live_code_id)
    if asker_id is not None:
        found.append(is_seen(column, asker_id))
    return found


def is_seen(column: Any, asker_id: int | None) -> sa.ColumnElement[bool]:
    """Of live codes of their own, or shared with them."""
    seen: sa.ColumnElement[bool] = column.in_(seen_by(asker_id)) if asker_id is not None else sa.true()
    return seen


def is_changeable(column: Any, asker_id: int | None) -> sa.ColumnElement[bool]:
    """Of live codes of their own, or shared with them to be changed."""
    may: sa.ColumnElement[bool] = column.in_(seen_by(asker_id, level="edit")) if asker_id is not None else sa.true()
    return may


def lies_in(column: Any, region: str) -> sa.ColumnElement[bool]:
    return sa.or_(column == region, column.startswith(f"{region}/", autoescape=True))

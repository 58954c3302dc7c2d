"""Which visitors are asked for, as a query: of an asker's live codes, by what they did, are, were tagged and bought.

`asker_id` None sees everything. Which filter a reader typed is `filters`', what is shown of those found is `store`'s.
No OR has a subquery in it that may be long: PostgreSQL reads such a one from its beginning for every visitor.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from app.codes.store import seen_by
from app.people.histories import HOUSE
from app.people.models import Identity, Order, Tag, Visitor, VisitorLiveCode, VisitorTag, Worth
from app.rules.lifecycle import Bounds, Buyer

# What must be seen of a table that belongs to `codes`.
_LIVE_CODES = sa.table("live_codes", sa.column("id", sa.Integer))

# So many live codes are written into a query one by one.
MOST_SEEN = 1000


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
    language: str = ""
    pressed: bool | None = None
    stage: Bounds | None = None
    rfm: Buyer | None = None
    search: Search | None = None


@dataclass(frozen=True, slots=True)
class Eyes:
    """Whose visitors are asked for. `everywhere`: they see every live code there is, and so everybody: each visitor was
    somewhere. `seen`: the live codes they see, where these are known and few. Orders and external ids are `asker_id`'s
    all the same."""

    asker_id: int | None
    everywhere: bool = False
    seen: tuple[int, ...] = ()

    @property
    def places_of(self) -> int | None:
        """Through whose live codes."""
        return None if self.everywhere else self.asker_id


def is_beyond(asker_id: int) -> sa.Select[int]:
    """A live code the asker does not see, where there is one."""
    return sa.select(_LIVE_CODES.c.id).where(_LIVE_CODES.c.id.not_in(seen_by(asker_id))).limit(1)


def is_within(asker_id: int) -> sa.Select[int]:
    """The live codes the asker sees; one more than MOST_SEEN where they are more."""
    seen = _LIVE_CODES.c.id.in_(seen_by(asker_id))
    return sa.select(_LIVE_CODES.c.id).where(seen).order_by(_LIVE_CODES.c.id).limit(MOST_SEEN + 1)


def found(eyes: Eyes, wanted: Wanted) -> tuple[sa.Select[int], sa.ColumnElement[datetime]]:
    """The ids of the visitors asked for, each once, and when each was seen last.

    Read from where they were, not from who they are, as soon as a live code or a period is named: a visitor of half a
    million is found by the index of one live code, not by asking everybody.
    """
    ids, is_under = _rows(eyes, wanted)
    if not is_under:
        return ids, sa.type_coerce(Visitor.last_seen_at, Visitor.last_seen_at.type)
    if wanted.live_code_id is not None:
        return ids, sa.type_coerce(VisitorLiveCode.last_at, VisitorLiveCode.last_at.type)
    return ids.group_by(ids.selected_columns[0]), sa.func.max(VisitorLiveCode.last_at)


def number(eyes: Eyes, wanted: Wanted) -> sa.Select[int]:
    """How many they are. People who were at several live codes are not sorted out but looked for among all: of a
    million, a third of the time, and PostgreSQL does it with several processes."""
    under = _under_conditions(eyes, wanted)
    if wanted.stage is not None and _is_by_last_visit(wanted, wanted.stage) and len(under) == 1:
        return _number_quiet(eyes, wanted, wanted.stage)
    if not under or wanted.live_code_id is not None:
        ids, _ = _rows(eyes, wanted)
    else:
        person = [*_conditions(eyes, wanted, Visitor.id), *_profile_conditions(wanted)]
        # Whoever was active was there, if that is all that is asked of the row.
        only_there = eyes.places_of is not None and len(under) == 1
        if not (only_there and wanted.stage is not None and wanted.stage.after is not None):
            person.append(Visitor.id.in_(sa.select(VisitorLiveCode.visitor_id).where(*under)))
        ids = sa.select(Visitor.id).where(*person)
    return sa.select(sa.func.count()).select_from(ids.subquery())


def _is_by_last_visit(wanted: Wanted, stage: Bounds) -> bool:
    """Lost people of one tag are the exception: looking among those who carry it is a tenth quicker."""
    return stage.is_over and wanted.live_code_id is None and not (wanted.tag and stage.after is None)


def _number_quiet(eyes: Eyes, wanted: Wanted, stage: Bounds) -> sa.Select[int]:
    """How many were active last within a stage that is over, each by their last visit of those that are seen: one join
    of the visits with themselves says who was not there since, and counts nobody twice. Of a million, six tenths of
    what it takes to look for everybody among the visits of the stage and among those after it."""
    visit, later, id = VisitorLiveCode, sa.orm.aliased(VisitorLiveCode), VisitorLiveCode.visitor_id
    bought = sa.select(Worth.visitor_id).where(owned(Worth.owner_id, eyes.asker_id))
    every = [_at_places_of(eyes, visit.live_code_id), *_conditions(eyes, replace(wanted, stage=None), id)]
    if profile := _profile_conditions(wanted):
        every.append(id.in_(sa.select(Visitor.id).where(*profile)))
    every.append(_is_none_of(id, bought.where(Worth.last_at > stage.until)))
    since = sa.tuple_(later.last_at, later.live_code_id) > sa.tuple_(visit.last_at, visit.live_code_id)
    later_ones = sa.select(later.visitor_id).where(_at_places_of(eyes, later.live_code_id), since)
    last = sa.select(sa.func.count().label("people")).select_from(visit).where(visit.last_at <= stage.until, *every)
    if stage.after is None:
        return last.where(_is_none_of(id, later_ones))
    last = last.where(visit.last_at > stage.after, _is_none_of(id, later_ones.where(later.last_at > stage.after)))
    # Who came before it and bought within it: few. Asked for with an OR, they would cost as much as all the others.
    buyers = bought.where(Worth.last_at > stage.after, Worth.last_at <= stage.until)
    came = sa.select(id).where(visit.last_at <= stage.after, id.in_(buyers), *every).distinct().subquery()
    any_visit = sa.orm.aliased(VisitorLiveCode)
    came_last = (
        sa.select(came.c.visitor_id)
        .join(any_visit, any_visit.visitor_id == came.c.visitor_id)
        .where(_at_places_of(eyes, any_visit.live_code_id))
        .group_by(came.c.visitor_id)
        .having(sa.func.max(any_visit.last_at) <= stage.after)
    )
    bought_later = sa.select(sa.func.count()).select_from(came_last.subquery())
    both = sa.union_all(last, bought_later).subquery()
    return sa.select(sa.cast(sa.func.sum(both.c.people), sa.Integer))


def _at_places_of(eyes: Eyes, column: Any) -> sa.ColumnElement[bool]:
    """As `is_seen`, with the live codes by number where they are few enough: that saves joins of a million rows."""
    if not eyes.seen:
        return is_seen(column, eyes.places_of)
    some: sa.ColumnElement[bool] = column.in_(sa.bindparam(None, list(eyes.seen), expanding=True, literal_execute=True))
    return some


def _rows(eyes: Eyes, wanted: Wanted) -> tuple[sa.Select[int], bool]:
    """Ids, and whether they are of rows of `visitor_live_codes`, of which a visitor may have several."""
    under = _under_conditions(eyes, wanted)
    id: Any = VisitorLiveCode.visitor_id if under else Visitor.id
    conditions = [*under, *_conditions(eyes, wanted, id)]
    if not under:
        conditions += _own_conditions(wanted)
    elif profile := _profile_conditions(wanted):
        conditions.append(id.in_(sa.select(Visitor.id).where(*profile)))
    return sa.select(id).where(*conditions), bool(under)


def _conditions(eyes: Eyes, wanted: Wanted, id: Any) -> list[sa.ColumnElement[bool]]:
    """Of a visitor, wherever their row was found."""
    conditions = []
    if wanted.tag:
        conditions.append(id.in_(_tagged(eyes, wanted, wanted.tag)))
    if wanted.without_tag:
        conditions.append(_is_none_of(id, _tagged(eyes, wanted, wanted.without_tag)))
    if wanted.stage is not None:
        conditions += _stage_conditions(eyes, wanted, wanted.stage, id)
    if wanted.rfm is not None:
        conditions.append(id.in_(_buyers(eyes.asker_id, wanted.rfm)))
    if wanted.search is not None:
        conditions.append(_is_meant(eyes.asker_id, wanted.search, id))
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
    named = ((Visitor.device, wanted.device), (Visitor.app, wanted.app), (Visitor.language, wanted.language))
    return [column == value for column, value in named if value]


def _tagged(eyes: Eyes, wanted: Wanted, name: str) -> sa.Select[Any]:
    tags = sa.select(Tag.id).where(Tag.name == name)
    places = _places(VisitorTag.live_code_id, eyes.places_of, wanted.live_code_id)
    return sa.select(VisitorTag.visitor_id).where(VisitorTag.tag_id.in_(tags), *places)


def _under_conditions(eyes: Eyes, wanted: Wanted) -> list[sa.ColumnElement[bool]]:
    """What one and the same row of `visitor_live_codes` must fulfil; nothing where everybody will do."""
    row = VisitorLiveCode
    found = _places(row.live_code_id, eyes.places_of, wanted.live_code_id)
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


def _stage_conditions(eyes: Eyes, wanted: Wanted, stage: Bounds, id: Any) -> list[sa.ColumnElement[bool]]:
    """Scans and orders both keep somebody active."""
    worth = sa.select(Worth.visitor_id).where(owned(Worth.owner_id, eyes.asker_id))
    found: list[sa.ColumnElement[bool]] = []
    if stage.until is not None:
        found.append(_is_unseen_after(eyes, wanted, stage.until, id))
        found.append(_is_none_of(id, worth.where(Worth.last_at > stage.until)))
    if stage.most_orders == 0:
        found.append(_is_none_of(id, worth))
        if stage.after is not None:
            found.append(_seen_after(eyes, wanted, stage.after, id))
    elif stage.after is not None and not stage.least_orders and _is_by_person(eyes, wanted, id):
        found.append(_is_none_of(id, _gone_by(eyes, stage.after)))
    elif stage.least_orders or stage.after is not None:
        found.append(id.in_(_active(eyes, wanted, stage, id)))
    return found


def _is_none_of(id: Any, ids: sa.Select[Any]) -> sa.ColumnElement[bool]:
    """NOT IN, as PostgreSQL can join it."""
    column = ids.selected_columns[0]
    return sa.not_(ids.where(column == id).correlate(id.table).exists())


def _seen_after(eyes: Eyes, wanted: Wanted, at: datetime, id: Any) -> sa.ColumnElement[bool]:
    if _is_by_person(eyes, wanted, id):
        return Visitor.last_seen_at > at
    row = sa.orm.aliased(VisitorLiveCode)
    found: sa.ColumnElement[bool] = id.in_(_visits(eyes, wanted, row).where(row.last_at > at))
    return found


def _is_unseen_after(eyes: Eyes, wanted: Wanted, at: datetime, id: Any) -> sa.ColumnElement[bool]:
    if _is_by_person(eyes, wanted, id):
        return Visitor.last_seen_at <= at
    row = sa.orm.aliased(VisitorLiveCode)
    return _is_none_of(id, _visits(eyes, wanted, row).where(row.last_at > at))


def _active(eyes: Eyes, wanted: Wanted, stage: Bounds, id: Any) -> sa.Select[Any]:
    """Who was seen or bought after the stage begins, with so many orders. Not a UNION of both: PostgreSQL takes it for
    two hundred rows, and looks all up one by one."""
    orders = sa.func.sum(Worth.orders)
    buyers = (
        sa.select(Worth.visitor_id, sa.func.max(Worth.last_at).label("last_at"))
        .where(owned(Worth.owner_id, eyes.asker_id))
        .group_by(Worth.visitor_id)
        .having(orders >= stage.least_orders)
    )
    if stage.most_orders is not None:
        buyers = buyers.having(orders <= stage.most_orders)
    bought = buyers.subquery()
    if _is_by_person(eyes, wanted, id):
        person = sa.orm.aliased(Visitor)
        some, key, last_at = sa.select(person.id), person.id, person.last_seen_at
    else:
        row = sa.orm.aliased(VisitorLiveCode)
        some, key, last_at = _visits(eyes, wanted, row), row.visitor_id, row.last_at
    some = some.join(bought, bought.c.visitor_id == key, isouter=not stage.least_orders)
    if stage.after is None:
        return some
    return some.where(sa.or_(last_at > stage.after, bought.c.last_at > stage.after))


def _gone_by(eyes: Eyes, at: datetime) -> sa.Select[int]:
    """Everybody neither seen nor bought after this: fewer to look among than those who were (700 ms less of 1,800)."""
    person = sa.orm.aliased(Visitor)
    bought = sa.select(Worth.visitor_id).where(
        owned(Worth.owner_id, eyes.asker_id), Worth.last_at > at, Worth.visitor_id == person.id
    )
    return sa.select(person.id).where(person.last_seen_at <= at, sa.not_(bought.correlate(person).exists()))


def _is_by_person(eyes: Eyes, wanted: Wanted, id: Any) -> bool:
    """Whether the visitor's own row says when they were seen last."""
    return id is Visitor.id and eyes.places_of is None and wanted.live_code_id is None


def _visits(eyes: Eyes, wanted: Wanted, row: Any) -> sa.Select[Any]:
    return sa.select(row.visitor_id).where(*_places(row.live_code_id, eyes.places_of, wanted.live_code_id))


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

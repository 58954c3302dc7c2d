"""Visitors, as far as the asker may see them: listed and shown.

An asker sees people through the live codes that are theirs or shared with them: what somebody did elsewhere, and people
who were never there, do not exist. `asker_id` None sees everything. Nothing here commits.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, cast

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.people.models import Alias, Tag, Visitor, VisitorLiveCode, VisitorTag
from app.people.wanted import (
    MOST_SEEN,
    Eyes,
    Wanted,
    found,
    is_beyond,
    is_changeable,
    is_seen,
    is_within,
    number,
)

# What must be seen of tables that belong to `codes`.
_LIVE_CODES = sa.table(
    "live_codes",
    sa.column("id", sa.Integer),
    sa.column("owner_id", sa.Integer),
    sa.column("name", sa.String),
    sa.column("title", sa.String),
)
_CHOICES = sa.table(
    "choices", sa.column("id", sa.Integer), sa.column("live_code_id", sa.Integer), sa.column("title", sa.String)
)
_MEMBERS = sa.table(
    "members", sa.column("id", sa.Integer), sa.column("label", sa.String), sa.column("public_name", sa.String)
)


class Profile(Protocol):
    """What a visitor's row says of them."""

    @property
    def id(self) -> int: ...
    @property
    def region(self) -> str | None: ...
    @property
    def device(self) -> str | None: ...
    @property
    def app(self) -> str | None: ...
    @property
    def language(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class Under:
    """What a visitor did under one live code."""

    live_code_id: int
    name: str
    title: str
    choice_id: int | None
    choice: str | None
    member_id: int | None
    member: str | None  # as the panel calls it
    public_member: str | None  # as scanners know it
    placement: str | None
    region: str | None
    first_at: datetime
    last_at: datetime
    scans: int
    pressed: int
    stuck: int


@dataclass(frozen=True, slots=True)
class Given:
    """A tag that was given to a visitor: by their own answer (`choice_id`), by a rule, or by hand."""

    name: str
    category: str
    live_code_id: int
    at: datetime
    choice_id: int | None = None
    rule_id: int | None = None


@dataclass(frozen=True, slots=True)
class Person:
    """A visitor as the asker may know them: sums and dates are of the live codes in `under`."""

    id: int
    region: str | None
    device: str | None
    app: str | None
    language: str | None
    under: Sequence[Under] = field(default_factory=tuple)
    tags: Sequence[Given] = field(default_factory=tuple)

    @property
    def first_seen_at(self) -> datetime:
        return min(one.first_at for one in self.under)

    @property
    def last_seen_at(self) -> datetime:
        return max(one.last_at for one in self.under)

    @property
    def scans(self) -> int:
        return sum(one.scans for one in self.under)

    @property
    def pressed(self) -> int:
        return sum(one.pressed for one in self.under)

    @property
    def stuck(self) -> int:
        return sum(one.stuck for one in self.under)

    @property
    def tag_names(self) -> list[str]:
        return list(dict.fromkeys(tag.name for tag in self.tags))


def eyes_of(session: Session, asker_id: int | None) -> Eyes:
    """What an asker sees. For a user who sees every live code, people need not be looked for in those they see: of a
    million, that is most of the time a count takes."""
    if asker_id is None or session.execute(is_beyond(asker_id)).first() is None:
        return Eyes(asker_id, everywhere=True)
    seen = tuple(session.scalars(is_within(asker_id)))
    return Eyes(asker_id, seen=seen if len(seen) <= MOST_SEEN else ())


def count_visitors(session: Session, asker_id: int | None, wanted: Wanted) -> int:
    return session.scalar(number(eyes_of(session, asker_id), wanted)) or 0


def list_visitors(
    session: Session, asker_id: int | None, wanted: Wanted, limit: int, offset: int
) -> tuple[list[Person], int]:
    """One page, the most recent first, and the number in all."""
    ids, last_at = found(eyes_of(session, asker_id), wanted)
    total = count_visitors(session, asker_id, wanted)
    page = ids.order_by(last_at.desc(), ids.selected_columns[0].desc()).limit(limit).offset(offset)
    return people(session, asker_id, _rows(session, list(session.scalars(page)))), total


def _rows(session: Session, ids: Sequence[int]) -> list[Profile]:
    """No objects of the ORM: a million of them take a minute to be made and forgotten."""
    query = sa.select(Visitor.id, Visitor.region, Visitor.device, Visitor.app, Visitor.language)
    found = {row.id: row for row in session.execute(query.where(_among(Visitor.id, ids)))}
    return [cast(Profile, found[id]) for id in ids if id in found]


def _among(column: Any, ids: Collection[int]) -> sa.ColumnElement[bool]:
    """IN, the numbers written out: psycopg needs 20 ms to make sense of a thousand parameters."""
    some: sa.ColumnElement[bool] = column.in_(sa.bindparam(None, list(ids), expanding=True, literal_execute=True))
    return some


@dataclass(frozen=True, slots=True)
class Stretch:
    """Some of many visitors. `last`: the id to go on after; None when there are no more."""

    people: list[Person]
    last: int | None


def next_visitors(session: Session, asker_id: int | None, wanted: Wanted, after: int, limit: int) -> Stretch:
    """Those with larger ids than `after`, in the order of their ids: how an export walks through any number of them."""
    ids = next_ids(session, asker_id, wanted, after, limit)
    return Stretch(people(session, asker_id, _rows(session, ids)), ids[-1] if len(ids) == limit else None)


def next_ids(session: Session, asker_id: int | None, wanted: Wanted, after: int, limit: int) -> list[int]:
    """The same, their numbers alone."""
    ids, _ = found(eyes_of(session, asker_id), wanted)
    id = ids.selected_columns[0]
    return list(session.scalars(ids.where(id > after).order_by(id).limit(limit)))


def find_visitor(session: Session, asker_id: int | None, visitor_id: int) -> Visitor | None:
    """The visitor's row; None also where they were under no live code of the asker's."""
    ids, _ = found(eyes_of(session, asker_id), Wanted())
    known = session.scalar(ids.where(ids.selected_columns[0] == visitor_id))
    return session.get(Visitor, visitor_id) if known is not None else None


def known_ids(session: Session, asker_id: int | None, ids: Collection[int]) -> list[int]:
    """Those of these visitors who were ever under a live code of the asker's."""
    found_ids, _ = found(eyes_of(session, asker_id), Wanted())
    return list(session.scalars(found_ids.where(found_ids.selected_columns[0].in_(ids))))


def changeable_ids(session: Session, asker_id: int | None, ids: Sequence[int], at_once: int = 1000) -> set[int]:
    """Those of these visitors who were ever under a live code the asker may change."""
    row, found_ids = VisitorLiveCode, set[int]()
    for start in range(0, len(ids), at_once):
        some = _among(row.visitor_id, ids[start : start + at_once])
        query = sa.select(row.visitor_id).where(some, is_changeable(row.live_code_id, asker_id))
        found_ids.update(session.scalars(query))
    return found_ids


def is_wholly_changeable(session: Session, asker_id: int | None, visitor_id: int) -> bool:
    """Whether the asker may change every live code this visitor was under: only then is the person theirs alone."""
    places = sa.select(VisitorLiveCode.live_code_id).where(VisitorLiveCode.visitor_id == visitor_id)
    beyond = places.where(sa.not_(is_changeable(VisitorLiveCode.live_code_id, asker_id)))
    return session.execute(beyond.limit(1)).first() is None


def find_by_key(session: Session, key: str) -> Visitor | None:
    """By any key of theirs."""
    alias = sa.select(Alias.visitor_id).where(Alias.key == key)
    return session.scalar(sa.select(Visitor).where(sa.or_(Visitor.key == key, Visitor.id.in_(alias))))


def live_codes_of(session: Session, asker_id: int | None, visitor_id: int, *, to_change: bool = False) -> list[int]:
    """The live codes this visitor was under and the asker may look at, or change; the most recent first."""
    may = is_changeable if to_change else is_seen
    query = sa.select(VisitorLiveCode.live_code_id).where(
        VisitorLiveCode.visitor_id == visitor_id, may(VisitorLiveCode.live_code_id, asker_id)
    )
    return list(session.scalars(query.order_by(VisitorLiveCode.last_at.desc(), VisitorLiveCode.live_code_id)))


def people(session: Session, asker_id: int | None, visitors: Iterable[Profile]) -> list[Person]:
    """The same visitors with what is known of them; three queries, however many they are."""
    rows = list(visitors)
    ids = [row.id for row in rows]
    under, tags = _under(session, asker_id, ids), _tags(session, asker_id, ids)
    # Somebody may have been erased between the queries.
    return [
        Person(
            id=row.id,
            region=row.region if asker_id is None else _newest_region(under[row.id]),
            device=row.device,
            app=row.app,
            language=row.language,
            under=under[row.id],
            tags=tags.get(row.id, []),
        )
        for row in rows
        if row.id in under
    ]


def _newest_region(under: Sequence[Under]) -> str | None:
    return next((one.region for one in under if one.region), None)


def _under(session: Session, asker_id: int | None, ids: Collection[int]) -> Mapping[int, list[Under]]:
    row = VisitorLiveCode
    query = (
        sa.select(
            row.visitor_id, row.live_code_id, _LIVE_CODES.c.name, _LIVE_CODES.c.title, row.choice_id, _CHOICES.c.title,
            row.member_id, sa.func.coalesce(sa.func.nullif(_MEMBERS.c.label, ""), _MEMBERS.c.public_name),
            _MEMBERS.c.public_name,
            row.placement, row.region, row.first_at, row.last_at, row.scans, row.pressed, row.stuck,
        )
        .join(_LIVE_CODES, _LIVE_CODES.c.id == row.live_code_id)
        .outerjoin(_CHOICES, _CHOICES.c.id == row.choice_id)
        .outerjoin(_MEMBERS, _MEMBERS.c.id == row.member_id)
        .where(_among(row.visitor_id, ids), is_seen(row.live_code_id, asker_id))
        .order_by(row.last_at.desc(), row.live_code_id)
    )  # fmt: skip
    found: dict[int, list[Under]] = {}
    for one in session.execute(query):
        found.setdefault(one[0], []).append(Under(*one[1:]))
    return found


def _tags(session: Session, asker_id: int | None, ids: Collection[int]) -> Mapping[int, list[Given]]:
    query = (
        sa.select(
            VisitorTag.visitor_id, Tag.name, Tag.category, VisitorTag.live_code_id, VisitorTag.at,
            VisitorTag.choice_id, VisitorTag.rule_id,
        )
        .join(Tag, Tag.id == VisitorTag.tag_id)
        .where(_among(VisitorTag.visitor_id, ids), is_seen(VisitorTag.live_code_id, asker_id))
        .order_by(VisitorTag.at, Tag.name)
    )  # fmt: skip
    found: dict[int, list[Given]] = {}
    for one in session.execute(query):
        found.setdefault(one[0], []).append(Given(*one[1:]))
    return found


@dataclass(frozen=True, slots=True)
class Names:
    """What the live codes, choices and members of a timeline are called in the panel; unnamed ones are left out."""

    live_codes: Mapping[int, str]
    choices: Mapping[int, str]
    members: Mapping[int, str]


def names_of(session: Session, events: Sequence[Any]) -> Names:
    def read(table: Any, attribute: str, *columns: str) -> dict[int, str]:
        ids = {getattr(event, attribute) for event in events} - {None}
        own = sa.func.coalesce(*(sa.func.nullif(table.c[name], "") for name in columns), "")
        return {
            row[0]: row[1] for row in session.execute(sa.select(table.c.id, own).where(table.c.id.in_(ids))) if row[1]
        }

    return Names(
        live_codes=read(_LIVE_CODES, "live_code_id", "name"),
        choices=read(_CHOICES, "choice_id", "title"),
        members=read(_MEMBERS, "member_id", "label", "public_name"),
    )


def live_code_names(session: Session, asker_id: int | None, limit: int) -> list[tuple[int, str]]:
    """Live codes to choose from, the newest first."""
    query = sa.select(_LIVE_CODES.c.id, _LIVE_CODES.c.name).where(is_seen(_LIVE_CODES.c.id, asker_id))
    return [(row[0], row[1]) for row in session.execute(query.order_by(_LIVE_CODES.c.id.desc()).limit(limit))]


def names_by_id(session: Session, asker_id: int | None, ids: Collection[int]) -> dict[str, str]:
    """What these live codes are called, by their number as text; others' are left out."""
    query = sa.select(_LIVE_CODES.c.id, _LIVE_CODES.c.name).where(_LIVE_CODES.c.id.in_(ids))
    return {str(row[0]): row[1] for row in session.execute(query.where(is_seen(_LIVE_CODES.c.id, asker_id)))}


def live_code_owner(session: Session, live_code_id: int) -> int | None:
    return session.scalar(sa.select(_LIVE_CODES.c.owner_id).where(_LIVE_CODES.c.id == live_code_id))


def choice_titles(session: Session, asker_id: int | None, live_code_id: int) -> list[tuple[int, str]]:
    """The choices of one live code of the page that asks."""
    query = sa.select(_CHOICES.c.id, _CHOICES.c.title).where(
        _CHOICES.c.live_code_id == live_code_id, is_seen(_CHOICES.c.live_code_id, asker_id)
    )
    return [(row[0], row[1]) for row in session.execute(query.order_by(_CHOICES.c.id))]

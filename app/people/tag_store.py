"""Tags: the words, which are everybody's, and who carries them, which is not; given and taken by hand.

What an asker may see and change is `wanted`'s. Nothing here commits.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.orm import Session

from app.db.upsert import Insert, insert_rows
from app.people.absorb import tag_ids_of
from app.people.models import Tag, VisitorLiveCode, VisitorTag
from app.people.wanted import is_changeable, is_seen

_VISITOR_TAGS: sa.Table = VisitorTag.__table__  # type: ignore[assignment]

# Who is told of new tags that nobody chose themselves: (visitor id, tag id, live code id, when), in the transaction.
TellTagged = Callable[[Connection, Sequence[tuple[int, int, int, datetime]]], object]


def tell_nobody(_connection: Connection, _tagged: Sequence[tuple[int, int, int, datetime]]) -> None:
    pass


@dataclass(frozen=True, slots=True)
class TagCount:
    """A tag and how many of the people the asker may see carry it."""

    id: int
    name: str
    category: str
    visitors: int


def list_tags(session: Session, asker_id: int | None, limit: int, offset: int) -> tuple[list[TagCount], int]:
    """All tags: the words are everybody's, the people behind them are not. The most used first."""
    carriers = (
        sa.select(VisitorTag.tag_id, sa.func.count(sa.distinct(VisitorTag.visitor_id)).label("carriers"))
        .where(is_seen(VisitorTag.live_code_id, asker_id))
        .group_by(VisitorTag.tag_id)
        .subquery()
    )
    number = sa.func.coalesce(carriers.c.carriers, 0)
    query = (
        sa.select(Tag.id, Tag.name, Tag.category, number)
        .outerjoin(carriers, carriers.c.tag_id == Tag.id)
        .order_by(number.desc(), Tag.name, Tag.id)
        .limit(limit)
        .offset(offset)
    )
    total = session.scalar(sa.select(sa.func.count()).select_from(Tag)) or 0
    return [TagCount(*row) for row in session.execute(query)], total


def find_tag(session: Session, name: str, category: str | None) -> Tag | None:
    """The tag of this name, in this category or (None) in whichever has it; the oldest then."""
    query = sa.select(Tag).where(Tag.name == name).order_by(Tag.id).limit(1)
    return session.scalar(query if category is None else query.where(Tag.category == category))


def make_tag(session: Session, name: str, category: str) -> int:
    """The id of the tag, made where it is missing."""
    return tag_ids_of(session.connection(), {name}, category)[name]


def give_tag(session: Session, visitor_id: int, tag_id: int, live_code_id: int, told: TellTagged = tell_nobody) -> None:
    """By hand; given already, it stays as it is, and nobody is told."""
    at, connection = datetime.now(UTC), session.connection()
    row = {"visitor_id": visitor_id, "tag_id": tag_id, "live_code_id": live_code_id, "at": at}
    if insert_rows(connection, _VISITOR_TAGS, [row | {"choice_id": None}], unless_given):
        told(connection, [(visitor_id, tag_id, live_code_id, at)])


def places_of(
    session: Session, asker_id: int | None, ids: Collection[int], live_code_id: int | None = None
) -> dict[int, int]:
    """Under which live code each of these visitors gets a tag: the one asked for, else the most recent of those that
    may be changed. Others are left out."""
    row = VisitorLiveCode
    query = sa.select(row.visitor_id, row.live_code_id).where(
        row.visitor_id.in_(ids), is_changeable(row.live_code_id, asker_id)
    )
    if live_code_id is not None:
        query = query.where(row.live_code_id == live_code_id)
    # The last one written is the most recent.
    return {one.visitor_id: one.live_code_id for one in session.execute(query.order_by(row.last_at, row.live_code_id))}


def give_tags(session: Session, places: Mapping[int, int], tag_id: int, told: TellTagged = tell_nobody) -> int:
    """By hand, to several: visitor → live code. To how many it is new."""
    at, connection = datetime.now(UTC), session.connection()
    rows = [
        {"visitor_id": id_, "tag_id": tag_id, "live_code_id": place, "at": at, "choice_id": None}
        for id_, place in sorted(places.items())
    ]
    fresh = insert_rows(connection, _VISITOR_TAGS, rows, unless_given)
    if fresh:
        told(connection, [(row[0], tag_id, places[row[0]], at) for row in fresh])
    return len(fresh)


def take_tags(session: Session, asker_id: int | None, ids: Sequence[int], tag_id: int) -> None:
    """Takes the tag off these visitors, where the asker may change; what rules gave stays theirs."""
    session.execute(
        sa.delete(_VISITOR_TAGS).where(
            _VISITOR_TAGS.c.visitor_id.in_(ids),
            _VISITOR_TAGS.c.tag_id == tag_id,
            _VISITOR_TAGS.c.rule_id.is_(None),
            is_changeable(_VISITOR_TAGS.c.live_code_id, asker_id),
        )
    )


def unless_given(statement: Insert) -> Any:
    """Answers whose tags are new."""
    return statement.on_conflict_do_nothing().returning(_VISITOR_TAGS.c.visitor_id)


def take_tag(session: Session, asker_id: int | None, visitor_id: int, name: str) -> bool:
    """Takes every tag of this name off the visitor, where the asker may change; False: there was none."""
    named = sa.select(Tag.id).where(Tag.name == name)
    gone = session.execute(
        sa.delete(VisitorTag)
        .where(
            VisitorTag.visitor_id == visitor_id,
            VisitorTag.tag_id.in_(named),
            is_changeable(VisitorTag.live_code_id, asker_id),
        )
        .execution_options(synchronize_session=False)
    )
    return bool(gone.rowcount)  # type: ignore[attr-defined]

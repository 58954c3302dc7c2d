"""The SQL ledger's statements on the hot path, compiled once for the dialect they run on (`db.held`)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from app.db.held import Prepared
from app.ledger.tables import live_codes, member_counts, outbox, seats, tier_turns

Found = Any  # a row with the columns of `seats`; of LOOK also the live code's `version`

LOOK = (
    sa.select(live_codes.c.version, *seats.c)
    .select_from(
        live_codes.outerjoin(
            seats,
            (seats.c.scope == sa.bindparam("scope_key")) & (seats.c.visitor == sa.bindparam("visitor_key")),
        )
    )
    .where(live_codes.c.id == sa.bindparam("live_code_id"))
)
LOOK_LOCKED = LOOK.with_for_update(of=live_codes, key_share=True)
LOCK = (
    sa.select(live_codes.c.id)
    .where(live_codes.c.id == sa.bindparam("live_code_id"))
    .with_for_update(of=live_codes, key_share=True)
)
VERSION = sa.select(live_codes.c.version).where(live_codes.c.id == sa.bindparam("live_code_id"))
SEAT = sa.select(seats).where(seats.c.scope == sa.bindparam("scope"), seats.c.visitor == sa.bindparam("visitor"))
TURNS = sa.select(tier_turns.c.state).where(tier_turns.c.key == sa.bindparam("key"))
SEND = sa.insert(outbox).values(body=sa.bindparam("body"))


@dataclass(frozen=True, slots=True)
class Hot:
    """Every statement a scan may need, prepared."""

    look: Prepared
    look_locked: Prepared
    version: Prepared
    seat: Prepared
    send: Prepared
    take_room: Prepared
    hold_seat: Prepared
    counts: Prepared
    turns: Prepared
    set_turns: Prepared

    @classmethod
    def prepare(cls, dialect: sa.Dialect) -> "Hot":
        insert_into = insert_for(dialect)
        return cls(
            look=Prepared(LOOK, dialect),
            look_locked=Prepared(LOOK_LOCKED, dialect),
            version=Prepared(VERSION, dialect),
            seat=Prepared(SEAT, dialect),
            send=Prepared(SEND, dialect),
            take_room=Prepared(take_room(insert_into), dialect),
            hold_seat=Prepared(hold_seat(insert_into), dialect),
            counts=Prepared(counts_of(dialect), dialect),
            turns=Prepared(TURNS, dialect),
            set_turns=Prepared(set_turns(insert_into), dialect),
        )


def insert_for(dialect: sa.Dialect) -> Callable[..., Any]:
    """INSERT with ON CONFLICT, which both dialects spell alike but SQLAlchemy builds apart."""
    return sqlite.insert if dialect.name == "sqlite" else postgresql.insert


def counts_of(dialect: sa.Dialect) -> Any:
    """All counts of the members whose numbers are given as one JSON list: however many, it is the same statement."""
    members = sa.bindparam("members", type_=sa.Text)
    if dialect.name == "sqlite":
        numbers = sa.select(sa.func.json_each(members).table_valued("value").c.value)
    else:
        texts = sa.func.json_array_elements_text(sa.cast(members, sa.JSON)).table_valued("value").c.value
        numbers = sa.select(sa.cast(texts, sa.Integer))
    return sa.select(member_counts).where(member_counts.c.member_id.in_(numbers))


def take_room(insert_into: Callable[..., Any]) -> Any:
    """One seat more in a count, only while it is below `seat_limit` (-1: none); the row count says whether."""
    insert = insert_into(member_counts).values(
        member_id=sa.bindparam("member_id"),
        counted_from=sa.bindparam("counted_from"),
        generation=sa.bindparam("generation"),
        counted=1,
        pressed=0,
        day=sa.bindparam("day"),
        taken=1,
        oldest_unpressed_at=sa.bindparam("at"),
    )
    now, new = member_counts.c, insert.excluded
    limit = sa.bindparam("seat_limit", type_=sa.Integer)
    is_new_day = now.day.is_(None) | (now.day < new.day)
    return insert.on_conflict_do_update(
        index_elements=["member_id", "counted_from"],
        set_={
            "counted": now.counted + 1,
            # The clock may have been set back over midnight: the later day's count is kept, never lowered.
            "day": sa.case((is_new_day, new.day), else_=now.day),
            "taken": sa.case((is_new_day, 1), else_=now.taken + 1),
            "oldest_unpressed_at": sa.func.coalesce(now.oldest_unpressed_at, new.oldest_unpressed_at),
        },
        where=(limit < 0) | (now.counted < limit),
    )


def hold_seat(insert_into: Callable[..., Any]) -> Any:
    """Writes the visitor's seat over the member `expected` (-1: none); the row count says whether it was still so."""
    key = ("scope", "visitor")
    moved = ("live_code_id", "member_id", "generation", "counted_from", "choice_id", "taken_at", "counted_at")
    given = (*moved, "counted", "changes")
    insert = insert_into(seats).values(
        **{name: sa.bindparam(name) for name in (*key, *given)},
        pressed_at=None,
        lapsed=False,
        refused="",
        stuck_count=0,
    )
    return insert.on_conflict_do_update(
        index_elements=key,
        set_={name: insert.excluded[name] for name in (*given, "pressed_at", "lapsed")},
        where=sa.func.coalesce(seats.c.member_id, -1) == sa.bindparam("expected", type_=sa.Integer),
    )


def set_turns(insert_into: Callable[..., Any]) -> Any:
    insert = insert_into(tier_turns).values(key=sa.bindparam("key"), state=sa.bindparam("state"))
    return insert.on_conflict_do_update(index_elements=["key"], set_={"state": insert.excluded.state})

"""What the Redis ledger asks of SQL, and tells it: which version and home a live code has, seats and counts to begin
again with, and the few states of a member that a scan may change. Never asked by a scan that goes well.
"""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from app.db.bounded import wait_briefly, wait_long
from app.db.held import HeldConnections, WriteTurn
from app.ledger import counting, packing
from app.ledger.keys import own_scope
from app.ledger.leaving import SUSPECT_AFTER, SUSPECT_WITHIN
from app.ledger.protocol import NotReady
from app.ledger.sharing import share
from app.ledger.statements import LOCK, insert_for
from app.ledger.streams import MARK_BITS
from app.ledger.tables import ledger_state, member_counts, members, seats, stuck_reports, tombstones
from app.rules.kinds import KINDS
from app.rules.model import ChoicePolicy

EVERYWHERE = 0
CHUNK = 500
GROUP_KINDS = [key for key, kind in KINDS.items() if kind.is_group]

# What must be seen of tables that belong to `codes`.
_codes = sa.table(
    "live_codes",
    *(sa.column(name, sa.Integer) for name in ("id", "version", "owner_id")),
    *(sa.column(name, sa.String) for name in ("kind", "choice_policy", "dedupe_group")),
)
_members = sa.table(
    "members", sa.column("id", sa.Integer), sa.column("live_code_id", sa.Integer), sa.column("kind", sa.String)
)


@dataclass(frozen=True, slots=True)
class Standing:
    """A live code's version, and the scope in whose bucket its counts stand."""

    version: int
    home: str


@dataclass(frozen=True, slots=True)
class Life:
    """A store that begins. epoch: larger than every one before. newest: when Redis told SQL the last thing, in
    milliseconds since 1970; 0 for never."""

    epoch: int
    newest: int


class Truth:
    """Safe over threads and across fork. Raises NotReady when SQL does not answer."""

    def __init__(self, engine: Engine, secret: bytes, turn: WriteTurn | None = None) -> None:
        self._held = HeldConnections(engine, turn)
        self._secret = blake2b(secret, digest_size=32, person=b"huozi.tombstone").digest()
        self._insert = insert_for(engine.dialect)

    def close(self) -> None:
        self._held.close()

    def standing(self, live_code_id: int) -> Standing | None:
        with self._reading() as connection:
            row = connection.execute(sa.select(_codes).where(_codes.c.id == live_code_id)).first()
        return None if row is None else Standing(row.version, _home(row))

    def versions(self) -> Iterator[tuple[int, Standing]]:
        """Every live code's."""
        last = 0
        while True:
            page = sa.select(_codes).where(_codes.c.id > last).order_by(_codes.c.id).limit(5000)
            with self._reading() as connection:
                rows = connection.execute(page).all()
            yield from ((row.id, Standing(row.version, _home(row))) for row in rows)
            if not rows:
                return
            last = rows[-1].id

    def next_life(self, now: int) -> Life:
        """Begins another life of the store, named by the time unless the clock was set back. `now`: seconds."""
        with self._writing() as connection:
            connection.execute(self._insert(ledger_state).values(id=1, epoch=0).on_conflict_do_nothing())
            later = sa.case((ledger_state.c.epoch < now, now), else_=ledger_state.c.epoch + 1)
            epoch = connection.execute(sa.update(ledger_state).values(epoch=later).returning(ledger_state.c.epoch))
            newest = connection.scalar(sa.select(sa.func.max(member_counts.c.mark))) or 0
            return Life(int(epoch.scalar_one()), newest >> MARK_BITS)

    def counts(self, live_code_id: int) -> dict[bytes, bytes]:
        """Counts and presses as Redis keeps them, field → value."""
        mine = sa.select(_members.c.id).where(_members.c.live_code_id == live_code_id)
        counted: dict[tuple[int, int], packing.Tallied] = {}
        pressed: dict[bytes, int] = {}
        with self._reading_much() as connection:
            for row in connection.execute(sa.select(member_counts).where(member_counts.c.member_id.in_(mine))):
                day = packing.day_number(row.day)
                counted[(row.member_id, row.counted_from)] = packing.Tallied(row.counted, day, row.taken, row.swept)
                field = b"p%d.%d" % (row.member_id, row.generation)
                pressed[field] = pressed.get(field, 0) + row.pressed
            waiting = (
                sa.select(seats.c.member_id, seats.c.counted_from, seats.c.counted_at)
                .join(_members, _members.c.id == seats.c.member_id)
                .where(_members.c.live_code_id == live_code_id, _members.c.kind.in_(GROUP_KINDS))
                .where(seats.c.counted, seats.c.pressed_at.is_(None))
                .order_by(seats.c.counted_at)
            )
            for member_id, counted_from, at in connection.execute(waiting):
                count = counted.setdefault((member_id, counted_from), packing.Tallied())
                slot = packing.millis(at) // packing.SLOT
                if slot < count.swept:
                    continue
                if count.waits and count.waits[-1][0] == slot:
                    count.waits[-1] = (slot, count.waits[-1][1] + 1)
                else:
                    count.waits.append((slot, 1))
        fields = {b"%d.%d" % key: packing.write_count(count) for key, count in counted.items()}
        return fields | {field: b"%d" % number for field, number in pressed.items() if number}

    def somebody_in(self, scope: str) -> int | None:
        """A live code of this dedupe group."""
        _, owner, name = scope.split(":", 2)
        of_group = sa.select(_codes.c.id).where(_codes.c.owner_id == int(owner), _codes.c.dedupe_group == name)
        with self._reading() as connection:
            return connection.scalar(of_group.limit(1))

    def scopes(self, live_code_id: int) -> list[str]:
        """The live code's own scopes that anybody has a row in: its own, and its choices'."""
        own = own_scope(live_code_id)
        # A range, not LIKE, which no index of a PostgreSQL with another collation serves.
        mine = (seats.c.scope == own) | ((seats.c.scope >= f"{own}:c:") & (seats.c.scope < f"{own}:c;"))
        with self._reading() as connection:
            return list(connection.scalars(sa.select(seats.c.scope).where(mine).distinct()))

    def seats(self, scope: str, live_code_id: int) -> Iterator[list[tuple[bytes, bytes]]]:
        """Visitors and values of a scope, some hundreds at a time. `live_code_id`: the scope's, 0 for a group's."""
        last = ""
        query = sa.select(seats, _members.c.kind).outerjoin(_members, _members.c.id == seats.c.member_id)
        while True:
            page = query.where(seats.c.scope == scope, seats.c.visitor > last).order_by(seats.c.visitor).limit(CHUNK)
            with self._reading_much() as connection:
                rows = connection.execute(page).all()
            if not rows:
                return
            last = rows[-1].visitor
            yield [(packing.visitor_field(row.visitor), packing.write_row(_row_of(row), live_code_id)) for row in rows]

    def tombstones(self) -> list[bytes]:
        with self._reading_much() as connection:
            return [stone.encode() for stone in connection.scalars(sa.select(tombstones.c.visitor_hash))]

    def tombstone(self, visitor: str, place: int) -> str:
        return blake2b(f"{place}:{visitor}".encode(), key=self._secret, digest_size=24).hexdigest()

    # -- what a scan changes -------------------------------------------------------------------------------------------

    def promote(self, live_code_id: int, member_id: int) -> int | None:
        """A reserve comes into play: the live code's new version, None when it was active already."""
        still = sa.select(members.c.id).where(members.c.id == member_id, members.c.state == "reserve")
        with self._writing() as connection:
            connection.execute(LOCK, {"live_code_id": live_code_id})
            if connection.execute(still).first() is None:
                return None
            counting.set_member(connection, live_code_id, member_id, state="active")
            return _version(connection, live_code_id)

    def suspect(
        self, live_code_id: int, member_id: int, now: datetime, reports: Sequence[tuple[str, datetime]]
    ) -> tuple[int, int | None]:
        """How many of these visitors could not get in since the last trust, and the live code's new version when they
        make a suspect of the member."""
        with self._writing() as connection:
            connection.execute(LOCK, {"live_code_id": live_code_id})
            known = connection.execute(
                sa.select(members.c.trusted_at, members.c.suspect_at).where(members.c.id == member_id)
            ).first()
            trusted = known.trusted_at if known is not None else None
            since = max(now - SUSPECT_WITHIN, trusted) if trusted is not None else now - SUSPECT_WITHIN
            reporters = len({visitor for visitor, at in reports if at > since})
            if reporters < SUSPECT_AFTER or known is None or known.suspect_at is not None:
                return reporters, None
            counting.set_member(connection, live_code_id, member_id, suspect_at=now)
            return reporters, _version(connection, live_code_id)

    def erase(self, visitor: str, live_code_ids: Collection[int] | None) -> None:
        """What SQL knows of this visitor's seats goes; tombstones stay."""
        with self._writing() as connection:
            theirs = seats.c.visitor == visitor
            if live_code_ids is not None:
                theirs &= seats.c.live_code_id.in_(live_code_ids)
            else:
                connection.execute(sa.delete(stuck_reports).where(stuck_reports.c.visitor == visitor))
            connection.execute(sa.delete(seats).where(theirs))
            for place in [EVERYWHERE] if live_code_ids is None else sorted(live_code_ids):
                stone = {"visitor_hash": self.tombstone(visitor, place), "at": datetime.now(UTC)}
                connection.execute(self._insert(tombstones).values(stone).on_conflict_do_nothing())

    def share(self, stays: str, other: str) -> int:
        """What SQL knows of two visitors' seats becomes one person's."""
        with self._writing() as connection:
            return share(connection, stays, other)

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with self._translated():
            connection = self._held.connection()
            yield connection
            connection.rollback()

    @contextmanager
    def _reading_much(self) -> Iterator[Connection]:
        """For what begins a store again: as many rows as there are people."""
        with self._reading() as connection:
            wait_long(connection)
            yield connection
            wait_briefly(connection)

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with self._translated(), self._held.writing() as connection:
            yield connection

    @contextmanager
    def _translated(self) -> Iterator[None]:
        driver = self._held.engine.dialect.loaded_dbapi
        try:
            yield
        except (sa.exc.DBAPIError, sa.exc.TimeoutError, driver.OperationalError, driver.InterfaceError) as error:
            self._held.drop()
            raise NotReady(f"SQL: {type(error).__name__}: {error}"[:300]) from error


def _home(row: Any) -> str:
    """Where this live code is claimed: `routing.scope_of`, but that several choices are scopes of their own."""
    several = row.kind == "grouped" and row.choice_policy == ChoicePolicy.SEVERAL
    if row.dedupe_group is None or several:
        return own_scope(row.id)
    return f"g:{row.owner_id}:{row.dedupe_group}"


def _version(connection: Connection, live_code_id: int) -> int:
    return int(connection.execute(sa.select(_codes.c.version).where(_codes.c.id == live_code_id)).scalar_one())


def _row_of(row: Any) -> packing.Row:
    return packing.Row(
        live_code_id=row.live_code_id,
        member_id=row.member_id or 0,
        generation=row.generation,
        counted_from=row.counted_from,
        choice_id=row.choice_id or 0,
        taken=packing.millis(row.taken_at),
        counted_at=packing.millis(row.counted_at),
        pressed=packing.millis(row.pressed_at) if row.pressed_at is not None else 0,
        counted=row.counted,
        lapses=row.lapsed or (row.counted and row.kind in GROUP_KINDS),
        changes=row.changes,
        stuck_on=packing.day_number(row.stuck_on),
        stuck_count=row.stuck_count,
        refused=tuple(map(int, row.refused.split(","))) if row.refused else (),
    )

"""The embedded ledger: one SQL transaction a claim, on SQLite or PostgreSQL. Plain Core, no Flask.

Atomic by row: a claim locks its live code's row (SQLite: the write lock of BEGIN IMMEDIATE), which also checks the
version; a seat is taken by `counted < limit` inside the UPDATE itself. Locks are taken in one order: live code, counts,
seats. A returning visitor writes nothing but an event to the spool; events of claims go into the outbox, in the claim's
own transaction. `app/pipeline` drains both.
"""

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from functools import partial
from hashlib import blake2b
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection, Engine, Row

from app.ledger.protocol import (
    Answer,
    Assigned,
    Claim,
    CountKey,
    Held,
    LedgerDown,
    NoRoom,
    Returning,
    Stale,
    StuckAnswer,
)
from app.ledger.spool import Spool
from app.ledger.tables import (
    ledger_state,
    live_codes,
    member_counts,
    members,
    outbox,
    seats,
    stuck_reports,
    tier_turns,
    tombstones,
)
from app.rules import capacity
from app.rules.model import Candidate, Count, Mode, Rank, Seat, Tier, Turns
from app.rules.tally import ScanEvent

STUCK_PER_DAY = 2
SUSPECT_AFTER = 3
SUSPECT_WITHIN = timedelta(minutes=30)
FIRST_LOOK = 8  # members read at first in sequential mode: mostly one of the first few has room
TRIES = 4

Found = Row[*tuple[Any, ...]]
T = TypeVar("T")


class _LostRace(Exception):
    """Another transaction took the seat or the room between our look and our write: roll back, look again."""


class SqlLedger:
    def __init__(self, engine: Engine, spool: Spool, secret: bytes) -> None:
        self._engine = engine
        self._spool = spool
        self._secret = blake2b(secret, digest_size=32, person=b"huozi.tombstone").digest()
        self._reader = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._immediate = engine.execution_options(immediate=True)
        self._is_sqlite = engine.dialect.name == "sqlite"
        self._insert: Callable[..., Any] = sqlite.insert if self._is_sqlite else postgresql.insert
        self._writer = threading.Lock()  # SQLite has one writer; waiting here is fairer and cheaper than its busy loop
        self._epoch: int | None = None
        self._take_place = self._statement_take_place().execution_options(preserve_rowcount=True)
        self._hold = self._statement_hold().execution_options(preserve_rowcount=True)

    # -- what a scan needs -------------------------------------------------------------------------------------------

    def epoch(self) -> int:
        if self._epoch is None:
            with self._writing() as connection:
                born = self._insert(ledger_state).values(id=1, epoch=int(time.time())).on_conflict_do_nothing()
                connection.execute(born)
                self._epoch = int(connection.execute(sa.select(ledger_state.c.epoch)).scalar_one())
        return self._epoch

    def claim(self, claim: Claim) -> Answer:
        with self._reading() as connection:
            row = connection.execute(_LOOK, _key(claim)).first()
        answer = self._settle(claim, row)
        if answer is not None:
            return answer
        return self._retrying(lambda connection: self._take(connection, claim))

    def record(self, event: ScanEvent, version: int | None) -> Stale | None:
        if version is not None:
            current = self.version(event.live_code_id)
            if current != version:
                return Stale(current)
        self._append(event)
        return None

    def version(self, live_code_id: int) -> int | None:
        with self._reading() as connection:
            found: int | None = connection.execute(_VERSION, {"live_code_id": live_code_id}).scalar()
            return found

    def seat(self, scope: str, visitor: str) -> Seat | None:
        with self._reading() as connection:
            row = connection.execute(_SEAT, {"scope": scope, "visitor": visitor}).first()
        return _seat(row) if row is not None and row.member_id is not None else None

    def press(self, scope: str, visitor: str, event: ScanEvent) -> bool:
        return self._retrying(lambda connection: self._press(connection, scope, visitor, event))

    def stuck(self, scope: str, visitor: str, event: ScanEvent, today: date) -> StuckAnswer:
        return self._retrying(lambda connection: self._stuck(connection, scope, visitor, event, today))

    def refused(self, scope: str, visitor: str) -> frozenset[int]:
        with self._reading() as connection:
            row = connection.execute(_SEAT, {"scope": scope, "visitor": visitor}).first()
        return _refused(row)

    def turns(self, tier_key: str) -> Turns:
        with self._reading() as connection:
            return _turns(connection, tier_key)

    # -- counts and people -------------------------------------------------------------------------------------------

    def counts(self, keys: Sequence[CountKey]) -> Mapping[int, Count]:
        found = self._read_counts(keys)
        due = [k for k in keys if _has_lapsed(found.get((k.member_id, k.counted_from)), k.lapses_before)]
        for key in due:
            self._retrying(partial(self._sweep_member, key=key))
        if due:
            found = self._read_counts(keys)
        return _by_member(keys, found)

    def erase(self, visitor: str) -> int:
        def forget(connection: Connection) -> int:
            gone: int = connection.execute(sa.delete(seats).where(seats.c.visitor == visitor)).rowcount
            connection.execute(sa.delete(stuck_reports).where(stuck_reports.c.visitor == visitor))
            stone = self._insert(tombstones).values(visitor_hash=self._tombstone(visitor), at=_now())
            connection.execute(stone.on_conflict_do_nothing())
            return gone

        return self._retrying(forget)

    # -- a claim, step by step ---------------------------------------------------------------------------------------

    def _settle(self, claim: Claim, row: Found | None) -> Answer | None:
        """The answers that need no transaction; None when a seat has to be written."""
        if row is None or row.version != claim.plan.version:
            return Stale(None if row is None else row.version)
        if row.member_id is None:
            nothing_to_take = not claim.plan.tiers and claim.kept is None
            return NoRoom(full=False) if nothing_to_take else None
        held = _seat(row)
        moving = claim.moves and _is_same(held, claim.replace)
        if claim.plan.keeps(held.member_id, held.generation) and not moving:
            if row.lapsed:
                return None
            self._append(_answered(claim, "returning", held))
            return Returning(held)
        return None if _is_same(held, claim.replace) else Held(held)

    def _take(self, connection: Connection, claim: Claim) -> Answer:
        row = connection.execute(_LOOK_LOCKED, _key(claim)).first()
        answer = self._settle(claim, row)
        if answer is not None or row is None:
            return answer or Stale(None)
        kept = self._stand_by(connection, claim, row)
        if kept is not None:
            self._send(connection, _answered(claim, "returning", kept))
            return Returning(kept)
        held = _seat(row) if row.member_id is not None else None
        refused = _refused(row)
        full = False
        for tier in claim.plan.tiers:
            chosen = self._first_with_room(connection, claim, tier, refused)
            if chosen is not None:
                return self._seat(connection, claim, tier, chosen, row)
            full = full or any(c.member_id not in refused for c in tier.candidates)
        return NoRoom(full, held)

    def _stand_by(self, connection: Connection, claim: Claim, row: Found) -> Seat | None:
        """A seat that stands but is not counted: lapsed unpressed, or known only to the visitor's signed cookie."""
        if row.member_id is not None:
            standing = row.lapsed and not claim.moves and claim.plan.keeps(row.member_id, row.generation)
            return _seat(row) if standing and self._count_again(connection, claim, row) else None
        kept = claim.kept
        if kept is None or row.scope is not None or kept.epoch >= self._epoch_of(connection):
            return None
        if not claim.plan.keeps(kept.member_id, kept.generation) or self._is_erased(connection, claim.visitor):
            return None
        candidate = claim.plan.keep[kept.member_id]
        counted = self._take_room(connection, claim, candidate)
        seat = Seat(kept.live_code_id, kept.member_id, kept.generation, claim.at, claim.choice_id, counted=counted)
        self._hold_seat(connection, claim, seat, candidate.counted_from, None)
        return seat

    def _count_again(self, connection: Connection, claim: Claim, row: Found) -> bool:
        candidate = claim.plan.keep[row.member_id]
        if not self._take_room(connection, claim, candidate):
            return False
        where = (seats.c.scope == claim.scope) & (seats.c.visitor == claim.visitor)
        changes = {"counted": True, "lapsed": False, "counted_at": claim.at, "counted_from": candidate.counted_from}
        connection.execute(sa.update(seats).where(where).values(changes))
        return True

    def _first_with_room(
        self, connection: Connection, claim: Claim, tier: Tier, refused: frozenset[int]
    ) -> Candidate | None:
        """The mode's choice, its room already taken. In sequential mode the first few are looked at before the rest."""
        look = len(tier.candidates) if tier.mode is not Mode.SEQUENTIAL else FIRST_LOOK
        for part in (tier.candidates[:look], tier.candidates[look:]):
            if not part:
                continue
            counts = self._counts_to_choose_from(connection, claim, part)
            shown = Tier(tier.rank, tier.mode, part, tier.key)
            with_room = capacity.open_candidates(shown, counts, claim.today, refused)
            if not with_room:
                continue
            round_robin = tier.mode is Mode.ROUND_ROBIN
            turns = _turns(connection, tier.key) if round_robin else Turns()
            chosen = capacity.choose(tier.mode, with_room, turns, claim.roll)
            if not self._take_room(connection, claim, chosen):
                raise _LostRace
            if round_robin:
                self._remember_turns(connection, tier.key, capacity.take_turn(chosen, turns))
            return chosen
        return None

    def _counts_to_choose_from(
        self, connection: Connection, claim: Claim, part: Sequence[Candidate]
    ) -> Mapping[int, Count]:
        keys = [
            CountKey(claim.plan.live_code_id, c.member_id, c.generation, c.counted_from, claim.lapses_before)
            for c in part
            if c.limit is not None or c.daily_limit is not None
        ]
        if not keys:
            return {}
        found = _counts_of(connection, keys)
        lapsing = {c.member_id for c in part if c.lapses}
        due = [
            k
            for k in keys
            if k.member_id in lapsing and _has_lapsed(found.get((k.member_id, k.counted_from)), k.lapses_before)
        ]
        for key in due:
            _sweep(connection, key)
        return _by_member(keys, _counts_of(connection, keys) if due else found)

    def _take_room(self, connection: Connection, claim: Claim, candidate: Candidate) -> bool:
        """Counts one more seat, if its limit allows; the test and the count are one statement."""
        if candidate.limit == 0:
            return False
        taken = connection.execute(
            self._take_place,
            {
                "member_id": candidate.member_id,
                "counted_from": candidate.counted_from,
                "generation": candidate.generation,
                "day": claim.today,
                "at": claim.at if candidate.lapses else None,
                "seat_limit": candidate.limit if candidate.limit is not None else -1,
            },
        )
        return taken.rowcount == 1

    def _seat(self, connection: Connection, claim: Claim, tier: Tier, chosen: Candidate, row: Found) -> Assigned:
        seat = Seat(
            claim.plan.live_code_id,
            chosen.member_id,
            chosen.generation,
            claim.at,
            claim.choice_id,
            changes=(row.changes or 0) + int(claim.costs_change),
        )
        if row.member_id is not None and row.counted:
            _uncount(connection, row)
        self._hold_seat(connection, claim, seat, chosen.counted_from, row.member_id)
        if chosen.is_reserve:
            _set_member(connection, claim.plan.live_code_id, chosen.member_id, state="active")
        pin_skipped = tier.rank is not Rank.PIN and any(t.rank is Rank.PIN for t in claim.plan.tiers)
        reason = "pin_skipped" if pin_skipped else None
        rank = "reserve" if chosen.is_reserve else tier.rank.value
        self._send(connection, _answered(claim, "assigned", seat).with_answer(rank=rank, reason=reason))
        return Assigned(seat, tier.rank)

    def _hold_seat(
        self, connection: Connection, claim: Claim, seat: Seat, counted_from: int, expected: int | None
    ) -> None:
        """Writes the seat over the one expected (None: none); another one there means we lost a race."""
        written = connection.execute(
            self._hold,
            {
                "scope": claim.scope,
                "visitor": claim.visitor,
                "live_code_id": seat.live_code_id,
                "member_id": seat.member_id,
                "generation": seat.generation,
                "counted_from": counted_from,
                "choice_id": seat.choice_id,
                "taken_at": claim.at,
                "counted_at": claim.at,
                "counted": seat.counted,
                "changes": seat.changes,
                "expected": expected if expected is not None else -1,
            },
        )
        if written.rowcount != 1:
            raise _LostRace

    # -- leaving a seat ----------------------------------------------------------------------------------------------

    def _press(self, connection: Connection, scope: str, visitor: str, event: ScanEvent) -> bool:
        row = self._locked_seat(connection, scope, visitor)
        if row is None:
            return False
        if row.pressed_at is None:
            connection.execute(
                sa.update(member_counts).where(_count_row(row)).values(pressed=member_counts.c.pressed + 1)
            )
            connection.execute(sa.update(seats).where(_seat_row(row)).values(pressed_at=event.at))
            self._send(connection, _of_seat(event, row))
        return True

    def _stuck(self, connection: Connection, scope: str, visitor: str, event: ScanEvent, today: date) -> StuckAnswer:
        row = self._locked_seat(connection, scope, visitor)
        if row is None:
            return StuckAnswer(False)
        already = row.stuck_count if row.stuck_on == today else 0
        if already >= STUCK_PER_DAY:
            return StuckAnswer(False, _seat(row))
        refused = ",".join(map(str, sorted(_refused(row) | {row.member_id})))
        self._vacate(connection, row, refused=refused, stuck_on=today, stuck_count=already + 1)
        report = {"member_id": row.member_id, "visitor": visitor, "at": event.at}
        connection.execute(sa.insert(stuck_reports).values(report))
        self._send(connection, _of_seat(event, row))
        return StuckAnswer(True, _seat(row), self._suspect(connection, row, event.at))

    def _suspect(self, connection: Connection, row: Found, now: datetime) -> int:
        """Different visitors who could not get in within half an hour, since the last trust; three make a suspect."""
        trusted = connection.execute(sa.select(members.c.trusted_at).where(members.c.id == row.member_id)).scalar()
        since = max(now - SUSPECT_WITHIN, trusted) if trusted is not None else now - SUSPECT_WITHIN
        who = sa.select(sa.func.count(sa.distinct(stuck_reports.c.visitor))).where(
            stuck_reports.c.member_id == row.member_id, stuck_reports.c.at > since
        )
        reporters = int(connection.execute(who).scalar_one())
        if reporters >= SUSPECT_AFTER:
            _set_member(connection, row.live_code_id, row.member_id, suspect_at=now)
        return reporters

    def _vacate(self, connection: Connection, row: Found, **changes: Any) -> None:
        if row.counted:
            _uncount(connection, row)
        empty = {"member_id": None, "choice_id": None, "pressed_at": None, "counted": False, "lapsed": False}
        connection.execute(sa.update(seats).where(_seat_row(row)).values({**empty, **changes}))

    def _locked_seat(self, connection: Connection, scope: str, visitor: str) -> Found | None:
        """The live seat, its live code's row locked first as everywhere."""
        key = {"scope": scope, "visitor": visitor}
        row = connection.execute(_SEAT, key).first()
        if row is None or row.member_id is None:
            return None
        connection.execute(_LOCK, {"live_code_id": row.live_code_id})
        again = connection.execute(_SEAT, key).first()
        if again is None or again.live_code_id != row.live_code_id:
            raise _LostRace
        return again if again.member_id is not None else None

    # -- small parts -------------------------------------------------------------------------------------------------

    def _sweep_member(self, connection: Connection, key: CountKey) -> None:
        connection.execute(_LOCK, {"live_code_id": key.live_code_id})
        _sweep(connection, key)

    def _read_counts(self, keys: Sequence[CountKey]) -> dict[tuple[int, int], Found]:
        with self._reading() as connection:
            return _counts_of(connection, keys)

    def _remember_turns(self, connection: Connection, key: str, turns: Turns) -> None:
        state = json.dumps({"served": turns.served, "reached": turns.reached}, separators=(",", ":"))
        insert = self._insert(tier_turns).values(key=key, state=state)
        connection.execute(insert.on_conflict_do_update(index_elements=["key"], set_={"state": insert.excluded.state}))

    def _epoch_of(self, connection: Connection) -> int:
        if self._epoch is None:
            self._epoch = connection.execute(sa.select(ledger_state.c.epoch)).scalar()
        return self._epoch or 0

    def _is_erased(self, connection: Connection, visitor: str) -> bool:
        stone = sa.select(tombstones.c.at).where(tombstones.c.visitor_hash == self._tombstone(visitor))
        return connection.execute(stone).first() is not None

    def _tombstone(self, visitor: str) -> str:
        return blake2b(visitor.encode(), key=self._secret, digest_size=24).hexdigest()

    def _send(self, connection: Connection, event: ScanEvent) -> None:
        connection.execute(_SEND, {"body": event.encode()})

    def _append(self, event: ScanEvent) -> None:
        """To the spool; when the local disk refuses, into SQL after all."""
        try:
            self._spool.append(event.encode())
        except OSError:
            self._retrying(lambda connection: self._send(connection, event))

    def _retrying(self, work: Callable[[Connection], T]) -> T:
        lost: Exception | None = None
        for _ in range(TRIES):
            try:
                with self._writing() as connection:
                    return work(connection)
            except _LostRace as race:
                lost = race.__cause__ or race  # type: ignore[assignment]
        raise LedgerDown(f"lost {TRIES} races: {lost!r:.200}")

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        try:
            if self._is_sqlite:
                with self._writer, self._immediate.connect() as connection, connection.begin():
                    yield connection
            else:
                with self._engine.connect() as connection, connection.begin():
                    yield connection
        except (sa.exc.IntegrityError, sa.exc.OperationalError, sa.exc.InterfaceError, sa.exc.TimeoutError) as error:
            if _is_lost_race(error):
                raise _LostRace from error
            raise LedgerDown(type(error).__name__) from error

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        try:
            with self._reader.connect() as connection:
                yield connection
        except (sa.exc.OperationalError, sa.exc.InterfaceError, sa.exc.TimeoutError) as error:
            raise LedgerDown(type(error).__name__) from error

    def _statement_take_place(self) -> Any:
        insert = self._insert(member_counts).values(
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
        return insert.on_conflict_do_update(
            index_elements=["member_id", "counted_from"],
            set_={
                "counted": now.counted + 1,
                # The clock may have been set back over midnight: the later day's count is kept, never lowered.
                "day": sa.case((now.day.is_(None) | (now.day < new.day), new.day), else_=now.day),
                "taken": sa.case((now.day.is_(None) | (now.day < new.day), 1), else_=now.taken + 1),
                "oldest_unpressed_at": sa.func.coalesce(now.oldest_unpressed_at, new.oldest_unpressed_at),
            },
            where=(limit < 0) | (now.counted < limit),
        )

    def _statement_hold(self) -> Any:
        names = ("scope", "visitor", "live_code_id", "member_id", "generation", "counted_from", "choice_id")
        insert = self._insert(seats).values(
            **{n: sa.bindparam(n) for n in (*names, "taken_at", "counted_at", "counted", "changes")},
            pressed_at=None,
            lapsed=False,
            refused="",
            stuck_count=0,
        )
        moved = (*names[2:], "taken_at", "counted_at", "counted", "changes", "pressed_at", "lapsed")
        expected = sa.bindparam("expected", type_=sa.Integer)
        return insert.on_conflict_do_update(
            index_elements=["scope", "visitor"],
            set_={n: insert.excluded[n] for n in moved},
            where=sa.func.coalesce(seats.c.member_id, -1) == expected,
        )


_LOOK = (
    sa.select(live_codes.c.version, *seats.c)
    .select_from(
        live_codes.outerjoin(
            seats,
            (seats.c.scope == sa.bindparam("scope_key")) & (seats.c.visitor == sa.bindparam("visitor_key")),
        )
    )
    .where(live_codes.c.id == sa.bindparam("live_code_id"))
)
_LOOK_LOCKED = _LOOK.with_for_update(of=live_codes, key_share=True)
_LOCK = (
    sa.select(live_codes.c.id)
    .where(live_codes.c.id == sa.bindparam("live_code_id"))
    .with_for_update(of=live_codes, key_share=True)
)
_VERSION = sa.select(live_codes.c.version).where(live_codes.c.id == sa.bindparam("live_code_id"))
_SEAT = sa.select(seats).where(seats.c.scope == sa.bindparam("scope"), seats.c.visitor == sa.bindparam("visitor"))
_SEND = sa.insert(outbox).values(body=sa.bindparam("body"))
_COUNTS = sa.select(
    member_counts.c.member_id,
    member_counts.c.counted_from,
    member_counts.c.generation,
    member_counts.c.counted,
    member_counts.c.pressed,
    member_counts.c.day,
    member_counts.c.taken,
    member_counts.c.oldest_unpressed_at,
).where(member_counts.c.member_id.in_(sa.bindparam("member_ids", expanding=True)))


def _key(claim: Claim) -> dict[str, Any]:
    return {"live_code_id": claim.plan.live_code_id, "scope_key": claim.scope, "visitor_key": claim.visitor}


def _seat(row: Found) -> Seat:
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


def _is_same(held: Seat, expected: Seat | None) -> bool:
    return expected is not None and (held.member_id, held.generation) == (expected.member_id, expected.generation)


def _refused(row: Found | None) -> frozenset[int]:
    return frozenset(map(int, row.refused.split(","))) if row is not None and row.refused else frozenset()


def _answered(claim: Claim, outcome: str, seat: Seat) -> ScanEvent:
    return claim.event.with_answer(
        outcome=outcome,
        member_id=seat.member_id,
        member_version=claim.plan.keep[seat.member_id].version,
        choice_id=seat.choice_id,
    )


def _of_seat(event: ScanEvent, row: Found) -> ScanEvent:
    return event.with_answer(member_id=row.member_id, choice_id=row.choice_id, live_code_id=row.live_code_id)


def _seat_row(row: Found) -> Any:
    return (seats.c.scope == row.scope) & (seats.c.visitor == row.visitor)


def _count_row(row: Found) -> Any:
    return (member_counts.c.member_id == row.member_id) & (member_counts.c.counted_from == row.counted_from)


def _uncount(connection: Connection, row: Found) -> None:
    fewer = {
        "counted": member_counts.c.counted - 1,
        "pressed": member_counts.c.pressed - int(row.pressed_at is not None),
    }
    connection.execute(sa.update(member_counts).where(_count_row(row)).values(fewer))


def _set_member(connection: Connection, live_code_id: int, member_id: int, **changes: Any) -> None:
    """A state the ledger itself sets; the live code's version rises with it, so that every worker sees it."""
    connection.execute(sa.update(members).where(members.c.id == member_id).values(changes))
    bump = sa.update(live_codes).where(live_codes.c.id == live_code_id)
    connection.execute(bump.values(version=live_codes.c.version + 1))


def _counts_of(connection: Connection, keys: Sequence[CountKey]) -> dict[tuple[int, int], Found]:
    rows = connection.execute(_COUNTS, {"member_ids": [k.member_id for k in keys]})
    return {(row.member_id, row.counted_from): row for row in rows}


def _by_member(keys: Sequence[CountKey], found: Mapping[tuple[int, int], Found]) -> dict[int, Count]:
    """The current count of each member; presses are those of its whole generation, headcounts apart."""
    pressed: dict[tuple[int, int], int] = {}
    for row in found.values():
        who = (row.member_id, row.generation)
        pressed[who] = pressed.get(who, 0) + row.pressed
    counts = {}
    for key in keys:
        row_now = found.get((key.member_id, key.counted_from))
        presses = pressed.get((key.member_id, key.generation), 0)
        if row_now is not None:
            counts[key.member_id] = Count(row_now.counted, presses, row_now.day, row_now.taken)
        elif presses:
            counts[key.member_id] = Count(0, presses)
    return counts


def _has_lapsed(row: Found | None, before: datetime | None) -> bool:
    return (
        row is not None
        and before is not None
        and row.oldest_unpressed_at is not None
        and row.oldest_unpressed_at < before
    )


def _sweep(connection: Connection, key: CountKey) -> None:
    """Takes seats that lapsed unpressed off the count, and notes the next one that may."""
    mine = (seats.c.member_id == key.member_id) & (seats.c.counted_from == key.counted_from)
    waiting = mine & seats.c.counted & seats.c.pressed_at.is_(None)
    lapsed = sa.update(seats).where(waiting & (seats.c.counted_at < key.lapses_before))
    gone = connection.execute(lapsed.values(counted=False, lapsed=True)).rowcount
    oldest = sa.select(sa.func.min(seats.c.counted_at)).where(waiting).scalar_subquery()
    row = (member_counts.c.member_id == key.member_id) & (member_counts.c.counted_from == key.counted_from)
    connection.execute(
        sa.update(member_counts).where(row).values(counted=member_counts.c.counted - gone, oldest_unpressed_at=oldest)
    )


def _turns(connection: Connection, key: str) -> Turns:
    state = connection.execute(sa.select(tier_turns.c.state).where(tier_turns.c.key == key)).scalar()
    if state is None:
        return Turns()
    stored = json.loads(state)
    reached, weight = stored["reached"]
    return Turns({int(member): served for member, served in stored["served"].items()}, (reached, weight))


def _is_lost_race(error: Exception) -> bool:
    """PostgreSQL: deadlock or serialisation failure; a check of ours hit by a concurrent release."""
    code = getattr(getattr(error, "orig", None), "sqlstate", None)
    return isinstance(error, sa.exc.IntegrityError) or code in ("40P01", "40001")


def _now() -> datetime:
    return datetime.now().astimezone()

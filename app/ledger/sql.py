"""The embedded ledger: one SQL transaction a claim, on SQLite or PostgreSQL. Plain Core, no Flask.

Atomic by row: a claim locks its live code's row (SQLite: the write lock of BEGIN IMMEDIATE), which also checks the
version; a seat is taken by `counted < limit` inside the UPDATE itself. Locks are taken in one order: live code, counts,
seats. A returning visitor writes nothing but an event to the spool; events of claims go into the outbox, in the claim's
own transaction. `app/pipeline` drains both.
"""

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from hashlib import blake2b
from threading import get_ident
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from app.db.held import HeldConnections, WriteTurn
from app.db.together import Together
from app.ledger import counting, leaving, statements
from app.ledger.leaving import LostRace, certain, refused_by, seat_of
from app.ledger.protocol import (
    Answer,
    Assigned,
    Claim,
    CountKey,
    Held,
    LedgerDown,
    NoRoom,
    NotReady,
    Returning,
    Stale,
    StuckAnswer,
)
from app.ledger.sharing import share
from app.ledger.spool import Spool
from app.ledger.statements import LOCK, Found
from app.ledger.tables import ledger_state, seats, stuck_reports, tombstones
from app.rules import capacity
from app.rules.model import Candidate, Count, Mode, Plan, Rank, Seat, Tier, Turns
from app.rules.tally import ScanEvent

FIRST_LOOK = 8  # members read at first in sequential mode: mostly one of the first few has room
TRIES = 4
EVERYWHERE = 0
STORE_ERRORS = (sa.exc.OperationalError, sa.exc.InterfaceError, sa.exc.InternalError, sa.exc.TimeoutError)

LOST_RACES = ("IntegrityError", "UniqueViolation", "CheckViolation")

T = TypeVar("T")


class SqlLedger:
    """Safe over threads and across fork. `turn`: where writers to SQLite queue."""

    def __init__(self, engine: Engine, spool: Spool, secret: bytes, turn: WriteTurn | None = None) -> None:
        self._held = HeldConnections(engine, turn)
        is_sqlite = engine.dialect.name == "sqlite"
        self._together = Together(self._writing, LedgerDown)
        self._write: Any = self._in_company if is_sqlite else self._alone
        self._spool = spool
        self._secret = blake2b(secret, digest_size=32, person=b"huozi.tombstone").digest()
        self._insert = statements.insert_for(engine.dialect)
        self._hot = statements.Hot.prepare(engine.dialect)
        driver = engine.dialect.loaded_dbapi
        self._errors = (
            *STORE_ERRORS,
            sa.exc.IntegrityError,
            driver.OperationalError,
            driver.InterfaceError,
            driver.InternalError,
            driver.IntegrityError,
        )
        self._epoch: int | None = None
        self._told: dict[int, list[str]] = {}  # by thread: events of the transaction it is in

    def close(self) -> None:
        self._held.close()

    # -- what a scan needs -------------------------------------------------------------------------------------------

    def epoch(self) -> int:
        if self._epoch is None:
            self._epoch = self._retrying(self._begin_or_read_epoch)
        return self._epoch

    def claim(self, claim: Claim) -> Answer:
        answer: Answer | None = None
        if not claim.is_new:
            with self._reading() as connection:
                answer = _settle(claim, self._hot.look.first(connection, _key(claim)))
        if answer is None:
            return self._retrying(lambda connection: self._take(connection, claim))
        if isinstance(answer, Returning):
            self._append(_answered(claim, "returning", answer.seat))
        return answer

    def record(self, event: ScanEvent, version: int | None) -> Stale | None:
        if version is not None:
            current = self.version(event.live_code_id)
            if current != version:
                return Stale(current)
        self._append(event)
        return None

    def publish(self, live_code_id: int, version: int) -> None:
        """Nothing to do: claims read the version where it was written."""

    def version(self, live_code_id: int) -> int | None:
        with self._reading() as connection:
            row = self._hot.version.first(connection, {"live_code_id": live_code_id})
        return None if row is None else int(row.version)

    def seat(self, scope: str, visitor: str) -> Seat | None:
        row = self._row(scope, visitor)
        return seat_of(row) if row is not None and row.member_id is not None else None

    def refused(self, scope: str, visitor: str) -> frozenset[int]:
        return refused_by(self._row(scope, visitor))

    def press(self, scope: str, visitor: str, event: ScanEvent) -> bool:
        return self._retrying(lambda connection: leaving.press(connection, scope, visitor, event))

    def stuck(self, scope: str, visitor: str, event: ScanEvent, today: date) -> StuckAnswer:
        return self._retrying(lambda connection: leaving.stuck(connection, scope, visitor, event, today))

    def lease(self, plan: Plan) -> Candidate | None:
        """Nobody: without SQL there is no snapshot to go by for long either."""
        return None

    def turns(self, tier_key: str) -> Turns:
        with self._reading() as connection:
            return self._turns(connection, tier_key)

    # -- counts and people -------------------------------------------------------------------------------------------

    def counts(self, keys: Sequence[CountKey]) -> Mapping[int, Count]:
        with self._reading() as connection:
            found = counting.count_rows(connection, self._hot, keys)
        due = counting.overdue(keys, found)
        if not due:
            return counting.by_member(keys, found)

        def sweep(connection: Connection) -> Mapping[int, Count]:
            for live_code_id in sorted({key.live_code_id for key in due}):
                connection.execute(LOCK, {"live_code_id": live_code_id})
            for key in due:
                counting.sweep(connection, key)
            return counting.by_member(keys, counting.count_rows(connection, self._hot, keys))

        return self._retrying(sweep)

    def erase(self, visitor: str, live_code_ids: Collection[int] | None = None) -> int:
        places = [EVERYWHERE] if live_code_ids is None else sorted(live_code_ids)

        def forget(connection: Connection) -> int:
            theirs = seats.c.visitor == visitor
            if live_code_ids is not None:
                theirs &= seats.c.live_code_id.in_(live_code_ids)
            else:
                connection.execute(sa.delete(stuck_reports).where(stuck_reports.c.visitor == visitor))
            gone: int = connection.execute(sa.delete(seats).where(theirs)).rowcount
            for place in places:
                stone = self._insert(tombstones).values(visitor_hash=self._tombstone(visitor, place), at=_now())
                connection.execute(stone.on_conflict_do_nothing())
            return gone

        return self._retrying(forget)

    def share(self, stays: str, other: str) -> int:
        return self._retrying(lambda connection: share(connection, stays, other))

    # -- a claim, step by step ---------------------------------------------------------------------------------------

    def _take(self, connection: Connection, claim: Claim) -> Answer:
        row = self._hot.look_locked.first(connection, _key(claim))
        answer = _settle(claim, row)
        if row is None or (answer is not None and not isinstance(answer, Returning)):
            return answer or Stale(None)
        standing = answer.seat if answer is not None else self._stand_by(connection, claim, row)
        if standing is not None:
            self._send(_answered(claim, "returning", standing))
            return Returning(standing)
        refused = refused_by(row)
        full = False
        for tier in claim.plan.tiers:
            chosen = self._first_with_room(connection, claim, tier, refused)
            if chosen is not None:
                return self._seat(connection, claim, tier, chosen, row)
            full = full or any(c.member_id not in refused for c in tier.candidates)
        # PostgreSQL looked before it waited for the lock: this visitor's other tap may have taken the last seat.
        again = self._hot.look.first(connection, _key(claim))
        certain(again is not None and again.member_id == row.member_id)
        return NoRoom(full)

    def _stand_by(self, connection: Connection, claim: Claim, row: Found) -> Seat | None:
        """A seat that stands but is not counted: lapsed unpressed, or known only to the visitor's signed cookie."""
        if row.member_id is not None:
            standing = row.lapsed and not claim.moves and claim.plan.keeps(row.member_id, row.generation)
            return seat_of(row) if standing and self._count_again(connection, claim, row) else None
        kept = claim.kept
        if kept is None or row.scope is not None or kept.epoch >= self._begin_or_read_epoch(connection):
            return None
        if not claim.plan.keeps(kept.member_id, kept.generation) or self._is_erased(connection, claim):
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
        """The mode's choice, its room already taken. Mostly whom it would choose if all had room has some, and then no
        count is read."""
        in_turns = tier.mode is Mode.ROUND_ROBIN
        turns = self._turns(connection, tier.key) if in_turns else Turns()
        chosen, roll = self._guess(tier, refused, turns, claim.roll)
        if chosen is None or chosen.daily_limit is not None or not self._take_room(connection, claim, chosen):
            chosen = self._by_counts(connection, claim, tier, refused, turns, roll)
        if chosen is not None and in_turns:
            state = counting.turns_as_text(capacity.take_turn(chosen, turns))
            self._hot.set_turns.count(connection, {"key": tier.key, "state": state})
        return chosen

    def _guess(self, tier: Tier, refused: frozenset[int], turns: Turns, roll: float) -> tuple[Candidate | None, float]:
        offered = [c for c in tier.candidates if c.member_id not in refused] if refused else tier.candidates
        if not offered:
            return None, roll
        if tier.mode is Mode.RANDOM:
            return capacity.draw(offered, roll)
        return capacity.choose(tier.mode, offered, turns, roll), roll

    def _by_counts(
        self,
        connection: Connection,
        claim: Claim,
        tier: Tier,
        refused: frozenset[int],
        turns: Turns,
        roll: float,
    ) -> Candidate | None:
        """The same from the counts of everybody; in sequential mode the first few are looked at before the rest."""
        look = FIRST_LOOK if tier.mode is Mode.SEQUENTIAL else len(tier.candidates)
        for part in (tier.candidates[:look], tier.candidates[look:]):
            counts = self._counts(connection, claim, part)
            shown = Tier(tier.rank, tier.mode, part, tier.key)
            with_room = capacity.open_candidates(shown, counts, claim.today, refused)
            if not with_room:
                continue
            chosen = capacity.choose(tier.mode, with_room, turns, roll)
            certain(self._take_room(connection, claim, chosen))
            return chosen
        return None

    def _turns(self, connection: Connection, key: str) -> Turns:
        row = self._hot.turns.first(connection, {"key": key})
        return counting.turns_of(None if row is None else row.state)

    def _counts(self, connection: Connection, claim: Claim, part: Sequence[Candidate]) -> Mapping[int, Count]:
        """Counts of those candidates that have a limit at all, lapsed seats taken off."""
        keys = [
            CountKey(
                claim.plan.live_code_id,
                c.member_id,
                c.generation,
                c.counted_from,
                claim.lapses_before if c.lapses else None,
            )
            for c in part
            if c.limit is not None or c.daily_limit is not None
        ]
        if not keys:
            return {}
        found = counting.count_rows(connection, self._hot, keys)
        due = counting.overdue(keys, found)
        for key in due:
            counting.sweep(connection, key)
        return counting.by_member(keys, counting.count_rows(connection, self._hot, keys) if due else found)

    def _take_room(self, connection: Connection, claim: Claim, candidate: Candidate) -> bool:
        """Counts one more seat, if its limit allows; the test and the count are one statement."""
        if candidate.limit == 0:
            return False
        values = {
            "member_id": candidate.member_id,
            "counted_from": candidate.counted_from,
            "generation": candidate.generation,
            "day": claim.today,
            "at": claim.at if candidate.lapses else None,
            "seat_limit": candidate.limit if candidate.limit is not None else -1,
        }
        return self._hot.take_room.count(connection, values) == 1

    def _seat(self, connection: Connection, claim: Claim, tier: Tier, chosen: Candidate, row: Found) -> Assigned:
        changes = (row.changes or 0) + int(claim.costs_change)
        seat = Seat(
            claim.plan.live_code_id, chosen.member_id, chosen.generation, claim.at, claim.choice_id, changes=changes
        )
        if row.member_id is not None:
            counting.uncount(connection, row)
        self._hold_seat(connection, claim, seat, chosen.counted_from, row.member_id)
        if chosen.is_reserve:
            counting.set_member(connection, claim.plan.live_code_id, chosen.member_id, state="active")
        pin_skipped = tier.rank is not Rank.PIN and any(t.rank is Rank.PIN for t in claim.plan.tiers)
        rank = Rank.RESERVE if chosen.is_reserve else tier.rank
        reason = "pin_skipped" if pin_skipped else None
        self._send(_answered(claim, "assigned", seat, rank=rank.value, reason=reason))
        return Assigned(seat, tier.rank)

    def _hold_seat(
        self, connection: Connection, claim: Claim, seat: Seat, counted_from: int, expected: int | None
    ) -> None:
        """Writes the seat over the one expected (None: none); another one there means we lost a race."""
        values = {
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
        }
        certain(self._hot.hold_seat.count(connection, values) == 1)

    # -- the store ---------------------------------------------------------------------------------------------------

    def _row(self, scope: str, visitor: str) -> Found | None:
        with self._reading() as connection:
            return self._hot.seat.first(connection, {"scope": scope, "visitor": visitor})

    def _begin_or_read_epoch(self, connection: Connection) -> int:
        born = self._insert(ledger_state).values(id=1, epoch=int(time.time())).on_conflict_do_nothing()
        connection.execute(born)
        return int(connection.execute(sa.select(ledger_state.c.epoch)).scalar_one())

    def _is_erased(self, connection: Connection, claim: Claim) -> bool:
        places = (EVERYWHERE, claim.plan.live_code_id)
        stones = tombstones.c.visitor_hash.in_([self._tombstone(claim.visitor, place) for place in places])
        return connection.execute(sa.select(tombstones.c.at).where(stones)).first() is not None

    def _tombstone(self, visitor: str, place: int) -> str:
        return blake2b(f"{place}:{visitor}".encode(), key=self._secret, digest_size=24).hexdigest()

    def _send(self, event: ScanEvent) -> None:
        """With the transaction this thread is in; all events of a transaction are one row of the outbox."""
        self._told[get_ident()].append(event.encode())

    def _append(self, event: ScanEvent) -> None:
        """To the spool; when the local disk refuses, into SQL after all."""
        try:
            self._spool.append(event.encode())
        except OSError:
            try:
                self._retrying(lambda _: self._send(event))
            except LedgerDown:
                self._spool.losses.add()
                raise

    def _retrying(self, work: Callable[[Connection], T]) -> T:
        lost: BaseException | None = None
        for _ in range(TRIES):
            try:
                return self._write(work)  # type: ignore[no-any-return]
            except LostRace as race:
                lost = race.__cause__ or race
        raise LedgerDown(f"lost {TRIES} races: {lost!r:.200}")

    def _in_company(self, work: Callable[[Connection], T]) -> T:
        if self._held.is_refused():  # do not wait for whoever looks whether that is over
            raise LedgerDown("SQLite was locked a moment ago")
        return self._together.run(work)

    def _alone(self, work: Callable[[Connection], T]) -> T:
        with self._writing() as connection:
            return work(connection)

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        try:
            with self._held.writing() as connection:
                told = self._told[get_ident()] = []
                yield connection
                if told:
                    self._hot.send.count(connection, {"body": "\n".join(told)})
        except self._errors as error:
            if _is_lost_race(error):
                raise LostRace from error
            self._held.drop()
            kind = NotReady if _is_locked(error) else LedgerDown
            raise kind(f"{type(error).__name__}: {error}"[:300]) from error

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        """This thread's connection, outside any transaction."""
        try:
            yield self._held.connection()
        except self._errors as error:
            self._held.drop()
            raise LedgerDown(f"{type(error).__name__}: {error}"[:300]) from error


def _now() -> datetime:
    return datetime.now(UTC)


def _key(claim: Claim) -> dict[str, Any]:
    return {"live_code_id": claim.plan.live_code_id, "scope_key": claim.scope, "visitor_key": claim.visitor}


def _settle(claim: Claim, row: Found | None) -> Answer | None:
    """The answers that need no seat to be written; None when one has to be."""
    if row is None or row.version != claim.plan.version:
        return Stale(None if row is None else row.version)
    if row.member_id is None:
        nothing_to_take = not claim.plan.tiers and claim.kept is None
        return NoRoom(full=False) if nothing_to_take else None
    held = seat_of(row)
    is_expected = claim.replace is not None and (held.member_id, held.generation) == (
        claim.replace.member_id,
        claim.replace.generation,
    )
    if claim.plan.keeps(held.member_id, held.generation) and not (claim.moves and is_expected):
        return None if row.lapsed else Returning(held)
    return None if is_expected else Held(held)


def _answered(claim: Claim, outcome: str, seat: Seat, **more: str | None) -> ScanEvent:
    return claim.event.with_answer(
        **more,
        outcome=outcome,
        member_id=seat.member_id,
        member_version=claim.plan.keep[seat.member_id].version,
        choice_id=seat.choice_id,
    )


def _is_lost_race(error: Exception) -> bool:
    """A unique key or a check hit by a concurrent change; on PostgreSQL also a deadlock or serialisation failure."""
    cause = getattr(error, "orig", None) or error
    return type(cause).__name__ in LOST_RACES or getattr(cause, "sqlstate", None) in ("40P01", "40001")


def _is_locked(error: Exception) -> bool:
    """PostgreSQL lives, but somebody else has held this live code's rows for too long."""
    return getattr(getattr(error, "orig", None) or error, "sqlstate", None) == "55P03"

"""The ledger on Redis: one script call a claim, one round trip, no SQL where all goes well.

Scripts decide; here their questions are packed and their answers read. Whoever finds a live code missing has it loaded
from SQL and asks again; a version newer than the one in Redis is published by the very claim that carries it.
"""

import logging
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from struct import Struct
from typing import Any

from app.ledger import keys, packing
from app.ledger.leaving import STUCK_PER_DAY, SUSPECT_AFTER, SUSPECT_WITHIN
from app.ledger.loading import Loader
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
from app.ledger.recent import Recent
from app.ledger.scripts import Scripts, bulk, head
from app.ledger.servers import Servers
from app.ledger.spool import Spool
from app.ledger.truth import EVERYWHERE, Truth
from app.rules.model import Candidate, Count, Plan, Rank, Seat, Turns
from app.rules.tally import ScanEvent

log = logging.getLogger(__name__)

STALE, ASSIGNED, RETURNING, HELD, NO_ROOM, NOT_LOADED, CHOKED = 0, 1, 2, 3, 4, 5, 6
TRIES = 4
PLANS = 4096
RECONCILE_SECONDS = 1.0
LEASE_PERCENT = 2
MOST_KNOWN = 50_000  # counts of members
MOVES, COSTS_CHANGE = 1, 2

_ASKED = Struct(">IIBIIIIBIHIIHIId")
_ASKED_HEAD = b"$%d\r\n" % _ASKED.size
_COUNT_KEY = Struct(">IIHHI")
_COUNTED = Struct(">IIII")
_NOTHING = b"$0\r\n\r\n"
_CLAIM_ARGUMENTS = 8


Reports = list[tuple[str, datetime]]


class RedisLedger:
    """Safe over threads and across fork."""

    def __init__(self, servers: Servers, truth: Truth, spool: Spool) -> None:
        self._servers = servers
        self._truth = truth
        self._spool = spool
        self._scripts = Scripts(servers)
        self._recent = Recent(servers, spool)
        self._loader = Loader(self._scripts, truth)
        self._epoch = 0
        self._reconcile_at = 0.0
        self._counted: dict[int, tuple[int, int]] = {}  # by member: counted_from, and the last count we were told
        self._leased: dict[int, int] = {}  # by member: seats given away unasked in this outage
        self._leasing = threading.Lock()
        self._homes: dict[int, str] = {}  # of live codes that do not stand in their own bucket
        self._plans: dict[tuple[int, int], tuple[Plan, bytes]] = {}

    def close(self) -> None:
        self._recent.close()
        self._servers.close()
        self._truth.close()

    # -- what a scan needs -------------------------------------------------------------------------------------------

    def epoch(self) -> int:
        if not self._epoch:
            self._epoch = self._loader.begin()
        return self._epoch

    def claim(self, claim: Claim) -> Answer:
        plan, scope = claim.plan, claim.scope
        bucket = keys.bucket_of(scope)
        message = self._message(claim, bucket)
        for _ in range(TRIES):
            answer = self._scripts.send("claim", bucket, message)
            kind = answer[0]
            if kind in (ASSIGNED, RETURNING):
                return self._taken(claim, bucket, answer)
            if kind == HELD:
                return Held(self._seat_of(answer[1], scope))
            if kind == NO_ROOM:
                return NoRoom(full=answer[1] == 1)
            if kind == STALE:
                return Stale(answer[1])
            if kind == CHOKED:
                raise LedgerDown("the stream of events is full: nobody drains it")
            standing = self._loader.ensure(plan.live_code_id)
            if standing is None:
                return Stale(None)
            if keys.bucket_of(standing.home) != bucket:
                self._homes[plan.live_code_id] = standing.home
                return Stale(standing.version)
        raise LedgerDown(f"live code {plan.live_code_id} cannot be loaded")

    def record(self, event: ScanEvent, version: int | None) -> Stale | None:
        """An event that needs no check is kept in the spool while Redis does not answer."""
        if version is None:
            self._record_unchecked(event)
            return None
        for _ in range(TRIES):
            bucket = keys.bucket_of(self._home(event.live_code_id))
            words = (b"%d" % event.live_code_id, b"%d" % version, event.encode().encode())
            answer = self._scripts.run("record", bucket, *words)
            if answer[0] == STALE:
                return Stale(answer[1])
            if answer[0] == CHOKED:
                raise LedgerDown("the stream of events is full: nobody drains it")
            if answer[0] != NOT_LOADED:
                self._recent.note(bucket, answer[1], event, {})
                return None
            if self._find(event.live_code_id) is None:
                return Stale(None)
        raise LedgerDown(f"live code {event.live_code_id} cannot be loaded")

    def _record_unchecked(self, event: ScanEvent) -> None:
        bucket = keys.bucket_of(keys.own_scope(event.live_code_id))
        try:
            answer = self._scripts.run("record", bucket, b"", b"", event.encode().encode())
            if answer[0] != CHOKED:
                self._recent.note(bucket, answer[1], event, {})
                return
        except LedgerDown as down:
            log.debug("to the spool: %s", down)
        try:
            self._spool.append(event.encode())
        except OSError as error:
            self._spool.losses.add()
            raise LedgerDown(f"neither Redis nor the spool takes it: {error.strerror}") from error

    def version(self, live_code_id: int) -> int | None:
        for _ in range(TRIES):
            bucket = keys.bucket_of(self._home(live_code_id))
            found = self._scripts.command(bucket, b"HGET", keys.versions(bucket).encode(), b"%d" % live_code_id)
            if found is not None and found.isdigit():
                return int(found)
            if self._find(live_code_id) is None:
                return None
        raise LedgerDown(f"live code {live_code_id} cannot be loaded")

    def publish(self, live_code_id: int, version: int) -> None:
        """SQL has committed a newer version."""
        own = keys.bucket_of(keys.own_scope(live_code_id))
        for bucket in {own, keys.bucket_of(self._home(live_code_id))}:
            at = self._scripts.run("publish", bucket, b"%d" % live_code_id, b"%d" % version)
            if at is None and bucket == own:
                self._publish_where_it_points(live_code_id, version, own)

    def reconcile(self) -> None:
        """Compares every version with SQL's, as often as it costs little: an editor's process may have ended between
        its commit and `publish`, and SQL may have been set back to a backup."""
        begun = time.monotonic()
        if begun < self._reconcile_at:
            return
        by_bucket: dict[int, list[tuple[int, int]]] = {}
        for live_code_id, standing in self._truth.versions():
            by_bucket.setdefault(keys.bucket_of(standing.home), []).append((live_code_id, standing.version))
        for bucket, known in by_bucket.items():
            for start in range(0, len(known), 500):
                part = known[start : start + 500]
                names = [b"%d" % live_code_id for live_code_id, _ in part]
                there = self._scripts.command(bucket, b"HMGET", keys.versions(bucket).encode(), *names)
                for (live_code_id, version), found in zip(part, there, strict=True):
                    if found is not None and found.isdigit() and int(found) != version:
                        self._correct(live_code_id, bucket)
        self._reconcile_at = time.monotonic() + max(RECONCILE_SECONDS, 20 * (time.monotonic() - begun))

    def _correct(self, live_code_id: int, bucket: int) -> None:
        """Read in this order, a version that is above SQL's was never committed there."""
        name = b"%d" % live_code_id
        there = self._scripts.command(bucket, b"HGET", keys.versions(bucket).encode(), name)
        standing = self._truth.standing(live_code_id)
        if standing is None or there is None or not there.isdigit():
            return
        if int(there) > standing.version:
            log.warning("live code %d goes back from version %s to %d", live_code_id, there.decode(), standing.version)
            self._scripts.command(bucket, b"HSET", keys.versions(bucket).encode(), name, b"%d" % standing.version)
        else:
            self._scripts.run("publish", bucket, name, b"%d" % standing.version)

    def rebuild(self, drain: Callable[[], object]) -> int:
        """Begins Redis again from SQL, after `drain` has taken every event out of it; how many live codes."""
        for bucket in range(keys.BUCKETS):
            self._loader.close(bucket)
        drain()
        for bucket in range(keys.BUCKETS):
            self._scripts.command(bucket, b"DEL", keys.versions(bucket).encode())
        self._epoch = self._loader.begin()
        number = 0
        for live_code_id, _ in self._truth.versions():
            try:
                self._loader.ensure(live_code_id)
            except NotReady as busy:  # whoever loads it has as much of it as we
                log.warning("%s", busy)
            number += 1
        return number

    def ping(self) -> None:
        """Raises LedgerDown when Redis does not answer."""
        self._scripts.command(0, b"EXISTS", keys.versions(0).encode())

    def _publish_where_it_points(self, live_code_id: int, version: int, own: int) -> None:
        pointer = self._scripts.command(own, b"HGET", keys.versions(own).encode(), b"%d" % live_code_id)
        if pointer is not None and not pointer.isdigit():
            self._homes[live_code_id] = pointer.decode()
            there = keys.bucket_of(self._homes[live_code_id])
            self._scripts.run("publish", there, b"%d" % live_code_id, b"%d" % version)

    def seat(self, scope: str, visitor: str) -> Seat | None:
        row, lapsed = self._row(scope, visitor)
        return row.seat(lapsed) if row is not None and row.member_id else None

    def refused(self, scope: str, visitor: str) -> frozenset[int]:
        row, _ = self._row(scope, visitor)
        return frozenset(row.refused) if row is not None else frozenset()

    def press(self, scope: str, visitor: str, event: ScanEvent) -> bool:
        answer = self._in_scope("press", scope, visitor, event.live_code_id, *_told(event))
        if answer is not None and len(answer) == 3:
            self._note(event, scope, answer[1], self._seat_of(answer[2], scope))
        return answer is not None and answer[0] == 1

    def stuck(self, scope: str, visitor: str, event: ScanEvent, today: date) -> StuckAnswer:
        within = b"%d" % (SUSPECT_WITHIN // timedelta(milliseconds=1))
        rest = (b"%d" % packing.day_number(today), b"%d" % STUCK_PER_DAY, within, visitor.encode())
        answer = self._in_scope("stuck", scope, visitor, event.live_code_id, *_told(event), *rest)
        if answer is None or answer[0] == 0:
            return StuckAnswer(False)
        seat = self._seat_of(answer[1], scope)
        if answer[0] == 2:
            return StuckAnswer(False, seat)
        self._note(event, scope, answer[3], seat)
        reports = _reports(answer[2])
        try:
            number = self._suspect(seat.live_code_id, seat.member_id, event.at, reports)
        except LedgerDown as down:  # the pipeline will
            log.error("member %d lets nobody in, which SQL does not know yet: %s", seat.member_id, down)
            number = len(reports)
        return StuckAnswer(True, seat, number)

    def lease(self, plan: Plan) -> Candidate | None:
        with self._leasing:
            for tier in plan.tiers:
                for candidate in tier.candidates:
                    if candidate.is_reserve or candidate.daily_limit is not None:
                        continue
                    given = self._leased.get(candidate.member_id, 0)
                    if candidate.limit is None or given < self._lease_of(candidate, candidate.limit):
                        self._leased[candidate.member_id] = given + 1
                        return candidate
        return None

    def _lease_of(self, candidate: Candidate, limit: int) -> int:
        """How many seats this worker may give away: of a count nobody told us of, none."""
        counted_from, counted = self._counted.get(candidate.member_id, (None, 0))
        return max(0, limit - counted) * LEASE_PERCENT // 100 if counted_from == candidate.counted_from else 0

    def turns(self, tier_key: str) -> Turns:
        """Whom the turns would reach next, in the rules' words: passes by how far away a member's next turn is."""
        live_code, _, name = tier_key.partition(":")
        self.version(int(live_code))
        bucket = keys.bucket_of(self._home(int(live_code)))
        where = keys.prefix(bucket).encode() + b"t:" + live_code.encode()
        state, order = self._scripts.command(bucket, b"HMGET", where, name.encode(), b"o" + name.encode())
        if state is None or order is None:
            return Turns()
        cycle = [number for (number,) in Struct(">I").iter_unpack(order)]
        last = int.from_bytes(state[16:20], "big")
        away: dict[int, int] = {}
        for distance in range(1, len(cycle) + 1):
            away.setdefault(cycle[(last + distance - 1) % len(cycle)], distance)
        return Turns({member: distance * cycle.count(member) for member, distance in away.items()})

    # -- counts and people -------------------------------------------------------------------------------------------

    def counts(self, keys_: Sequence[CountKey]) -> Mapping[int, Count]:
        by_bucket: dict[int, list[CountKey]] = {}
        for key in keys_:
            by_bucket.setdefault(keys.bucket_of(self._home(key.live_code_id)), []).append(key)
        counts: dict[int, Count] = {}
        again: list[CountKey] = []
        for bucket, wanted in by_bucket.items():
            asked = b"".join(
                _COUNT_KEY.pack(
                    k.live_code_id, k.member_id, k.generation, k.counted_from, packing.slots_before(k.lapses_before)
                )
                for k in wanted
            )
            answer = self._scripts.run("counts", bucket, asked)
            if answer[0] == NOT_LOADED:
                if self._find(answer[1]) is None:  # gone: it has no counts
                    wanted = [k for k in wanted if k.live_code_id != answer[1]]
                again += wanted
                continue
            for key, value in zip(wanted, answer[1], strict=True):
                counted, day, taken, pressed = _COUNTED.unpack(value) if value else (0, 0, 0, 0)
                self._know(key.member_id, key.counted_from, counted)
                if value:
                    counts[key.member_id] = Count(counted, pressed, packing.day_of(day), taken)
        return counts if not again else {**counts, **self.counts(again)}

    def erase(self, visitor: str, live_code_ids: Collection[int] | None = None) -> int:
        name = packing.visitor_field(visitor)
        places = [EVERYWHERE] if live_code_ids is None else sorted(live_code_ids)
        stones = [self._truth.tombstone(visitor, place).encode() for place in places]
        which = b"" if live_code_ids is None else f" {' '.join(map(str, places))} ".encode()
        gone = 0
        for bucket in range(keys.BUCKETS):
            spread = b"%d" % packing.spread(name)
            gone += self._scripts.run("erase", bucket, name, spread, visitor.encode(), which, *stones)
        self._truth.erase(visitor, live_code_ids)
        return gone

    def share(self, stays: str, other: str) -> int:
        names = [packing.visitor_field(visitor) for visitor in (stays, other)]
        words = [word for name in names for word in (name, b"%d" % packing.spread(name))]
        number = sum(int(self._scripts.run("share", bucket, *words)) for bucket in range(keys.BUCKETS))
        # Scopes nobody has loaded into Redis since it began are SQL's alone.
        return max(number, self._truth.share(stays, other))

    # -- a claim, step by step ---------------------------------------------------------------------------------------

    def _message(self, claim: Claim, bucket: int) -> bytes:
        plan, kept, replace = claim.plan, claim.kept, claim.replace
        at = packing.millis(claim.at)
        name = packing.visitor_field(claim.visitor)
        asked = _ASKED.pack(
            plan.live_code_id,
            plan.version,
            at >> 32,
            at & 0xFFFFFFFF,
            packing.day_number(claim.today),
            packing.slots_before(claim.lapses_before),
            claim.choice_id or 0,
            MOVES * claim.moves | COSTS_CHANGE * claim.costs_change,
            replace.member_id if replace else 0,
            replace.generation if replace else 0,
            kept.live_code_id if kept else 0,
            kept.member_id if kept else 0,
            kept.generation if kept else 0,
            kept.epoch if kept else 0,
            packing.spread(name),
            claim.roll,
        )
        stones = (
            _NOTHING * 2
            if kept is None
            else b"".join(
                bulk(self._truth.tombstone(claim.visitor, place).encode()) for place in (EVERYWHERE, plan.live_code_id)
            )
        )
        return b"".join(
            (
                head("claim", bucket, _CLAIM_ARGUMENTS),
                _ASKED_HEAD,
                asked,
                b"\r\n",
                bulk(claim.scope.encode()),
                bulk(name),
                self._packed(plan),
                bulk(claim.event.encode()[:-1].encode()),
                stones,
            )
        )

    def _packed(self, plan: Plan) -> bytes:
        """Members and tiers as two arguments, kept as long as the plan is. One that is made anew for each scan, of the
        same parts, is packed once."""
        name = (id(plan.keep), id(plan.tiers))
        found = self._plans.get(name)
        if found is not None:
            return found[1]
        members, places = packing.pack_keep(plan.keep.values())
        packed = bulk(members) + bulk(packing.pack_tiers(plan.tiers, places))
        if len(self._plans) >= PLANS:
            self._plans.clear()
        self._plans[name] = (plan, packed)  # the plan is held, so that nothing else gets its id
        return packed

    def _taken(self, claim: Claim, bucket: int, answer: list[Any]) -> Assigned | Returning:
        kind, value, number, is_reserve, epoch = answer[:5]
        if epoch > self._epoch:
            self._epoch = epoch
        seat = self._seat_of(value, claim.scope)
        told: dict[str, Any] = {"member_id": seat.member_id, "choice_id": seat.choice_id}
        told["member_version"] = claim.plan.keep[seat.member_id].version
        if kind == RETURNING:
            told["outcome"] = "returning"
            self._recent.note(bucket, epoch, claim.event, told)
            return Returning(seat)
        tier = claim.plan.tiers[number]
        told["outcome"], told["rank"] = "assigned", (Rank.RESERVE if is_reserve else tier.rank).value
        if number and claim.plan.tiers[0].rank is Rank.PIN:
            told["reason"] = "pin_skipped"
        self._recent.note(bucket, epoch, claim.event, told)
        self._know(seat.member_id, claim.plan.keep[seat.member_id].counted_from, answer[5])
        if self._leased:
            self._leased.clear()
        if is_reserve:
            try:
                self._promote(seat.live_code_id, seat.member_id)
            except LedgerDown as down:  # the pipeline will
                log.error("member %d came into play, which SQL does not know yet: %s", seat.member_id, down)
        return Assigned(seat, tier.rank)

    def catch_up(self, event: ScanEvent) -> None:
        """What an event that was drained ought to have changed in SQL, done now if SQL did not take it then. Raises
        LedgerDown; harmless as often as it is called."""
        if event.member_id is None:
            return
        if event.rank == Rank.RESERVE.value:
            self._promote(event.live_code_id, event.member_id)
        elif event.type == "stuck":
            home = self._find(event.live_code_id)
            if home is not None:
                bucket = keys.bucket_of(home)
                name = keys.prefix(bucket).encode() + b"k:%d" % event.member_id
                found = self._scripts.command(bucket, b"ZRANGE", name, b"0", b"-1", b"WITHSCORES")
                self._suspect(event.live_code_id, event.member_id, event.at, _reports(found))

    def _promote(self, live_code_id: int, member_id: int) -> None:
        version = self._truth.promote(live_code_id, member_id)
        if version is not None:
            self.publish(live_code_id, version)

    def _suspect(self, live_code_id: int, member_id: int, now: datetime, reports: Reports) -> int:
        if len(reports) < SUSPECT_AFTER:
            return len(reports)
        number, version = self._truth.suspect(live_code_id, member_id, now, reports)
        if version is not None:
            self.publish(live_code_id, version)
        return number

    def _know(self, member_id: int, counted_from: int, counted: int) -> None:
        if len(self._counted) > MOST_KNOWN:
            self._counted.clear()
        self._counted[member_id] = (counted_from, counted)

    # -- where things are --------------------------------------------------------------------------------------------

    def _home(self, live_code_id: int) -> str:
        return self._homes.get(live_code_id) or keys.own_scope(live_code_id)

    def _find(self, live_code_id: int) -> str | None:
        """Loads the live code where it is missing, and learns its home; None when it is gone."""
        standing = self._loader.ensure(live_code_id)
        if standing is None:
            return None
        self._homes.pop(live_code_id, None)
        if standing.home != keys.own_scope(live_code_id):
            self._homes[live_code_id] = standing.home
        return standing.home

    def _row(self, scope: str, visitor: str) -> tuple[packing.Row | None, bool]:
        answer = self._in_scope("look", scope, visitor, 0)
        if answer is None or len(answer) < 3:
            return None, False
        return packing.read_row(answer[1], keys.live_code_in(scope)), answer[2] == 1

    def _in_scope(self, name: str, scope: str, visitor: str, live_code_id: int, *rest: bytes) -> list[Any] | None:
        """Runs a script on a visitor's row. `live_code_id`: whose scope it is, where the scope does not say."""
        own = keys.live_code_in(scope)
        bucket = keys.bucket_of(scope)
        field = packing.visitor_field(visitor)
        loaded = b"%d" % own if own else scope.encode()
        words = (scope.encode(), field, b"%d" % packing.spread(field), loaded, b"%d" % own, *rest)
        for _ in range(TRIES):
            answer: list[Any] = self._scripts.run(name, bucket, *words)
            if answer[0] == CHOKED:
                raise LedgerDown("the stream of events is full: nobody drains it")
            if answer[0] != NOT_LOADED:
                return answer
            whose = own or live_code_id or self._truth.somebody_in(scope)
            if not whose or self._find(whose) is None or keys.bucket_of(self._home(whose)) != bucket:
                return None
        raise LedgerDown(f"{scope} cannot be loaded")

    def _note(self, event: ScanEvent, scope: str, epoch: int, seat: Seat) -> None:
        told = {"member_id": seat.member_id, "choice_id": seat.choice_id, "live_code_id": seat.live_code_id}
        self._recent.note(keys.bucket_of(scope), epoch, event, told)

    def _seat_of(self, value: bytes, scope: str) -> Seat:
        return packing.read_row(value, keys.live_code_in(scope)).seat()


def _reports(found: Sequence[bytes]) -> Reports:
    """Who could not get in, and when, as the store keeps it: name, moment, name, moment …"""
    return [(name.decode(), packing.moment(int(float(at)))) for name, at in zip(found[::2], found[1::2], strict=True)]


def _told(event: ScanEvent) -> Iterable[bytes]:
    return b"%d" % packing.millis(event.at), event.encode()[:-1].encode()

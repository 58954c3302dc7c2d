"""One scan, from slug to answer: snapshot → rules → ledger, and again when the snapshot was stale.

Owns the order of the steps and the policy for a store that does not answer; what is right to do is decided by
`rules.routing`, who has room by the ledger, how it looks by `landing`. Issues no SQL.
"""

import logging
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import takewhile
from random import random
from typing import Protocol

from app.ledger import Answer as ClaimAnswer
from app.ledger import (
    Assigned,
    Claim,
    CountKey,
    Held,
    InDoubt,
    KeptSeat,
    Ledger,
    LedgerDown,
    NoRoom,
    NotReady,
    Returning,
    Stale,
)
from app.rules import capacity, routing
from app.rules.model import (
    Choice,
    ChoicePolicy,
    Decision,
    Member,
    MemberState,
    Outcome,
    Plan,
    RegionPolicy,
    Seat,
    Snapshot,
)
from app.rules.regions import Place, nearest_city
from app.rules.tally import ScanEvent
from app.rules.targeting import Position
from app.scan.plans import Plans

log = logging.getLogger(__name__)

TRIES = 20  # a snapshot may go stale between reading and claiming; so often in one scan is no accident
PAUSE_SECONDS = 1.0  # after a failure the store is left alone this long, so that an outage costs no time-out a scan


@dataclass(frozen=True, slots=True)
class Scanner:
    """Who stands before the poster, as `visitor` read it. `first`: the cookie is made by this very scan."""

    visitor: str
    first: bool
    address_place: Place
    language: str
    chosen_city: str | None = None
    position: Position | None = None
    placement: str | None = None
    device: str | None = None
    app: str | None = None
    kept: tuple[tuple[str, KeptSeat], ...] = ()
    is_preview: bool = False


@dataclass(frozen=True, slots=True)
class ChoiceRoom:
    """`room`: seats left for this visitor's place, None where there is no cap."""

    choice: Choice
    room: int | None


@dataclass(frozen=True, slots=True)
class Answer:
    """snapshot: None for an unknown slug. seat: what the cookie should remember. provisional: the store was down."""

    decision: Decision
    snapshot: Snapshot | None
    scope: str | None = None
    seat: Seat | None = None
    epoch: int = 0
    choices: tuple[ChoiceRoom, ...] = ()
    provisional: bool = False
    is_trial: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """A POST that cannot be done: the contract's error code and its HTTP status."""

    code: str
    status: int


class SnapshotSource(Protocol):
    """What `codes.snapshot.Snapshots` offers. Unknown slugs are None and never remembered."""

    def by_slug(self, slug: str) -> Snapshot | None: ...
    def by_id(self, live_code_id: int, at_least: int | None = None) -> Snapshot | None: ...
    def reload(self, live_code_id: int) -> Snapshot | None: ...


class Decider:
    """Safe over threads. `clock` answers aware UTC, `roll` a number in [0, 1)."""

    def __init__(
        self,
        snapshots: SnapshotSource,
        ledger: Ledger,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        roll: Callable[[], float] = random,
    ) -> None:
        self._snapshots = snapshots
        self._ledger = ledger
        self._clock = clock
        self._roll = roll
        self._plans = Plans()
        self._quiet_until = 0.0
        self._asked = threading.local()  # `event_id`: of what this thread has asked the ledger last

    # -- what the door calls -----------------------------------------------------------------------------------------

    def scan(self, slug: str, scanner: Scanner, choice_id: int | None = None) -> Answer:
        """A GET of the short URL. `choice_id`: where several choices are allowed, the one whose seat is asked for."""

        def step(snapshot: Snapshot) -> Answer | Stale:
            step_at = _Step(self, snapshot, scanner, "scan")
            if scanner.is_preview:
                self._ledger.record(step_at.event.with_answer(outcome=Outcome.PREVIEW.value), None)
                return Answer(Decision(Outcome.PREVIEW), snapshot)
            if choice_id is not None and snapshot.choice_policy is ChoicePolicy.SEVERAL and snapshot.choice(choice_id):
                return step_at.go(choice_id, only_held=True)
            return step_at.go(None)

        return self._current(slug, scanner, step)

    def choose(self, slug: str, scanner: Scanner, choice_id: int) -> Answer | Refused:
        refused: Refused | None = None

        def step(snapshot: Snapshot) -> Answer | Stale:
            nonlocal refused
            refused = None
            if not snapshot.is_grouped:
                refused = Refused("not_grouped", 409)
            elif snapshot.choice(choice_id) is None:
                refused = Refused("no_such_choice", 404)
            if refused is not None:
                return Answer(Decision(Outcome.UNKNOWN), snapshot)
            return _Step(self, snapshot, scanner, "choose").choose(choice_id)

        answer = self._current(slug, scanner, step)
        return refused or answer

    def relocate(self, slug: str, scanner: Scanner, choice_id: int | None = None) -> Answer | Refused:
        """The visitor has just chosen `scanner.chosen_city`, or given a position: their seat may have to move.

        A position serves this one decision. Each is taken only where the live code asks for it.
        """
        refused: Refused | None = None

        def step(snapshot: Snapshot) -> Answer | Stale:
            nonlocal refused
            asks = snapshot.asks_city if scanner.position is None else asks_position(snapshot)
            refused = None if asks else Refused("asks_no_city" if scanner.position is None else "asks_no_position", 409)
            if refused is not None:
                return Answer(Decision(Outcome.UNKNOWN), snapshot)
            return _Step(self, snapshot, scanner, "reroute").relocate(choice_id)

        answer = self._current(slug, scanner, step)
        return refused or answer

    def whereabouts(self, slug: str, scanner: Scanner) -> tuple[Snapshot, Place] | None:
        """Where this visitor is taken to be, for the page that asks; None for an unknown slug or where SQL is down."""
        try:
            snapshot = self._snapshots.by_slug(slug)
        except LedgerDown:
            return None
        return None if snapshot is None else (snapshot, _place(snapshot, scanner))

    def press(self, slug: str, scanner: Scanner, choice_id: int | None = None) -> bool:
        """Records a long-press; False when no seat is held or the store does not answer."""
        try:
            snapshot = self._snapshots.by_slug(slug)
            if snapshot is None:
                return False
            event = _Step(self, snapshot, scanner, "press").event
            return self._ledger.press(routing.scope_of(snapshot, choice_id), scanner.visitor, event)
        except LedgerDown:
            return False

    def stuck(self, slug: str, scanner: Scanner, reason: str, choice_id: int | None = None) -> Answer | Refused:
        """Gives the seat up, and routes anew; `too_many` after two a day."""
        released: Seat | None = None
        refused: Refused | None = None

        def step(snapshot: Snapshot) -> Answer | Stale:
            nonlocal released, refused
            step_at = _Step(self, snapshot, scanner, "stuck")
            if released is None:
                event = step_at.event.with_answer(reason=reason)
                told = self._ledger.stuck(routing.scope_of(snapshot, choice_id), scanner.visitor, event, step_at.today)
                if not told.allowed and told.seat is not None:
                    refused = Refused("too_many", 429)
                    return Answer(Decision(Outcome.UNKNOWN), snapshot)
                released = told.seat
            again = _Step(self, snapshot, replace(scanner, kept=()), "reroute")
            kept_choice = released.choice_id if released is not None else choice_id
            return again.go(kept_choice if snapshot.choice(kept_choice) else None)

        answer = self._current(slug, scanner, step)
        return refused or answer

    def trial(self, slug: str, scanner: Scanner, choice_id: int | None = None) -> Answer:
        """Decides like a new visitor each time; takes no seat, appends no event."""

        def step(snapshot: Snapshot) -> Answer | Stale:
            step_at = _Step(self, snapshot, scanner, "scan")
            current = self._ledger.version(snapshot.id)
            return Stale(current) if current != snapshot.version else step_at.trial(choice_id)

        return self._current(slug, scanner, step)

    def page_token(self, answer: Answer) -> str:
        """Names what the page shows, for `fresh`: a member's version, or a refusal of the live code's version."""
        member, snapshot = answer.decision.member, answer.snapshot
        if snapshot is None:
            return ""
        if member is None or answer.decision.outcome is Outcome.HELD:
            return f"r{snapshot.id}.{snapshot.version}"
        home = answer.seat.live_code_id if answer.seat is not None else snapshot.id
        return f"m{home}.{member.id}.{member.version}"

    def fresh(self, slug: str, token: str) -> bool:
        """Whether what the page shows still stands. True when nobody can tell: no page is reloaded into an outage."""
        try:
            numbers = [int(part) for part in token[1:].split(".")]
            snapshot = self._snapshots.by_slug(slug)
            if snapshot is None:
                return False
            version = self._ledger.version(numbers[0])
            if token.startswith("r"):
                return numbers == [snapshot.id, version]
            home = self._snapshots.by_id(numbers[0], version)
            member = home.member(numbers[1]) if home is not None else None
            now = self._clock()
            return (
                home is not None
                and member is not None
                and member.version == numbers[2]
                and routing.refusal(home, now) is None
                and routing.is_usable(member, now)
            )
        except LedgerDown:
            return True
        except (ValueError, IndexError):
            return False

    # -- the loop around every answer --------------------------------------------------------------------------------

    def _current(self, slug: str, scanner: Scanner, step: Callable[[Snapshot], Answer | Stale]) -> Answer:
        snapshot: Snapshot | None = None
        self._asked.event_id = None
        try:
            snapshot = self._snapshots.by_slug(slug)
            if time.monotonic() < self._quiet_until:
                return self._without_store(snapshot, scanner)
            for tried in range(TRIES):
                if snapshot is None:
                    return Answer(Decision(Outcome.UNKNOWN), None)
                answer = step(snapshot)
                if not isinstance(answer, Stale):
                    return answer
                # Another thread may have loaded the new version already. A store set back to an older one is read anew.
                again = self._snapshots.by_id(snapshot.id, answer.version) if tried == 0 else None
                snapshot = again or self._snapshots.reload(snapshot.id)
            raise LedgerDown("the live code changes faster than it can be read")
        except LedgerDown as error:
            if not isinstance(error, NotReady):
                self._quiet_until = time.monotonic() + PAUSE_SECONDS
            log.error("the ledger does not answer: %s", error)
            return self._without_store(snapshot, scanner, may_hold=isinstance(error, InDoubt))

    def _without_store(self, snapshot: Snapshot | None, scanner: Scanner, *, may_hold: bool = False) -> Answer:
        """The outage policy, in one place: a signed seat is honoured; else the fallback; else one of the few seats a
        worker may give away unasked, which the visitor's cookie brings home later; else a page that says wait.

        may_hold: the store may have given them a seat before it fell silent; then they are given no other one.
        """
        if snapshot is None:
            return Answer(Decision(Outcome.UNAVAILABLE), None, provisional=True)
        asked: str | None = self._asked.event_id
        now = self._clock()
        refused = routing.refusal(snapshot, now)
        kept = dict(scanner.kept).get(routing.scope_of(snapshot))
        member = snapshot.member(kept.member_id) if kept is not None else None
        if refused is not None:
            decision = Decision(refused.outcome, opens_at=refused.opens_at)
        elif scanner.is_preview:
            decision = Decision(Outcome.PREVIEW)
        elif kept and member and member.generation == kept.generation and routing.is_usable(member, now):
            decision = Decision(Outcome.RETURNING, member, snapshot.choice(member.choice_id))
        elif (spare := routing.fallback_member(snapshot, None, now)) is not None:
            decision = Decision(Outcome.FALLBACK, spare)
        elif not may_hold and (seat := self._leased(snapshot, scanner, now)) is not None:
            decision = Decision(Outcome.ASSIGNED, snapshot.member(seat.member_id))
            self._remember_outage(snapshot, scanner, decision, now, asked)
            # Of no epoch: whatever life the store has when it is back, this seat is older.
            return Answer(decision, snapshot, routing.scope_of(snapshot), seat, epoch=0, provisional=True)
        else:
            decision = Decision(Outcome.UNAVAILABLE)
        self._remember_outage(snapshot, scanner, decision, now, asked)
        return Answer(decision, snapshot, provisional=True)

    def _leased(self, snapshot: Snapshot, scanner: Scanner, now: datetime) -> Seat | None:
        if snapshot.is_grouped:
            return None  # they would have to be asked first
        place = _Step(self, snapshot, scanner, "scan", now).place
        lent = self._ledger.lease(self.plan(snapshot, None, place, now))
        return Seat(snapshot.id, lent.member_id, lent.generation, now) if lent is not None else None

    def _remember_outage(
        self, snapshot: Snapshot, scanner: Scanner, decision: Decision, now: datetime, asked: str | None
    ) -> None:
        member_id = decision.member.id if decision.member is not None else None
        event = _Step(self, snapshot, scanner, "scan", now).event
        if asked is not None:  # a store that was too slow may have taken it after all: then it counts once
            event = event.with_answer(id=asked)
        try:
            self._ledger.record(event.with_answer(outcome=decision.outcome.value, member_id=member_id), None)
        except LedgerDown:
            log.error("event %s was lost: neither the store nor the spool takes it", event.id)

    def plan(
        self,
        snapshot: Snapshot,
        choice_id: int | None,
        place: Place,
        now: datetime,
        position: Position | None = None,
    ) -> Plan:
        """The compiled plan for a place, kept until its time slot or the snapshot's version ends."""
        return self._plans.plan(snapshot, choice_id, place, now, position)


class _Step:
    """One attempt to answer, against one snapshot and one moment."""

    def __init__(
        self, decider: Decider, snapshot: Snapshot, scanner: Scanner, kind: str, now: datetime | None = None
    ) -> None:
        self.decider, self.ledger, self.snapshot, self.scanner = decider, decider._ledger, snapshot, scanner
        self.now = now or decider._clock()
        self.today = self.now.astimezone(snapshot.zone).date()
        self.place = _place(snapshot, scanner)
        self.event = ScanEvent(
            id=secrets.token_hex(12),
            type=kind,
            at=self.now,
            live_code_id=snapshot.id,
            visitor=scanner.visitor,
            first=scanner.first,
            region=self.place.region,
            region_source=self.place.source,
            placement=scanner.placement,
            device=scanner.device,
            app=scanner.app,
            language=scanner.language,
        )
        decider._asked.event_id = self.event.id

    def go(self, choice_id: int | None, *, only_held: bool = False) -> Answer | Stale:
        refused = routing.refusal(self.snapshot, self.now)
        if refused is not None:
            return self._say(Decision(refused.outcome, opens_at=refused.opens_at))
        asks = self.snapshot.is_grouped and choice_id is None
        if asks and self.snapshot.choice_policy is ChoicePolicy.SEVERAL:
            return self._ask()
        claim = self._claim(choice_id)
        if only_held:
            claim = replace(claim, plan=replace(claim.plan, tiers=()))
        return self._take(claim, asks=asks or only_held)

    def choose(self, choice_id: int) -> Answer | Stale:
        refused = routing.refusal(self.snapshot, self.now)
        if refused is not None:
            return self._say(Decision(refused.outcome, opens_at=refused.opens_at))
        held = self.ledger.seat(routing.scope_of(self.snapshot, choice_id), self.scanner.visitor)
        may_change = self.snapshot.choice_policy is ChoicePolicy.CHANGE_ONCE
        if held and may_change and held.choice_id != choice_id and held.changes == 0 and self._is_ours(held):
            return self._take(replace(self._claim(choice_id), replace=held, moves=True, costs_change=True))
        return self._take(self._claim(choice_id))

    def relocate(self, choice_id: int | None) -> Answer | Stale:
        """Another city: freely before a long-press, once after it; who is served there too keeps the seat, and so does
        everybody for whom there is no room there: nobody loses a group by looking for a nearer one."""
        held = self.ledger.seat(routing.scope_of(self.snapshot, choice_id), self.scanner.visitor)
        if held is None or not self._is_ours(held) or (held.pressed_at is not None and held.changes > 0):
            return self.go(choice_id)
        claim = self._claim(held.choice_id)
        nearer = tuple(
            takewhile(lambda tier: all(c.member_id != held.member_id for c in tier.candidates), claim.plan.tiers)
        )
        if not nearer:
            return self.go(choice_id)
        plan = replace(claim.plan, tiers=nearer)
        claim = replace(claim, plan=plan, replace=held, moves=True, costs_change=held.pressed_at is not None)
        answer = self.ledger.claim(claim)
        return self.go(choice_id) if isinstance(answer, NoRoom) else self._told(claim, answer)

    def trial(self, choice_id: int | None) -> Answer:
        keys = count_keys(self.snapshot, self.snapshot.members, self.now)
        simulation = routing.simulate(
            self.snapshot,
            choice_id=choice_id,
            place=self.place,
            now=self.now,
            counts=self.ledger.counts(keys),
            turns=self.ledger.turns,
            roll=self.decider._roll(),
            position=self.scanner.position,
        )
        choices = self._rooms() if simulation.decision.outcome is Outcome.CHOOSE else ()
        return Answer(simulation.decision, self.snapshot, choices=choices, is_trial=True)

    # -- from the ledger's answer to ours ----------------------------------------------------------------------------

    def _take(self, claim: Claim, *, asks: bool = False) -> Answer | Stale:
        return self._told(claim, self.ledger.claim(claim), asks=asks)

    def _told(self, claim: Claim, answer: ClaimAnswer, *, asks: bool = False) -> Answer | Stale:
        match answer:
            case Assigned(seat) | Returning(seat):
                outcome = Outcome.ASSIGNED if isinstance(answer, Assigned) else Outcome.RETURNING
                return self._shown(outcome, self.snapshot.member(seat.member_id), seat, claim.scope)
            case Held(seat):
                return self._held(claim, seat)
            case NoRoom(full):
                if asks:
                    return self._ask()
                return self._say(
                    routing.overflow(self.snapshot, claim.choice_id, claim.plan, self.now, full=full),
                    claim.choice_id,
                )
            case Stale():
                return answer

    def _held(self, claim: Claim, seat: Seat) -> Answer | Stale:
        """A seat that does not stand here: held in another live code of the group, or its member is closed."""
        if not self._is_ours(seat):
            other = self._other(seat)
            member = routing.elsewhere(other, seat, self.now) if other is not None else None
            if member is not None:
                stale = self._record(Decision(Outcome.ELSEWHERE, member))
                return stale or self._shown(Outcome.ELSEWHERE, member, seat, claim.scope)
        else:
            closed = routing.closed_seat(self.snapshot, seat, self.now)
            spare = None
            if closed is routing.Closed.FALLBACK:
                spare = routing.fallback_member(self.snapshot, seat.choice_id, self.now)
            if spare is not None:
                return self._say(Decision(Outcome.FALLBACK, spare), seat.choice_id)
            if closed is not routing.Closed.REASSIGN:
                member = self.snapshot.member(seat.member_id)
                stale = self._record(Decision(Outcome.HELD, member))
                return stale or self._shown(Outcome.HELD, member, seat, claim.scope)
        choice_id = claim.choice_id
        if choice_id is None and self.snapshot.is_grouped and self._is_ours(seat):
            choice_id = seat.choice_id if self.snapshot.choice(seat.choice_id) else None
        if self.snapshot.is_grouped and choice_id is None:
            return self._ask()
        return self._take(replace(self._claim(choice_id), scope=claim.scope, replace=seat))

    def _claim(self, choice_id: int | None) -> Claim:
        scope = routing.scope_of(self.snapshot, choice_id)
        choice = self.snapshot.choice(choice_id)
        kept = dict(self.scanner.kept).get(scope)
        if kept is not None and choice_id is None:
            member = self.snapshot.member(kept.member_id)
            choice_id = member.choice_id if member is not None else None
        return Claim(
            plan=self._plan(choice.id if choice is not None else None),
            scope=scope,
            visitor=self.scanner.visitor,
            at=self.now,
            today=self.today,
            event=self.event if choice is None else self.event.with_answer(choice_id=choice.id, tag=choice.tag),
            roll=self.decider._roll(),
            lapses_before=capacity.lapses_before(self.snapshot, self.now),
            choice_id=choice_id,
            kept=kept,
            is_new=self.scanner.first,
        )

    def _plan(self, choice_id: int | None) -> Plan:
        return self.decider.plan(self.snapshot, choice_id, self.place, self.now, self.scanner.position)

    def _ask(self) -> Answer | Stale:
        stale = self._record(Decision(Outcome.CHOOSE))
        return stale or Answer(Decision(Outcome.CHOOSE, place=self.place), self.snapshot, choices=self._rooms())

    def _rooms(self) -> tuple[ChoiceRoom, ...]:
        plans = [(choice, self._plan(choice.id)) for choice in self.snapshot.choices]
        ids = {c.member_id for _, plan in plans for tier in plan.tiers for c in tier.candidates}
        keys = count_keys(self.snapshot, [m for m in self.snapshot.members if m.id in ids], self.now)
        counts = self.ledger.counts(keys)
        rooms = []
        for choice, plan in plans:
            candidates = {c.member_id: c for tier in plan.tiers for c in tier.candidates}.values()
            left = [
                None if c.limit is None else max(0, c.limit - counts.get(c.member_id, capacity.NOTHING_COUNTED).counted)
                for c in candidates
            ]
            rooms.append(ChoiceRoom(choice, None if None in left else sum(n for n in left if n is not None)))
        return tuple(rooms)

    def _say(self, decision: Decision, choice_id: int | None = None) -> Answer | Stale:
        stale = self._record(decision, choice_id)
        return stale or Answer(replace(decision, place=self.place), self.snapshot)

    def _record(self, decision: Decision, choice_id: int | None = None) -> Stale | None:
        member = decision.member
        event = self.event.with_answer(
            outcome=decision.outcome.value,
            member_id=member.id if member is not None else None,
            member_version=member.version if member is not None else None,
            choice_id=choice_id,
        )
        return self.ledger.record(event, self.snapshot.version)

    def _shown(self, outcome: Outcome, member: Member | None, seat: Seat, scope: str) -> Answer:
        choice = self.snapshot.choice(seat.choice_id)
        return Answer(Decision(outcome, member, choice, self.place), self.snapshot, scope, seat, self.ledger.epoch())

    def _is_ours(self, seat: Seat) -> bool:
        return seat.live_code_id == self.snapshot.id

    def _other(self, seat: Seat) -> Snapshot | None:
        version = self.ledger.version(seat.live_code_id)
        return self.decider._snapshots.by_id(seat.live_code_id, version) if version is not None else None


def asks_position(snapshot: Snapshot) -> bool:
    """Is anybody of this live code to be found by distance?"""
    return snapshot.region_policy is RegionPolicy.NEAREST and any(
        m.latitude is not None and m.state is not MemberState.ARCHIVED for m in snapshot.members
    )


def _place(snapshot: Snapshot, scanner: Scanner) -> Place:
    return routing.place_of(
        snapshot,
        chosen=scanner.chosen_city,
        placement=scanner.placement,
        position=nearest_city(*scanner.position) if scanner.position is not None else None,
        address=scanner.address_place,
    )


def count_keys(snapshot: Snapshot, members: "list[Member] | tuple[Member, ...]", now: datetime) -> list[CountKey]:
    """What to ask the ledger for, to know these members' counts as they stand now."""
    lapse = capacity.lapses_before(snapshot, now)
    return [
        CountKey(snapshot.id, m.id, m.generation, m.counted_from, lapse if m.is_group else None)
        for m in members
        if not m.is_fallback
    ]

"""One scan, from slug to answer: an attempt against the snapshot, and again when that was stale.

Owns the loop around every answer and the policy for a store that does not answer; the steps are `attempt`'s, how it
looks is `landing`'s. Issues no SQL.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from random import random

from app.ledger import InDoubt, Ledger, LedgerDown, NotReady, Stale
from app.rules import routing
from app.rules.model import ChoicePolicy, Decision, Outcome, Seat, Snapshot
from app.rules.regions import Place
from app.scan.answer import Answer, Refused, Scanner, asks_position
from app.scan.attempt import Attempt, Means, SnapshotSource, whereabouts
from app.scan.plans import Plans

log = logging.getLogger(__name__)

TRIES = 20  # a snapshot may go stale between reading and claiming; so often in one scan is no accident
PAUSE_SECONDS = 1.0  # after a failure the store is left alone this long, so that an outage costs no time-out a scan


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
        self._means = Means(snapshots, ledger, Plans(), roll)
        self._quiet_until = 0.0
        self._asked = threading.local()  # `event_id`: of what this thread has asked the ledger last

    # -- what the door calls -----------------------------------------------------------------------------------------

    def scan(self, slug: str, scanner: Scanner, choice_id: int | None = None) -> Answer:
        """A GET of the short URL. `choice_id`: where several choices are allowed, the one whose seat is asked for."""

        def step(snapshot: Snapshot) -> Answer | Stale:
            step_at = self._attempt(snapshot, scanner, "scan")
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
            return self._attempt(snapshot, scanner, "choose").choose(choice_id)

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
            return self._attempt(snapshot, scanner, "reroute").relocate(choice_id)

        answer = self._current(slug, scanner, step)
        return refused or answer

    def whereabouts(self, slug: str, scanner: Scanner) -> tuple[Snapshot, Place] | None:
        """Where this visitor is taken to be, for the page that asks; None for an unknown slug or where SQL is down."""
        try:
            snapshot = self._snapshots.by_slug(slug)
        except LedgerDown:
            return None
        return None if snapshot is None else (snapshot, whereabouts(snapshot, scanner))

    def press(self, slug: str, scanner: Scanner, choice_id: int | None = None) -> bool:
        """Records a long-press; False when no seat is held or the store does not answer."""
        try:
            snapshot = self._snapshots.by_slug(slug)
            if snapshot is None:
                return False
            event = self._attempt(snapshot, scanner, "press").event
            return self._ledger.press(routing.scope_of(snapshot, choice_id), scanner.visitor, event)
        except LedgerDown:
            return False

    def stuck(self, slug: str, scanner: Scanner, reason: str, choice_id: int | None = None) -> Answer | Refused:
        """Gives the seat up, and routes anew; `too_many` after two a day."""
        released: Seat | None = None
        refused: Refused | None = None

        def step(snapshot: Snapshot) -> Answer | Stale:
            nonlocal released, refused
            step_at = self._attempt(snapshot, scanner, "stuck")
            if released is None:
                event = step_at.event.with_answer(reason=reason)
                told = self._ledger.stuck(routing.scope_of(snapshot, choice_id), scanner.visitor, event, step_at.today)
                if not told.allowed and told.seat is not None:
                    refused = Refused("too_many", 429)
                    return Answer(Decision(Outcome.UNKNOWN), snapshot)
                released = told.seat
            again = self._attempt(snapshot, replace(scanner, kept=()), "reroute")
            kept_choice = released.choice_id if released is not None else choice_id
            return again.go(kept_choice if snapshot.choice(kept_choice) else None)

        answer = self._current(slug, scanner, step)
        return refused or answer

    def trial(self, slug: str, scanner: Scanner, choice_id: int | None = None) -> Answer:
        """Decides like a new visitor each time; takes no seat, appends no event."""

        def step(snapshot: Snapshot) -> Answer | Stale:
            step_at = self._attempt(snapshot, scanner, "scan")
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

    def _attempt(self, snapshot: Snapshot, scanner: Scanner, kind: str) -> Attempt:
        attempt = Attempt(self._means, snapshot, scanner, kind, self._clock())
        self._asked.event_id = attempt.event.id
        return attempt

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
        place = Attempt(self._means, snapshot, scanner, "scan", now).place
        lent = self._ledger.lease(self._means.plans.plan(snapshot, None, place, now))
        return Seat(snapshot.id, lent.member_id, lent.generation, now) if lent is not None else None

    def _remember_outage(
        self, snapshot: Snapshot, scanner: Scanner, decision: Decision, now: datetime, asked: str | None
    ) -> None:
        member_id = decision.member.id if decision.member is not None else None
        event = Attempt(self._means, snapshot, scanner, "scan", now).event
        if asked is not None:  # a store that was too slow may have taken it after all: then it counts once
            event = event.with_answer(id=asked)
        try:
            self._ledger.record(event.with_answer(outcome=decision.outcome.value, member_id=member_id), None)
        except LedgerDown:
            log.error("event %s was lost: neither the store nor the spool takes it", event.id)

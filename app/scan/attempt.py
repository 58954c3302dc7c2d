"""One attempt to answer a scan, against one snapshot at one moment.

Owns the order of the steps: refusals, the seat held, the claim, what a ledger's answer means for the page. What is
right to do is decided by `rules.routing`, who has room by the ledger. A stale snapshot ends the attempt; `decide`
makes another one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import takewhile
from random import getrandbits
from typing import Protocol

from app.ledger import Answer as ClaimAnswer
from app.ledger import Assigned, Claim, CountKey, Held, Ledger, NoRoom, Returning, Stale
from app.rules import capacity, routing, simulation
from app.rules.model import ChoicePolicy, Decision, Member, Outcome, Plan, Seat, Snapshot
from app.rules.regions import Place, nearest_city
from app.rules.tally import ScanEvent
from app.rules.targeting import is_of_the_city
from app.scan.answer import Answer, ChoiceRoom, Scanner
from app.scan.plans import Plans


class SnapshotSource(Protocol):
    """What `codes.snapshot.Snapshots` offers. Unknown slugs are None and never remembered."""

    def by_slug(self, slug: str) -> Snapshot | None: ...
    def by_id(self, live_code_id: int, at_least: int | None = None) -> Snapshot | None: ...
    def reload(self, live_code_id: int) -> Snapshot | None: ...


@dataclass(frozen=True, slots=True)
class Means:
    """What every attempt works with. `roll`: a number in [0, 1)."""

    snapshots: SnapshotSource
    ledger: Ledger
    plans: Plans
    roll: Callable[[], float]


class Attempt:
    """One attempt to answer, against one snapshot and one moment."""

    def __init__(self, means: Means, snapshot: Snapshot, scanner: Scanner, kind: str, now: datetime) -> None:
        self.means, self.ledger, self.snapshot, self.scanner, self.now = means, means.ledger, snapshot, scanner, now
        self.today = self.now.astimezone(snapshot.zone).date()
        self.place = whereabouts(snapshot, scanner)
        self.event = ScanEvent(
            id=f"{getrandbits(96):024x}",  # unique, no secret
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
        told = simulation.simulate(
            self.snapshot,
            choice_id=choice_id,
            place=self.place,
            now=self.now,
            counts=self.ledger.counts(keys),
            turns=self.ledger.turns,
            roll=self.means.roll(),
            position=self.scanner.position,
        )
        choices = self._rooms() if told.decision.outcome is Outcome.CHOOSE else ()
        return Answer(told.decision, self.snapshot, choices=choices, is_trial=True)

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
            roll=self.means.roll(),
            lapses_before=capacity.lapses_before(self.snapshot, self.now),
            choice_id=choice_id,
            kept=kept,
            is_new=self.scanner.first,
        )

    def _plan(self, choice_id: int | None) -> Plan:
        return self.means.plans.plan(self.snapshot, choice_id, self.place, self.now, self.scanner.position)

    def _ask(self) -> Answer | Stale:
        stale = self._record(Decision(Outcome.CHOOSE))
        return stale or Answer(Decision(Outcome.CHOOSE, place=self.place), self.snapshot, choices=self._rooms())

    def _rooms(self) -> tuple[ChoiceRoom, ...]:
        plans = [(choice, self._plan(choice.id)) for choice in self.snapshot.choices]
        ids = {c.member_id for _, plan in plans for tier in plan.tiers for c in tier.candidates}
        keys = count_keys(self.snapshot, [m for m in self.snapshot.members if m.id in ids], self.now)
        counts = self.ledger.counts(keys)
        local = {m.choice_id for m in self.snapshot.members if m.id in ids and is_of_the_city(m, self.place.region)}
        is_told = len(local) < len(plans)
        rooms = []
        for choice, plan in plans:
            candidates = {c.member_id: c for tier in plan.tiers for c in tier.candidates}.values()
            left = [
                None if c.limit is None else max(0, c.limit - counts.get(c.member_id, capacity.NOTHING_COUNTED).counted)
                for c in candidates
            ]
            room = None if None in left else sum(n for n in left if n is not None)
            rooms.append(ChoiceRoom(choice, room, is_told and choice.id in local))
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
        return self.means.snapshots.by_id(seat.live_code_id, version) if version is not None else None


def whereabouts(snapshot: Snapshot, scanner: Scanner) -> Place:
    return routing.place_of(
        snapshot,
        chosen=scanner.chosen_city,
        placement=scanner.placement,
        position=nearest_city(*scanner.position) if scanner.position is not None else None,
        address=scanner.address_place,
    )


def count_keys(snapshot: Snapshot, members: Sequence[Member], now: datetime) -> list[CountKey]:
    """What to ask the ledger for, to know these members' counts as they stand now."""
    lapse = capacity.lapses_before(snapshot, now)
    return [
        CountKey(snapshot.id, m.id, m.generation, m.counted_from, lapse if m.is_group else None)
        for m in members
        if not m.is_fallback
    ]

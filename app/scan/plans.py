"""Compiled plans, kept so that a scan filters no members.

Everybody in a region that no member divides further shares one plan, so a live code has at most as many plans a choice
as its members name regions, and one for everybody else, however many cities its scanners come from. What is in a plan
is `routing`'s decision.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime
from threading import Lock

from app.rules.model import MemberState, Plan, RegionPolicy, Snapshot
from app.rules.regions import Place
from app.rules.routing import Standing, compile_plan, stand
from app.rules.targeting import Position, narrowed, regions_named

# References to candidates held by all plans together, eight bytes each; the candidates themselves (200 bytes) are
# shared by all plans of a live code. With 200 members in 40 regions that is 8,400 for one live code.
MOST_HELD = 2_000_000
# What a live code holds before it has any plan, in the same measure: its candidates and its regions.
_OWN_WEIGHT = 25


@dataclass(slots=True)
class _OfOneCode:
    version: int
    named: frozenset[str]
    standing: Standing
    own: int
    held: int
    plans: dict[tuple[int | None, str | None], Plan] = field(default_factory=dict)


class Plans:
    """Safe over threads: two that compile the same plan at once do the same work twice, and the last one is kept."""

    def __init__(self, most_held: int = MOST_HELD) -> None:
        self._most_held = most_held
        self._codes: dict[int, _OfOneCode] = {}
        self._held = 0
        self._lock = Lock()

    @property
    def held(self) -> int:
        """References to candidates, and what stands for the rest."""
        return self._held

    def plan(
        self, snapshot: Snapshot, choice_id: int | None, place: Place, now: datetime, position: Position | None = None
    ) -> Plan:
        """The plan for a place, good until its time slot or the snapshot's version ends. One by distance is compiled
        each time: no two people stand in the same spot."""
        mine = self._codes.get(snapshot.id)
        if mine is None or mine.version != snapshot.version or not mine.standing.stands_at(now):
            mine = self._begin(snapshot, now)
        if position is not None and snapshot.region_policy is RegionPolicy.NEAREST:
            return compile_plan(snapshot, choice_id, place, now, position, mine.standing)
        region = narrowed(place.region, mine.named)
        plan = mine.plans.get((choice_id, region))
        if plan is None:
            plan = compile_plan(snapshot, choice_id, replace(place, region=region), now, standing=mine.standing)
            self._keep(mine, (choice_id, region), plan)
        return plan

    def _begin(self, snapshot: Snapshot, now: datetime) -> _OfOneCode:
        """Forgets what was kept of older versions and slots: nobody will ask for it again."""
        standing = stand(snapshot, now)
        named = regions_named(m for m in snapshot.members if m.state is not MemberState.ARCHIVED)
        own = _OWN_WEIGHT * (1 + len(standing.keep) + len(named))
        mine = _OfOneCode(snapshot.version, named, standing, own, own)
        with self._lock:
            before = self._codes.pop(snapshot.id, None)
            self._held += mine.held - (before.held if before is not None else 0)
            self._codes[snapshot.id] = mine
            self._make_room(mine)
        return mine

    def _keep(self, mine: _OfOneCode, key: tuple[int | None, str | None], plan: Plan) -> None:
        weight = _OWN_WEIGHT + sum(_OWN_WEIGHT + len(tier.candidates) for tier in plan.tiers)
        with self._lock:
            if self._codes.get(plan.live_code_id) is mine and key not in mine.plans:
                mine.plans[key] = plan
                mine.held += weight
                self._held += weight
                self._make_room(mine)

    def _make_room(self, but: _OfOneCode) -> None:
        """The live codes begun longest ago go first; a poster that is scanned compiles its plans anew."""
        for live_code_id in list(self._codes):
            if self._held <= self._most_held:
                return
            if self._codes[live_code_id] is not but:
                self._held -= self._codes.pop(live_code_id).held
        if self._held > self._most_held:
            but.plans.clear()
            self._held -= but.held - but.own
            but.held = but.own

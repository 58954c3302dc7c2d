"""A hypothesis state machine drives visitors, swaps, expiries, headcounts, stuck reports and restarts at random, beside
a model of what each visitor may expect: the books must balance, and nobody is moved without a reason."""

from collections.abc import Callable
from datetime import timedelta

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from sqlalchemy.engine import Engine

from app.ledger import Ledger
from app.rules import routing
from app.rules.model import Outcome
from app.scan.answer import Answer, Refused
from tests.ledger.books import Books, Held
from tests.ledger.world import World

SHOWN = (Outcome.ASSIGNED, Outcome.RETURNING)
VISITORS = 12


class Machine(RuleBasedStateMachine):
    """Subclassed with `start`, which begins a world on the engine under test and can restart its ledger."""

    start: Callable[[], World]
    restart: Callable[[World], Ledger]

    members = Bundle("members")

    def __init__(self) -> None:
        super().__init__()
        self.world = type(self).start()
        self.code = self.world.live_code(mode="round_robin")
        self.visitors = [self.world.visitor() for _ in range(VISITORS)]
        self.holds: dict[str, int] = {}
        self.moved_for: dict[str, str] = {}
        self.limits: dict[int, int] = {}
        self.refused: dict[str, set[int]] = {}

    @rule(target=members, capacity=st.integers(1, 4), weight=st.integers(1, 3), reserve=st.booleans())
    def add(self, capacity: int, weight: int, reserve: bool) -> int:
        state = "reserve" if reserve else "active"
        member = self.world.member(self.code, capacity=capacity, weight=weight, state=state)
        self.limits[member] = capacity
        return member

    @rule(who=st.integers(0, VISITORS - 1))
    def scan(self, who: int) -> None:
        visitor = self.visitors[who]
        self._judge(visitor, self.world.scan(self.code, visitor))

    @rule(who=st.integers(0, VISITORS - 1))
    def press(self, who: int) -> None:
        assert self.world.press(self.code, self.visitors[who]) == (self.visitors[who] in self.holds)

    @rule(who=st.integers(0, VISITORS - 1))
    def stuck(self, who: int) -> None:
        visitor = self.visitors[who]
        held = self.holds.get(visitor)
        answer = self.world.stuck(self.code, visitor)
        if isinstance(answer, Refused):
            assert held is not None
            return
        if held is not None:
            self.refused.setdefault(visitor, set()).add(held)
            del self.holds[visitor]
        self._judge(visitor, answer)

    @rule(member=members, state=st.sampled_from(["active", "disabled", "reserve"]))
    def set_state(self, member: int, state: str) -> None:
        self.world.edit_member(member, state=state)

    @rule(member=members, new_group=st.booleans())
    def swap(self, member: int, new_group: bool) -> None:
        self.world.swap(member, new_group=new_group)

    @rule(member=members)
    def roll_back_to_the_first(self, member: int) -> None:
        self.world.rollback(member, 1)

    @rule(member=members, count=st.integers(0, 5))
    def headcount(self, member: int, count: int) -> None:
        self.world.headcount(member, count)

    @rule(member=members)
    def expire(self, member: int) -> None:
        self.world.edit_member(member, expires_at=self.world.now)

    @rule(member=members)
    def trust(self, member: int) -> None:
        self.world.trust(member)

    @rule(member=members, capacity=st.integers(1, 4))
    def resize(self, member: int, capacity: int) -> None:
        self.world.edit_member(member, capacity=capacity)
        self.limits[member] = capacity

    @rule(hours=st.sampled_from([1, 13, 49]))
    def wait(self, hours: int) -> None:
        self.world.later(hours=hours)

    @rule(member=members)
    def pin(self, member: int) -> None:
        self.world.pin(self.code, member)

    @rule()
    def worker_restarts(self) -> None:
        self.world.ledger.close()
        ledger = type(self).restart(self.world)
        world = World(self.world.engine, ledger, self.world.books)
        world.now, world.erased, world.members = self.world.now, self.world.erased, self.world.members
        self.world = world

    @rule(who=st.integers(0, VISITORS - 1))
    def erase(self, who: int) -> None:
        """The count stays, so the books are checked without this member from here on."""
        visitor = self.visitors[who]
        row = self._row(visitor)
        self.world.ledger.erase(visitor)
        self.holds.pop(visitor, None)
        self.refused.pop(visitor, None)
        if row is not None and row.counted:
            erased = self.world.erased
            erased[(row.member_id, row.counted_from)] = erased.get((row.member_id, row.counted_from), 0) + 1

    def _judge(self, visitor: str, answer: Answer | Refused) -> None:
        assert isinstance(answer, Answer) and not answer.provisional
        decision, held = answer.decision, self.holds.get(visitor)
        snapshot = self.world.snapshot(self.code)
        if decision.outcome is Outcome.RETURNING:
            assert decision.member is not None and decision.member.id == held
            assert decision.member.version == snapshot.member(held).version  # type: ignore[union-attr]
        elif decision.outcome is Outcome.ASSIGNED:
            assert decision.member is not None
            assert decision.member.id not in self.refused.get(visitor, set())
            if held is not None:
                self._had_a_reason(visitor, held)
            self.holds[visitor] = decision.member.id
        else:
            assert decision.outcome in (Outcome.FULL, Outcome.UNAVAILABLE, Outcome.HELD)
            if decision.outcome is Outcome.HELD:
                assert held is not None

    def _had_a_reason(self, visitor: str, held: int) -> None:
        """Given another seat: theirs was closed (state, date, another group), or had lapsed and found no room."""
        before = self.before.get(visitor)
        member = self.world.snapshot(self.code).member(held)
        assert before is not None and member is not None
        closed = not routing.is_usable(member, self.world.now) or member.generation != before.generation
        lapsed = before.lapsed or before.counted_at < self.world.now - timedelta(hours=48)
        assert closed or lapsed

    def _row(self, visitor: str) -> Held | None:
        return self.world.held(visitor)

    @invariant()
    def seats_are_as_the_visitors_were_told(self) -> None:
        self.before = {seat.visitor: seat for seat in self.world.books.seats() if seat.visitor in self.visitors}
        assert {v: row.member_id for v, row in self.before.items()} == self.holds

    @invariant()
    def counts_balance(self) -> None:
        self.world.check_books()

    @invariant()
    def no_count_grew_over_its_limit(self) -> None:
        snapshot = self.world.snapshot(self.code)
        for member_id, count in self.world.counts(self.code).items():
            member = snapshot.member(member_id)
            assert member is not None and count.counted >= 0
            before = self.seen.get((member_id, member.counted_from), 0)
            limit = max(0, self.limits[member_id] - member.headcount)
            assert count.counted <= max(limit, before)
            self.seen[(member_id, member.counted_from)] = count.counted

    seen: dict[tuple[int, int], int]

    def teardown(self) -> None:
        self.world.check_books()
        self.world.ledger.close()


def test_random_days_of_a_live_code(engine: Engine, make_ledger: Callable[[], Ledger], books: Books) -> None:
    class OnThisEngine(Machine):
        def __init__(self) -> None:
            self.seen = {}
            self.before: dict[str, Held] = {}
            super().__init__()

        start = staticmethod(lambda: World(engine, make_ledger(), books))
        restart = staticmethod(lambda world: make_ledger())

    run_state_machine_as_test(
        OnThisEngine,
        settings=settings(
            max_examples=25,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.explicit, Phase.generate],
        ),
    )

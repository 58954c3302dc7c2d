"""A small world for ledger tests: a store, live codes in it, a clock that only moves when told, visitors by name."""

import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

from app.codes import changes, members, placements, store, versions
from app.codes.models import LiveCode, Member
from app.codes.snapshot import Snapshots
from app.db.session import writing
from app.ledger import Ledger
from app.rules.model import Count, Outcome, Snapshot
from app.rules.regions import Place
from app.scan.answer import Answer, Refused, Scanner
from app.scan.attempt import count_keys
from app.scan.decide import Decider
from tests import make
from tests.ledger.books import Books, Held, SqlBooks

_names = itertools.count(1)


class World:
    def __init__(
        self, engine: Engine, ledger: Ledger, books: Books | None = None, roll: Callable[[], float] = lambda: 0.0
    ) -> None:
        self.engine, self.ledger = engine, ledger
        self.books = books or SqlBooks(engine, Path("/nowhere"))
        self.now = make.NOW
        self.snapshots = Snapshots(engine, make.ZONE)
        self.decider = Decider(self.snapshots, ledger, clock=lambda: self.now, roll=roll)
        self.asker = make.asker()
        self.members: set[int] = set()
        self.erased: dict[tuple[int, int], int] = {}  # counts that stay without a seat behind them

    @contextmanager
    def editing(self, **options: Any) -> Iterator[Session]:
        """A change as the panel makes it: committed, then told to the ledger."""
        with Session(self.engine, **options) as session:
            with writing(session):
                yield session
            for live_code_id, version in changes.bumped(session).items():
                self.ledger.publish(live_code_id, version)

    # changes an admin makes

    def live_code(self, **more: Any) -> LiveCode:
        with self.editing(expire_on_commit=False) as session:
            owner = make.user_row(session) if "owner_id" not in more else None
            return make.live_code_row(session, owner, slug=f"w{next(_names):06d}", **more)

    def member(self, code: LiveCode, **more: Any) -> int:
        with self.editing() as session:
            identity: int = make.member_row(session, code, **more).id
            changes.bump(session, code.id)
            self.members.add(identity)
            return identity

    def choice(self, code: LiveCode, **more: Any) -> int:
        with self.editing() as session:
            identity: int = make.choice_row(session, code, **more).id
            changes.bump(session, code.id)
            return identity

    def placement(self, code: LiveCode, **values: Any) -> None:
        with Session(self.engine) as session, writing(session):
            done = placements.add_placement(session, self.asker, code.id, {"name": "shop"} | values)
            assert not isinstance(done, changes.Refused), done

    def edit(self, code: LiveCode, **values: Any) -> None:
        with self.editing() as session:
            session.execute(sa.update(LiveCode).where(LiveCode.id == code.id).values(values))
            changes.bump(session, code.id)

    def edit_member(self, member_id: int, **values: Any) -> None:
        """State, capacity, windows …; `expires_at` as PATCH sets it."""
        with self.editing() as session:
            done = members.update_member(session, self.asker, member_id, values, now=self.now)
            assert isinstance(done, Member), done

    def swap(self, member_id: int, *, new_group: bool = False, **values: Any) -> None:
        with self.editing() as session:
            values = {"new_group": new_group, **values}
            done = versions.swap(session, self.asker, member_id, make.bound(), values, now=self.now)
            assert not isinstance(done, changes.Refused), done

    def rollback(self, member_id: int, number: int) -> None:
        with self.editing() as session:
            assert isinstance(versions.rollback(session, self.asker, member_id, number), Member)

    def headcount(self, member_id: int, count: int) -> None:
        with self.editing() as session:
            done = versions.take_headcount(session, self.asker, member_id, count, now=self.now)
            assert isinstance(done, Member), done

    def trust(self, member_id: int) -> None:
        with self.editing() as session:
            assert isinstance(versions.trust(session, self.asker, member_id, now=self.now), Member)

    def pin(self, code: LiveCode, member_id: int) -> None:
        with self.editing() as session:
            assert isinstance(store.pin(session, self.asker, code.id, member_id), LiveCode)

    # what visitors do

    def visitor(self) -> str:
        return f"v{next(_names):021d}"

    def scanner(self, visitor: str, region: str | None = None, **more: Any) -> Scanner:
        place = Place(region, "address") if region else Place.UNKNOWN
        return Scanner(visitor=visitor, first=False, address_place=place, language="zh", **more)

    def scan(self, code: LiveCode, visitor: str | None = None, region: str | None = None, **more: Any) -> Answer:
        choice_id = more.pop("choice_id", None)
        return self.decider.scan(code.slug, self.scanner(visitor or self.visitor(), region, **more), choice_id)

    def shown(self, code: LiveCode, visitor: str | None = None, region: str | None = None) -> int | str:
        """The member assigned, or the outcome's word."""
        answer = self.scan(code, visitor, region)
        member = answer.decision.member
        if answer.decision.outcome is Outcome.ASSIGNED and member is not None:
            return member.id
        return answer.decision.outcome.value

    def crowd(self, code: LiveCode, number: int, region: str | None = None) -> list[int | str]:
        return [self.shown(code, region=region) for _ in range(number)]

    def choose(self, code: LiveCode, visitor: str, choice_id: int) -> Answer | Refused:
        return self.decider.choose(code.slug, self.scanner(visitor), choice_id)

    def press(self, code: LiveCode, visitor: str, choice_id: int | None = None) -> bool:
        return self.decider.press(code.slug, self.scanner(visitor), choice_id)

    def stuck(self, code: LiveCode, visitor: str, reason: str = "full") -> Answer | Refused:
        return self.decider.stuck(code.slug, self.scanner(visitor), reason)

    def later(self, **amount: float) -> None:
        self.now += timedelta(**amount)

    # what is known afterwards

    def snapshot(self, code: LiveCode) -> Snapshot:
        found = self.snapshots.reload(code.id)
        assert found is not None
        return found

    def counts(self, code: LiveCode) -> dict[int, Count]:
        found = self.snapshot(code)
        return dict(self.ledger.counts(count_keys(found, found.members, self.now)))

    def counted(self, code: LiveCode, member_id: int) -> int:
        return self.counts(code).get(member_id, Count()).counted

    def rows(self, statement: Any) -> Sequence[Any]:
        with self.engine.connect() as connection:
            return connection.execute(statement).all()

    def held(self, visitor: str) -> Held | None:
        """The one seat of this visitor."""
        found = [seat for seat in self.books.seats() if seat.visitor == visitor]
        assert len(found) <= 1
        return found[0] if found else None

    def check_books(self) -> None:
        """Every count equals the counted seats behind it: a seat is never counted twice, nor a count without a seat."""
        held = Counter((seat.member_id, seat.counted_from) for seat in self.books.seats() if seat.counted)
        held.update(self.erased)
        mine = {key: number for key, number in held.items() if key[0] in self.members}
        booked = self.books.counts()
        assert mine == {key: number for key, number in booked.items() if number and key[0] in self.members}

"""What needs somebody now, and in which order."""

import random
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from app.accounts.models import User
from app.codes.changes import Asker
from app.codes.models import Choice, LiveCode
from app.codes.needs import NeedsKept, needs, needs_among, suspicious
from app.db import writing
from app.ledger import Ledger, LedgerDown
from app.ledger.spool import Spool
from app.ledger.sql import SqlLedger
from tests import make
from tests.codes.conftest import fresh

NOW = make.NOW


@pytest.fixture
def ledger(engine: Engine, tmp_path: Path) -> Iterator[Ledger]:
    spool = Spool(tmp_path / "spool")
    ledger = SqlLedger(engine, spool, b"a secret")
    yield ledger
    ledger.close()
    spool.close()


@pytest.fixture
def found(session: Session, ledger: Ledger, asker: Asker) -> Any:
    return lambda now=NOW: [(need.why, need.member_id) for need in needs(fresh(session), ledger, asker, now, make.ZONE)]


def live_code(session: Session, owner: User, *members: dict[str, Any], **more: Any) -> list[int]:
    """A live code with these members; their ids."""
    with writing(session):
        code = make.live_code_row(session, owner, **more)
        return [make.member_row(session, code, **member).id for member in members]


def test_live_code_that_is_well_needs_nobody(session: Session, owner: User, found: Any) -> None:
    live_code(session, owner, {"capacity": 195, "headcount": 20, "expires_at": NOW + make.hours(49)})
    assert found() == []


def test_needs_come_in_order_of_urgency(session: Session, owner: User, found: Any) -> None:
    roomy = {"capacity": 500}
    soon, later, gone, ill, _ = live_code(
        session, owner,
        {"expires_at": NOW + make.hours(3)}, {"expires_at": NOW + make.hours(47)},
        {"expires_at": NOW - make.hours(1)}, {"suspect_at": NOW}, roomy,
    )  # fmt: skip
    assert found() == [("expired", gone), ("suspect", ill), ("expiring", soon), ("expiring", later)]


def test_code_without_anybody_open_is_the_most_urgent(session: Session, owner: User, found: Any) -> None:
    (gone,) = live_code(session, owner, {"expires_at": NOW})
    assert found() == [("nobody", None), ("expired", gone)]


def test_code_without_members_waits_for_some(session: Session, owner: User, found: Any) -> None:
    live_code(session, owner)
    assert found() == [("empty", None)]


def test_full_member_matters_when_the_live_code_runs_low(session: Session, owner: User, found: Any) -> None:
    full = {"capacity": 100, "headcount": 100}
    live_code(session, owner, full, {"capacity": 100})
    assert found() == []
    one, _ = live_code(session, owner, full, {"capacity": 100, "headcount": 65})
    assert found() == [("low", None), ("full", one)]


def test_member_without_a_limit_is_never_low(session: Session, owner: User, found: Any) -> None:
    live_code(session, owner, {"capacity": 100, "headcount": 100}, {"target": make.personal_url()})
    assert found() == []


def test_opening_times_and_daily_limits_count(session: Session, owner: User, found: Any) -> None:
    closed = {"windows": [{"days": [2], "from": "09:00", "to": "10:00"}]}
    live_code(session, owner, closed)
    assert found() == [("nobody", None)]
    assert found(NOW + timedelta(days=1) - make.hours(2.5)) == []


@pytest.mark.parametrize(
    "more", [{"state": "paused"}, {"state": "archived"}, {"ends_at": NOW}], ids=["paused", "archived", "ended"]
)
def test_what_does_not_run_needs_nobody(session: Session, owner: User, found: Any, more: dict[str, Any]) -> None:
    live_code(session, owner, {"expires_at": NOW - make.hours(1)}, **more)
    assert found() == []


@pytest.mark.parametrize("state", ["disabled", "archived"])
def test_member_that_is_off_needs_nobody(session: Session, owner: User, found: Any, state: str) -> None:
    live_code(session, owner, {"expires_at": NOW - make.hours(1), "state": state}, {})
    assert found() == []


@pytest.mark.parametrize(("left", "why"), [(-1, "expired"), (47, "expiring"), (49, None), (None, None)])
def test_reserve_whose_code_runs_out_is_told(
    session: Session, owner: User, found: Any, left: int | None, why: str | None
) -> None:
    expires_at = None if left is None else NOW + make.hours(left)
    reserve, _ = live_code(session, owner, {"expires_at": expires_at, "state": "reserve"}, {})
    assert found() == ([(why, reserve)] if why else [])


def test_fallback_that_expires_is_told_and_lends_no_room(session: Session, owner: User, found: Any) -> None:
    spare, _ = live_code(
        session, owner, {"is_fallback": True, "expires_at": NOW}, {"expires_at": NOW, "state": "disabled"}
    )
    assert found() == [("nobody", None), ("expired", spare)]


def test_others_see_their_own(session: Session, owner: User, ledger: Ledger) -> None:
    live_code(session, owner)
    with writing(session):
        stranger, admin = make.user_row(session), make.user_row(session, role="admin")
    assert needs(fresh(session), ledger, make.asker(stranger), NOW, make.ZONE) == []
    assert len(needs(fresh(session), ledger, make.asker(admin), NOW, make.ZONE)) == 1


def test_choices_are_looked_at_one_by_one(
    session: Session, owner: User, found: Any, ledger: Ledger, asker: Asker
) -> None:
    with writing(session):
        code = make.live_code_row(session, owner, kind="grouped")
        roomy, full, idle, gone = (make.choice_row(session, code).id for _ in range(4))
        make.member_row(session, code, choice_id=roomy, capacity=100)
        member = make.member_row(session, code, choice_id=full, capacity=5, headcount=5).id
        make.member_row(session, code, is_fallback=True)
        session.get_one(Choice, gone).state = "archived"
    told = needs(fresh(session), ledger, asker, NOW, make.ZONE)
    assert [(need.why, need.choice_id, need.member_id) for need in told] == [
        ("nobody", full, None),
        ("nobody", idle, None),
        ("full", None, member),
    ]


def test_nothing_that_needs_somebody_is_left_out_by_the_first_look(
    session: Session, owner: User, ledger: Ledger, asker: Asker
) -> None:
    """The quick sums in SQL may only leave out what the close look finds to be well."""
    times = (None, NOW - make.hours(1), NOW + make.hours(1), NOW + make.hours(100))
    rooms = ((None, None), (10, 0), (10, 7), (10, 9), (10, 10), (10, 12))
    window = [{"days": [2], "from": "09:00", "to": "10:00"}]
    states = ("active", "reserve", "disabled")
    roll = random.Random(7)
    with writing(session):
        for kind in ("simple", "grouped") * 40:
            code = make.live_code_row(session, owner, kind=kind)
            choices = [make.choice_row(session, code).id for _ in range(2)] if kind == "grouped" else [None]
            for choice_id in choices if roll.random() < 0.5 else ():
                make.member_row(session, code, choice_id=choice_id, capacity=roll.choice((None, 500)))
            for _ in range(roll.randrange(4)):
                limit, headcount = roll.choice(rooms)
                make.member_row(
                    session, code, choice_id=roll.choice(choices), capacity=limit, headcount=headcount,
                    expires_at=roll.choice(times), valid_from=roll.choice(times[:3]), state=roll.choice(states),
                    windows=roll.choice(([], [], window)), is_fallback=roll.random() < 0.2,
                    suspect_at=roll.choice((None, None, None, NOW)), daily_capacity=roll.choice((None, None, 3)),
                )  # fmt: skip
    everything = [row.id for row in fresh(session).query(LiveCode)]
    close = {need.live_code_id for need in needs_among(session, ledger, everything, NOW, make.ZONE)}
    quick = suspicious(fresh(session), asker, NOW)
    assert close <= quick
    assert close and len(quick) < len(everything)


class Counting:
    """A ledger that notes how often it was asked, and may be down."""

    def __init__(self) -> None:
        self.asked = 0
        self.is_down = False

    def counts(self, keys: Any) -> Any:
        self.asked += 1
        if self.is_down:
            raise LedgerDown("gone")
        return {}


def test_answer_is_kept_for_half_a_minute_and_until_something_changes(
    session: Session, owner: User, asker: Asker
) -> None:
    live_code(session, owner, {"expires_at": NOW})
    ledger, kept = Counting(), NeedsKept()

    def ask(seconds: int) -> int:
        at = NOW + timedelta(seconds=seconds)
        return len(kept.needs(fresh(session), ledger, asker, at, make.ZONE))  # type: ignore[arg-type]

    assert [ask(0), ask(10), ask(29)] == [2, 2, 2] and ledger.asked == 1
    ask(31)
    assert ledger.asked == 2
    with writing(session):
        code = session.query(LiveCode).one()
        code.state, code.version = "paused", code.version + 1
    assert ask(32) == 0


def test_needs_are_told_while_nobody_can_be_counted(session: Session, owner: User, asker: Asker) -> None:
    gone, _ = live_code(session, owner, {"expires_at": NOW}, {"capacity": 5})
    ledger = Counting()
    ledger.is_down = True
    told = needs(fresh(session), ledger, asker, NOW, make.ZONE)  # type: ignore[arg-type]
    assert [need.member_id for need in told] == [gone]

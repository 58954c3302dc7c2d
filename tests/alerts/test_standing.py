"""How many members are in which state, summed up in SQL: the same as asking the rules about each member."""

from collections import Counter
from datetime import datetime, timedelta
from itertools import product
from typing import Any

import pytest
import sqlalchemy as sa

from app.alerts.desk import DESK
from app.alerts.standing import members_by_status
from app.db import db, writing
from app.ledger.tables import member_counts, seats
from app.rules import capacity
from tests import make
from tests.alerts.conftest import LOCAL, NOW, World, real_now
from tests.scan.phone import WECHAT

A_SECOND = timedelta(seconds=1)


def standing(world: World, now: datetime = NOW) -> dict[str, int]:
    with world.app.app_context():
        return dict(members_by_status(db.session, world.desk.ledger, now))


def one_by_one(world: World, now: datetime = NOW) -> dict[str, int]:
    """The slow way: a snapshot of every live code, a rule for every member."""
    with world.app.app_context():
        found: Counter[str] = Counter()
        for surveyed in world.desk.survey.take(db.session, now):
            facts = surveyed.facts
            for member in facts.snapshot.members:
                found[capacity.status_of(member, facts.taken.get(member.id, 0), now)] += 1
        return dict(found)


def count(world: World, member: Any, counted: int) -> None:
    row = {"member_id": member.id, "counted_from": 1, "generation": 1, "counted": counted}
    with writing(world.session) as session:
        session.execute(sa.insert(member_counts).values(row))


def test_members_are_counted_by_state(world: World) -> None:
    code = world.live_code()
    world.member(code, expires_at=NOW)
    full, *_ = world.member(code, capacity=1), world.member(code), world.member(code)
    count(world, full, 1)
    assert standing(world) == {"expired": 1, "active": 2, "full": 1}


def test_every_moment_and_every_number_counts_as_the_rules_say(world: World) -> None:
    moments = (None, NOW - A_SECOND, NOW, NOW + A_SECOND)
    soon = NOW + capacity.EXPIRING_WITHIN
    with writing(world.session) as session:
        code = make.live_code_row(session, world.owner)
        for begins, ends in product(moments, (*moments, soon - A_SECOND, soon, soon + A_SECOND)):
            for suspect_at in (None, NOW):
                make.member_row(session, code, valid_from=begins, expires_at=ends, suspect_at=suspect_at)
        for state in ("reserve", "disabled", "archived"):
            make.member_row(session, code, state=state, expires_at=NOW - A_SECOND)
        for limit, headcount, counted in product((1, 5, 25, 200), (None, 3, 170), (0, 1, 19, 30, 196)):
            row = make.member_row(session, code, capacity=limit, headcount=headcount)
            there = {"member_id": row.id, "counted_from": 1, "generation": 1, "counted": counted}
            session.execute(sa.insert(member_counts).values(there))
        full = make.member_row(session, code, capacity=10, headcount=10, is_fallback=True)
    found = standing(world)
    assert found == one_by_one(world)
    assert set(found) >= {"not_yet", "expired", "suspect", "full", "expiring", "filling", "active", "reserve"}
    assert sum(found.values()) == 4 * 7 * 2 + 3 + 4 * 3 * 5 + 1, f"{full.id} is a fallback, and never full"


def test_what_does_not_run_is_not_counted(world: World) -> None:
    for more in ({"state": "paused"}, {"state": "archived"}, {"ends_at": NOW}, {"ends_at": NOW - A_SECOND}):
        world.member(world.live_code(**more))
    world.member(world.live_code(ends_at=NOW + A_SECOND))
    assert standing(world) == {"active": 1} == one_by_one(world)


def test_a_seat_that_lapses_makes_room_again(world: World) -> None:
    code = world.live_code(unpressed_seat_hours=48)
    member = world.member(code, capacity=1)
    long_ago = NOW - timedelta(hours=49)
    seat = {
        "scope": f"lc:{code.id}", "visitor": "v" * 32, "live_code_id": code.id, "member_id": member.id,
        "taken_at": long_ago, "counted_at": long_ago, "counted": True,
    }  # fmt: skip
    with writing(world.session) as session:
        session.execute(sa.insert(seats).values(seat))
        there = {"member_id": member.id, "counted_from": 1, "generation": 1, "counted": 1}
        session.execute(sa.insert(member_counts).values(there | {"oldest_unpressed_at": long_ago}))
    assert standing(world, long_ago + A_SECOND) == {"full": 1}
    assert standing(world) == {"active": 1}


@pytest.mark.parametrize("members", [1, 40])
def test_no_more_is_asked_for_more_live_codes(world: World, members: int) -> None:
    for _ in range(members):
        world.member(world.live_code())
    said: list[str] = []
    with world.app.app_context():
        sa.event.listen(db.engine, "before_cursor_execute", lambda *call: said.append(call[2]))
        assert members_by_status(db.session, world.desk.ledger, NOW) == {"active": members}
    assert sum(statement.startswith("SELECT") for statement in said) == 1


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_seats_in_redis_count_before_they_are_in_sql(make_app: Any, redis_url: str, world: World) -> None:
    world.app = make_app(alert_networks=LOCAL, redis_url=redis_url)
    world.desk = world.app.extensions[DESK]
    code = world.live_code()
    world.member(code, capacity=1)
    headers = {"User-Agent": WECHAT, "Accept": "application/json"}
    assert world.app.test_client().get(f"/s/{code.slug}", headers=headers).json["outcome"] == "assigned"
    assert world.session.scalar(sa.select(sa.func.count()).select_from(member_counts)) == 0
    assert standing(world, real_now()) == {"full": 1}

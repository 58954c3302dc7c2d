"""Members that fill up or expire are told once each, though nobody is there when it happens."""

from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.codes.models import LiveCode, Member, MemberGeneration, MemberVersion
from app.db import writing
from tests import make
from tests.webhooks.conftest import World


def change(world: World, table: Any, member_id: int, **values: Any) -> None:
    column = Member.id if table is Member else table.member_id
    with Session(world.engine) as session, writing(session):
        session.execute(sa.update(table).where(column == member_id).values(**values))
        session.execute(sa.update(LiveCode).values(version=LiveCode.version + 1))


def look(world: World, **later: float) -> int:
    world.now = max(world.now, datetime.now().astimezone()) + timedelta(**later)
    return world.sender().look()


def fill(world: World, count: int) -> None:
    change(world, MemberGeneration, world.member, headcount=count, headcount_at=world.now)


def test_a_member_that_fills_up_is_told_once(world: World) -> None:
    change(world, Member, world.member, capacity=100)
    world.endpoint()
    assert look(world) == 0
    fill(world, 100)
    assert look(world) == 1
    assert look(world) == 0
    world.send()
    [told] = world.heard()
    assert (told["type"], told["member"]["id"], told["occupied"], told["capacity"]) == (
        "member.full", world.member, 100, 100,
    )  # fmt: skip


def test_one_place_that_gets_free_and_is_taken_again_is_no_news_but_a_tenth_is(world: World) -> None:
    change(world, Member, world.member, capacity=100)
    world.endpoint()
    look(world)
    told = []
    for count in (100, 99, 100, 89, 100):
        fill(world, count)
        told.append(look(world))
    assert told == [1, 0, 0, 0, 1]


def test_a_version_that_expires_is_told_once_with_the_time_it_did(world: World) -> None:
    expires = datetime.now().astimezone().replace(microsecond=0) + timedelta(hours=1)
    change(world, MemberVersion, world.member, expires_at=expires)
    world.endpoint()
    assert look(world) == 0
    assert look(world, hours=2) == 1
    assert look(world, hours=2) == 0
    world.send()
    [told] = world.heard()
    assert told["type"] == "member.expired"
    assert datetime.fromisoformat(told["at"]) == expires


def test_what_was_so_before_an_endpoint_was_made_is_not_told(world: World) -> None:
    change(world, Member, world.member, capacity=10)
    fill(world, 10)
    world.endpoint()
    assert look(world) == 0
    assert look(world) == 0


def test_two_endpoints_are_told_and_others_members_are_not(world: World) -> None:
    change(world, Member, world.member, capacity=10)
    for owner in (world.bob, world.bob, world.carl):
        world.endpoint(owner)
    world.endpoint(events=["press"])
    assert look(world) == 0
    fill(world, 10)
    assert look(world) == 2


def test_nobody_who_wants_to_know_means_nothing_is_looked_at(world: World) -> None:
    world.endpoint(events=["press"])

    def standing(*_: Any) -> Any:
        raise AssertionError("nobody asked")

    sender = world.sender()
    sender._standing = standing
    assert sender.look() == 0
    assert make.NOW.tzinfo is not None

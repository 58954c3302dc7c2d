"""What a message says, and to whom it is still said when its time has come."""

import sqlalchemy as sa

from app.accounts.models import User
from app.codes.models import LiveCodeShare
from app.db import writing
from tests import make
from tests.alerts.conftest import NOW, World, expiring, later


def test_who_was_switched_off_by_night_is_told_nothing_in_the_morning(world: World) -> None:
    with writing(world.session):
        boss, friend = make.user_row(world.session), make.user_row(world.session)
    world.channel(boss, path="boss", quiet_from=22 * 60, quiet_until=8 * 60)
    world.channel(friend, path="friend", quiet_from=22 * 60, quiet_until=8 * 60)
    member = expiring(world, 48 + 11, owner_id=boss.id)
    shared = {"live_code_id": member.live_code_id, "user_id": friend.id, "level": "edit", "created_at": NOW}
    with writing(world.session):
        world.session.execute(sa.insert(LiveCodeShare).values(shared))
    world.round(later(hours=11))
    with writing(world.session):
        world.session.execute(sa.update(User).where(User.id == boss.id).values(is_active=False))
        world.session.execute(sa.delete(LiveCodeShare))
    world.round(later(hours=20))
    assert world.heard() == []
    assert [message.state for message in world.messages()] == ["dropped", "dropped"]


def test_a_digest_says_in_the_log_what_it_told(world: World) -> None:
    world.channel(digest_at=8 * 60 + 30, lowest_level=2)
    expiring(world, 40)
    world.round(later(hours=20))
    world.round(later(hours=21))
    assert [message.alert_ids for message in world.messages()] == [[alert.id for alert in world.alerts()][:1]]


def test_a_webhook_is_given_the_owner_s_link_as_a_field(world: World) -> None:
    world.channel()
    expiring(world, 10)
    world.round()
    (alert,) = world.hook.heard[0].sent["alerts"]
    assert "/swap/" in alert["owner_url"] and alert["owner_url"] in world.hook.heard[0].sent["text"]


def test_what_a_long_message_leaves_out_has_its_page(world: World) -> None:
    world.channel()
    code = world.live_code()
    for _ in range(8):
        world.member(code, capacity=10, headcount=9)
    world.round()
    assert f"and 2 more: {world.desk.public_url}/alerts" in world.hook.heard[0].sent["text"]

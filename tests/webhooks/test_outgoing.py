"""What happens at posters becomes messages, in the transaction that records it."""

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.accounts.models import User
from app.db import writing
from app.db.audit import Actor
from app.people.erase import Eraser
from app.people.models import TagRule
from app.people.tag_store import make_tag
from app.pipeline.fold import fold
from app.pipeline.models import events as events_table
from app.rules.tagging import AT_LEAST
from app.webhooks import outgoing
from tests import make
from tests.happen import event, transaction
from tests.webhooks.conftest import World


def test_a_choice_is_told_as_seat_choice_and_tag(world: World) -> None:
    world.endpoint()
    world.happened(event("choose", visitor="ann", outcome="assigned", member_id=world.member, member_version=1,
                         choice_id=9, tag="母婴", placement="门口"))  # fmt: skip
    assert world.send() == 3
    told = {message["type"]: message for message in world.heard()}
    assert set(told) == {"seat.taken", "choice.made", "visitor.tagged"}
    seat = told["seat.taken"]
    assert seat["live_code"]["id"] == 1 and seat["live_code"]["name"] == "海报"
    assert seat["member"] == {"id": world.member, "version": 1}
    assert seat["placement"] == "门口"
    assert seat["at"] == "2026-11-02T04:00:00.000Z"
    assert told["choice.made"]["choice"] == {"id": 9}
    assert told["visitor.tagged"]["tag"] == {"name": "母婴", "category": "behaviour"}
    [visitor] = world.bob.answer("/visitors")["items"]
    assert {message["visitor"]["id"] for message in told.values()} == {visitor["id"]}
    assert len({message["id"] for message in told.values()}) == 3


@pytest.mark.parametrize(
    ("type", "more", "told"),
    [
        ("scan", {"outcome": "assigned"}, ["seat.taken"]),
        ("reroute", {"outcome": "assigned"}, ["seat.taken"]),
        ("scan", {"outcome": "returning"}, []),
        ("scan", {"outcome": "preview", "member_id": None}, []),
        ("scan", {"outcome": "full", "member_id": None}, []),
        ("press", {}, ["press"]),
        ("stuck", {}, []),
        ("release", {}, []),
    ],
)
def test_only_what_it_says_is_told(world: World, type: str, more: dict[str, object], told: list[str]) -> None:
    world.endpoint()
    world.happened(event(type, **more))
    assert [message.type for message in world.messages()] == told


def test_the_same_event_folded_twice_is_one_message(world: World) -> None:
    world.endpoint()
    once = event()
    world.happened(once)
    world.happened(once, event(id=once.id))
    assert len(world.messages()) == 1


def test_events_roll_back_together_with_their_messages(world: World) -> None:
    world.endpoint()
    with pytest.raises(RuntimeError), transaction(world.engine) as connection:
        fold(connection, [event()], world.app.extensions["huozi"].drainer.audience)
        raise RuntimeError
    with world.engine.connect() as connection:
        assert connection.execute(sa.select(events_table)).first() is None
    assert world.messages() == []


def test_an_endpoint_hears_of_its_owner_s_live_codes_alone(world: World) -> None:
    bob, carl = world.endpoint(world.bob), world.endpoint(world.carl)
    admin = world.endpoint(world.alice, covers_all=True)
    world.happened(event(live_code_id=1), event(live_code_id=2))
    heard = [(message.endpoint_id, message.live_code_id) for message in world.messages()]
    assert sorted(heard) == sorted([(bob["id"], 1), (carl["id"], 2), (admin["id"], 1), (admin["id"], 2)])


def test_an_admin_who_is_none_any_more_hears_of_their_own_alone(world: World) -> None:
    world.endpoint(world.alice, covers_all=True)
    with Session(world.engine) as session, writing(session):
        session.get_one(User, world.alice.id).role = "marketer"
    world.happened(event())
    assert world.messages() == []


def test_only_events_that_were_chosen_are_told_and_only_while_switched_on(world: World) -> None:
    world.endpoint(events=["press"])
    world.endpoint(is_active=False)
    world.happened(event(), event("press"))
    assert [message.type for message in world.messages()] == ["press"]


def test_a_visitor_nobody_knows_is_null(world: World) -> None:
    world.endpoint()
    world.happened(event("press", visitor=None))
    world.send()
    assert world.heard()[0]["visitor"] is None


def test_a_swap_is_told_and_a_rollback_too(world: World) -> None:
    world.endpoint()
    swapped = world.bob.call("POST", f"/members/{world.member}/swap", json={"target_url": make.group_url()})
    assert swapped.status_code == 200, swapped.text
    rolled = world.bob.call("POST", f"/members/{world.member}/rollback", json={"version": 1})
    assert rolled.status_code == 200, rolled.text
    world.send()
    first, second = sorted(world.heard(), key=lambda message: message["how"], reverse=True)
    assert (first["type"], first["how"], first["member"]["version"], first["was_version"]) == (
        "member.swapped", "swapped", 2, 1,
    )  # fmt: skip
    assert (second["how"], second["member"], second["was_version"]) == (
        "rolled_back", {"id": world.member, "version": 1}, 2,
    )  # fmt: skip
    assert first["new_group"] is False


def test_a_swap_that_is_refused_tells_nobody(world: World) -> None:
    world.endpoint()
    refused = world.carl.call("POST", f"/members/{world.member}/swap", json={"target_url": make.group_url()})
    assert refused.status_code == 404
    assert world.messages() == []


def test_a_tag_given_by_hand_is_told_once(world: World) -> None:
    world.endpoint(events=["visitor.tagged"])
    world.happened(event(visitor="ann"))
    [visitor] = world.bob.answer("/visitors")["items"]
    for _ in range(2):
        given = world.bob.call("POST", f"/visitors/{visitor['id']}/tags", json={"tag": "重点"})
        assert given.status_code == 200, given.text
    world.send()
    [told] = world.heard()
    assert (told["type"], told["visitor"], told["live_code"]["id"]) == ("visitor.tagged", {"id": visitor["id"]}, 1)
    assert told["tag"]["name"] == "重点"


def test_a_tag_given_by_a_rule_is_told_once(world: World) -> None:
    world.endpoint(events=["visitor.tagged"])
    with Session(world.engine) as session, writing(session):
        tag = make_tag(session, "来过", "behaviour")
        conditions = [{"fact": "scans", "comparison": AT_LEAST, "number": 2}]
        session.add(TagRule(owner_id=world.bob.id, name="来过", tag_id=tag, live_code_id=None, conditions=conditions,
                            keeps=True, state="active", swept_to=None))  # fmt: skip
    for _ in range(3):
        world.happened(event(visitor="ann", outcome="returning"))
    world.send()
    [told] = world.heard()
    assert told["tag"] == {"name": "来过", "category": "behaviour"}


def test_erasing_a_person_takes_their_messages_with_it(world: World) -> None:
    world.endpoint()
    world.endpoint(world.carl)
    world.happened(event(visitor="ann"), event(visitor="bea"), event(visitor="ann", live_code_id=2))
    eraser = Eraser(b"x" * 32, lambda _visitor, _codes: None, (outgoing.forget,))
    with Session(world.engine) as session:
        eraser.erase(session, Actor("test"), "ann", [1])
        assert sorted(message.live_code_id or 0 for message in world.messages()) == [1, 2]
        eraser.erase(session, Actor("test"), "ann")
    assert [message.live_code_id for message in world.messages()] == [1]


def test_erasing_by_the_application_reaches_messages(world: World) -> None:
    world.endpoint()
    world.happened(event(visitor="ann"))
    [visitor] = world.bob.answer("/visitors")["items"]
    assert world.alice.call("DELETE", f"/visitors/{visitor['id']}").status_code == 204
    assert world.messages() == []


def test_messages_of_two_who_turned_out_to_be_one_go_together(world: World) -> None:
    world.endpoint()
    world.happened(event(visitor="ann"), event(visitor="bea"))
    ids = [visitor["id"] for visitor in world.alice.answer("/visitors")["items"]]
    for visitor in ids:
        called = world.alice.call(
            "POST", f"/visitors/{visitor}/external-ids", json={"kind": "openid", "value": "o-one"}
        )
        assert called.status_code == 200, called.text
    [one] = world.alice.answer("/visitors")["items"]
    assert len(world.messages()) == 2
    assert world.alice.call("DELETE", f"/visitors/{one['id']}").status_code == 204
    assert world.messages() == []

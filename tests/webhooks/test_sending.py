"""Messages leave until they are taken: signed, tried again, given up, by as many processes as there are."""

import hashlib
import hmac
import threading
import time
from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.db import writing
from app.rules.webhooks import GIVEN_UP_AFTER, MOST_TRIES
from app.webhooks.models import WebhookDelivery
from app.webhooks.sending import CLAIMED_FOR, KEPT_FOR, forget_old
from tests.happen import event, transaction
from tests.webhooks.conftest import World


def verify(secret: str, header: str, body: bytes) -> int:
    """The signature's time; as docs/webhooks.md says a receiver should."""
    parts = dict(part.split("=", 1) for part in header.split(","))
    mark = hmac.new(secret.encode(), f"{parts['t']}.".encode() + body, hashlib.sha256).hexdigest()
    assert hmac.compare_digest(mark, parts["v1"])
    return int(parts["t"])


def test_a_message_is_signed_over_its_time_and_body(world: World) -> None:
    endpoint = world.endpoint()
    world.happened(event())
    assert world.send() == 1
    [heard] = world.receiver.heard
    assert verify(endpoint["secret"], heard.headers["x-huozi-signature"], heard.body) == int(world.now.timestamp())
    assert heard.headers["x-huozi-event"] == "seat.taken"
    assert heard.headers["x-huozi-id"] == heard.sent["id"]
    [message] = world.messages()
    assert (message.state, message.status, message.tries, message.problem) == ("sent", 200, 1, "")


def test_nobody_listening_costs_one_look(world: World) -> None:
    assert world.send() is None
    world.endpoint()
    assert world.send() == 0


def test_a_refused_message_comes_again_later_under_the_same_id(world: World) -> None:
    world.endpoint()
    world.receiver.answers += [(500, b"", {}), (503, b"", {})]
    world.happened(event())
    assert world.send() == 1
    assert world.send() == 0  # not due yet
    assert world.send(seconds=31) == 1
    assert world.send(seconds=31) == 0  # the second pause is longer
    assert world.send(seconds=31) == 1
    bodies = {heard.body for heard in world.receiver.heard}
    assert (len(world.receiver.heard), len(bodies)) == (3, 1)
    [message] = world.messages()
    assert (message.state, message.tries, message.status) == ("sent", 3, 200)


def test_a_redirect_is_a_failure_and_not_followed(world: World) -> None:
    world.endpoint()
    world.receiver.answers.append((302, b"", {"Location": f"http://127.0.0.1:{world.receiver.port}/else"}))
    world.happened(event())
    world.send()
    assert [heard.path for heard in world.receiver.heard] == ["/hook"]
    assert (world.messages()[0].status, world.messages()[0].problem) == (302, "redirect")


def test_after_the_twelfth_try_a_message_is_given_up_and_the_others_go_on(world: World) -> None:
    world.endpoint()
    world.receiver.answers += [(500, b"", {})] * MOST_TRIES
    world.happened(event())
    for _ in range(MOST_TRIES):
        world.send(hours=6)
    assert world.messages()[0].state == "gave_up"
    world.happened(event())
    world.send(hours=1)
    assert [message.state for message in world.messages()] == ["gave_up", "sent"]


def test_of_an_endpoint_that_fails_one_message_is_tried_at_a_time(world: World) -> None:
    endpoint = world.endpoint()
    world.receiver.answers += [(500, b"", {})] * 6
    world.happened(*(event() for _ in range(5)))
    assert world.send() == 5
    assert world.row(endpoint["id"]).failing_since is not None
    assert world.send(minutes=5) == 1
    assert world.send() == 0
    assert world.send(minutes=5) == 1  # this one is taken …
    assert world.row(endpoint["id"]).failing_since is None
    assert world.send() == 4  # … and the rest follows at once
    assert {message.state for message in world.messages()} == {"sent"}


def test_one_endpoint_that_fails_holds_up_no_other(world: World) -> None:
    world.endpoint(url="http://127.0.0.1:9/")
    world.endpoint()
    world.happened(*(event() for _ in range(3)))
    assert world.send() == 6
    assert len(world.receiver.heard) == 3


def test_after_three_days_it_is_switched_off_and_its_owner_told_once(world: World) -> None:
    endpoint = world.endpoint()
    world.receiver.answers += [(500, b"", {})] * 9
    world.happened(event(), event())
    world.send()
    world.send(hours=1)
    assert world.switched == []
    world.send(seconds=GIVEN_UP_AFTER.total_seconds())
    assert [(off.endpoint_id, off.owner_id) for off in world.switched] == [(endpoint["id"], world.bob.id)]
    row = world.row(endpoint["id"])
    assert (row.is_active, row.disabled_at is not None) == (False, True)
    assert {(message.state, message.problem) for message in world.messages()} == {("gave_up", "switched_off")}
    world.happened(event())
    assert (world.send(hours=1), len(world.messages()), len(world.switched)) == (None, 2, 1)
    told = world.bob.answer(f"/webhooks/{endpoint['id']}")
    assert (told["is_active"], told["disabled_at"] is not None) == (False, True)


def test_the_owner_is_told_by_the_ways_they_are_told_of_alerts(world: World) -> None:
    from app.alerts import deliveries
    from app.alerts.models import AlertChannel, Delivery
    from app.outside.notify import Target

    key = world.app.extensions["huozi"].settings.secret_key
    target = Target("webhook", f"http://127.0.0.1:{world.receiver.port}/alerts")
    with Session(world.engine) as session, writing(session):
        for language in ("en", "zh"):
            sealed = deliveries.sealed(target, key)
            session.add(AlertChannel(owner_id=world.bob.id, name="x", kind="webhook", sealed=sealed, language=language))
    endpoint = world.endpoint(name="CRM")
    world.receiver.answers += [(500, b"", {})] * 2
    world.happened(event())
    world.send()
    house = world.app.extensions["huozi"]
    sender = house.sender
    later = world.now + GIVEN_UP_AFTER
    sender._clock = lambda: later
    assert sender.send_due() == 1
    texts = [heard.sent["title"] for heard in world.receiver.heard if heard.path == "/alerts"]
    assert "CRM" in texts[0] and "switched off" in texts[0] and len(texts) == 2
    assert texts[1] != texts[0]
    assert f"/webhooks/{endpoint['id']}" in world.receiver.heard[-1].sent["text"]
    with Session(world.engine) as session:
        assert [row.state for row in session.scalars(sa.select(Delivery))] == ["sent", "sent"]


def test_whoever_dies_with_a_message_in_hand_has_it_sent_by_the_next(world: World) -> None:
    world.endpoint()
    world.happened(event())
    with Session(world.engine) as session, writing(session):
        session.execute(sa.update(WebhookDelivery).values(claimed_until=world.messages()[0].created_at + CLAIMED_FOR))
    assert world.send() == 0
    assert world.send(seconds=CLAIMED_FOR.total_seconds()) == 1
    assert world.messages()[0].state == "sent"


def test_four_senders_at_once_send_each_message_once(world: World) -> None:
    world.endpoint()
    world.endpoint(path="/second")
    world.happened(*(event() for _ in range(60)))
    world.send()
    go = threading.Barrier(4)

    def send() -> None:
        sender = world.sender()
        go.wait(10)
        while sender.send_due():
            pass

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    ids = [(heard.path, heard.headers["x-huozi-id"]) for heard in world.receiver.heard]
    assert {message.problem for message in world.messages()} == {""}
    assert (len(ids), len(set(ids))) == (120, 120)
    assert {message.state for message in world.messages()} == {"sent"}


def test_a_secret_sealed_under_another_key_is_said_to_be_unreadable(world: World) -> None:
    world.endpoint()
    world.happened(event())
    sender = world.sender()
    sender._key = "another key of another installation"
    world.now += timedelta(days=365)
    assert sender.send_due() == 1
    assert (world.messages()[0].problem, world.receiver.heard) == ("unreadable", [])


def test_the_log_is_kept_for_thirty_days_and_what_waits_for_longer(world: World) -> None:
    world.endpoint()
    world.receiver.answers += [(200, b"", {}), (500, b"", {})]
    world.happened(event())
    world.send()
    world.happened(event())
    world.send()
    with Session(world.engine) as session, writing(session):
        old = world.messages()[0].created_at - KEPT_FOR
        session.execute(sa.update(WebhookDelivery).values(created_at=old))
    with transaction(world.engine) as connection:
        forget_old(connection)
    assert [message.state for message in world.messages()] == ["waiting"]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_pipeline_of_a_single_process_sends_by_itself(world: World) -> None:
    world.endpoint()
    background = world.app.extensions["huozi"].background
    background.ensure_running()
    try:
        world.happened(event())
        until = time.monotonic() + 30
        while not world.receiver.heard and time.monotonic() < until:
            time.sleep(0.05)
    finally:
        background.stop()
    assert [heard.headers["x-huozi-event"] for heard in world.receiver.heard] == ["seat.taken"]

from typing import Any

import pytest

from app.rules.webhooks import EVENTS
from app.webhooks.store import MOST_ENDPOINTS
from tests.happen import event
from tests.webhooks.conftest import World

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def test_the_secret_is_told_once(world: World) -> None:
    made = world.endpoint(name="CRM")
    assert made["secret"].startswith("whsec_")
    told = world.bob.answer(f"/webhooks/{made['id']}")
    assert "secret" not in told
    assert (told["name"], told["events"], told["is_active"]) == ("CRM", list(EVENTS), True)
    assert world.bob.answer("/webhooks")["items"] == [told]
    assert made["secret"] not in world.row(made["id"]).sealed


def test_a_new_secret_signs_what_is_sent_from_now_on(world: World) -> None:
    made = world.endpoint()
    renewed = world.bob.call("POST", f"/webhooks/{made['id']}/secret").json
    assert renewed is not None and renewed["secret"] != made["secret"]
    world.happened(event())
    world.send()
    from tests.webhooks.test_sending import verify

    heard = world.receiver.heard[0]
    verify(renewed["secret"], heard.headers["x-huozi-signature"], heard.body)


def test_others_webhooks_do_not_exist(world: World) -> None:
    made = world.endpoint()
    world.happened(event())
    [message] = world.messages()
    for who in (world.carl, world.alice):
        for method, path in [
            ("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/secret"), ("POST", "/test"), ("GET", "/messages"),
        ]:  # fmt: skip
            body: dict[str, Any] = {"json": {}} if method == "PATCH" else {}
            assert who.call(method, f"/webhooks/{made['id']}{path}", **body).status_code == 404, (method, path)
        assert who.call("POST", f"/webhooks/messages/{message.id}/resend").status_code == 404
        assert who.answer("/webhooks")["items"] == []


def test_a_change_names_what_it_changes_and_may_be_stale(world: World) -> None:
    made = world.endpoint()
    path = f"/webhooks/{made['id']}"
    changed = world.bob.call("PATCH", path, json={"events": ["press"]}, headers={"If-Match": f'"{made["version"]}"'})
    assert changed.status_code == 200, changed.text
    assert changed.json is not None
    assert (changed.json["events"], changed.json["url"], changed.headers["ETag"]) == (["press"], made["url"], '"2"')
    stale = world.bob.call("PATCH", path, json={"name": "x"}, headers={"If-Match": '"1"'})
    assert stale.status_code == 412


def test_deleting_takes_the_log_with_it(world: World) -> None:
    made = world.endpoint()
    world.happened(event())
    assert world.bob.call("DELETE", f"/webhooks/{made['id']}").status_code == 204
    assert world.messages() == []
    assert world.bob.call("GET", f"/webhooks/{made['id']}").status_code == 404


@on_sqlite
@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"url": "https://10.0.0.1/"}, "url"),
        ({"url": "http://8.8.8.8/"}, "url"),
        ({"url": "javascript:alert(1)"}, "url"),
        ({"url": ""}, "url"),
        ({"events": []}, "events"),
        ({"events": ["everything"]}, "events.0"),
        ({"events": "press"}, "events"),
        ({"covers_all": True}, "covers_all"),
        ({"nonsense": 1}, "nonsense"),
    ],
)
def test_what_cannot_be_is_refused_by_its_field(world: World, values: dict[str, Any], field: str) -> None:
    good = {"url": f"http://127.0.0.1:{world.receiver.port}/", "events": ["press"]}
    answer = world.bob.call("POST", "/webhooks", json=good | values)
    assert (answer.status_code, list((answer.json or {})["error"]["fields"])) == (422, [field])


@on_sqlite
def test_there_are_twenty_at_most(world: World) -> None:
    for _ in range(MOST_ENDPOINTS):
        world.endpoint()
    values = {"url": f"http://127.0.0.1:{world.receiver.port}/", "events": ["press"]}
    answer = world.bob.call("POST", "/webhooks", json=values)
    assert (answer.status_code, (answer.json or {})["error"]["code"]) == (409, "webhook_limit")


def test_a_test_is_a_message_like_any_other(world: World) -> None:
    made = world.endpoint(events=["press"])
    queued = world.bob.call("POST", f"/webhooks/{made['id']}/test")
    assert queued.status_code == 202
    world.send()
    [told] = world.heard()
    assert (told["type"], told["live_code"], told["visitor"]) == ("test", None, None)
    [message] = world.bob.answer(f"/webhooks/{made['id']}/messages")["items"]
    assert (message["state"], message["status"], message["event_id"]) == ("sent", 200, told["id"])


def test_the_log_comes_in_stretches_newest_first(world: World) -> None:
    made = world.endpoint(events=["press"])
    world.happened(*(event("press") for _ in range(5)))
    path = f"/webhooks/{made['id']}/messages"
    first = world.bob.answer(path, query_string={"per_page": 3})
    rest = world.bob.answer(path, query_string={"per_page": 3, "before": first["next_before"]})
    ids = [message["id"] for message in first["items"] + rest["items"]]
    assert (len(ids), ids, rest["next_before"]) == (5, sorted(ids, reverse=True), None)
    assert world.bob.answer(path, query_string={"state": "sent"})["items"] == []


def test_what_was_taken_can_be_sent_again_under_its_id(world: World) -> None:
    world.endpoint(events=["press"])
    world.happened(event("press"))
    world.send()
    [message] = world.messages()
    assert world.bob.call("POST", f"/webhooks/messages/{message.id}/resend").status_code == 202
    world.send()
    assert len({heard.headers["x-huozi-id"] for heard in world.receiver.heard}) == 1
    assert len({heard.body for heard in world.receiver.heard}) == 1


def test_switching_on_again_begins_with_a_clean_slate(world: World) -> None:
    made = world.endpoint()
    world.receiver.answers.append((500, b"", {}))
    world.happened(event())
    world.send()
    path = f"/webhooks/{made['id']}"
    world.bob.call("PATCH", path, json={"is_active": False})
    answer = world.bob.call("PATCH", path, json={"is_active": True}).json
    assert answer is not None and answer["failing_since"] is None

import re

import pytest
from flask.testing import FlaskClient

from tests.happen import event
from tests.panel import Somebody, logged_in, somebody
from tests.webhooks.conftest import World

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def browser(world: World, who: Somebody | None = None) -> FlaskClient:
    client = logged_in(world.app, who or world.bob)
    assert client.get("/webhooks?lang=en").status_code == 200
    return client


def made(world: World, **more: object) -> tuple[FlaskClient, str, str]:
    """A browser, the page of a fresh endpoint, and the secret that page showed."""
    client = browser(world)
    url = f"http://127.0.0.1:{world.receiver.port}/hook"
    page = client.post(
        "/webhooks/new", data={"url": url, "name": "CRM", "events": ["press", "seat.taken"], "is_active": "1", **more}
    )
    assert page.status_code == 200, page.text
    found = re.search(r"whsec_[\w-]+", page.text)
    assert found is not None
    assert page.headers["Cache-Control"] == "no-store"
    [endpoint] = world.bob.answer("/webhooks")["items"]
    return client, f"/webhooks/{endpoint['id']}", found[0]


def test_the_secret_is_on_the_page_that_made_it_and_on_no_other(world: World) -> None:
    client, page, secret = made(world)
    assert secret not in client.get(page).text
    assert "CRM" in client.get("/webhooks").text


def test_what_was_typed_stays_when_something_is_wrong(world: World) -> None:
    page = browser(world).post("/webhooks/new", data={"url": "https://192.168.0.9/x", "name": "CRM", "events": "press"})
    assert page.status_code == 422
    assert "https://192.168.0.9/x" in page.text and "private network" in page.text
    assert re.search(r'value="press" checked', page.text)


def test_without_an_event_nothing_is_made(world: World) -> None:
    page = browser(world).post("/webhooks/new", data={"url": "https://8.8.8.8/x"})
    assert page.status_code == 422
    assert world.bob.answer("/webhooks")["items"] == []


def test_settings_are_saved_and_switching_off_is_one_of_them(world: World) -> None:
    client, page, _ = made(world)
    url = f"http://127.0.0.1:{world.receiver.port}/other"
    assert client.post(page, data={"url": url, "name": "", "events": ["press"]}).status_code == 303
    [endpoint] = world.bob.answer("/webhooks")["items"]
    assert (endpoint["url"], endpoint["events"], endpoint["is_active"]) == (url, ["press"], False)
    wrong = client.post(page, data={"url": "nowhere", "events": ["press"]})
    assert wrong.status_code == 422 and "nowhere" in wrong.text


def test_a_marketer_gets_no_messages_of_everybody_s_codes_by_a_forged_field(world: World) -> None:
    made(world, covers_all="1")
    [endpoint] = world.bob.answer("/webhooks")["items"]
    assert endpoint["covers_all"] is False


def test_the_log_shows_status_and_sends_again(world: World) -> None:
    client, page, _ = made(world)
    world.receiver.answers.append((503, b"", {}))
    world.happened(event("press"))
    world.send()
    assert "HTTP 503" in client.get(page).text
    world.send(seconds=31)
    shown = client.get(page).text
    assert "HTTP 200" in shown and "2 tries" in shown
    again = re.search(r"/webhooks/messages/\d+/resend", shown)
    assert again is not None and client.post(again[0]).status_code == 303
    world.send()
    assert len(world.receiver.heard) == 3
    assert "HTTP 200" in client.get(f"{page}?state=sent").text
    assert "HTTP 200" not in client.get(f"{page}?state=gave_up&before=x").text


def test_a_test_is_put_in_line(world: World) -> None:
    client, page, _ = made(world)
    assert client.post(f"{page}/test").status_code == 303
    world.send()
    assert [told["type"] for told in world.heard()] == ["test"]


def test_a_new_secret_is_shown_once(world: World) -> None:
    client, page, secret = made(world)
    shown = client.post(f"{page}/secret")
    found = re.search(r"whsec_[\w-]+", shown.text)
    assert found is not None and found[0] != secret
    assert found[0] not in client.get(page).text


def test_others_webhooks_and_messages_are_404(world: World) -> None:
    _, page, _ = made(world)
    world.happened(event("press"))
    for who in (world.carl, world.alice):
        client = browser(world, who)
        assert client.get(page).status_code == 404
        for path in ("/secret", "/test", "/delete", ""):
            assert client.post(page + path, data={"url": "https://8.8.8.8/", "events": "press"}).status_code == 404
        assert client.post(f"/webhooks/messages/{world.messages()[0].id}/resend").status_code == 404


def test_deleting_is_the_end_of_it(world: World) -> None:
    client, page, _ = made(world)
    assert client.post(f"{page}/delete").status_code == 303
    assert client.get(page).status_code == 404


def test_a_viewer_makes_none(world: World) -> None:
    viewer = somebody(world.app, world.engine, "viewer")
    assert browser(world, viewer).post("/webhooks/new", data={}).status_code == 403


def test_pages_are_in_chinese_for_who_reads_chinese(world: World) -> None:
    client, page, _ = made(world)
    assert "发送记录" in client.get(f"{page}?lang=zh").text


def drawn(page: str) -> dict[str, str]:
    """The version the form was drawn from."""
    found = re.search(r'name="version" value="(\d+)"', page)
    assert found is not None
    return {"version": found[1]}


def test_a_colleague_s_change_is_shown_beside_one_s_own_instead_of_overwritten(world: World) -> None:
    client, page, _ = made(world)
    url = f"http://127.0.0.1:{world.receiver.port}/mine"
    mine = {"url": url, "name": "mine", "events": ["press"], "is_active": "1"} | drawn(client.get(page).text)
    assert world.bob.call("PATCH", page, json={"name": "theirs", "is_active": False}).status_code == 200
    answer = client.post(page, data=mine)
    assert answer.status_code == 409
    assert "theirs: theirs · yours: mine" in answer.text and "theirs: no · yours: yes" in answer.text
    assert url in answer.text and world.bob.answer("/webhooks")["items"][0]["name"] == "theirs"
    assert client.post(page, data=mine | drawn(answer.text)).status_code == 303
    assert world.bob.answer("/webhooks")["items"][0]["name"] == "mine"


def test_a_new_secret_in_another_tab_is_told_though_the_form_does_not_show_it(world: World) -> None:
    client, page, _ = made(world)
    mine = {"url": "https://8.8.8.8/x", "name": "mine", "events": ["press"]} | drawn(client.get(page).text)
    client.post(f"{page}/secret")
    answer = client.post(page, data=mine)
    assert answer.status_code == 409 and "Somebody else changed this in the meantime" in answer.text

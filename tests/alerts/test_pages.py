"""The panel's alert pages: what is open, channels with their test button, thresholds, the log, links for owners."""

import re
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from app.alerts.models import AlertChannel, AlertRule, Delivery, SwapLink
from app.codes.models import LiveCode, Member
from app.db import writing
from app.stats.models import ROLLUPS
from tests import make
from tests.alerts.conftest import World, real_now
from tests.panel import Somebody, logged_in

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def panel(world: World) -> FlaskClient:
    return browser(world, world.owner.id)


def browser(world: World, user_id: int) -> FlaskClient:
    client = logged_in(world.app, Somebody(user_id, "", world.app.test_client()))
    client.set_cookie("huozi_lang", "en")
    return client


def fresh(world: World) -> Session:
    """What the application has written meanwhile is seen by another transaction only."""
    world.session.rollback()
    world.session.expire_all()
    return world.session


def marketer(world: World) -> int:
    with writing(world.session):
        return int(make.user_row(world.session).id)


def page(client: FlaskClient, path: str, status: int = 200) -> str:
    answer = client.get(path)
    assert answer.status_code == status, (path, answer.status_code, answer.text[:500])
    return answer.text


def form(**more: str) -> dict[str, str]:
    return {"kind": "webhook", "name": "ours", "language": "en", "is_active": "1", "lowest_level": "1"} | more


def suspect(world: World) -> Any:
    member = world.member(world.live_code(name="spring fair"), label="③群", suspect_at=real_now())
    world.round(real_now())
    return member


def test_what_is_open_is_told_with_what_to_do(world: World, panel: FlaskClient) -> None:
    code = world.live_code(name="spring fair")
    member = world.member(code, label="②群", expires_at=real_now() + timedelta(hours=30))
    world.round(real_now())
    text = page(panel, "/alerts")
    assert "②群" in text and "spring fair" in text and f"/members/{member.id}/swap" in text
    assert "Nothing to tell" in page(browser(world, marketer(world)), "/alerts"), "another's are another's"


def test_several_codes_to_swap_have_their_queue(world: World, panel: FlaskClient) -> None:
    code = world.live_code()
    world.member(code, expires_at=real_now() + timedelta(hours=30))
    world.round(real_now())
    assert "/swaps" not in page(panel, "/alerts").partition("<main")[2]
    world.member(code, expires_at=real_now() + timedelta(hours=31), state="reserve")
    world.round(real_now())
    assert "Swap one after the other" in page(panel, "/alerts")
    assert "1 of 2" in page(panel, "/swaps"), "a reserve's code has its turn, too"


def test_what_is_dead_stands_before_what_will_be(world: World, panel: FlaskClient) -> None:
    code = world.live_code()
    world.member(code)
    for name, hours in (("soon", 30), ("dead", -1), ("later", 40)):
        world.member(code, label=name, expires_at=real_now() + timedelta(hours=hours))
    world.round(real_now())
    assert re.findall("dead|soon|later", page(panel, "/alerts").partition("Open now")[2])[:3] == [
        "dead",
        "soon",
        "later",
    ]


def test_the_log_names_no_live_code_that_is_no_longer_seen(world: World) -> None:
    with writing(world.session):
        writer = make.user_row(world.session)
    world.channel(writer)
    mine = world.live_code(owner_id=writer.id)
    world.member(mine, label="②群", expires_at=real_now() + timedelta(hours=30))
    world.round(real_now())
    assert "②群 · Code about to expire" in page(browser(world, writer.id), "/alerts/log")
    with writing(world.session):
        world.session.execute(sa.update(LiveCode).where(LiveCode.id == mine.id).values(owner_id=world.owner.id))
    text = page(browser(world, writer.id), "/alerts/log")
    assert "②群" not in text and "1 alert" in text


def test_a_suspect_is_restored_by_one_tap(world: World, panel: FlaskClient) -> None:
    member = suspect(world)
    (form,) = re.findall(rf"<form[^>]*/members/{member.id}/trust.*?</form>", page(panel, "/alerts"), re.DOTALL)
    assert 'name="next" value="/alerts"' in form and 'class="btn"' in form
    assert panel.post(f"/members/{member.id}/trust", data={"next": "/alerts"}).headers["Location"] == "/alerts"
    assert fresh(world).get_one(Member, member.id).suspect_at is None


def test_who_takes_care_of_it_is_noted(world: World, panel: FlaskClient) -> None:
    suspect(world)
    alert = world.alerts()[0]
    assert browser(world, marketer(world)).post(f"/alerts/{alert.id}/seen").status_code == 404
    assert panel.post(f"/alerts/{alert.id}/seen").status_code == 303
    assert world.alerts()[0].seen_by == world.owner.email
    assert "takes care of it" in page(panel, "/alerts")


def test_a_channel_is_made_tried_and_its_address_never_shown_again(world: World, panel: FlaskClient) -> None:
    address = f"http://127.0.0.1:{world.hook.port}/very-secret"
    assert panel.post("/alerts/channels/new", data=form(address=address)).status_code == 303
    channel = fresh(world).scalars(sa.select(AlertChannel)).one()
    assert "very-secret" not in channel.sealed
    assert "very-secret" not in page(panel, "/alerts") + page(panel, f"/alerts/channels/{channel.id}")
    panel.post(f"/alerts/channels/{channel.id}/test")
    assert [heard.path for heard in world.hook.heard] == ["/very-secret"]
    assert "Sent. Look whether it arrived." in page(panel, "/alerts")
    assert "Test" in page(panel, "/alerts/log")


def test_a_test_that_fails_says_why(world: World, panel: FlaskClient) -> None:
    channel_id = world.channel()
    world.hook.answers.append((500, b"", {}))
    panel.post(f"/alerts/channels/{channel_id}/test")
    assert "answered 500" in page(panel, "/alerts")


def test_a_channel_is_changed_without_typing_its_address_again(world: World, panel: FlaskClient) -> None:
    channel_id = world.channel()
    sealed = world.session.get_one(AlertChannel, channel_id).sealed
    typed = form(name="night", quiet_from="22:00", quiet_until="07:30", digest_at="08:30", escalates_after_hours="4")
    assert panel.post(f"/alerts/channels/{channel_id}", data=typed).status_code == 303
    row = fresh(world).get_one(AlertChannel, channel_id)
    assert (row.name, row.quiet_from, row.quiet_until, row.digest_at, row.escalates_after_hours) == (
        "night", 22 * 60, 450, 510, 4,
    )  # fmt: skip
    assert row.sealed == sealed


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"address": "no address"}, "no address of that service"),
        ({"kind": "pigeon"}, "Choose one of these"),
        ({"address": "http://127.0.0.1:1/x", "quiet_from": "22:00"}, "Give both times"),
        ({"address": "http://127.0.0.1:1/x", "digest_at": "half past"}, "A time such as"),
        ({"kind": "telegram", "address": "123456:" + "a" * 35}, "Who shall get it"),
    ],
)
def test_what_is_wrong_with_a_channel_is_said_beside_it(
    more: dict[str, str], words: str, world: World, panel: FlaskClient
) -> None:
    answer = panel.post("/alerts/channels/new", data=form(**more))
    assert answer.status_code == 422 and words in answer.text
    assert fresh(world).scalars(sa.select(AlertChannel)).all() == []


def test_a_channel_is_nobody_else_s(world: World) -> None:
    channel_id, other = world.channel(), browser(world, marketer(world))
    page(other, f"/alerts/channels/{channel_id}", 404)
    for action in ("", "/test", "/delete"):
        assert other.post(f"/alerts/channels/{channel_id}{action}", data=form()).status_code == 404
    assert world.hook.heard == []


def test_a_channel_is_deleted_with_its_log(world: World, panel: FlaskClient) -> None:
    channel_id = world.channel()
    panel.post(f"/alerts/channels/{channel_id}/test")
    panel.post(f"/alerts/channels/{channel_id}/delete")
    assert fresh(world).scalar(sa.select(sa.func.count()).select_from(Delivery)) == 0
    assert "Nobody is told outside the panel yet" in page(panel, "/alerts")


def test_the_log_tells_of_tries_and_of_what_was_given_up(world: World, panel: FlaskClient) -> None:
    world.channel()
    world.member(world.live_code(), label="②群", expires_at=real_now() + timedelta(hours=30))
    world.hook.answers += [(503, b"", {}), (200, b"", {})]
    world.round(real_now())
    assert "answered 503" in page(panel, "/alerts/log") and "next try" in page(panel, "/alerts/log")
    world.round(real_now() + timedelta(minutes=2))
    text = page(panel, "/alerts/log")
    assert "2 tries" in text and "Sent" in text and "②群 · Code about to expire" in text
    assert "Nothing was sent yet" in page(browser(world, marketer(world)), "/alerts/log")


def test_thresholds_are_a_live_code_s_own_and_reached_from_its_rules(world: World, panel: FlaskClient) -> None:
    code = world.live_code()
    assert f"/codes/{code.id}/alerts" in page(panel, f"/codes/{code.id}/rules")
    assert "48, 12" in page(panel, f"/codes/{code.id}/alerts")
    typed = {
        "expiring_hours": "72, 24", "filling_percents": "70", "cooldown_hours": "12", "tells_forecast": "1",
        "work_from": "10:00", "work_until": "19:00", "work_days": ["1", "2"],
    }  # fmt: skip
    assert panel.post(f"/codes/{code.id}/alerts", data=typed).status_code == 303
    row = fresh(world).get_one(AlertRule, code.id)
    assert (row.expiring_hours, row.filling_percents, row.cooldown_hours, row.work_days) == ([72, 24], [70], 12, [1, 2])
    answer = panel.post(f"/codes/{code.id}/alerts", data=typed | {"expiring_hours": "soon"})
    assert answer.status_code == 422 and "Numbers from 1 to 168" in answer.text
    other = browser(world, marketer(world))
    page(other, f"/codes/{code.id}/alerts", 404)
    assert other.post(f"/codes/{code.id}/alerts", data=typed).status_code == 404


def test_the_forecast_says_when_by_what_and_how_sure(world: World, panel: FlaskClient) -> None:
    code = world.live_code()
    member = world.member(code, label="②群", capacity=60, headcount=40)
    path = f"/codes/{code.id}/alerts"
    assert "Nothing yet: nobody came" in page(panel, path)
    hour = real_now().replace(minute=0, second=0, microsecond=0)
    numbers = dict.fromkeys(("scans", "visitors", "assigned", "pressed"), 4) | {"stuck": 0}
    with writing(world.session):
        for back in range(1, 72):
            at = hour - timedelta(hours=back)
            row = {"live_code_id": code.id, "hour": at, "key": member.id, **numbers}
            world.session.execute(sa.insert(ROLLUPS["member"]).values(row))
        code = world.session.merge(code)
        code.version += 1
    text = page(panel, path)
    assert "by long-presses" in text and "②群" in text and re.search(r"full\s+in about \d+ h", text)
    assert re.search(r"8 of 10 times \d+ to \d+ h", text)
    assert "uncertain" not in text


def test_a_link_is_made_for_the_owner_shown_once_and_withdrawn(world: World, panel: FlaskClient) -> None:
    member = world.member(world.live_code(), label="②群", expires_at=real_now() + timedelta(hours=5))
    path = f"/members/{member.id}/links"
    made = panel.post(path, data={"days": "3", "uses": "1"}).text
    found = re.search(r"/swap/[\w.~-]+", made)
    assert found is not None
    assert found[0] not in page(panel, path)
    owner = world.app.test_client()
    assert owner.get(found[0]).status_code == 200
    link = fresh(world).scalars(sa.select(SwapLink)).one()
    other = browser(world, marketer(world))
    page(other, path, 404)
    assert other.post(f"{path}/{link.id}/revoke").status_code == 404
    assert panel.post(f"{path}/{link.id}/revoke").status_code == 303
    assert owner.get(found[0]).status_code == 410
    assert panel.post(path, data={"days": "400"}).status_code == 422


def test_whoever_is_not_logged_in_sees_nothing(world: World) -> None:
    for path in ("/alerts", "/alerts/log", "/alerts/channels/new", "/status"):
        assert world.app.test_client().get(path).status_code in (302, 303)


def drawn(page: str) -> dict[str, str]:
    """The version the form was drawn from."""
    found = re.search(r'name="version" value="(\d+)"', page)
    assert found is not None
    return {"version": found[1]}


def test_a_channel_changed_in_another_tab_is_shown_beside_what_was_typed(world: World, panel: FlaskClient) -> None:
    path = f"/alerts/channels/{world.channel()}"
    mine = form(name="mine", quiet_from="23:00", quiet_until="07:00") | drawn(page(panel, path))
    theirs = form(name="theirs", quiet_from="22:00", quiet_until="07:00", lowest_level="2")
    assert panel.post(path, data=theirs).status_code == 303
    answer = panel.post(path, data=mine)
    assert answer.status_code == 409
    for told in ("theirs: theirs · yours: mine", "theirs: 22:00 · yours: 23:00"):
        assert told in answer.text
    assert "theirs: Only what cannot wait · yours: Everything that needs somebody" in answer.text
    assert 'value="mine"' in answer.text and fresh(world).scalars(sa.select(AlertChannel.name)).all() == ["theirs"]
    assert panel.post(path, data=mine | drawn(answer.text)).status_code == 303
    assert fresh(world).scalars(sa.select(AlertChannel.name)).all() == ["mine"]


LIMITS = {"expiring_hours": "48, 12", "filling_percents": "80", "cooldown_hours": "6", "work_from": "09:00"}
LIMITS |= {"work_until": "18:00", "work_days": "1", "tells_forecast": "1"}


def test_thresholds_changed_by_a_colleague_are_shown_beside_what_was_typed(world: World, panel: FlaskClient) -> None:
    path = f"/codes/{world.live_code().id}/alerts"
    mine = LIMITS | {"expiring_hours": ""} | drawn(page(panel, path))
    assert panel.post(path, data=LIMITS | {"expiring_hours": "24", "is_muted": "1"}).status_code == 303
    answer = panel.post(path, data=mine)
    assert answer.status_code == 409
    assert "theirs: 24 · yours: –" in answer.text and "theirs: yes · yours: no" in answer.text
    assert re.search(r'name="expiring_hours" value=""|value="" [^>]*name="expiring_hours"', answer.text)
    assert fresh(world).scalars(sa.select(AlertRule.is_muted)).all() == [True]
    assert panel.post(path, data=mine | drawn(answer.text)).status_code == 303
    assert fresh(world).scalars(sa.select(AlertRule.expiring_hours)).all() == [[]]


def test_ticks_of_thresholds_stay_as_they_were_set_when_something_is_wrong(world: World, panel: FlaskClient) -> None:
    path = f"/codes/{world.live_code().id}/alerts"
    wrong = LIMITS | {"cooldown_hours": "999", "is_muted": "1", "work_days": "3"}
    del wrong["tells_forecast"]
    answer = panel.post(path, data=wrong)
    assert answer.status_code == 422
    ticked = re.findall(r'<input type="checkbox"[^>]*name="(\w+)"(?: value="(\d)")?[^>]* checked', answer.text)
    assert sorted(name for name, _ in ticked) == ["is_muted", "work_days"] and ("work_days", "3") in ticked

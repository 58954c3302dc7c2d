"""The door's routes: what is asked how, and with which status and headers it is answered."""

import json
import re
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from app.codes.models import LiveCode
from app.codes.trial import trial_token
from app.ledger.tables import outbox
from app.scan.decide import Decider
from tests import make
from tests.scan.phone import CHROME, GOOGLEBOT, KEY, PUBLIC_URL, SAFARI, WECHAT, Doorway, words

LINK = "https://example.com/join?a=1"
# What is asked of one database is asked of both in the ledger's tests; here it is enough once.
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def events(doorway: Doorway) -> list[dict[str, Any]]:
    """What was written down in the transactions of claims."""
    return [json.loads(row.body) for row in doorway.world.rows(sa.select(outbox).order_by(outbox.c.id))]


def seats_taken(doorway: Doorway, code: LiveCode, member: int) -> int:
    return doorway.world.counted(code, member)


def test_everything_else_goes_to_flask(doorway: Doorway) -> None:
    for path in ("/", "/s", "/m", "/api/v1/live-codes", "/static/x.css", "/sx/k3f9qa"):
        assert doorway.phone().get(path).status_code == 418, path


def test_pictures_are_served_before_flask(doorway: Doorway) -> None:
    name = doorway.store.put(b"a picture", "png")
    assert doorway.phone().get(f"/m/{name}").data == b"a picture"


def test_a_first_scan_is_answered_by_a_page_that_nobody_keeps(doorway: Doorway) -> None:
    code = doorway.world.live_code()
    doorway.world.member(code)
    reply = doorway.phone().get(f"/s/{code.slug}")
    assert (reply.status_code, reply.headers["Cache-Control"]) == (200, "no-store")
    assert reply.headers["Content-Type"] == "text/html; charset=utf-8"
    assert reply.headers["Set-Cookie"].startswith("huozi_v=")
    assert "HttpOnly" in reply.headers["Set-Cookie"]
    assert "unsafe" not in reply.headers["Content-Security-Policy"]
    assert len(re.findall("<img", reply.text)) == 1


def test_a_returning_scan_shows_the_same_member_and_sends_no_cookie(doorway: Doorway) -> None:
    code = doorway.world.live_code()
    doorway.world.member(code)
    phone = doorway.phone()
    first = phone.scan(code.slug)
    reply = phone.get(f"/s/{code.slug}", "application/json")
    assert reply.json["outcome"] == "returning"
    assert reply.json["member"] == first["member"]
    assert "Set-Cookie" not in reply.headers


def test_programs_get_exactly_the_contracts_json(doorway: Doorway) -> None:
    code = doorway.world.live_code(title="福利群")
    member = doorway.world.member(code, public_name="广州福利群", label="内部 3 号", target=make.group_url(77))
    reply = doorway.phone().get(f"/s/{code.slug}", "application/json")
    assert reply.headers["Content-Type"] == "application/json"
    assert reply.headers["Cache-Control"] == "no-store"
    image = reply.json["member"]["image_url"]
    assert reply.json == {
        "outcome": "assigned",
        "live_code": {"slug": code.slug, "title": "福利群"},
        "member": {
            "id": member,
            "name": "广州福利群",
            "kind": "wechat_group",
            "image_url": image,
            "target_url": make.group_url(77),
            "version": 1,
        },
        "choice": None,
        "choices": [],
        "message": None,
    }
    assert image.startswith("/m/")
    assert "内部" not in reply.text


def test_a_member_without_a_public_name_goes_by_the_title_in_json_too(doorway: Doorway) -> None:
    code = doorway.world.live_code(title="福利群")
    doorway.world.member(code, label="内部 3 号")
    assert doorway.phone().scan(code.slug)["member"]["name"] == "福利群"


def test_a_swap_shows_on_the_very_next_scan(doorway: Doorway) -> None:
    code = doorway.world.live_code()
    member = doorway.world.member(code)
    phone = doorway.phone()
    before = re.search(r'<img[^>]*src="([^"]+)"', phone.page(code.slug))
    doorway.world.swap(member)
    after = re.search(r'<img[^>]*src="([^"]+)"', phone.page(code.slug))
    assert before and after and before[1] != after[1]


def test_a_slug_may_be_typed_with_a_capital_and_a_slash(doorway: Doorway) -> None:
    code = doorway.world.live_code()
    doorway.world.member(code)
    phone = doorway.phone()
    assert phone.scan(code.slug.capitalize())["outcome"] == "assigned"
    assert phone.scan(code.slug + "/")["outcome"] == "returning"


@pytest.mark.parametrize(
    "path",
    [
        "zzzzzz9",
        "%00",
        "%ff%fe",
        "a" * 3000,
        "..%2f..%2fetc",
        "'%20or%201=1",
        "",
        "/",
        "k3f9qa/elsewhere",
        "%F0%9F%92%A9",
    ],
)
def test_unknown_and_odd_slugs_are_a_page_and_a_404(doorway: Doorway, path: str) -> None:
    doorway.world.live_code()
    page = doorway.phone().get(f"/s/{path}")
    assert page.status_code == 404
    assert "没找到这个码，可能没扫完整，请重新扫一次" in words(page.text)
    assert "Set-Cookie" not in page.headers
    reply = doorway.phone().get(f"/s/{path}", "application/json")
    assert reply.status_code == 404
    assert reply.json == {
        "outcome": "unknown",
        "live_code": None,
        "member": None,
        "choice": None,
        "choices": [],
        "message": "没找到这个码，可能没扫完整，请重新扫一次",
    }


def test_an_unknown_slug_is_not_remembered_as_unknown(doorway: Doorway) -> None:
    phone = doorway.phone()
    assert phone.scan("w999999")["outcome"] == "unknown"
    with sa.orm.Session(doorway.world.engine) as session, session.begin():
        row = make.live_code_row(session, slug="w999999")
        make.member_row(session, row)
    assert phone.scan("w999999")["outcome"] == "assigned"


@pytest.mark.parametrize(
    ("method", "action", "allow"),
    [
        ("POST", "", "GET, HEAD"),
        ("DELETE", "", "GET, HEAD"),
        ("OPTIONS", "", "GET, HEAD"),
        ("POST", "/fresh", "GET, HEAD"),
        ("GET", "/choose", "POST"),
        ("GET", "/press", "POST"),
        ("GET", "/stuck", "POST"),
        ("HEAD", "/show", "POST"),
    ],
)
def test_a_wrong_method_is_told_the_right_one(doorway: Doorway, method: str, action: str, allow: str) -> None:
    code = doorway.world.live_code()
    reply = doorway.phone().get(f"/s/{code.slug}{action}", "application/json", method)
    assert (reply.status_code, reply.headers["Allow"]) == (405, allow)
    if method != "HEAD":
        assert reply.json["error"]["code"] == "method_not_allowed"


def test_head_takes_no_seat_and_has_no_body(doorway: Doorway) -> None:
    code = doorway.world.live_code()
    member = doorway.world.member(code)
    reply = doorway.phone().get(f"/s/{code.slug}", method="HEAD")
    assert (reply.status_code, reply.data) == (200, b"")
    assert int(reply.headers["Content-Length"]) > 1000
    assert "Set-Cookie" not in reply.headers
    assert seats_taken(doorway, code, member) == 0


@pytest.mark.parametrize(
    ("user_agent", "headers"),
    [(GOOGLEBOT, {}), (WECHAT, {"Sec_Purpose": "prefetch"}), (SAFARI, {"Purpose": "prefetch"})],
)
def test_previews_take_no_seat_and_get_no_cookie(doorway: Doorway, user_agent: str, headers: dict[str, str]) -> None:
    code = doorway.world.live_code()
    member = doorway.world.member(code)
    reply = doorway.phone(user_agent).get(f"/s/{code.slug}", **headers)
    assert reply.status_code == 200
    assert "<img" not in reply.text
    assert "Set-Cookie" not in reply.headers
    assert seats_taken(doorway, code, member) == 0


def test_a_person_on_the_preview_page_gets_the_code_by_its_button(doorway: Doorway) -> None:
    code = doorway.world.live_code()
    member = doorway.world.member(code)
    phone = doorway.phone(GOOGLEBOT)
    assert "看二维码" in words(phone.page(code.slug))
    reply = phone.post(f"/s/{code.slug}/show", Referer=f"http://localhost/s/{code.slug}?p=door")
    assert (reply.status_code, reply.headers["Location"]) == (303, f"/s/{code.slug}?p=door")
    assert phone.scan(code.slug)["member"]["id"] == member
    assert seats_taken(doorway, code, member) == 1


def test_the_button_makes_nobody_anew_who_has_a_cookie(doorway: Doorway) -> None:
    code = doorway.world.live_code()
    doorway.world.member(code)
    phone = doorway.phone()
    phone.scan(code.slug)
    before = phone.cookie
    assert "Set-Cookie" not in phone.post(f"/s/{code.slug}/show").headers
    assert phone.cookie == before


def test_full_is_a_page_with_the_contact(doorway: Doorway) -> None:
    code = doorway.world.live_code(contact_text="客服小林")
    doorway.world.member(code, capacity=1)
    doorway.phone().scan(code.slug)
    phone = doorway.phone()
    assert "群都满了，新群马上开。 联系客服拉你进群 客服小林" in words(phone.page(code.slug))
    assert phone.scan(code.slug)["outcome"] == "full"
    assert phone.scan(code.slug)["message"] == "群都满了，新群马上开。"


def test_outside_its_windows_a_code_says_when_it_opens(doorway: Doorway) -> None:
    code = doorway.world.live_code()
    doorway.world.member(code, windows=[{"days": [1, 2, 3, 4, 5, 6, 7], "from": "18:00", "to": "20:00"}])
    phone = doorway.phone()
    assert "今天 18:00 开放，到时再扫这张码即可" in words(phone.page(code.slug))
    assert phone.scan(code.slug)["outcome"] == "unavailable"


@pytest.mark.parametrize(
    ("values", "outcome", "says"),
    [
        ({"state": "paused"}, "paused", "这个活动暂停了，稍后再来"),
        ({"ends_at": make.NOW - timedelta(hours=1)}, "ended", "这个活动已结束"),
        ({"state": "archived"}, "ended", "这个活动已结束"),
        ({"starts_at": make.NOW + timedelta(days=1)}, "not_started", "明天 12:00 开始，到时再扫这张码即可"),
    ],
)
def test_a_live_codes_own_state_has_its_page(doorway: Doorway, values: dict[str, Any], outcome: str, says: str) -> None:
    code = doorway.world.live_code(**values)
    doorway.world.member(code)
    phone = doorway.phone()
    assert says in words(phone.page(code.slug))
    told = phone.scan(code.slug)
    assert (told["outcome"], told["member"], told["message"]) == (outcome, None, says)


def test_who_pressed_is_held_without_a_dead_code(doorway: Doorway) -> None:
    code = doorway.world.live_code()
    member = doorway.world.member(code, public_name="广州福利群")
    doorway.world.member(code)
    phone = doorway.phone()
    phone.scan(code.slug)
    assert phone.post(f"/s/{code.slug}/press").status_code == 204
    doorway.world.later(minutes=5)
    doorway.world.edit_member(member, expires_at=doorway.world.now - timedelta(minutes=1))
    told = phone.scan(code.slug)
    assert told["outcome"] == "held"
    assert (told["member"]["id"], told["member"]["image_url"], told["member"]["target_url"]) == (member, None, None)
    assert told["message"] == "「广州福利群」正在换新码。已进群可直接在微信里搜群名；还没进？"
    assert "<img" not in phone.page(code.slug)


def test_a_press_is_recorded_once_for_the_seat_held(doorway: Doorway) -> None:
    code = doorway.world.live_code()
    member = doorway.world.member(code)
    phone = doorway.phone()
    phone.scan(code.slug)
    for _ in range(2):
        reply = phone.post(f"/s/{code.slug}/press")
        assert (reply.status_code, reply.data) == (204, b"")
    assert doorway.world.counts(code)[member].pressed == 1


def test_a_press_without_a_seat_is_taken_quietly(doorway: Doorway) -> None:
    code = doorway.world.live_code()
    doorway.world.member(code)
    assert doorway.phone().post(f"/s/{code.slug}/press").status_code == 204
    assert doorway.phone().post("/s/zzzzzz9/press").status_code == 204
    assert events(doorway) == []


@pytest.mark.parametrize("action", ["press", "choose", "stuck", "show"])
@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost.evil.example", "garbage", ""])
def test_nobody_elses_page_may_send_for_a_visitor(doorway: Doorway, action: str, origin: str) -> None:
    code = doorway.world.live_code()
    doorway.world.member(code)
    reply = doorway.phone().post(f"/s/{code.slug}/{action}", {}, accept="application/json", Origin=origin)
    assert reply.status_code == 403
    assert reply.json["error"]["code"] == "cross_origin"


def two_choices(doorway: Doorway, **more: Any) -> tuple[LiveCode, int, int, int, int]:
    """A grouped live code, its choices skin and baby, and the member of each: room for one, and for five."""
    world = doorway.world
    code = world.live_code(kind="grouped", **more)
    skin, baby = world.choice(code, title="护肤", tag="skin"), world.choice(code, title="母婴", tag="baby")
    return (
        code,
        skin,
        baby,
        world.member(code, choice_id=skin, capacity=1),
        world.member(code, choice_id=baby, capacity=5),
    )


def test_a_grouped_code_asks_with_the_room_left(doorway: Doorway) -> None:
    code, skin, baby, _, _ = two_choices(doorway)
    told = doorway.phone().scan(code.slug)
    assert told["outcome"] == "choose"
    assert told["choices"] == [
        {"id": skin, "title": "护肤", "description": "", "room": 1},
        {"id": baby, "title": "母婴", "description": "", "room": 5},
    ]


def test_choosing_by_form_leads_back_to_the_short_url(doorway: Doorway) -> None:
    code, _, baby, _, member = two_choices(doorway)
    phone = doorway.phone()
    phone.page(code.slug)
    reply = phone.post(f"/s/{code.slug}/choose", {"choice_id": str(baby)})
    assert (reply.status_code, reply.headers["Location"], reply.data) == (303, f"/s/{code.slug}", b"")
    back = phone.scan(code.slug)
    assert (back["outcome"], back["member"]["id"], back["choice"]) == (
        "returning",
        member,
        {"id": baby, "title": "母婴"},
    )


def test_choosing_as_json_tells_the_decision(doorway: Doorway) -> None:
    code, _, baby, _, member = two_choices(doorway)
    phone = doorway.phone()
    phone.scan(code.slug)
    reply = phone.post(f"/s/{code.slug}/choose", json={"choice_id": baby}, accept="application/json")
    assert (reply.status_code, reply.json["outcome"], reply.json["member"]["id"]) == (200, "assigned", member)


def test_choosing_twice_takes_one_seat(doorway: Doorway) -> None:
    code, _, baby, _, member = two_choices(doorway)
    phone = doorway.phone()
    phone.page(code.slug)
    for _ in range(2):
        phone.post(f"/s/{code.slug}/choose", {"choice_id": str(baby)})
    assert seats_taken(doorway, code, member) == 1


def test_choosing_what_is_full_shows_it_at_once(doorway: Doorway) -> None:
    code, skin, _, _, _ = two_choices(doorway)
    doorway.phone().post(f"/s/{code.slug}/choose", {"choice_id": str(skin)})
    reply = doorway.phone().post(f"/s/{code.slug}/choose", {"choice_id": str(skin)})
    assert reply.status_code == 200
    assert "群都满了，新群马上开。" in words(reply.text)
    assert f'href="/s/{code.slug}">选其他分组' in reply.text


def test_where_several_choices_are_allowed_each_has_its_page(doorway: Doorway) -> None:
    code, skin, baby, first, second = two_choices(doorway, choice_policy="several")
    phone = doorway.phone()
    for choice, member in ((skin, first), (baby, second)):
        reply = phone.post(f"/s/{code.slug}/choose", {"choice_id": str(choice)})
        assert reply.headers["Location"] == f"/s/{code.slug}?c={choice}"
        assert phone.scan(f"{code.slug}?c={choice}")["member"]["id"] == member
        assert phone.post(f"/s/{code.slug}/press?c={choice}").status_code == 204
    counts = doorway.world.counts(code)
    assert [counts[member].pressed for member in (first, second)] == [1, 1]
    assert phone.scan(code.slug)["outcome"] == "choose"


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        ({}, 422, "invalid"),
        ({"choice_id": "baby"}, 422, "invalid"),
        ({"choice_id": "5"}, 422, "invalid"),
        ({"choice_id": 1.5}, 422, "invalid"),
        ({"choice_id": True}, 422, "invalid"),
        ({"choice_id": None}, 422, "invalid"),
        ({"choice_id": -1}, 422, "invalid"),
        ({"choice_id": 2**70}, 422, "invalid"),
        ({"choice_id": [1]}, 422, "invalid"),
        ([1], 422, "invalid"),
        ({"choice_id": 999999999}, 404, "no_such_choice"),
    ],
)
def test_a_choice_that_is_none_is_refused(doorway: Doorway, body: Any, status: int, error: str) -> None:
    code, *_ = two_choices(doorway)
    reply = doorway.phone().post(f"/s/{code.slug}/choose", json=body, accept="application/json")
    assert (reply.status_code, reply.json["error"]["code"]) == (status, error)
    assert set(reply.json["error"]) == {"code", "message", "fields"}


def test_a_choice_that_is_gone_is_a_page_for_people(doorway: Doorway) -> None:
    code, *_ = two_choices(doorway)
    reply = doorway.phone().post(f"/s/{code.slug}/choose", {"choice_id": "999999999"})
    assert reply.status_code == 404
    assert "没有这个分组了，请重新选一次" in words(reply.text)
    assert f'href="/s/{code.slug}">回到二维码' in reply.text


def test_there_is_nothing_to_choose_in_a_simple_code(doorway: Doorway) -> None:
    code = doorway.world.live_code()
    doorway.world.member(code)
    reply = doorway.phone().post(f"/s/{code.slug}/choose", json={"choice_id": 1})
    assert (reply.status_code, reply.json["error"]["code"]) == (409, "not_grouped")


def test_choosing_at_an_unknown_code_is_a_404(doorway: Doorway) -> None:
    doorway.world.live_code()
    reply = doorway.phone().post("/s/zzzzzz9/choose", json={"choice_id": 1})
    assert (reply.status_code, reply.json["error"]["code"]) == (404, "not_found")
    reply = doorway.phone().post("/s/%00/choose", json={"choice_id": 1})
    assert (reply.status_code, reply.json["error"]["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    ("body", "content_type", "status", "error"),
    [
        (b"{not json", "application/json", 400, "bad_request"),
        (b"\xff\xfe", "application/json", 400, "bad_request"),
        (b"[" * 4000, "application/json", 400, "bad_request"),
        (b"x" * 5000, "application/json", 413, "too_large"),
        (b"choice_id=" + b"1" * 5000, "application/x-www-form-urlencoded", 413, "too_large"),
        (b"--e\r\n", "multipart/form-data; boundary=e", 415, "unsupported_media_type"),
        (b"&".join([b"a=1"] * 40), "application/x-www-form-urlencoded", 400, "bad_request"),
        (b"choice_id=%ff%00", "application/x-www-form-urlencoded", 422, "invalid"),
    ],
)
def test_a_body_that_does_not_read_is_refused(
    doorway: Doorway, body: bytes, content_type: str, status: int, error: str
) -> None:
    code, *_ = two_choices(doorway)
    reply = doorway.phone().post(f"/s/{code.slug}/choose", body, accept="application/json", Content_Type=content_type)
    assert (reply.status_code, reply.json["error"]["code"]) == (status, error)


def test_who_cannot_get_in_is_given_another_group(doorway: Doorway) -> None:
    code = doorway.world.live_code()
    first, second = doorway.world.member(code), doorway.world.member(code)
    phone = doorway.phone()
    assert phone.scan(code.slug)["member"]["id"] == first
    reply = phone.post(f"/s/{code.slug}/stuck", {"reason": "full"})
    assert (reply.status_code, reply.headers["Location"]) == (303, f"/s/{code.slug}")
    assert "上次" not in words(phone.page(code.slug))
    assert phone.scan(code.slug)["member"]["id"] == second


def test_stuck_as_json_tells_the_new_decision(doorway: Doorway) -> None:
    code = doorway.world.live_code()
    doorway.world.member(code)
    second = doorway.world.member(code)
    phone = doorway.phone()
    phone.scan(code.slug)
    reply = phone.post(f"/s/{code.slug}/stuck", json={"reason": "expired"})
    assert (reply.status_code, reply.json["outcome"], reply.json["member"]["id"]) == (200, "assigned", second)


def test_a_third_time_in_a_day_is_too_many(doorway: Doorway) -> None:
    code = doorway.world.live_code()
    for _ in range(4):
        doorway.world.member(code)
    phone = doorway.phone()
    phone.scan(code.slug)
    for _ in range(2):
        assert phone.post(f"/s/{code.slug}/stuck", {"reason": "other"}).status_code == 303
    asked = phone.post(f"/s/{code.slug}/stuck", json={"reason": "other"}, accept="application/json")
    assert (asked.status_code, asked.json["error"]["code"]) == (429, "too_many")
    page = phone.post(f"/s/{code.slug}/stuck", {"reason": "other"})
    assert page.status_code == 429
    assert "今天已经换过两次了，明天可以再换" in words(page.text)


@pytest.mark.parametrize("body", [{}, {"reason": "boring"}, {"reason": ["full"]}, {"reason": None}, {"reason": 1}])
def test_a_reason_is_one_of_three(doorway: Doorway, body: dict[str, Any]) -> None:
    code = doorway.world.live_code()
    doorway.world.member(code)
    reply = doorway.phone().post(f"/s/{code.slug}/stuck", json=body)
    assert (reply.status_code, reply.json["error"]["code"]) == (422, "invalid")
    assert reply.json["error"]["fields"] == {"reason": ["one of full, expired, other"]}


def test_a_live_code_that_redirects_opens_the_link_at_once(doorway: Doorway) -> None:
    code = doorway.world.live_code(open="redirect")
    member = doorway.world.member(code, target=LINK)
    phone = doorway.phone()
    for _ in ("assigned", "returning"):
        reply = phone.get(f"/s/{code.slug}")
        assert (reply.status_code, reply.headers["Location"]) == (302, LINK)
        assert (reply.headers["Cache-Control"], reply.data) == ("no-store", b"")
    assert seats_taken(doorway, code, member) == 1
    assert phone.scan(code.slug)["member"]["target_url"] == LINK


def test_a_fallbacks_link_is_opened_too(doorway: Doorway) -> None:
    code = doorway.world.live_code(open="redirect")
    doorway.world.member(code, target=LINK, is_fallback=True)
    assert doorway.phone().get(f"/s/{code.slug}").headers["Location"] == LINK


def test_a_link_beyond_ascii_is_opened_in_its_ascii_form(doorway: Doorway) -> None:
    code = doorway.world.live_code(open="redirect")
    doorway.world.member(code, target="https://例子.测试/群?名=福利")
    location = doorway.phone().get(f"/s/{code.slug}").headers["Location"]
    assert location == "https://xn--fsqu00a.xn--0zwm56d/%E7%BE%A4?%E5%90%8D=%E7%A6%8F%E5%88%A9"


@pytest.mark.parametrize(
    ("settings", "target", "user_agent"),
    [
        ({"open": "page"}, LINK, WECHAT),
        ({"open": "redirect"}, None, WECHAT),
        ({"open": "redirect"}, "https://t.me/+AbCdEfGhIj", WECHAT),
        ({"open": "redirect"}, LINK, GOOGLEBOT),
    ],
)
def test_nobody_is_sent_where_there_is_nothing_to_open(
    doorway: Doorway, settings: dict[str, str], target: str | None, user_agent: str
) -> None:
    code = doorway.world.live_code(**settings)
    doorway.world.member(code, target=target)
    assert doorway.phone(user_agent).get(f"/s/{code.slug}").status_code == 200


def test_a_page_is_fresh_until_its_member_is_swapped(doorway: Doorway) -> None:
    code = doorway.world.live_code()
    member = doorway.world.member(code)
    phone = doorway.phone()
    token = re.search(r'data-token="([^"]+)"', phone.page(code.slug))
    assert token
    asked = phone.get(f"/s/{code.slug}/fresh?t={token[1]}")
    assert (asked.json, asked.headers["Cache-Control"]) == ({"fresh": True}, "no-store")
    doorway.world.swap(member)
    assert phone.get(f"/s/{code.slug}/fresh?t={token[1]}").json == {"fresh": False}


@pytest.mark.parametrize("token", ["", "garbage", "m1", "m1.2.x", "%00", "m" + "9" * 5000, f"m{10**40}.1.1", "r1.٣"])
def test_a_token_that_is_none_is_not_fresh(doorway: Doorway, token: str) -> None:
    code = doorway.world.live_code()
    reply = doorway.phone().get(f"/s/{code.slug}/fresh?t={token}")
    assert (reply.status_code, reply.json) == (200, {"fresh": False})


def test_a_trial_decides_like_a_new_visitor_and_takes_nothing(doorway: Doorway) -> None:
    code = doorway.world.live_code()
    member = doorway.world.member(code, capacity=1)
    phone = doorway.phone()
    for _ in range(3):
        reply = phone.get(f"/s/{code.slug}?t={doorway.trial(code.slug)}")
        assert reply.status_code == 200
        assert "测试 · 不占名额" in words(reply.text)
        assert "Set-Cookie" not in reply.headers
    assert phone.scan(f"{code.slug}?t={doorway.trial(code.slug)}")["outcome"] == "assigned"
    assert seats_taken(doorway, code, member) == 0
    assert events(doorway) == []


def test_the_panels_trial_links_open_trials(doorway: Doorway) -> None:
    code = doorway.world.live_code()
    member = doorway.world.member(code)
    token = trial_token(code.slug, KEY, doorway.world.now)
    assert doorway.phone().scan(f"{code.slug}?t={token}")["member"]["id"] == member
    assert seats_taken(doorway, code, member) == 0


@pytest.mark.parametrize(
    ("pretended", "says"),
    [
        ("", "用微信扫一扫下面的码"),
        ("&as=wechat", "长按下方二维码"),
        ("&as=browser", "① 保存图片"),
        ("&as=fax", "扫一扫"),
    ],
)
def test_a_trial_at_a_desk_may_be_looked_at_as_a_phone_shows_it(doorway: Doorway, pretended: str, says: str) -> None:
    code = doorway.world.live_code()
    doorway.world.member(code)
    assert says in words(doorway.phone(CHROME).page(f"{code.slug}?t={doorway.trial(code.slug)}{pretended}"))
    assert "长按" not in words(doorway.phone(CHROME).page(f"{code.slug}?as=wechat"))


def test_only_trials_may_be_shown_in_the_panels_frame(doorway: Doorway) -> None:
    code = doorway.world.live_code()
    doorway.world.member(code)

    def frames(query: str) -> bool:
        policy = doorway.phone().get(f"/s/{code.slug}{query}").headers["Content-Security-Policy"]
        return "frame-ancestors 'self'" in policy

    good, old = doorway.trial(code.slug), doorway.trial(code.slug, minutes=-1)
    assert [frames(query) for query in ("", f"?t={good}", f"?t={old}")] == [False, True, True]


def test_a_trial_never_leads_away(doorway: Doorway) -> None:
    code = doorway.world.live_code(open="redirect")
    doorway.world.member(code, target=LINK)
    assert doorway.phone().get(f"/s/{code.slug}?t={doorway.trial(code.slug)}").status_code == 200


def test_a_trials_choice_is_tried_out_too(doorway: Doorway) -> None:
    code, _, baby, _, member = two_choices(doorway)
    phone, token = doorway.phone(), doorway.trial(code.slug)
    assert phone.scan(f"{code.slug}?t={token}")["outcome"] == "choose"
    assert phone.scan(f"{code.slug}?t={token}&c={baby}")["member"]["id"] == member
    assert seats_taken(doorway, code, member) == 0


def test_a_trial_that_ran_out_is_no_scan(doorway: Doorway) -> None:
    code = doorway.world.live_code()
    member = doorway.world.member(code)
    token = doorway.trial(code.slug, minutes=30)
    doorway.world.later(minutes=30)
    reply = doorway.phone().get(f"/s/{code.slug}?t={token}")
    assert reply.status_code == 403
    assert "这个试扫链接过期了" in words(reply.text)
    assert f'href="/s/{code.slug}"' not in reply.text
    asked = doorway.phone().get(f"/s/{code.slug}?t={token}", "application/json")
    assert (asked.status_code, asked.json["error"]["code"]) == (403, "trial_expired")
    assert seats_taken(doorway, code, member) == 0


def test_a_trial_of_another_code_is_no_trial_of_this_one(doorway: Doorway) -> None:
    code, other = doorway.world.live_code(), doorway.world.live_code()
    doorway.world.member(code)
    assert doorway.phone().get(f"/s/{code.slug}?t={doorway.trial(other.slug)}").status_code == 403


def test_somebodys_time_stamp_is_no_trial(doorway: Doorway) -> None:
    code = doorway.world.live_code()
    doorway.world.member(code)
    assert doorway.phone().scan(f"{code.slug}?t=1793592000")["outcome"] == "assigned"


def test_a_placement_is_written_down_with_the_scan(doorway: Doorway) -> None:
    code = doorway.world.live_code()
    doorway.world.member(code)
    doorway.phone().scan(f"{code.slug}?p=door-3")
    assert [event["placement"] for event in events(doorway)] == ["door-3"]


def test_a_form_knows_the_placement_of_its_page(doorway: Doorway) -> None:
    code, _, baby, _, _ = two_choices(doorway)
    phone = doorway.phone()
    page = f"http://localhost/s/{code.slug}?p=%E5%8D%97%E9%97%A8"
    reply = phone.post(f"/s/{code.slug}/choose", {"choice_id": str(baby)}, Referer=page)
    assert reply.headers["Location"] == f"/s/{code.slug}?p=%E5%8D%97%E9%97%A8"
    assert [event["placement"] for event in events(doorway)] == ["南门"]


def test_what_is_written_down_says_which_phone_but_not_whose(doorway: Doorway) -> None:
    code = doorway.world.live_code()
    doorway.world.member(code)
    doorway.phone().scan(code.slug)
    event = events(doorway)[0]
    assert (event["device"], event["app"], event["language"], event["first"]) == ("ios", "wechat", "zh", True)
    assert "MicroMessenger" not in json.dumps(event)
    assert "127.0.0.1" not in json.dumps(event)


def test_another_group_of_the_same_event_is_shown_elsewhere(doorway: Doorway) -> None:
    world = doorway.world
    one = world.live_code(dedupe_group="spring")
    two = world.live_code(dedupe_group="spring", owner_id=one.owner_id)
    held = world.member(one, public_name="一群")
    world.member(two)
    phone = doorway.phone()
    phone.scan(one.slug)
    told = phone.scan(two.slug)
    assert (told["outcome"], told["member"]["id"]) == ("elsewhere", held)
    assert told["message"] == "你已领过「一群」，同一活动进一个群即可"
    assert "你已领过「 一群 」" in words(phone.page(two.slug))


def test_a_bug_of_ours_is_written_down_and_never_shown(doorway: Doorway, caplog: pytest.LogCaptureFixture) -> None:
    code = doorway.world.live_code()
    doorway.world.member(code)

    def broken() -> Any:
        raise ZeroDivisionError("the clock fell off the wall")

    decider = Decider(doorway.world.snapshots, doorway.world.ledger, clock=broken)
    phone = doorway.phone(decider=decider)
    page = phone.get(f"/s/{code.slug}")
    assert page.status_code == 503
    assert "稍等片刻再扫一次，群还在" in words(page.text)
    assert "clock" not in page.text
    asked = phone.get(f"/s/{code.slug}", "application/json")
    assert (asked.status_code, asked.json["error"]["code"]) == (503, "store_unavailable")
    numbers = [record.fields["request_id"] for record in caplog.records]
    assert numbers == [page.headers["X-Request-Id"], asked.headers["X-Request-Id"]]
    assert "the clock fell off the wall" in caplog.text


def test_the_public_url_is_ours_whatever_a_proxy_makes_of_host(doorway: Doorway) -> None:
    code = doorway.world.live_code()
    assert doorway.phone().post(f"/s/{code.slug}/show", Origin=PUBLIC_URL).status_code == 303

"""Where a scanner is taken to be, and what they may say about it: a city that is remembered, a position that is not."""

import json
import re
from ipaddress import ip_network
from typing import Any

import pytest
import sqlalchemy as sa

from app.codes.models import LiveCode
from app.ledger.tables import outbox
from app.rules.regions import REGIONS, children
from tests.scan.phone import SAFARI, Doorway, Phone, words

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

GUANGDONG, SICHUAN, BEIJING = "CN/CN-GD", "CN/CN-SC", "CN/CN-BJ"
GUANGZHOU, CHENGDU, SHENZHEN = "CN/CN-GD/440100", "CN/CN-SC/510100", "CN/CN-GD/440300"
FROM_GUANGZHOU = "202.96.128.86"


@pytest.fixture
def code(doorway: Doorway) -> LiveCode:
    """Guangdong's group, Chengdu's and one for everybody else; scanners may choose."""
    code = doorway.world.live_code(asks_city=True)
    for name, regions in (("粤群", [GUANGDONG]), ("蓉群", [CHENGDU]), ("大家群", [])):
        doorway.world.member(code, public_name=name, regions=regions)
    return code


def phone_at(doorway: Doorway, address: str = FROM_GUANGZHOU, **more: Any) -> Phone:
    phone = doorway.phone(trusted_proxies=(ip_network("127.0.0.0/8"),), **more)
    phone.headers["X-Forwarded-For"] = address
    return phone


def name_of(answer: Any) -> str:
    return str(answer["member"]["name"])


def events(doorway: Doorway) -> str:
    return " ".join(row.body for row in doorway.world.rows(sa.select(outbox.c.body)))


def test_a_page_says_where_somebody_seems_to_be_and_offers_another_place(doorway: Doorway, code: LiveCode) -> None:
    page = phone_at(doorway).page(code.slug)
    assert "你好像在 广州 · 换一个" in words(page)
    assert f'href="/s/{code.slug}/place"' in page
    assert "还不知道你在哪里 · 选城市" in words(doorway.phone().page(code.slug))
    english = phone_at(doorway, language="en")
    assert "You seem to be in Guangzhou · Change" in words(english.page(code.slug))


def test_a_live_code_that_does_not_ask_says_nothing_of_places(doorway: Doorway, code: LiveCode) -> None:
    doorway.world.edit(code, asks_city=False)
    phone = phone_at(doorway)
    assert "你好像在" not in phone.page(code.slug)
    assert phone.get(f"/s/{code.slug}/place").headers["Location"] == f"/s/{code.slug}"
    refused = phone.post(f"/s/{code.slug}/place", json={"region": CHENGDU})
    assert (refused.status_code, refused.json["error"]["code"]) == (409, "asks_no_city")


def test_a_chosen_city_beats_the_address_and_is_remembered(doorway: Doorway, code: LiveCode) -> None:
    phone = phone_at(doorway)
    assert name_of(phone.scan(code.slug)) == "粤群"
    moved = phone.post(f"/s/{code.slug}/place", {"region": CHENGDU})
    assert (moved.status_code, moved.headers["Location"]) == (303, f"/s/{code.slug}")
    page = words(phone.page(code.slug))
    assert "蓉群" in page and "你选的是 成都 · 换一个" in page
    assert doorway.world.counted(code, doorway.world.snapshot(code).members[0].id) == 0
    doorway.world.check_books()
    assert '"region_source":"chosen"' in events(doorway)


def test_the_choice_can_be_taken_back(doorway: Doorway, code: LiveCode) -> None:
    phone = phone_at(doorway)
    phone.post(f"/s/{code.slug}/place", {"region": CHENGDU})
    assert "不选了，按我手机所在的地方" in phone.get(f"/s/{code.slug}/place").text
    phone.post(f"/s/{code.slug}/place", {"region": ""})
    assert "你好像在 广州" in words(phone.page(code.slug))
    assert name_of(phone.scan(code.slug)) == "粤群"
    assert "不选了" not in phone.get(f"/s/{code.slug}/place").text


def test_the_first_thing_somebody_does_may_be_to_choose(doorway: Doorway, code: LiveCode) -> None:
    phone = phone_at(doorway)
    answer = phone.post(f"/s/{code.slug}/place", json={"region": "510100"}).json
    assert (answer["outcome"], name_of(answer)) == ("assigned", "蓉群")
    assert phone.scan(code.slug)["outcome"] == "returning"


def test_a_choice_is_remembered_where_nobody_has_room(doorway: Doorway, code: LiveCode) -> None:
    world = doorway.world
    world.edit(code, region_policy="strict")
    for member in world.snapshot(code).members:
        if member.name == "蓉群":
            world.edit_member(member.id, capacity=1)
    assert name_of(doorway.phone().post(f"/s/{code.slug}/place", json={"region": CHENGDU}).json) == "蓉群"
    phone = phone_at(doorway)
    assert phone.post(f"/s/{code.slug}/place", {"region": CHENGDU}).status_code == 303
    page = words(phone.page(code.slug))
    assert "群都满了" in page and "你选的是 成都 · 换一个" in page
    phone.post(f"/s/{code.slug}/place", {"region": SHENZHEN})
    assert name_of(phone.scan(code.slug)) == "粤群"


@pytest.mark.parametrize("region", ["Atlantis", "CN/CN-XX", 7, ["CN"], "x" * 5000])
def test_a_place_that_is_none_is_refused(doorway: Doorway, code: LiveCode, region: Any) -> None:
    reply = doorway.phone().post(f"/s/{code.slug}/place", json={"region": region})
    assert reply.status_code in (413, 422)
    assert doorway.phone().post(f"/s/{code.slug}/place", {}).status_code == 422


def test_no_other_site_moves_a_visitor(doorway: Doorway, code: LiveCode) -> None:
    for path, data in (("place", {"region": CHENGDU}), ("position", {"lat": "23", "lon": "113"})):
        reply = doorway.phone().post(f"/s/{code.slug}/{path}", data, Origin="https://evil.example")
        assert reply.status_code == 403


def test_the_page_of_places_leads_to_every_city_without_a_script(doorway: Doorway, code: LiveCode) -> None:
    phone = phone_at(doorway)
    first = phone.get(f"/s/{code.slug}/place")
    assert first.headers["Cache-Control"] == "no-store" and "<script" not in first.text
    offered = set(re.findall(r'value="([^"]+)"', first.text))
    assert {GUANGDONG, CHENGDU, BEIJING, "HK", "MO", "TW"} <= offered
    below = re.findall(rf'href="(/s/{code.slug}/place\?in=[^"]+)"', first.text)
    for link in below:
        page = phone.get(link)
        assert page.status_code == 200 and len(page.data) < 15_000, link
        offered |= set(re.findall(r'value="?([^">]+)"?>', page.text))
        assert len(phone.get(link, Accept_Language="en").data) < 15_000, link
    everywhere = {key for key, region in REGIONS.items() if region.level in ("city", "country")} - {"CN"}
    assert everywhere <= offered and {province.key for province in children("CN")} <= offered
    assert len(first.data) < 15_000


def test_the_page_of_places_names_first_where_there_are_groups(doorway: Doorway, code: LiveCode) -> None:
    text = words(phone_at(doorway).get(f"/s/{code.slug}/place").text)
    assert re.search("这些地方有专属的群 广东 成都 其他省份", text)


def test_words_that_name_no_province_show_the_first_page(doorway: Doorway, code: LiveCode) -> None:
    for within in ("CN-BJ", "440100", "nowhere", "<script>", "CN", ""):
        page = phone_at(doorway).get(f"/s/{code.slug}/place?in={within}").text
        assert "其他省份" in page and "<script" not in page


def test_an_unknown_live_code_has_no_places(doorway: Doorway) -> None:
    assert doorway.phone().get("/s/zzzzzz/place").headers["Location"] == "/s/zzzzzz"
    assert doorway.phone().post("/s/zzzzzz/place", {"region": CHENGDU}).status_code == 404


def test_the_placement_and_the_choice_are_passed_on(doorway: Doorway, code: LiveCode) -> None:
    phone = phone_at(doorway)
    page = phone.get(f"/s/{code.slug}/place?c=7", Referer=f"http://localhost/s/{code.slug}?p=%E5%BA%97").text
    action = re.search(r'action="([^"]+)"', page)
    assert action and action[1] == f"/s/{code.slug}/place?p=%E5%BA%97&amp;c=7"
    assert f"/s/{code.slug}/place?in=CN-SC&amp;p=%E5%BA%97&amp;c=7" in page
    moved = phone.post(f"/s/{code.slug}/place?p=%E5%BA%97&c=7", {"region": CHENGDU})
    assert moved.headers["Location"] == f"/s/{code.slug}?p=%E5%BA%97&c=7"


def test_a_placement_knows_where_it_hangs_and_a_choice_beats_it(doorway: Doorway, code: LiveCode) -> None:
    doorway.world.placement(code, key="cd", region=CHENGDU)
    phone = phone_at(doorway)
    assert name_of(phone.get(f"/s/{code.slug}?p=cd", "application/json").json) == "蓉群"
    assert name_of(phone_at(doorway).get(f"/s/{code.slug}?p=gone", "application/json").json) == "粤群"
    phone.post(f"/s/{code.slug}/place?p=cd", {"region": SHENZHEN})
    assert name_of(phone.get(f"/s/{code.slug}?p=cd", "application/json").json) == "粤群"


def test_trials_say_where_they_stand_and_offer_nothing(doorway: Doorway, code: LiveCode) -> None:
    page = phone_at(doorway).page(f"{code.slug}?t={doorway.trial(code.slug)}")
    assert "你好像在 广州" in words(page) and "/place" not in page


# --- nearest


@pytest.fixture
def shops(doorway: Doorway) -> LiveCode:
    code = doorway.world.live_code(region_policy="nearest")
    doorway.world.member(code, public_name="北京店", latitude=39.9042, longitude=116.4074)
    doorway.world.member(code, public_name="广州店", latitude=23.1291, longitude=113.2644)
    return code


def test_a_phone_is_asked_where_it_is_by_a_button_that_says_why(doorway: Doorway, shops: LiveCode) -> None:
    reply = doorway.phone(SAFARI).get(f"/s/{shops.slug}")
    assert "用我的位置，找最近的一家" in reply.text and "位置只用这一次来比远近，不保存" in reply.text
    assert reply.headers["Permissions-Policy"] == "geolocation=(self)"
    assert len(reply.data) < 15_000


def test_no_other_page_may_ask_a_phone_where_it_is(doorway: Doorway, code: LiveCode) -> None:
    nowhere = doorway.world.live_code(region_policy="nearest")
    doorway.world.member(nowhere)
    for slug in (code.slug, nowhere.slug):
        reply = doorway.phone().get(f"/s/{slug}")
        assert reply.headers["Permissions-Policy"] == "geolocation=()" and "/position" not in reply.text
        refused = doorway.phone().post(f"/s/{slug}/position", json={"lat": 23.1, "lon": 113.2})
        assert (refused.status_code, refused.json["error"]["code"]) == (409, "asks_no_position")


def test_a_position_leads_to_the_nearest_and_is_written_nowhere(
    doorway: Doorway, shops: LiveCode, caplog: pytest.LogCaptureFixture
) -> None:
    phone = doorway.phone()
    assert name_of(phone.scan(shops.slug)) == "北京店"
    before = phone.cookie
    moved = phone.post(f"/s/{shops.slug}/position", {"lat": "22.5431", "lon": "114.0579"})
    assert moved.status_code == 303 and "22.5" not in str(moved.headers)
    assert phone.cookie != before
    assert name_of(phone.scan(shops.slug)) == "广州店"
    told = events(doorway) + caplog.text
    assert '"position"' in told and SHENZHEN in told and "22.5" not in told and "114.0" not in told
    doorway.world.check_books()


def test_without_a_position_the_address_decides(doorway: Doorway, shops: LiveCode) -> None:
    for member in doorway.world.snapshot(shops).members:
        doorway.world.edit_member(member.id, regions=[GUANGDONG if member.name == "广州店" else BEIJING])
    assert name_of(phone_at(doorway).scan(shops.slug)) == "广州店"


def test_who_is_too_far_from_everybody_keeps_what_they_have(doorway: Doorway, shops: LiveCode) -> None:
    for member in doorway.world.snapshot(shops).members:
        doorway.world.edit_member(member.id, radius_m=20_000)
    phone = doorway.phone()
    first = name_of(phone.scan(shops.slug))
    answer = phone.post(f"/s/{shops.slug}/position", json={"lat": 30.57, "lon": 104.06}).json
    assert (answer["outcome"], name_of(answer)) == ("returning", first)


@pytest.mark.parametrize(
    "sent",
    [
        {"lat": 91, "lon": 0},
        {"lat": "NaN", "lon": "1"},
        {"lat": "inf", "lon": "1"},
        {"lat": 0, "lon": 0},
        {"lat": None, "lon": 113},
        {"lat": True, "lon": 113},
        {"lat": [23], "lon": 113},
        {"lat": "2" * 400, "lon": 113},
        {"lon": 113},
        {},
    ],
)
def test_a_position_that_is_none_is_refused(doorway: Doorway, shops: LiveCode, sent: dict[str, Any]) -> None:
    reply = doorway.phone().post(f"/s/{shops.slug}/position", json=sent)
    assert (reply.status_code, reply.json["error"]["code"]) == (422, "invalid")


def test_a_position_is_json_in_and_out(doorway: Doorway, shops: LiveCode) -> None:
    answer = doorway.phone().post(f"/s/{shops.slug}/position", json={"lat": 23.1, "lon": 113.3}).json
    assert (answer["outcome"], name_of(answer)) == ("assigned", "广州店")
    assert json.dumps(answer).count("23.1") == 0

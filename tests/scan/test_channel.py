"""A 获客链接 is told where somebody came from, so that WeCom knows it too."""

from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from tests.scan.phone import CHROME, SAFARI, WECHAT, Doorway

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
LINK = "https://work.weixin.qq.com/ca/cawcde0123456789"


def channel_in(link: str) -> list[str]:
    return parse_qs(urlsplit(link).query).get("customer_channel", [])


def test_the_button_tells_the_placement_each_its_own(doorway: Doorway) -> None:
    code = doorway.world.live_code()
    doorway.world.member(code, target=LINK)
    for placement in ("gate", "hall", "gate"):
        page = doorway.phone(WECHAT).get(f"/s/{code.slug}?p={placement}").text
        assert f'href="{LINK}?customer_channel={placement}"' in page
    assert f'href="{LINK}"' in doorway.phone(WECHAT).get(f"/s/{code.slug}").text


def test_outside_wechat_the_app_s_own_link_tells_it_too(doorway: Doorway) -> None:
    code = doorway.world.live_code()
    doorway.world.member(code, target=LINK)
    page = doorway.phone(SAFARI).get(f"/s/{code.slug}?p=gate").text
    assert "weixin://biz/ww/profile/" in page
    href = page.split('href="weixin://biz/ww/profile/')[1].split('"')[0]
    assert unquote(href) == f"{LINK}?customer_channel=gate"


def test_a_live_code_that_redirects_sends_the_placement_along(doorway: Doorway) -> None:
    code = doorway.world.live_code(open="redirect")
    doorway.world.member(code, target=LINK)
    reply = doorway.phone(WECHAT).get(f"/s/{code.slug}?p=%E5%A4%A7%E9%97%A8")
    assert reply.status_code == 302
    assert channel_in(reply.headers["Location"]) == ["大门"]
    assert reply.headers["Location"].isascii()


def test_programs_are_told_the_same_link(doorway: Doorway) -> None:
    code = doorway.world.live_code()
    doorway.world.member(code, target=LINK)
    told = doorway.phone(WECHAT).get(f"/s/{code.slug}?p=gate", "application/json").json
    assert told["member"]["target_url"] == f"{LINK}?customer_channel=gate"


def test_without_a_placement_it_is_the_group_they_chose(doorway: Doorway) -> None:
    code = doorway.world.live_code(kind="grouped")
    choice = doorway.world.choice(code, title="母婴群", tag="母婴")
    doorway.world.member(code, choice_id=choice, target=LINK)
    phone = doorway.phone(WECHAT)
    phone.scan(code.slug)
    told = phone.post(f"/s/{code.slug}/choose", {"choice_id": choice}, accept="application/json").json
    assert channel_in(told["member"]["target_url"]) == ["母婴"]


def test_other_links_are_left_as_they_are(doorway: Doorway) -> None:
    code = doorway.world.live_code()
    doorway.world.member(code, target="https://example.com/join?a=1")
    assert 'href="https://example.com/join?a=1"' in doorway.phone(CHROME).get(f"/s/{code.slug}?p=gate").text

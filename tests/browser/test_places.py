"""Choosing a city and finding the nearest shop, as a phone does it: with scripts, without, and with a phone that will
not say where it is."""

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Phone
from tests.browser.world import PosterWorld

Phones = Callable[..., Phone]
BEIJING, GUANGZHOU = (39.9042, 116.4074), (23.1291, 113.2644)


@pytest.mark.parametrize("scripts", [True, False])
def test_another_city_is_three_taps_away_with_or_without_scripts(
    poster: PosterWorld, phone: Phones, scripts: bool
) -> None:
    code = poster.live_code(asks_city=True, title="亲子读书会")
    poster.member(code, public_name="大家群")
    poster.member(code, public_name="绵阳群", regions=["CN/CN-SC/510700"])
    guest = phone(java_script_enabled=scripts)
    page = guest.scan(code.slug)
    expect(page.get_by_text("大家群")).to_be_visible()
    page.get_by_role("link", name="选城市").click()
    page.get_by_role("link", name="四川").click()
    page.get_by_role("button", name="绵阳").click()
    expect(page.get_by_text("绵阳群")).to_be_visible()
    expect(page.get_by_text("你选的是 绵阳")).to_be_visible()
    page.get_by_role("link", name="换一个").click()
    page.get_by_role("button", name="不选了，按我手机所在的地方").click()
    expect(page.get_by_text("还不知道你在哪里")).to_be_visible()
    assert guest.said == []


@pytest.mark.parametrize("width", [360, 1280])
def test_the_page_of_places_fits_and_its_buttons_are_large_enough(
    poster: PosterWorld, phone: Phones, width: int
) -> None:
    code = poster.live_code(asks_city=True)
    poster.member(code)
    guest = phone(viewport={"width": width, "height": 780}, is_mobile=False)
    guest.scan(code.slug)
    for path in ("place", "place?in=CN-XJ", "place?in=abroad"):
        page = guest.page
        page.goto(f"{guest.url}/s/{code.slug}/{path}")
        assert page.evaluate("document.documentElement.scrollWidth") == width
        heights = page.locator(".picks > *, select").evaluate_all("all => all.map(e => e.offsetHeight)")
        assert heights and min(heights) >= 44
    assert guest.said == []


def shops(poster: PosterWorld) -> str:
    code = poster.live_code(region_policy="nearest")
    for name, (latitude, longitude) in (("北京店", BEIJING), ("广州店", GUANGZHOU)):
        poster.member(code, public_name=name, latitude=latitude, longitude=longitude)
    return code.slug


def test_a_phone_that_says_where_it_is_gets_the_nearest(poster: PosterWorld, phone: Phones) -> None:
    here = {"latitude": 23.05, "longitude": 113.4, "accuracy": 50}
    guest = phone(geolocation=here, permissions=["geolocation"])
    page = guest.scan(shops(poster))
    expect(page.get_by_text("北京店")).to_be_visible()
    expect(page.get_by_text("位置只用这一次来比远近，不保存")).to_be_visible()
    page.get_by_role("button", name="用我的位置，找最近的一家").click()
    expect(page.get_by_text("广州店")).to_be_visible()
    assert "23.05" not in page.url and guest.said == []
    page.reload()
    expect(page.get_by_text("广州店")).to_be_visible()


def test_a_phone_that_says_no_keeps_the_code_of_its_area(poster: PosterWorld, phone: Phones) -> None:
    guest = phone(permissions=[])
    page = guest.scan(shops(poster))
    page.get_by_role("button", name="用我的位置，找最近的一家").click()
    expect(page.get_by_text("没拿到位置，先按你所在的地区给你这一家")).to_be_visible(timeout=6000)
    expect(page.locator("img")).to_be_visible()
    assert guest.asked_for("/position") == []


def test_a_phone_that_takes_its_time_is_told_so_after_three_seconds_and_may_still_say_yes(
    poster: PosterWorld, phone: Phones
) -> None:
    guest = phone()
    guest.page.add_init_script(
        "navigator.geolocation.getCurrentPosition = (found) => setTimeout("
        "() => found({coords: {latitude: 23.05, longitude: 113.4}}), 4500)"
    )
    page = guest.scan(shops(poster))
    page.get_by_role("button", name="用我的位置，找最近的一家").click()
    expect(page.get_by_text("正在定位…")).to_be_visible()
    expect(page.get_by_text("没拿到位置")).to_be_visible(timeout=4000)
    expect(page.get_by_text("广州店")).to_be_visible(timeout=6000)


def test_without_scripts_nobody_is_offered_a_button_that_does_nothing(poster: PosterWorld, phone: Phones) -> None:
    page = phone(java_script_enabled=False).scan(shops(poster))
    expect(page.locator("img")).to_be_visible()
    expect(page.get_by_text("用我的位置")).to_be_hidden()

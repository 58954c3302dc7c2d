"""Scanning as a phone sees it: the landing page in Chromium, against the service as it runs for real."""

import http.server
import io
import re
import threading
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest
import zxingcpp
from PIL import Image
from playwright.sync_api import expect

from tests.browser.conftest import Phone
from tests.browser.world import PosterWorld
from tests.scan.phone import CHROME, GOOGLEBOT, SAFARI, WECHAT

Phones = Callable[..., Phone]


def read(picture: bytes) -> list[str]:
    """Every code that can be seen in a screenshot, as WeChat reads a long-pressed screen."""
    return [found.text for found in zxingcpp.read_barcodes(Image.open(io.BytesIO(picture)))]


def source(phone: Phone) -> str | None:
    return phone.page.locator("img").get_attribute("src")


def test_one_code_on_the_first_screen_and_it_can_be_read(poster: PosterWorld, phone: Phones) -> None:
    code = poster.live_code(title="福利群", notice="每周六上午十点")
    poster.member(code, target="https://weixin.qq.com/g/AwYAAread", public_name="广州福利群")
    guest = phone()
    page = guest.scan(code.slug)
    expect(page.get_by_text("长按下方二维码 → 识别 → 加入群聊")).to_be_visible()
    assert page.locator("img").count() == 1
    assert page.locator("img").evaluate("i => i.complete && i.naturalWidth > 0")
    box = page.locator("img").bounding_box()
    assert box is not None
    assert min(box["width"], box["height"]) >= 240
    assert box["y"] + box["height"] <= 780
    assert read(page.screenshot()) == ["https://weixin.qq.com/g/AwYAAread"]
    assert guest.said == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 360, 1280])
def test_the_code_can_be_read_at_any_width_and_in_the_dark(
    poster: PosterWorld, phone: Phones, scheme: str, width: int
) -> None:
    code = poster.live_code(title="一个比较长的标题：周末亲子读书会广州站")
    poster.member(code, target="https://weixin.qq.com/g/AwYAAdark")
    size = {"width": width, "height": 780}
    page = phone(viewport=size, color_scheme=scheme, is_mobile=False, user_agent=SAFARI).scan(code.slug)
    assert read(page.screenshot()) == ["https://weixin.qq.com/g/AwYAAdark"]
    assert page.evaluate("document.documentElement.scrollWidth") == width


@pytest.mark.parametrize(("user_agent", "is_app"), [(WECHAT, True), (SAFARI, False)])
def test_nothing_is_asked_of_another_host_and_little_of_ours(
    poster: PosterWorld, phone: Phones, user_agent: str, is_app: bool
) -> None:
    code = poster.live_code()
    poster.member(code)
    guest = phone(user_agent=user_agent)
    guest.scan(code.slug).wait_for_load_state("networkidle")
    assert guest.hosts() == {urlsplit(guest.url).netloc}
    paths = [urlsplit(line.split(" ", 1)[1]).path for line in guest.asked]
    home = f"/s/{code.slug}"
    assert [re.sub(r"[0-9a-f]{32}", "#", path) for path in paths] == [home, "/m/#.png"] + [home + "/fresh"] * is_app


def test_a_long_press_is_told_exactly_once(poster: PosterWorld, phone: Phones) -> None:
    code = poster.live_code()
    member = poster.member(code)
    guest = phone()
    page = guest.scan(code.slug)
    with page.expect_response("**/press") as told:
        guest.hold(900)
    assert told.value.status == 204
    guest.hold(900)
    page.wait_for_timeout(300)
    assert len(guest.asked_for("/press")) == 1
    assert poster.counts(code)[member].pressed == 1
    assert guest.said == []


def test_a_press_is_told_while_the_finger_still_rests(poster: PosterWorld, phone: Phones) -> None:
    code = poster.live_code()
    poster.member(code)
    guest = phone()
    page = guest.scan(code.slug)
    fingers = guest.context.new_cdp_session(page)
    with page.expect_request("**/press"):
        guest.finger_down(fingers)
    guest.finger_up(fingers)


def test_a_tap_and_a_scroll_are_no_press(poster: PosterWorld, phone: Phones) -> None:
    code = poster.live_code(notice="长" * 400)
    poster.member(code)
    guest = phone()
    page = guest.scan(code.slug)
    guest.tap_for(150)
    guest.hold(800, moving_by=60)
    page.wait_for_timeout(700)
    assert guest.asked_for("/press") == []


def test_a_mouses_right_button_counts_as_a_press(poster: PosterWorld, phone: Phones) -> None:
    code = poster.live_code()
    member = poster.member(code)
    guest = phone(user_agent=CHROME, has_touch=False, is_mobile=False, viewport={"width": 1280, "height": 800})
    page = guest.scan(code.slug)
    with page.expect_response("**/press"):
        page.locator(".code").click(button="right")
    assert poster.counts(code)[member].pressed == 1


def test_coming_back_after_a_swap_shows_the_new_code(poster: PosterWorld, phone: Phones) -> None:
    code = poster.live_code()
    member = poster.member(code)
    guest = phone(user_agent=SAFARI)
    page = guest.scan(f"{code.slug}?p=door")
    before = source(guest)
    poster.swap(member)
    with page.expect_navigation():
        guest.come_back()
    after = source(guest)
    assert after != before
    assert page.url.startswith(f"{guest.url}/s/{code.slug}?p=door&r=")
    page.wait_for_timeout(3100)
    guest.come_back()
    page.wait_for_timeout(500)
    assert source(guest) == after
    assert len(guest.asked_for(f"/s/{code.slug}")) == 2
    assert guest.said == []


def test_coming_back_when_nothing_changed_changes_nothing(poster: PosterWorld, phone: Phones) -> None:
    code = poster.live_code()
    poster.member(code)
    guest = phone(user_agent=SAFARI)
    page = guest.scan(code.slug)
    for _ in range(5):
        guest.come_back()
    page.wait_for_timeout(500)
    assert len(guest.asked_for("/fresh")) == 1
    assert len(guest.asked_for(f"/s/{code.slug}")) == 1


def test_the_code_under_a_finger_is_never_exchanged(poster: PosterWorld, phone: Phones) -> None:
    code = poster.live_code()
    member = poster.member(code)
    guest = phone(user_agent=SAFARI)
    page = guest.scan(code.slug)
    before = source(guest)
    fingers = guest.context.new_cdp_session(page)
    guest.finger_down(fingers)
    poster.swap(member)
    guest.come_back()
    page.wait_for_timeout(700)
    assert source(guest) == before
    guest.finger_up(fingers)
    with page.expect_navigation():
        guest.come_back()
    assert source(guest) != before


def test_an_apps_old_copy_of_the_page_is_asked_for_anew(poster: PosterWorld, phone: Phones) -> None:
    """In-app browsers serve a page from their cache in spite of no-store."""
    code = poster.live_code()
    member = poster.member(code)
    guest = phone()
    page = guest.scan(code.slug)
    before, old = source(guest), page.content()
    poster.swap(member)
    page.route(re.compile(rf"/s/{code.slug}$"), lambda route: route.fulfill(body=old, content_type="text/html"))
    page.goto(f"{guest.url}/s/{code.slug}")
    page.wait_for_url("**?r=*")
    assert source(guest) != before


def test_a_cache_that_will_not_let_go_is_asked_once(poster: PosterWorld, phone: Phones) -> None:
    code = poster.live_code()
    member = poster.member(code)
    guest = phone()
    page = guest.scan(code.slug)
    old = page.content()
    poster.swap(member)
    page.route(re.compile(rf"/s/{code.slug}(\?.*)?$"), lambda route: route.fulfill(body=old, content_type="text/html"))
    guest.asked.clear()
    page.goto(f"{guest.url}/s/{code.slug}")
    page.wait_for_url("**?r=*")
    page.wait_for_timeout(1000)
    assert len(guest.asked_for(f"/s/{code.slug}")) == 2


def test_everything_works_without_scripts(poster: PosterWorld, phone: Phones) -> None:
    code = poster.live_code()
    poster.member(code, target="https://weixin.qq.com/g/AwYAAfirst")
    poster.member(code, target="https://weixin.qq.com/g/AwYAAsecond")
    page = phone(java_script_enabled=False).scan(code.slug)
    assert read(page.screenshot()) == ["https://weixin.qq.com/g/AwYAAfirst"]
    page.get_by_text("进不了群？换一个").click()
    page.get_by_role("button", name="群满了").click()
    expect(page).to_have_url(re.compile(rf"/s/{code.slug}$"))
    assert read(page.screenshot()) == ["https://weixin.qq.com/g/AwYAAsecond"]


def test_a_choice_is_made_by_a_tap(poster: PosterWorld, phone: Phones) -> None:
    code = poster.live_code(kind="grouped")
    skin, baby = poster.choice(code, title="护肤", description="成分党"), poster.choice(code, title="母婴")
    poster.member(code, choice_id=skin, target="https://weixin.qq.com/g/AwYAAskin")
    poster.member(code, choice_id=baby, target="https://weixin.qq.com/g/AwYAAbaby", capacity=2)
    guest = phone(java_script_enabled=False)
    page = guest.scan(f"{code.slug}?p=door")
    assert page.locator("img").count() == 0
    page.get_by_role("button", name="母婴 还剩 2 个名额").tap()
    expect(page).to_have_url(f"{guest.url}/s/{code.slug}?p=door")
    assert read(page.screenshot()) == ["https://weixin.qq.com/g/AwYAAbaby"]
    assert "上次" not in page.content()


def test_a_page_fetched_ahead_becomes_a_scan_when_it_is_looked_at(poster: PosterWorld, phone: Phones) -> None:
    code = poster.live_code()
    poster.member(code, target="https://weixin.qq.com/g/AwYAAahead")
    guest = phone()
    guest.page.route(
        re.compile(rf"/s/{code.slug}$"),
        lambda route: route.continue_(headers={**route.request.headers, "purpose": "prefetch"}),
    )
    guest.scan(code.slug)
    guest.page.wait_for_url("**?r=ahead")
    expect(guest.page.locator(".code")).to_be_visible()
    assert read(guest.page.screenshot()) == ["https://weixin.qq.com/g/AwYAAahead"]


def test_a_person_taken_for_a_robot_presses_the_button(poster: PosterWorld, phone: Phones) -> None:
    code = poster.live_code()
    member = poster.member(code)
    guest = phone(user_agent=GOOGLEBOT)
    page = guest.scan(code.slug)
    assert page.locator("img").count() == 0
    assert poster.counted(code, member) == 0
    page.get_by_role("button", name="看二维码").click()
    expect(page.locator(".code")).to_be_visible()
    assert poster.counted(code, member) == 1


def test_a_link_that_wechat_blocks_can_be_copied(poster: PosterWorld, phone: Phones) -> None:
    code = poster.live_code()
    poster.member(code, target="https://t.me/+AbCdEfGhIj")
    guest = phone()
    page = guest.scan(code.slug)
    page.get_by_role("button", name="复制链接").tap()
    expect(page.get_by_role("button", name="复制好了")).to_be_visible()
    assert page.evaluate("String(getSelection())") == "https://t.me/+AbCdEfGhIj"
    assert guest.said == []


@pytest.fixture
def elsewhere() -> Iterator[str]:
    """Another site, to be led to."""

    class Site(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"<title>another site</title>")

        def log_message(self, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://localhost:{server.server_port}/join"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_choice_may_lead_straight_to_another_site(poster: PosterWorld, phone: Phones, elsewhere: str) -> None:
    """Chrome holds a form's policy against where its answer redirects to: it must not stand in the way."""
    code = poster.live_code(kind="grouped", open="redirect")
    skin, baby = poster.choice(code, title="护肤"), poster.choice(code, title="母婴")
    poster.member(code, choice_id=skin)
    poster.member(code, choice_id=baby, target=elsewhere)
    guest = phone(user_agent=SAFARI)
    page = guest.scan(code.slug)
    page.get_by_role("button", name="母婴").tap()
    page.wait_for_url(elsewhere)
    assert page.title() == "another site"
    assert guest.said == []


def test_english_phones_read_english(poster: PosterWorld, phone: Phones) -> None:
    code = poster.live_code()
    poster.member(code)
    page = phone(locale="en-GB", user_agent=SAFARI).scan(code.slug)
    assert page.locator("html").get_attribute("lang") == "en"
    assert "③\u00a0Pick\u00a0it\u00a0from\u00a0the\u00a0album" in page.inner_text(".how")


def test_names_that_turn_the_text_turn_only_themselves(poster: PosterWorld, phone: Phones) -> None:
    code = poster.live_code(title="<b>福利</b>群")
    poster.member(code, public_name="\u202e反向")
    guest = phone()
    guest.scan(code.slug)
    page = guest.scan(code.slug)
    assert page.inner_text("h1") == "<b>福利</b>群"
    assert page.locator("h1 b").count() == 0
    isolated = page.locator("bdi").first.evaluate("e => getComputedStyle(e).unicodeBidi")
    assert isolated == "isolate"


def test_a_finger_finds_every_button(poster: PosterWorld, phone: Phones) -> None:
    code = poster.live_code(contact_phone="020-8888 6666", contact_url="https://example.com/kf")
    poster.member(code, capacity=1)
    phone().scan(code.slug)
    page = phone().scan(code.slug)
    expect(page.get_by_text("群都满了，新群马上开。")).to_be_visible()
    for button in page.locator("a, button, summary").all():
        box = button.bounding_box()
        assert box is not None
        assert box["height"] >= 44
        assert box["width"] >= 44

"""A page's bytes: small, safe, alone on its host, and kept within bounds."""

import re
from base64 import b64encode
from hashlib import sha256
from typing import Any

from app.scan.page import NEAR_SCRIPT, PAGES, SCRIPT, STYLE, Card, Pages, Reach, Stuck, View, Where, render
from tests import make

FULLEST: dict[str, Any] = {
    "token": "m1.1.1",
    "notice": "注" * 500,
    "paint": "body{--brand:#7a1f3d;--on-brand:#fff}",
    "bar": "测试 · 不占名额",
    "message": "这是你上次领到的「" + "群" * 100 + "」",
    "how": "① 保存图片　② 打开微信扫一扫　③ 从相册选这张图",
    "image": "/m/ab.png",
    "alt": "码" * 100,
    "copy": "https://t.me/" + "a" * 200,
    "saves": True,
    "press": True,
    "stuck": Stuck("进不了群？换一个", "群满了", False),
    "contact": Reach("联系客服", "文" * 100, "tel:1", "拨打 1", "https://example.com", "打开"),
    "footer": "脚",
    "where": Where("你好像在 " + "地" * 20, "换一个"),
    "finds": True,
}


def view(**more: Any) -> View:
    return View("zh", "/s/k3f9qa", **({"title": "福利群", "token": "m1.1.1", "image": "/m/ab.png"} | more))


def policy(page_view: View) -> str:
    return dict(render(page_view).headers)["Content-Security-Policy"]


def test_the_fullest_page_stays_under_15_kilobytes() -> None:
    assert len(render(view(title="题" * 100, **FULLEST)).body) < 15_000


def test_a_page_of_twenty_choices_stays_under_15_kilobytes() -> None:
    cards = tuple(Card(n, "组" * 12, "述" * 24, "还有名额", False, None) for n in range(20))
    assert len(render(view(image=None, asks=True, choices=cards, message="你想进哪个群？")).body) < 15_000


def test_the_script_is_under_3_kilobytes() -> None:
    assert len(SCRIPT.encode()) < 3_000 and len(NEAR_SCRIPT.encode()) < 1_000


def test_script_and_style_run_by_their_hashes_alone() -> None:
    paint = "body{--brand:#7a1f3d;--on-brand:#fff}"
    for one in (view(), view(paint=paint), view(paint=paint, finds=True), view(where=Where("你好像在 广州", ""))):
        page = render(one).body.decode()
        inline = [re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL) for tag in ("style", "script")]
        assert [len(inline[0]), len(inline[1])] == [1 + bool(one.paint) + one.is_placed, 1 + one.finds]
        directives = dict(part.strip().split(" ", 1) for part in policy(one).split(";"))
        for name, blocks in zip(("style-src", "script-src"), inline, strict=True):
            hashes = [f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'" for text in blocks]
            assert directives[name] == " ".join(hashes)


def test_nothing_comes_from_or_goes_to_another_host() -> None:
    told = policy(view())
    assert "unsafe" not in told
    assert told.startswith("default-src 'none'; img-src 'self'")
    for directive in ("connect-src 'self'", "form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'"):
        assert directive in told
    page = render(view()).body.decode()
    assert re.findall(r"(?:https?:)?//[a-z]", page.replace(SCRIPT, "")) == []
    assert "data:" not in page


def test_a_live_code_that_opens_links_lets_its_forms_lead_there() -> None:
    assert "form-action 'self' https: http:" in policy(view(leaves=True))


def test_every_page_asks_not_to_be_kept_indexed_or_framed() -> None:
    page = render(view())
    headers = dict(page.headers)
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Vary"] == "Accept, Accept-Language, Cookie, User-Agent"
    assert int(headers["Content-Length"]) == len(page.body)
    assert b'<meta name="robots" content="noindex">' in page.body


def test_comments_stay_at_home() -> None:
    assert not re.search(r"^\s*//", SCRIPT, re.MULTILINE)
    assert "/*" not in STYLE


def test_a_page_without_anything_to_do_carries_no_script() -> None:
    assert b"<script" not in render(view(token="", image=None)).body


def test_a_view_is_rendered_once() -> None:
    pages = Pages(lambda: make.NOW)
    assert pages.page(view()) is pages.page(view())
    assert pages.page(view()) is not pages.page(view(title="另一个"))


def test_a_key_makes_its_view_once() -> None:
    made = []

    def make_view() -> View:
        made.append(1)
        return view()

    pages = Pages(lambda: make.NOW)
    assert pages.page_by("key", make_view) is pages.page_by("key", make_view)
    assert made == [1]
    pages.page_by(None, make_view)
    pages.page_by(None, make_view)
    assert made == [1, 1, 1]


def test_kept_pages_are_bounded() -> None:
    pages = Pages(lambda: make.NOW, limit=3)
    first = pages.page_by(0, lambda: view(title="0"))
    for number in range(1, 10):
        pages.page_by(number, lambda number=number: view(title=str(number)))
    assert len(pages._kept) <= 3
    assert len(pages._by_key) <= 3
    assert pages.page_by(0, lambda: view(title="0")) is not first
    assert PAGES >= 1000


def test_the_page_used_last_is_kept_longest() -> None:
    pages = Pages(lambda: make.NOW, limit=2)
    first = pages.page(view(title="0"))
    pages.page(view(title="1"))
    pages.page(view(title="0"))
    pages.page(view(title="2"))
    assert pages.page(view(title="0")) is first


def test_a_trials_page_is_not_kept() -> None:
    pages = Pages(lambda: make.NOW)
    assert pages.page(view(trial="token")) is not pages.page(view(trial="token"))


def test_half_a_surrogate_in_a_title_breaks_nothing() -> None:
    assert "福?利".encode() in render(view(title="福\ud800利")).body

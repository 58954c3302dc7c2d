"""How somebody gets in: by the member's kind, the app that shows the page, and the phone."""

from typing import Any

import pytest

from app.rules.regions import Place
from app.scan.answer import Scanner
from app.scan.page import View
from app.scan.way_in import way_in
from tests import make

LINKS = {
    "wechat_group": make.group_url(1),
    "wechat_personal": make.personal_url(1),
    "wecom_group": "https://work.weixin.qq.com/gm/0123456789abcdef0123456789abcdef",
    "wecom_contact": "https://work.weixin.qq.com/u/vc0123456789abcdef",
    "wecom_acquisition": "https://work.weixin.qq.com/ca/cawcde0123456789",
    "wecom_service": "https://work.weixin.qq.com/kfid/kfc0123456789",
    "wechat_official": "https://weixin.qq.com/r/abcdef",
    "qq_group": "https://qm.qq.com/q/AbCdEf1234",
    "dingtalk_group": "https://qr.dingtalk.com/action/joingroup?code=v1,k1,abc",
    "feishu_group": "https://applink.feishu.cn/client/chat/chatter/add_by_link?link_token=abc",
    "telegram_group": "https://t.me/+AbCdEfGhIjKlMnOp",
    "whatsapp_group": "https://chat.whatsapp.com/AbCdEfGhIjKl",
    "line_group": "https://line.me/ti/g/AbCdEf",
    "discord_server": "https://discord.gg/AbCdEf",
    "other_url": "https://example.com/join?a=1&b=2",
}


def seen(kind: str, app: str = "browser", device: str = "ios", language: str = "zh") -> View:
    scanner = Scanner("v" * 22, False, Place.UNKNOWN, language, device=device, app=app)
    return way_in(View(language, "/s/k3f9qa", "title"), make.member(kind=kind, target_url=LINKS[kind]), scanner)


@pytest.mark.parametrize(
    ("kind", "how"),
    [
        ("wechat_group", "长按下方二维码 → 识别 → 加入群聊"),
        ("wecom_group", "长按下方二维码 → 识别 → 加入群聊"),
        ("wechat_personal", "长按下方二维码 → 识别 → 添加好友"),
        ("wecom_contact", "长按下方二维码 → 识别 → 添加好友"),
        ("wechat_official", "长按下方二维码 → 识别 → 关注"),
    ],
)
@pytest.mark.parametrize("app", ["wechat", "wecom"])
def test_inside_wechat_a_code_is_pressed(kind: str, how: str, app: str) -> None:
    view = seen(kind, app)
    assert view.how == how
    assert (view.button, view.copy, view.saves) == (None, None, False)


def test_elsewhere_on_a_phone_the_picture_is_saved_and_wechat_opened() -> None:
    view = seen("wechat_group", device="android")
    assert view.how == "① 保存图片　② 打开微信扫一扫　③ 从相册选这张图"
    assert (view.saves, view.app_href, view.app_label) == (True, "weixin://", "打开微信")


def test_an_iphone_is_told_that_a_press_saves_the_picture() -> None:
    assert seen("wechat_group").save_hint == "长按图片也能存到相册"
    assert seen("wechat_group", device="android").save_hint == ""


@pytest.mark.parametrize("kind", ["wechat_group", "wecom_acquisition", "wecom_service"])
@pytest.mark.parametrize("app", ["browser", "wechat"])
def test_at_a_desk_the_phone_is_taken_out(kind: str, app: str) -> None:
    view = seen(kind, app, "desktop")
    assert view.how == "拿起手机，用微信扫一扫下面的码"
    assert (view.button, view.saves) == (None, False)


@pytest.mark.parametrize(
    ("kind", "label"),
    [("wecom_acquisition", "点这里添加好友"), ("wecom_service", "点这里咨询客服")],
)
def test_links_of_wecom_open_inside_wechat(kind: str, label: str) -> None:
    button = seen(kind, "wechat").button
    assert button is not None
    assert (button.href, button.label) == (LINKS[kind], label)


def test_an_acquisition_link_opens_wechat_from_any_browser() -> None:
    href = seen("wecom_acquisition").app_href
    assert href == "weixin://biz/ww/profile/https%3A%2F%2Fwork.weixin.qq.com%2Fca%2Fcawcde0123456789"


@pytest.mark.parametrize(
    ("kind", "label"),
    [
        ("qq_group", "打开 QQ 加入群聊"),
        ("dingtalk_group", "打开钉钉加入群聊"),
        ("feishu_group", "打开飞书加入群聊"),
        ("telegram_group", "打开 Telegram 加入群聊"),
        ("whatsapp_group", "打开 WhatsApp 加入群聊"),
        ("line_group", "打开 LINE 加入群聊"),
        ("discord_server", "打开 Discord 加入群聊"),
        ("other_url", "点这里打开"),
    ],
)
@pytest.mark.parametrize("device", ["ios", "android", "desktop"])
def test_links_that_open_by_themselves_have_a_button(kind: str, label: str, device: str) -> None:
    button = seen(kind, device=device).button
    assert button is not None
    assert (button.href, button.label) == (LINKS[kind], label)


@pytest.mark.parametrize(
    "kind",
    ["qq_group", "dingtalk_group", "feishu_group", "telegram_group", "whatsapp_group", "line_group", "discord_server"],
)
def test_inside_wechat_other_apps_links_are_copied(kind: str) -> None:
    view = seen(kind, "wechat")
    assert (view.copy, view.button) == (LINKS[kind], None)
    assert view.how == "在微信里打不开这个链接：复制后到浏览器里打开"


def test_a_web_link_opens_inside_wechat_too() -> None:
    assert seen("other_url", "wechat").button is not None


def test_inside_its_own_app_a_group_is_tapped() -> None:
    button = seen("qq_group", "qq").button
    assert button is not None
    assert button.label == "点这里加入群聊"


@pytest.mark.parametrize("target", ["", "javascript:alert(1)", "wxp://f2f0abc", "plain words"])
def test_what_is_no_link_gets_no_button(target: str) -> None:
    member = make.member(kind="other_url", target_url=target)
    scanner: Any = Scanner("v" * 22, False, Place.UNKNOWN, "zh", device="ios", app="wechat")
    view = way_in(View("zh", "/s/k3f9qa", "title"), member, scanner)
    assert (view.button, view.copy) == (None, None)


def test_a_link_of_an_app_is_opened_by_its_web_form() -> None:
    member = make.member(kind="telegram_group", target_url="tg://join?invite=AbCdEf")
    scanner = Scanner("v" * 22, False, Place.UNKNOWN, "en", device="ios", app="browser")
    button = way_in(View("en", "/s/k3f9qa", "title"), member, scanner).button
    assert button is not None
    assert (button.href, button.label) == ("https://t.me/+AbCdEf", "Open Telegram and join")

from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.rules.kinds import (
    CHANNEL_BYTES,
    KINDS,
    MAX_LINK_LENGTH,
    BadTarget,
    Kind,
    ascii_form,
    canonical,
    classify,
    openable,
    with_channel,
)

EXAMPLES = [
    ("wechat_group", "https://weixin.qq.com/g/AwYAAyGcFRl1SPnXNYvMIHa_2o76umfXfKm_r5kJP1VrT-1FJors_6ILi8IHn5kx"),
    ("wechat_group", "http://weixin.qq.com/g/AwYAAKiayB3cw7B4"),
    ("wechat_personal", "https://u.wechat.com/MI93QDXFJOpeGcisVu0jU44?s=2"),
    ("wecom_group", "https://work.weixin.qq.com/gm/645a80d5282639fa798b1310582d67fa"),
    ("wecom_group", "https://work.weixin.qq.com/wework_admin/external_room/join/exceed?vcode=1"),
    ("wecom_contact", "https://work.weixin.qq.com/u/vc74fbfb167df61a12?v=5.0.5.55779&bb=3f4534c496"),
    ("wecom_acquisition", "https://work.weixin.qq.com/ca/cawcde758af8d62014?customer_channel=CH917"),
    ("wecom_service", "https://work.weixin.qq.com/kfid/kfc0123456789abcdef"),
    ("wechat_official", "https://weixin.qq.com/r/abcDEF_1"),
    ("wechat_official", "http://we.qq.com/d/AQCz"),
    ("qq_group", "https://qm.qq.com/q/aBcDeF1234"),
    ("qq_group", "https://qm.qq.com/cgi-bin/qm/qr?_wv=1027&k=abc-DEF&noverify=0"),
    ("qq_group", "https://jq.qq.com/?_wv=1027&k=5abcd"),
    ("dingtalk_group", "https://qr.dingtalk.com/action/joingroup?code=v1,k1,abc=&_dt_no_comment=1"),
    ("feishu_group", "https://applink.feishu.cn/client/chat/chatter/add_by_link?link_token=1ab-2"),
    ("feishu_group", "https://applink.larkoffice.com/client/chat/chatter/add_by_link?link_token=1ab-2"),
    ("telegram_group", "https://t.me/+AbCdEf123_-"),
    ("telegram_group", "https://t.me/joinchat/AbCdEf"),
    ("telegram_group", "tg://join?invite=AbCdEf"),
    ("whatsapp_group", "https://chat.whatsapp.com/AbCdEfGhIjK"),
    ("line_group", "https://line.me/ti/g/abcDEF"),
    ("line_group", "https://line.me/ti/g2/abc-DEF_1?utm_source=x"),
    ("line_group", "https://line.me/R/ti/g/abcDEF"),
    ("discord_server", "https://discord.gg/abcDEF"),
    ("discord_server", "https://discord.com/invite/abcDEF"),
    ("other_url", "https://example.com/x?y=1"),
    ("other_url", "http://192.168.1.5:8080/"),
    ("other_url", "http://[::1]:8000/a"),
    ("other_url", "https://例子.cn/活动"),
]


def key_of(text: str) -> str:
    found = classify(text)
    return found.key if isinstance(found, Kind) else found.code


@pytest.mark.parametrize(("key", "text"), EXAMPLES)
def test_every_kind_is_known_by_its_link(key: str, text: str) -> None:
    assert key_of(text) == key


def test_the_table_holds_the_fifteen_kinds_of_the_contract() -> None:
    assert list(KINDS) == [
        "wechat_group", "wechat_personal", "wecom_group", "wecom_contact", "wecom_acquisition", "wecom_service",
        "wechat_official", "qq_group", "dingtalk_group", "feishu_group", "telegram_group", "whatsapp_group",
        "line_group", "discord_server", "other_url",
    ]  # fmt: skip
    assert {key for key, _ in EXAMPLES} == set(KINDS)


def test_groups_of_wechat_and_wecom_hold_195_and_others_have_no_default() -> None:
    assert {key: kind.default_capacity for key, kind in KINDS.items() if kind.default_capacity is not None} == {
        "wechat_group": 195,
        "wecom_group": 195,
    }


def test_only_a_wechat_group_code_expires_by_itself_after_seven_days_less_two_hours() -> None:
    assert {key: kind.lifetime_hours for key, kind in KINDS.items() if kind.lifetime_hours is not None} == {
        "wechat_group": 7 * 24 - 2
    }


def test_a_kind_is_a_group_or_a_contact_but_never_both() -> None:
    assert not [key for key, kind in KINDS.items() if kind.is_group and kind.is_contact]
    assert {key for key, kind in KINDS.items() if kind.is_group} == {key for key in KINDS if key.endswith("_group")} | {
        "discord_server"
    }


def test_codes_that_need_a_long_press_do_not_open_by_themselves() -> None:
    by_hand = {key for key, kind in KINDS.items() if not kind.opens_by_itself}
    assert by_hand == {"wechat_group", "wechat_personal", "wecom_group", "wecom_contact", "wechat_official"}
    assert {key for key, kind in KINDS.items() if kind.needs_wechat and kind.blocked_in_wechat} == set()


def test_every_kind_has_a_chinese_and_an_english_name() -> None:
    assert len({kind.name_zh for kind in KINDS.values()}) == len({kind.name_en for kind in KINDS.values()}) == 15


@pytest.mark.parametrize(
    "text",
    [
        "wxp://f2f0abc",
        "WXP://f2f0abc",
        "https://wx.tenpay.com/cgi-bin/x",
        "https://qr.alipay.com/fkx123",
        "HTTPS://QR.ALIPAY.COM/FKX123",
        "https://QR.alipay.com:443/fkx",
        "https://qr.alipay.com./fkx",
        "https://ｑｒ.alipay.com/fkx",
        "https://qr.alipay。com/fkx",
        "alipays://platformapi/startapp?appId=1",
        "weixin://wxpay/bizpayurl?pr=abc",
        "https://qr.95516.com/00010000/123",
        "00020101021126580014A0000006",
        "bitcoin:1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",
    ],
)
def test_a_payment_code_is_told_apart(text: str) -> None:
    assert classify(text) == BadTarget("payment_code")


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "群满了找我",
        "MECARD:N:Sean Owen;TEL:+12125658770;;",
        "example.com/a",
        "//example.com/a",
        "https:///g/abc",
        "https://",
        "http://.",
        "http://a..b/",
        "http://-a.com/",
        "http://[::g]/",
        "http://[::1/",
        "http://x:99999/",
        "http://x:abc/",
        "https://user:secret@example.com/",
        "https://weixin.qq.com@evil.cn/g/abc",
        "https://weixin.qq.com\\@evil.cn/g/abc",
        "https://%77eixin.qq.com/g/abc",
        "https://" + "a" * 70 + "é.cn/",
        "javascript:alert(1)",
        "JavaScript:alert(1)//https://weixin.qq.com/g/abc",
        "data:text/html,<b>x</b>",
        "weixin://dl/chat?x",
        "tg://resolve?domain=x",
        "tg://join?invite=",
        "tg://join?invite=a/b",
        "ftp://example.com/x",
        "mailto:a@example.com",
        " https://weixin.qq.com/g/abc",
        "https://weixin.qq.com/g/abc\n",
        "https://weixin.qq.com/g/a bc",
        "https://weixin.qq.com/g/\x00abc",
        "https://weixin.qq.com/g/abc\u202e",
        "https://wei\u200bxin.qq.com/g/abc",
        "https://example.com/\ud800",
        'https://example.com/"><script>',
        "https://example.com/" + "a" * MAX_LINK_LENGTH,
    ],
)
def test_text_that_is_no_safe_link_is_not_a_link(text: str) -> None:
    assert classify(text) == BadTarget("not_a_link")


@pytest.mark.parametrize(
    "text",
    [
        "https://weixin.qq.com.evil.cn/g/AwYAAKiayB3cw7B4",
        "https://evilweixin.qq.com/g/AwYAAKiayB3cw7B4",
        "https://weixin.qq.com:8443/g/AwYAAKiayB3cw7B4",
        "https://evil.cn/weixin.qq.com/g/AwYAAKiayB3cw7B4",
        "https://weixin.qq.com/g/",
        "https://weixin.qq.com/g/AwY/../../r/x",
        "https://work.weixin.qq.com/gm/nothex",
        "https://work.weixin.qq.com/join/abc",
        "https://t.me/somebody",
        "https://jq.qq.com/?k=",
        "https://qr.dingtalk.com/action/joingroup",
    ],
)
def test_a_look_alike_of_a_group_link_is_only_a_web_link(text: str) -> None:
    assert key_of(text) == "other_url"


def test_the_host_compares_without_case_and_the_path_with_it() -> None:
    assert key_of("HTTPS://Weixin.QQ.Com/g/AwYAAKiayB3cw7B4") == "wechat_group"
    assert key_of("https://weixin.qq.com/G/AwYAAKiayB3cw7B4") == "other_url"


def test_a_host_in_full_width_letters_is_the_host_browsers_open() -> None:
    assert key_of("https://ｗeixin.qq.com/g/AwYAAKiayB3cw7B4") == "wechat_group"
    assert canonical("https://ｗeixin.qq.com/g/Aw") == "https://weixin.qq.com/g/Aw"


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("https://weixin.qq.com/g/AbC#frag", "https://weixin.qq.com/g/AbC"),
        ("http://WEIXIN.qq.com:80/g/AbC/?x=1", "https://weixin.qq.com/g/AbC"),
        ("https://u.wechat.com/EN_x?s=2", "https://u.wechat.com/EN_x"),
        ("https://work.weixin.qq.com/u/vc1?v=5.0&bb=3f&src=wx", "https://work.weixin.qq.com/u/vc1"),
        ("https://work.weixin.qq.com/u/vc1?v=5.0&keep=1&bb=3f", "https://work.weixin.qq.com/u/vc1?keep=1"),
        ("https://work.weixin.qq.com/ca/caw1?customer_channel=C1", "https://work.weixin.qq.com/ca/caw1?customer_channel=C1"),
        ("tg://join?invite=Ab", "https://t.me/+Ab"),
        ("https://telegram.me/joinchat/Ab", "https://t.me/+Ab"),
        ("https://line.me/R/ti/g2/Ab", "https://line.me/ti/g2/Ab"),
        ("https://discordapp.com/invite/Ab", "https://discord.gg/Ab"),
        ("https://Example.com", "https://example.com/"),
        ("https://example.com/?v=1&s=2#top", "https://example.com/?v=1&s=2"),
        ("https://example.com/活动", "https://example.com/%E6%B4%BB%E5%8A%A8"),
        ("http://example.com:8080/a", "http://example.com:8080/a"),
        ("no link at all#x", "no link at all#x"),
        ("wxp://F2F#x", "wxp://F2F#x"),
    ],
)  # fmt: skip
def test_links_to_the_same_member_share_one_form(text: str, same: str) -> None:
    assert canonical(text) == same


def test_two_channels_of_one_acquisition_link_are_two_members() -> None:
    link = "https://work.weixin.qq.com/ca/caw1?customer_channel="
    assert canonical(link + "A") != canonical(link + "B")


ACQUISITION = "https://work.weixin.qq.com/ca/cawcde0123456789"


def _channel_in(link: str) -> list[str]:
    return parse_qs(urlsplit(link).query).get("customer_channel", [])


@pytest.mark.parametrize(
    ("link", "channel", "whole"),
    [
        (ACQUISITION, "gate", f"{ACQUISITION}?customer_channel=gate"),
        (f"{ACQUISITION}?x=1", "gate", f"{ACQUISITION}?x=1&customer_channel=gate"),
        (f"{ACQUISITION}?customer_channel=mine", "gate", f"{ACQUISITION}?customer_channel=mine"),
        (ACQUISITION, "", ACQUISITION),
        (ACQUISITION, "a&b=c #", f"{ACQUISITION}?customer_channel=a%26b%3Dc%20%23"),
    ],
)
def test_the_parameter_is_added_once_and_escaped(link: str, channel: str, whole: str) -> None:
    assert with_channel(link, KINDS["wecom_acquisition"], channel) == whole


def test_a_kind_without_a_channel_gets_none() -> None:
    assert with_channel("https://example.com/join?a=1", KINDS["other_url"], "gate") == "https://example.com/join?a=1"


@pytest.mark.parametrize("channel", ["x" * 64, "x" * 65, "门" * 21, "门" * 22, "门" * 100, "a" + "门" * 99])
def test_what_is_too_long_for_wecom_is_cut_and_stays_different(channel: str) -> None:
    [kept] = _channel_in(with_channel(ACQUISITION, KINDS["wecom_acquisition"], channel))
    [other] = _channel_in(with_channel(ACQUISITION, KINDS["wecom_acquisition"], channel + "!"))
    assert len(kept.encode()) <= CHANNEL_BYTES
    assert kept != other
    if len(channel.encode()) <= CHANNEL_BYTES:
        assert kept == channel
    else:
        assert kept.startswith(channel[:18])


def test_an_app_link_with_a_web_form_is_opened_by_that_form() -> None:
    assert openable("tg://join?invite=Ab") == "https://t.me/+Ab"
    assert openable("https://weixin.qq.com/g/AbC#x") == "https://weixin.qq.com/g/AbC#x"
    assert openable("wxp://f2f0") is None


def test_a_link_in_chinese_has_a_form_in_ascii() -> None:
    assert (
        ascii_form("https://例子.cn:8080/活动?地=广州&x=%20#页")
        == "https://xn--fsqu00a.cn:8080/%E6%B4%BB%E5%8A%A8?%E5%9C%B0=%E5%B9%BF%E5%B7%9E&x=%20#%E9%A1%B5"
    )
    assert ascii_form("HTTPS://Example.com/a") == "HTTPS://Example.com/a"
    assert ascii_form("群") is None


@settings(deadline=None)
@given(st.text(max_size=300))
def test_any_text_gets_an_answer(text: str) -> None:
    found = classify(text)
    assert found in (BadTarget("payment_code"), BadTarget("not_a_link")) or found in KINDS.values()
    assert (ascii_form(text) is None) == isinstance(found, BadTarget)


LINKS = st.one_of(
    st.sampled_from([text for _, text in EXAMPLES]),
    st.builds(
        "{}://{}{}/{}{}{}".format,
        st.sampled_from(["http", "HTTPS", "tg", "weixin"]),
        st.sampled_from(["weixin.qq.com", "U.wechat.com", "work.weixin.qq.com", "t.me", "join", "例子.cn", "[::1]"]),
        st.sampled_from(["", ":80", ":443", ":8080"]),
        st.text("gur/+abc1_%.活", max_size=20),
        st.text("?&=vsbkinvite1", max_size=20),
        st.text("#x/?", max_size=4),
    ),
)


@settings(deadline=None)
@given(LINKS)
def test_the_shared_form_is_its_own_form_and_keeps_the_kind(text: str) -> None:
    same = canonical(text)
    assert canonical(same) == same
    assert classify(same) == classify(text)


@settings(deadline=None)
@given(LINKS)
def test_the_ascii_form_is_the_same_link(text: str) -> None:
    form = ascii_form(text)
    if form is not None:
        assert form.isascii()
        assert classify(form) == classify(text)
        assert canonical(form) == canonical(text)


@settings(deadline=None)
@given(LINKS, st.text("abc#", max_size=5))
def test_a_fragment_never_makes_another_member(text: str, fragment: str) -> None:
    if isinstance(classify(text), Kind):
        assert canonical(f"{text}#{fragment}") == canonical(text)

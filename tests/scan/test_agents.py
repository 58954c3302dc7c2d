"""What a user agent is taken for. Real ones, shortened nowhere: a phone taken for a robot gets no code."""

import pytest

from app.scan.agents import LONGEST, read_agent
from tests.scan.phone import CHROME, GOOGLEBOT, SAFARI, WECHAT

ANDROID_WECHAT = (
    "Mozilla/5.0 (Linux; Android 14; 2211133C Build/UKQ1.230804.001; wv) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Version/4.0 "
    "Chrome/126.0.6478.188 Mobile Safari/537.36 XWEB/1260117 MMWEBSDK/20240404 MMWEBID/2585 MicroMessenger/8.0.49.2600"
    "(0x28003133) WeChat/arm64 Weixin NetType/WIFI Language/zh_CN ABI/arm64"
)
OLD_ANDROID_WECHAT = (
    "Mozilla/5.0 (Linux; Android 7.1.1; OPPO R11 Build/NMF26X; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 "
    "Chrome/57.0.2987.132 MQQBrowser/6.2 TBS/044306 Mobile Safari/537.36 MicroMessenger/6.7.3.1360(0x26070336) "
    "NetType/4G "
    "Language/en Process/tools"
)
HARMONY_WECHAT = (
    "Mozilla/5.0 (Phone; OpenHarmony 5.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/114.0.0.0 Safari/537.36 "
    "ArkWeb/4.1.6.1 Mobile MicroMessenger/8.0.11.34(0xf3800b22) Weixin NetType/5G Language/zh_CN"
)
HARMONY_3_BROWSER = (
    "Mozilla/5.0 (Linux; Android 12; HarmonyOS; NOH-AN00; HMSCore 6.13.0.301) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/114.0.5735.196 HuaweiBrowser/15.0.4.312 Mobile Safari/537.36"
)
WINDOWS_WECHAT = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/122.0.0.0 Safari/537.36 "
    "NetType/WIFI MicroMessenger/7.0.20.1781(0x6700143B) WindowsWechat(0x63090b19) XWEB/11253 Flue"
)
WECOM = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 "
    "wxwork/4.1.28 MicroMessenger/7.0.1 Language/zh ColorScheme/Light"
)
CUBOT = (
    "Mozilla/5.0 (Linux; Android 10; CUBOT NOTE 20 PRO) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Mobile "
    "Safari/537.36"
)
DINGTALK = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/21A329 "
    "AliApp(DingTalk/7.5.10) com.laiwang.DingTalk/34852410 Channel/201200 language/zh-Hans-CN UT4Aplus/0.0.6 WK"
)
QQ = (
    "Mozilla/5.0 (Linux; Android 13; V2199A; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 "
    "Chrome/109.0.5414.86 "
    "MQQBrowser/6.2 TBS/046715 Mobile Safari/537.36 V1_AND_SQ_9.0.8_5540_YYB_D QQ/9.0.8.14755 NetType/WIFI WebP/0.4.1"
)
QQ_BROWSER = (
    "Mozilla/5.0 (Linux; U; Android 13; zh-cn; V2199A) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 "
    "Chrome/109.0.5414.86 MQQBrowser/14.9 Mobile Safari/537.36 COVC/046715"
)
FEISHU = (
    "Mozilla/5.0 (Linux; Android 14; PJD110) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/116.0.0.0 Mobile "
    "Safari/537.36 "
    "Lark/7.28.6 LarkLocale/zh_CN ChannelName/Feishu"
)
ALIPAY = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Mobile/15E148 Ariver/1.1.0 "
    "AliApp(AP/10.6.20) Nebula WK AlipayClient/10.6.20 Language/zh-Hans"
)
LINE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 "
    "Safari Line/14.19.2"
)


@pytest.mark.parametrize(
    ("user_agent", "device", "app"),
    [
        (WECHAT, "ios", "wechat"),
        (ANDROID_WECHAT, "android", "wechat"),
        (OLD_ANDROID_WECHAT, "android", "wechat"),
        (HARMONY_WECHAT, "harmony", "wechat"),
        (HARMONY_3_BROWSER, "harmony", "browser"),
        (WINDOWS_WECHAT, "desktop", "wechat"),
        (WECOM, "ios", "wecom"),
        (SAFARI, "ios", "browser"),
        (CHROME, "desktop", "browser"),
        (CUBOT, "android", "browser"),
        (DINGTALK, "ios", "dingtalk"),
        (QQ, "android", "qq"),
        (QQ_BROWSER, "android", "browser"),
        (FEISHU, "android", "feishu"),
        (ALIPAY, "ios", "alipay"),
        (LINE, "ios", "line"),
        ("", "other", "browser"),
        ("curl/8.5.0", "other", "browser"),
    ],
)
def test_phone_and_app_are_told_from_what_they_say(user_agent: str, device: str, app: str) -> None:
    agent = read_agent(user_agent)
    assert (agent.device, agent.app, agent.is_preview) == (device, app, False)


@pytest.mark.parametrize(
    "user_agent",
    [
        GOOGLEBOT,
        "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
        "WhatsApp/2.23.20.0 A",
        "TelegramBot (like TwitterBot)",
        "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
        "Mozilla/5.0 (compatible; Discordbot/2.0; +https://discordapp.com)",
        "DingTalkBot-LinkService/1.0 (+https://open-doc.dingtalk.com/microapp/faquestions/ftpfeu)",
        "facebookexternalhit/1.1;line-poker/1.0",
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_11_1) AppleWebKit/601.2.4 (KHTML, like Gecko) Version/9.0.1 "
        "Safari/601.2.4 "
        "facebookexternalhit/1.1 Facebot Twitterbot/1.0",
        "Sogou web spider/4.0(+http://www.sogou.com/docs/help/webmasters.htm#07)",
        "Mozilla/5.0 (compatible; Baiduspider/2.0; +http://www.baidu.com/search/spider.html)",
        "Mozilla/5.0 (Linux; Android 5.0) AppleWebKit/537.36 (KHTML, like Gecko) Mobile Safari/537.36 "
        "(compatible; Bytespider)",
        "Mozilla/5.0 (compatible; SomethingNew bot; +https://example.com)",
    ],
)
def test_whoever_only_looks_is_a_preview(user_agent: str) -> None:
    assert read_agent(user_agent).is_preview


@pytest.mark.parametrize(
    "user_agent",
    [
        CUBOT,
        CUBOT.replace("CUBOT NOTE 20 PRO", "CUBOT_X18_Plus"),
        CUBOT.replace("CUBOT NOTE 20 PRO", "Robot-Phone"),
        CUBOT.replace("CUBOT NOTE 20 PRO", "BlackSpider 2"),
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) HeadlessChrome/142",
        "python-requests/2.32",
    ],
)
def test_a_phone_with_a_robots_name_is_no_robot(user_agent: str) -> None:
    assert not read_agent(user_agent).is_preview


@pytest.mark.parametrize(("user_agent", "language"), [(WECHAT, "zh"), (OLD_ANDROID_WECHAT, "en"), (SAFARI, None)])
def test_wechat_says_which_language_was_chosen_in_it(user_agent: str, language: str | None) -> None:
    assert read_agent(user_agent).language == language


def test_an_endless_user_agent_is_read_to_a_limit() -> None:
    assert read_agent(WECHAT + "x" * 100_000).app == "wechat"
    assert not read_agent("x" * LONGEST + " Googlebot").is_preview

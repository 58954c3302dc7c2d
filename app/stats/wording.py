"""What the panel calls the things that are counted. English here, Chinese in translations/*/stats.po."""

from collections.abc import Callable

import flask_babel
from flask_babel import lazy_gettext

from app.rules import regions
from app.stats.store import Key, Names
from app.web.outcomes import OUTCOMES

gettext: Callable[..., str] = flask_babel.gettext

COUNTS = {
    "scans": lazy_gettext("Scans"),
    "visitors": lazy_gettext("Visitors"),
    "assigned": lazy_gettext("Seats given"),
    "pressed": lazy_gettext("Long-presses"),
    "stuck": lazy_gettext("Could not get in"),
}
SCANS_BEFORE = lazy_gettext("Scans before")
DIMENSIONS = {
    "member": lazy_gettext("By code"),
    "choice": lazy_gettext("By choice"),
    "placement": lazy_gettext("By placement"),
    "region": lazy_gettext("By region"),
    "outcome": lazy_gettext("What they were shown"),
    "device": lazy_gettext("By phone"),
    "app": lazy_gettext("Opened with"),
}
NOTHING = {
    "member": lazy_gettext("no code"),
    "choice": lazy_gettext("no choice made"),
    "placement": lazy_gettext("not named"),
    "region": lazy_gettext("unknown"),
    "outcome": lazy_gettext("after the page"),
    "device": lazy_gettext("unknown"),
    "app": lazy_gettext("unknown"),
}
DEVICES = {
    "ios": "iPhone",
    "android": "Android",
    "harmony": "HarmonyOS",
    "desktop": lazy_gettext("Computer"),
    "other": lazy_gettext("Other"),
}


APPS = {
    "wechat": lazy_gettext("WeChat"),
    "wecom": lazy_gettext("WeCom"),
    "qq": "QQ",
    "dingtalk": lazy_gettext("DingTalk"),
    "feishu": lazy_gettext("Feishu"),
    "alipay": lazy_gettext("Alipay"),
    "taobao": lazy_gettext("Taobao"),
    "douyin": lazy_gettext("Douyin"),
    "xiaohongshu": lazy_gettext("Xiaohongshu"),
    "weibo": lazy_gettext("Weibo"),
    "kuaishou": lazy_gettext("Kuaishou"),
    "line": "LINE",
    "telegram": "Telegram",
    "whatsapp": "WhatsApp",
    "facebook": "Facebook",
    "instagram": "Instagram",
    "browser": lazy_gettext("A browser"),
}


def weekdays() -> list[str]:
    return [str(name) for name in _WEEKDAYS]


_WEEKDAYS = (
    lazy_gettext("Mon"), lazy_gettext("Tue"), lazy_gettext("Wed"), lazy_gettext("Thu"), lazy_gettext("Fri"),
    lazy_gettext("Sat"), lazy_gettext("Sun"),
)  # fmt: skip


def unknown_share(share: float | None) -> str:
    """For the places: mobile data often tells the country only."""
    return gettext("Place unknown: %(percent)s %% of scans", percent=round(100 * share)) if share else ""


def name_of(dimension: str, key: Key, names: Names, language: str) -> str:
    """What a reader calls one row of a dimension."""
    if key is None:
        return str(NOTHING[dimension])
    match dimension:
        case "member":
            return names.members.get(int(str(key))) or gettext("Code %(number)s", number=key)
        case "choice":
            return names.choices.get(int(str(key))) or gettext("Choice %(number)s", number=key)
        case "placement":
            return names.placements.get(str(key)) or str(key)
        case "region":
            return regions.name(str(key), language, full=True)
        case "outcome":
            return str(OUTCOMES.get(str(key), key))
        case "app":
            return str(APPS.get(str(key), key))
    return str(DEVICES.get(str(key), key))

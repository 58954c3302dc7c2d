"""What the panel says of visitors and of what they did. English here, Chinese in translations/*/people.po."""

from collections.abc import Callable
from typing import Any

import flask_babel
from flask_babel import lazy_gettext

from app.people.store import Names

gettext: Callable[..., str] = flask_babel.gettext

CATEGORIES = {
    "source": lazy_gettext("Source"),
    "basic": lazy_gettext("Basic"),
    "behaviour": lazy_gettext("Behaviour"),
    "business": lazy_gettext("Business"),
    "predicted": lazy_gettext("Predicted"),
}
CATEGORY_HINTS = {
    "source": lazy_gettext("where they came from"),
    "basic": lazy_gettext("where they are, what they use"),
    "behaviour": lazy_gettext("what they did or chose"),
    "business": lazy_gettext("what they bought"),
    "predicted": lazy_gettext("what you believe of them"),
}
DEVICES = {
    "ios": "iPhone",
    "android": "Android",
    "harmony": "HarmonyOS",
    "desktop": lazy_gettext("Computer"),
    "other": lazy_gettext("Other device"),
}
APPS = {
    "wechat": lazy_gettext("WeChat"),
    "wecom": lazy_gettext("WeCom"),
    "alipay": lazy_gettext("Alipay"),
    "dingtalk": lazy_gettext("DingTalk"),
    "feishu": lazy_gettext("Feishu"),
    "douyin": lazy_gettext("Douyin"),
    "xiaohongshu": lazy_gettext("Xiaohongshu"),
    "weibo": lazy_gettext("Weibo"),
    "browser": lazy_gettext("Browser"),
}
OUTCOMES = {
    "assigned": lazy_gettext("got %(member)s"),
    "returning": lazy_gettext("came back to %(member)s"),
    "held": lazy_gettext("was asked to wait for the new code of %(member)s"),
    "elsewhere": lazy_gettext("was shown %(member)s, got in another live code"),
    "choose": lazy_gettext("was asked which group they want"),
    "fallback": lazy_gettext("got the fallback code %(member)s"),
    "full": lazy_gettext("read that all groups are full"),
    "unavailable": lazy_gettext("read that there is nothing to join right now"),
    "paused": lazy_gettext("read that it is paused"),
    "not_started": lazy_gettext("read that it has not started"),
    "ended": lazy_gettext("read that it has ended"),
}
STUCK_REASONS = {
    "full": lazy_gettext("the group is full"),
    "expired": lazy_gettext("the code has expired"),
}


def device_name(device: str | None) -> str:
    return str(DEVICES.get(device or "", device or ""))


def app_name(app: str | None) -> str:
    return str(APPS.get(app or "", app or ""))


def happening(event: Any, names: Names) -> str:
    """What one event of a timeline was."""
    member = names.members.get(event.member_id or 0, "") or gettext("code %(number)s", number=event.member_id)
    match event.type:
        case "press":
            return gettext("Long-pressed %(member)s", member=member)
        case "stuck":
            reason = STUCK_REASONS.get(event.reason)
            words = gettext("Could not get into %(member)s", member=member)
            return gettext("%(words)s: %(reason)s", words=words, reason=reason) if reason else words
        case "release":
            return gettext("Gave up the place in %(member)s", member=member)
        case "choose":
            choice = names.choices.get(event.choice_id or 0, "") or gettext("a group")
            return gettext("Chose %(choice)s, %(outcome)s", choice=choice, outcome=_outcome(event, member))
        case "reroute":
            return gettext("Another way: %(outcome)s", outcome=_outcome(event, member))
    return gettext("Scanned, %(outcome)s", outcome=_outcome(event, member))


def _outcome(event: Any, member: str) -> str:
    words = OUTCOMES.get(event.outcome)
    return str(words) % {"member": member} if words is not None else str(event.outcome or "")

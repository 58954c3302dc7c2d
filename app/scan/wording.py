"""What the landing page says, in Chinese and English; every sentence a scanner may read is here.

Separate from the panel's translations: the door in front of Flask has no application context, and these few sentences
are the product's voice. Which sentence applies is `landing`'s business. A name between 「」 or “” is put in by it.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta, tzinfo

from app.rules.kinds import KINDS

# What a member's code is opened with, as people call it. Kinds that are not here are plain links.
_APPS: Mapping[str, tuple[str, str, str]] = {
    "wechat": ("wechat", "微信", "WeChat"),
    "wecom": ("wechat", "微信", "WeChat"),
    "qq": ("qq", "QQ", "QQ"),
    "dingtalk": ("dingtalk", "钉钉", "DingTalk"),
    "feishu": ("feishu", "飞书", "Feishu"),
    "telegram": ("telegram", "Telegram", "Telegram"),
    "whatsapp": ("whatsapp", "WhatsApp", "WhatsApp"),
    "line": ("line", "LINE", "LINE"),
    "discord": ("discord", "Discord", "Discord"),
}

ZH: Mapping[str, str] = {
    # how to get in
    "press": "长按下方二维码 → 识别 → {act}",
    "save": "① 保存图片　② 打开{app}扫一扫　③ 从相册选这张图",
    "scan": "拿起手机，用{app}扫一扫下面的码",
    "scan_link": "或用手机扫下面的码",
    "open": "点按钮直接打开，或长按二维码识别",
    "open_desktop": "点按钮直接打开",
    "copy": "在微信里打不开这个链接：复制后到浏览器里打开",
    "act_group": "加入群聊",
    "act_contact": "添加好友",
    "act_official": "关注",
    "act_service": "咨询客服",
    "act_link": "打开",
    "open_group": "打开{app}加入群聊",
    "open_contact": "打开{app}添加好友",
    "open_service": "打开{app}咨询客服",
    "tap_group": "点这里加入群聊",
    "tap_contact": "点这里添加好友",
    "tap_service": "点这里咨询客服",
    "tap_link": "点这里打开",
    "open_link": "打开链接",
    "open_app": "打开{app}",
    "save_picture": "保存图片",
    "save_ios": "长按图片也能存到相册",
    "copy_link": "复制链接",
    "copied": "复制好了",
    "code_of": "「{name}」的二维码",
    # whose group this is
    "returning": "这是你上次领到的「{name}」，没进群再长按一次",
    "returning_contact": "这是你上次领到的「{name}」，还没加上再长按一次",
    "returning_plain": "这是你上次领到的「{name}」，还没进群就再试一次",
    "elsewhere": "你已领过「{name}」，同一活动进一个群即可",
    "held": "「{name}」正在换新码。已进群可直接在微信里搜群名；还没进？",
    "held_button": "换一个群",
    # where they are
    "where": "你好像在 {place}",
    "where_chosen": "你选的是 {place}",
    "where_unknown": "还不知道你在哪里",
    "where_change": "换一个",
    "where_choose": "选城市",
    "places": "选择你所在的地方",
    "places_here": "这些地方有专属的群",
    "places_all": "其他省份",
    "places_cities": "{place}的城市",
    "places_whole": "{place}，不分城市",
    "places_abroad": "其他国家和地区",
    "places_back": "← 全部省份",
    "places_forget": "不选了，按我手机所在的地方",
    "places_go": "就选这里",
    "near": "用我的位置，找最近的一家",
    "near_why": "位置只用这一次来比远近，不保存",
    "near_asking": "正在定位…",
    "near_failed": "没拿到位置，先按你所在的地区给你这一家",
    # not getting in
    "stuck": "进不了群？换一个",
    "stuck_why": "遇到了什么？告诉我们，马上给你换一个",
    "stuck_contact": "加不上？换一个",
    "stuck_full": "群满了",
    "stuck_full_contact": "加不了，提示已满或太频繁",
    "stuck_expired": "二维码过期了",
    "stuck_other": "其他原因",
    # choosing
    "choose": "你想进哪个群？",
    "choose_other": "换个分组",
    "choose_again": "选其他分组",
    "your_city": "你的城市推荐",
    "room_some": "还有名额",
    "room_left": "还剩 {room} 个名额",
    "room_none": "已满",
    "room_next": "已满，可以先选「{title}」",
    # no code to show
    "full": "群都满了，新群马上开。",
    "full_mark": "满",
    "unavailable": "现在没有能进的群，稍后再扫这张码即可",
    "unavailable_until": "{time} 开放，到时再扫这张码即可",
    "paused": "这个活动暂停了，稍后再来",
    "ended": "这个活动已结束",
    "not_started": "{time} 开始，到时再扫这张码即可",
    "not_started_soon": "活动还没开始，稍后再扫这张码即可",
    "unknown": "没找到这个码，可能没扫完整，请重新扫一次",
    "outage": "稍等片刻再扫一次，群还在",
    "retry": "再试一次",
    "contact_full": "联系客服拉你进群",
    "contact": "联系客服",
    "contact_call": "拨打 {phone}",
    "contact_open": "打开客服页面",
    # looking only
    "preview": "扫码领取你的群二维码",
    "preview_button": "看二维码",
    # trial
    "trial": "测试 · 不占名额",
    "trial_expired": "这个试扫链接过期了，请在后台重新打开一个",
    # refused by the door
    "too_many": "今天已经换过两次了，明天可以再换",
    "no_such_choice": "没有这个分组了，请重新选一次",
    "not_grouped": "这个活动不用选分组，直接扫码即可",
    "asks_no_city": "这个活动不用选城市，直接扫码即可",
    "refused": "这一步没有办成，请重新扫一次码",
    "back": "回到二维码",
    # the small print
    "privacy": "只用一个随机编号记住你领到的群，不读微信资料",
    "untitled": "扫码进群",
    "today": "今天 {clock}",
    "tomorrow": "明天 {clock}",
    "weekdays": "周一 周二 周三 周四 周五 周六 周日",
}


def _steps(*steps: str) -> str:
    """① … ② … ③ …, each of which stays on one line."""
    return "\u3000".join(_unbroken(f"{mark} {step}") for mark, step in zip("①②③", steps, strict=True))


def _unbroken(step: str) -> str:
    return step.replace(" ", "\u00a0")


EN: Mapping[str, str] = {
    # The first step is wider than a narrow phone: kept on one line it would be broken within a word.
    "press": f"Press and hold the code below → {_unbroken('Scan QR code')} → {{act}}",
    "save": _steps("Save the picture", "Open {app} → Scan", "Pick it from the album"),
    "scan": "Take your phone and scan the code below with {app}",
    "scan_link": "Or scan the code below with your phone",
    "open": "Tap the button to open it, or press and hold the code",
    "open_desktop": "Press the button to open it",
    "copy": "This link does not open inside WeChat: copy it and open it in your browser",
    "act_group": "Join group",
    "act_contact": "Add to contacts",
    "act_official": "Follow",
    "act_service": "Chat",
    "act_link": "Open",
    "open_group": "Open {app} and join",
    "open_contact": "Open {app} and add",
    "open_service": "Open {app} to chat",
    "tap_group": "Tap here to join",
    "tap_contact": "Tap here to add",
    "tap_service": "Tap here to chat",
    "tap_link": "Tap here to open it",
    "open_link": "Open the link",
    "open_app": "Open {app}",
    "save_picture": "Save picture",
    "save_ios": "Press and hold the picture works too",
    "copy_link": "Copy the link",
    "copied": "Copied",
    "code_of": "QR code of “{name}”",
    "returning": "You were given “{name}” before. Not in yet? Press and hold once more",
    "returning_contact": "You were given “{name}” before. Not added yet? Press and hold once more",
    "where": "You seem to be in {place}",
    "where_chosen": "Your choice: {place}",
    "where_unknown": "We do not know where you are",
    "where_change": "Change",
    "where_choose": "Choose a city",
    "places": "Choose where you are",
    "places_here": "These places have groups of their own",
    "places_all": "Other provinces of China",
    "places_cities": "Cities of {place}",
    "places_whole": "{place}, any city",
    "places_abroad": "Other countries and regions",
    "places_back": "← All provinces",
    "places_forget": "Go by where my phone is",
    "places_go": "This is where I am",
    "near": "Use my position to find the nearest one",
    "near_why": "Used once to compare distances, never kept",
    "near_asking": "Finding your position…",
    "near_failed": "No position; this is the one for your area",
    "returning_plain": "You were given “{name}” before. Not in yet? Try once more",
    "elsewhere": "You already have “{name}”; one group is enough for this event",
    "held": "“{name}” is getting a new code. Already in? Search for its name in WeChat. Not in yet?",
    "held_button": "Get another group",
    "stuck": "Cannot get in? Get another one",
    "stuck_why": "What happened? Tell us and you get another one at once",
    "stuck_contact": "Cannot add them? Get somebody else",
    "stuck_full": "The group is full",
    "stuck_full_contact": "It says they cannot be added now",
    "stuck_expired": "The code has expired",
    "stuck_other": "Something else",
    "choose": "Which group would you like to join?",
    "choose_other": "Change my choice",
    "choose_again": "Choose another one",
    "your_city": "Recommended for your city",
    "room_some": "Places left",
    "room_left": "{room} places left",
    "room_none": "Full",
    "room_next": "Full; you could take “{title}” for now",
    "full": "All groups are full; a new one opens soon.",
    "full_mark": "!",
    "unavailable": "There is no group to join right now. Scan this code again later",
    "unavailable_until": "Opens {time}. Just scan this code again then",
    "paused": "This event is paused. Come back a little later",
    "ended": "This event has ended",
    "not_started": "Starts {time}. Just scan this code again then",
    "not_started_soon": "This event has not started yet. Scan this code again later",
    "unknown": "We could not find this code. It may not have been scanned completely; please scan it again",
    "outage": "Wait a moment and scan again. The group is still there",
    "retry": "Try again",
    "contact_full": "Ask us to invite you",
    "contact": "Contact us",
    "contact_call": "Call {phone}",
    "contact_open": "Open the contact page",
    "preview": "Scan to get your group’s code",
    "preview_button": "Show me the code",
    "trial": "Trial · takes no place",
    "trial_expired": "This trial link has expired. Open a new one in the panel",
    "too_many": "You have changed twice today. You can change again tomorrow",
    "no_such_choice": "This choice is gone. Please choose again",
    "not_grouped": "There is nothing to choose here. Just scan the code",
    "asks_no_city": "There is no city to choose here. Just scan the code",
    "refused": "That did not work. Please scan the code again",
    "back": "Back to the code",
    "privacy": "Your group is remembered by a random number; nothing is read from your account",
    "untitled": "Join the group",
    "today": "today at {clock}",
    "tomorrow": "tomorrow at {clock}",
    "weekdays": "Monday Tuesday Wednesday Thursday Friday Saturday Sunday",
}

TEXTS: Mapping[str, Mapping[str, str]] = {"zh": ZH, "en": EN}


def say(language: str, key: str, **values: object) -> str:
    """The sentence `key`, as plain text."""
    return TEXTS[language][key].format(**values).strip()


def home_app(kind: str) -> str | None:
    """The app that opens this kind of member, in the words of a scanner's `app`; None: any browser."""
    app = _APPS.get(kind.partition("_")[0])
    return app[0] if app else None


def app_name(kind: str, language: str) -> str:
    """What people call the app that opens this kind; plain links are scanned with WeChat like anything else."""
    _, zh, en = _APPS.get(kind.partition("_")[0], _APPS["wechat"])
    if language == "en":
        return en
    return f" {zh} " if zh.isascii() else zh  # Latin letters stand apart from Chinese ones


def act(kind: str) -> str:
    """What one does with this kind: joins a group, adds a contact, … ; completes `act_…`, `open_…` and `tap_…`."""
    if kind in ("wechat_official", "wecom_service"):
        return kind.partition("_")[2]
    row = KINDS[kind]
    return "contact" if row.is_contact else "group" if row.is_group else "link"


def moment(at: datetime, now: datetime, zone: tzinfo, language: str) -> str:
    """今天 18:00, 明天 09:00, 周三 18:00 within the week, then 12月3日 18:00; in `zone`."""
    there, here = at.astimezone(zone), now.astimezone(zone)
    days = (there.date() - here.date()) // timedelta(days=1)
    clock = f"{there:%H:%M}"
    if days in (0, 1):
        return say(language, ("today", "tomorrow")[days], clock=clock)
    if 1 < days < 7:
        day = TEXTS[language]["weekdays"].split()[there.weekday()]
        return f"{day} {clock}" if language == "zh" else f"on {day} at {clock}"
    return _date(there, here.year, language) + (f" {clock}" if language == "zh" else f" at {clock}")


def _date(there: datetime, this_year: int, language: str) -> str:
    if language == "zh":
        return f"{'' if there.year == this_year else f'{there.year}年'}{there.month}月{there.day}日"
    return f"on {there.day} {there:%B}{'' if there.year == this_year else f' {there.year}'}"

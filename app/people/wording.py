"""What the panel says of visitors and of what they did. English here, Chinese in translations/*/people.po."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import flask_babel
from flask_babel import lazy_gettext

from app.people.imports import MOST_JOINS
from app.people.lines import MOST_LINES
from app.people.person_files import MOST_TAGS
from app.people.rule_store import MOST_RULES
from app.people.store import Given, Names, Person
from app.rules import regions, tagging
from app.web.i18n import language

gettext: Callable[..., str] = flask_babel.gettext
ngettext: Callable[..., str] = flask_babel.ngettext

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


@dataclass(frozen=True, slots=True)
class Class:
    """One of the five classes of a portrait: what is known by itself, and the tags."""

    name: str
    facts: Sequence[str]
    tags: Sequence[Given]


def portrait(person: Person) -> list[Class]:
    """A visitor in the five classes; those about which nothing is known are left out."""
    first = min(person.under, key=lambda one: one.first_at)
    facts: dict[str, list[str | None]] = {
        "source": [first.name, first.placement],
        "basic": [
            regions.name(person.region, language(), full=True) if person.region else None,
            device_name(person.device),
            app_name(person.app),
            person.language,
        ],
        "behaviour": [
            gettext("came back") if person.scans > 1 else gettext("came once"),
            ngettext("%(num)s scan", "%(num)s scans", person.scans),
            gettext("long-pressed") if person.pressed else gettext("no long-press"),
        ],
    }
    tags = {category: [tag for tag in person.tags if tag.category == category] for category in CATEGORIES}
    classes = [
        Class(str(name), [fact for fact in facts.get(category, []) if fact], tags[category])
        for category, name in CATEGORIES.items()
    ]
    return [one for one in classes if one.facts or one.tags]


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


# Tag rules

FACTS = {
    "scans": lazy_gettext("scans"),
    "presses": lazy_gettext("long-presses"),
    "stuck": lazy_gettext("times they could not get in"),
    "night_scans": lazy_gettext("scans at night (22:00 to 6:00)"),
    "orders": lazy_gettext("orders"),
    "amount": lazy_gettext("amount of orders"),
    "silent_days": lazy_gettext("days since they were last here"),
    "known_days": lazy_gettext("days since they first came"),
    "live_codes": lazy_gettext("different live codes"),
    "region": lazy_gettext("region"),
    "device": lazy_gettext("device"),
    "app": lazy_gettext("app"),
    "language": lazy_gettext("language"),
    "placement": lazy_gettext("placement"),
    "product": lazy_gettext("product"),
    "tag": lazy_gettext("tag"),
}
COMPARISONS = {
    "at_least": lazy_gettext("at least"),
    "at_most": lazy_gettext("at most"),
    "is": lazy_gettext("is"),
    "is_not": lazy_gettext("is not"),
}
RULE_PROBLEMS = {
    "none": lazy_gettext("A rule needs a condition."),
    "too_many": lazy_gettext("At most %(most)s conditions.", most=tagging.MOST_CONDITIONS),
    "many_rules": lazy_gettext("At most %(most)s rules.", most=MOST_RULES),
    "unknown_fact": lazy_gettext("There is no such fact."),
    "comparison": lazy_gettext("Numbers are compared with “at least” and “at most”, words with “is” and “is not”."),
    "number": lazy_gettext("A number from 0 up is needed."),
    "word": lazy_gettext("A word is needed."),
    "region": lazy_gettext("There is no such region."),
    "days": lazy_gettext("Days are a number from 1 to 90, and only what is counted has them."),
}

EXAMPLE_TAGS = {
    "hesitates": lazy_gettext("Hesitating"),
    "returns": lazy_gettext("Comes often"),
    "night": lazy_gettext("Night owl"),
    "silent": lazy_gettext("Gone quiet"),
    "spends": lazy_gettext("Spends a lot"),
}


def value_words(condition: tagging.Condition) -> str:
    """What a condition compares with, as its input shows it."""
    if condition.fact == "amount":
        return money(condition.number)
    return condition.word if tagging.FACTS[condition.fact].is_word else str(condition.number)


def money(cents: int) -> str:
    """Such as "99.00" or, without cents, "99"."""
    sign, whole, rest = "-" if cents < 0 else "", *divmod(abs(cents), 100)
    return f"{sign}{whole}.{rest:02d}" if rest else f"{sign}{whole}"


def condition(one: tagging.Condition) -> str:
    """One condition in words: "scans within 7 days at least 3"."""
    fact, compares = str(FACTS[one.fact]), str(COMPARISONS[one.comparison])
    value = _word(one.fact, one.word) if one.word else value_words(one)
    if one.days is not None:
        fact = gettext("%(fact)s within %(days)s days", fact=fact, days=one.days)
    return gettext("%(fact)s %(compares)s %(value)s", fact=fact, compares=compares, value=value)


def reason(one: tagging.Reason) -> str:
    """What was found: "now 4"."""
    fact = one.condition.fact
    if tagging.FACTS[fact].is_word:
        found = gettext(", ").join(_word(fact, word) for word in one.words) or gettext("unknown")
    else:
        found = money(one.found) if fact == "amount" else str(one.found)
    return gettext("now %(found)s", found=found)


def _word(fact: str, word: str) -> str:
    if fact == "region":
        return regions.name(word, language(), full=True)
    if fact == "device":
        return device_name(word)
    return app_name(word) if fact == "app" else word


# Segments and tasks

STAGES = {
    "new": lazy_gettext("New"),
    "first_order": lazy_gettext("First order"),
    "repeat": lazy_gettext("Bought again"),
    "silent": lazy_gettext("Silent"),
    "lost": lazy_gettext("Lost"),
}
STAGE_HINTS = {
    "new": lazy_gettext("scanned lately, no order yet"),
    "first_order": lazy_gettext("one order"),
    "repeat": lazy_gettext("two orders or more"),
    "silent": lazy_gettext("nothing for a while"),
    "lost": lazy_gettext("nothing for long"),
}
# Recency, frequency, money.
RFM = {
    "111": lazy_gettext("Champions"),
    "101": lazy_gettext("To be developed"),
    "011": lazy_gettext("To be kept"),
    "001": lazy_gettext("To be won back"),
    "110": lazy_gettext("Regular, small"),
    "100": lazy_gettext("Fresh, small"),
    "010": lazy_gettext("Was regular, small"),
    "000": lazy_gettext("Once, small, long ago"),
}
TASK_STATES = {
    "waiting": lazy_gettext("waits for its turn"),
    "running": lazy_gettext("is being done"),
    "done": lazy_gettext("done"),
    "failed": lazy_gettext("did not work; begin it again"),
    "void": lazy_gettext("deleted, because somebody in it was erased; make it again"),
}
FILTER_WORDS = {
    "live_code_id": lazy_gettext("live code %(value)s"),
    "choice_id": lazy_gettext("choice %(value)s"),
    "tag": lazy_gettext("tagged %(value)s"),
    "without_tag": lazy_gettext("not tagged %(value)s"),
    "region": lazy_gettext("in %(value)s"),
    "placement": lazy_gettext("came by %(value)s"),
    "device": lazy_gettext("on %(value)s"),
    "app": lazy_gettext("in %(value)s"),
    "language": lazy_gettext("language %(value)s"),
    "from": lazy_gettext("seen from %(value)s"),
    "to": lazy_gettext("until %(value)s"),
    "since": lazy_gettext("seen from %(value)s"),
    "until": lazy_gettext("until %(value)s"),
    "days": lazy_gettext("seen within %(value)s days"),
    "stage": lazy_gettext("stage %(value)s"),
    "rfm": lazy_gettext("buyers %(value)s"),
    "q": lazy_gettext("“%(value)s”"),
}


def filter_words(query: Mapping[str, Any], live_codes: Mapping[str, str]) -> list[str]:
    """A filter in words, part by part; nothing where it finds everybody."""
    found = []
    for name, text in query.items():
        if not text:
            continue
        if name == "pressed":
            found.append(gettext("long-pressed") if text == "1" else gettext("no long-press"))
        elif name in FILTER_WORDS:
            found.append(str(FILTER_WORDS[name]) % {"value": _filter_value(name, str(text), live_codes)})
    return found


def _filter_value(name: str, text: str, live_codes: Mapping[str, str]) -> str:
    words: Mapping[str, Mapping[str, Any]] = {
        "live_code_id": live_codes, "device": DEVICES, "app": APPS, "stage": STAGES, "rfm": RFM,
    }  # fmt: skip
    if name == "region" and text.isupper():
        return regions.name(text, language(), full=True)
    return str(words.get(name, {}).get(text, text))


def task_title(kind: str, tag: str) -> str:
    if kind == "tag":
        return gettext("Tag “%(tag)s” given", tag=tag)
    if kind == "untag":
        return gettext("Tag “%(tag)s” taken off", tag=tag)
    return gettext("Visitors as %(kind)s", kind={"csv": "CSV", "xlsx": "Excel"}[kind])


LINE_PROBLEMS = {
    "missing": lazy_gettext("The column %(column)s is missing."),
    "wrong": lazy_gettext("%(column)s cannot be used."),
    "unknown": lazy_gettext("There is no such visitor."),
    "too_many": lazy_gettext("Too many lines; at most %(most)s at once."),
    "no_csv": lazy_gettext("This is no CSV file."),
    "nobody": lazy_gettext("Nobody is named: visitor_id, openid, external_userid or phone is needed."),
    "says_nothing": lazy_gettext("A visitor_id and an external id are needed, or two external ids of one person."),
    "elsewhere": lazy_gettext("Somebody else is called so already, whom others know, too. Ask an administrator."),
    "many_joins": lazy_gettext("More than %(joins)s people would become one with others. Hand them in in parts."),
    "many_tags": lazy_gettext("More than %(tags)s different tags. Is this the right column?"),
}
IDENTITIES = {
    "openid": "openid",
    "external_userid": lazy_gettext("WeCom contact"),
    "phone": lazy_gettext("Phone (digest)"),
}


def line_problem(problem: Any) -> str:
    numbers = {"most": MOST_LINES, "joins": MOST_JOINS, "tags": MOST_TAGS}
    return str(LINE_PROBLEMS[problem.what]) % {"column": problem.column, **numbers}


RETENTION = {
    "events": (lazy_gettext("Single events, days"), lazy_gettext("Timelines and tag rules read them.")),
    "visitors": (lazy_gettext("People not seen for, days"), lazy_gettext("They are erased, their seats too.")),
    "identities": (lazy_gettext("External ids, days"), lazy_gettext("Openids, WeCom contacts, phone digests.")),
    "files": (lazy_gettext("Finished files, days"), lazy_gettext("Exports of visitors.")),
    "dead": (lazy_gettext("Entries nobody could read, days"), lazy_gettext("Set aside by the pipeline.")),
}

"""The words of messages: one line of what is so, the page to act on, the link to pass on to the group's owner.

English here, Chinese in translations/*/alerts.po; a message is written in its channel's language. Says what happened
and what to do next, and nothing a stranger should not read beyond a group's name.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

import flask_babel
from flask_babel import force_locale, format_datetime, lazy_gettext

from app.rules import regions
from app.rules.alerting import QUEUED
from app.rules.forecast import Between
from app.rules.rhythm import HOUR
from app.web.i18n import LOCALES, language

gettext: Callable[..., str] = flask_babel.gettext
ngettext: Callable[..., str] = flask_babel.ngettext

# Robots cut long texts off; what is left out is on the page that every message names.
MOST_LINES = 6

KINDS: Mapping[str, Any] = {
    "expiring": lazy_gettext("Code about to expire"),
    "expired": lazy_gettext("Code expired"),
    "filling": lazy_gettext("Group filling up"),
    "full": lazy_gettext("Group full"),
    "overflow": lazy_gettext("No room for new people"),
    "forecast": lazy_gettext("Will run out of room"),
    "nobody": lazy_gettext("Nobody gets in"),
    "region": lazy_gettext("A place without a code"),
    "choice": lazy_gettext("A choice without a code"),
    "suspect": lazy_gettext("People cannot get in"),
    "reserve": lazy_gettext("Reserve called in"),
    "headcount": lazy_gettext("Headcount wanted"),
}
CHANNELS: Mapping[str, Any] = {
    "wecom": lazy_gettext("WeCom group robot"),
    "dingtalk": lazy_gettext("DingTalk robot"),
    "feishu": lazy_gettext("Feishu robot"),
    "mail": lazy_gettext("E-mail"),
    "bark": "Bark",
    "serverchan": "Server酱",
    "telegram": "Telegram",
    "slack": "Slack",
    "webhook": lazy_gettext("Webhook (JSON)"),
}
SIGNALS: Mapping[str, Any] = {
    "headcounts": lazy_gettext("by your headcounts"),
    "presses": lazy_gettext("by long-presses"),
    "seats": lazy_gettext("by seats given out"),
}
# Why a forecast is not to be relied on.
DOUBTS: Mapping[str, Any] = {
    "few": lazy_gettext("uncertain: too few people come to tell"),
    "wave": lazy_gettext("uncertain: more people come than on any day before"),
}
# Why a message was not sent; anything else is shown as it is ("answered 403", "errcode 93000").
REASONS: Mapping[str, Any] = {
    "private_address": lazy_gettext("The address lies inside a private network; an administrator may allow it."),
    "unknown_host": lazy_gettext("No server goes by this name."),
    "cannot_connect": lazy_gettext("The server does not answer."),
    "unreadable": lazy_gettext("The key was stored under another secret of this service: enter it again."),
    "address": lazy_gettext("This is no address of that service."),
    "not accepted": lazy_gettext("The service did not accept it."),
    **dict.fromkeys(
        ("ConnectionError", "ConnectTimeout", "ReadTimeout", "Timeout", "TimeoutError", "ConnectionRefusedError"),
        lazy_gettext("The server does not answer."),
    ),
    **dict.fromkeys(
        ("SSLError", "SSLCertVerificationError"), lazy_gettext("The server's certificate cannot be trusted.")
    ),
    "SMTPAuthenticationError": lazy_gettext("The mailbox did not take the name or the password."),
}


# What is said to an owner whose link is over.
LINKS_OVER: Mapping[str, Any] = {
    "unknown": lazy_gettext("This link is not complete. Open it again from the message."),
    "expired": lazy_gettext("This link has expired. Ask for a new one."),
    "revoked": lazy_gettext("This link was withdrawn. Ask for a new one."),
    "used": lazy_gettext("This link was used already. Ask for a new one if the code must be swapped again."),
    "tries": lazy_gettext("Too many pictures were tried with this link. Ask for a new one."),
    "gone": lazy_gettext("This code is no longer in use. There is nothing to do."),
}
ACTIONS: Mapping[str, Any] = {
    "alert_channel.made": lazy_gettext("Alert channel made"),
    "alert_channel.changed": lazy_gettext("Alert channel changed"),
    "alert_channel.deleted": lazy_gettext("Alert channel deleted"),
    "alert_rule.changed": lazy_gettext("Alert thresholds changed"),
}
FIELDS: Mapping[str, Any] = {
    "link": lazy_gettext("Swap link"),
    "most_uses": lazy_gettext("Uses"),
    "is_muted": lazy_gettext("Muted"),
    "expiring_hours": lazy_gettext("Hours before it expires"),
    "filling_percents": lazy_gettext("Percent taken"),
    "cooldown_hours": lazy_gettext("Rest after it is over, hours"),
    "tells_forecast": lazy_gettext("Tells forecasts"),
    "work_from": lazy_gettext("Work begins"),
    "work_until": lazy_gettext("Work ends"),
    "work_days": lazy_gettext("Working days"),
    "covers_all": lazy_gettext("All live codes"),
    "lowest_level": lazy_gettext("From which urgency on"),
    "quiet_from": lazy_gettext("Quiet from"),
    "quiet_until": lazy_gettext("Quiet until"),
    "digest_at": lazy_gettext("Morning digest"),
    "escalates_after_hours": lazy_gettext("Escalation after, hours"),
}


@dataclass(frozen=True, slots=True)
class Line:
    """One alert as a message tells it. `act_url`: where to put it right; `owner_url`: for the group's owner."""

    alert_id: int
    kind: str
    live_code: str
    member: str
    numbers: Mapping[str, Any]
    at: datetime
    act_url: str
    owner_url: str = ""
    owner: str = ""


def reason(text: str) -> str:
    return str(REASONS.get(text, text))


def moment(at: datetime, zone: tzinfo) -> str:
    return str(format_datetime(at.astimezone(zone), "MM-dd HH:mm", rebase=False))


def until(at: datetime | None, now: datetime, zone: tzinfo) -> str:
    """Until when a code is valid, for an owner's phone; "" for one that does not expire."""
    if at is None:
        return ""
    when = moment(at, zone)
    return gettext("expired %(when)s", when=when) if at <= now else gettext("valid until %(when)s", when=when)


def what(line: Line, now: datetime, zone: tzinfo) -> str:
    """What is so, in one sentence."""
    n = line.numbers
    match line.kind:
        case "expiring":
            expires_at = datetime.fromtimestamp(n["expires_at"], UTC)
            left = max(timedelta(), expires_at - now)
            hours = max(1, round(left.total_seconds() / 3600))
            return ngettext(
                "expires in %(num)s hour (%(when)s)",
                "expires in %(num)s hours (%(when)s)",
                hours,
                when=moment(expires_at, zone),
            )
        case "expired" if n.get("is_reserve"):
            return gettext("expired %(when)s: this reserve cannot be called in", when=moment(line.at, zone))
        case "expired":
            return gettext("expired %(when)s: new people are sent elsewhere", when=moment(line.at, zone))
        case "filling":
            return gettext("%(taken)s of %(capacity)s places are taken", taken=n["taken"], capacity=n["capacity"])
        case "full":
            return gettext("full: %(taken)s of %(capacity)s", taken=n["taken"], capacity=n["capacity"])
        case "overflow" if n.get("away"):
            return gettext("people scan, find no room and are shown no code at all")
        case "overflow":
            return gettext("people scan and find no room: they are shown the fallback")
        case "forecast":
            empty_at = datetime.fromtimestamp(n["empty_at"], UTC)
            hours = max(1, round((empty_at - now).total_seconds() / 3600))
            signal = SIGNALS.get(n["signal"], n["signal"])
            doubt = DOUBTS[n["doubt"]] if n.get("doubt") in DOUBTS else ""
            between = within(_between(n), empty_at, now) if "earliest" in n else ""
            return gettext(
                "room for about %(hours)s more hours, until %(when)s (%(signal)s)",
                hours=hours,
                when=moment(empty_at, zone),
                signal="; ".join(str(part) for part in (signal, between, doubt) if part),
            )
        case "nobody":
            return gettext("no code has room or is valid: nobody gets in")
        case "region":
            return gettext("nobody serves %(place)s any more", place=regions.name(n["region"], language(), full=True))
        case "choice":
            return gettext("the choice “%(choice)s” leads nowhere", choice=n["choice"])
        case "suspect":
            return gettext("three people in half an hour could not get in")
        case "reserve":
            rest = int(n.get("left", 0))
            if not rest:
                return gettext("a reserve was called in, and none is left")
            return ngettext(
                "a reserve was called in, %(num)s is left", "a reserve was called in, %(num)s are left", rest
            )
        case "headcount":
            return gettext("may have more room than we think: look how many people are in it")
    return str(KINDS.get(line.kind, line.kind))


def in_about(at: datetime, now: datetime) -> str:
    """ "in about 9 h", and in days from two days on."""
    hours = max(1, round((at - now).total_seconds() / 3600))
    if hours < 48:
        return gettext("in about %(hours)s h", hours=hours)
    return gettext("in about %(days)s days", days=round(hours / 24))


def _between(numbers: Mapping[str, Any]) -> Between:
    earliest, latest = (datetime.fromtimestamp(numbers[name], UTC) for name in ("earliest", "latest"))
    return earliest, latest if numbers["latest"] else None


def within(between: Between, at: datetime, now: datetime) -> str:
    """ "6 to 13 h" for what is expected at `at`; "" where that is all within a fifth of it."""
    earliest, latest = between
    if latest is None:
        return gettext("%(hours)s h or more", hours=round((earliest - now) / HOUR))
    if latest - earliest <= 0.4 * (at - now):
        return ""
    hours = {"earliest": round((earliest - now) / HOUR), "latest": round((latest - now) / HOUR)}
    return gettext("%(earliest)s to %(latest)s h", **hours)


def title(lines: Sequence[Line], kind: str) -> str:
    if kind == "digest":
        return ngettext("This morning: %(num)s thing to do", "This morning: %(num)s things to do", len(lines))
    if kind == "escalation":
        return gettext("Still nobody has acted")
    if len(lines) == 1:
        return str(KINDS.get(lines[0].kind, lines[0].kind))
    return ngettext("%(num)s thing to do", "%(num)s things to do", len(lines))


def text(lines: Sequence[Line], now: datetime, zone: tzinfo, public_url: str) -> str:
    """The body. Longer than a few alerts: the first of them, and where to see all."""
    parts = []
    for number, line in enumerate(lines[:MOST_LINES], 1):
        name = f"{line.member} · {line.live_code}" if line.member else line.live_code
        start = f"{number}. " if len(lines) > 1 else ""
        parts.append(f"{start}{name}: {what(line, now, zone)}")
        parts.append(gettext("Act: %(url)s", url=line.act_url))
        if line.owner_url:
            to = f" {line.owner}" if line.owner else ""
            parts.append(gettext("For the group's owner%(name)s: %(url)s", name=to, url=line.owner_url))
    if len(lines) > MOST_LINES:
        more = len(lines) - MOST_LINES
        words = ngettext("and %(num)s more: %(url)s", "and %(num)s more: %(url)s", more, url=f"{public_url}/alerts")
        parts.append(words)
    to_swap = len({line.act_url for line in lines if line.kind in QUEUED})
    if to_swap > 1:
        parts.append(
            ngettext(
                "%(num)s code to swap, one after the other: %(url)s",
                "%(num)s codes to swap, one after the other: %(url)s",
                to_swap,
                url=f"{public_url}/swaps",
            )
        )
    return "\n".join(parts)


def in_language(code: str) -> Any:
    """A context in which texts come in this language, wherever it runs."""
    return force_locale(LOCALES[code])

"""What the panel calls things: modes, states, reasons, refusals, moments.

What a live code will do is told by `rules_wording`, what was done to it by `history_wording`. English here, Chinese in
translations/*/codes.po. What scanners read is `scan.wording`'s business.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta, tzinfo

import flask_babel
from flask_babel import format_datetime, lazy_gettext

from app.codes.changes import Refused
from app.rules import regions
from app.rules.kinds import KINDS
from app.rules.model import Window

gettext: Callable[..., str] = flask_babel.gettext
ngettext: Callable[..., str] = flask_babel.ngettext

KINDS_OF_LIVE_CODE = {
    "simple": (lazy_gettext("Everybody gets a group"), lazy_gettext("Scan, get a group, join. Nothing to choose.")),
    "grouped": (
        lazy_gettext("Visitors choose"),
        lazy_gettext("The page asks which group they want (city, course, age …); the answer becomes a tag."),
    ),
}
MODES = {
    "sequential": (
        lazy_gettext("Fill one after another"),
        lazy_gettext("The first group is filled up, then the next. Good for lively groups."),
    ),
    "round_robin": (
        lazy_gettext("In turns"),
        lazy_gettext("Everybody gets a share by weight: 3 to 1 is exactly 3 to 1. Good for staff."),
    ),
    "random": (
        lazy_gettext("At random by weight"),
        lazy_gettext("A roll of dice decides, heavier ones more often."),
    ),
}
REGION_POLICIES = {
    "prefer": (
        lazy_gettext("Local first"),
        lazy_gettext("Their own city first, then the province, then codes for everywhere; at last any code at all."),
    ),
    "strict": (
        lazy_gettext("Local only"),
        lazy_gettext("Where a code names the place, nobody from there is sent anywhere else, full or not."),
    ),
    "nearest": (
        lazy_gettext("Nearest shop"),
        lazy_gettext("By distance from the position they share; without a position as with “Local first”."),
    ),
}
CHOICE_POLICIES = {
    "one": (lazy_gettext("One, for good"), lazy_gettext("Whoever has chosen stays there.")),
    "change_once": (lazy_gettext("May change once"), lazy_gettext("One change of mind; the first seat is given back.")),
    "several": (lazy_gettext("Several"), lazy_gettext("One seat in each choice.")),
}
CLOSED_POLICIES = {
    "by_press": (
        lazy_gettext("Look at what they did (recommended)"),
        lazy_gettext(
            "Who had long-pressed an expired group code probably is in, and is asked to wait for the new code (48 hours"
            " at most); everybody else gets another group at once."
        ),
    ),
    "reassign": (lazy_gettext("Another group at once"), lazy_gettext("For everybody whose code is closed.")),
    "hold": (
        lazy_gettext("Wait for the new code"),
        lazy_gettext("For everybody. They may still ask for another group."),
    ),
    "fallback": (lazy_gettext("Show the fallback code"), lazy_gettext("Without one they wait for the new code.")),
}
OPENS = {
    "page": (lazy_gettext("Show a page"), lazy_gettext("With the code to long-press. Right for every kind.")),
    "redirect": (
        lazy_gettext("Open at once"),
        lazy_gettext("Links that open by themselves are opened without a page; group codes still get one."),
    ),
}
MEMBER_STATES = {
    "active": lazy_gettext("Switched on"),
    "reserve": lazy_gettext("Reserve: only when all others are full"),
    "disabled": lazy_gettext("Switched off"),
    "archived": lazy_gettext("Archived"),
}
OUTCOMES = {
    "assigned": lazy_gettext("gets"),
    "returning": lazy_gettext("comes back to"),
    "held": lazy_gettext("is asked to wait for the new code of"),
    "elsewhere": lazy_gettext("already has a group in another live code:"),
    "choose": lazy_gettext("is asked which group they want"),
    "fallback": lazy_gettext("gets the fallback code"),
    "full": lazy_gettext("reads that all groups are full, with your contact"),
    "unavailable": lazy_gettext("reads that there is no group to join right now"),
    "paused": lazy_gettext("reads that the event is paused"),
    "not_started": lazy_gettext("reads when it starts"),
    "ended": lazy_gettext("reads that it has ended"),
}
# The trace: a rank where the member is eligible, a reason where it is not.
REASONS = {
    "pin": lazy_gettext("pinned by hand"),
    "active": lazy_gettext("can be given out"),
    "last_resort": lazy_gettext("another place, but better than nothing"),
    "archived": lazy_gettext("archived"),
    "disabled": lazy_gettext("switched off"),
    "no_code": lazy_gettext("has no image yet"),
    "not_yet": lazy_gettext("not valid yet"),
    "expired": lazy_gettext("expired"),
    "fallback": lazy_gettext("fallback: only when nobody else can"),
    "other_choice": lazy_gettext("belongs to another choice"),
    "other_place": lazy_gettext("serves other places"),
    "not_matched": lazy_gettext("others serve this place"),
    "too_far": lazy_gettext("too far away"),
    "closed_now": lazy_gettext("outside its opening times"),
    "reserve": lazy_gettext("reserve: others still have room"),
    "suspect": lazy_gettext("people could not get in"),
    "full": lazy_gettext("full"),
    "daily_full": lazy_gettext("full for today"),
    "refused": lazy_gettext("this visitor could not get in"),
}
# How a place is known.
SOURCES = {
    "address": lazy_gettext("by the network address"),
    "position": lazy_gettext("by the position"),
}
REFUSALS = {
    "not_found": lazy_gettext("This is no longer there. Load the page again."),
    "stale": lazy_gettext("Somebody else changed this in the meantime. What you typed is still here."),
    "member_limit": lazy_gettext("A live code holds 200 codes. Archive one that is no longer needed."),
    "choice_limit": lazy_gettext("A page asks 20 choices at most."),
    "placement_limit": lazy_gettext("A live code has 500 placements at most."),
    "duplicate_placement": lazy_gettext("There is a placement with this key already."),
    "not_grouped": lazy_gettext("Only live codes that let visitors choose have choices."),
    "duplicate_member": lazy_gettext("This code is here already."),
    "same_code": lazy_gettext("This is the code shown now. Refresh the group's code in WeChat and upload the new one."),
    "has_choices": lazy_gettext("Archive its choices first."),
    "archived": lazy_gettext("This is archived. Restore it first."),
    "duplicate_host": lazy_gettext("This address is on the list already."),
    "host_in_use": lazy_gettext("Live codes say this address. It cannot be taken away."),
    "host_limit": lazy_gettext("There are 50 addresses already."),
    "invalid": lazy_gettext("Some of these values cannot be used."),
    "not_an_image": lazy_gettext("This file is no picture. Upload a screenshot or a photo of the code."),
    "image_too_large": lazy_gettext("This picture is larger than 15 MB. A screenshot is enough."),
    "image_too_many_pixels": lazy_gettext("This picture has too many pixels. A screenshot is enough."),
    "image_broken": lazy_gettext("This picture is damaged. Save or send it again."),
    "no_qr_found": lazy_gettext(
        "There is no QR code in this picture. Take a sharper one in which all of it can be seen."
    ),
    "several_qr_found": lazy_gettext("There are several codes in this picture. Pick the right one."),
    "payment_code": lazy_gettext("This is a payment code. It cannot be bound."),
    "not_a_link": lazy_gettext("This code holds no link, so nobody could join by it."),
}


def kind_name(kind: str, language: str) -> str:
    row = KINDS[kind]
    return row.name_zh if language == "zh" else row.name_en


def refusal(refused: Refused) -> str:
    return str(REFUSALS.get(refused.code, REFUSALS["invalid"]))


def region_names(keys: Sequence[str], language: str) -> list[str]:
    """Quick groups by their name, then the others; a city with its province."""
    groups, others = regions.quick_groups_in(keys)
    named = list(groups) if language == "zh" else [regions.QUICK_GROUP_NAMES_EN[group] for group in groups]
    return named + [regions.name(key, language, full=True) for key in others]


def weekday_names() -> list[str]:
    return [
        gettext("Mon"),
        gettext("Tue"),
        gettext("Wed"),
        gettext("Thu"),
        gettext("Fri"),
        gettext("Sat"),
        gettext("Sun"),
    ]


def window_text(windows: Sequence[Window]) -> str:
    """Such as "Mon–Fri 09:00–18:00"; "" when it is always open."""
    return gettext("; ").join(f"{days_text(w.days)} {_clock(w.from_minute)}–{_clock(w.to_minute)}" for w in windows)


def days_text(days: frozenset[int]) -> str:
    names = weekday_names()
    if len(days) == 7:
        return gettext("daily")
    runs: list[list[int]] = []
    for day in sorted(days):
        if runs and day == runs[-1][-1] + 1:
            runs[-1].append(day)
        else:
            runs.append([day])
    return gettext(", ").join(
        names[run[0] - 1] if len(run) == 1 else f"{names[run[0] - 1]}–{names[run[-1] - 1]}" for run in runs
    )


def _clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"


def code_number(member_id: int) -> str:
    """What a member without any name is called."""
    return gettext("Code %(number)s", number=member_id)


def when(at: datetime, now: datetime, zone: tzinfo) -> str:
    """yesterday 21:40, today 09:00, tomorrow 18:00; a date farther away."""
    local, today = at.astimezone(zone), now.astimezone(zone).date()
    days = (local.date() - today) // timedelta(days=1)
    clock = f"{local:%H:%M}"
    if days == 0:
        return gettext("today %(clock)s", clock=clock)
    if days == 1:
        return gettext("tomorrow %(clock)s", clock=clock)
    if days == -1:
        return gettext("yesterday %(clock)s", clock=clock)
    return f"{day_name(local, today.year)} {clock}"


def day_name(local: datetime, this_year: int) -> str:
    """3 Dec, or with its year when it is another one's."""
    pattern = gettext("d MMM") if local.year == this_year else gettext("d MMM yyyy")
    return str(format_datetime(local, pattern, rebase=False))


def time_left(until: datetime, now: datetime) -> str:
    """5 days left, 3 hours left; how long ago it ended where it has."""
    seconds = (until - now).total_seconds()
    days, hours, minutes = (int(abs(seconds) // span) for span in (86400, 3600, 60))
    if seconds >= 0:
        if days >= 2:
            return ngettext("%(num)s day left", "%(num)s days left", days)
        if hours >= 1:
            return ngettext("%(num)s hour left", "%(num)s hours left", hours)
        return ngettext("%(num)s minute left", "%(num)s minutes left", max(1, minutes))
    if days >= 1:
        return ngettext("expired %(num)s day ago", "expired %(num)s days ago", days)
    if hours >= 1:
        return ngettext("expired %(num)s hour ago", "expired %(num)s hours ago", hours)
    return gettext("expired just now")


def group_name(group: str, language: str) -> str:
    """A part of the country, in the reader's language."""
    return group if language == "zh" else regions.QUICK_GROUP_NAMES_EN[group]


def minute_of(at: datetime, zone: tzinfo) -> str:
    return str(format_datetime(at.astimezone(zone), "yyyy-MM-dd HH:mm", rebase=False))

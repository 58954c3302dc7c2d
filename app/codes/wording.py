"""What the panel calls things: modes, states, reasons, refusals, and what a live code will do, in plain sentences.

English here, Chinese in translations/*/codes.po. What scanners read is `scan.wording`'s business.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Any

import flask_babel
from flask_babel import format_datetime, lazy_gettext

from app.codes.changes import Refused
from app.rules import regions
from app.rules.kinds import KINDS
from app.rules.model import Member, MemberState, Mode, RegionPolicy, Snapshot, Window

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
    return gettext("; ").join(f"{_days(w.days)} {_clock(w.from_minute)}–{_clock(w.to_minute)}" for w in windows)


def _days(days: frozenset[int]) -> str:
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


def summary(snapshot: Snapshot, labels: Mapping[int, str], language: str, now: datetime) -> list[str]:
    """What will happen to somebody who scans, in a handful of sentences, from the rules as they stand. `labels`: what
    the panel calls the members."""
    members = [m for m in snapshot.members if m.state is not MemberState.ARCHIVED and not m.is_fallback]
    told = [
        _when(snapshot, now),
        _whom(snapshot),
        *_how(snapshot, members, labels),
        _where(snapshot, members, language),
        _hours(members),
        _again(snapshot),
        _closed(snapshot),
        _unpressed(snapshot, members),
        _overflow(snapshot, labels),
    ]
    return [sentence for sentence in told if sentence]


def _when(snapshot: Snapshot, now: datetime) -> str:
    if snapshot.state.value == "paused":
        return gettext("Paused: whoever scans reads that the event is paused.")
    if snapshot.ends_at is not None and snapshot.ends_at <= now:
        return gettext(
            "Ended on %(day)s: whoever scans reads that it has ended.", day=_day(snapshot.ends_at, snapshot.zone)
        )
    if snapshot.starts_at is not None and now < snapshot.starts_at:
        return gettext("Starts on %(day)s; until then scanners read when.", day=_day(snapshot.starts_at, snapshot.zone))
    if snapshot.ends_at is not None:
        return gettext("Runs until %(day)s.", day=_day(snapshot.ends_at, snapshot.zone))
    return ""


def _day(at: datetime, zone: tzinfo) -> str:
    return str(format_datetime(at.astimezone(zone), "yyyy-MM-dd HH:mm", rebase=False))


def _whom(snapshot: Snapshot) -> str:
    if not snapshot.is_grouped:
        return ""
    titles = gettext(", ").join(choice.title for choice in sorted(snapshot.choices, key=lambda c: (c.position, c.id)))
    if not titles:
        return gettext("Visitors are to choose, but there is no choice yet.")
    return gettext("The page asks: %(titles)s. The answer becomes a tag.", titles=titles)


def _how(snapshot: Snapshot, members: Sequence[Member], labels: Mapping[int, str]) -> list[str]:
    pinned = snapshot.member(snapshot.pinned_member_id)
    told = []
    if pinned is not None:
        name = _called(pinned, labels)
        told.append(gettext("Pinned: every new visitor gets %(name)s until you release it.", name=name))
    if snapshot.is_grouped:
        told.append(gettext("Within a choice its own mode decides."))
    elif snapshot.mode is Mode.SEQUENTIAL:
        told.append(gettext("New visitors fill the first code that has room; when it is full, the next one."))
    elif snapshot.mode is Mode.ROUND_ROBIN:
        weights = [m.weight for m in members if m.state is MemberState.ACTIVE]
        if len(set(weights)) > 1:
            shares = " : ".join(str(weight) for weight in weights[:8])
            told.append(gettext("New visitors are dealt out in turns, %(shares)s.", shares=shares))
        else:
            told.append(gettext("New visitors are dealt out in turns, one each."))
    else:
        told.append(gettext("New visitors are dealt out at random; a higher weight comes up more often."))
    reserves = sum(m.state is MemberState.RESERVE for m in members)
    if reserves:
        told.append(
            ngettext(
                "One reserve steps in when all others are full.",
                "%(num)s reserves step in when all others are full.",
                reserves,
            )
        )
    return told


def _where(snapshot: Snapshot, members: Sequence[Member], language: str) -> str:
    named = sorted({key for m in members for key in m.regions})
    if snapshot.region_policy is RegionPolicy.NEAREST:
        return gettext("Who shares their position gets the nearest code.")
    if not named:
        return ""
    names = region_names(named, language)
    places = gettext(", ").join(names[:6]) + ("…" if len(names) > 6 else "")
    if snapshot.region_policy is RegionPolicy.STRICT:
        return gettext(
            "Visitors from %(places)s only get codes for their place; all others the codes without a place.",
            places=places,
        )
    return gettext("Visitors from %(places)s get a code for their place first, then the others.", places=places)


def _hours(members: Sequence[Member]) -> str:
    limited = sum(bool(m.windows) for m in members)
    if not limited:
        return ""
    if limited == len(members):
        return gettext("Outside the opening times scanners read when to come back.")
    return ngettext("One code has opening times.", "%(num)s codes have opening times.", limited)


def _again(snapshot: Snapshot) -> str:
    if snapshot.dedupe_group:
        return gettext(
            "Within WeChat one person gets one group only, across all live codes of “%(group)s”; scanning again shows"
            " the same group with today's code.",
            group=snapshot.dedupe_group,
        )
    return gettext(
        "Within WeChat one person gets one group only; scanning again shows the same group with today's code."
    )


def _closed(snapshot: Snapshot) -> str:
    match snapshot.on_closed_member.value:
        case "by_press":
            return gettext(
                "When a group's code has expired, those who had long-pressed it wait for the new one (48 hours at"
                " most); all others get another group."
            )
        case "reassign":
            return gettext("When somebody's code is closed they get another one at once.")
        case "hold":
            return gettext("When somebody's code is closed they wait for the new one.")
    return gettext("When somebody's code is closed they see the fallback code.")


def _unpressed(snapshot: Snapshot, members: Sequence[Member]) -> str:
    if not snapshot.unpressed_seat_hours or not any(m.is_group for m in members):
        return ""
    return ngettext(
        "A seat that nobody long-pressed is free again after one hour.",
        "A seat that nobody long-pressed is free again after %(num)s hours.",
        snapshot.unpressed_seat_hours,
    )


def _overflow(snapshot: Snapshot, labels: Mapping[int, str]) -> str:
    spare = [m for m in snapshot.members if m.is_fallback and m.state is MemberState.ACTIVE]
    if spare:
        return gettext("When all are full, the fallback code is shown: %(name)s.", name=_called(spare[0], labels))
    contact = snapshot.contact
    if contact.text or contact.phone or contact.url:
        return gettext("When all are full, scanners read so and find your contact.")
    return gettext("When all are full, scanners read so. There is no fallback code and no contact: nobody to turn to.")


def _called(member: Member, labels: Mapping[int, str]) -> str:
    return labels.get(member.id) or member.name or code_number(member.id)


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


ACTIONS: Mapping[str, Any] = {
    "live_code.created": lazy_gettext("Made"),
    "live_code.changed": lazy_gettext("Changed"),
    "live_code.archived": lazy_gettext("Archived"),
    "live_code.restored": lazy_gettext("Restored"),
    "live_code.shared": lazy_gettext("Shared"),
    "live_code.unshared": lazy_gettext("No longer shared"),
    "live_code.moved": lazy_gettext("Moved to a folder"),
    "live_code.pinned": lazy_gettext("Pinned"),
    "live_code.unpinned": lazy_gettext("Pin released"),
    "member.created": lazy_gettext("Code added"),
    "member.changed": lazy_gettext("Code changed"),
    "member.archived": lazy_gettext("Code archived"),
    "member.reordered": lazy_gettext("Order changed"),
    "member.swapped": lazy_gettext("Code swapped"),
    "member.rolled_back": lazy_gettext("Earlier code shown again"),
    "member.counted": lazy_gettext("Headcount entered"),
    "member.trusted": lazy_gettext("Said to work"),
    "choice.created": lazy_gettext("Choice added"),
    "choice.changed": lazy_gettext("Choice changed"),
    "choice.archived": lazy_gettext("Choice archived"),
    "choice.restored": lazy_gettext("Choice restored"),
    "choice.reordered": lazy_gettext("Order of choices changed"),
    "placement.created": lazy_gettext("Placement added"),
    "placement.changed": lazy_gettext("Placement changed"),
    "placement.archived": lazy_gettext("Placement archived"),
    "placement.restored": lazy_gettext("Placement restored"),
    "host.added": lazy_gettext("Address added"),
    "host.made_default": lazy_gettext("Address for new codes"),
    "host.removed": lazy_gettext("Address removed"),
}
FIELDS: Mapping[str, Any] = {
    "colleague": lazy_gettext("Colleague"),
    "level": lazy_gettext("May"),
    "name": lazy_gettext("Name in the panel"),
    "title": lazy_gettext("Title"),
    "notice": lazy_gettext("A word to scanners"),
    "mode": lazy_gettext("Mode"),
    "region_policy": lazy_gettext("Places"),
    "state": lazy_gettext("State"),
    "starts_at": lazy_gettext("Starts"),
    "ends_at": lazy_gettext("Ends"),
    "dedupe_group": lazy_gettext("One group only, across live codes"),
    "on_closed_member": lazy_gettext("Their code is closed"),
    "unpressed_seat_hours": lazy_gettext("Free seats again after (hours)"),
    "label": lazy_gettext("Name for yourselves"),
    "public_name": lazy_gettext("Name scanners read"),
    "owner": lazy_gettext("Who looks after it"),
    "notes": lazy_gettext("Notes"),
    "capacity": lazy_gettext("At most, in all"),
    "daily_capacity": lazy_gettext("At most, a day"),
    "weight": lazy_gettext("Weight"),
    "is_fallback": lazy_gettext("Fallback code"),
    "regions": lazy_gettext("Places"),
    "windows": lazy_gettext("Opening times"),
    "valid_from": lazy_gettext("Not before"),
    "expires_at": lazy_gettext("Valid until"),
    "headcount": lazy_gettext("People in the group"),
    "version": lazy_gettext("Version"),
    "target": lazy_gettext("Link"),
    "tag": lazy_gettext("Tag"),
    "description": lazy_gettext("A line below it"),
    "contact_text": lazy_gettext("Words on the button"),
    "contact_phone": lazy_gettext("Phone"),
    "contact_url": lazy_gettext("Link (customer service, a page)"),
    "colour": lazy_gettext("Colour"),
    "pinned_member_id": lazy_gettext("Pinned"),
    "asks_city": lazy_gettext("Scanners may choose their city"),
    "region": lazy_gettext("Where it hangs"),
    "key": lazy_gettext("Word in the code"),
    "origin": lazy_gettext("Address"),
    "folder": lazy_gettext("Folder"),
    "latitude": lazy_gettext("Latitude"),
    "longitude": lazy_gettext("Longitude"),
    "radius_m": lazy_gettext("Not farther than (metres)"),
}


@dataclass(frozen=True, slots=True)
class PastChange:
    """One entry of the history in words; `changes`: (what, before, after)."""

    at: datetime
    actor: str
    words: str
    about: str
    changes: list[tuple[str, str, str]]


def past_change(entry: Any, about: str, zone: tzinfo, language: str) -> PastChange:
    """`entry` is a row of the audit log. What has no name here (ids, orders) is left out."""
    before, after = entry.before or {}, entry.after or {}
    is_new = entry.action.endswith(".created")
    changes = [
        (str(label), _told(name, before.get(name), zone, language), _told(name, after.get(name), zone, language))
        for name, label in FIELDS.items()
        if (name in before or name in after) and not (is_new and after.get(name) in _USUAL)
    ]
    return PastChange(entry.at, entry.actor, str(ACTIONS.get(entry.action, entry.action)), about, changes)


# What says nothing about a new row.
_USUAL: tuple[Any, ...] = (None, "", [], False, 1, "active", "simple", "prefer", "by_press", "page", "one", 48)
LONGEST_SHOWN = 60


def _told(name: str, value: Any, zone: tzinfo, language: str) -> str:
    if value in (None, "", []):
        return ""
    if name == "region":
        return regions.name(str(value), language, full=True)
    if name == "regions":
        return gettext(", ").join(region_names(value, language))
    if name.endswith("_at") or name == "valid_from":
        return _day(datetime.fromisoformat(value), zone)
    if name in VALUES and value in VALUES[name]:
        words = VALUES[name][value]
        return str(words[0] if isinstance(words, tuple) else words)
    if isinstance(value, bool):
        return gettext("yes") if value else gettext("no")
    if name == "windows":
        return gettext("; ").join(f"{_days(frozenset(w['days']))} {w['from']}–{w['to']}" for w in value)
    text = str(value)
    return text if len(text) <= LONGEST_SHOWN else text[:LONGEST_SHOWN] + "…"


VALUES: Mapping[str, Mapping[str, Any]] = {
    "mode": MODES,
    "region_policy": REGION_POLICIES,
    "on_closed_member": CLOSED_POLICIES,
    "state": MEMBER_STATES | {"paused": lazy_gettext("Paused")},
}

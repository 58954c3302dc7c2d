"""What will happen to somebody who scans, told in plain sentences beside the rules."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

import flask_babel

from app.codes import wording
from app.codes.wording import minute_of
from app.rules.model import Member, MemberState, Mode, RegionPolicy, Snapshot

gettext: Callable[..., str] = flask_babel.gettext
ngettext: Callable[..., str] = flask_babel.ngettext


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
            "Ended on %(day)s: whoever scans reads that it has ended.", day=minute_of(snapshot.ends_at, snapshot.zone)
        )
    if snapshot.starts_at is not None and now < snapshot.starts_at:
        return gettext(
            "Starts on %(day)s; until then scanners read when.", day=minute_of(snapshot.starts_at, snapshot.zone)
        )
    if snapshot.ends_at is not None:
        return gettext("Runs until %(day)s.", day=minute_of(snapshot.ends_at, snapshot.zone))
    return ""


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
    names = wording.region_names(named, language)
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
    return labels.get(member.id) or member.name or wording.code_number(member.id)

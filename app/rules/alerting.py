"""What somebody should be told about a live code now, and when a message may be sent.

Says which causes hold at this moment, each under a key that stays the same for as long as it is the same trouble: the
same version about to expire, the same group filling up. Who has been told already is not known here; whoever keeps that
(`alerts.rounds`) tells each key once. Reads no clock.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta, tzinfo
from enum import IntEnum
from typing import Any

from app.rules.forecast import Outlook
from app.rules.model import Member, MemberState, RegionPolicy, Snapshot
from app.rules.regions import covers

HOUR = timedelta(hours=1)
# What has fallen below a threshold by less than this is still the same filling-up: seats lapse and are taken again.
SLACK_PERCENT = 5
OVERFLOW_LASTS = timedelta(hours=6)
MARGIN = timedelta(hours=2)


class Level(IntEnum):
    """note: in the morning's digest only. warning: at once, but not at night. urgent: at once."""

    NOTE = 0
    WARNING = 1
    URGENT = 2


# Kinds of one family follow each other: of those that begin at the same time only the last is told.
FAMILIES = {"expiring": "date", "expired": "date", "filling": "room", "full": "room"}
# Somebody has to do something about these, so silence is escalated; about to expire: at the last of its thresholds.
ESCALATED = frozenset({"expired", "full", "overflow", "nobody", "region", "choice", "suspect"})
# These can be put right by a new code, and so carry a link to the page for that.
SWAPPED = frozenset({"expiring", "expired", "full", "suspect"})
# These are surely in the queue of codes to swap; a full one is, where room is running out.
QUEUED = SWAPPED - {"full"}


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Of one live code. Hours before an expiry and percents of capacity, each told once; how long an ended trouble is
    not told again. The working day in minutes, and its days (1 = Monday): within it, forecasts are told."""

    expiring_hours: tuple[int, ...] = (48, 12)
    filling_percents: tuple[int, ...] = (80, 95)
    cooldown_hours: int = 6
    tells_forecast: bool = True
    work_from: int = 9 * 60
    work_until: int = 18 * 60
    work_days: frozenset[int] = frozenset({1, 2, 3, 4, 5, 6, 7})


@dataclass(frozen=True, slots=True)
class Facts:
    """A live code now. `taken`: occupied seats by member. `overflowed_at`: when somebody last found no room;
    `turned_away`: without a fallback, too. `wants_headcount`: members whose number is doubtful."""

    snapshot: Snapshot
    taken: Mapping[int, int] = field(default_factory=dict)
    overflowed_at: datetime | None = None
    turned_away: bool = False
    outlook: Outlook | None = None
    wants_headcount: Collection[int] = ()


@dataclass(frozen=True, slots=True)
class Cause:
    """Something that is so. `due_at`: since when it is; `rank` orders a family. `numbers` is what its words need."""

    key: str
    kind: str
    level: Level
    live_code_id: int
    member_id: int | None = None
    due_at: datetime | None = None
    rank: int = 0
    numbers: Mapping[str, int | str] = field(default_factory=dict)

    @property
    def family(self) -> str | None:
        name = FAMILIES.get(self.kind)
        return f"{name}:{self.member_id}" if name else None


def causes(facts: Facts, limits: Thresholds, now: datetime, told: Collection[str] = ()) -> list[Cause]:
    """Everything that holds now. `told`: keys that are open already, which hold on until they are clearly over."""
    snapshot = facts.snapshot
    if snapshot.state != "active" or (snapshot.ends_at is not None and snapshot.ends_at <= now):
        return []
    found: list[Cause] = []
    for member in snapshot.members:
        if member.state is MemberState.ACTIVE:
            found += _of_member(facts, member, limits, now, told)
        elif member.state is MemberState.RESERVE and member.expires_at is not None:
            # Nobody is sent there yet; but a reserve whose code died in the drawer is none.
            found += _of_date(snapshot.id, member, member.expires_at, limits, now)
    found += _of_live_code(facts, limits, now, told)
    return found


def is_escalated(kind: str, numbers: Mapping[str, Any], limits: Thresholds) -> bool:
    """Is somebody else told when nobody acts on this? Before a code dies, too: at its last warning."""
    return kind in ESCALATED or (kind == "expiring" and numbers.get("hours") == min(limits.expiring_hours, default=0))


def only_the_last(begun: Iterable[Cause], open_ranks: Mapping[str, int]) -> tuple[list[Cause], list[Cause]]:
    """Of causes that begin at the same time: those to be told, and those that one of their family speaks for.
    `open_ranks`: the highest rank that is open in a family already."""
    begun = list(begun)
    highest = dict(open_ranks)
    for cause in begun:
        if cause.family is not None:
            highest[cause.family] = max(highest.get(cause.family, cause.rank), cause.rank)
    told = [cause for cause in begun if cause.family is None or cause.rank >= highest[cause.family]]
    return told, [cause for cause in begun if cause not in told]


def _of_member(
    facts: Facts, member: Member, limits: Thresholds, now: datetime, told: Collection[str]
) -> Iterator[Cause]:
    code = facts.snapshot.id
    if member.valid_from is not None and now < member.valid_from:
        return
    if member.expires_at is not None:
        yield from _of_date(code, member, member.expires_at, limits, now)
        if member.expires_at <= now:
            # The group is as full as it was, and will be when it has its new code: that is not told a second time.
            room = _of_room(code, member, facts.taken.get(member.id, 0), limits, told)
            yield from (cause for cause in room if cause.key in told)
            return
    if member.suspect_at is not None:
        key = f"suspect:{member.id}:{int(member.suspect_at.timestamp())}"
        yield Cause(key, "suspect", Level.WARNING, code, member.id, member.suspect_at)
    yield from _of_room(code, member, facts.taken.get(member.id, 0), limits, told)
    if member.id in facts.wants_headcount:
        key = f"headcount:{member.id}:{member.counted_from}"
        yield Cause(key, "headcount", Level.NOTE, code, member.id)


def _of_date(code: int, member: Member, expires_at: datetime, limits: Thresholds, now: datetime) -> Iterator[Cause]:
    mark = f"{member.id}:{member.version}:{int(expires_at.timestamp())}"
    if expires_at <= now:
        about = {"is_reserve": int(member.state is MemberState.RESERVE)}
        yield Cause(f"expired:{mark}", "expired", Level.WARNING, code, member.id, expires_at, 1, about)
        return
    for hours in limits.expiring_hours:
        due_at = expires_at - hours * HOUR
        if due_at <= now:
            numbers = {"hours": hours, "expires_at": int(expires_at.timestamp())}
            yield Cause(f"expiring:{mark}:{hours}", "expiring", Level.WARNING, code, member.id, due_at, -hours, numbers)


def _of_room(code: int, member: Member, taken: int, limits: Thresholds, told: Collection[str]) -> Iterator[Cause]:
    if member.capacity is None or member.is_fallback:
        return
    capacity = max(1, member.capacity)
    numbers = {"taken": taken, "capacity": capacity}
    for percent in (*limits.filling_percents, 100):
        kind = "full" if percent == 100 else "filling"
        key = f"{kind}:{member.id}:{member.generation}:{percent}"
        needed = percent - SLACK_PERCENT if key in told else percent
        if taken * 100 >= capacity * needed:
            yield Cause(key, kind, Level.WARNING, code, member.id, None, percent, numbers | {"percent": percent})


def _of_live_code(facts: Facts, limits: Thresholds, now: datetime, told: Collection[str]) -> Iterator[Cause]:
    snapshot = facts.snapshot
    if snapshot.starts_at is not None and now < snapshot.starts_at:
        return
    seated = [m for m in snapshot.members if not m.is_fallback and m.state in (MemberState.ACTIVE, MemberState.RESERVE)]
    taking = [member for member in seated if _takes(member, facts, now)]
    if seated and not taking:
        yield Cause(f"nobody:{snapshot.id}", "nobody", Level.URGENT, snapshot.id)
    elif taking:
        yield from _of_places(facts, seated, taking)
    if facts.overflowed_at is not None and now - facts.overflowed_at < OVERFLOW_LASTS:
        yield _overflow(facts, facts.overflowed_at, told)
    if limits.tells_forecast and taking and facts.outlook is not None:
        yield from _of_outlook(snapshot, facts.outlook, limits, now)


def _overflow(facts: Facts, at: datetime, told: Collection[str]) -> Cause:
    """Whoever was told that people are shown the fallback is told once more when they are shown nothing at all; and
    that stays so until the overflow is over."""
    code = facts.snapshot.id
    away = f"overflow:{code}:away"
    if facts.turned_away or away in told:
        return Cause(away, "overflow", Level.URGENT, code, due_at=at, numbers={"away": 1})
    return Cause(f"overflow:{code}", "overflow", Level.WARNING, code, due_at=at)


def _takes(member: Member, facts: Facts, now: datetime) -> bool:
    """Could somebody new be sent here, opening times apart? A reserve is judged as if it were on."""
    begun = member.valid_from is None or member.valid_from <= now
    valid = member.version is not None and (member.expires_at is None or now < member.expires_at)
    room = member.capacity is None or facts.taken.get(member.id, 0) < member.capacity
    return begun and valid and room


def _of_places(facts: Facts, seated: Iterable[Member], taking: Collection[Member]) -> Iterator[Cause]:
    """Choices that lead nowhere; where people stay local, places nobody serves any more."""
    snapshot = facts.snapshot
    seated = list(seated)
    for choice in snapshot.choices:
        own = [member for member in seated if member.choice_id == choice.id]
        if own and not any(member.choice_id == choice.id for member in taking):
            key = f"choice:{snapshot.id}:{choice.id}"
            yield Cause(key, "choice", Level.URGENT, snapshot.id, numbers={"choice": choice.title})
    if snapshot.region_policy is not RegionPolicy.STRICT:
        return
    for region in sorted({region for member in seated for region in member.regions}):
        if not any(covers(mine, region) for member in taking for mine in member.regions):
            key = f"region:{snapshot.id}:{region}"
            yield Cause(key, "region", Level.URGENT, snapshot.id, numbers={"region": region})


def _of_outlook(snapshot: Snapshot, outlook: Outlook, limits: Thresholds, now: datetime) -> Iterator[Cause]:
    """Told while somebody is at work, if it will not wait until they are at work again."""
    local = now.astimezone(snapshot.zone)
    if outlook.empty_at is None or not _works(local, limits):
        return
    if outlook.empty_at < next_work_begins(now, limits, snapshot.zone) + MARGIN:
        numbers: dict[str, int | str] = {
            "empty_at": int(outlook.empty_at.timestamp()),
            "signal": outlook.learnt.signal,
            "doubt": outlook.doubt,
            "share": round(outlook.learnt.share * 100),
            "per_day": round(outlook.per_day),
        }
        if outlook.empty_between is not None:
            earliest, latest = outlook.empty_between
            numbers |= {"earliest": int(earliest.timestamp()), "latest": int(latest.timestamp()) if latest else 0}
        yield Cause(f"forecast:{snapshot.id}:{local:%Y-%m-%d}", "forecast", Level.WARNING, snapshot.id, numbers=numbers)


def _works(local: datetime, limits: Thresholds) -> bool:
    minute = local.hour * 60 + local.minute
    return local.isoweekday() in limits.work_days and limits.work_from <= minute < limits.work_until


def next_work_begins(now: datetime, limits: Thresholds, zone: tzinfo) -> datetime:
    """The beginning of the working day after the present one; without working days, this time tomorrow."""
    local = now.astimezone(zone)
    for ahead in range(1, 9):
        day = (local + timedelta(days=ahead)).date()
        if day.isoweekday() in limits.work_days:
            return datetime.combine(day, time(limits.work_from // 60, limits.work_from % 60), zone)
    return now + timedelta(days=1)


def is_quiet(now: datetime, quiet_from: int | None, quiet_until: int | None, zone: tzinfo) -> bool:
    """Are we between these minutes of the local day? They may lie across midnight; equal or absent: never."""
    if quiet_from is None or quiet_until is None or quiet_from == quiet_until:
        return False
    local = now.astimezone(zone)
    minute = local.hour * 60 + local.minute
    if quiet_from < quiet_until:
        return quiet_from <= minute < quiet_until
    return minute >= quiet_from or minute < quiet_until


def send_at(now: datetime, level: Level, quiet_from: int | None, quiet_until: int | None, zone: tzinfo) -> datetime:
    """When a message of this level may go out: now, or when the night is over."""
    if level is Level.URGENT or quiet_until is None or not is_quiet(now, quiet_from, quiet_until, zone):
        return now
    local = now.astimezone(zone)
    end = datetime.combine(local.date(), time(quiet_until // 60, quiet_until % 60), zone)
    return end if end > now else end + timedelta(days=1)


def digest_due(now: datetime, minute: int | None, zone: tzinfo) -> str | None:
    """The local day whose digest should be out by now ("2026-11-02"); None before that minute, or where none is
    wanted. Whoever was asleep at the minute itself is still given it until noon six hours later."""
    if minute is None:
        return None
    local = now.astimezone(zone)
    since = local.hour * 60 + local.minute - minute
    return f"{local:%Y-%m-%d}" if 0 <= since < 6 * 60 else None


# How long to wait after the first, the second … failure; after the last one nobody tries again.
PAUSES = (timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=30), timedelta(hours=2), timedelta(hours=6))


def try_again_at(now: datetime, failures: int) -> datetime | None:
    """When to send once more after so many failures; None: give up."""
    return now + PAUSES[failures - 1] if failures <= len(PAUSES) else None

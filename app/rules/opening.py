"""When a member is open: its windows, its dates, and the moments at which that changes.

Windows are wall-clock time in the panel's zone; what comes out is aware UTC. Reads no clock.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta, tzinfo

from app.rules.model import Member, Snapshot, Window

DAYS_AHEAD = 8


def is_open(windows: tuple[Window, ...], now: datetime, zone: tzinfo) -> bool:
    """True without windows, or inside one of them."""
    if not windows:
        return True
    local = now.astimezone(zone)
    minute = local.hour * 60 + local.minute
    return any(local.isoweekday() in w.days and w.from_minute <= minute < w.to_minute for w in windows)


def opens_at(member: Member, now: datetime, zone: tzinfo) -> datetime | None:
    """The next moment after `now` at which this member's window opens while its code is still valid; None: never."""
    start = max(now, member.valid_from) if member.valid_from else now
    if start > now and is_open(member.windows, start, zone):
        opening: datetime | None = start
    else:
        opening = min((t for t in _edges(member.windows, start, zone, opening=True) if t > start), default=None)
    if opening is None or (member.expires_at is not None and member.expires_at <= opening):
        return None
    return opening


def next_change(snapshot: Snapshot, now: datetime) -> datetime | None:
    """The next moment at which a window, a start or an expiry of this live code makes its plan another one."""
    moments = [snapshot.starts_at, snapshot.ends_at]
    for member in snapshot.members:
        moments += [member.valid_from, member.expires_at]
        moments += _edges(member.windows, now, snapshot.zone, opening=True)
        moments += _edges(member.windows, now, snapshot.zone, opening=False)
    return min((t for t in moments if t is not None and t > now), default=None)


def _edges(windows: Iterable[Window], now: datetime, zone: tzinfo, *, opening: bool) -> Iterator[datetime]:
    midnight = now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    for ahead in range(DAYS_AHEAD):
        day = midnight + timedelta(days=ahead)
        for window in windows:
            if day.isoweekday() in window.days:
                minute = window.from_minute if opening else window.to_minute
                yield (day + timedelta(minutes=minute)).replace(tzinfo=zone).astimezone(UTC)

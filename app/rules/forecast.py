"""When a member will be full and a live code has nobody left to send people to, from how fast they came lately.

Has the coming week played through (`play`) once as it is expected, and several times a little slower and faster
(`chances`). Beside it, how many people are in a group by now: what headcounts (else presses) have taught about seats.
Decides which signal is believed, and says so. What an alert makes of it is decided in `alerting`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, tzinfo

from app.rules.chances import CASES, SHARE_UNSURE, Clock, Guess, guess
from app.rules.model import Mode
from app.rules.play import DAY, DAYS_LOOKED_AT, HORIZON_HOURS, Group, edges, lanes, play, readings, slices
from app.rules.rhythm import HOUR, doubt
from app.rules.stock import Hour, Stock, merged, since_headcount

ENOUGH_SEATS = 20


@dataclass(frozen=True, slots=True)
class Learnt:
    """What share of seats becomes people in the group, and what says so: headcounts, presses, or merely seats."""

    share: float
    signal: str


Between = tuple[datetime, datetime | None]


@dataclass(frozen=True, slots=True)
class Outlook:
    """`full_at` by member; `empty_at`: from when on somebody new finds no room anywhere. Neither looks further ahead
    than a week; what is not expected by then is left out. `full_between`, `empty_between`: eight times of ten it lies
    between these two (the later None: more than a week ahead). `per_day`: people expected in the coming 24 hours.
    `doubt`: why none of it should be relied on (`rhythm.doubt`), or ""."""

    full_at: Mapping[int, datetime]
    empty_at: datetime | None
    learnt: Learnt
    per_day: float
    doubt: str = ""
    full_between: Mapping[int, Between] = field(default_factory=dict)
    empty_between: Between | None = None


def learn(stocks: Iterable[Stock]) -> Learnt:
    """The admin's headcounts are believed before long-presses, and these before mere seats."""
    stocks = list(stocks)
    gained = between = 0.0
    for stock in stocks:
        for one, next_one in zip(stock.headcounts, stock.headcounts[1:], strict=False):
            seats = _seats_between(stock.hours, one.at, next_one.at)
            if seats > 0:
                gained, between = gained + next_one.people - one.people, between + seats
    if between >= ENOUGH_SEATS:
        return Learnt(min(1.5, max(0.0, gained / between)), "headcounts")
    seats_taken = sum(hour.seats for stock in stocks for hour in stock.hours)
    if seats_taken >= ENOUGH_SEATS:
        pressed = sum(hour.pressed for stock in stocks for hour in stock.hours)
        return Learnt(min(1.0, pressed / seats_taken), "presses")
    return Learnt(1.0, "seats")


def outlook(
    stocks: Sequence[Stock], now: datetime, zone: tzinfo, mode: Mode, unpressed_seat_hours: int, *, spills: bool = True
) -> Outlook:
    """`stocks`: all members of one live code that may be given out. `spills`: people whose own place is full are sent
    to any other one (False: only to members without regions)."""
    learnt = learn(stocks)
    pressed = _press_share(stocks)
    in_order = sorted(stocks, key=lambda stock: (stock.member.position, stock.member.id))
    ends = edges(now)
    ways = lanes(stocks, now, zone)
    streams = [lane.coming(ends, zone) for lane in ways]
    parts = list(slices(ends, readings(stocks, now)))
    full: list[dict[int, datetime]] = []
    empty: list[datetime | None] = []
    for case in CASES:
        groups = [Group(stock, now, pressed, unpressed_seat_hours) for stock in in_order]
        flows = [(stream.people(case), lane.ways(groups, spills)) for lane, stream in zip(ways, streams, strict=True)]
        share = min(1.5, max(0.0, learnt.share + SHARE_UNSURE * case))
        full_at, empty_at = play(groups, flows, parts, share, mode, zone)
        full.append(full_at)
        empty.append(empty_at)
    hours = [sum(stream.expected[step] for stream in streams) for step in range(HORIZON_HOURS)]
    clock = Clock([(edge - now) / HOUR for edge in ends], hours)

    def said(moments: Sequence[datetime | None]) -> Guess | None:
        return guess([None if at is None else (at - now) / HOUR for at in moments], clock)

    full_said = {id: found for id in full[0] | full[-1] if (found := said([of.get(id) for of in full]))}
    empty_said = said(empty)
    people, since = merged(hour for stock in stocks for hour in stock.hours), now - DAYS_LOOKED_AT * DAY
    return Outlook(
        {id: now + found.hours * HOUR for id, found in full_said.items()},
        now + empty_said.hours * HOUR if empty_said else None,
        learnt,
        sum(hours[:24]),
        doubt(people, max(min(people, default=now), since), now, zone),
        {id: _between(found, now) for id, found in full_said.items()},
        _between(empty_said, now) if empty_said else None,
    )


def _between(found: Guess, now: datetime) -> Between:
    return now + found.earliest * HOUR, None if found.latest is None else now + found.latest * HOUR


def people_inside(stock: Stock, learnt: Learnt) -> int:
    """About how many people are in the group now: the last headcount, and what usually becomes of the seats since."""
    since = max(stock.counted, sum(hour.seats for hour in since_headcount(stock)))
    return round(stock.member.headcount + learnt.share * since)


def wants_headcount(stock: Stock, learnt: Learnt) -> bool:
    """Is the count so far from what we think is true that somebody should read the number? Only where it matters: the
    group is nearly full by its count, and a tenth of it may be empty places."""
    capacity = stock.member.capacity
    if capacity is None or not stock.member.is_group or stock.member.is_fallback:
        return False
    taken = stock.member.headcount + stock.counted
    return taken * 5 >= capacity * 4 and (taken - people_inside(stock, learnt)) * 10 >= capacity


def _press_share(stocks: Iterable[Stock]) -> float:
    seats = pressed = 0
    for stock in stocks:
        for hour in stock.hours:
            seats, pressed = seats + hour.seats, pressed + hour.pressed
    return min(1.0, pressed / seats) if seats >= ENOUGH_SEATS else 1.0


def _seats_between(hours: Sequence[Hour], since: datetime, until: datetime) -> float:
    """Seats taken between two moments; an hour that lies across one of them counts by its part."""
    found = 0.0
    for hour in hours:
        part = (min(until, hour.at + HOUR) - max(since, hour.at)) / HOUR
        found += hour.seats * min(1.0, part) if part > 0 else 0.0
    return found

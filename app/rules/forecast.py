"""When a member will be full and a live code has nobody left to send people to, from how fast they came lately.

Plays the coming hours through as the ledger would count them if nobody did anything new: people come in the rhythm of
the last days (`rhythm`), unpressed seats lapse, codes expire, numbers are read as regularly as they were; once as it is
expected, and several times a little slower and faster (`chances`). Beside it, how many people are in a group by now:
what headcounts (else presses) have taught about seats. Decides which signal is believed, and says so. What an alert
makes of it is decided in `alerting`.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from itertools import pairwise
from statistics import median

from app.rules.chances import CASES, SHARE_UNSURE, Clock, Coming, Guess, coming, guess
from app.rules.model import Member, MemberState, Mode
from app.rules.opening import is_open
from app.rules.rhythm import Rhythm, day_of, doubt
from app.rules.rhythm import floor as _floor

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
HORIZON_HOURS = 7 * 24
DAYS_LOOKED_AT = 14
ENOUGH_SEATS = 20
SAME_ROUND = 6 * HOUR
REGULAR = 3  # readings of a group's number in a row make a habit
HABIT = 6  # the last of them say at what time of the day
NOBODY = 0.02  # people an hour; below that nobody is expected at all


@dataclass(frozen=True, slots=True)
class Hour:
    """What happened at one member in the hour that began at `at`."""

    at: datetime
    seats: int = 0
    pressed: int = 0


@dataclass(frozen=True, slots=True)
class Headcount:
    """So many people were in the group at that moment, as somebody read it."""

    at: datetime
    people: int


@dataclass(frozen=True, slots=True)
class Stock:
    """A member now. `counted`: live seats since the last headcount, as the ledger has them. `hours` and `headcounts` in
    the order of time, headcounts of this group only."""

    member: Member
    counted: int = 0
    hours: tuple[Hour, ...] = ()
    headcounts: tuple[Headcount, ...] = ()


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
    edges = _edges(now)
    lanes = _lanes(stocks, now, zone)
    streams = [lane.coming(edges, zone) for lane in lanes]
    slices = list(_slices(edges, _readings(stocks, now)))
    full: list[dict[int, datetime]] = []
    empty: list[datetime | None] = []
    for case in CASES:
        groups = [_Group(stock, now, pressed, unpressed_seat_hours) for stock in in_order]
        flows = [(stream.people(case), lane.ways(groups, spills)) for lane, stream in zip(lanes, streams, strict=True)]
        share = min(1.5, max(0.0, learnt.share + SHARE_UNSURE * case))
        full_at, empty_at = _play(groups, flows, slices, share, mode, zone)
        full.append(full_at)
        empty.append(empty_at)
    hours = [sum(stream.expected[step] for stream in streams) for step in range(HORIZON_HOURS)]
    clock = Clock([(edge - now) / HOUR for edge in edges], hours)

    def said(moments: Sequence[datetime | None]) -> Guess | None:
        return guess([None if at is None else (at - now) / HOUR for at in moments], clock)

    full_said = {id: found for id in full[0] | full[-1] if (found := said([of.get(id) for of in full]))}
    empty_said = said(empty)
    people, since = _merged(hour for stock in stocks for hour in stock.hours), now - DAYS_LOOKED_AT * DAY
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


def _edges(now: datetime) -> list[datetime]:
    """Where the hours to come begin, and where the last one ends."""
    return [now, *(_floor(now) + number * HOUR for number in range(1, HORIZON_HOURS + 1))]


@dataclass(frozen=True, slots=True)
class _Slice:
    """An hour to come, or what of it lies on one side of a moment at which numbers are read."""

    step: int
    begin: datetime
    end: datetime
    part: float
    is_read: bool


def _slices(edges: Sequence[datetime], readings: Sequence[datetime]) -> Iterator[_Slice]:
    """Who comes at nine is counted before the number is read at half past, and that decides whether the group is full
    this evening or the next."""
    for step, (begin, end) in enumerate(pairwise(edges)):
        cuts = [at for at in readings if begin <= at < end]
        for number, (at, until) in enumerate(pairwise([begin, *cuts, end])):
            yield _Slice(step, at, until, (until - at) / (end - begin), is_read=number > 0)


def _play(
    groups: Sequence["_Group"],
    flows: Sequence[tuple[list[float], list[list["_Group"]]]],
    slices: Sequence[_Slice],
    share: float,
    mode: Mode,
    zone: tzinfo,
) -> tuple[dict[int, datetime], datetime | None]:
    """When each is full and all are, if so many come."""
    full_at: dict[int, datetime] = {}
    empty_at: datetime | None = None
    for now in slices:
        for group in groups:
            group.begin(now.begin)
            if now.is_read:
                group.is_read(share)
        for people, ways in flows:
            coming_now = people[now.step] * now.part
            left = coming_now if coming_now > 1e-9 else 0.0
            for part in ways if left else ():
                left = _send(part, left, mode, now.begin, now.end, zone, full_at, coming_now)
                if left <= 0:
                    break
            if left > 1e-9 and empty_at is None:
                empty_at = now.begin + (now.end - now.begin) * (1 - left / coming_now)
        if empty_at and all(group.stock.member.id in full_at or not group.lasts(now.end) for group in groups):
            break
    return full_at, empty_at


@dataclass(slots=True)
class _Group:
    """A member as the coming hours change it. `counted` are seats of the current count, `lapsing` those of them never
    pressed, by the moment at which they stop counting."""

    stock: Stock
    now: datetime
    pressed: float
    lapse_hours: int
    base: float = 0.0
    counted: float = 0.0
    lapsing: deque[list[float]] = field(default_factory=deque)

    def __post_init__(self) -> None:
        member, stock = self.stock.member, self.stock
        self.base, self.counted = float(member.headcount), float(stock.counted)
        if not member.is_group or not self.lapse_hours:
            self.lapse_hours = 0
        self._remember_unpressed(_since_headcount(stock))

    def _remember_unpressed(self, hours: Sequence[Hour]) -> None:
        if not self.lapse_hours:
            return
        young = [hour for hour in hours if hour.at > self.now - self.lapse_hours * HOUR]
        loose = [float(max(0, hour.seats - hour.pressed)) for hour in young]
        scale = min(1.0, self.counted / sum(loose)) if sum(loose) else 0.0
        for hour, seats in zip(young, loose, strict=True):
            self.lapsing.append([(hour.at + (self.lapse_hours + 0.5) * HOUR).timestamp(), seats * scale])

    def begin(self, at: datetime) -> None:
        """The hour begins: unpressed seats lapse."""
        moment = at.timestamp()
        while self.lapsing and self.lapsing[0][0] <= moment:
            self.counted = max(0.0, self.counted - self.lapsing.popleft()[1])

    def is_read(self, share: float) -> None:
        """Somebody reads the number, as they have done lately: of the seats since the last time so many have joined."""
        if self.room > 0:
            self.base, self.counted = self.base + share * self.counted, 0.0
            self.lapsing.clear()

    def lasts(self, at: datetime) -> bool:
        expires_at = self.stock.member.expires_at
        return expires_at is None or at < expires_at

    def takes(self, at: datetime, zone: tzinfo) -> bool:
        member = self.stock.member
        begun = member.valid_from is None or member.valid_from <= at
        return begun and self.lasts(at) and self.room > 0 and is_open(member.windows, at, zone)

    @property
    def room(self) -> float:
        capacity = self.stock.member.capacity
        return float("inf") if capacity is None else max(0.0, capacity - self.base - self.counted)

    def take(self, people: float, at: datetime) -> None:
        self.counted += people
        if self.lapse_hours:
            self.lapsing.append([(at + self.lapse_hours * HOUR).timestamp(), people * (1 - self.pressed)])


@dataclass(frozen=True, slots=True)
class _Lane:
    """People of one choice and one place: they came to these members, and will."""

    choice_id: int | None
    regions: tuple[str, ...]
    rhythm: Rhythm

    def coming(self, edges: Sequence[datetime], zone: tzinfo) -> Coming:
        """Nobody at all where hardly anybody is expected: a rate of one in three days fills nothing."""
        rates = [(self.rhythm.at(begin), (end - begin) / HOUR) for begin, end in pairwise(edges)]
        days = [day_of(begin, zone) for begin in edges[:-1]]
        return coming([rate * part if rate >= NOBODY else 0.0 for rate, part in rates], days)

    def ways(self, groups: Sequence[_Group], spills: bool) -> list[list[_Group]]:
        """Groups to ask in turn: their own, those for everybody, any; reserves after the others of each."""
        of_choice = [group for group in groups if group.stock.member.choice_id == self.choice_id]
        own = [group for group in of_choice if group.stock.member.regions == self.regions]
        anywhere = [group for group in of_choice if not group.stock.member.regions]
        parts = (own, anywhere, of_choice if spills else [])
        now = [[group for group in part if group.stock.member.state is not MemberState.RESERVE] for part in parts]
        reserves = [[group for group in part if group.stock.member.state is MemberState.RESERVE] for part in parts]
        return [part for part in (*now, *reserves) if part]


def _lanes(stocks: Sequence[Stock], now: datetime, zone: tzinfo) -> list[_Lane]:
    seats: dict[tuple[int | None, tuple[str, ...]], list[Hour]] = {}
    for stock in stocks:
        seats.setdefault((stock.member.choice_id, stock.member.regions), []).extend(stock.hours)
    since = now - DAYS_LOOKED_AT * DAY
    found = {lane: _merged(hours) for lane, hours in seats.items() if hours}
    return [
        _Lane(choice_id, regions, Rhythm(people, max(min(people), since), now, zone))
        for (choice_id, regions), people in found.items()
    ]


def _merged(hours: Iterable[Hour]) -> dict[datetime, float]:
    """People by the hour's beginning."""
    found: dict[datetime, float] = {}
    for hour in hours:
        at = _floor(hour.at)
        found[at] = found.get(at, 0.0) + hour.seats
    return found


def _readings(stocks: Iterable[Stock], now: datetime) -> list[datetime]:
    """When numbers will be read, if somebody goes on reading them as regularly as on the past days: every so many days
    at about the same time, if it looks like that."""
    read = sorted({count.at for stock in stocks for count in stock.headcounts})
    days = [at for n, at in enumerate(read) if not n or at - read[n - 1] > SAME_ROUND]
    if len(days) < REGULAR or now - days[-1] > 2 * (days[-1] - days[-REGULAR]) / (REGULAR - 1):
        return []
    every, usual = (days[-1] - days[-REGULAR]) / (REGULAR - 1), days[-1]
    whole = round(every / DAY) * DAY
    if whole and abs(every - whole) < SAME_ROUND:
        every = whole
        usual += median(((at - days[-1] + every / 2) % every - every / 2) / HOUR for at in days[-HABIT:]) * HOUR
    ahead = (usual + n * every for n in range(1, 2 + int(HORIZON_HOURS * HOUR / every)))
    return [at for at in ahead if at > now]


def _send(
    part: Sequence[_Group],
    people: float,
    mode: Mode,
    begin: datetime,
    end: datetime,
    zone: tzinfo,
    full_at: dict[int, datetime],
    of_hour: float,
) -> float:
    """Gives `people` places in `part` as the mode would; how many found none."""
    left = people
    while left > 1e-9:
        if mode is Mode.SEQUENTIAL:
            first = next((group for group in part if group.takes(begin, zone)), None)
            open_ones = [first] if first is not None else []
        else:
            open_ones = [group for group in part if group.takes(begin, zone)]
        if not open_ones:
            break
        weight = sum(group.stock.member.weight for group in open_ones)
        # As many as fit until the first of them is full, then again.
        fits = min(left, *(group.room * weight / group.stock.member.weight for group in open_ones))
        for group in open_ones:
            group.take(fits * group.stock.member.weight / weight, begin)
        left -= fits
        for group in open_ones:
            if group.room <= 1e-9:
                full_at.setdefault(group.stock.member.id, begin + (end - begin) * (1 - left / of_hour))
                group.base += group.room  # rounding must not leave it open for ever
    return left


def people_inside(stock: Stock, learnt: Learnt) -> int:
    """About how many people are in the group now: the last headcount, and what usually becomes of the seats since."""
    since = max(stock.counted, sum(hour.seats for hour in _since_headcount(stock)))
    return round(stock.member.headcount + learnt.share * since)


def wants_headcount(stock: Stock, learnt: Learnt) -> bool:
    """Is the count so far from what we think is true that somebody should read the number? Only where it matters: the
    group is nearly full by its count, and a tenth of it may be empty places."""
    capacity = stock.member.capacity
    if capacity is None or not stock.member.is_group or stock.member.is_fallback:
        return False
    taken = stock.member.headcount + stock.counted
    return taken * 5 >= capacity * 4 and (taken - people_inside(stock, learnt)) * 10 >= capacity


def _since_headcount(stock: Stock) -> list[Hour]:
    """The hour in which somebody read the number counts whole: mostly it was read at once after somebody joined."""
    if not stock.headcounts:
        return list(stock.hours)
    return [hour for hour in stock.hours if hour.at + HOUR > stock.headcounts[-1].at]


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

"""The coming week, played through as the ledger would count it if nobody did anything new.

People come in the rhythm of the last days (`rhythm`), each to the members of their choice and place, as the live code's
mode sends them; unpressed seats lapse, codes expire, numbers are read as regularly as they were. Says when each member
is full and when nobody finds room any more, if so many come. How many that may be is decided in `chances`, what is said
of it in `forecast`.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from itertools import pairwise
from statistics import median

from app.rules.chances import Coming, coming
from app.rules.model import MemberState, Mode
from app.rules.opening import is_open
from app.rules.rhythm import HOUR, Rhythm, day_of, floor
from app.rules.stock import Hour, Stock, merged, since_headcount

DAY = timedelta(days=1)
HORIZON_HOURS = 7 * 24
DAYS_LOOKED_AT = 14
SAME_ROUND = 6 * HOUR
REGULAR = 3  # readings of a group's number in a row make a habit
HABIT = 6  # the last of them say at what time of the day
NOBODY = 0.02  # people an hour; below that nobody is expected at all


def edges(now: datetime) -> list[datetime]:
    """Where the hours to come begin, and where the last one ends."""
    return [now, *(floor(now) + number * HOUR for number in range(1, HORIZON_HOURS + 1))]


@dataclass(frozen=True, slots=True)
class Slice:
    """An hour to come, or what of it lies on one side of a moment at which numbers are read."""

    step: int
    begin: datetime
    end: datetime
    part: float
    is_read: bool


def slices(ends: Sequence[datetime], read_at: Sequence[datetime]) -> Iterator[Slice]:
    """Who comes at nine is counted before the number is read at half past, and that decides whether the group is full
    this evening or the next."""
    for step, (begin, end) in enumerate(pairwise(ends)):
        cuts = [at for at in read_at if begin <= at < end]
        for number, (at, until) in enumerate(pairwise([begin, *cuts, end])):
            yield Slice(step, at, until, (until - at) / (end - begin), is_read=number > 0)


def play(
    groups: Sequence["Group"],
    flows: Sequence[tuple[list[float], list[list["Group"]]]],
    parts: Sequence[Slice],
    share: float,
    mode: Mode,
    zone: tzinfo,
) -> tuple[dict[int, datetime], datetime | None]:
    """When each is full and all are, if so many come."""
    full_at: dict[int, datetime] = {}
    empty_at: datetime | None = None
    for now in parts:
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
class Group:
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
        self._remember_unpressed(since_headcount(stock))

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
class Lane:
    """People of one choice and one place: they came to these members, and will."""

    choice_id: int | None
    regions: tuple[str, ...]
    rhythm: Rhythm

    def coming(self, ends: Sequence[datetime], zone: tzinfo) -> Coming:
        """Nobody at all where hardly anybody is expected: a rate of one in three days fills nothing."""
        rates = [(self.rhythm.at(begin), (end - begin) / HOUR) for begin, end in pairwise(ends)]
        days = [day_of(begin, zone) for begin in ends[:-1]]
        return coming([rate * part if rate >= NOBODY else 0.0 for rate, part in rates], days)

    def ways(self, groups: Sequence[Group], spills: bool) -> list[list[Group]]:
        """Groups to ask in turn: their own, those for everybody, any; reserves after the others of each."""
        of_choice = [group for group in groups if group.stock.member.choice_id == self.choice_id]
        own = [group for group in of_choice if group.stock.member.regions == self.regions]
        anywhere = [group for group in of_choice if not group.stock.member.regions]
        parts = (own, anywhere, of_choice if spills else [])
        now = [[group for group in part if group.stock.member.state is not MemberState.RESERVE] for part in parts]
        reserves = [[group for group in part if group.stock.member.state is MemberState.RESERVE] for part in parts]
        return [part for part in (*now, *reserves) if part]


def lanes(stocks: Sequence[Stock], now: datetime, zone: tzinfo) -> list[Lane]:
    seats: dict[tuple[int | None, tuple[str, ...]], list[Hour]] = {}
    for stock in stocks:
        seats.setdefault((stock.member.choice_id, stock.member.regions), []).extend(stock.hours)
    since = now - DAYS_LOOKED_AT * DAY
    found = {lane: merged(hours) for lane, hours in seats.items() if hours}
    return [
        Lane(choice_id, regions, Rhythm(people, max(min(people), since), now, zone))
        for (choice_id, regions), people in found.items()
    ]


def readings(stocks: Iterable[Stock], now: datetime) -> list[datetime]:
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
    part: Sequence[Group],
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

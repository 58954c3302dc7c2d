"""When a member will be full and a live code has nobody left to send people to, from how fast they came lately.

Plays the coming hours through as the ledger would count them if nobody did anything: people come in the rhythm of the
last days, unpressed seats lapse, codes expire. Beside it, how many people are in a group by now: what headcounts (else
presses) have taught about seats. Decides which signal is believed, and says so. What an alert makes of it is decided in
`alerting`.
"""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo

from app.rules.model import Member, MemberState, Mode
from app.rules.opening import is_open

HOUR = timedelta(hours=1)
HORIZON_HOURS = 7 * 24
# How the hours of a day share its scans where nothing is known yet: phones in China, quiet from one to six, a little
# more at noon, most in the evening. Our own estimate; after two days of history hardly anything of it is left.
USUAL_DAY = (
    0.5, 0.3, 0.15, 0.1, 0.1, 0.15, 0.4, 0.7, 1.0, 1.2, 1.3, 1.4, 1.5, 1.3, 1.2, 1.2, 1.2, 1.3, 1.4, 1.6, 1.7, 1.6,
    1.2, 0.8,
)  # fmt: skip
USUAL_DAYS_WEIGHT = 0.4
HALF_LIFE_DAYS = 6.0
DAYS_LOOKED_AT = 14
LATELY_HOURS = 24
LATELY_WEIGHT = 0.5
STEADIER = 12.0  # so many expected and seen people are added to both sides before two rates are compared
ENOUGH_SEATS = 20
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


@dataclass(frozen=True, slots=True)
class Outlook:
    """`full_at` by member; `empty_at`: from when on somebody new finds no room anywhere. Neither looks further ahead
    than a week; what is not expected by then is left out. `per_day`: people expected in the coming 24 hours."""

    full_at: Mapping[int, datetime]
    empty_at: datetime | None
    learnt: Learnt
    per_day: float


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
    groups = [_Group(stock, now, pressed, unpressed_seat_hours) for stock in in_order]
    lanes = [(lane, lane.ways(groups, spills)) for lane in _lanes(groups, now, zone)]
    full_at: dict[int, datetime] = {}
    empty_at: datetime | None = None
    per_day = 0.0
    begin = now
    for step in range(HORIZON_HOURS):
        end = _next_hour(begin)
        share_of_hour = (end - begin) / HOUR
        for group in groups:
            group.begin(begin)
        for lane, ways in lanes:
            coming = lane.rhythm.at(begin) * share_of_hour
            per_day += coming if step < 24 else 0.0
            if coming < NOBODY * share_of_hour:
                continue
            left = coming
            for part in ways:
                left = _send(part, left, mode, begin, end, zone, full_at, coming)
                if left <= 0:
                    break
            if left > 1e-9 and empty_at is None:
                empty_at = begin + (end - begin) * (1 - left / coming)
        if empty_at is not None and all(group.stock.member.id in full_at or not group.lasts(end) for group in groups):
            break
        begin = end
    return Outlook(full_at, empty_at, learnt, per_day)


class Rhythm:
    """People an hour by the hour of the local day: the last two weeks, recent days weighing more."""

    def __init__(self, hours: Mapping[datetime, float], since: datetime, now: datetime, zone: tzinfo) -> None:
        self._zone = zone
        weights, sums = [0.0] * 24, [0.0] * 24
        at = _floor(since)
        while at < now:
            seen = min(1.0, (now - at) / HOUR)
            weight = seen * 0.5 ** ((now - at) / timedelta(days=HALF_LIFE_DAYS))
            weights[self._of_day(at)] += weight
            sums[self._of_day(at)] += hours.get(at, 0.0) * weight / seen
            at += HOUR
        usual = sum(weight * part for weight, part in zip(weights, USUAL_DAY, strict=True))
        level = sum(sums) / usual if usual else 0.0
        self._rate = [
            (total + USUAL_DAYS_WEIGHT * level * part) / (weight + USUAL_DAYS_WEIGHT)
            for total, weight, part in zip(sums, weights, USUAL_DAY, strict=True)
        ]
        self._lately = self._change(hours, since, now)

    def at(self, moment: datetime) -> float:
        return self._rate[self._of_day(moment)] * self._lately

    def _change(self, hours: Mapping[datetime, float], since: datetime, now: datetime) -> float:
        """Today against the days before, half believed: a poster that was hung up this morning, or taken down."""
        at, seen, expected = max(_floor(since), _floor(now) - HOUR * LATELY_HOURS), 0.0, 0.0
        while at < now:
            seen += hours.get(at, 0.0)
            expected += self._rate[self._of_day(at)] * min(1.0, (now - at) / HOUR)
            at += HOUR
        return float(((seen + STEADIER) / (expected + STEADIER)) ** LATELY_WEIGHT)

    def _of_day(self, at: datetime) -> int:
        return at.astimezone(self._zone).hour


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
        loose = [max(0.0, hour.seats * (1 - self.pressed)) for hour in young]
        scale = min(1.0, self.counted / sum(loose)) if sum(loose) else 0.0
        for hour, seats in zip(young, loose, strict=True):
            self.lapsing.append([(hour.at + (self.lapse_hours + 0.5) * HOUR).timestamp(), seats * scale])

    def begin(self, at: datetime) -> None:
        """The hour begins: unpressed seats lapse."""
        moment = at.timestamp()
        while self.lapsing and self.lapsing[0][0] <= moment:
            self.counted = max(0.0, self.counted - self.lapsing.popleft()[1])

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

    def ways(self, groups: Sequence[_Group], spills: bool) -> list[list[_Group]]:
        """Groups to ask in turn: their own, those for everybody, any; reserves after the others of each."""
        of_choice = [group for group in groups if group.stock.member.choice_id == self.choice_id]
        own = [group for group in of_choice if group.stock.member.regions == self.regions]
        anywhere = [group for group in of_choice if not group.stock.member.regions]
        parts = (own, anywhere, of_choice if spills else [])
        now = [[group for group in part if group.stock.member.state is not MemberState.RESERVE] for part in parts]
        reserves = [[group for group in part if group.stock.member.state is MemberState.RESERVE] for part in parts]
        return [part for part in (*now, *reserves) if part]


def _lanes(groups: Sequence[_Group], now: datetime, zone: tzinfo) -> list[_Lane]:
    seats: dict[tuple[int | None, tuple[str, ...]], dict[datetime, float]] = {}
    for group in groups:
        member = group.stock.member
        found = seats.setdefault((member.choice_id, member.regions), {})
        for hour in group.stock.hours:
            at = _floor(hour.at)
            found[at] = found.get(at, 0.0) + hour.seats
    return [
        _Lane(choice_id, regions, Rhythm(hours, max(min(hours), now - DAYS_LOOKED_AT * 24 * HOUR), now, zone))
        for (choice_id, regions), hours in seats.items()
        if hours
    ]


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
        if fits <= 1e-12:
            break
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


def _floor(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def _next_hour(at: datetime) -> datetime:
    return _floor(at) + HOUR

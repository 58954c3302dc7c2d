"""How many people come in an hour to come, from how many came in the hours before.

A day has its hours (learnt, with a usual day of phones to begin with); days have a level, a slope, weekends of their
own and now and then a step, all four fitted at once to the logarithms of the past two weeks' days. Decides, too, when
such a number is worth nothing: where too few come, and while a wave runs that no day before has shown.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

HOUR = timedelta(hours=1)
# How the hours of a day share its people where nothing is known yet: phones in China, quiet from one to six, a little
# more at noon, most in the evening. Our own estimate; after two days of history hardly anything of it is left.
USUAL_DAY = (
    0.5, 0.3, 0.15, 0.1, 0.1, 0.15, 0.4, 0.7, 1.0, 1.2, 1.3, 1.4, 1.5, 1.3, 1.2, 1.2, 1.2, 1.3, 1.4, 1.6, 1.7, 1.6,
    1.2, 0.8,
)  # fmt: skip
USUAL_DAYS_WEIGHT = 0.4
# What is believed before anything was seen, as standard deviations of logarithms: days differ by a tenth, trends of
# more than a sixth a day and weekends of more than thrice are rare, and what is long ago says less.
DAYS_DIFFER, DAYS_DRIFT, SLOPE, WEEKEND, STEP = 0.1, 0.06, 0.08, 0.8, 1.0
FIRM = (1e-6, SLOPE**-2, WEEKEND**-2, STEP**-2)
ODD, ROUNDS = 2.0, 4
# A step must explain this much (in squared deviations) to be believed in.
STEP_COSTS = 12.0
SLOPE_LASTS_DAYS = 4.0
LEAST_OF_A_DAY = 0.02
FEW = 40.0  # people in the past week; below that a rate is chance
WAVE_HOURS = (3, 6, 12, 24)
WAVE = 2.5  # so many times what was to be expected, beyond chance


@dataclass(frozen=True, slots=True)
class _Day:
    """A local day: how many days ago, a weekend's?, people seen, and what share of a usual day was watched."""

    age: int
    is_weekend: bool
    people: float
    share: float

    @property
    def log(self) -> float:
        return math.log((self.people + 0.5) / self.share)

    @property
    def weight(self) -> float:
        return 1 / (1 / (self.people + 0.5) + DAYS_DIFFER**2 + self.age * DAYS_DRIFT**2)


@dataclass(frozen=True, slots=True)
class _Level:
    """Logarithm of a day's people: now, its change a day, on weekends."""

    now: float
    slope: float
    weekend: float

    def of(self, days_ahead: float, is_weekend: bool) -> float:
        return self.now + self.slope * min(days_ahead, SLOPE_LASTS_DAYS) + self.weekend * is_weekend


class Rhythm:
    """People an hour. `hours`: people by the hour's beginning; `since`: from when on somebody could have come."""

    def __init__(self, hours: Mapping[datetime, float], since: datetime, now: datetime, zone: tzinfo) -> None:
        self._zone, self._now = zone, now
        self._shares = _shares(hours, since, now, zone)
        self._today = day_of(now, zone)
        days = self._days(hours, since)
        self._level = _fit(days)
        self._of_today = _rest_of_today(days, self._level)

    def at(self, moment: datetime) -> float:
        local = moment.astimezone(self._zone)
        day = day_of(moment, self._zone)
        ahead = day - self._today
        rate = self._level.of(ahead, _is_weekend(day)) + (self._of_today if ahead == 0 else 0.0)
        return math.exp(rate) * self._shares[local.hour]

    def _days(self, hours: Mapping[datetime, float], since: datetime) -> list[_Day]:
        people: dict[int, float] = {}
        shares: dict[int, float] = {}
        for at, seen in _past(since, self._now):
            local = at.astimezone(self._zone)
            day = day_of(at, self._zone)
            people[day] = people.get(day, 0.0) + hours.get(at, 0.0)
            shares[day] = shares.get(day, 0.0) + self._shares[local.hour] * seen
        return [
            _Day(self._today - day, _is_weekend(day), people[day], share)
            for day, share in shares.items()
            if share >= LEAST_OF_A_DAY
        ]


def doubt(hours: Mapping[datetime, float], since: datetime, now: datetime, zone: tzinfo) -> str:
    """Why no rate should be believed: "few" (chance), "wave" (more than any day before let expect); "" where it may."""
    if sum(hours.get(at, 0.0) for at, _ in _past(max(since, now - 7 * 24 * HOUR), now)) < FEW:
        return "few"
    for length in WAVE_HOURS:
        begin = now - length * HOUR
        if begin - since < 24 * HOUR:
            break
        before = Rhythm(hours, since, begin, zone)
        expected = WAVE * sum(before.at(at) * seen for at, seen in _past(begin, now))
        if sum(hours.get(at, 0.0) for at, _ in _past(begin, now)) > expected + 3 * math.sqrt(expected + 1):
            return "wave"
    return ""


def _past(since: datetime, now: datetime) -> list[tuple[datetime, float]]:
    """Hours from `since` to `now`, and how much of each is over."""
    at, found = floor(since), []
    while at < now:
        found.append((at, min(1.0, (now - at) / HOUR)))
        at += HOUR
    return found


def _shares(hours: Mapping[datetime, float], since: datetime, now: datetime, zone: tzinfo) -> list[float]:
    """What share of a day's people comes in each hour of the local day; the 24 make 1."""
    weights, sums = [0.0] * 24, [0.0] * 24
    for at, seen in _past(since, now):
        hour = at.astimezone(zone).hour
        weights[hour] += seen
        sums[hour] += hours.get(at, 0.0)
    usual = sum(weight * part for weight, part in zip(weights, USUAL_DAY, strict=True))
    level = sum(sums) / usual if usual else 0.0
    rates = [
        (total + USUAL_DAYS_WEIGHT * level * part) / (weight + USUAL_DAYS_WEIGHT)
        for total, weight, part in zip(sums, weights, USUAL_DAY, strict=True)
    ]
    whole = sum(rates)
    return [rate / whole for rate in rates] if whole else [part / sum(USUAL_DAY) for part in USUAL_DAY]


def _fit(days: Sequence[_Day]) -> _Level:
    """With the step that explains most, if it explains enough."""
    ages = [day.age for day in days]
    tries = [_regress(days, None)]
    tries += [_regress(days, cut) for cut in range(min(ages, default=0), min(max(ages, default=0), 8))]
    _, level = min(tries, key=lambda found: found[0])
    return level


def _regress(days: Sequence[_Day], cut: int | None) -> tuple[float, _Level]:
    """The most likely level, and what is left unexplained. `cut`: before that many days ago it was another level. A day
    that fits nothing (a post went round) is heard with less than its weight."""
    rows = [(1.0, -float(d.age), float(d.is_weekend), float(cut is not None and d.age > cut)) for d in days]
    weights = [day.weight for day in days]
    found = [0.0] * 4
    for _ in range(ROUNDS):
        found = _solved(*_normal(days, rows, weights))
        off = [
            day.log - sum(a * b for a, b in zip(found, row, strict=True)) for day, row in zip(days, rows, strict=True)
        ]
        odd = [abs(o) * math.sqrt(day.weight) for day, o in zip(days, off, strict=True)]
        weights = [day.weight * min(1.0, (ODD / max(z, ODD)) ** 2) for day, z in zip(days, odd, strict=True)]
    left = sum(z * z if z < ODD else ODD**2 * (1 + 2 * math.log(z / ODD)) for z in odd) + (
        0.0 if cut is None else STEP_COSTS
    )
    left += sum(FIRM[i] * found[i] ** 2 for i in range(1, 4))
    return left, _Level(found[0], found[1], found[2])


def _normal(
    days: Sequence[_Day], rows: Sequence[Sequence[float]], weights: Sequence[float]
) -> tuple[list[list[float]], list[float]]:
    matrix = [[FIRM[i] * (i == j) for j in range(4)] for i in range(4)]
    right = [0.0] * 4
    for day, row, weight in zip(days, rows, weights, strict=True):
        for i in range(4):
            right[i] += weight * row[i] * day.log
            for j in range(4):
                matrix[i][j] += weight * row[i] * row[j]
    return matrix, right


def _solved(matrix: list[list[float]], right: list[float]) -> list[float]:
    """Gauss, for a positive definite matrix, which needs no pivot."""
    size = len(right)
    for i in range(size):
        for j in range(i + 1, size):
            factor = matrix[j][i] / matrix[i][i]
            right[j] -= factor * right[i]
            for k in range(i, size):
                matrix[j][k] -= factor * matrix[i][k]
    found = [0.0] * size
    for i in reversed(range(size)):
        found[i] = (right[i] - sum(matrix[i][k] * found[k] for k in range(i + 1, size))) / matrix[i][i]
    return found


def _rest_of_today(days: Sequence[_Day], level: _Level) -> float:
    """How today differs from a day of its kind, as far as its people so far can tell."""
    for day in days:
        if day.age == 0:
            known = DAYS_DIFFER**2 / (DAYS_DIFFER**2 + 1 / (day.people + 0.5))
            return known * (day.log - level.of(0, day.is_weekend))
    return 0.0


def day_of(at: datetime, zone: tzinfo) -> int:
    """A day begins at four in the morning, when the last are in bed and nobody is up."""
    return (at.astimezone(zone).replace(tzinfo=None) - 4 * HOUR).toordinal()


def _is_weekend(day: int) -> bool:
    return datetime.fromordinal(day).isoweekday() > 5


def floor(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)

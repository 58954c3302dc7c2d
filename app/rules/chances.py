"""What to say of a moment that chance decides, having played the coming days through a little slower and faster.

Who comes is a Poisson draw around a rate that is itself known only roughly, and no day is like the other. So the same
days are played in several *cases*, from very slow to very lively; here is how many people come in each, and what is
said of the moments that came of them: one that is as seldom as possible more than a fifth off (between two groups of
moments, this evening and tomorrow's noon, no mean would be), and the stretch in which it lies eight times of ten. What
is played is decided in `forecast`, how many people are expected in `rhythm`.
"""

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist, median

from app.rules.rhythm import DAYS_DIFFER

# The cases, in standard deviations of people who come; the middle one is what is expected.
CASES = (-2.1, -1.5, -1.0, -0.6, -0.3, 0.0, 0.3, 0.6, 1.0, 1.5, 2.1)
MIDDLE = CASES.index(0.0)
# How well the level of the past fortnight is known, and the share of seats that becomes people (of about a hundred).
LEVEL_UNSURE, SHARE_UNSURE = 0.1, 0.04
WITHIN = 0.2
SAMPLES = 200
SURELY = 0.1  # of the moments lie before the stretch that is said, and as many behind it
AS_GOOD = 0.02


def _between_cases() -> list[tuple[int, int, float]]:
    """Equally likely draws: the two cases that each lies between, and how far it is on the way."""
    found = []
    for number in range(SAMPLES):
        case = NormalDist().inv_cdf((number + 0.5) / SAMPLES)
        after = min(max(bisect_left(CASES, case), 1), len(CASES) - 1)
        way = (case - CASES[after - 1]) / (CASES[after] - CASES[after - 1])
        found.append((after - 1, after, min(1.0, max(0.0, way))))
    return found


DRAWS = tuple(_between_cases())


@dataclass(frozen=True, slots=True)
class Coming:
    """People expected in each hour to come, and how far off their sum up to the end of that hour may be (variance)."""

    expected: tuple[float, ...]
    variance: tuple[float, ...]

    def people(self, case: float) -> list[float]:
        """In each hour, in this case (Wilson and Hilferty's quantile of a gamma)."""
        found, before, total = [], 0.0, 0.0
        for expected, variance in zip(self.expected, self.variance, strict=True):
            total += expected
            off = variance / (total * total) if total else 0.0
            until = max(before, total * max(0.0, 1 - off / 9 + case * math.sqrt(off) / 3) ** 3)
            found.append(until - before)
            before = until
        return found


def coming(expected: Sequence[float], days: Sequence[int]) -> Coming:
    """`days`: the day that each hour belongs to. Variances add up: chance, each day's own mood, and the level's."""
    total = moods = today = 0.0
    variance = []
    for number, people in enumerate(expected):
        if number and days[number] != days[number - 1]:
            moods, today = moods + today**2, 0.0
        total, today = total + people, today + people
        variance.append(total + DAYS_DIFFER**2 * (moods + today**2) + (LEVEL_UNSURE * total) ** 2)
    return Coming(tuple(expected), tuple(variance))


@dataclass(frozen=True, slots=True)
class Guess:
    """Hours from now: what to say, and between which two it lies eight times of ten (`latest` None: beyond all that
    was looked at)."""

    hours: float
    earliest: float
    latest: float | None


class Clock:
    """Between two cases time goes by people, not by hours: nobody fills a group at three in the morning. `edges`: where
    the hours begin and end, one more than there are `people` expected in them."""

    def __init__(self, edges: Sequence[float], people: Sequence[float]) -> None:
        self._edges = edges
        self._until = [0.0]
        for number in people:
            self._until.append(self._until[-1] + number + 1e-6)  # so that it never stands quite still

    def between(self, one: float, other: float, way: float) -> float:
        if way in (0.0, 1.0) or one == other:
            return other if way == 1.0 else one
        done = _along(one, self._edges, self._until)
        return _along(done + way * (_along(other, self._edges, self._until) - done), self._until, self._edges)


def guess(moments: Sequence[float | None], clock: Clock) -> Guess | None:
    """`moments`: hours from now in each of the CASES, None where it is not looked that far ahead. None where the case
    that is expected has none."""
    if moments[MIDDLE] is None:
        return None
    drawn: list[float | None] = []
    for before, after, way in DRAWS:
        one, other = moments[before], moments[after]
        if one is None or other is None:
            drawn.append(one if way < 0.5 else other)
        else:
            drawn.append(clock.between(one, other, way))
    found = sorted(hours for hours in drawn if hours is not None)
    first, last = int(SURELY * SAMPLES), SAMPLES - int(SURELY * SAMPLES)
    earliest, latest = found[min(first, len(found) - 1)], found[last] if last < len(found) else None
    return Guess(_most_likely(found), earliest, latest)


def _most_likely(moments: Sequence[float]) -> float:
    """The number that most of the moments are at most a fifth of themselves away from. Where several are about as good,
    their mean."""
    reach = (1 + WITHIN) / (1 - WITHIN)
    spans: list[tuple[int, float]] = []
    end = 0
    for begin, moment in enumerate(moments):
        while end < len(moments) and moments[end] <= moment * reach:
            end += 1
        spans.append((end - begin, _amid(moments[begin:end])))
    enough = max(count for count, _ in spans) - AS_GOOD * len(moments)
    good = [said for count, said in spans if count >= enough]
    return sum(good) / len(good)


def _amid(moments: Sequence[float]) -> float:
    """Their median, kept where it is within a fifth of the first and of the last."""
    lowest, highest = moments[-1] * (1 - WITHIN), moments[0] * (1 + WITHIN)
    return min(max(median(moments), lowest), highest)


def _along(value: float, source: Sequence[float], target: Sequence[float]) -> float:
    """A rising line through the points (source, target), at this value."""
    after = min(max(bisect_left(source, value), 1), len(source) - 1)
    way = (value - source[after - 1]) / (source[after] - source[after - 1])
    return target[after - 1] + way * (target[after] - target[after - 1])

"""Whether somebody who scans fits a tag rule, why, and when that may change by time alone.

A rule is a few conditions that must all hold: numbers of what somebody did, over all time or the last days, and words
that say where they are and what they use. Reads no clock and no table; who keeps which history and who is asked when is
`people.tag_rules`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from app.rules.regions import covers

AT_LEAST, AT_MOST = "at_least", "at_most"
IS, IS_NOT = "is", "is_not"
LONGEST_DAYS = 90
LARGEST_NUMBER = 1_000_000_000
MOST_CONDITIONS = 6


@dataclass(frozen=True, slots=True)
class Fact:
    """What a condition may ask about. `windowed`: also of the last days alone. `deeds`: the kinds that are counted."""

    key: str
    comparisons: tuple[str, str]
    windowed: bool = False
    deeds: frozenset[str] = frozenset()

    @property
    def is_word(self) -> bool:
        return self.comparisons[0] == IS


def _number(key: str, *deeds: str) -> Fact:
    return Fact(key, (AT_LEAST, AT_MOST), bool(deeds), frozenset(deeds))


FACTS: Mapping[str, Fact] = {
    fact.key: fact
    for fact in (
        _number("scans", "scan"),
        _number("presses", "press"),
        _number("stuck", "stuck"),
        _number("night_scans", "scan"),
        _number("orders", "order"),
        _number("amount", "order"),
        _number("silent_days"),
        _number("known_days"),
        _number("live_codes"),
        *(Fact(key, (IS, IS_NOT)) for key in ("region", "device", "app", "language", "placement", "product", "tag")),
    )
}
# Local hours that count as night.
NIGHT = frozenset({22, 23, 0, 1, 2, 3, 4, 5})


@dataclass(frozen=True, slots=True)
class Condition:
    """Such as scans at_least 3 within 7 days, or region is CN/CN-GD. `days` None: over all time. Amounts are in
    hundredths of the currency."""

    fact: str
    comparison: str
    number: int = 0
    word: str = ""
    days: int | None = None


@dataclass(frozen=True, slots=True)
class Deed:
    """One thing somebody did: scan, press, stuck or order. `hour` is local; `amount` an order's."""

    kind: str
    at: datetime
    hour: int = 12
    amount: int = 0


@dataclass(frozen=True, slots=True)
class History:
    """What is known of one visitor, as far as the rule's owner may know it. `ever`: sums over all time by fact.
    `deeds`: single ones, at least those of the rule's longest window. Words: every value that holds."""

    first_at: datetime
    last_at: datetime
    ever: Mapping[str, int] = field(default_factory=dict)
    deeds: Sequence[Deed] = ()
    words: Mapping[str, frozenset[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reason:
    """How one condition was judged. `found`: the number there is; for words, the values there are."""

    condition: Condition
    holds: bool
    found: int = 0
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """`turns_at`: the earliest moment at which it may be another one although nothing happens; None: never."""

    holds: bool
    reasons: tuple[Reason, ...]
    turns_at: datetime | None


def problem_of(conditions: Sequence[Condition]) -> str | None:
    """Why these cannot be a rule: none, too_many, unknown_fact, comparison, number, word or days."""
    if not conditions:
        return "none"
    if len(conditions) > MOST_CONDITIONS:
        return "too_many"
    return next((problem for problem in map(_problem_of_one, conditions) if problem), None)


def _problem_of_one(condition: Condition) -> str | None:
    fact = FACTS.get(condition.fact)
    if fact is None:
        return "unknown_fact"
    if condition.comparison not in fact.comparisons:
        return "comparison"
    if fact.is_word and not condition.word:
        return "word"
    if not fact.is_word and not 0 <= condition.number <= LARGEST_NUMBER:
        return "number"
    if condition.days is not None and not (fact.windowed and 1 <= condition.days <= LONGEST_DAYS):
        return "days"
    return None


def longest_window(conditions: Iterable[Condition]) -> int | None:
    """In days: how far back single deeds are asked for; None where none are. Night scans are single deeds always."""
    days = [condition.days or LONGEST_DAYS for condition in conditions if _needs_deeds(condition)]
    return max(days, default=None)


def _needs_deeds(condition: Condition) -> bool:
    return condition.days is not None or condition.fact == "night_scans"


def judge(conditions: Sequence[Condition], history: History, now: datetime) -> Verdict:
    """All of them must hold; no conditions hold for nobody."""
    judged = [_judge_one(condition, history, now) for condition in conditions]
    turns = [at for _, at in judged if at is not None]
    return Verdict(
        holds=bool(judged) and all(reason.holds for reason, _ in judged),
        reasons=tuple(reason for reason, _ in judged),
        turns_at=min(turns, default=None),
    )


def _judge_one(condition: Condition, history: History, now: datetime) -> tuple[Reason, datetime | None]:
    if FACTS[condition.fact].is_word:
        return _judge_word(condition, history), None
    if condition.fact in ("silent_days", "known_days"):
        since = history.last_at if condition.fact == "silent_days" else history.first_at
        return _judge_age(condition, since, now)
    if _needs_deeds(condition):
        return _judge_window(condition, history, now)
    found = history.ever.get(condition.fact, 0)
    return Reason(condition, _compares(condition, found), found), None


def _judge_word(condition: Condition, history: History) -> Reason:
    words = history.words.get(condition.fact, frozenset())
    if condition.fact == "region":
        fits = any(covers(condition.word, word) for word in words)
    elif condition.fact == "product":
        fits = any(condition.word.casefold() in word.casefold() for word in words)
    else:
        fits = condition.word in words
    return Reason(condition, fits == (condition.comparison == IS), words=tuple(sorted(words)))


def _judge_age(condition: Condition, since: datetime, now: datetime) -> tuple[Reason, datetime | None]:
    """Whole days since then; they grow by themselves, so at_least comes true once and at_most ends once."""
    found = max(0, (now - since) // timedelta(days=1))
    turns_at = since + timedelta(days=condition.number + (condition.comparison == AT_MOST))
    return Reason(condition, _compares(condition, found), found), turns_at if turns_at > now else None


def _judge_window(condition: Condition, history: History, now: datetime) -> tuple[Reason, datetime | None]:
    window = timedelta(days=condition.days or LONGEST_DAYS)
    inside = sorted(
        (deed for deed in history.deeds if _is_counted(condition, deed) and now - window < deed.at <= now),
        key=lambda deed: deed.at,
    )
    found = sum(_weight(condition, deed) for deed in inside)
    reason = Reason(condition, _compares(condition, found), found)
    left = found
    for deed in inside:  # the oldest leave first
        left -= _weight(condition, deed)
        if _compares(condition, left) != reason.holds:
            return reason, deed.at + window
    return reason, None


def _is_counted(condition: Condition, deed: Deed) -> bool:
    return deed.kind in FACTS[condition.fact].deeds and (condition.fact != "night_scans" or deed.hour in NIGHT)


def _weight(condition: Condition, deed: Deed) -> int:
    return deed.amount if condition.fact == "amount" else 1


def _compares(condition: Condition, found: int) -> bool:
    return found >= condition.number if condition.comparison == AT_LEAST else found <= condition.number

"""Who is sent where: the places members name, put together as rules a person can read, and what is odd about them.

Pure, over cards. A rule is not stored: it is the places that one set of members names alike. What serving a place
means is decided in `rules.targeting`; how an oddity is told is up to `places_wording`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from app.codes.cards import Card
from app.codes.models import Choice, LiveCode
from app.rules import regions
from app.rules.coordinates import looks_swapped

# The findings of one kind told one by one; of more, only the number is.
MOST_TOLD = 5


@dataclass(frozen=True)
class Rule:
    """Members that name the same places. `places` () is everybody else: members that name none."""

    places: tuple[str, ...]
    cards: tuple[Card, ...]

    @property
    def takes_people(self) -> bool:
        return any(card.takes_people or card.status == "reserve" for card in self.cards)

    @property
    def member_ids(self) -> list[int]:
        return [card.id for card in self.cards]


@dataclass(frozen=True)
class Finding:
    """Something to look at. kind:

    `city`: places so exact that addresses miss them; `overlap`: a place inside another rule's place, `outer`; `nobody`:
    a rule whose members are all full or closed; `elsewhere`: nobody takes people whose place no rule names;
    `no_position`: members that "nearest" cannot place; `swapped`: a position that makes sense the other way round.
    """

    kind: str
    places: tuple[str, ...] = ()
    outer: str = ""
    cards: tuple[Card, ...] = ()
    more: int = 0


@dataclass(frozen=True)
class Coverage:
    """The rules of one choice, or of the whole live code where nobody chooses."""

    choice: Choice | None
    rules: tuple[Rule, ...]
    everybody: Rule
    findings: tuple[Finding, ...]


def coverages(live_code: LiveCode, choices: Sequence[Choice], cards: Sequence[Card]) -> list[Coverage]:
    """`cards`: the members that are not archived. Fallbacks belong to no place."""
    asked: list[Choice | None] = list(choices) if live_code.kind == "grouped" else [None]
    return [
        _coverage(
            live_code,
            choice,
            [c for c in cards if not c.row.is_fallback and c.row.choice_id == (choice.id if choice else None)],
        )
        for choice in asked
    ]


def _coverage(live_code: LiveCode, choice: Choice | None, cards: Sequence[Card]) -> Coverage:
    rules = tuple(_rules(cards))
    everybody = Rule((), tuple(card for card in cards if not card.row.regions))
    return Coverage(choice, rules, everybody, tuple(_findings(live_code, rules, everybody, cards)))


def _rules(cards: Sequence[Card]) -> Iterable[Rule]:
    """One rule for each set of members that name the same place, in the catalogue's order."""
    naming: dict[str, list[Card]] = {}
    for card in cards:
        for region in card.row.regions:
            naming.setdefault(region, []).append(card)
    alike: dict[tuple[int, ...], list[str]] = {}
    for region in sorted(naming, key=_order):
        alike.setdefault(tuple(card.id for card in naming[region]), []).append(region)
    by_id = {card.id: card for card in cards}
    return [Rule(tuple(places), tuple(by_id[id] for id in ids)) for ids, places in alike.items()]


_places = {key: number for number, key in enumerate(regions.REGIONS)}


def _order(region: str) -> tuple[int, str]:
    return _places.get(region, len(_places)), region


def _findings(live_code: LiveCode, rules: Sequence[Rule], everybody: Rule, cards: Sequence[Card]) -> Iterable[Finding]:
    if rules and not everybody.takes_people:
        yield Finding("elsewhere", cards=everybody.cards)
    yield from (Finding("nobody", rule.places, cards=rule.cards) for rule in rules if not rule.takes_people)
    overlaps = list(_overlaps(rules))
    yield from overlaps[:MOST_TOLD]
    if len(overlaps) > MOST_TOLD:
        yield Finding("overlap", more=len(overlaps) - MOST_TOLD)
    cities = tuple(place for rule in rules for place in rule.places if regions.specificity(place) > 2)
    if cities:
        yield Finding("city", tuple(dict.fromkeys(cities)))
    placeless = tuple(card for card in cards if card.row.latitude is None)
    if live_code.region_policy == "nearest" and placeless:
        yield Finding("no_position", cards=placeless)
    swapped = tuple(card for card in cards if _is_swapped(card))
    if swapped:
        yield Finding("swapped", cards=swapped)


def _overlaps(rules: Sequence[Rule]) -> Iterable[Finding]:
    """Each place that lies inside a place of other members: the nearest one around it."""
    holder = {place: rule for rule in rules for place in rule.places}
    for place, rule in holder.items():
        for around in regions.prefixes(place)[1:]:
            if around in holder and holder[around] is not rule:
                yield Finding("overlap", (place,), outer=around, cards=rule.cards)
                break


def _is_swapped(card: Card) -> bool:
    latitude, longitude = card.row.latitude, card.row.longitude
    return latitude is not None and longitude is not None and looks_swapped(latitude, longitude)

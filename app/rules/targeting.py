"""Which members serve a place, and in which order of nearness.

A member's regions are catalogue keys; it serves a visitor whose region starts with one of them; without regions it
serves everybody. Whether a member is usable, open or has room is decided elsewhere.
"""

from collections.abc import Collection, Iterable, Sequence

from app.rules.coordinates import distance_m
from app.rules.model import Member, RegionPolicy
from app.rules.regions import MUNICIPALITIES, covers, prefixes, specificity

CITY, PROVINCE = 3, 2
EVERYBODY = 0
NOWHERE = -1

Position = tuple[float, float]


def reach(member: Member, region: str | None) -> int:
    """How specifically this member names the region: 3 its city, 2 its province, 1 its country, 0 everybody, -1 not."""
    if not member.regions:
        return EVERYBODY
    if region is None:
        return NOWHERE
    return max((specificity(r) for r in member.regions if covers(r, region)), default=NOWHERE)


def is_of_the_city(member: Member, region: str | None) -> bool:
    """Whether this member names the very city, or municipality, somebody is in."""
    return reach(member, region) == CITY or (region in MUNICIPALITIES and reach(member, region) == PROVINCE)


def regions_named(members: Iterable[Member]) -> frozenset[str]:
    """Every region some member names."""
    return frozenset(region for member in members for region in member.regions)


def narrowed(region: str | None, named: Collection[str]) -> str | None:
    """The most specific region of `named` that covers `region`, None where none does.

    Members are offered by the regions they name, so everybody in a region nobody divides further is offered the same:
    a plan for one of them serves all.
    """
    return next((prefix for prefix in prefixes(region) if prefix in named), None)


def by_place(
    usable: Sequence[Member], region: str | None, policy: RegionPolicy, position: Position | None = None
) -> tuple[list[list[Member]], list[Member]]:
    """Groups of members to ask in turn, and those to ask as a last resort.

    Matched means that some usable member names the place, room or not. Strict: a matched place is served by those
    members only, an unmatched or unknown one by members without regions. Prefer: the most specific first, then less
    specific, then members without regions; last resort: any usable member. Nearest with a position: by distance.
    """
    if policy is RegionPolicy.NEAREST and position is not None:
        return _by_distance(usable, position), []
    named: dict[int, list[Member]] = {}
    for member in usable:
        named.setdefault(reach(member, region), []).append(member)
    strangers = named.pop(NOWHERE, [])
    groups = [named[depth] for depth in sorted(named, reverse=True)]
    if policy is not RegionPolicy.STRICT:
        return groups, strangers
    if any(depth > EVERYBODY for depth in named):
        groups = [named[depth] for depth in sorted(named, reverse=True) if depth > EVERYBODY]
    return groups, []


def _by_distance(usable: Sequence[Member], position: Position) -> list[list[Member]]:
    """One group a member, nearest first; not asked outside its radius; those without coordinates come last."""
    placed: list[tuple[float, Member]] = []
    unplaced: list[Member] = []
    for member in usable:
        if member.latitude is None or member.longitude is None:
            unplaced.append(member)
            continue
        metres = distance_m(*position, member.latitude, member.longitude)
        if member.radius_m is None or metres <= member.radius_m:
            placed.append((metres, member))
    placed.sort(key=lambda pair: pair[0])
    groups = [[member] for _, member in placed]
    return [*groups, unplaced] if unplaced else groups

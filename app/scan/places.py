"""The page on which scanners say where they are: which places it offers, and in which order.

First those the live code has groups for, then every province; a province leads to its cities. Works without a script.
What follows from a choice is `decide`'s business.
"""

from dataclasses import replace

from app.rules import regions
from app.rules.model import Snapshot
from app.rules.regions import MUNICIPALITIES, Place, Region
from app.rules.routing import STANDING
from app.scan.landing import frame
from app.scan.page import Link, Offer, Pick, View
from app.scan.wording import say

ABROAD = "abroad"
# More buttons than these are no help: whoever is from elsewhere finds their province below.
MOST_NAMED = 24


def view_of(snapshot: Snapshot, place: Place, language: str, within: str, query: str) -> View:
    """`within`: a province whose cities are asked for, or "abroad"; anything else: the first page. `query`: what its
    links and its form pass on."""
    province = regions.normalise(within)
    view = replace(
        frame(snapshot, snapshot.slug, language, ""),
        message=say(language, "places"),
        query=f"?{query}" if query else "",
    )
    if within == ABROAD:
        offers = (Offer(say(language, "places_abroad"), _abroad(language), is_long=True),)
    elif province is not None and regions.children(province) and regions.REGIONS[province].level == "province":
        offers = (_cities(province, language),)
    else:
        return replace(view, offers=_first(snapshot, place, view, language))
    return replace(view, offers=offers, link=Link(_below(view), say(language, "places_back")))


def _first(snapshot: Snapshot, place: Place, view: View, language: str) -> tuple[Offer, ...]:
    named = tuple(Pick(regions.name(key, language), key) for key in _named(snapshot))
    provinces = (*regions.children("CN"), *(regions.REGIONS[key] for key in ("HK", "MO", "TW")))
    everywhere = tuple(_pick(region, view, language) for region in provinces)
    abroad = Pick(say(language, "places_abroad"), href=_below(view, ABROAD), is_wide=True)
    forget = Offer("", (Pick(say(language, "places_forget"), is_wide=True),)) if place.source == "chosen" else None
    here = Offer(say(language, "places_here"), named) if named else None
    return tuple(o for o in (here, Offer(say(language, "places_all"), (*everywhere, abroad)), forget) if o is not None)


def _named(snapshot: Snapshot) -> list[str]:
    """Places some member names, in the catalogue's order; "China" and its like would tell nobody apart."""
    named = {region for m in snapshot.members if m.state in STANDING and not m.is_fallback for region in m.regions}
    return [key for key in regions.REGIONS if key in named and key != "CN"][:MOST_NAMED]


def _pick(region: Region, view: View, language: str) -> Pick:
    name = regions.name(region.key, language)
    if region.key in MUNICIPALITIES or not regions.children(region.key):
        return Pick(name, region.key)
    return Pick(name, href=_below(view, region.key.rpartition("/")[2]))


def _cities(province: str, language: str) -> Offer:
    name = regions.name(province, language)
    whole = Pick(say(language, "places_whole", place=name), province, is_wide=True)
    cities = (Pick(regions.name(city.key, language), city.key) for city in regions.children(province))
    return Offer(say(language, "places_cities", place=name), (*cities, whole))


def _abroad(language: str) -> tuple[Pick, ...]:
    """Countries as somebody looks for them: by pinyin, or by their English names."""
    countries = [regions.REGIONS[key] for key in regions.QUICK_GROUPS["海外"]]
    countries.sort(key=lambda region: region.pinyin if language == "zh" else region.en)
    return tuple(Pick(regions.name(region.key, language), region.key) for region in countries)


def _below(view: View, within: str = "") -> str:
    """The same page, for another part of the world."""
    rest = view.query.removeprefix("?")
    query = "&".join(part for part in (f"in={within}" if within else "", rest) if part)
    return f"{view.home}/place?{query}" if query else f"{view.home}/place"

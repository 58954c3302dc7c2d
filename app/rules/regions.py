"""The catalogue of places: which regions there are, what they are called, and which covers which.

A region is a path, `CN`, `CN/CN-GD`, `CN/CN-GD/440100` (ISO 3166-1, ISO 3166-2, GB/T 2260); a region covers every
path that continues it. Hong Kong, Macao and Taiwan keep the country codes that address databases give them (`HK`, `MO`,
`TW`), so `CN` does not cover them and is shown as 中国大陆. Beijing, Tianjin, Shanghai and Chongqing have no cities
below them. Which member serves a place is `targeting`'s business; where an address is, `outside.geo`'s.
"""

import csv
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from types import MappingProxyType
from typing import ClassVar

from app.rules.coordinates import distance_m

MUNICIPALITIES = frozenset({"CN/CN-BJ", "CN/CN-TJ", "CN/CN-SH", "CN/CN-CQ"})
# GB/T 2260 prefixes below which there are districts but no cities.
_WITHOUT_CITIES = {
    "11": "CN/CN-BJ", "12": "CN/CN-TJ", "31": "CN/CN-SH", "50": "CN/CN-CQ", "71": "TW", "81": "HK", "82": "MO",
}  # fmt: skip
GREATER_CHINA = ("CN", "HK", "MO", "TW")
# Nobody is "near" a city this far away: out at sea, or in a country whose towns the catalogue does not hold.
NEAREST_LIMIT_M = 500_000
LONGEST_KEY = 40


@dataclass(frozen=True, slots=True)
class Place:
    """Where somebody is taken to be, and how it is known.

    `region` is a key of the catalogue or None; `source` is one of chosen, placement, position, address, given, unknown.
    """

    region: str | None
    source: str

    UNKNOWN: ClassVar["Place"]

    @property
    def country(self) -> str | None:
        return _part(self.region, 0)

    @property
    def province(self) -> str | None:
        return _part(self.region, 1)

    @property
    def city(self) -> str | None:
        return _part(self.region, 2)


Place.UNKNOWN = Place(None, "unknown")


@dataclass(frozen=True, slots=True)
class Region:
    """One row of the catalogue. `zh` is the official name, `zh_short` what people say; `pinyin` is the short name's
    syllables without tones. The position is the seat's, in WGS-84 degrees."""

    key: str
    parent: str | None
    level: str
    zh: str
    zh_short: str
    en: str
    pinyin: str
    lat: float
    lon: float


@dataclass(frozen=True, slots=True)
class _Entry:
    """What a search looks at: the words a region answers to. Former names lead to today's region."""

    key: str
    chinese: tuple[str, ...]
    latin: tuple[str, ...]
    initials: str


def _part(region: str | None, index: int) -> str | None:
    parts = region.split("/") if region else []
    return parts[index] if index < len(parts) else None


def _load() -> tuple[dict[str, Region], dict[str, str], list[_Entry]]:
    regions: dict[str, Region] = {}
    former: dict[str, str] = {}
    entries: list[_Entry] = []
    text = resources.files(__package__).joinpath("regions.csv").read_text(encoding="utf-8")
    for row in csv.DictReader(text.splitlines()):
        key = row["key"]
        if row["level"] == "former":
            former[key] = row["parent"]
        else:
            names = row["zh"], row["zh_short"], row["en"], row["pinyin"]
            regions[key] = Region(key, row["parent"] or None, row["level"], *names, *_position(row))
        entries.append(_entry(former.get(key, key), row))
    return regions, former, entries


def _position(row: Mapping[str, str]) -> tuple[float, float]:
    return float(row["lat"]), float(row["lon"])


def _entry(key: str, row: Mapping[str, str]) -> _Entry:
    syllables = row["pinyin"].split()
    english = _plain(row["en"])
    code = key.lower() if key in GREATER_CHINA else ""  # "bj" means Beijing, not Benin
    latin = {"".join(syllables), "".join(syllables).replace("v", "u"), english, english.replace(" ", ""), code}
    return _Entry(
        key, (row["zh"], row["zh_short"]), tuple(sorted(latin - {""})), "".join(part[0] for part in syllables)
    )


def _plain(text: str) -> str:
    """Lower case without apostrophes, hyphens and ü, so that xian, Xi'an and XI AN are typed alike."""
    return " ".join(text.casefold().replace("ü", "u").replace("'", "").replace("’", "").replace("-", " ").split())


_regions, _former, _entries = _load()
REGIONS: Mapping[str, Region] = MappingProxyType(_regions)


def _abroad() -> tuple[str, ...]:
    return tuple(r.key for r in _regions.values() if r.level == "country" and r.key not in GREATER_CHINA)


def _provinces(codes: str) -> tuple[str, ...]:
    return tuple(f"CN/CN-{code}" for code in codes.split())


# 海外 is a list, not a "not China": a rule stays a set of prefixes. 港澳台 are in neither it nor the mainland's groups.
QUICK_GROUPS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "华东": _provinces("SH JS ZJ AH FJ JX SD"),
        "华南": _provinces("GD GX HI"),
        "华北": _provinces("BJ TJ HE SX NM"),
        "华中": _provinces("HA HB HN"),
        "西南": _provinces("CQ SC GZ YN XZ"),
        "西北": _provinces("SN GS QH NX XJ"),
        "东北": _provinces("LN JL HL"),
        "港澳台": ("HK", "MO", "TW"),
        "海外": _abroad(),
    }
)
QUICK_GROUP_NAMES_EN: Mapping[str, str] = MappingProxyType(
    {
        "华东": "East China",
        "华南": "South China",
        "华北": "North China",
        "华中": "Central China",
        "西南": "Southwest China",
        "西北": "Northwest China",
        "东北": "Northeast China",
        "港澳台": "Hong Kong, Macao and Taiwan",
        "海外": "Outside China",
    }
)


def _short_spellings() -> Iterator[tuple[str, str]]:
    """How one region is written elsewhere: `CN-GD`, `440000` and `440100` for the whole path."""
    for region in _regions.values():
        tail = region.key.rsplit("/", 1)[-1]
        yield tail, region.key
        if region.level == "city":
            yield f"{tail[:2]}0000", region.parent or ""
    for old, new in _former.items():
        yield old.rsplit("/", 1)[-1], new
    for prefix, whole in _WITHOUT_CITIES.items():
        yield f"{prefix}0000", whole
    yield from (("CN-HK", "HK"), ("CN-MO", "MO"), ("CN-TW", "TW"), ("100000", "CN"), ("UK", "GB"))


_spellings = dict(_short_spellings())


def normalise(key: object) -> str | None:
    """Today's key for `key`, or None where there is no such place. Never raises, whatever it is given.

    Takes any spelling in use: other letter case, a bare `CN-GD` or adcode, a district's adcode (its city), a city below
    a municipality (the municipality), a code that was merged or renumbered (today's city).
    """
    if not isinstance(key, str) or len(key) > LONGEST_KEY:
        return None
    key = key.strip().upper()
    if key in _regions:
        return key
    parts = key.split("/")
    found = _resolve(parts[-1])
    if found is None or len(parts) > 3 or not all(_fits(part, found) for part in parts[:-1]):
        return None
    return found


def _resolve(code: str) -> str | None:
    if code in _spellings:
        return _spellings[code]
    if len(code) != 6 or not (code.isascii() and code.isdigit()):
        return None
    if whole := _WITHOUT_CITIES.get(code[:2]):
        return whole
    return _spellings.get(f"{code[:4]}00") if code[2:4] != "00" else None


def _fits(part: str, found: str) -> bool:
    """Whether a path may name `part` above `found`; China is above Hong Kong, Macao and Taiwan too."""
    above = _spellings.get(part)
    return above is not None and (covers(above, found) or (above == "CN" and found in GREATER_CHINA))


def named(text: str, parent: str | None) -> str | None:
    """The region directly below `parent` that address databases, which spell as they like, call `text`; None if none
    is.

    广东, 广东省, Guangdong, "Guangdong Sheng" and "Guangdong Province" are one; so are 恩施, 恩施州 and "Enshi". A
    part in brackets ("Guangzhou (Tianhe)") is left out. A city merged into another gives that one.
    """
    return _names().get((parent, _bare(text)))


_ADMINISTRATIVE = frozenset({
    "province", "sheng", "shi", "city", "municipality", "prefecture", "autonomous", "region", "zizhiqu", "zizhizhou",
    "zhuangzu", "huizu", "weiwuer", "uyghur", "uygur", "zhuang", "hui", "league", "diqu", "sar", "special",
    "administrative",
})  # fmt: skip
_CHINESE_SUFFIXES = (
    "特别行政区", "维吾尔自治区", "壮族自治区", "回族自治区", "自治区", "地区", "林区", "省", "市", "州", "盟", "县",
)  # fmt: skip
_OTHER_NAMES = {
    "中国": "CN", "china": "CN", "香港": "HK", "hong kong": "HK", "澳门": "MO", "macao": "MO", "macau": "MO",
    "台湾": "TW", "taiwan": "TW", "nei mongol": "CN/CN-NM", "ningsia": "CN/CN-NX", "kwangtung": "CN/CN-GD",
    "xigaze": "CN/CN-XZ/540200", "kashi": "CN/CN-XJ/653100", "yining": "CN/CN-XJ/654000",
}  # fmt: skip


def _bare(text: str) -> str:
    """A name without what tells its rank: accents, brackets, "Province", 省."""
    text = unicodedata.normalize("NFKD", text.split("(")[0].split("（")[0])
    text = _plain("".join(mark for mark in text if not unicodedata.combining(mark)))
    if text.isascii():
        words = text.split()
        return "".join(word for word in words if word not in _ADMINISTRATIVE) or "".join(words)
    for suffix in _CHINESE_SUFFIXES:
        if text.endswith(suffix) and len(text) - len(suffix) >= 2:
            return text.removesuffix(suffix)
    return text


@lru_cache(maxsize=1)
def _names() -> Mapping[tuple[str | None, str], str]:
    """Official names first, then pinyin: "Shanxi" is 山西 and "Shaanxi" 陕西, though both are read shanxi."""
    found: dict[tuple[str | None, str], str] = {}
    for region in _regions.values():
        for word in (region.zh, region.zh_short, region.en):
            found.setdefault((region.parent, _bare(word)), region.key)
    for word, key in _OTHER_NAMES.items():
        found.setdefault((_regions[key].parent, _bare(word)), key)
    for entry in _entries:
        for word in (*entry.chinese, *entry.latin):
            found.setdefault((_regions[entry.key].parent, _bare(word)), entry.key)
    return found


def covers(region: str, place: str) -> bool:
    """Whether `place` lies in `region`: its path, or a continuation of it. Both are keys as `normalise` gives them."""
    return place == region or place.startswith(region + "/")


def specificity(region: str | None) -> int:
    """How exact a region is: 3 a city, 2 a province, 1 a country, 0 everywhere."""
    return region.count("/") + 1 if region else 0


def prefixes(place: str | None) -> tuple[str, ...]:
    """The regions that cover a place, most specific first; what a plan is looked up by."""
    if not place:
        return ()
    parts = place.split("/")
    return tuple("/".join(parts[:length]) for length in range(len(parts), 0, -1))


def name(key: str, language: str, full: bool = False) -> str:
    """What a person reads. `full` puts the province before a city (广东 广州, "Guangzhou, Guangdong").

    A key that is not in the catalogue comes back as it is, so that an old rule is still recognised.
    """
    region = _regions.get(key)
    if region is None:
        return key
    chinese = language.lower().startswith("zh")
    own = region.zh_short if chinese else region.en
    if not full or region.level != "city" or region.parent is None:
        return own
    above = _regions[region.parent]
    return f"{above.zh_short} {own}" if chinese else f"{own.split(' (')[0]}, {above.en}"


def children(key: str | None) -> tuple[Region, ...]:
    """What lies directly below a region, in the order to list it; countries for None."""
    return _children().get(key, ())


@lru_cache(maxsize=1)
def _children() -> Mapping[str | None, tuple[Region, ...]]:
    found: dict[str | None, list[Region]] = {}
    for region in _regions.values():
        found.setdefault(region.parent, []).append(region)
    return {parent: tuple(below) for parent, below in found.items()}


def search(text: str, language: str, limit: int = 20) -> list[Region]:
    """Regions that answer to what somebody typed: Chinese, pinyin, its initials, or English; the best first.

    A whole name comes before a beginning, a beginning before a middle; then larger regions, then the catalogue's order.
    """
    wanted = _plain(text[:LONGEST_KEY])
    if not wanted:
        return []
    best: dict[str, int] = {}
    for entry in _entries:
        rank = _rank(entry, wanted)
        if rank is not None:
            best[entry.key] = min(rank, best.get(entry.key, rank))
    order = sorted(best, key=lambda key: (best[key], specificity(key)))
    if not language.lower().startswith("zh"):
        order.sort(key=lambda key: (best[key], specificity(key), _regions[key].en))
    return [_regions[key] for key in order[: max(limit, 0)]]


def _rank(entry: _Entry, wanted: str) -> int | None:
    words = entry.chinese + entry.latin
    if wanted in words:
        return 0
    if any(word.startswith(wanted) for word in words):
        return 1
    if len(wanted) > 1 and entry.initials.startswith(wanted):
        return 1 if entry.initials == wanted else 2
    if any(wanted in word for word in entry.chinese) or any(f" {wanted}" in word for word in entry.latin):
        return 3
    return None


def quick_groups_in(keys: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The quick groups that a list of regions holds whole, and the regions left over, in their order."""
    wanted = tuple(dict.fromkeys(keys))
    groups = tuple(group for group, members in QUICK_GROUPS.items() if set(members) <= set(wanted))
    grouped = {key for group in groups for key in QUICK_GROUPS[group]}
    return groups, tuple(key for key in wanted if key not in grouped)


def nearest_city(lat: float, lon: float) -> str | None:
    """The city of China whose seat is nearest to a WGS-84 position, or the country of a foreign town nearer still.

    None out at sea. Without boundaries the province is right for 92 % and the city for 78 % of China's 2,845 county
    seats: good enough to greet somebody with, never to refuse them.
    """
    distance, key = min((distance_m(lat, lon, at_lat, at_lon), key) for key, at_lat, at_lon in _landmarks())
    return key if distance <= NEAREST_LIMIT_M else None


@lru_cache(maxsize=1)
def _landmarks() -> tuple[tuple[str, float, float], ...]:
    """What a position is compared with: the seats of Chinese cities, the capitals and the larger towns abroad."""
    text = resources.files(__package__).joinpath("towns_abroad.csv").read_text(encoding="utf-8")
    abroad = [(row["country"], *_position(row)) for row in csv.DictReader(text.splitlines())]
    at_home = [(r.key, r.lat, r.lon) for r in _regions.values() if r.level == "city" or r.key in MUNICIPALITIES]
    capitals = [(key, _regions[key].lat, _regions[key].lon) for key in (*GREATER_CHINA[1:], *QUICK_GROUPS["海外"])]
    return (*at_home, *capitals, *abroad)

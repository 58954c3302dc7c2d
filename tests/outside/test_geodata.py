"""The file we ship: right about public resolvers, readable by others' readers, and what the build script makes of
its source."""

import csv
import importlib.util
import sys
from functools import cache
from ipaddress import IPv4Address, ip_address
from pathlib import Path
from types import ModuleType

import geoip2.database
import maxminddb
import pytest

from app.outside.geo import BUNDLED, Geo
from app.rules.regions import REGIONS, children, normalise, prefixes

HERE = Path(__file__).parent
SLICE = HERE / "ip2region_slice.txt"
LARGEST = 8_000_000


@cache
def geo() -> Geo:
    return Geo()


def resolvers(version: int) -> list[tuple[str, str, str | None]]:
    """(address, labelled region, region the database gives); where the labels come from: docs/places.md."""
    with (HERE / "resolvers.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if ip_address(row["address"]).version == version]
    return [(row["address"], row["region"], geo().place(row["address"]).region) for row in rows]


def province(region: str | None) -> str | None:
    return prefixes(region)[-2:][0] if region else None


def test_the_list_of_resolvers_covers_every_province_and_names_regions_of_the_catalogue() -> None:
    rows = resolvers(4)
    assert {province(label) for _, label, _ in rows} >= {region.key for region in children("CN")}
    assert all(normalise(label) == label for _, label, _ in rows + resolvers(6))
    assert len([label for _, label, _ in rows if label.startswith("CN/")]) >= 250


def test_at_least_99_percent_of_provinces_are_right() -> None:
    mainland = [(province(label), province(found)) for _, label, found in resolvers(4) if label.startswith("CN/")]
    assert sum(label == found for label, found in mainland) / len(mainland) >= 0.99


def test_at_least_95_percent_of_cities_are_right() -> None:
    cities = [(label, found) for _, label, found in resolvers(4) if REGIONS[label].level == "city"]
    assert len(cities) >= 120
    assert sum(label == found for label, found in cities) / len(cities) >= 0.95


def test_countries_are_right() -> None:
    for address, label, found in resolvers(4):
        assert found is not None and found.split("/")[0] == label.split("/")[0], address


def test_nothing_is_wrong_from_ipv6() -> None:
    rows = resolvers(6)
    assert all(found in (label, None) for _, label, found in rows)
    known = [found for _, label, found in rows if label == "CN"]
    assert known.count("CN") / len(known) >= 0.8


def test_geoip2_reads_the_file_and_finds_codes_and_both_languages() -> None:
    with geoip2.database.Reader(BUNDLED) as reader:
        city = reader.city("202.96.128.86")
        assert (city.country.iso_code, city.subdivisions.most_specific.iso_code) == ("CN", "GD")
        assert city.country.names == {"zh-CN": "中国", "en": "China"}
        assert city.subdivisions.most_specific.names == {"zh-CN": "广东省", "en": "Guangdong"}
        assert city.city.names == {"zh-CN": "广州市", "en": "Guangzhou"}
        assert reader.city("2400:3200::1").country.iso_code == "CN"


def test_the_file_holds_the_adcode_and_says_whose_data_it_is() -> None:
    with maxminddb.open_database(BUNDLED) as reader:
        record = reader.get("202.96.128.86")
        assert isinstance(record, dict) and record["city"]["adcode"] == "440100"
        about = reader.metadata()
    assert about.database_type == "Huozi-City"
    assert "ip2region" in about.description["en"]
    assert BUNDLED.stat().st_size < LARGEST
    notice = (BUNDLED.parent / "NOTICE").read_text(encoding="utf-8")
    assert "ip2region" in notice and "Apache" in notice and "NRO" in notice


# --- the build script, on a piece of its source


@pytest.fixture(scope="module")
def build() -> ModuleType:
    spec = importlib.util.spec_from_file_location("build_geo", HERE.parents[1] / "scripts" / "build_geo.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["build_geo"] = module
    spec.loader.exec_module(module)
    return module


def build_slice(build: ModuleType, output: Path) -> Path:
    lines = SLICE.read_text(encoding="utf-8").splitlines()
    build.write(build.ipv4_networks(build.read_lines(lines)), made_at=1709087558, output=output)
    return output


def test_a_slice_built_anew_says_what_the_shipped_file_says(build: ModuleType, tmp_path: Path) -> None:
    rebuilt = build_slice(build, tmp_path / "slice.mmdb")
    with maxminddb.open_database(rebuilt) as new, maxminddb.open_database(BUNDLED) as shipped:
        assert new.metadata().build_epoch == shipped.metadata().build_epoch
        for line in SLICE.read_text(encoding="utf-8").splitlines():
            start, end, _ = line.split("|", 2)
            for number in {int(IPv4Address(start)), int(IPv4Address(end))}:
                assert new.get(IPv4Address(number)) == shipped.get(IPv4Address(number)), line


def test_the_same_source_gives_the_same_bytes(build: ModuleType, tmp_path: Path) -> None:
    one, two = (build_slice(build, tmp_path / name).read_bytes() for name in ("one.mmdb", "two.mmdb"))
    assert one == two


@pytest.mark.parametrize(
    ("text", "region"),
    [
        ("中国|0|广东省|广州市|电信", "CN/CN-GD/440100"),
        ("中国|广东省|广州市|电信", "CN/CN-GD/440100"),
        ("中国|广东省|广州市|电信|CN", "CN/CN-GD/440100"),
        ("中国|0|新疆|伊犁|电信", "CN/CN-XJ/654000"),
        ("中国|0|甘肃省|临夏市|移动", "CN/CN-GS/622900"),
        ("中国|0|山东省|莱芜市|联通", "CN/CN-SD/370100"),
        ("中国|0|北京|北京市|联通", "CN/CN-BJ"),
        ("中国|0|香港|沙田|0", "HK"),
        ("中国|0|台湾省|台北|0", "TW"),
        ("中国|0|0|0|移动", "CN"),
        ("中国|0|广东省|0|移动", "CN/CN-GD"),
        ("刚果金|0|0|0|0", "CD"),
        ("波黑|0|0|0|0", "BA"),
        ("美国|0|佛罗里达|0|0", "US"),
        ("欧洲|0|0|0|0", None),
        ("0|0|0|内网IP|内网IP", None),
    ],
)
def test_every_layout_and_spelling_of_ip2region_is_understood(build: ModuleType, text: str, region: str | None) -> None:
    assert build.region_of(text) == region


@pytest.mark.parametrize("text", ["某国|0|0|0|0", "中国|0|某省|0|0", "中国|0|广东省|某市|电信", "中国"])
def test_a_name_the_catalogue_lacks_stops_the_build(build: ModuleType, text: str) -> None:
    with pytest.raises(SystemExit):
        build.region_of(text)

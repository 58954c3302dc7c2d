"""From an address to a place: what is believed of whose file, and what happens when the file is bad."""

import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Any

import maxminddb
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mmdb_writer import MMDBWriter
from netaddr import IPSet

from app.outside.geo import BUNDLED, Geo
from app.rules.regions import REGIONS, Place

ADDRESS = "114.114.114.114"


def database(path: Path, records: dict[str, Any], kind: str = "GeoLite2-City", version: int = 6) -> Path:
    """A file of networks and their records; written beside and moved into place, as an operator should."""
    writer = MMDBWriter(version, kind, ["en"], "test", ipv4_compatible=version == 6)
    for network, record in records.items():
        writer.insert_network(IPSet([network]), record)
    draft = path.with_suffix(".draft")
    writer.to_db_file(str(draft))
    return draft.replace(path)


def city_record(country: str = "CN", province: Any = None, city: Any = None) -> dict[str, Any]:
    record: dict[str, Any] = {"country": {"iso_code": country}}
    return record | ({"subdivisions": [province]} if province else {}) | ({"city": city} if city else {})


GUANGZHOU = city_record("CN", {"iso_code": "GD"}, {"adcode": "440100"})
BEIJING = city_record("CN", {"iso_code": "BJ"}, {"names": {"en": "Beijing"}})
OF_ADDRESS = {"114.114.0.0/16": GUANGZHOU}


def region_of(path: Path, record: Any) -> str | None:
    return Geo(database(path, {"114.114.0.0/16": record})).place(ADDRESS).region


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "places.mmdb"


# --- what a record means


def en(name: str) -> dict[str, Any]:
    return {"names": {"en": name}}


@pytest.mark.parametrize(
    ("province", "city", "region"),
    [
        ({"iso_code": "GD"}, {"adcode": "440100"}, "CN/CN-GD/440100"),
        ({"iso_code": "GD"}, {"names": {"zh-CN": "广州市", "en": "Canton"}}, "CN/CN-GD/440100"),
        ({"iso_code": "44"}, en("Guangzhou"), "CN/CN-GD/440100"),
        (en("Guangdong"), en("Guangzhou (Tianhe)"), "CN/CN-GD/440100"),
        (en("Guangxi Zhuangzu Zizhiqu"), en("Nanning"), "CN/CN-GX/450100"),
        (en("Ningxia Hui Autonomous Region"), en("Yinchuan"), "CN/CN-NX/640100"),
        (en("Inner Mongolia"), en("Hohhot"), "CN/CN-NM/150100"),
        (en("Tibet"), en("Lhasa"), "CN/CN-XZ/540100"),
        (en("Xinjiang"), en("Ürümqi"), "CN/CN-XJ/650100"),
        (en("Shanxi"), en("Taiyuan"), "CN/CN-SX/140100"),
        (en("Shaanxi"), en("Xi’an"), "CN/CN-SN/610100"),
        ({"names": {"zh-CN": "内蒙古"}}, None, "CN/CN-NM"),
        ({"iso_code": "JL", "names": {"en": "Jilin Sheng"}}, en("Jilin"), "CN/CN-JL/220200"),
        ({"iso_code": "BJ"}, en("Beijing"), "CN/CN-BJ"),
        ({"iso_code": "SH"}, {"names": {"zh-CN": "上海市"}}, "CN/CN-SH"),
        ({"iso_code": "SD"}, {"names": {"zh-CN": "莱芜市"}}, "CN/CN-SD/370100"),
        ({"iso_code": "SD"}, {"adcode": "371200"}, "CN/CN-SD/370100"),
        ({"iso_code": "GD"}, en("Nowhere"), "CN/CN-GD"),
        ({"iso_code": "GD"}, {"adcode": "310000"}, "CN/CN-GD"),
        (en("Atlantis"), en("Guangzhou"), "CN"),
        (None, None, "CN"),
    ],
)
def test_provinces_and_cities_are_known_by_code_or_by_any_name(
    path: Path, province: Any, city: Any, region: str
) -> None:
    assert region_of(path, city_record("CN", province, city)) == region


@pytest.mark.parametrize(
    ("record", "region"),
    [
        (city_record("US", {"iso_code": "CA"}, en("Los Angeles")), "US"),
        (city_record("HK", None, en("Hong Kong")), "HK"),
        (city_record("TW", {"iso_code": "TPE"}, en("Taipei")), "TW"),
        ({"registered_country": {"iso_code": "JP"}}, "JP"),
        (city_record("XK"), None),
        (city_record("??"), None),
        ({}, None),
        ("CN", None),
        ([GUANGZHOU], None),
        (7, None),
        ({"country": "CN"}, None),
        ({"country": {"iso_code": 86}}, None),
        ({"country": {"iso_code": "CN"}, "subdivisions": "GD", "city": []}, "CN"),
        ({"country": {"iso_code": "CN"}, "subdivisions": []}, "CN"),
        ({"country": {"iso_code": "CN"}, "subdivisions": [5], "city": {"names": ["广州"]}}, "CN"),
        (city_record("CN", {"iso_code": ["GD"], "names": {"en": 1}}, {"adcode": 440100}), "CN"),
    ],
)
def test_other_countries_are_countries_and_odd_records_do_no_harm(path: Path, record: Any, region: str | None) -> None:
    assert region_of(path, record) == region


def test_a_place_says_that_it_comes_from_the_address(path: Path) -> None:
    geo = Geo(database(path, OF_ADDRESS))
    assert geo.place(ADDRESS) == geo.place(ip_address(ADDRESS)) == Place("CN/CN-GD/440100", "address")
    assert geo.place("8.8.8.8") == Place.UNKNOWN


# --- what is not believed


def test_an_ipv6_address_gives_its_country_only(path: Path) -> None:
    geo = Geo(database(path, {"240e::/20": BEIJING, "2408:8000::/20": BEIJING, "2409:8a00::/24": GUANGZHOU}))
    for address in ("240e:381::1", "2408:844b::1", "2409:8a55::1"):
        assert geo.place(address) == Place("CN", "address")


def test_a_fill_cannot_give_an_ipv6_address_a_province_either(path: Path, tmp_path: Path) -> None:
    primary = database(path, {"240e::/20": city_record("CN")})
    fill = database(tmp_path / "fill.mmdb", {"240e::/20": BEIJING})
    assert Geo(primary, fill).place("240e:381::1").region == "CN"


def test_an_ipv4_address_dressed_as_ipv6_is_an_ipv4_address(path: Path) -> None:
    assert Geo(database(path, OF_ADDRESS)).place(f"::ffff:{ADDRESS}").city == "440100"


def test_phones_that_every_database_puts_in_beijing_are_somewhere_in_china(path: Path, tmp_path: Path) -> None:
    primary = database(path, {"223.160.0.0/16": BEIJING, "223.161.0.0/16": BEIJING})
    geo = Geo(primary, database(tmp_path / "fill.mmdb", {"223.160.0.0/16": BEIJING}))
    assert geo.place("223.160.7.7") == geo.place("223.160.255.255") == Place("CN", "address")
    assert geo.place("223.161.0.0").region == "CN/CN-BJ"


@pytest.mark.parametrize(
    "address",
    ["0.0.0.0", "10.1.2.3", "100.64.0.1", "100.127.255.255", "127.0.0.1", "169.254.1.1", "172.16.0.1", "172.31.255.255",
     "192.0.2.1", "192.168.1.1", "198.18.0.1", "198.51.100.9", "203.0.113.5", "224.0.0.1", "240.0.0.1",
     "255.255.255.255", "::", "::1", "fe80::1", "fd00::1", "ff02::1", "2001:db8::1", "2002:7272:7272::1", "2001::1",
     "::ffff:10.0.0.1", "64:ff9b::a00:1"],
)  # fmt: skip
def test_private_and_reserved_addresses_are_nowhere_whatever_the_file_says(path: Path, address: str) -> None:
    everywhere = {"0.0.0.0/1": BEIJING, "128.0.0.0/1": BEIJING, "2000::/3": BEIJING, "fc00::/7": BEIJING}
    assert Geo(database(path, everywhere)).place(address) == Place.UNKNOWN


@pytest.mark.parametrize(
    "address", ["100.63.255.255", "100.128.0.0", "172.15.0.1", "172.32.0.1", "11.0.0.1", "2400::1"]
)
def test_the_neighbours_of_private_addresses_are_somewhere(path: Path, address: str) -> None:
    everywhere = {"0.0.0.0/1": BEIJING, "128.0.0.0/1": BEIJING, "2000::/3": BEIJING}
    assert Geo(database(path, everywhere)).place(address).country == "CN"


@pytest.mark.parametrize(
    "nonsense", [None, "", "unknown", "1.2.3", "1.2.3.4:80", "<script>", "1.2.3.4, 5.6.7.8", "\x00"]
)
def test_what_is_no_address_is_nowhere(nonsense: str | None) -> None:
    assert Geo().place(nonsense) == Place.UNKNOWN


@given(st.one_of(st.text(max_size=50), st.ip_addresses()))
def test_any_address_and_any_text_has_a_place_of_the_catalogue_or_none(
    address: str | IPv4Address | IPv6Address,
) -> None:
    place = SHARED.place(address)
    assert place.region in REGIONS if place.region else place == Place.UNKNOWN


SHARED = Geo()


# --- the second file


def test_the_second_file_fills_blanks_only(path: Path, tmp_path: Path) -> None:
    primary = {"114.114.0.0/16": GUANGZHOU, "116.0.0.0/16": city_record("CN"), "8.8.8.0/24": city_record("US")}
    other = {network: BEIJING for network in ("114.114.0.0/16", "116.0.0.0/16", "8.8.8.0/24", "117.0.0.0/16")}
    geo = Geo(database(path, primary), database(tmp_path / "fill.mmdb", other))
    assert geo.place(ADDRESS).region == "CN/CN-GD/440100"
    assert geo.place("116.0.0.1").region == "CN/CN-BJ"
    assert geo.place("8.8.8.8").region == "US"
    assert geo.place("117.0.0.1").region == "CN/CN-BJ"


def test_the_second_file_does_not_move_anybody_out_of_the_country(path: Path, tmp_path: Path) -> None:
    fill = database(tmp_path / "fill.mmdb", {"114.114.0.0/16": city_record("US")})
    assert Geo(database(path, {"114.114.0.0/16": city_record("CN")}), fill).place(ADDRESS).region == "CN"


def test_a_file_of_ipv4_only_says_nothing_of_ipv6(path: Path) -> None:
    geo = Geo(database(path, OF_ADDRESS, version=4))
    assert geo.place("2400:3200::1") == Place.UNKNOWN
    assert geo.place(ADDRESS).city == "440100"


# --- bad files


def half(content: bytes) -> bytes:
    return content[: len(content) // 2]


def without_end(content: bytes) -> bytes:
    return content[:-200]


def with_wrong_numbers(content: bytes) -> bytes:
    at = content.rindex(b"node_count") + len(b"node_count")
    return content[:at] + b"\xc4\xff\xff\xff\xff" + content[at + 5 :]


@pytest.mark.parametrize(
    "spoil", [half, without_end, with_wrong_numbers, lambda _: b"", lambda _: b"not a database\n" * 99]
)
def test_a_wrong_or_cut_off_file_costs_one_log_line_and_the_places(
    path: Path, spoil: Callable[[bytes], bytes], caplog: pytest.LogCaptureFixture
) -> None:
    path.write_bytes(spoil(BUNDLED.read_bytes()))
    assert_useless(path, caplog)


@pytest.mark.parametrize("make", [lambda path: None, Path.mkdir, lambda path: os.mkfifo(path)])
def test_a_file_that_is_missing_or_no_file_costs_one_log_line_and_the_places(
    path: Path, make: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    make(path)
    assert_useless(path, caplog)


def assert_useless(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    geo = Geo(path, look_again_seconds=0)
    assert geo.place(ADDRESS) == geo.place("2400:3200::1") == Place.UNKNOWN
    (status,) = geo.status()
    assert not status.is_ok and status.problem is not None
    (line,) = caplog.records
    assert line.levelno == logging.ERROR and line.exc_info is None
    assert str(path) in line.getMessage() and status.problem in line.getMessage()


def test_a_file_damaged_inside_is_given_up_and_nothing_crashes(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    content = bytearray(BUNDLED.read_bytes())
    records = content.rindex(b"\xab\xcd\xefMaxMind.com")
    content[records - 30_000 : records - 100] = bytes(range(256)) * 116 + bytes(204)
    path.write_bytes(content)
    geo = Geo(path)
    for number in range(0x01000000, 0xDF000000, 0x00080001):
        geo.place(IPv4Address(number))
    assert [status.is_ok for status in geo.status()] == [False]
    assert len(caplog.records) == 1


def test_a_bad_second_file_leaves_the_first_alone(path: Path, tmp_path: Path) -> None:
    geo = Geo(database(path, OF_ADDRESS), tmp_path / "missing.mmdb")
    assert geo.place(ADDRESS).city == "440100"
    assert [status.is_ok for status in geo.status()] == [True, False]


# --- files that change under a running server


def test_a_replaced_file_is_noticed(path: Path) -> None:
    geo = Geo(database(path, OF_ADDRESS), look_again_seconds=0)
    assert geo.place(ADDRESS).province == "CN-GD"
    database(path, {"114.114.0.0/16": BEIJING})
    assert geo.place(ADDRESS).province == "CN-BJ"


def test_a_file_is_looked_at_only_every_few_seconds(path: Path) -> None:
    geo = Geo(database(path, OF_ADDRESS), look_again_seconds=3600)
    database(path, {"114.114.0.0/16": BEIJING})
    assert geo.place(ADDRESS).province == "CN-GD"


def test_a_file_that_turns_bad_or_vanishes_leaves_the_one_read_before(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    geo = Geo(database(path, OF_ADDRESS), look_again_seconds=0)
    path.write_bytes(b"half an upload")
    assert geo.place(ADDRESS).province == "CN-GD"
    path.unlink()
    for _ in range(3):
        assert geo.place(ADDRESS).province == "CN-GD"
    (status,) = geo.status()
    assert status.is_ok and status.problem is not None
    assert len(caplog.records) == 2
    database(path, {"114.114.0.0/16": BEIJING})
    assert geo.place(ADDRESS).province == "CN-BJ"
    assert geo.status()[0].problem is None


def test_a_file_that_was_missing_at_the_start_is_read_once_it_is_there(path: Path) -> None:
    geo = Geo(path, look_again_seconds=0)
    database(path, OF_ADDRESS)
    assert geo.place(ADDRESS).province == "CN-GD"


def test_a_file_overwritten_in_place_does_not_kill_the_process(path: Path) -> None:
    path.write_bytes(BUNDLED.read_bytes())
    geo = Geo(path, look_again_seconds=3600)
    with path.open("r+b") as file:
        file.truncate(10)
    assert geo.place("202.96.128.86").region == "CN/CN-GD/440100"


def test_look_ups_go_on_in_other_threads_while_files_are_swapped(path: Path) -> None:
    geo = Geo(database(path, OF_ADDRESS), look_again_seconds=0)
    until, wrong = time.monotonic() + 0.5, []

    def look_up() -> None:
        while time.monotonic() < until:
            province = geo.place(ADDRESS).province
            if province not in ("CN-GD", "CN-BJ"):
                wrong.append(province)

    threads = [threading.Thread(target=look_up) for _ in range(4)]
    for thread in threads:
        thread.start()
    while time.monotonic() < until:
        database(path, {"114.114.0.0/16": BEIJING})
        database(path, OF_ADDRESS)
    for thread in threads:
        thread.join()
    assert wrong == []


FORK = """
import os, pathlib, sys
from app.outside.geo import Geo
path = pathlib.Path(sys.argv[1])
geo = Geo(path)
path.unlink()
child = os.fork()
if child == 0:
    os._exit(0 if geo.place("114.114.114.114").city == "440100" else 1)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_a_file_opened_before_the_fork_serves_the_child(path: Path) -> None:
    subprocess.run([sys.executable, "-c", FORK, str(database(path, OF_ADDRESS))], check=True, timeout=60)


# --- what the settings page tells


@pytest.mark.parametrize(
    ("kind", "licence"),
    [("GeoLite2-City", "MaxMind"), ("DBIP-City-Lite", "DB-IP"), ("GeoIP2-City", "commercial"), ("Mine", None)],
)
def test_the_status_tells_type_date_size_and_licence(path: Path, kind: str, licence: str | None) -> None:
    (status,) = Geo(database(path, OF_ADDRESS, kind)).status()
    assert (status.path, status.is_ok, status.problem, status.type) == (path, True, None, kind)
    assert status.built_at is not None and status.built_at.utcoffset() is not None
    assert status.size_bytes == path.stat().st_size
    assert licence is None if status.licence is None else licence in status.licence


# --- speed


def rates(geo: Geo, addresses: Iterable[IPv4Address]) -> float:
    listed = list(addresses)
    started = time.perf_counter()
    for address in listed:
        geo.place(address)
    return len(listed) / (time.perf_counter() - started)


def test_one_core_looks_up_twenty_thousand_addresses_a_second() -> None:
    assert maxminddb.extension is not None
    addresses = [IPv4Address(number) for number in range(0x01000000, 0xDF000000, 0x00030D41)]
    assert max(rates(SHARED, addresses) for _ in range(5)) > 20_000

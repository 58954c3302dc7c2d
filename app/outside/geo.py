"""Address → place, from database files in MaxMind's format.

Decides what an address may say about where somebody is: an IPv6 address its country only, an address nobody can be
reached at nothing, a record of any maker the region of our catalogue it means. Opened once before the server forks
and mapped into memory; a file replaced under a running server is noticed within seconds. A file that is wrong, cut
off or missing stops nothing: one line in the log, places unknown. What follows from a place is `targeting`'s
business.
"""

import errno
import logging
import shutil
import stat
import struct
import tempfile
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from pathlib import Path
from time import monotonic
from typing import Any, NamedTuple

import maxminddb

from app.rules.regions import REGIONS, Place, named, normalise

log = logging.getLogger(__name__)

BUNDLED = Path(__file__).with_name("geodata") / "huozi-city.mmdb"

Address = IPv4Address | IPv6Address

# Addresses no visitor can have on the public internet (IANA special-purpose registries), 100.64/10 of carriers' NAT
# among them. Our own table because what `ipaddress` calls global differs between patch releases.
_NOT_PUBLIC_4 = (
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
    "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
    "224.0.0.0/3",
)  # fmt: skip
_NOT_PUBLIC_6 = (
    "::/3", "2001::/32", "2001:2::/48", "2001:10::/28", "2001:20::/28", "2001:db8::/32", "2002::/16", "3fff::/20",
    "4000::/2", "8000::/1",
)  # fmt: skip
# China Broadnet's phones: every free database puts all of them in Beijing.
_COUNTRY_ONLY_4 = ("223.160.0.0/16",)

UNKNOWN_THEN = "places from addresses stay unknown"
# What a damaged file makes either reader raise.
DAMAGE = (maxminddb.InvalidDatabaseError, ValueError, RuntimeError, OverflowError, MemoryError)


class Licence(NamedTuple):
    """What the owner of the data wants shown wherever it is used."""

    type: str
    text: str
    url: str


LICENCES = (
    Licence("Huozi", "ip2region (Apache-2.0); NRO (CC BY 4.0)", "https://github.com/lionsoul2014/ip2region"),
    Licence("GeoLite2", "This product includes GeoLite Data created by MaxMind (EULA)", "https://www.maxmind.com"),
    Licence("DBIP", "IP Geolocation by DB-IP (CC BY 4.0)", "https://db-ip.com"),
    Licence("GeoIP2", "MaxMind GeoIP2 (commercial)", "https://www.maxmind.com"),
)


@dataclass(frozen=True, slots=True)
class DatabaseStatus:
    """What the settings page tells about one file. `is_ok`: it answers; `problem`: what is wrong with the file there
    now."""

    path: Path
    is_ok: bool
    problem: str | None = None
    type: str | None = None
    built_at: datetime | None = None
    size_bytes: int | None = None
    licence: str | None = None
    licence_url: str | None = None


class Geo:
    """Places of addresses from `primary`, and from `fill` where the primary names no province (or nothing at all)."""

    def __init__(self, primary: Path = BUNDLED, fill: Path | None = None, look_again_seconds: float = 5.0) -> None:
        self._primary = _Database(primary, look_again_seconds)
        self._fill = _Database(fill, look_again_seconds) if fill else None

    def place(self, address: str | Address | None) -> Place:
        """Never raises. The place's source is `address`, or `unknown` where nothing is known."""
        known = _parse(address)
        if known is None or _is_in(known, _NOT_PUBLIC[known.version]):
            return Place.UNKNOWN
        region = self._primary.region(known)
        if self._fill is not None and (region is None or region == "CN"):
            region = _filled(region, self._fill.region(known))
        if region is None:
            return Place.UNKNOWN
        if known.version == 6 or _is_in(known, _COUNTRY_ONLY):
            region = region[:2]
        return Place(region, "address")

    def status(self) -> tuple[DatabaseStatus, ...]:
        """The primary's, then the fill's where there is one."""
        databases = (self._primary,) if self._fill is None else (self._primary, self._fill)
        return tuple(database.status() for database in databases)


def _parse(address: str | Address | None) -> Address | None:
    if isinstance(address, str):
        try:
            address = ip_address(address)
        except ValueError:
            return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def _filled(region: str | None, other: str | None) -> str | None:
    """A blank of the first database filled from the second, unless they disagree about the country."""
    if other is None or (region is not None and not other.startswith(region)):
        return region
    return other


class _Ranges:
    """Disjoint address ranges, for one bisection."""

    def __init__(self, networks: tuple[IPv4Network, ...] | tuple[IPv6Network, ...]) -> None:
        spans = sorted((int(network.network_address), int(network.broadcast_address)) for network in networks)
        self.first = [span[0] for span in spans]
        self.last = [span[1] for span in spans]


def _is_in(address: Address, ranges: _Ranges) -> bool:
    number = int(address)
    index = bisect_right(ranges.first, number) - 1
    return index >= 0 and number <= ranges.last[index]


_NOT_PUBLIC = {
    4: _Ranges(tuple(IPv4Network(text) for text in _NOT_PUBLIC_4)),
    6: _Ranges(tuple(IPv6Network(text) for text in _NOT_PUBLIC_6)),
}
_COUNTRY_ONLY = _Ranges(tuple(IPv4Network(text) for text in _COUNTRY_ONLY_4))


Signature = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class _Opened:
    """A file as it was read: replaced as a whole, so that a look-up in another thread sees the old one or the new."""

    reader: maxminddb.Reader | None
    has_ipv6: bool
    signature: Signature | None
    status: DatabaseStatus


class _Database:
    """One file, looked at again every few seconds. Of two threads that notice a new one at once the last wins."""

    def __init__(self, path: Path, look_again_seconds: float) -> None:
        self._path = path
        self._look_again_seconds = look_again_seconds
        self._opened = _Opened(None, False, None, DatabaseStatus(path, is_ok=False))
        self._looked_at = monotonic()
        self._open(_signature(path))

    def status(self) -> DatabaseStatus:
        self._open_if_changed()
        return self._opened.status

    def region(self, address: Address) -> str | None:
        now = monotonic()
        if now - self._looked_at >= self._look_again_seconds:
            self._looked_at = now
            self._open_if_changed()
        opened = self._opened
        if opened.reader is None or (address.version == 6 and not opened.has_ipv6):
            return None
        try:
            return _region(opened.reader.get(address))
        except DAMAGE as error:
            self._give_up(opened, error)
            return None

    def _open_if_changed(self) -> None:
        signature = _signature(self._path)
        if signature != self._opened.signature:
            self._open(signature)

    def _open(self, signature: Signature | None) -> None:
        before = self._opened
        try:
            self._opened = _open(self._path, signature)
        except (OSError, *DAMAGE) as error:
            self._opened = self._without_new_file(before, signature, error)

    def _without_new_file(self, before: _Opened, signature: Signature | None, error: Exception) -> _Opened:
        """Stay with the file read before, if there was one: it still knows more than nothing."""
        then = "the one read before is used" if before.reader else UNKNOWN_THEN
        problem = f"{_why(error)}; {then}"
        log.error("place database %s: %s", self._path, problem)
        status = replace(before.status, problem=problem)
        return _Opened(before.reader, before.has_ipv6, signature, status)

    def _give_up(self, damaged: _Opened, error: Exception) -> None:
        """A file that opens but is damaged inside is not asked again until it is replaced."""
        if self._opened is damaged:
            problem = f"{_why(error)}; {UNKNOWN_THEN}"
            log.error("place database %s: %s", self._path, problem)
            status = replace(damaged.status, is_ok=False, problem=problem)
            self._opened = _Opened(None, False, damaged.signature, status)


def _signature(path: Path) -> Signature | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _why(error: Exception) -> str:
    if isinstance(error, OSError):
        return error.strerror or "cannot be read"
    return "damaged, cut off, or not in MaxMind's format"


def _open(path: Path, signature: Signature | None) -> _Opened:
    """The file, through a private copy that is unlinked at once: a mapped file that somebody overwrites or truncates
    in place would kill the process with SIGBUS on the next look-up."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError(errno.EINVAL, "not a file")
    with path.open("rb") as file, tempfile.NamedTemporaryFile(prefix="huozi-places-") as copy:
        shutil.copyfileobj(file, copy, 1 << 20)
        copy.flush()
        if path != BUNDLED:
            _try_out(copy.name)
        reader = maxminddb.open_database(copy.name, maxminddb.MODE_MMAP_EXT)
    about = reader.metadata()
    return _Opened(reader, about.ip_version == 6, signature, _status(path, about, signature))


def _try_out(copy: str) -> None:
    """Four thousand look-ups by the reader that is written in Python: damaged records are an error to it, but crash
    the one written in C (maxminddb 3.2.0, in one of four files with damaged records)."""
    with maxminddb.open_database(copy, maxminddb.MODE_MMAP) as reader:
        try:
            for number in range(0x0100_0000, 0xDF00_0000, 0x000E_3E7F):
                reader.get(IPv4Address(number))
        except (LookupError, TypeError, struct.error) as error:
            raise maxminddb.InvalidDatabaseError(str(error)) from error


def _status(path: Path, about: maxminddb.reader.Metadata, signature: Signature | None) -> DatabaseStatus:
    kind = str(about.database_type)
    licence = next((known for known in LICENCES if known.type in kind), None)
    return DatabaseStatus(
        path=path,
        is_ok=True,
        type=kind,
        built_at=datetime.fromtimestamp(about.build_epoch, UTC),
        size_bytes=signature[1] if signature else None,
        licence=licence.text if licence else None,
        licence_url=licence.url if licence else None,
    )


def _region(record: Any) -> str | None:
    """The catalogue's key of a record as GeoIP2, GeoLite2, DB-IP and our own file write them, tolerant of any shape."""
    country = _code(record, "country") or _code(record, "registered_country")
    if country != "CN":
        return normalise(country)
    divisions = record.get("subdivisions")
    division = divisions[0] if isinstance(divisions, list) and divisions else None
    city = record.get("city")
    return _chinese_region(_text(division, "iso_code"), _names(division), _text(city, "adcode"), _names(city))


def _code(record: Any, part: str) -> str:
    return _text(record.get(part), "iso_code") if isinstance(record, Mapping) else ""


def _text(part: Any, field: str) -> str:
    found = part.get(field) if isinstance(part, Mapping) else None
    return found if isinstance(found, str) else ""


def _names(part: Any) -> tuple[str, ...]:
    names = part.get("names") if isinstance(part, Mapping) else None
    return (_text(names, "zh-CN"), _text(names, "en"))


@lru_cache(maxsize=8192)
def _chinese_region(iso: str, province_names: tuple[str, ...], adcode: str, city_names: tuple[str, ...]) -> str:
    province = normalise(f"CN-{iso}") or (normalise(f"{iso}0000") if len(iso) == 2 and iso.isdigit() else None)
    province = province or _first_named(province_names, "CN")
    if province is None or province not in REGIONS:
        return "CN"
    city = normalise(adcode) or _first_named(city_names, province)
    return city if city is not None and city.startswith(province) else province


def _first_named(names: tuple[str, ...], parent: str) -> str | None:
    return next((key for name in names if (key := named(name, parent))), None)

"""Positions on the earth: how far apart two are, and which of China's three coordinate systems one was written in.

Everything stored is WGS-84, what a browser reports. Amap and Tencent maps show GCJ-02, some 500 m off; Baidu shows
BD-09, off from that again: a shop's position is converted once, when it is entered. Which member is nearest is
`targeting`'s business.
"""

from collections.abc import Callable
from enum import StrEnum
from math import asin, atan2, cos, isfinite, pi, radians, sin, sqrt

EARTH_RADIUS_M = 6_371_008.8
# The ellipsoid GCJ-02 is computed on (Krasovsky 1940), and BD-09's turn on top of it.
_KRASOVSKY_A = 6_378_245.0
_KRASOVSKY_EE = 0.006_693_421_622_965_943
_BD_PI = pi * 3000.0 / 180.0
# The box outside which maps of China show plain WGS-84.
_CHINA_LAT = (0.8293, 55.8271)
_CHINA_LON = (72.004, 137.8347)


class System(StrEnum):
    WGS84 = "wgs84"
    GCJ02 = "gcj02"
    BD09 = "bd09"


class BadCoordinates(ValueError):
    """A position that cannot be one. `looks_swapped`: it would be, with latitude and longitude the other way round."""

    def __init__(self, looks_swapped: bool) -> None:
        super().__init__("latitude and longitude look swapped" if looks_swapped else "no such position")
        self.looks_swapped = looks_swapped


def is_position(lat: float, lon: float) -> bool:
    """Whether these degrees can be a position: finite, in range, and not the 0, 0 of a form left empty."""
    return isfinite(lat) and isfinite(lon) and abs(lat) <= 90 and abs(lon) <= 180 and not (lat == 0 == lon)


def check_position(lat: float, lon: float) -> None:
    """Raises BadCoordinates for what cannot be a position."""
    if not is_position(lat, lon):
        raise BadCoordinates(looks_swapped=is_position(lon, lat))


def looks_swapped(lat: float, lon: float) -> bool:
    """Whether a position makes sense only the other way round: impossible, or out of China and in it when turned.

    Maps of China copy "113.26,23.13", longitude first. To be asked back about, not refused: turned, it is a place too.
    """
    if not is_position(lat, lon):
        return is_position(lon, lat)
    return not in_china(lat, lon) and in_china(lon, lat)


def in_china(lat: float, lon: float) -> bool:
    """Inside the box in which GCJ-02 differs from WGS-84; it holds neighbours of China too."""
    return _CHINA_LAT[0] <= lat <= _CHINA_LAT[1] and _CHINA_LON[0] <= lon <= _CHINA_LON[1]


def distance_m(lat: float, lon: float, other_lat: float, other_lon: float) -> float:
    """Great-circle distance in metres (haversine; off by at most 0.5 % because the earth is no sphere)."""
    up, across = radians(other_lat - lat) / 2, radians(other_lon - lon) / 2
    square = sin(up) ** 2 + cos(radians(lat)) * cos(radians(other_lat)) * sin(across) ** 2
    return 2 * EARTH_RADIUS_M * asin(min(1.0, sqrt(square)))


def to_wgs84(lat: float, lon: float, system: System | str) -> tuple[float, float]:
    """(lat, lon) in WGS-84 of a position written in `system`. Raises BadCoordinates; ValueError for another system.

    The shift has no formula for the way back: it is found by stepping towards the point that shifts to this one, to
    within a centimetre.
    """
    check_position(lat, lon)
    shift = _SHIFTS[System(system)]
    guess_lat, guess_lon = lat, lon
    for _ in range(6):
        shifted_lat, shifted_lon = shift(guess_lat, guess_lon)
        guess_lat, guess_lon = guess_lat + lat - shifted_lat, guess_lon + lon - shifted_lon
    return guess_lat, guess_lon


def from_wgs84(lat: float, lon: float, system: System | str) -> tuple[float, float]:
    """(lat, lon) as a map that uses `system` shows it."""
    return _SHIFTS[System(system)](lat, lon)


def _to_gcj02(lat: float, lon: float) -> tuple[float, float]:
    if not in_china(lat, lon):
        return lat, lon
    x, y = lon - 105.0, lat - 35.0
    common = 0.1 * x * y + (20 * sin(6 * x * pi) + 20 * sin(2 * x * pi)) * 2 / 3
    north = -100 + 2 * x + 3 * y + 0.2 * y * y + 0.2 * sqrt(abs(x)) + common + _waves(y, 160, 320)
    east = 300 + x + 2 * y + 0.1 * x * x + 0.1 * sqrt(abs(x)) + common + _waves(x, 150, 300)
    bend = 1 - _KRASOVSKY_EE * sin(radians(lat)) ** 2
    metres_per_lat = pi / 180 * _KRASOVSKY_A * (1 - _KRASOVSKY_EE) / bend**1.5
    metres_per_lon = pi / 180 * _KRASOVSKY_A / sqrt(bend) * cos(radians(lat))
    return lat + north / metres_per_lat, lon + east / metres_per_lon


def _waves(degrees: float, twelve: float, thirty: float) -> float:
    short = 20 * sin(degrees * pi) + 40 * sin(degrees / 3 * pi)
    return (short + twelve * sin(degrees / 12 * pi) + thirty * sin(degrees / 30 * pi)) * 2 / 3


def _to_bd09(lat: float, lon: float) -> tuple[float, float]:
    if not in_china(lat, lon):
        return lat, lon
    lat, lon = _to_gcj02(lat, lon)
    radius = sqrt(lon * lon + lat * lat) + 0.00002 * sin(lat * _BD_PI)
    angle = atan2(lat, lon) + 0.000003 * cos(lon * _BD_PI)
    return radius * sin(angle) + 0.006, radius * cos(angle) + 0.0065


def _as_it_is(lat: float, lon: float) -> tuple[float, float]:
    return lat, lon


_SHIFTS: dict[System, Callable[[float, float], tuple[float, float]]] = {
    System.WGS84: _as_it_is,
    System.GCJ02: _to_gcj02,
    System.BD09: _to_bd09,
}

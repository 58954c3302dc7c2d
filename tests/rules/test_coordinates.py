"""Distances and China's three coordinate systems."""

from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.rules.coordinates import (
    BadCoordinates,
    System,
    check_position,
    distance_m,
    from_wgs84,
    is_position,
    looks_swapped,
    to_wgs84,
)

LATITUDES, LONGITUDES = st.floats(18, 53), st.floats(74, 134)


@pytest.mark.parametrize(
    ("one", "other", "metres"),
    [
        ((39.9075, 116.3972), (39.9075, 116.3972), 0),
        ((39.9042, 116.4074), (31.2304, 121.4737), 1_067_300),
        ((51.5074, -0.1278), (40.7128, -74.0060), 5_570_200),
        ((0.0, 179.9), (0.0, -179.9), 22_239),
        ((90.0, 0.0), (-90.0, 0.0), 20_015_115),
    ],
)
def test_distance_is_that_of_the_great_circle(
    one: tuple[float, float], other: tuple[float, float], metres: float
) -> None:
    assert distance_m(*one, *other) == pytest.approx(metres, rel=1e-3, abs=0.01)


# Tian'anmen as the open converters in common use (coordtransform, eviltransform) give it.
def test_the_shift_of_amap_and_baidu_is_the_published_one() -> None:
    assert from_wgs84(39.907324, 116.391257, "gcj02") == pytest.approx((39.908725, 116.397498), abs=2e-6)
    assert to_wgs84(39.915, 116.404, "gcj02") == pytest.approx((39.913605, 116.397760), abs=1e-5)
    assert from_wgs84(*to_wgs84(39.915, 116.404, "bd09"), "gcj02") == pytest.approx((39.908657, 116.397627), abs=1e-5)


@given(LATITUDES, LONGITUDES, st.sampled_from(System))
def test_a_shifted_position_comes_back_to_within_a_centimetre(lat: float, lon: float, system: System) -> None:
    assert distance_m(lat, lon, *to_wgs84(*from_wgs84(lat, lon, system), system)) < 0.01


@given(LATITUDES, LONGITUDES)
def test_amap_is_off_by_less_than_a_kilometre(lat: float, lon: float) -> None:
    assert distance_m(lat, lon, *from_wgs84(lat, lon, System.GCJ02)) < 1_200


def test_outside_china_nothing_is_shifted() -> None:
    assert to_wgs84(48.8566, 2.3522, "gcj02") == pytest.approx((48.8566, 2.3522), abs=1e-12)
    assert to_wgs84(48.8566, 2.3522, "bd09") == pytest.approx((48.8566, 2.3522), abs=1e-12)


@pytest.mark.parametrize(
    ("lat", "lon", "swapped"),
    [(113.26, 23.13, True), (91, 200, False), (nan, 10, False), (10, inf, False), (0, 0, False), (10, -181, False)],
)
def test_what_is_no_position_is_refused_and_says_whether_it_looks_swapped(
    lat: float, lon: float, swapped: bool
) -> None:
    assert not is_position(lat, lon)
    for refuse in (lambda: check_position(lat, lon), lambda: to_wgs84(lat, lon, "wgs84")):
        with pytest.raises(BadCoordinates) as raised:
            refuse()
        assert raised.value.looks_swapped is swapped
    assert looks_swapped(lat, lon) is swapped


def test_a_position_out_of_china_that_is_in_it_when_turned_looks_swapped() -> None:
    assert looks_swapped(87.6, 43.8)
    assert not looks_swapped(43.8, 87.6)
    assert not looks_swapped(48.8566, 2.3522)


def test_an_unknown_coordinate_system_is_refused() -> None:
    with pytest.raises(ValueError, match="mars"):
        to_wgs84(30, 110, "mars")

"""The file we ship against the list of resolvers drawn before any look-up (docs/places.md, "A second list, drawn
blind").

It holds the file to what was measured then: less than on the first list, and said so in the docs. A list is not
revised after its result is known, so neither are its rows."""

import csv
from functools import cache
from pathlib import Path

from app.outside.geo import Geo
from app.rules.regions import REGIONS, children, normalise, prefixes

HERE = Path(__file__).parent
PROVINCES_RIGHT, PROVINCES_WRONG = 270, 2
CITIES_RIGHT, CITIES_WRONG = 87, 5


def rows(name: str) -> list[dict[str, str]]:
    with (HERE / name).open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


@cache
def answers() -> list[tuple[dict[str, str], str | None]]:
    geo = Geo()
    return [(row, geo.place(row["address"]).region) for row in rows("resolvers_blind.csv")]


def province(region: str | None) -> str | None:
    found = [key for key in prefixes(region) if REGIONS[key].level == "province"] if region else []
    return found[0] if found else None


def city(region: str | None) -> str | None:
    return region if region and REGIONS[region].level == "city" else None


def test_the_blind_list_covers_every_province_and_names_regions_of_the_catalogue() -> None:
    listed = rows("resolvers_blind.csv")
    assert {row["province"] for row in listed} == {region.key for region in children("CN")}
    assert len(listed) == len({row["address"] for row in listed}) == 278
    cities = [row for row in listed if row["city"]]
    assert len(cities) == 93
    assert all(normalise(row["city"]) == row["city"] and province(row["city"]) == row["province"] for row in cities)


def test_the_blind_list_says_which_addresses_the_first_one_has() -> None:
    first = {row["address"] for row in rows("resolvers.csv")}
    listed = rows("resolvers_blind.csv")
    assert all((row["is_in_first_list"] == "yes") == (row["address"] in first) for row in listed)
    assert sum(row["address"] not in first for row in listed) == 80


def test_provinces_of_the_blind_list_are_as_right_as_measured() -> None:
    found = [(row["province"], province(region)) for row, region in answers()]
    assert sum(label == answer for label, answer in found) >= PROVINCES_RIGHT
    assert sum(answer is not None and label != answer for label, answer in found) <= PROVINCES_WRONG


def test_cities_of_the_blind_list_are_as_right_as_measured() -> None:
    found = [(row["city"], city(region)) for row, region in answers() if row["city"]]
    assert sum(label == answer for label, answer in found) >= CITIES_RIGHT
    assert sum(answer is not None and label != answer for label, answer in found) <= CITIES_WRONG


def test_every_address_of_the_blind_list_is_in_mainland_china() -> None:
    assert all(region is not None and region.split("/")[0] == "CN" for _, region in answers())

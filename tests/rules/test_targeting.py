"""Which members serve a place, in which order."""

from hypothesis import given
from hypothesis import strategies as st

from app.rules.model import Member, RegionPolicy
from app.rules.targeting import by_place, is_of_the_city, narrowed, reach, regions_named
from tests import make

GUANGZHOU, SHENZHEN, CHENGDU = "CN/CN-GD/440100", "CN/CN-GD/440300", "CN/CN-SC/510100"
CITY = make.member(1, regions=(GUANGZHOU,))
PROVINCE = make.member(2, regions=("CN/CN-GD",))
COUNTRY = make.member(3, regions=("CN",))
ANYWHERE = make.member(4)
ALL = (CITY, PROVINCE, COUNTRY, ANYWHERE)


def ids(groups: list[list[Member]]) -> list[list[int]]:
    return [[m.id for m in group] for group in groups]


def test_reach_says_how_specifically_a_member_names_a_place() -> None:
    assert [reach(m, GUANGZHOU) for m in ALL] == [3, 2, 1, 0]
    assert [reach(m, SHENZHEN) for m in ALL] == [-1, 2, 1, 0]
    assert [reach(m, None) for m in ALL] == [-1, -1, -1, 0]


def test_most_specific_of_several_regions_counts() -> None:
    both = make.member(regions=("CN", GUANGZHOU))
    assert reach(both, GUANGZHOU) == 3 and reach(both, CHENGDU) == 1


def test_region_is_matched_on_whole_parts_of_the_path() -> None:
    assert reach(make.member(regions=("CN/CN-GD",)), "CN/CN-GDX") == -1


def test_prefer_asks_the_most_specific_first_and_anybody_at_last() -> None:
    groups, strangers = by_place(ALL, SHENZHEN, RegionPolicy.PREFER)
    assert ids(groups) == [[2], [3], [4]] and ids([strangers]) == [[1]]


def test_prefer_sends_an_unknown_place_to_members_without_regions_first() -> None:
    groups, strangers = by_place(ALL, None, RegionPolicy.PREFER)
    assert ids(groups) == [[4]] and ids([strangers]) == [[1, 2, 3]]


def test_strict_never_leaks_from_a_matched_place() -> None:
    assert ids(by_place(ALL, GUANGZHOU, RegionPolicy.STRICT)[0]) == [[1], [2], [3]]
    assert by_place(ALL, GUANGZHOU, RegionPolicy.STRICT)[1] == []


def test_strict_serves_unmatched_and_unknown_places_by_members_without_regions() -> None:
    for region in ("US", None):
        assert by_place(ALL, region, RegionPolicy.STRICT) == ([[ANYWHERE]], [])
    assert by_place((CITY,), CHENGDU, RegionPolicy.STRICT) == ([], [])


def test_nearest_orders_by_distance_and_leaves_out_who_is_too_far() -> None:
    near = make.member(1, latitude=23.13, longitude=113.27)
    far = make.member(2, latitude=22.54, longitude=114.06)
    tiny = make.member(3, latitude=22.54, longitude=114.06, radius_m=1000)
    within = make.member(4, latitude=23.13, longitude=113.28, radius_m=5000)
    groups, strangers = by_place((far, tiny, ANYWHERE, within, near), None, RegionPolicy.NEAREST, (23.13, 113.27))
    assert ids(groups) == [[1], [4], [2], [4]] and strangers == []


def test_nearest_without_members_that_lack_coordinates_ends_with_the_farthest() -> None:
    near = make.member(1, latitude=23.13, longitude=113.27)
    assert ids(by_place((near,), None, RegionPolicy.NEAREST, (23.0, 113.0))[0]) == [[1]]


def test_nearest_without_a_position_asks_by_region() -> None:
    groups, strangers = by_place(ALL, SHENZHEN, RegionPolicy.NEAREST)
    assert ids(groups) == [[2], [3], [4]] and ids([strangers]) == [[1]]


def test_a_place_is_narrowed_to_what_members_name() -> None:
    named = regions_named(ALL)
    assert named == {GUANGZHOU, "CN/CN-GD", "CN"}
    assert [narrowed(region, named) for region in (GUANGZHOU, SHENZHEN, CHENGDU)] == [GUANGZHOU, "CN/CN-GD", "CN"]
    assert narrowed("US", named) is None and narrowed(None, named) is None


REGIONS_OF_ANYBODY = st.sampled_from(
    ("CN", "US", "HK", "CN/CN-GD", "CN/CN-SC", "CN/CN-BJ", GUANGZHOU, SHENZHEN, CHENGDU, "CN/CN-GD/441200")
)
SOMEBODY = st.builds(
    lambda id, regions: make.member(id, regions=tuple(regions)),
    st.integers(1, 10**6),
    st.lists(REGIONS_OF_ANYBODY, max_size=3, unique=True),
)


@given(st.lists(SOMEBODY, max_size=8), st.none() | REGIONS_OF_ANYBODY, st.sampled_from(RegionPolicy))
def test_narrowing_a_place_changes_nothing_for_anybody(
    members: list[Member], region: str | None, policy: RegionPolicy
) -> None:
    shared = narrowed(region, regions_named(members))
    assert by_place(members, shared, policy) == by_place(members, region, policy)


def test_member_of_the_very_city_or_municipality_is_told_from_one_of_the_province() -> None:
    assert [is_of_the_city(m, GUANGZHOU) for m in ALL] == [True, False, False, False]
    assert is_of_the_city(make.member(5, regions=("CN/CN-BJ",)), "CN/CN-BJ")
    assert not is_of_the_city(PROVINCE, "CN/CN-GD")
    assert not is_of_the_city(CITY, None)

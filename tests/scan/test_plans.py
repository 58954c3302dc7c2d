"""Plans are shared by everybody who is offered the same, and few enough to keep."""

from datetime import timedelta

from app.rules.model import Plan, RegionPolicy, Snapshot
from app.rules.regions import REGIONS, Place
from app.rules.routing import compile_plan
from app.scan.plans import Plans
from tests import make

CITIES = [key for key in REGIONS if key.count("/") == 2]


def regions_code(**more: object) -> Snapshot:
    return make.snapshot([make.member(n, regions=(CITIES[n % 40],)) for n in range(1, 201)], **more)


def plan_at(kept: Plans, code: Snapshot, region: str | None, **later: float) -> Plan:
    return kept.plan(code, None, Place(region, "address"), make.NOW + timedelta(**later))


def test_every_city_of_the_world_needs_no_more_plans_than_members_name_regions() -> None:
    kept, code = Plans(), regions_code()
    first = [plan_at(kept, code, region) for region in (*REGIONS, None)]
    assert len({id(plan) for plan in first}) == 41
    for region, plan in zip((*REGIONS, None), first, strict=True):
        fresh = compile_plan(code, None, Place(region, "address"), make.NOW)
        assert (plan.tiers, plan.keep) == (fresh.tiers, fresh.keep), region
        assert plan_at(kept, code, region) is plan


def test_plans_share_what_they_hold_of_members() -> None:
    kept, code = Plans(), regions_code()
    one, two = plan_at(kept, code, CITIES[0]), plan_at(kept, code, CITIES[1])
    assert one is not two and one.keep is two.keep
    assert all(c is one.keep[c.member_id] for tier in one.tiers for c in tier.candidates)


def test_a_new_version_and_a_new_time_slot_make_the_old_plans_go() -> None:
    code = make.snapshot([make.member(1, expires_at=make.NOW + timedelta(hours=1)), make.member(2)])
    kept = Plans()
    before = plan_at(kept, code, "CN")
    assert plan_at(kept, code, "CN", minutes=59) is before
    after = plan_at(kept, code, "CN", hours=1)
    assert set(before.keep) == {1, 2} and set(after.keep) == {2}
    newer = make.snapshot([make.member(3)], version=2)
    assert set(plan_at(kept, newer, "CN").keep) == {3}


def test_memory_is_bounded_over_live_codes_and_within_one() -> None:
    kept = Plans(most_held=20_000)
    for id in range(1, 60):
        code = regions_code(id=id, slug=f"code{id:02d}")
        for city in CITIES[:40]:
            plan_at(kept, code, city)
        assert kept.held <= 20_000
        assert plan_at(kept, code, CITIES[3]) == compile_plan(code, None, Place(CITIES[3], "address"), make.NOW)


def test_a_position_orders_by_distance_only_where_the_policy_asks_for_it() -> None:
    north = make.member(1, latitude=39.9, longitude=116.4)
    south = make.member(2, latitude=23.1, longitude=113.3)
    here = Place("CN/CN-GD/440100", "position")
    near = Plans().plan(
        make.snapshot([north, south], region_policy=RegionPolicy.NEAREST), None, here, make.NOW, (23.0, 113.0)
    )
    assert [c.member_id for tier in near.tiers for c in tier.candidates] == [2, 1]
    plain = Plans().plan(make.snapshot([north, south]), None, here, make.NOW, (23.0, 113.0))
    assert [c.member_id for c in plain.tiers[0].candidates] == [1, 2]

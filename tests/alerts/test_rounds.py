"""Rounds: each trouble is noted once, by whichever process, and told once; what was missed is made up."""

import re
from concurrent.futures import ThreadPoolExecutor

import sqlalchemy as sa

from app.alerts import rounds
from app.alerts.models import AlertRound, AlertRule
from app.alerts.survey import Survey
from app.db import db, writing
from app.db.audit import Actor, record
from app.stats.models import ROLLUPS
from tests import make
from tests.alerts.conftest import NOW, World, expiring, later


def test_an_expiry_is_told_at_48_and_12_hours_and_when_it_has_come(world: World) -> None:
    world.channel()
    expiring(world, 60)
    for hour in (0, 11, 12, 13, 47, 48, 49, 59, 60, 61):
        world.round(later(hours=hour))
    assert world.heard() == [["expiring"], ["expiring"], ["expired"]]
    assert [alert.due_at for alert in world.alerts()] == [later(hours=12), later(hours=48), later(hours=60)]
    assert [alert.opened_at for alert in world.alerts()] == [later(hours=12), later(hours=48), later(hours=60)]


def test_a_process_that_slept_makes_up_for_it_with_the_worst(world: World) -> None:
    world.channel()
    expiring(world, 60)
    world.round()
    world.round(later(hours=55))
    assert world.heard() == [["expiring"]]
    assert [(alert.numbers["hours"], alert.is_silent) for alert in world.alerts()] == [(12, False), (48, True)]


def test_rounds_at_the_same_time_tell_once(world: World) -> None:
    world.channel()
    expiring(world, 40)

    def one(_: int) -> None:
        with world.app.app_context():
            survey = Survey(world.app.extensions["huozi"].snapshots, world.desk.ledger)
            rounds.take_round(db.session, survey, world.desk.zone, NOW)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(one, range(8)))
    world.round()
    assert [alert.episode for alert in world.alerts()] == [1]
    assert len(world.messages()) == len(world.heard()) == 1


def test_several_troubles_at_once_are_one_message(world: World) -> None:
    world.channel()
    for _ in range(3):
        expiring(world, 40)
    world.round()
    assert world.heard() == [["expiring"] * 3]


def test_a_swap_ends_an_alert_and_the_next_version_has_its_own(world: World) -> None:
    world.channel()
    member = expiring(world, 40)
    world.round()
    with writing(world.session):
        version = member.versions[0]
        version.expires_at = later(days=7)
        world._bump(member.live_code_id)
    world.round(later(hours=1))
    assert [alert.ended_at for alert in world.alerts()] == [later(hours=1)]
    world.round(later(days=5, hours=1))
    assert world.heard() == [["expiring"], ["expiring"]]


def test_what_ends_and_comes_back_is_not_told_again_within_its_rest(world: World) -> None:
    world.channel()
    member = expiring(world, 400)
    moments = [(0, NOW), (2, None), (4, later(hours=4)), (5, None), (11, later(hours=11)), (20, later(hours=11))]
    for hour, suspect_at in moments:
        world.change(member, suspect_at=suspect_at and NOW)
        world.round(later(hours=hour))
    assert world.heard() == [["suspect"], ["suspect"]]
    assert [alert.opened_at for alert in world.alerts()] == [NOW, later(hours=11)]


def test_thresholds_of_a_live_code_and_silence_are_kept_to(world: World) -> None:
    world.channel()
    member, muted = expiring(world, 70), expiring(world, 10)
    usual = {"filling_percents": [80], "work_days": [1]}
    with writing(world.session):
        world.session.add(AlertRule(live_code_id=member.live_code_id, expiring_hours=[72], **usual))
        world.session.add(AlertRule(live_code_id=muted.live_code_id, is_muted=True, expiring_hours=[48], **usual))
    world.round()
    assert [alert.numbers["hours"] for alert in world.alerts()] == [72]


def test_a_marketer_is_told_of_their_own_live_codes_and_an_admin_of_all(world: World) -> None:
    with writing(world.session):
        marketer, stranger = make.user_row(world.session), make.user_row(world.session)
    world.channel(covers_all=True, path="admin")
    world.channel(marketer, path="marketer")
    world.channel(stranger, path="stranger", covers_all=True)
    expiring(world, 10, owner_id=marketer.id)
    world.round()
    assert sorted(heard.path for heard in world.hook.heard) == ["/admin", "/marketer"]


def test_nobody_s_channel_is_used_when_they_are_switched_off(world: World) -> None:
    with writing(world.session):
        gone = make.user_row(world.session, is_active=False)
    world.channel(gone)
    world.channel(is_active=False)
    expiring(world, 10, owner_id=gone.id)
    world.round()
    assert world.heard() == []


def test_a_reserve_whose_code_died_is_told_as_what_it_is(world: World) -> None:
    world.channel()
    code = world.live_code()
    world.member(code)
    world.member(code, state="reserve", expires_at=later(hours=1), public_name="⑨群")
    world.round(later(hours=2))
    assert world.heard() == [["expired"]]
    assert "this reserve cannot be called in" in world.hook.heard[0].sent["text"]


def test_a_reserve_that_was_called_in_is_told_with_what_is_left(world: World) -> None:
    world.channel()
    code = world.live_code()
    world.member(code)
    first, second = (world.member(code, state="reserve") for _ in range(2))
    world.round()
    world.change(first, state="active")  # as the ledger does it: no audit entry
    world.round(later(hours=1))
    world.change(second, state="active")
    world.round(later(hours=2))
    world.round(later(hours=3))
    assert world.heard() == [["reserve"], ["reserve"]]
    assert [alert.numbers["left"] for alert in world.alerts()] == [1, 0]


def test_a_reserve_that_somebody_switched_on_is_no_news(world: World) -> None:
    world.channel()
    code = world.live_code()
    world.member(code)
    reserve = world.member(code, state="reserve")
    world.round()
    with writing(world.session):
        record(
            world.session, Actor("x"), "member.changed", "member", reserve.id,
            before={"state": "reserve"}, after={"state": "active"},
        )  # fmt: skip
    world.change(reserve, state="active")
    world.round(later(hours=1))
    assert world.heard() == []


def test_an_overflow_is_told_from_the_roll_ups(world: World) -> None:
    world.channel()
    code = world.live_code()
    world.member(code)
    counts = dict.fromkeys(("scans", "visitors", "assigned", "pressed", "stuck"), 1)
    with writing(world.session):
        world.session.execute(
            sa.insert(ROLLUPS["outcome"]).values(live_code_id=code.id, hour=later(hours=-1), key="full", **counts)
        )
    world.round()
    assert world.heard() == [["overflow"]]


def test_a_forecast_is_told_with_its_signal(world: World) -> None:
    world.channel()
    code = world.live_code()
    member = world.member(code, capacity=60, headcount=40)
    counts = dict.fromkeys(("scans", "visitors", "assigned", "pressed", "stuck"), 4) | {"stuck": 0}
    with writing(world.session):
        for hour in range(1, 49):
            at = later(hours=-hour)
            world.session.execute(
                sa.insert(ROLLUPS["member"]).values(live_code_id=code.id, hour=at, key=member.id, **counts)
            )
    world.round()
    assert world.heard() == [["forecast"]]
    assert world.alerts()[0].numbers["signal"] == "presses"
    assert re.search(
        r"room for about \d more hours, until .*\(by long-presses; \d to \d h\)", world.hook.heard[0].sent["text"]
    )


def test_rounds_say_that_somebody_looks(world: World) -> None:
    world.round()
    world.round(later(seconds=10))
    world.round(later(minutes=1))
    world.session.rollback()
    assert world.session.scalars(sa.select(AlertRound.at)).all() == [later(minutes=1)]

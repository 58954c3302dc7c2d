"""Who hears of what, and when: quiet hours, the morning's digest, escalations."""

from concurrent.futures import ThreadPoolExecutor

from app.alerts import rounds
from app.alerts.survey import Survey
from app.db import db, writing
from tests.alerts.conftest import NOW, World, expiring, later


def test_at_night_what_can_wait_waits_and_comes_in_one_message(world: World) -> None:
    world.channel(quiet_from=22 * 60, quiet_until=8 * 60)
    expiring(world, 48 + 11)  # told at eleven in the evening
    expiring(world, 48 + 13)
    for hour in (0, 10, 11, 12, 13, 19, 20, 21):
        world.round(later(hours=hour))
    assert world.heard() == [["expiring", "expiring"]]
    assert world.messages()[0].ended_at == later(hours=20)


def test_what_cannot_wait_is_told_at_night(world: World) -> None:
    world.channel(quiet_from=22 * 60, quiet_until=8 * 60)
    world.member(world.live_code(), expires_at=later(hours=12))
    world.round(later(hours=12))
    assert world.heard() == [["nobody"]]


def test_the_morning_s_digest_comes_once_and_tells_what_is_open(world: World) -> None:
    world.channel(digest_at=8 * 60 + 30, lowest_level=2)
    expiring(world, 80)
    for hour in (0, 20, 21, 22, 32, 44, 45, 46, 68, 69, 70):
        world.round(later(hours=hour))
    # At 9:00 on Tuesday nothing was open, and nothing was sent.
    assert world.heard() == [["expiring"], ["expiring"]]
    assert [heard.sent["kind"] for heard in world.hook.heard] == ["digest", "digest"]


def test_silence_is_escalated_once_unless_somebody_takes_care(world: World) -> None:
    world.channel(path="usual")
    world.channel(path="boss", escalates_after_hours=2)
    expiring(world, 0)
    cared_for = expiring(world, 0)
    world.round()
    with writing(world.session):
        for alert in world.alerts():
            if alert.member_id == cared_for.id:
                alert.seen_at = NOW
                world.session.add(alert)
    for hour in range(1, 6):
        world.round(later(hours=hour))
    boss = [heard for heard in world.hook.heard if heard.path == "/boss"]
    assert [heard.sent["kind"] for heard in boss] == ["escalation"]
    assert len(boss[0].sent["alerts"]) == 1


def test_silence_is_escalated_in_one_message_while_there_is_still_time(world: World) -> None:
    world.channel(path="boss", escalates_after_hours=2)
    for hours in (0, 10, 40):
        expiring(world, hours)
    for hour in range(5):
        world.round(later(hours=hour))
    # The code that has expired and the one of the last warning; two days before its end nobody needs to step in.
    assert world.heard() == [["expired", "expiring"]]
    assert [heard.sent["alerts"][1]["cause"].endswith(":12") for heard in world.hook.heard] == [True]


def test_an_escalation_that_can_wait_keeps_the_quiet_hours(world: World) -> None:
    world.channel(path="boss", escalates_after_hours=1, quiet_from=22 * 60, quiet_until=8 * 60)
    expiring(world, 10)  # at ten in the evening
    expiring(world, 12)
    for hour in range(22):
        world.round(later(hours=hour))
    # Both gave their last warning at noon, while people were awake; that they expired at night waits until eight.
    assert world.heard() == [["expiring", "expiring"], ["expired", "expired"]]
    assert [message.ended_at for message in world.messages()] == [later(hours=1), later(hours=20)]


def test_who_wants_only_what_cannot_wait_is_told_of_nothing_else_by_escalations(world: World) -> None:
    world.channel(path="boss", escalates_after_hours=1, lowest_level=2)
    expiring(world, 0)
    world.member(world.live_code(), expires_at=NOW)
    for hour in range(3):
        world.round(later(hours=hour))
    assert world.heard() == [["nobody"]]


def test_rounds_at_the_same_time_escalate_once(world: World) -> None:
    world.channel(path="boss", escalates_after_hours=1)
    for _ in range(2):
        expiring(world, 0)
    world.round()

    def one(minute: int) -> None:
        with world.app.app_context():
            survey = Survey(world.app.extensions["huozi"].snapshots, world.desk.ledger)
            rounds.take_round(db.session, survey, world.desk.zone, later(hours=1, minutes=minute))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(one, range(8)))
    world.round(later(hours=2))
    assert world.heard() == [["expired", "expired"]]

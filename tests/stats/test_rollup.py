"""What an event adds, and when a person is one more visitor."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from app.rules.tally import ScanEvent
from app.stats import rollup
from app.stats.models import DAY_ROLLUPS, ROLLUPS, rollup_total, rollup_total_day, visitor_days
from tests.happen import at, count, event, happened, live_codes, rows, transaction
from tests.make import NOW, ZONE


def added(engine: Engine, *events: ScanEvent, zone: ZoneInfo = ZONE) -> None:
    with transaction(engine) as connection:
        rollup.add(connection, events, zone)


def total(engine: Engine) -> dict[str, int]:
    found = rows(engine, rollup_total)
    return {name: sum(row[name] for row in found) for name in ("scans", "visitors", "assigned", "pressed", "stuck")}


def cells(engine: Engine, dimension: str) -> dict[object, tuple[int, int, int]]:
    """Scans, visitors and assignments by key, over all hours."""
    found: dict[object, tuple[int, int, int]] = {}
    for row in rows(engine, ROLLUPS[dimension]):
        old = found.get(row["key"], (0, 0, 0))
        found[row["key"]] = (old[0] + row["scans"], old[1] + row["visitors"], old[2] + row["assigned"])
    return found


def test_every_dimension_gets_its_cell(engine: Engine) -> None:
    added(engine, event(choice_id=3, placement="门口"))
    assert cells(engine, "member") == {7: (1, 1, 1)}
    assert cells(engine, "choice") == {3: (1, 1, 1)}
    assert cells(engine, "region") == {"CN/CN-GD/440100": (1, 1, 1)}
    assert cells(engine, "outcome") == {"assigned": (1, 1, 1)}
    assert cells(engine, "device") == {"phone": (1, 1, 1)}
    assert cells(engine, "placement") == {"门口": (1, 1, 1)}
    assert total(engine) == {"scans": 1, "visitors": 1, "assigned": 1, "pressed": 0, "stuck": 0}


def test_what_an_event_does_not_say_is_counted_under_nothing(engine: Engine) -> None:
    added(engine, event(member_id=None, outcome="full", region=None, device=None))
    assert cells(engine, "member") == {0: (1, 1, 0)}
    assert cells(engine, "region") == {"": (1, 1, 0)}


def test_a_press_a_stuck_and_a_new_way_are_no_scans(engine: Engine) -> None:
    added(engine, event("press"), event("stuck"), event("reroute", outcome="assigned"), event("choose", outcome="full"))
    assert total(engine) == {"scans": 0, "visitors": 4, "assigned": 1, "pressed": 1, "stuck": 1}


def test_a_preview_and_a_seat_given_up_count_nothing(engine: Engine) -> None:
    added(engine, event(outcome="preview"), event("release"))
    assert count(engine, rollup_total) == 0
    assert count(engine, visitor_days) == 0


def test_somebody_unknown_is_a_scan_but_no_visitor(engine: Engine) -> None:
    added(engine, event(visitor=None))
    assert total(engine)["scans"] == 1
    assert total(engine)["visitors"] == 0


def test_a_visitor_counts_once_a_local_day_and_again_the_next(engine: Engine) -> None:
    for moment in ("2026-11-02 00:05", "2026-11-02 12:00", "2026-11-02 23:59", "2026-11-03 00:01"):
        added(engine, event(visitor="ann", at=at(moment)))
    assert total(engine)["visitors"] == 2
    assert cells(engine, "member") == {7: (4, 2, 4)}


def test_a_visitor_counts_once_in_each_key_of_a_day(engine: Engine) -> None:
    for member_id in (7, 8, 7, 8):
        added(engine, event(visitor="ann", member_id=member_id))
    assert total(engine)["visitors"] == 1
    assert cells(engine, "member") == {7: (2, 1, 2), 8: (2, 1, 2)}


def test_an_hour_knows_its_different_people(engine: Engine) -> None:
    for moment, who in (("10:05", "ann"), ("10:50", "ann"), ("10:55", "bob"), ("11:00", "ann")):
        added(engine, event(visitor=who, at=at(f"2026-11-02 {moment}")))
    assert [(row["scans"], row["visitors"], row["hour_visitors"]) for row in rows(engine, rollup_total)] == [
        (3, 2, 2),
        (1, 0, 1),
    ]


def test_an_hour_begins_where_the_zone_has_its_hours(engine: Engine) -> None:
    kolkata = ZoneInfo("Asia/Kolkata")
    added(engine, event(at=datetime(2026, 11, 1, 18, 29, tzinfo=UTC)), zone=kolkata)
    added(engine, event(at=datetime(2026, 11, 1, 18, 30, tzinfo=UTC)), zone=kolkata)
    assert [row["hour"] for row in rows(engine, rollup_total)] == [
        datetime(2026, 11, 1, 17, 30, tzinfo=UTC),
        datetime(2026, 11, 1, 18, 30, tzinfo=UTC),
    ]
    assert [str(row["day"]) for row in rows(engine, DAY_ROLLUPS["member"])] == ["2026-11-01", "2026-11-02"]


def test_the_hour_that_comes_twice_is_two_hours() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    first, second = datetime(2026, 10, 25, 0, 30, tzinfo=UTC), datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    assert first.astimezone(berlin).hour == second.astimezone(berlin).hour == 2
    assert rollup.local_hour(first, berlin) == first.replace(minute=0)
    assert rollup.local_hour(second, berlin) == second.replace(minute=0)


def test_days_long_gone_are_forgotten_and_their_numbers_stay(engine: Engine) -> None:
    now = datetime.now(UTC)
    added(engine, event(visitor="ann", at=now), event(visitor="bob", at=now - timedelta(days=30)))
    with transaction(engine) as connection:
        rollup.forget_old_days(connection)
    assert [row["visitor"] for row in rows(engine, visitor_days)] == ["ann"]
    assert total(engine)["visitors"] == 2


def test_an_erased_person_leaves_the_days_and_stays_counted(engine: Engine) -> None:
    now = datetime.now(UTC)
    added(
        engine, event(visitor="ann", at=now), event(visitor="bob", at=now), event(visitor="ann", at=now, live_code_id=2)
    )
    with transaction(engine) as connection:
        rollup.forget(connection, "ann", {1})
    assert sorted((row["visitor"], row["live_code_id"]) for row in rows(engine, visitor_days)) == [
        ("ann", 2),
        ("bob", 1),
    ]
    assert total(engine)["visitors"] == 3


EVENTS = st.lists(
    st.builds(
        lambda minutes, **fields: event(**fields, at=NOW + timedelta(minutes=minutes)),
        minutes=st.integers(0, 4 * 1440),
        type=st.sampled_from(["scan", "scan", "choose", "press", "release"]),
        visitor=st.sampled_from(["ann", "bob", None]),
        outcome=st.sampled_from(["assigned", "returning", "preview"]),
        member_id=st.sampled_from([7, 8, None]),
        region=st.sampled_from(["CN", "US", None]),
        placement=st.sampled_from(["A1", None]),
    ),
    max_size=25,
)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(happening=EVENTS, size=st.integers(1, 9))
def test_a_day_s_visitors_are_exactly_the_different_people_of_each_key(
    engine: Engine, happening: list[ScanEvent], size: int
) -> None:
    with transaction(engine) as connection:
        for table in (rollup_total, rollup_total_day, visitor_days, *ROLLUPS.values(), *DAY_ROLLUPS.values()):
            connection.execute(table.delete())
    for start in range(0, len(happening), size):
        added(engine, *happening[start : start + size])
    counted = [e for e in happening if e.type != "release" and e.outcome != "preview"]
    for dimension, name in (("member", "member_id"), ("region", "region"), ("outcome", "outcome")):
        expected: dict[tuple[str, object], set[str]] = {}
        for e in counted:
            if e.visitor:
                key = (str(e.at.astimezone(ZONE).date()), getattr(e, name) or (0 if dimension == "member" else ""))
                expected.setdefault(key, set()).add(e.visitor)
        stored = {(str(row["day"]), row["key"]): row["visitors"] for row in rows(engine, DAY_ROLLUPS[dimension])}
        assert {key: number for key, number in stored.items() if number} == {k: len(v) for k, v in expected.items()}
    hours: dict[datetime, set[str]] = {}
    for e in counted:
        if e.visitor:
            hours.setdefault(rollup.local_hour(e.at, ZONE), set()).add(e.visitor)
    seen = {row["hour"]: row["hour_visitors"] for row in rows(engine, rollup_total) if row["hour_visitors"]}
    assert seen == {hour: len(people) for hour, people in hours.items()}


def test_folding_reaches_the_roll_ups(engine: Engine) -> None:
    live_codes(engine, 1)
    happened(engine, event(), event())
    assert total(engine)["scans"] == 2

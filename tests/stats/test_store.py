"""Questions about numbers, answered from the roll-ups."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from app.rules.tally import count_of
from app.stats import rollup, store
from app.stats.store import Counts, Report
from tests.happen import at, event, live_codes, transaction
from tests.make import ZONE

MONDAY, TUESDAY = date(2026, 11, 2), date(2026, 11, 3)
BOTH = store.days(MONDAY, TUESDAY, ZONE)


@pytest.fixture
def two_days(engine: Engine) -> Engine:
    happened = [
        event(visitor="ann", at=at("2026-11-02 10:10"), member_id=7, region="CN/CN-GD"),
        event(visitor="ann", at=at("2026-11-02 10:40"), member_id=7, region="CN/CN-GD", outcome="returning"),
        event(visitor="bob", at=at("2026-11-02 23:10"), member_id=8, region=None),
        event("press", visitor="bob", at=at("2026-11-02 23:11"), member_id=8, region=None),
        event(visitor="ann", at=at("2026-11-03 00:10"), member_id=7, region="CN/CN-GD", outcome="returning"),
        event("stuck", visitor="ann", at=at("2026-11-03 09:00"), member_id=7, region="CN/CN-GD"),
        event(visitor="cho", at=at("2026-11-03 09:00"), live_code_id=2),
    ]
    with transaction(engine) as connection:
        rollup.add(connection, happened, ZONE)
    return engine


def ask(engine: Engine, by: str, period: store.Period = BOTH, live_code_id: int = 1) -> Report:
    with Session(engine) as session:
        return store.report(session, live_code_id, period, by, ZONE)


def test_rows_by_day(two_days: Engine) -> None:
    found = ask(two_days, "day")
    assert [(row.key, row.counts) for row in found.rows] == [
        (MONDAY, Counts(scans=3, visitors=2, assigned=2, pressed=1)),
        (TUESDAY, Counts(scans=1, visitors=1, stuck=1)),
    ]
    assert found.totals == Counts(scans=4, visitors=3, assigned=2, pressed=1, stuck=1)


def test_rows_by_hour_count_the_people_of_the_hour(two_days: Engine) -> None:
    found = ask(two_days, "hour")
    assert [(str(row.key), row.counts.scans, row.counts.visitors) for row in found.rows] == [
        ("2026-11-02 10:00:00+08:00", 2, 1),
        ("2026-11-02 23:00:00+08:00", 1, 1),
        ("2026-11-03 00:00:00+08:00", 1, 1),
        ("2026-11-03 09:00:00+08:00", 0, 1),
    ]
    assert found.totals.visitors == 3


def test_rows_by_key_come_with_the_most_scanned_first(two_days: Engine) -> None:
    assert [(row.key, row.counts.scans, row.counts.visitors) for row in ask(two_days, "member").rows] == [
        (7, 3, 2),
        (8, 1, 1),
    ]
    assert [(row.key, row.counts.scans) for row in ask(two_days, "region").rows] == [("CN/CN-GD", 3), (None, 1)]
    assert [(row.key, row.counts.scans) for row in ask(two_days, "outcome").rows] == [
        ("assigned", 2),
        ("returning", 2),
        (None, 0),
    ]


def test_a_period_counts_what_lies_in_it(two_days: Engine) -> None:
    evening = store.hours(at("2026-11-02 22:30"), at("2026-11-03 00:30"), ZONE)
    assert (evening.since, evening.until) == (at("2026-11-02 22:00"), at("2026-11-03 01:00"))
    assert ask(two_days, "member", evening).totals.scans == 2
    assert [(row.key, row.counts.scans) for row in ask(two_days, "member", evening).rows] == [(7, 1), (8, 1)]


def test_another_live_code_is_another_matter(two_days: Engine) -> None:
    assert ask(two_days, "day", live_code_id=2).totals.scans == 1
    assert ask(two_days, "day", live_code_id=3) == Report([], Counts())


MOMENTS = st.integers(0, 24 * 6)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("zone", [ZONE, ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Kolkata")], ids=str)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(moments=st.lists(MOMENTS, max_size=20), start=MOMENTS, length=st.integers(1, 24 * 4))
def test_days_and_hours_together_make_any_period(
    engine: Engine, zone: ZoneInfo, moments: list[int], start: int, length: int
) -> None:
    """Around the end of summer time in Berlin, when a day has 25 hours."""
    first = store.days(date(2026, 10, 23), date(2026, 10, 23), zone).since.astimezone(UTC)
    hour = timedelta(hours=1)
    happened = [event(at=first + hour * m, member_id=1 + m % 3) for m in moments]
    with transaction(engine) as connection:
        for name in ("rollup_total", "rollup_total_day", "rollup_member", "rollup_member_day", "visitor_days"):
            connection.exec_driver_sql(f"DELETE FROM {name}")
        rollup.add(connection, happened, zone)
    period = store.hours(first + hour * start, first + hour * (start + length), zone)
    with Session(engine) as session:
        found = store.report(session, 1, period, "member", zone)
    inside = [e for e in happened if period.since <= e.at < period.until]
    expected: dict[object, int] = {}
    for e in inside:
        expected[e.member_id] = expected.get(e.member_id, 0) + count_of(e).scans
    assert {row.key: row.counts.scans for row in found.rows} == expected
    assert found.totals.scans == len(inside)
    with Session(engine) as session:
        by_day = store.report(session, 1, period, "day", zone)
    of_days: dict[object, int] = {}
    for e in inside:
        of_days[e.at.astimezone(zone).date()] = of_days.get(e.at.astimezone(zone).date(), 0) + 1
    assert {row.key: row.counts.scans for row in by_day.rows} == of_days


def test_a_year_of_hours_ends_where_the_year_does() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    twice = store.hours(datetime(2026, 10, 25, 0, 30, tzinfo=UTC), datetime(2026, 10, 25, 1, 30, tzinfo=UTC), berlin)
    assert (twice.since.astimezone(UTC).hour, twice.until.astimezone(UTC).hour) == (0, 2)


def test_only_the_owner_may_see(engine: Engine) -> None:
    live_codes(engine, 5)
    with Session(engine) as session:
        assert store.may_see(session, 5, None)
        assert not store.may_see(session, 6, None)
        assert not store.may_see(session, 5, 987_654)

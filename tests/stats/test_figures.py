"""The numbers other rooms show beside their own things."""

from datetime import date, timedelta

from flask import Flask
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from app.codes.models import LiveCode
from app.stats.figures import Figures
from app.stats.store import Counts, by_live_code, of_all
from tests.happen import at, event, happened, live_codes

MONDAY = date(2026, 11, 2)
DAYS = [MONDAY - timedelta(days=1), MONDAY]


def scanned(engine: Engine) -> int:
    """Codes 1 and 2 of one owner, 3 of another; the first owner's id."""
    live_codes(engine, 1, name="海报")
    live_codes(engine, 3, name="门店")
    with Session(engine) as session:
        owner_id = session.get_one(LiveCode, 1).owner_id
    live_codes(engine, 2, owner_id=owner_id, name="传单")
    happened(
        engine,
        event(live_code_id=1, at=at("2026-11-01 23:30")),
        event(live_code_id=1, at=at("2026-11-02 00:30")),
        event(live_code_id=1, at=at("2026-11-02 10:00"), outcome="full", member_id=None),
        event(live_code_id=2, at=at("2026-11-02 11:00"), outcome="fallback"),
        event(live_code_id=3, at=at("2026-11-02 11:00"), outcome="full", member_id=None),
    )
    return owner_id


def test_scans_of_each_live_code_day_by_day(engine: Engine) -> None:
    scanned(engine)
    with Session(engine) as session:
        assert Figures().by_day(session, [1, 2, 9], DAYS) == {1: [1, 2], 2: [0, 1]}


def test_everything_of_an_owner_day_by_day(engine: Engine) -> None:
    owner_id = scanned(engine)
    with Session(engine) as session:
        before, today = Figures().of_days(session, owner_id, DAYS)
        assert before == Counts(scans=1, visitors=1, assigned=1)
        assert (today.scans, today.visitors, today.assigned) == (3, 3, 1)
        assert Figures().of_days(session, None, [MONDAY])[0].scans == 4
        assert Figures().of_days(session, owner_id, [date(2026, 1, 1)]) == [Counts()]
        assert [row.counts.scans for row in of_all(session, owner_id, *DAYS)] == [1, 3]


def test_who_found_no_room_since_a_moment(engine: Engine) -> None:
    owner_id = scanned(engine)
    with Session(engine) as session:
        assert Figures().overflows(session, owner_id, at("2026-11-02 00:00")) == {1: 1, 2: 1}
        assert Figures().overflows(session, None, at("2026-11-02 11:00")) == {2: 1, 3: 1}
        assert Figures().overflows(session, None, at("2026-11-03 00:00")) == {}


def test_live_codes_come_with_the_most_scanned_first(engine: Engine) -> None:
    owner_id = scanned(engine)
    with Session(engine) as session:
        found = by_live_code(session, owner_id, *DAYS, limit=10)
        assert [(row.live_code_id, row.name, row.counts.scans) for row in found] == [(1, "海报", 3), (2, "传单", 1)]
        assert len(by_live_code(session, None, *DAYS, limit=1)) == 1


def test_the_panel_is_given_them(app: Flask) -> None:
    assert isinstance(app.extensions["huozi.figures"], Figures)

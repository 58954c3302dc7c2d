"""The start page: what needs somebody, with the one button that helps."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from flask import Flask
from sqlalchemy.orm import Session

from app.accounts.models import User
from app.codes.figures import FIGURES, DayFigures
from app.codes.models import LiveCode
from app.db import writing
from tests import make, pictures
from tests.codes.conftest import Browser


def code(session: Session, owner: User, *members: dict[str, Any], **more: Any) -> list[int]:
    with writing(session):
        live_code = make.live_code_row(session, owner, **more)
        return [live_code.id, *(make.member_row(session, live_code, **member).id for member in members)]


def ago(hours: float) -> datetime:
    return datetime.now(UTC) - timedelta(hours=hours)


def test_expired_code_is_one_tap_from_its_swap(panel: Browser, session: Session, owner: User) -> None:
    _, gone, _ = code(session, owner, {"label": "fair 1", "expires_at": ago(3)}, {})
    page = panel.get("/today")
    assert "fair 1" in page and "expired 3 hours ago" in page and "new visitors are sent elsewhere" in page
    assert f'href="/members/{gone}/swap"' in page


def test_suspect_is_trusted_from_here(panel: Browser, session: Session, owner: User) -> None:
    _, ill, _ = code(session, owner, {"label": "fair 1", "suspect_at": ago(1)}, {})
    page = panel.get("/today")
    assert "Three people could not get in" in page and f'formaction="/members/{ill}/trust"' in page
    page = panel.follow(panel.post(f"/members/{ill}/trust", next="/today"))
    assert "Nothing needs you." in page and "People are sent there again." in page


def test_live_codes_without_room_lead_to_where_codes_are_added(panel: Browser, session: Session, owner: User) -> None:
    empty = code(session, owner, name="empty one")[0]
    low = code(session, owner, {"capacity": 10, "headcount": 9}, name="low one")[0]
    nobody = code(session, owner, {"capacity": 5, "headcount": 5}, name="closed one")[0]
    page = panel.get("/today")
    assert "No code behind it yet" in page and "Room for 1 more person" in page and "Nobody gets in" in page
    assert all(f'href="/codes/{one}">Add codes' in page for one in (empty, low, nobody))


def test_several_due_codes_are_offered_one_after_the_other(panel: Browser, session: Session, owner: User) -> None:
    code(session, owner, {"expires_at": ago(3)}, {"expires_at": ago(-20)}, {})
    assert "2 codes to swap, one after the other" in panel.get("/today")


def test_all_is_well(panel: Browser, session: Session, owner: User) -> None:
    code(session, owner, {})
    assert "Nothing needs you." in panel.get("/today")


def test_beginner_is_shown_how_to_begin(panel: Browser) -> None:
    page = panel.get("/today")
    assert "No live code yet" in page and 'href="/codes/new"' in page


def test_newest_swaps_are_listed(panel: Browser, session: Session, owner: User) -> None:
    _, member = code(session, owner, {"label": "fair 1"})
    assert "Newest swaps" not in panel.get("/today")
    picture = pictures.encoded(pictures.screen(pictures.GROUP))
    panel.send(f"/members/{member}/swap", ("new.png", picture), status=303)
    page = panel.get("/today")
    assert "Newest swaps" in page and owner.email in page


def test_thirty_needs_are_shown_and_the_rest_counted(panel: Browser, session: Session, owner: User) -> None:
    with writing(session):
        live_code = make.live_code_row(session, owner)
        for _ in range(32):
            make.member_row(session, live_code, expires_at=ago(1))
        make.member_row(session, live_code)
    page = panel.get("/today")
    assert page.count('class="need need-') == 30 and "and 2 more" in page


class Scans:
    """Somebody who counts scans."""

    def by_day(self, session: Session, live_code_ids: Sequence[int], days: Sequence[date]) -> Mapping[int, list[int]]:
        return {live_code_id: list(range(len(days))) for live_code_id in live_code_ids}

    def of_days(self, session: Session, owner_id: int | None, days: Sequence[date]) -> list[DayFigures]:
        return [DayFigures(scans=1000 + ago, visitors=ago, assigned=7) for ago in range(len(days))]

    def __init__(self, overflows: Mapping[int, int] | None = None) -> None:
        self._overflows = overflows or {}

    def overflows(self, session: Session, owner_id: int | None, since: datetime) -> Mapping[int, int]:
        return self._overflows


def test_scans_of_today_stand_beside_yesterday_s(
    app: Flask, panel: Browser, session: Session, live_code: LiveCode
) -> None:
    app.extensions[FIGURES] = Scans()
    page = panel.get("/today")
    assert "1,013" in page and "yesterday 1,012" in page and page.count("<polyline") == 3
    assert "21 scans in 7 days" in panel.get("/codes")


def test_page_stands_where_nobody_counts_scans(app: Flask, panel: Browser, live_code: LiveCode) -> None:
    del app.extensions[FIGURES]
    assert "figure-number" not in panel.get("/today")
    assert "in 7 days" not in panel.get("/codes")


def test_people_turned_away_a_moment_ago_are_told_once(
    app: Flask, panel: Browser, session: Session, owner: User
) -> None:
    roomy = code(session, owner, {}, name="roomy")[0]
    closed = code(session, owner, {"capacity": 1, "headcount": 1}, name="closed one")[0]
    app.extensions[FIGURES] = Scans({roomy: 12, closed: 3})
    page = panel.get("/today")
    assert "12 scans found no room in the last two hours" in page and "3 scans" not in page
    assert f'href="/codes/{roomy}/rules">Look at the rules' in page

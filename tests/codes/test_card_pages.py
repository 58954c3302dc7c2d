"""A card of the grid edited where it stands."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.orm import Session

from app.accounts.models import User
from app.codes.models import LiveCode, Member
from app.codes.versions import current_versions
from app.db import writing
from tests import make
from tests.codes.conftest import Browser, fresh

AHEAD = (datetime.now(UTC) + timedelta(days=4)).replace(second=17, microsecond=0)


@pytest.fixture
def member(session: Session, live_code: LiveCode) -> Member:
    with writing(session):
        return make.member_row(session, live_code, label="first", capacity=100, expires_at=AHEAD)


def stored(session: Session, member: Member) -> Member:
    return fresh(session).get_one(Member, member.id)


def drawn(panel: Browser, member: Member) -> dict[str, str]:
    """The fields of the card's form as it is drawn."""
    page = panel.partial(f"/members/{member.id}/card?edit=1")
    found = {}
    for name in ("capacity", "daily_capacity", "weight", "expires_at", "places"):
        got = re.search(rf'value="([^"]*)"[^>]*name="{name}"', page)
        assert got is not None, (name, page)
        found[name] = got[1]
    revision = re.search(r'name="revision" value="(\d+)"', page)
    assert revision is not None
    return found | {"revision": revision[1]}


def save(panel: Browser, member: Member, status: int = 200, **fields: str) -> str:
    return panel.partial(f"/members/{member.id}/card", "POST", status, data=fields)


def test_card_is_changed_where_it_stands(panel: Browser, session: Session, member: Member) -> None:
    form = drawn(panel, member) | {
        "capacity": "180", "weight": "3", "places": "广州，Shanghai、华北",
        "window-0-days": "1", "window-0-from": "09:00", "window-0-to": "18:00",
    }  # fmt: skip
    part = save(panel, member, **form)
    row = stored(session, member)
    assert (row.capacity, row.weight) == (180, 3)
    assert row.regions[:2] == ["CN/CN-GD/440100", "CN/CN-SH"] and "CN/CN-BJ" in row.regions
    assert row.windows == [{"days": [1], "from": "09:00", "to": "18:00"}]
    assert "<html" not in part and "of 180" in part and "weight 3" in part and "Saved." in part


def test_what_was_left_alone_stays_to_the_second(panel: Browser, session: Session, member: Member) -> None:
    save(panel, member, **drawn(panel, member) | {"capacity": "50"})
    row = stored(session, member)
    version, _ = current_versions(session, [row])[row.id]
    assert version.expires_at == AHEAD


def test_expiry_is_corrected_and_taken_away(panel: Browser, session: Session, member: Member) -> None:
    save(panel, member, **drawn(panel, member) | {"expires_at": "2031-05-06T07:08"})
    row = stored(session, member)
    version, _ = current_versions(session, [row])[row.id]
    assert version.expires_at is not None and version.expires_at.year == 2031
    save(panel, member, **drawn(panel, member) | {"expires_at": ""})
    row = stored(session, member)
    assert current_versions(session, [row])[row.id][0].expires_at is None


@pytest.mark.parametrize(
    ("name", "typed", "told"),
    [
        ("capacity", "many", "field-error"),
        ("weight", "101", "field-error"),
        ("places", "广州, Atlantis", "no such place: Atlantis"),
        ("expires_at", "tomorrow", "field-error"),
    ],
)
def test_what_is_wrong_is_told_and_what_was_typed_stays(
    panel: Browser, session: Session, member: Member, name: str, typed: str, told: str
) -> None:
    part = save(panel, member, 422, **drawn(panel, member) | {"daily_capacity": "7", name: typed})
    assert told in part and 'value="7"' in part and typed in part
    assert stored(session, member).daily_capacity is None


def test_change_of_somebody_else_is_shown_and_not_overwritten(panel: Browser, session: Session, member: Member) -> None:
    mine = drawn(panel, member) | {"capacity": "60", "places": "北京", "expires_at": "2031-01-01T00:00"}
    save(panel, member, **drawn(panel, member) | {"capacity": "120", "places": "上海"})
    part = save(panel, member, 409, **mine)
    assert "theirs: 120" in part and "yours: 60" in part and 'value="60"' in part
    assert "Shanghai" in part and "Beijing" in part and "Valid until" in part
    assert stored(session, member).capacity == 120
    revision = re.search(r'name="revision" value="(\d+)"', part)
    assert revision is not None
    save(panel, member, **mine | {"revision": revision[1]})
    assert stored(session, member).capacity == 60


def test_without_scripts_the_button_leads_to_the_whole_form(
    panel: Browser, member: Member, live_code: LiveCode
) -> None:
    page = panel.get(f"/codes/{live_code.id}")
    assert f'href="/members/{member.id}" hx-get="/members/{member.id}/card?edit=1"' in page
    assert panel.client.get(f"/members/{member.id}/card?edit=1").headers["Location"] == f"/members/{member.id}"


def test_cards_of_others_are_not_found(other_panel: Browser, session: Session, member: Member, owner: User) -> None:
    other_panel.partial(f"/members/{member.id}/card?edit=1", status=404)
    other_panel.partial(f"/members/{member.id}/card", "POST", 404, data={"capacity": "1"})
    assert stored(session, member).capacity == 100

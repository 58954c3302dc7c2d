"""One member through time, and the quick entry of a number."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.alerts.models import Alert
from app.codes import versions
from app.codes.changes import Asker
from app.codes.models import LiveCode, Member, MemberGeneration
from app.db import writing
from app.db.audit import Actor, record
from tests import make
from tests.codes.conftest import Browser, fresh


@pytest.fixture
def member(session: Session, live_code: LiveCode) -> Member:
    with writing(session):
        return make.member_row(session, session.get_one(LiveCode, live_code.id), label="fair 1", capacity=195)


def alert(session: Session, member: Member, kind: str, *, rank: int = 0, begun: datetime, over: datetime) -> None:
    with writing(session):
        session.add(
            Alert(
                cause=f"{kind}:{member.id}:{rank}",
                episode=1,
                kind=kind,
                level=1,
                rank=rank,
                live_code_id=member.live_code_id,
                member_id=member.id,
                numbers={},
                due_at=begun,
                opened_at=begun,
                ended_at=over,
            )
        )


def test_versions_say_who_brought_them_when_and_why(
    panel: Browser, session: Session, asker: Asker, member: Member
) -> None:
    now = datetime.now(UTC)
    alert(session, member, "filling", rank=80, begun=now - timedelta(hours=9), over=now + timedelta(hours=1))
    alert(session, member, "full", rank=100, begun=now - timedelta(hours=2), over=now + timedelta(hours=1))
    with writing(session):
        versions.swap(session, asker, member.id, make.bound(), {"new_group": True}, now=now)
    page = panel.get(f"/members/{member.id}/timeline")
    assert "Version 2" in page and "because: Group full" in page and asker.actor.name in page
    assert page.count("because:") == 1, "the first one was no answer to anything"
    for told in ("80 % of the places taken", "Group full", "Code swapped"):
        assert told in page
    assert page.index("Code swapped") < page.index("80 % of the places taken"), "the newest first"


def test_links_for_the_owner_are_told_in_words(panel: Browser, session: Session, member: Member) -> None:
    with writing(session):
        for actor, action in (("alerts", "made"), ("swap link 7", "used"), ("swap link 7", "revoked")):
            record(session, Actor(actor), f"swap_link.{action}", "member", member.id, after={"link": 7})
    page = panel.get(f"/members/{member.id}/timeline")
    assert "Swap link made" in page and "Swap link used" in page and "Swap link withdrawn" in page
    assert "swap_link" not in page
    assert "换码链接 7" in panel.get(f"/members/{member.id}/timeline?lang=zh")


def test_a_swap_after_the_trouble_was_over_has_no_reason(
    panel: Browser, session: Session, asker: Asker, member: Member
) -> None:
    now = datetime.now(UTC)
    alert(session, member, "expiring", rank=-48, begun=now - timedelta(days=3), over=now - timedelta(days=1))
    with writing(session):
        versions.swap(session, asker, member.id, make.bound(), {}, now=now)
    page = panel.get(f"/members/{member.id}/timeline")
    assert "because:" not in page and "Expires within 48 hours" in page


def test_an_earlier_version_is_shown_again_from_here(
    panel: Browser, session: Session, asker: Asker, member: Member
) -> None:
    with writing(session):
        versions.swap(session, asker, member.id, make.bound(), {}, now=datetime.now(UTC))
    path = f"/members/{member.id}/timeline"
    assert "Show this one again" in panel.get(path)
    answer = panel.post(f"/members/{member.id}/rollback", version="1", next=path)
    assert answer.headers["Location"] == path
    assert fresh(session).get_one(Member, member.id).current_version == 1


def test_a_number_is_typed_and_counts(panel: Browser, session: Session, member: Member) -> None:
    page = panel.get(f"/members/{member.id}/headcount")
    assert 'inputmode="numeric"' in page and "fair 1" in page
    panel.post(f"/members/{member.id}/headcount", count="163")
    fresh(session)
    mine = sa.select(MemberGeneration.headcount).where(MemberGeneration.member_id == member.id)
    assert session.scalar(mine) == 163


@pytest.mark.parametrize("page", ["timeline", "headcount"])
def test_somebody_else_s_member_is_not_there(page: str, panel: Browser, session: Session) -> None:
    with writing(session):
        other = make.member_row(session, make.live_code_row(session))
    panel.get(f"/members/{other.id}/{page}", status=404)


def test_a_suspect_s_swap_page_offers_to_say_that_it_works(panel: Browser, session: Session, member: Member) -> None:
    with writing(session):
        session.get_one(Member, member.id).suspect_at = datetime.now(UTC)
    assert f"/members/{member.id}/trust" in panel.get(f"/members/{member.id}/swap")

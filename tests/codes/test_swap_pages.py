"""Swapping codes in the panel: with scripts and without, one by one and as a queue, and back again."""

import html
import re
from datetime import UTC, datetime, timedelta
from io import BytesIO

import pytest
from sqlalchemy.orm import Session

from app.accounts.models import User
from app.codes.models import LiveCode, Member, MemberVersion
from app.db import writing
from tests import make, pictures
from tests.codes.conftest import Browser, fresh

NEW = ("new.png", pictures.encoded(pictures.screen(pictures.GROUP)))
TWO = ("two.png", pictures.encoded(pictures.screen(pictures.GROUP, second=pictures.PERSON)))
TEXT = ("notes.txt", b"hello")


@pytest.fixture
def member(session: Session, live_code: LiveCode) -> Member:
    with writing(session):
        row = make.member_row(
            session, session.get_one(LiveCode, live_code.id), label="fair 1", headcount=118, capacity=195
        )
    return row


def shown(session: Session, member: Member) -> MemberVersion:
    fresh(session)
    return fresh(session).query(MemberVersion).filter_by(member_id=member.id, number=member.current_version).one()


def at_hours(hours: float) -> datetime:
    return datetime.now(UTC) + timedelta(hours=hours)


def expiring(session: Session, owner: User, hours: float, **more: object) -> Member:
    with writing(session):
        return make.member_row(
            session, make.live_code_row(session, owner), expires_at=at_hours(hours), label="old", **more
        )


def test_page_shows_the_old_code_and_asks_for_the_new_one(panel: Browser, member: Member) -> None:
    page = panel.get(f"/members/{member.id}/swap")
    assert "fair 1" in page and "118 in the group" in page
    assert 'type="file"' in page and "capture" not in page


def test_picture_is_uploaded_and_swapped_in_one_go_without_scripts(
    panel: Browser, session: Session, member: Member
) -> None:
    answer = panel.send(f"/members/{member.id}/swap", NEW, status=303, new_group="0", expiry="guess")
    page = panel.follow(answer)
    assert "Whoever scans next sees this one." in page and "Trial scan" in page and "Undo" in page
    version = shown(session, member)
    assert (version.number, version.target, version.generation) == (2, pictures.GROUP, 1)
    assert version.expiry_source == "guessed"


def test_undo_points_back_to_the_old_code(panel: Browser, session: Session, member: Member) -> None:
    panel.send(f"/members/{member.id}/swap", NEW, status=303)
    page = panel.follow(panel.post(f"/members/{member.id}/rollback", version="1"))
    assert "Version 1 is shown again." in page
    assert shown(session, member).number == 1


def test_new_code_is_read_first_and_bound_by_its_token(panel: Browser, session: Session, member: Member) -> None:
    checked = panel.send(f"/members/{member.id}/swap/check", NEW).text
    assert "WeChat group" in checked and "<html" not in checked
    assert shown(session, member).number == 1
    token = re.search(r'data-token="([^"]+)"', checked)
    assert token is not None
    panel.post(f"/members/{member.id}/swap", bound=html.unescape(token[1]))
    assert shown(session, member).target == pictures.GROUP


def test_token_that_is_not_ours_asks_for_a_picture(panel: Browser, session: Session, member: Member) -> None:
    answer = panel.post(f"/members/{member.id}/swap", status=422, bound="made up")
    assert "Choose a picture of the new code first." in answer.text
    assert shown(session, member).number == 1


@pytest.mark.parametrize(
    ("picture", "told"), [(TEXT, "This file is no picture."), (TWO, "Several codes in one picture")]
)
def test_picture_that_cannot_be_taken_is_told_and_changes_nothing(
    panel: Browser, session: Session, member: Member, picture: tuple[str, bytes], told: str
) -> None:
    assert told in panel.send(f"/members/{member.id}/swap", picture, status=422).text
    assert told in panel.send(f"/members/{member.id}/swap/check", picture).text
    assert shown(session, member).number == 1


def test_one_of_several_codes_is_picked(panel: Browser, session: Session, member: Member) -> None:
    page = panel.send(f"/members/{member.id}/swap", TWO, status=422).text
    picks = re.findall(r'name="pick" value="([^"]+)"', page)
    assert len(picks) == 2
    panel.post(f"/members/{member.id}/swap", pick=html.unescape(picks[1]))
    assert shown(session, member).target == pictures.PERSON


def test_code_shown_now_is_refused(panel: Browser, session: Session, member: Member) -> None:
    panel.send(f"/members/{member.id}/swap", NEW, status=303)
    assert "This is the code shown now." in panel.send(f"/members/{member.id}/swap", NEW, status=422).text
    assert "This is the code shown now." in panel.send(f"/members/{member.id}/swap/check", NEW).text
    assert shown(session, member).number == 2


def test_code_of_another_member_leads_there(panel: Browser, session: Session, member: Member) -> None:
    with writing(session):
        other = make.member_row(session, member.live_code, target=pictures.GROUP, label="fair 2")
    for path in ("swap", "swap/check"):
        page = panel.send(f"/members/{member.id}/{path}", NEW, status=422 if path == "swap" else 200).text
        assert "It is here: fair 2" in page and f"#member-{other.id}" in page


def test_full_member_proposes_a_new_group(panel: Browser, session: Session, live_code: LiveCode) -> None:
    with writing(session):
        full = make.member_row(session, session.get_one(LiveCode, live_code.id), headcount=200, capacity=195)
    assert 'name="new_group" value="1" checked' in panel.get(f"/members/{full.id}/swap")


def test_new_group_counts_anew(panel: Browser, session: Session, member: Member) -> None:
    panel.send(f"/members/{member.id}/swap", NEW, status=303, new_group="1", headcount="3")
    assert shown(session, member).generation == 2
    assert "3 in the group" in panel.get(f"/members/{member.id}")


def test_same_group_that_is_full_is_warned_about(panel: Browser, session: Session, live_code: LiveCode) -> None:
    with writing(session):
        full = make.member_row(session, session.get_one(LiveCode, live_code.id), headcount=195, capacity=195)
    page = panel.follow(panel.send(f"/members/{full.id}/swap", NEW, status=303, new_group="0"))
    assert "It is still full" in page


def test_disabled_member_stays_so_and_is_switched_on_from_there(
    panel: Browser, session: Session, live_code: LiveCode
) -> None:
    with writing(session):
        off = make.member_row(session, session.get_one(LiveCode, live_code.id), state="disabled")
    page = panel.follow(panel.send(f"/members/{off.id}/swap", NEW, status=303))
    assert "It is still switched off" in page and f'formaction="/members/{off.id}/state"' in page


def test_day_on_the_code_is_taken_from_its_chip(panel: Browser, session: Session, member: Member) -> None:
    day = (datetime.now(make.ZONE) + timedelta(days=2)).date()
    panel.send(f"/members/{member.id}/swap", NEW, status=303, expiry=day.isoformat())
    expires_at = shown(session, member).expires_at
    assert expires_at is not None and expires_at.astimezone(make.ZONE).strftime("%Y-%m-%d %H:%M") == f"{day} 08:00"


def test_past_expiry_is_refused_and_the_picture_not_lost(panel: Browser, session: Session, member: Member) -> None:
    answer = panel.send(
        f"/members/{member.id}/swap", NEW, status=422, expiry="other", expires_at="2020-01-01T10:00", headcount="5"
    )
    assert "This is in the past." in answer.text and 'value="5"' in answer.text
    token = re.search(r'name="bound" value="([^"]+)"', answer.text)
    assert token is not None and token[1]
    panel.post(f"/members/{member.id}/swap", bound=html.unescape(token[1]), expiry="never")
    assert shown(session, member).expires_at is None


def test_headcount_that_is_no_number_is_refused(panel: Browser, session: Session, member: Member) -> None:
    panel.send(f"/members/{member.id}/swap", NEW, status=422, headcount="many")
    assert shown(session, member).number == 1


def test_queue_shows_what_is_due_the_most_urgent_first(panel: Browser, session: Session, owner: User) -> None:
    soon, expired = expiring(session, owner, 20), expiring(session, owner, -3)
    expiring(session, owner, 100)
    page = panel.get("/swaps")
    assert "1 of 2" in page and f'action="/members/{expired.id}/swap"' in page
    page = panel.get(f"/swaps?after={expired.id}")
    assert "2 of 2" in page and f'action="/members/{soon.id}/swap"' in page
    assert "2 skipped codes are still waiting." in panel.get(f"/swaps?after={soon.id}")


def test_queue_goes_on_with_the_next_one(panel: Browser, session: Session, owner: User) -> None:
    soon, expired = expiring(session, owner, 20), expiring(session, owner, -3)
    answer = panel.send(f"/members/{expired.id}/swap", NEW, status=303, queue="1")
    page = panel.follow(answer)
    assert "is swapped" in page and f'action="/members/{soon.id}/swap"' in page
    assert f'action="/members/{expired.id}/rollback"' in page


def test_empty_queue_says_that_nothing_is_due(panel: Browser) -> None:
    assert "Nothing to swap" in panel.get("/swaps")


def test_swapped_page_of_nothing_leads_to_the_member(panel: Browser, member: Member) -> None:
    for query in ("", "?before=x", "?before=7", "?before=1"):
        panel.get(f"/members/{member.id}/swapped{query}", status=303)


def test_rollback_to_a_version_nobody_knows_changes_nothing(panel: Browser, session: Session, member: Member) -> None:
    for version in ("9", "x", ""):
        panel.post(f"/members/{member.id}/rollback", version=version)
    assert shown(session, member).number == 1


def test_form_sent_twice_swaps_once(panel: Browser, session: Session, member: Member) -> None:
    checked = panel.send(f"/members/{member.id}/swap/check", NEW).text
    token = html.unescape(re.findall(r'data-token="([^"]+)"', checked)[0])
    panel.post(f"/members/{member.id}/swap", bound=token)
    panel.post(f"/members/{member.id}/swap", status=422, bound=token)
    assert shown(session, member).number == 2


def test_card_of_the_upload_is_for_those_who_see_the_member(
    panel: Browser, other_panel: Browser, session: Session, member: Member
) -> None:
    panel.send(f"/members/{member.id}/swap", NEW, status=303)
    answer = panel.client.get(f"/members/{member.id}/card/2.jpg")
    assert answer.status_code == 200 and answer.data[:3] == b"\xff\xd8\xff"
    assert "private" in answer.headers["Cache-Control"]
    other_panel.get(f"/members/{member.id}/card/2.jpg", status=404)
    panel.get(f"/members/{member.id}/card/1.jpg", status=404)
    panel.get(f"/members/{member.id}/card/9.jpg", status=404)


def test_scripts_and_forms_send_the_same_picture(panel: Browser, member: Member) -> None:
    data = {"image": (BytesIO(NEW[1]), NEW[0])}
    answer = panel.client.post(f"/members/{member.id}/swap/check", data=data, headers={"HX-Request": "true"})
    assert answer.status_code == 200 and "data-token" in answer.text

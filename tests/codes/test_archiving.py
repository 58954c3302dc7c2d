"""A member archived by mistake comes back whole: undo restores its cards and its pin; a sweep takes what is left."""

import os
import re
import time
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.codes.models import LiveCode, Member, MemberVersion
from app.codes.sweeping import Sweeping
from app.db import writing
from app.outside.files import FileStore
from app.settings import Settings
from tests import make, pictures
from tests.codes.conftest import Browser, fresh

NEW = ("new.png", pictures.encoded(pictures.screen(pictures.GROUP)))


@pytest.fixture
def member(panel: Browser, session: Session, live_code: LiveCode) -> Member:
    """With a card of its second version, and pinned."""
    with writing(session):
        found = make.member_row(session, session.get_one(LiveCode, live_code.id), label="fair 1")
    panel.send(f"/members/{found.id}/swap", NEW, status=303)
    panel.post(f"/members/{found.id}/pin")
    return found


def cards(settings: Settings) -> list[Path]:
    return list((settings.data_dir / "cards").iterdir())


def card_of(session: Session, member: Member) -> str | None:
    query = sa.select(MemberVersion.card).where(MemberVersion.member_id == member.id, MemberVersion.number == 2)
    return fresh(session).scalar(query)


def pinned(session: Session, member: Member) -> int | None:
    return fresh(session).get_one(LiveCode, member.live_code_id).pinned_member_id


def archive(panel: Browser, member: Member) -> dict[str, str]:
    """What its undo sends."""
    page = panel.follow(panel.post(f"/members/{member.id}/state", state="archived"))
    forms = page[page.index('id="toasts"') :].split("</form>")
    (form,) = [form for form in forms if 'name="back"' in form]
    return dict(re.findall(r'name="(state|next|back)" value="([^"]*)"', form))


def test_undo_brings_cards_and_pin_back(panel: Browser, session: Session, member: Member, settings: Settings) -> None:
    card = card_of(session, member)
    undo = archive(panel, member)
    assert card_of(session, member) is None and pinned(session, member) is None
    panel.get(f"/members/{member.id}/card/2.jpg", status=404)
    panel.post(f"/members/{member.id}/state", **undo)
    assert card is not None and card_of(session, member) == card and pinned(session, member) == member.id
    assert panel.client.get(f"/members/{member.id}/card/2.jpg").data[:3] == b"\xff\xd8\xff"
    assert fresh(session).get_one(Member, member.id).state == "active"


def test_way_back_is_for_this_member_alone(panel: Browser, session: Session, member: Member) -> None:
    undo = archive(panel, member)
    with writing(session):
        code = session.get_one(LiveCode, member.live_code_id)
        other = make.member_row(session, code, label="fair 2", state="archived")
    panel.post(f"/members/{other.id}/state", **undo)
    assert pinned(session, member) is None and card_of(session, member) is None
    panel.post(f"/members/{member.id}/state", state="active", back=undo["back"][:-4] + "AAAA")
    assert pinned(session, member) is None and card_of(session, member) is None


def test_pin_that_was_set_meanwhile_stays(panel: Browser, session: Session, member: Member) -> None:
    undo = archive(panel, member)
    with writing(session):
        other = make.member_row(session, session.get_one(LiveCode, member.live_code_id), label="fair 2")
    panel.post(f"/members/{other.id}/pin")
    panel.post(f"/members/{member.id}/state", **undo)
    assert pinned(session, member) == other.id and card_of(session, member) is not None


def test_cards_nobody_names_are_swept_when_nobody_can_undo_any_more(
    panel: Browser, session: Session, member: Member, settings: Settings, engine: sa.Engine
) -> None:
    sweeping = Sweeping(engine, FileStore(settings.data_dir / "cards"))
    (card,) = cards(settings)
    two_hours_ago = time.time() - 7200
    os.utime(card, (two_hours_ago, two_hours_ago))
    assert sweeping.sweep() == 0  # a version names it
    undo = archive(panel, member)
    assert sweeping.sweep() == 0 and cards(settings) == [card]  # its age begins anew
    os.utime(card, (two_hours_ago, two_hours_ago))
    assert sweeping.sweep() == 1 and cards(settings) == []
    panel.post(f"/members/{member.id}/state", **undo)
    assert fresh(session).get_one(Member, member.id).state == "active" and card_of(session, member) is None

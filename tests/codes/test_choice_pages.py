"""The choices of a grouped live code in the panel."""

import re
from typing import Any

import pytest
from sqlalchemy.orm import Session

from app.accounts.models import User
from app.codes.models import Choice, LiveCode, Member
from app.db import writing
from tests import make
from tests.codes.conftest import Browser, fresh

CHOICE: dict[str, Any] = {"title": "north", "description": "", "tag": "", "mode": "sequential"}


@pytest.fixture
def grouped(session: Session, owner: User) -> LiveCode:
    with writing(session):
        return make.live_code_row(session, owner, kind="grouped")


def choices(session: Session) -> list[Choice]:
    return fresh(session).query(Choice).order_by(Choice.position, Choice.id).all()


def version_of(page: str, choice_id: int) -> str:
    form = page[page.index(f'id="choice-{choice_id}"') :]
    return re.findall(r'name="version" value="(\d+)"', form)[0]


def test_choice_is_added_with_its_tag(panel: Browser, session: Session, grouped: LiveCode) -> None:
    page = panel.follow(panel.post(f"/codes/{grouped.id}/choices", **(CHOICE | {"tag": "N", "mode": "random"})))
    assert "is on the page" in page
    (choice,) = choices(session)
    assert (choice.title, choice.tag, choice.mode) == ("north", "N", "random")


def test_choice_without_a_title_keeps_what_was_typed(panel: Browser, session: Session, grouped: LiveCode) -> None:
    answer = panel.post(f"/codes/{grouped.id}/choices", status=422, **(CHOICE | {"title": "", "tag": "typed"}))
    assert "This is needed." in answer.text and 'value="typed"' in answer.text
    assert choices(session) == []


def test_simple_live_code_takes_no_choice(panel: Browser, live_code: LiveCode) -> None:
    answer = panel.post(f"/codes/{live_code.id}/choices", status=422, **CHOICE)
    assert "Only live codes that let visitors choose have choices." in answer.text


def test_choice_is_changed(panel: Browser, session: Session, grouped: LiveCode) -> None:
    with writing(session):
        choice_id = make.choice_row(session, grouped).id
    version = version_of(panel.get(f"/codes/{grouped.id}/choices"), choice_id)
    panel.post(f"/choices/{choice_id}", version=version, **(CHOICE | {"title": "south", "description": "a line"}))
    (choice,) = choices(session)
    assert (choice.title, choice.description, choice.tag) == ("south", "a line", None)
    answer = panel.post(f"/choices/{choice_id}", status=422, version=version, **(CHOICE | {"title": ""}))
    assert "This is needed." in answer.text


def test_second_of_two_people_sees_the_first_one_s_change(panel: Browser, session: Session, grouped: LiveCode) -> None:
    with writing(session):
        choice_id = make.choice_row(session, grouped).id
    version = version_of(panel.get(f"/codes/{grouped.id}/choices"), choice_id)
    panel.post(f"/choices/{choice_id}", version=version, **(CHOICE | {"title": "hers"}))
    answer = panel.post(f"/choices/{choice_id}", status=409, version=version, **(CHOICE | {"title": "mine"}))
    assert "theirs: hers" in answer.text and 'value="mine"' in answer.text
    assert choices(session)[0].title == "hers"


def test_choices_are_moved(panel: Browser, session: Session, grouped: LiveCode) -> None:
    with writing(session):
        first, _second = (make.choice_row(session, grouped, title=title).id for title in ("a", "b"))
    panel.post(f"/choices/{first}/move", by="1")
    assert [choice.title for choice in choices(session)] == ["b", "a"]
    panel.post(f"/choices/{first}/move", by="1")
    panel.post(f"/choices/{first}/move", by="x")
    assert [choice.title for choice in choices(session)] == ["b", "a"]
    panel.post(f"/choices/{first}/move", by="-1")
    assert [choice.title for choice in choices(session)] == ["a", "b"]


def test_archived_choice_comes_back_with_its_members_as_they_were(
    panel: Browser, session: Session, grouped: LiveCode
) -> None:
    with writing(session):
        choice = make.choice_row(session, grouped, title="north")
        for state in ("active", "disabled", "archived"):
            make.member_row(session, grouped, choice_id=choice.id, state=state, label=state)
        choice_id = choice.id
    page = panel.follow(panel.post(f"/choices/{choice_id}/archive"))
    assert "is archived, its codes with it" in page
    assert choices(session)[0].state == "archived"
    states = re.findall(r'name="states" value="([^"]+)"', page)[0]
    assert "is back" in panel.follow(panel.post(f"/choices/{choice_id}/restore", states=states))
    assert choices(session)[0].state == "active"
    assert all(row.state == row.label for row in fresh(session).query(Member))


def test_restore_of_what_is_not_ours_or_not_archived_changes_nothing(
    panel: Browser, other_panel: Browser, session: Session, grouped: LiveCode
) -> None:
    with writing(session):
        choice_id = make.choice_row(session, grouped).id
        member = make.member_row(session, grouped, choice_id=choice_id, state="archived")
    panel.post(f"/choices/{choice_id}/restore", states=f"{member.id}:active")
    assert fresh(session).get_one(Member, member.id).state == "archived"
    panel.post(f"/choices/{choice_id}/archive")
    other_panel.post(f"/choices/{choice_id}/restore", status=404, states="")
    assert choices(session)[0].state == "archived"


def test_twenty_first_choice_is_refused(panel: Browser, session: Session, grouped: LiveCode) -> None:
    with writing(session):
        ids = [make.choice_row(session, grouped).id for _ in range(20)]
    assert "20 choices at most" in panel.post(f"/codes/{grouped.id}/choices", status=422, **CHOICE).text
    panel.post(f"/choices/{ids[0]}/archive")
    panel.post(f"/codes/{grouped.id}/choices", **CHOICE)
    assert "20 choices at most" in panel.follow(panel.post(f"/choices/{ids[0]}/restore", states=""))

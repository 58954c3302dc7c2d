"""Choices in SQL: order, the limit of twenty, and what goes with one that is taken off the page."""

from typing import Any

import pytest
from sqlalchemy.orm import Session

from app.accounts.models import User
from app.codes import choices
from app.codes.changes import NOT_FOUND, STALE, Asker, Refused
from app.codes.models import Choice, LiveCode
from app.db import writing
from tests import make


@pytest.fixture
def grouped(session: Session, owner: User) -> LiveCode:
    with writing(session):
        return make.live_code_row(session, owner, kind="grouped")


def add(session: Session, asker: Asker, live_code: LiveCode, **values: Any) -> Any:
    with writing(session):
        return choices.add_choice(session, asker, live_code.id, {"title": "skin"} | values)


def test_choices_stand_in_the_order_they_were_made(session: Session, asker: Asker, grouped: LiveCode) -> None:
    first, second = add(session, asker, grouped), add(session, asker, grouped, position=1, tag="baby", mode="random")
    assert choices.choices_of(session, grouped.id) == [first, second]
    assert (second.tag, second.mode, grouped.version) == ("baby", "random", 3)


def test_simple_live_code_asks_nothing(session: Session, asker: Asker, live_code: LiveCode) -> None:
    assert add(session, asker, live_code) == Refused("not_grouped")


def test_archived_live_code_asks_nothing_more(session: Session, asker: Asker, grouped: LiveCode) -> None:
    with writing(session):
        grouped.state = "archived"
    assert add(session, asker, grouped) == Refused("archived")


def test_the_21st_choice_is_refused(session: Session, asker: Asker, grouped: LiveCode) -> None:
    with writing(session):
        for _ in range(20):
            make.choice_row(session, grouped)
    assert add(session, asker, grouped) == Refused("choice_limit", about={"limit": 20})


def test_change_raises_both_versions_and_a_second_one_is_stale(
    session: Session, asker: Asker, grouped: LiveCode
) -> None:
    choice = add(session, asker, grouped)
    with writing(session):
        choices.update_choice(session, asker, choice.id, {"title": "baby"}, version=1)
        assert choices.update_choice(session, asker, choice.id, {"title": "x"}, version=1) is STALE
        choices.update_choice(session, asker, choice.id, {"title": "baby"}, version=2)
    assert (choice.title, choice.version, grouped.version) == ("baby", 2, 3)


def test_archived_choice_takes_its_members_and_their_pin_along(
    session: Session, asker: Asker, grouped: LiveCode
) -> None:
    gone, stays = add(session, asker, grouped), add(session, asker, grouped)
    with writing(session):
        inside = make.member_row(session, grouped, choice_id=gone.id)
        outside = make.member_row(session, grouped, choice_id=stays.id)
        grouped.pinned_member_id = inside.id
    with writing(session):
        choices.archive_choice(session, asker, gone.id)
    assert (inside.state, outside.state) == ("archived", "active")
    assert grouped.pinned_member_id is None
    assert choices.choices_of(session, grouped.id) == [stays]
    assert choices.find_choice(session, asker, gone.id) is None
    with writing(session):
        assert choices.archive_choice(session, asker, gone.id) is NOT_FOUND


def test_reorder_puts_the_named_first(session: Session, asker: Asker, grouped: LiveCode) -> None:
    a, b, c = (add(session, asker, grouped) for _ in range(3))
    with writing(session):
        assert choices.reorder_choices(session, asker, grouped.id, [c.id]) == [c, a, b]
        assert choices.reorder_choices(session, asker, grouped.id, [999]) == Refused("invalid", {"ids": "unknown"})
    assert choices.choices_of(session, grouped.id) == [c, a, b]
    assert grouped.version == 5


def test_another_marketers_choice_is_not_found(session: Session, asker: Asker, grouped: LiveCode) -> None:
    choice: Choice = add(session, asker, grouped)
    with writing(session):
        stranger = make.asker(make.user_row(session))
    assert choices.find_choice(session, stranger, choice.id) is None
    assert choices.find_choice(session, asker, choice.id) is choice
    assert add(session, stranger, grouped) is NOT_FOUND
    with writing(session):
        assert choices.update_choice(session, stranger, choice.id, {"title": "x"}) is NOT_FOUND
        assert choices.archive_choice(session, stranger, choice.id) is NOT_FOUND
        assert choices.archive_choice(session, asker, 999_999) is NOT_FOUND
        assert choices.reorder_choices(session, stranger, grouped.id, []) is NOT_FOUND

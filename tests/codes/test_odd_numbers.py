"""Digits that are no number to count with, sent to every form of the panel that takes one: never a broken page."""

from collections.abc import Mapping
from typing import Any

import pytest
from sqlalchemy.orm import Session

from app.accounts.models import User
from app.codes.models import LiveCode
from app.db import writing
from tests import make
from tests.codes.conftest import Browser

# A power is a "digit" and no number; Python reads no number of five thousand digits.
ODD = ("²", "9" * 5000, "-1", "1.5")
FORMS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "page": ("/codes/{code}/page", ("version",)),
    "rules": ("/codes/{code}/rules", ("version", "unpressed_seat_hours")),
    "order": ("/codes/{code}/order", ("ids",)),
    "details": ("/codes/{code}/members/details", ("id",)),
    "headcounts": ("/codes/{code}/members/details", ("headcount-{member}",)),
    "upload": ("/codes/{code}/members", ("choice_id",)),
    "member": ("/members/{member}", ("revision", "capacity", "weight", "window-0-days", "choice_id")),
    "headcount": ("/members/{member}/headcount", ("count",)),
    "rollback": ("/members/{member}/rollback", ("version",)),
    "swap": ("/members/{member}/swap", ("headcount", "queue")),
}
QUERIES = ("/members/{member}/swapped?before={odd}", "/swaps?after={odd}",
           "/codes/{code}/rules/simulated?simulate=1&choice_id={odd}")  # fmt: skip


@pytest.fixture
def ids(session: Session, owner: User) -> dict[str, int]:
    with writing(session):
        live_code = make.live_code_row(session, owner)
        member = make.member_row(session, session.get_one(LiveCode, live_code.id))
        return {"code": live_code.id, "member": member.id}


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("name", FORMS)
def test_form_refuses_or_ignores_an_odd_number(panel: Browser, ids: dict[str, int], name: str, odd: str) -> None:
    path, fields = FORMS[name]
    for field in fields:
        sent: dict[str, Any] = {field.format(**ids): odd}
        if name == "headcounts":
            sent["id"] = ids["member"]
        response = panel.client.post(path.format(**ids), data=sent)
        assert response.status_code in (200, 204, 303, 409, 422), (field, response.status_code)


@pytest.mark.parametrize("odd", ODD[:1] + ODD[2:])
def test_address_with_an_odd_number_is_read_as_without(panel: Browser, ids: dict[str, int], odd: str) -> None:
    for query in QUERIES:
        response = panel.client.get(query.format(odd=odd, **ids))
        assert response.status_code in (200, 303), (query, response.status_code)


def test_full_width_digits_of_a_chinese_keyboard_are_numbers(panel: Browser, ids: dict[str, int]) -> None:
    panel.post(f"/members/{ids['member']}/headcount", count="１２０")
    assert "120" in panel.get(f"/codes/{ids['code']}")

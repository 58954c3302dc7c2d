"""The demo data: three live codes that can be scanned at once, made once."""

from collections import Counter
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.orm import Session

from app.accounts.models import User
from app.codes.cards import cards_of
from app.codes.desk import DESK
from app.codes.models import LiveCode
from app.db import db, writing
from tests import make


@pytest.fixture
def owner(app: Flask) -> int:
    with app.app_context(), writing(db.session) as session:
        make.user_row(session)
        return make.user_row(session, role="admin").id


def run(app: Flask, *arguments: str) -> str:
    result = app.test_cli_runner().invoke(args=["demo", "load", *arguments])
    assert result.exit_code == 0, result.output
    return result.output


def codes(session: Session) -> list[LiveCode]:
    return list(session.scalars(sa.select(LiveCode).order_by(LiveCode.id)))


def test_demo_shows_members_in_every_state(app: Flask, owner: int) -> None:
    assert run(app).count("/s/") == 3
    with app.app_context():
        found = codes(db.session)
        assert [code.kind for code in found] == ["simple", "grouped", "simple"]
        assert {code.owner_id for code in found} == {owner}
        cards = cards_of(db.session, app.extensions[DESK].ledger, found, datetime.now(UTC))
        seen = Counter(card.status for code in found for card in cards[code.id])
        assert {"active", "filling", "full", "expired", "expiring", "reserve", "disabled"} <= set(seen)
        assert any(card.row.is_fallback for card in cards[found[0].id])
        assert {choice.tag for choice in found[1].choices} == {"护肤", "母婴", "健身"}
        images = [card.version.image for code in found for card in cards[code.id]]
    client = app.test_client()
    assert all(client.get(f"/m/{image}").status_code == 200 for image in images)
    assert len(set(images)) == len(images)


def test_demo_is_loaded_once_where_it_should(app: Flask, owner: int) -> None:
    run(app, "--if-empty")
    assert run(app, "--if-empty") == ""
    with app.app_context():
        assert len(codes(db.session)) == 3
    run(app)
    with app.app_context():
        assert len(codes(db.session)) == 6


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_demo_wants_somebody_to_own_it(app: Flask) -> None:
    result = app.test_cli_runner().invoke(args=["demo", "load"])
    assert result.exit_code == 1 and "user create" in result.output


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_demo_may_belong_to_anybody(app: Flask, owner: int) -> None:
    with app.app_context():
        marketer = db.session.scalars(sa.select(User).where(User.role == "marketer")).one()
        email, marketer_id = marketer.email, marketer.id
    run(app, "--owner", email)
    with app.app_context():
        assert {code.owner_id for code in codes(db.session)} == {marketer_id}

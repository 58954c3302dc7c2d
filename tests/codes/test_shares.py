"""A live code shared with a colleague: who sees it, who may change it, who may share it. Three people: the owner, a
colleague, a stranger."""

from datetime import UTC, datetime

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from app.accounts.models import User
from app.db import writing
from app.stats import store
from app.stats.models import rollup_total_day
from tests import make
from tests.codes.conftest import Api, Browser, api_of, refused, told


@pytest.fixture
def colleague(session: Session) -> User:
    with writing(session):
        return make.user_row(session, email="wang@example.com", name="Wang")


@pytest.fixture
def theirs(app: Flask, session: Session, colleague: User) -> Api:
    """The colleague's program."""
    return api_of(app, session, colleague)


def share(api: Api, code: dict[str, object], level: str = "view") -> None:
    told(api.post(f"/live-codes/{code['id']}/shares", email="wang@example.com", level=level))


def names(api: Api) -> list[str]:
    return [row["name"] for row in told(api.get("/live-codes"))["items"]]


def test_a_colleague_sees_what_is_shared_and_a_stranger_nothing(api: Api, theirs: Api, stranger: Api) -> None:
    code = api.live_code(name="shared")
    api.live_code(name="kept")
    member = api.member(code)
    assert names(theirs) == []
    share(api, code)
    assert names(theirs) == ["shared"]
    assert names(stranger) == []
    for path in (f"/live-codes/{code['id']}", f"/members/{member['id']}", f"/live-codes/{code['id']}/members",
                 f"/live-codes/{code['id']}/qr", f"/live-codes/{code['id']}/stats"):  # fmt: skip
        assert theirs.get(path).status_code == 200, path
        assert stranger.get(path).status_code == 404, path


def test_who_may_look_changes_nothing_and_who_may_edit_does(api: Api, theirs: Api) -> None:
    code = api.live_code(name="before")
    member = api.member(code)
    share(api, code)
    where = f"/live-codes/{code['id']}"
    refused(theirs.patch(where, name="mine"), 404, "not_found")
    refused(theirs.post(f"{where}/members", target_url=make.group_url()), 404, "not_found")
    refused(theirs.post(f"/members/{member['id']}/swap", target_url=make.group_url()), 404, "not_found")
    refused(theirs.delete(where), 404, "not_found")
    share(api, code, "edit")
    assert told(theirs.patch(where, name="after"))["name"] == "after"
    assert told(theirs.post(f"/members/{member['id']}/swap", target_url=make.group_url()))["version"] == 2
    assert told(api.get(where))["name"] == "after"


def test_only_the_owner_and_administrators_share(
    app: Flask, session: Session, api: Api, theirs: Api, stranger: Api, colleague: User
) -> None:
    code = api.live_code()
    share(api, code, "edit")
    where = f"/live-codes/{code['id']}/shares"
    with writing(session):
        make.user_row(session, email="li@example.com")
        admin = make.user_row(session, role="admin")
    refused(theirs.post(where, email="li@example.com"), 404, "not_found")
    refused(stranger.post(where, email="li@example.com"), 404, "not_found")
    refused(theirs.delete(f"{where}/{colleague.id}"), 404, "not_found")
    told(api_of(app, session, admin).post(where, email="li@example.com"))
    assert {one["email"] for one in told(theirs.get(where))["items"]} == {"li@example.com", "wang@example.com"}


def test_whom_nothing_can_be_shared_with_is_said(app: Flask, session: Session, api: Api, owner: User) -> None:
    code = api.live_code()
    with writing(session):
        make.user_row(session, email="gone@example.com", is_active=False)
        make.user_row(session, email="admin@example.com", role="admin")
    for email in ("nobody@example.com", "gone@example.com", "admin@example.com", owner.email):
        refused(api.post(f"/live-codes/{code['id']}/shares", email=email), 422, "invalid", "email")


def test_who_is_taken_off_sees_it_no_more(api: Api, theirs: Api, colleague: User) -> None:
    code = api.live_code()
    share(api, code, "edit")
    where = f"/live-codes/{code['id']}/shares/{colleague.id}"
    assert api.delete(where).status_code == 204
    assert names(theirs) == []
    refused(theirs.get(f"/live-codes/{code['id']}"), 404, "not_found")
    refused(api.delete(where), 404, "not_found")


def test_panel_shares_and_hides_buttons_that_would_be_refused(
    app: Flask, session: Session, panel: Browser, api: Api, colleague: User
) -> None:
    code = api.live_code(name="spring")
    api.member(code)
    where = f"/codes/{code['id']}"
    other = Browser(app, session, colleague)
    other.get(where, 404)
    assert "Share with colleagues" in panel.get(where)
    told_so = panel.follow(panel.post(f"{where}/sharing", user_id=str(colleague.id), level="view"))
    assert "Wang may look" in told_so
    seen = other.get(where)
    assert "spring" in other.get("/codes")
    assert "Swap the code" not in seen
    assert "Share with colleagues" not in seen
    other.get(f"{where}/sharing", 404)
    other.post(f"{where}/sharing", 404, user_id=str(colleague.id), level="edit")
    panel.post(f"{where}/sharing", user_id=str(colleague.id), level="edit")
    assert "Swap the code" in other.get(where)
    panel.post(f"{where}/sharing/{colleague.id}/end")
    other.get(where, 404)


def test_shared_codes_count_in_the_colleague_s_numbers(
    app: Flask, session: Session, api: Api, theirs: Api, stranger: Api, colleague: User
) -> None:

    code = api.live_code()
    today = datetime.now(UTC).date()
    counts = {"scans": 7, "visitors": 5, "assigned": 3, "pressed": 2, "stuck": 0}
    with writing(session):
        session.execute(rollup_total_day.insert().values(live_code_id=code["id"], day=today, **counts))
    assert store.of_all(session, colleague.id, today, today) == []
    share(api, code)
    session.rollback()
    assert [row.counts.scans for row in store.of_all(session, colleague.id, today, today)] == [7]


def test_every_share_is_in_the_history(api: Api, panel: Browser, colleague: User) -> None:
    code = api.live_code()
    share(api, code)
    share(api, code, "edit")
    assert panel.get(f"/codes/{code['id']}/history").count("Shared") >= 2

"""The list of live codes in the panel, and how one is made, paused, archived and brought back."""

import re
from typing import Any

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from app.accounts.models import User
from app.codes.models import LiveCode, Member
from app.db import writing
from tests import make
from tests.codes.conftest import Browser, fresh


def code(session: Session, owner: User, **more: Any) -> int:
    with writing(session):
        return make.live_code_row(session, owner, **more).id


def member(session: Session, live_code_id: int, **more: Any) -> int:
    with writing(session):
        return make.member_row(session, session.get_one(LiveCode, live_code_id), **more).id


def names(page: str) -> list[str]:
    return re.findall(r'class="code-name"><a [^>]*>([^<]+)</a>', page)


def test_list_shows_names_and_how_much_room_is_left(panel: Browser, session: Session, owner: User) -> None:
    spring = code(session, owner, name="spring fair")
    member(session, spring, capacity=100, headcount=30)
    member(session, spring, capacity=50, headcount=50)
    page = panel.get("/codes")
    assert names(page) == ["spring fair"]
    assert 'aria-valuemax="150" aria-valuenow="80"' in page
    assert "1 full" in page


def test_list_is_empty_with_something_to_do(panel: Browser) -> None:
    page = panel.get("/codes")
    assert "No live code yet" in page and 'href="/codes/new"' in page


@pytest.mark.parametrize("q", ["SPRING", "guangzhou", "t-zzz"])
def test_search_finds_by_name_title_and_short_link(panel: Browser, session: Session, owner: User, q: str) -> None:
    code(session, owner, name="spring fair", title="Guangzhou fair", slug="t-zzz9")
    code(session, owner, name="other", title="other")
    assert names(panel.get(f"/codes?q={q}")) == ["spring fair"]


def test_search_answers_htmx_with_the_list_alone(panel: Browser, session: Session, owner: User) -> None:
    code(session, owner, name="spring fair")
    part = panel.partial("/codes?q=spring")
    assert names(part) == ["spring fair"] and "<html" not in part


def test_search_that_finds_nothing_shows_the_way_back(panel: Browser) -> None:
    page = panel.get("/codes?q=nothing")
    assert "Nothing fits" in page and 'href="/codes"' in page


def test_list_filters_by_state(panel: Browser, session: Session, owner: User) -> None:
    for state in ("active", "paused", "archived"):
        code(session, owner, name=state, state=state)
    assert set(names(panel.get("/codes"))) == {"active", "paused"}
    assert names(panel.get("/codes?state=paused")) == ["paused"]
    assert names(panel.get("/codes?state=archived")) == ["archived"]


def test_list_of_what_needs_care_leaves_out_what_is_well(panel: Browser, session: Session, owner: User) -> None:
    well, ill = code(session, owner, name="well"), code(session, owner, name="ill")
    member(session, well)
    member(session, ill, expires_at=make.NOW)
    assert names(panel.get("/codes?state=trouble")) == ["ill"]


def test_list_is_sorted_as_asked_and_pages(panel: Browser, session: Session, owner: User) -> None:
    for name in ("b", "a", "c"):
        code(session, owner, name=name)
    assert names(panel.get("/codes")) == ["c", "a", "b"]
    assert names(panel.get("/codes?sort=name")) == ["a", "b", "c"]
    assert names(panel.get("/codes?sort=nonsense")) == ["c", "a", "b"]
    page = panel.get("/codes?sort=name&per_page=2&page=2")
    assert names(page) == ["c"] and "Page 2 of 2" in page
    panel.get("/codes?page=x", status=422)


def test_name_alone_is_enough_to_begin(panel: Browser, session: Session, owner: User) -> None:
    answer = panel.post("/codes/new", name="spring fair", form_token="t1")
    assert re.fullmatch(r"/codes/\d+\?new=1", answer.headers["Location"])
    page = panel.follow(answer)
    assert "Choose the pictures of your group codes" in page
    row = fresh(session).query(LiveCode).one()
    assert (row.name, row.title, row.owner_id, row.mode, row.kind) == (
        "spring fair", "spring fair", owner.id, "sequential", "simple",
    )  # fmt: skip


def test_everything_typed_in_the_first_form_is_kept(panel: Browser, session: Session) -> None:
    panel.post(
        "/codes/new", name="fair", kind="grouped", mode="random", form_token="t1",
        contact_text="Ask us", contact_phone="020-1", contact_url="https://example.com/help",
    )  # fmt: skip
    row = fresh(session).query(LiveCode).one()
    assert (row.kind, row.mode) == ("grouped", "random")
    assert (row.contact_text, row.contact_phone, row.contact_url) == ("Ask us", "020-1", "https://example.com/help")


def test_form_that_cannot_be_saved_keeps_what_was_typed(panel: Browser, session: Session) -> None:
    answer = panel.post("/codes/new", status=422, name=" ", contact_text="Ask us", contact_url="help", form_token="t1")
    assert "This is needed." in answer.text and 'value="Ask us"' in answer.text and 'value="t1"' in answer.text
    assert fresh(session).query(LiveCode).count() == 0


def test_form_sent_twice_makes_one_live_code(panel: Browser, session: Session) -> None:
    first = panel.post("/codes/new", name="fair", form_token="t1")
    again = panel.post("/codes/new", name="fair", form_token="t1")
    assert first.headers["Location"] == again.headers["Location"]
    assert fresh(session).query(LiveCode).count() == 1


def test_form_changed_and_sent_again_makes_another(panel: Browser, session: Session) -> None:
    panel.post("/codes/new", name="fair", form_token="t1")
    panel.post("/codes/new", name="other fair", form_token="t1")
    panel.post("/codes/new", name="fair", form_token="t2")
    assert fresh(session).query(LiveCode).count() == 3


def test_markup_in_a_name_is_shown_and_does_nothing(panel: Browser, session: Session, owner: User) -> None:
    code(session, owner, name="<script>alert(1)</script>")
    page = panel.get("/codes")
    assert "<script>alert" not in page and "&lt;script&gt;alert(1)" in page


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("active", "paused", "is paused"),
        ("paused", "active", "goes on"),
        ("active", "archived", "is archived"),
        ("archived", "active", "is back"),
    ],
)
def test_state_is_changed_and_can_be_taken_back(
    panel: Browser, session: Session, owner: User, before: str, after: str, told: str
) -> None:
    one = code(session, owner, name="fair", state=before)
    page = panel.follow(panel.post(f"/codes/{one}/state", state=after, next="/codes"))
    assert told in page and f'action="/codes/{one}/state"' in page
    assert session.get_one(LiveCode, one).state == after
    fresh(session)
    panel.post(f"/codes/{one}/state", state=before)
    assert session.get_one(LiveCode, one).state == before


def test_state_nobody_knows_changes_nothing(panel: Browser, session: Session, owner: User) -> None:
    one = code(session, owner)
    panel.post(f"/codes/{one}/state", state="exploded")
    assert session.get_one(LiveCode, one).state == "active"


def test_next_never_leads_to_another_site(panel: Browser, session: Session, owner: User) -> None:
    one = code(session, owner)
    answer = panel.post(f"/codes/{one}/state", state="paused", next="//evil.example/codes")
    assert answer.headers["Location"] == f"/codes/{one}"


def test_duplicate_has_the_rules_and_no_members(panel: Browser, session: Session, owner: User) -> None:
    one = code(session, owner, name="fair", mode="random", notice="hello")
    member(session, one)
    panel.follow(panel.post(f"/codes/{one}/duplicate"))
    copy = fresh(session).query(LiveCode).filter(LiveCode.id != one).one()
    assert (copy.name, copy.mode, copy.notice) == ("fair (copy)", "random", "hello")
    assert fresh(session).query(Member).filter(Member.live_code_id == copy.id).count() == 0


PAGES = (
    "/codes/{code}", "/codes/{code}/rules", "/codes/{code}/choices", "/codes/{code}/page", "/codes/{code}/print",
    "/codes/{code}/history", "/codes/{code}/trial", "/codes/{code}/headcounts", "/codes/{code}/qr.svg",
    "/codes/{code}/rules/simulated?simulate=1", "/members/{member}", "/members/{member}/swap",
    "/members/{member}/swapped?before=1", "/members/{member}/card/1.jpg",
)  # fmt: skip
FORMS = (
    "/codes/{code}/state", "/codes/{code}/duplicate", "/codes/{code}/members", "/codes/{code}/members/pick",
    "/codes/{code}/members/details", "/codes/{code}/order", "/codes/{code}/unpin", "/codes/{code}/rules",
    "/codes/{code}/rules/told", "/codes/{code}/page", "/codes/{code}/choices", "/codes/{code}/headcounts",
    "/members/{member}", "/members/{member}/swap", "/members/{member}/swap/check", "/members/{member}/rollback",
    "/members/{member}/state", "/members/{member}/move", "/members/{member}/pin", "/members/{member}/trust",
    "/members/{member}/show", "/members/{member}/headcount", "/choices/{choice}", "/choices/{choice}/move",
    "/choices/{choice}/archive",
)  # fmt: skip


def a_world(session: Session, owner: User) -> dict[str, int]:
    one = code(session, owner, kind="grouped")
    with writing(session):
        choice = make.choice_row(session, session.get_one(LiveCode, one)).id
    return {"code": one, "member": member(session, one, choice_id=choice), "choice": choice}


def test_what_belongs_to_somebody_else_is_not_there(other_panel: Browser, session: Session, owner: User) -> None:
    ids = a_world(session, owner)
    for path in PAGES:
        other_panel.get(path.format(**ids), status=404)
    for path in FORMS:
        other_panel.post(path.format(**ids), status=404)
    assert names(other_panel.get("/codes")) == []


def test_unknown_numbers_are_not_there(panel: Browser) -> None:
    ids = {"code": 999_999, "member": 2**31 - 1, "choice": 1}
    for path in PAGES:
        panel.get(path.format(**ids), status=404)
    panel.get("/codes/99999999999999999999", status=404)


def test_viewer_looks_at_everything_and_changes_nothing(app: Flask, session: Session, owner: User) -> None:
    ids = a_world(session, owner)
    with writing(session):
        looks_on = make.user_row(session, role="viewer")
    viewer = Browser(app, session, looks_on)
    for path in ("/codes", "/today", "/swaps", *PAGES[:8]):
        page = viewer.get(path.format(**ids))
        assert "/codes/new" not in page and "formaction" not in page
    for path in FORMS:
        if not path.endswith(("/told", "/check")):
            viewer.post(path.format(**ids), status=403)


def test_stranger_is_asked_to_log_in(app: Flask, session: Session, owner: User) -> None:
    ids = a_world(session, owner)
    client = app.test_client()
    for path in ("/codes", "/today", "/swaps", "/codes/new", *PAGES):
        answer = client.get(path.format(**ids))
        assert answer.status_code == 303 and answer.headers["Location"].startswith("/login"), path


def test_form_without_its_token_is_refused(panel: Browser, session: Session, owner: User) -> None:
    ids = a_world(session, owner)
    for path in FORMS:
        answer = panel.client.post(path.format(**ids), headers={"X-CSRFToken": ""})
        assert answer.status_code == 403, path


def test_page_holds_no_style_and_no_script_of_its_own(panel: Browser, session: Session, owner: User) -> None:
    ids = a_world(session, owner)
    for path in ("/codes", "/codes/new", "/today", "/swaps", *PAGES[:8], "/members/{member}", "/members/{member}/swap"):
        page = panel.get(path.format(**ids))
        assert not re.search(r"<style|<script(?! src=)| style=| on[a-z]+=", page), path

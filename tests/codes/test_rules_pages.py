"""The rules of a live code in the panel: saved, told in plain words, tried with a made-up visitor."""

import re
from typing import Any

import pytest
from sqlalchemy.orm import Session

from app.accounts.models import User
from app.codes.models import LiveCode
from app.db import writing
from tests import make
from tests.codes.conftest import Browser, fresh

RULES: dict[str, Any] = {
    "mode": "sequential", "region_policy": "prefer", "on_closed_member": "by_press", "unpressed_seat_hours": "48",
    "dedupe_group": "", "starts_at": "", "ends_at": "", "contact_text": "", "contact_phone": "", "contact_url": "",
    "open": "page",
}  # fmt: skip


def rules(panel: Browser, live_code: LiveCode, status: int = 303, **changes: Any) -> Any:
    page = panel.get(f"/codes/{live_code.id}/rules")
    version = re.findall(r'name="version" value="(\d+)"', page)[0]
    return panel.post(f"/codes/{live_code.id}/rules", status=status, **({"version": version} | RULES | changes))


def told(page: str) -> str:
    box = page[page.index('class="told"') :]
    return box[: box.index("</ul>")]


def test_every_rule_is_saved(panel: Browser, session: Session, live_code: LiveCode) -> None:
    rules(
        panel, live_code, mode="random", region_policy="strict", on_closed_member="hold", unpressed_seat_hours="24",
        dedupe_group="spring", starts_at="2026-12-01T08:00", ends_at="2026-12-31T20:00", contact_text="Ask",
        contact_phone="020", contact_url="https://example.com", open="redirect", asks_city="1",
    )  # fmt: skip
    row = fresh(session).get_one(LiveCode, live_code.id)
    assert (row.mode, row.region_policy, row.on_closed_member, row.unpressed_seat_hours) == (
        "random", "strict", "hold", 24,
    )  # fmt: skip
    assert (row.dedupe_group, row.open, row.asks_city) == ("spring", "redirect", True)
    assert (row.contact_text, row.contact_phone, row.contact_url) == ("Ask", "020", "https://example.com")
    assert row.starts_at is not None and row.starts_at.isoformat() == "2026-12-01T00:00:00+00:00"
    assert row.ends_at is not None and row.ends_at.isoformat() == "2026-12-31T12:00:00+00:00"


def test_rules_are_emptied(panel: Browser, session: Session, owner: User) -> None:
    with writing(session):
        live_code = make.live_code_row(session, owner, dedupe_group="x", contact_text="y", asks_city=True)
    rules(panel, live_code)
    row = fresh(session).get_one(LiveCode, live_code.id)
    assert (row.dedupe_group, row.contact_text, row.asks_city) == (None, "", False)


def test_dates_nobody_touched_keep_their_seconds(panel: Browser, session: Session, owner: User) -> None:
    ends_at = make.NOW.replace(year=2099, second=42)
    with writing(session):
        live_code = make.live_code_row(session, owner, ends_at=ends_at)
    rules(panel, live_code, mode="random", ends_at=ends_at.astimezone(make.ZONE).strftime("%Y-%m-%dT%H:%M"))
    row = fresh(session).get_one(LiveCode, live_code.id)
    assert (row.mode, row.ends_at) == ("random", ends_at)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"unpressed_seat_hours": "-1"}, "A whole number from 0"),
        ({"contact_url": "help"}, "An address that begins with http"),
        ({"starts_at": "2026-12-02T08:00", "ends_at": "2026-12-01T08:00"}, "The end must come after the start."),
        ({"mode": "whatever"}, "One of:"),
        ({"dedupe_group": "x" * 51}, "At most 50 characters."),
    ],
)
def test_wrong_rule_is_told_and_what_was_typed_kept(
    panel: Browser, session: Session, live_code: LiveCode, changes: dict[str, str], words: str
) -> None:
    answer = rules(panel, live_code, 422, **({"contact_text": "typed by me"} | changes))
    assert "typed by me" in answer.text
    assert words in answer.text or changes.get("mode")
    assert fresh(session).get_one(LiveCode, live_code.id).contact_text == ""


def test_end_before_the_stored_start_is_told_under_its_field(panel: Browser, session: Session, owner: User) -> None:
    with writing(session):
        live_code = make.live_code_row(session, owner, starts_at=make.NOW.replace(year=2098))
    answer = rules(panel, live_code, 422, starts_at="2098-11-02T12:00", ends_at="2097-01-01T00:00")
    assert "The end must come after the start." in answer.text


def test_second_of_two_people_sees_the_first_one_s_change(
    panel: Browser, session: Session, live_code: LiveCode
) -> None:
    version = re.findall(r'name="version" value="(\d+)"', panel.get(f"/codes/{live_code.id}/rules"))[0]
    rules(panel, live_code, mode="random", contact_text="hers")
    path = f"/codes/{live_code.id}/rules"
    answer = panel.post(path, status=409, **(RULES | {"version": version, "contact_text": "mine"}))
    assert "theirs: hers" in answer.text and "yours: mine" in answer.text and 'value="mine"' in answer.text
    assert fresh(session).get_one(LiveCode, live_code.id).contact_text == "hers"
    again = re.findall(r'name="version" value="(\d+)"', answer.text)[0]
    panel.post(path, **(RULES | {"version": again, "contact_text": "mine"}))
    assert fresh(session).get_one(LiveCode, live_code.id).contact_text == "mine"


def test_member_added_meanwhile_is_no_conflict(panel: Browser, session: Session, live_code: LiveCode) -> None:
    version = re.findall(r'name="version" value="(\d+)"', panel.get(f"/codes/{live_code.id}/rules"))[0]
    panel.post(f"/codes/{live_code.id}/members", status=200, target_url=make.group_url())
    panel.post(f"/codes/{live_code.id}/rules", **(RULES | {"version": version, "mode": "random"}))


def test_what_will_happen_is_told_from_the_rules_as_they_stand(panel: Browser, session: Session, owner: User) -> None:
    with writing(session):
        live_code = make.live_code_row(session, owner, mode="round_robin", dedupe_group="spring")
        make.member_row(session, live_code, weight=3, regions=["CN/CN-GD"], windows=[])
        make.member_row(session, live_code, weight=1)
        make.member_row(session, live_code, is_fallback=True, label="Mei")
    words = told(panel.get(f"/codes/{live_code.id}/rules"))
    assert "3 : 1" in words and "Visitors from Guangdong" in words and "“spring”" in words
    assert "the fallback code is shown: Mei." in words and "48 hours" in words


def test_what_would_happen_is_told_before_it_is_saved(panel: Browser, session: Session, live_code: LiveCode) -> None:
    path = f"/codes/{live_code.id}/rules/told"
    part = panel.partial(path, "POST", data=RULES | {"mode": "random", "contact_text": "x", "version": "1"})
    assert "at random" in part and "find your contact" in part and "<html" not in part
    assert "nobody to turn to" in panel.partial(path, "POST", data=RULES)
    assert "New visitors" in panel.partial(path, "POST", data=RULES | {"unpressed_seat_hours": "x"})
    assert fresh(session).get_one(LiveCode, live_code.id).mode == "sequential"


def a_place(session: Session, owner: User) -> LiveCode:
    with writing(session):
        live_code = make.live_code_row(session, owner)
        make.member_row(session, live_code, label="everywhere", capacity=10)
        make.member_row(session, live_code, label="Chengdu group", regions=["CN/CN-SC/510100"], capacity=10)
        make.member_row(session, live_code, label="full one", capacity=5, headcount=5)
    return live_code


@pytest.mark.parametrize(
    ("place", "member"), [("成都", "Chengdu group"), ("chengdu", "Chengdu group"), ("", "everywhere")]
)
def test_simulator_names_who_and_why(panel: Browser, session: Session, owner: User, place: str, member: str) -> None:
    live_code = a_place(session, owner)
    query = {"simulate": "1", "from": place}
    part = panel.partial(f"/codes/{live_code.id}/rules/simulated", query_string=query)
    answer = re.sub(r"<[^>]+>", "", part[part.index('class="answer"') : part.index('class="trace"')])
    assert member in answer and "gets" in answer
    assert "full one" in part and ">full<" in part
    assert member in panel.get(f"/codes/{live_code.id}/rules", query_string=query)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"from": "nowhere-at-all"}, "There is no such place."),
        ({"at": "soon"}, "A time such as"),
    ],
)
def test_simulator_says_what_it_does_not_understand(
    panel: Browser, live_code: LiveCode, query: dict[str, str], words: str
) -> None:
    assert words in panel.partial(f"/codes/{live_code.id}/rules/simulated", query_string={"simulate": "1"} | query)
    assert words in panel.get(f"/codes/{live_code.id}/rules", query_string={"simulate": "1"} | query)


def test_simulator_takes_an_address_a_time_and_a_choice(panel: Browser, session: Session, owner: User) -> None:
    with writing(session):
        live_code = make.live_code_row(session, owner, kind="grouped")
        choice = make.choice_row(session, live_code, title="north")
        make.member_row(session, live_code, choice_id=choice.id, label="n 1", valid_from=make.NOW.replace(year=2098))
        ids = {"code": live_code.id, "choice": choice.id}
    path = f"/codes/{ids['code']}/rules/simulated"
    query = {"simulate": "1", "from": "127.0.0.1", "at": "2098-12-01T10:00", "choice_id": str(ids["choice"])}
    assert "n 1" in panel.partial(path, query_string=query)
    assert "not valid yet" in panel.partial(path, query_string=query | {"at": ""})
    assert "is asked which group they want" in panel.partial(path, query_string=query | {"choice_id": "999"})


def test_paused_code_is_simulated_as_paused(panel: Browser, session: Session, owner: User) -> None:
    with writing(session):
        live_code = make.live_code_row(session, owner, state="paused")
    part = panel.partial(f"/codes/{live_code.id}/rules/simulated?simulate=1")
    assert "reads that the event is paused" in part


def test_dedupe_groups_in_use_are_offered(panel: Browser, session: Session, owner: User, live_code: LiveCode) -> None:
    with writing(session):
        make.live_code_row(session, owner, dedupe_group="spring")
    assert '<option value="spring">' in panel.get(f"/codes/{live_code.id}/rules")

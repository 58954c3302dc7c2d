"""Pictures handed in through the panel: one verdict a file, and none lost because another failed."""

import html
import re
from datetime import UTC, datetime, timedelta
from io import BytesIO

import pytest
from sqlalchemy.orm import Session

from app.accounts.models import User
from app.codes.models import LiveCode, Member, MemberGeneration, MemberVersion
from app.db import writing
from app.outside.files import FileStore, StoreFull
from tests import make, pictures
from tests.codes.conftest import Browser, fresh

GROUP = ("group.png", pictures.encoded(pictures.screen(pictures.GROUP)))
OTHER = ("other.png", pictures.encoded(pictures.screen(pictures.OTHER_GROUP)))
PERSON = ("person.png", pictures.encoded(pictures.screen(pictures.PERSON)))
TWO = ("two.png", pictures.encoded(pictures.screen(pictures.GROUP, second=pictures.PERSON)))
PAYMENT = ("pay.png", pictures.encoded(pictures.code(pictures.PAYMENT)))
BLANK = ("blank.png", pictures.encoded(pictures.code("x").resize((10, 10)).point(lambda _value: 255)))
TEXT = ("notes.png", b"MZ not a picture at all")


def targets(session: Session, live_code: LiveCode) -> list[str]:
    rows = (
        fresh(session)
        .query(MemberVersion.target)
        .join(Member)
        .filter(Member.live_code_id == live_code.id)
        .order_by(Member.position)
    )
    return [row.target for row in rows]


def verdicts(page: str) -> list[str]:
    return re.findall(r'data-verdict="(\w+)"', page)


def test_several_files_are_bound_at_once_without_scripts(panel: Browser, session: Session, live_code: LiveCode) -> None:
    page = panel.send(f"/codes/{live_code.id}/members", GROUP, OTHER, PERSON).text
    assert verdicts(page) == ["good", "good", "good"]
    assert targets(session, live_code) == [pictures.GROUP, pictures.OTHER_GROUP, pictures.PERSON]


def test_files_survive_one_that_fails(panel: Browser, session: Session, live_code: LiveCode) -> None:
    page = panel.send(f"/codes/{live_code.id}/members", TEXT, GROUP, PAYMENT, BLANK, OTHER).text
    assert verdicts(page) == ["bad", "good", "bad", "bad", "good"]
    assert "This file is no picture." in page and "payment code" in page and "There is no QR code" in page
    assert all(name in page for name in ("notes.png", "pay.png", "blank.png"))
    assert targets(session, live_code) == [pictures.GROUP, pictures.OTHER_GROUP]


def test_upload_of_which_nothing_could_be_bound_says_so(panel: Browser, live_code: LiveCode) -> None:
    answer = panel.send(f"/codes/{live_code.id}/members", TEXT, status=422)
    assert verdicts(answer.text) == ["bad"] and "Save and go on" in answer.text


def test_same_code_again_leads_to_where_it_is(panel: Browser, session: Session, live_code: LiveCode) -> None:
    panel.send(f"/codes/{live_code.id}/members", GROUP)
    member = fresh(session).query(Member).one()
    page = panel.send(f"/codes/{live_code.id}/members", GROUP, status=422).text
    assert "This code is here already." in page and f"/codes/{live_code.id}#member-{member.id}" in page
    assert f"It is here: {member.label}" in page
    assert fresh(session).query(Member).count() == 1


def test_contact_may_stand_twice_on_purpose(panel: Browser, session: Session, live_code: LiveCode) -> None:
    panel.send(f"/codes/{live_code.id}/members", PERSON)
    page = panel.send(f"/codes/{live_code.id}/members", PERSON, status=422).text
    again = re.search(r'name="again" value="([^"]+)"', page)
    assert again is not None
    panel.post(f"/codes/{live_code.id}/members/pick", status=200, again=again[1])
    assert targets(session, live_code) == [pictures.PERSON, pictures.PERSON]


def test_one_of_several_codes_is_picked_without_uploading_again(
    panel: Browser, session: Session, live_code: LiveCode
) -> None:
    page = panel.send(f"/codes/{live_code.id}/members", TWO, status=422).text
    assert verdicts(page) == ["pick"] and "WeChat group" in page and "WeChat contact" in page
    tokens = [html.unescape(token) for token in re.findall(r'name="bound" value="([^"]+)"', page)]
    assert len(tokens) == 2
    answer = panel.post(f"/codes/{live_code.id}/members/pick", status=200, bound=tokens[1])
    assert verdicts(answer.text) == ["good"]
    assert targets(session, live_code) == [pictures.PERSON]


def test_pick_of_another_live_code_binds_nothing(
    panel: Browser, session: Session, owner: User, live_code: LiveCode
) -> None:
    with writing(session):
        other = make.live_code_row(session, owner)
    page = panel.send(f"/codes/{other.id}/members", TWO, status=422).text
    token = re.findall(r'name="bound" value="([^"]+)"', page)[0]
    answer = panel.post(f"/codes/{live_code.id}/members/pick", status=422, bound=token)
    assert "Please upload the picture again." in answer.text
    panel.post(f"/codes/{live_code.id}/members/pick", status=422, bound="made up")
    assert fresh(session).query(Member).count() == 0


def test_link_is_bound_like_a_picture(panel: Browser, session: Session, live_code: LiveCode) -> None:
    answer = panel.post(f"/codes/{live_code.id}/members", status=200, target_url=f" {pictures.SHORT_GROUP} ")
    assert verdicts(answer.text) == ["good"]
    assert targets(session, live_code) == [pictures.SHORT_GROUP]
    assert "holds no link" in panel.post(f"/codes/{live_code.id}/members", status=422, target_url="hello").text


def test_empty_form_says_what_to_do(panel: Browser, live_code: LiveCode) -> None:
    answer = panel.post(f"/codes/{live_code.id}/members", status=422)
    assert "Choose a picture or type a link first." in answer.text


def test_scripts_get_the_verdict_alone(panel: Browser, live_code: LiveCode) -> None:
    part = panel.client.post(
        f"/codes/{live_code.id}/members",
        data={"image": (BytesIO(TEXT[1]), TEXT[0])},
        headers={"HX-Request": "true"},
    )
    assert part.status_code == 200 and verdicts(part.text) == ["bad"] and "<html" not in part.text


def test_codes_get_names_to_tell_them_apart(panel: Browser, session: Session, live_code: LiveCode) -> None:
    panel.send(f"/codes/{live_code.id}/members", GROUP, OTHER, PERSON)
    labels = [row.label for row in fresh(session).query(Member).order_by(Member.position)]
    assert labels == ["WeChat group 1", "WeChat group 2", "WeChat contact 1"]


def test_twenty_first_file_waits_for_the_next_time(panel: Browser, live_code: LiveCode) -> None:
    page = panel.send(f"/codes/{live_code.id}/members", *[TEXT] * 20, GROUP, status=422).text
    assert verdicts(page) == ["bad"] * 21 and "At most 20 files at once." in page


def test_several_large_pictures_fit_into_one_form(panel: Browser, live_code: LiveCode) -> None:
    large = ("large.png", GROUP[1] + b"\0" * 9_000_000)
    page = panel.send(f"/codes/{live_code.id}/members", large, ("more.png", OTHER[1] + b"\0" * 9_000_000)).text
    assert verdicts(page) == ["good", "good"]


def test_grouped_live_code_puts_pictures_into_the_choice(panel: Browser, session: Session, owner: User) -> None:
    with writing(session):
        live_code = make.live_code_row(session, owner, kind="grouped")
        choice_id = make.choice_row(session, live_code).id
    panel.send(f"/codes/{live_code.id}/members", GROUP, choice_id=str(choice_id))
    panel.send(f"/codes/{live_code.id}/members", PERSON, choice_id="")
    in_choice, for_all = fresh(session).query(Member).order_by(Member.id)
    assert (in_choice.choice_id, in_choice.is_fallback) == (choice_id, False)
    assert (for_all.choice_id, for_all.is_fallback) == (None, True)
    answer = panel.send(f"/codes/{live_code.id}/members", OTHER, choice_id="999", status=422)
    assert verdicts(answer.text) == ["bad"]


def test_two_hundred_and_first_code_is_refused(panel: Browser, session: Session, live_code: LiveCode) -> None:
    with writing(session):
        for _ in range(200):
            make.member_row(session, session.get_one(LiveCode, live_code.id))
    answer = panel.send(f"/codes/{live_code.id}/members", GROUP, status=422)
    assert "A live code holds 200 codes." in answer.text


def test_full_disk_is_told_and_leaves_no_half_member(
    panel: Browser, session: Session, live_code: LiveCode, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(self: FileStore, data: bytes, suffix: str) -> str:
        raise StoreFull(28, "no room")

    monkeypatch.setattr(FileStore, "put", no_room)
    answer = panel.send(f"/codes/{live_code.id}/members", GROUP, status=422)
    assert "There is no room left for pictures." in answer.text
    assert fresh(session).query(Member).count() == 0


def test_names_headcounts_and_days_are_saved_in_one_go(panel: Browser, session: Session, live_code: LiveCode) -> None:
    panel.send(f"/codes/{live_code.id}/members", GROUP, PERSON)
    group, person = fresh(session).query(Member).order_by(Member.position)
    day = (datetime.now(UTC) + timedelta(days=3)).date()
    answer = panel.post(
        f"/codes/{live_code.id}/members/details",
        **{
            "id": [str(group.id), str(person.id)], f"label-{group.id}": "fair 1", f"headcount-{group.id}": "118",
            f"m{group.id}-expiry": day.isoformat(), f"label-{person.id}": "Mei",
        },
    )  # fmt: skip
    assert answer.headers["Location"] == f"/codes/{live_code.id}/print?new=1"
    fresh(session)
    assert (group.label, person.label) == ("fair 1", "Mei")
    generation = fresh(session).query(MemberGeneration).filter_by(member_id=group.id).one()
    version = fresh(session).query(MemberVersion).filter_by(member_id=group.id).one()
    assert generation.headcount == 118
    assert version.expires_at is not None and version.expires_at.astimezone(make.ZONE).date() == day
    assert version.expiry_source == "entered"


def test_guessed_day_left_alone_stays_a_guess(panel: Browser, session: Session, live_code: LiveCode) -> None:
    page = panel.send(f"/codes/{live_code.id}/members", GROUP).text
    member = fresh(session).query(Member).one()
    assert re.search(rf'name="m{member.id}-expiry" value="guess" checked', page)
    panel.post(
        f"/codes/{live_code.id}/members/details",
        **{"id": str(member.id), f"m{member.id}-expiry": "guess", f"label-{member.id}": ""},
    )
    assert fresh(session).query(MemberVersion).one().expiry_source == "guessed"


def test_wrong_headcount_is_told_and_the_rest_saved(panel: Browser, session: Session, live_code: LiveCode) -> None:
    panel.send(f"/codes/{live_code.id}/members", GROUP, OTHER)
    one, two = fresh(session).query(Member).order_by(Member.position)
    answer = panel.post(
        f"/codes/{live_code.id}/members/details",
        **{"id": [str(one.id), str(two.id)], f"headcount-{one.id}": "-4", f"label-{two.id}": "fair 2"},
    )
    assert "1 could not be saved." in panel.follow(answer)
    fresh(session)
    assert two.label == "fair 2"


def test_details_of_another_live_code_are_left_alone(
    panel: Browser, session: Session, owner: User, live_code: LiveCode
) -> None:
    with writing(session):
        other = make.member_row(session, make.live_code_row(session, owner), label="mine")
    panel.post(f"/codes/{live_code.id}/members/details", **{"id": str(other.id), f"label-{other.id}": "stolen"})
    fresh(session)
    assert other.label == "mine"

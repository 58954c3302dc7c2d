"""Several new codes at once: read together, put onto their members by hand, nothing matched by guess."""

import html
import re

import pytest
from sqlalchemy.orm import Session

from app.codes.models import LiveCode, Member, MemberVersion
from app.db import writing
from tests import make, pictures
from tests.codes.conftest import Browser, fresh

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

NEW = [("a.png", pictures.encoded(pictures.screen(url))) for url in (pictures.GROUP, pictures.OTHER_GROUP)]
TEXT = ("notes.txt", b"hello")


@pytest.fixture
def groups(session: Session, live_code: LiveCode) -> list[Member]:
    with writing(session):
        code = session.get_one(LiveCode, live_code.id)
        return [make.member_row(session, code, label=f"fair {number}", capacity=195) for number in (1, 2, 3)]


def bound(page: str) -> dict[str, str]:
    """What a browser would send of the pictures that were read."""
    found = re.findall(r'name="(bound-\d+|file-\d+)" value="([^"]*)"', page)
    return {name: html.unescape(value) for name, value in found}


def targets(session: Session, groups: list[Member]) -> list[str]:
    fresh(session)
    found = []
    for member in groups:
        row = session.get_one(Member, member.id)
        mine = {"member_id": row.id, "number": row.current_version}
        found.append(session.query(MemberVersion).filter_by(**mine).one().target)
    return found


def read(panel: Browser, live_code: LiveCode, *files: tuple[str, bytes]) -> str:
    return panel.send(f"/codes/{live_code.id}/swap-many", *files, read="1").text


def swap(panel: Browser, live_code: LiveCode, status: int = 303, **fields: str) -> str:
    return panel.post(f"/codes/{live_code.id}/swap-many", status=status, swap="1", **fields).text


def test_pictures_are_read_and_nothing_is_chosen_for_anybody(
    panel: Browser, session: Session, live_code: LiveCode, groups: list[Member]
) -> None:
    before = targets(session, groups)
    page = read(panel, live_code, *NEW, TEXT)
    assert page.count('name="bound-') == 2 and "This file is no picture." in page
    assert "checked" not in "".join(re.findall(r'<input type="radio" name="onto-\d+" value="\d+"[^>]*>', page))
    assert targets(session, groups) == before


def test_each_is_put_onto_its_member(
    panel: Browser, session: Session, live_code: LiveCode, groups: list[Member]
) -> None:
    page = read(panel, live_code, *NEW)
    second = targets(session, groups)[1]
    swap(panel, live_code, **bound(page), **{"onto-0": str(groups[2].id), "onto-1": str(groups[0].id)})
    assert targets(session, groups) == [pictures.OTHER_GROUP, second, pictures.GROUP]
    assert "2 codes are swapped." in panel.get(f"/codes/{live_code.id}")


def test_what_is_not_chosen_yet_stays_on_the_page(
    panel: Browser, session: Session, live_code: LiveCode, groups: list[Member]
) -> None:
    page = read(panel, live_code, *NEW)
    rest = swap(panel, live_code, 200, **bound(page), **{"onto-0": str(groups[0].id), "onto-1": ""})
    assert rest.count('name="bound-') == 1
    assert targets(session, groups)[0] == pictures.GROUP
    swap(panel, live_code, **bound(rest), **{"onto-0": str(groups[1].id)})
    assert targets(session, groups)[1] == pictures.OTHER_GROUP


def test_two_pictures_for_one_member_swap_neither(
    panel: Browser, session: Session, live_code: LiveCode, groups: list[Member]
) -> None:
    before = targets(session, groups)
    page = read(panel, live_code, *NEW)
    mine = str(groups[0].id)
    assert "Two pictures for one code" in swap(panel, live_code, 422, **bound(page), **{"onto-0": mine, "onto-1": mine})
    assert targets(session, groups) == before


def test_what_stands_behind_another_member_is_refused_by_itself(
    panel: Browser, session: Session, live_code: LiveCode, groups: list[Member]
) -> None:
    with writing(session):
        make.member_row(session, session.get_one(LiveCode, live_code.id), target=pictures.GROUP)
    page = read(panel, live_code, *NEW)
    onto = {"onto-0": str(groups[0].id), "onto-1": str(groups[1].id)}
    assert "here already" in swap(panel, live_code, 200, **bound(page), **onto)
    assert targets(session, groups)[1] == pictures.OTHER_GROUP


def test_another_live_code_s_member_is_nobody_here(
    panel: Browser, session: Session, live_code: LiveCode, groups: list[Member]
) -> None:
    with writing(session):
        other = make.member_row(session, make.live_code_row(session))
    page = read(panel, live_code, NEW[0])
    assert "no longer there" in swap(panel, live_code, 422, **bound(page), **{"onto-0": str(other.id)})
    assert session.get_one(Member, other.id).current_version == 1


def test_a_token_that_is_not_ours_binds_nothing(panel: Browser, live_code: LiveCode, groups: list[Member]) -> None:
    forged = {"bound-0": "made up", "onto-0": str(groups[0].id)}
    assert "upload the picture again" in swap(panel, live_code, 422, **forged)


def test_the_twenty_first_picture_is_told_to_come_again(panel: Browser, live_code: LiveCode) -> None:
    small = pictures.encoded(pictures.code(pictures.GROUP, module=4))
    page = read(panel, live_code, *[(f"{n}.png", small) for n in range(21)])
    assert page.count('name="bound-') == 20 and "At most 20 files at once" in page


def test_somebody_else_s_live_code_is_not_there(panel: Browser, session: Session) -> None:
    with writing(session):
        other = make.live_code_row(session)
    panel.get(f"/codes/{other.id}/swap-many", status=404)
    panel.post(f"/codes/{other.id}/swap-many", status=404, swap="1")


def test_many_members_are_picked_from_a_list(panel: Browser, session: Session, live_code: LiveCode) -> None:
    with writing(session):
        code = session.get_one(LiveCode, live_code.id)
        rows = [make.member_row(session, code, label=f"group {n}") for n in range(14)]
    page = read(panel, live_code, NEW[0])
    assert "<select" in page and page.count("<option") == 15
    swap(panel, live_code, **bound(page), **{"other-0": str(rows[13].id)})
    assert targets(session, rows)[13] == pictures.GROUP

"""One member's page and the grid: every field, order, state, pin, headcounts, and two people at one form."""

import re
from typing import Any

import pytest
from sqlalchemy.orm import Session

from app.accounts.models import User
from app.codes.models import LiveCode, Member, MemberVersion
from app.db import writing
from tests import make, pictures
from tests.codes.conftest import Browser, fresh


@pytest.fixture
def member(session: Session, live_code: LiveCode) -> Member:
    return added(session, live_code, label="fair 1", capacity=195)


def added(session: Session, live_code: LiveCode, **more: Any) -> Member:
    with writing(session):
        return make.member_row(session, session.get_one(LiveCode, live_code.id), **more)


def version_of(session: Session, member: Member) -> MemberVersion:
    return fresh(session).query(MemberVersion).filter_by(member_id=member.id).one()


def form_of(page: str) -> dict[str, Any]:
    """What a browser would send back if nobody touched the form."""
    form = page[page.index('id="member-form"') :]
    fields: dict[str, Any] = {}
    for tag in re.findall(r"<input [^>]+>", form[: form.index("</form>")]):
        marks = dict(re.findall(r'([\w-]+)="([^"]*)"', tag))
        name, kind = marks.get("name"), marks.get("type", "text")
        if name is None or name == "csrf_token" or (kind in ("radio", "checkbox") and " checked" not in tag):
            continue
        fields.setdefault(name, []).append(marks.get("value", ""))
    for name, options in re.findall(r'<select [^>]*name="(\w+)"[^>]*>(.*?)</select>', form, re.S):
        fields[name] = re.findall(r'value="([^"]*)" selected', options) or re.findall(r'value="([^"]*)"', options)[:1]
    fields["notes"] = re.findall(r"<textarea [^>]*>\n(.*?)</textarea>", form, re.S)
    return fields


def save(panel: Browser, member: Member, status: int = 303, **changes: Any) -> Any:
    """The form of the page, with these inputs changed; None takes one away."""
    fields = form_of(panel.get(f"/members/{member.id}"))
    for name, value in changes.items():
        fields.pop(name, None)
        if value is not None:
            fields[name] = value
    return panel.post(f"/members/{member.id}", status=status, **fields)


def test_form_nobody_touched_changes_nothing(panel: Browser, session: Session, live_code: LiveCode) -> None:
    member = added(
        session, live_code, label="fair", public_name="Fair", owner="Li", notes="two\nlines", capacity=195, weight=3,
        daily_capacity=20, regions=["CN/CN-GD/440100", "HK"], latitude=23.1291, longitude=113.2644, radius_m=500,
        windows=[{"days": [1, 2], "from": "09:00", "to": "24:00"}], expires_at=make.NOW.replace(year=2099, second=33),
        valid_from=make.NOW.replace(second=7), is_fallback=True,
    )  # fmt: skip
    before = {name: value for name, value in vars(fresh(session).get_one(Member, member.id)).items() if name[0] != "_"}
    save(panel, member)
    after = fresh(session).get_one(Member, member.id)
    assert {name: getattr(after, name) for name in before} == before
    assert version_of(session, member).expires_at == make.NOW.replace(year=2099, second=33)


def test_every_field_is_saved(panel: Browser, session: Session, member: Member) -> None:
    answer = save(
        panel, member, label="fair 2", public_name="Guangzhou", owner="Li", notes="hello", capacity="150",
        daily_capacity="20", weight="3", state="reserve", latitude="23.1291", longitude="113.2644", radius_m="800",
        coordinates="wgs84", regions=["CN/CN-GD/440100", "group:华东"], valid_from="2026-12-01T08:00",
        expiry="other", expires_at="2099-12-08T09:30",
        **{"window-0-days": ["1", "5"], "window-0-from": "09:00", "window-0-to": "00:00"},
    )  # fmt: skip
    assert answer.headers["Location"].endswith(f"#member-{member.id}")
    row = fresh(session).get_one(Member, member.id)
    assert (row.label, row.public_name, row.owner, row.notes) == ("fair 2", "Guangzhou", "Li", "hello")
    assert (row.capacity, row.daily_capacity, row.weight, row.state) == (150, 20, 3, "reserve")
    assert (row.latitude, row.longitude, row.radius_m) == (23.1291, 113.2644, 800)
    assert row.regions[0] == "CN/CN-GD/440100" and "CN/CN-ZJ" in row.regions and len(row.regions) == 8
    assert row.windows == [{"days": [1, 5], "from": "09:00", "to": "24:00"}]
    assert row.valid_from is not None and row.valid_from.isoformat() == "2026-12-01T00:00:00+00:00"
    version = version_of(session, member)
    assert version.expires_at is not None and version.expires_at.isoformat() == "2099-12-08T01:30:00+00:00"


def test_fields_are_emptied(panel: Browser, session: Session, live_code: LiveCode) -> None:
    member = added(
        session, live_code, label="x", capacity=5, regions=["HK"], is_fallback=True,
        windows=[{"days": [1], "from": "09:00", "to": "10:00"}], expires_at=make.NOW.replace(year=2099),
    )  # fmt: skip
    save(
        panel, member, label="", capacity="", regions=None, is_fallback=None, expiry="never",
        **{"window-0-days": None, "window-0-from": "", "window-0-to": ""},
    )  # fmt: skip
    row = fresh(session).get_one(Member, member.id)
    assert (row.label, row.capacity, row.regions, row.windows, row.is_fallback) == ("", None, [], [], False)
    assert version_of(session, member).expires_at is None


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"capacity": "0"}, "A whole number from 1"),
        ({"capacity": "many"}, "A whole number from 1"),
        ({"weight": "101"}, "A whole number from 1 to 100."),
        ({"label": "x" * 101}, "At most 100 characters."),
        ({"latitude": "23"}, "Latitude and longitude come together."),
        ({"regions": ["CN/XX"]}, "There is no such region."),
        ({"window-0-days": ["1"], "window-0-from": "18:00", "window-0-to": "09:00"}, "Must be after the beginning."),
        ({"window-0-days": [], "window-0-from": "18:00", "window-0-to": "19:00"}, "At least one day."),
        ({"expiry": "other", "expires_at": "soon"}, "A time such as"),
        ({"valid_from": "2026-12-01T08:00", "expiry": "other", "expires_at": "2026-12-01T07:00"}, "after the start"),
    ],
)
def test_wrong_value_is_told_and_what_was_typed_kept(
    panel: Browser, session: Session, member: Member, changes: dict[str, Any], told: str
) -> None:
    answer = save(panel, member, 422, **({"owner": "somebody"} | changes))
    assert told in answer.text and 'value="somebody"' in answer.text
    assert fresh(session).get_one(Member, member.id).owner == ""


def test_past_expiry_ends_the_member_now(panel: Browser, session: Session, member: Member) -> None:
    save(panel, member, expiry="other", expires_at="2026-01-01T00:00")
    assert 'data-status="expired"' in panel.get(f"/codes/{member.live_code_id}")


def test_second_of_two_people_sees_the_first_one_s_change(panel: Browser, session: Session, member: Member) -> None:
    stale = form_of(panel.get(f"/members/{member.id}"))
    save(panel, member, label="hers", notes="hers too")
    answer = panel.post(f"/members/{member.id}", status=409, **(stale | {"label": "mine"}))
    assert "Somebody else changed this in the meantime." in answer.text
    assert "theirs: hers" in answer.text and "yours: mine" in answer.text and 'value="mine"' in answer.text
    assert fresh(session).get_one(Member, member.id).label == "hers"


def test_saving_again_puts_mine_over_theirs(panel: Browser, session: Session, member: Member) -> None:
    stale = form_of(panel.get(f"/members/{member.id}"))
    save(panel, member, label="hers")
    page = panel.post(f"/members/{member.id}", status=409, **(stale | {"label": "mine"})).text
    panel.post(f"/members/{member.id}", **form_of(page))
    assert fresh(session).get_one(Member, member.id).label == "mine"


@pytest.mark.parametrize(
    ("do", "shown"),
    [
        ("add_window", 'name="window-1-from"'),
        ("office_hours", 'name="window-0-from" value="09:00"'),
        ("daytime", 'name="window-0-to" value="22:00"'),
        ("group:华南", 'value="group:华南" checked'),
    ],
)
def test_button_inside_the_form_adds_and_saves_nothing(
    panel: Browser, session: Session, member: Member, do: str, shown: str
) -> None:
    more = {"window-0-days": ["3"], "window-0-from": "07:00", "window-0-to": "07:30"} if do == "add_window" else {}
    answer = save(panel, member, 200, do=do, label="typed", **more)
    assert shown in answer.text and 'value="typed"' in answer.text
    assert fresh(session).get_one(Member, member.id).label == "fair 1"


def test_places_are_found_with_and_without_scripts(panel: Browser, member: Member) -> None:
    part = panel.partial("/codes/places?find=guangzhou")
    assert 'value="CN/CN-GD/440100"' in part and "<html" not in part
    assert "No such place." in panel.partial("/codes/places?find=nowhere-at-all")
    assert panel.partial("/codes/places").strip() == ""
    page = save(panel, member, 200, do="find", find="成都").text
    assert 'name="regions" value="CN/CN-SC/510100"' in page


def test_grid_shows_numbers_days_and_state(panel: Browser, session: Session, live_code: LiveCode) -> None:
    added(session, live_code, label="fair 1", public_name="Guangzhou", capacity=195, headcount=118, weight=3)
    added(session, live_code, state="disabled", is_fallback=True)
    page = panel.get(f"/codes/{live_code.id}")
    assert "118 given out" in page and "118 in the group" in page and "shown as “Guangzhou”" in page
    assert 'aria-valuemax="195" aria-valuenow="118"' in page and "room for 77" in page and "weight 3" in page
    assert "Switched off" in page and "never counted" in page


def test_grouped_live_code_shows_its_members_by_choice(panel: Browser, session: Session, owner: User) -> None:
    with writing(session):
        code = make.live_code_row(session, owner, kind="grouped")
        one, two = (make.choice_row(session, code, title=title, tag="t") for title in ("north", "south"))
        make.member_row(session, code, choice_id=one.id, label="a group")
        make.member_row(session, code, label="for all", is_fallback=True)
        two_id = two.id
    page = panel.get(f"/codes/{code.id}")
    shown = re.findall(r'class="choice-heading">(?:\s*)([^<]+?)\s*<|class="member-name"><a[^>]*>([^<]+)<', page)
    assert [heading or name for heading, name in shown] == ["For all choices", "for all", "north", "a group", "south"]
    assert "No code yet: whoever chooses this reads that there is no group." in page
    assert f'<option value="{two_id}">south</option>' in page


@pytest.mark.parametrize(
    ("state", "told"),
    [("disabled", "is switched off"), ("reserve", "is a reserve now"), ("archived", "is archived")],
)
def test_state_is_changed_with_a_way_back(
    panel: Browser, session: Session, member: Member, state: str, told: str
) -> None:
    page = panel.follow(panel.post(f"/members/{member.id}/state", state=state))
    assert told in page and 'name="state" value="active"' in page
    assert fresh(session).get_one(Member, member.id).state == state
    assert "is switched on" in panel.follow(panel.post(f"/members/{member.id}/state", state="active"))
    assert fresh(session).get_one(Member, member.id).state == "active"


def test_state_nobody_knows_changes_nothing(panel: Browser, session: Session, member: Member) -> None:
    panel.post(f"/members/{member.id}/state", state="exploded")
    assert fresh(session).get_one(Member, member.id).state == "active"


def test_archived_members_can_be_looked_at_and_restored(panel: Browser, session: Session, member: Member) -> None:
    panel.post(f"/members/{member.id}/state", state="archived")
    page = panel.get(f"/codes/{member.live_code_id}")
    assert "1 archived code" in page and "Restore" in page


def test_refused_restore_is_told(panel: Browser, session: Session, live_code: LiveCode) -> None:
    gone = added(session, live_code, target=pictures.GROUP, state="archived")
    added(session, live_code, target=pictures.GROUP)
    assert "This code is here already." in panel.follow(panel.post(f"/members/{gone.id}/state", state="active"))


def labels(session: Session, live_code_id: int) -> list[str]:
    rows = fresh(session).query(Member).filter_by(live_code_id=live_code_id).order_by(Member.position, Member.id)
    return [row.label for row in rows]


def test_members_are_moved_up_and_down(panel: Browser, session: Session, live_code: LiveCode) -> None:
    a, _b, c = (added(session, live_code, label=label) for label in "abc")
    code_id, a_id, c_id = live_code.id, a.id, c.id
    panel.post(f"/members/{a_id}/move", by="1")
    assert labels(session, code_id) == ["b", "a", "c"]
    panel.post(f"/members/{c_id}/move", by="-1")
    assert labels(session, code_id) == ["b", "c", "a"]
    for by in ("1", "0", "x"):
        panel.post(f"/members/{a_id}/move", by=by)
    assert labels(session, code_id) == ["b", "c", "a"]


def test_dragged_order_is_kept_and_strangers_in_it_ignored(
    panel: Browser, session: Session, live_code: LiveCode
) -> None:
    ids = [added(session, live_code, label=label).id for label in "abc"]
    code_id = live_code.id
    panel.post(f"/codes/{code_id}/order", status=204, ids=[str(ids[2]), "x", "999999", str(ids[0]), str(ids[1])])
    assert labels(session, code_id) == ["c", "a", "b"]


def test_order_within_one_choice_leaves_the_others_where_they_are(
    panel: Browser, session: Session, owner: User
) -> None:
    with writing(session):
        code = make.live_code_row(session, owner, kind="grouped")
        one, two = make.choice_row(session, code), make.choice_row(session, code)
        a, _x, b = (
            make.member_row(session, code, label=label, choice_id=choice.id)
            for label, choice in (("a", one), ("x", two), ("b", one))
        )
        code_id, a_id, b_id = code.id, a.id, b.id
    panel.post(f"/codes/{code_id}/order", status=204, ids=[str(b_id), str(a_id)])
    assert labels(session, code_id) == ["b", "x", "a"]


def test_pin_and_release(panel: Browser, session: Session, member: Member) -> None:
    page = panel.follow(panel.post(f"/members/{member.id}/pin"))
    assert "every new visitor gets this one" in page and ">pinned<" in page
    page = panel.follow(panel.post(f"/codes/{member.live_code_id}/unpin"))
    assert "the rules decide again" in page and f'action="/members/{member.id}/pin"' in page
    assert fresh(session).get_one(LiveCode, member.live_code_id).pinned_member_id is None


def test_fallback_cannot_be_pinned(panel: Browser, session: Session, live_code: LiveCode) -> None:
    fallback = added(session, live_code, is_fallback=True)
    assert "Some of these values cannot be used." in panel.follow(panel.post(f"/members/{fallback.id}/pin"))


def test_suspect_is_trusted_again(panel: Browser, session: Session, live_code: LiveCode) -> None:
    suspect = added(session, live_code, suspect_at=make.NOW)
    assert 'data-status="suspect"' in panel.get(f"/codes/{live_code.id}")
    page = panel.follow(panel.post(f"/members/{suspect.id}/trust"))
    assert 'data-status="suspect"' not in page and "People are sent there again." in page


def test_headcount_is_taken_from_the_card(panel: Browser, member: Member) -> None:
    page = panel.follow(panel.post(f"/members/{member.id}/headcount", count="118"))
    assert "Counting goes on from 118." in page and "118 in the group (entered today" in page
    for wrong in ("", "many", "-1"):
        page = panel.follow(panel.post(f"/members/{member.id}/headcount", count=wrong))
        assert "Type how many people are in the group" in page


def test_headcounts_of_all_groups_in_one_list(panel: Browser, session: Session, live_code: LiveCode) -> None:
    one, two = (added(session, live_code, label=label) for label in ("fair 1", "fair 2"))
    added(session, live_code, target=make.personal_url(), label="Mei")
    path, first, second = f"/codes/{live_code.id}/headcounts", one.id, two.id
    page = panel.get(path)
    assert "fair 1" in page and "Mei" not in page
    answer = panel.post(path, status=422, **{f"count-{first}": "5", f"count-{second}": "x"})
    assert "Nothing was saved yet." in answer.text and 'value="5"' in answer.text
    page = panel.follow(panel.post(path, **{f"count-{first}": "5", f"count-{second}": ""}))
    assert "1 headcount saved." in page and "5 in the group" in page


def test_code_is_shown_as_cut_and_drawn_anew_again(panel: Browser, session: Session, live_code: LiveCode) -> None:
    picture = pictures.encoded(pictures.screen(pictures.GROUP))
    panel.send(f"/codes/{live_code.id}/members", ("group.png", picture))
    member = fresh(session).query(Member).one()
    drawn = version_of(session, member).image
    panel.post(f"/members/{member.id}/show", show="cut")
    cut = version_of(session, member)
    assert cut.image == cut.cut != drawn
    panel.post(f"/members/{member.id}/show", show="drawn")
    assert version_of(session, member).image == drawn


def test_code_without_a_cut_cannot_be_shown_as_one(panel: Browser, member: Member) -> None:
    page = panel.follow(panel.post(f"/members/{member.id}/show", show="cut"))
    assert "This code cannot be shown in that way." in page


def test_versions_stand_side_by_side(panel: Browser, session: Session, member: Member) -> None:
    picture = pictures.encoded(pictures.screen(pictures.GROUP))
    panel.send(f"/members/{member.id}/swap", ("new.png", picture), status=303, new_group="1")
    page = panel.get(f"/members/{member.id}")
    assert "Version 1" in page and "Version 2" in page and "shown now" in page and "group 2" in page
    assert page.count(f'formaction="/members/{member.id}/rollback"') == 1

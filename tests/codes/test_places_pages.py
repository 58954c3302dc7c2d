"""Places in the panel: rules by place, what is odd about them, the picker, and where the code hangs."""

import io
import re
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
import sqlalchemy as sa
from PIL import Image
from sqlalchemy.orm import Session

from app.accounts.models import User
from app.codes.models import LiveCode, Member, Placement
from app.db import writing
from app.outside.qr_read import payloads
from app.rules.regions import QUICK_GROUPS, children
from tests import make
from tests.codes.conftest import Browser, fresh

GUANGDONG, SICHUAN, CHENGDU = "CN/CN-GD", "CN/CN-SC", "CN/CN-SC/510100"

# What the pages do does not depend on the database; what they write is asked of both in the store's tests.
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def add(session: Session, live_code: LiveCode) -> Callable[..., int]:
    def add_one(label: str, *regions: str, **more: Any) -> int:
        with writing(session):
            return make.member_row(session, live_code, label=label, regions=list(regions), **more).id

    return add_one


def page_of(panel: Browser, live_code: LiveCode, query: str = "") -> str:
    return unescape(panel.get(f"/codes/{live_code.id}/places{query}"))


def rows(page: str) -> list[str]:
    """The rules as they are read: places, then codes."""
    first = page[page.index('class="place-rules"') :].split("</ul>")[0]
    cut = re.findall(
        r'<li class="place-rule.*?<span class="rule-places">(.*?)<span class="row-actions"', first, re.DOTALL
    )
    return [" ".join(re.sub(r"<[^>]+>", " ", text).split()) for text in cut]


def regions_of(session: Session, member_id: int) -> list[str]:
    return fresh(session).get_one(Member, member_id).regions


def test_members_that_name_the_same_places_are_one_rule_and_everybody_else_is_last(
    panel: Browser, live_code: LiveCode, add: Callable[..., int]
) -> None:
    add("one", GUANGDONG, "CN/CN-GX")
    add("two", GUANGDONG, "CN/CN-GX")
    add("chengdu", CHENGDU)
    add("all")
    assert rows(page_of(panel, live_code)) == [
        "Guangdong, Guangxi one two",
        "Chengdu, Sichuan chengdu",
        "Everybody else also whoever's place is unknown all",
    ]


def test_the_row_of_everybody_else_is_there_without_anything_and_cannot_be_taken_away(
    panel: Browser, live_code: LiveCode
) -> None:
    page = page_of(panel, live_code)
    assert rows(page) == ["Everybody else also whoever's place is unknown gets any code that has room"]
    assert "places/clear" not in page and "This row stays" in page


def test_parts_of_the_country_are_told_by_their_name(
    panel: Browser, live_code: LiveCode, add: Callable[..., int]
) -> None:
    add("abroad", *QUICK_GROUPS["海外"])
    assert rows(page_of(panel, live_code))[0] == "Outside China abroad"


@pytest.mark.parametrize(
    ("policy", "members", "says"),
    [
        ("prefer", [("a", [GUANGDONG]), ("b", [])], []),
        ("prefer", [("a", [])], []),
        ("prefer", [("a", [GUANGDONG])], ["gets any code at all"]),
        ("strict", [("a", [GUANGDONG])], ["gets no code"]),
        ("prefer", [("a", [SICHUAN]), ("b", [CHENGDU]), ("c", [])], ["lies in Sichuan", "one scan in five"]),
        ("nearest", [("a", [])], ["cannot place a"]),
    ],
)
def test_what_is_odd_is_told(
    panel: Browser,
    session: Session,
    live_code: LiveCode,
    add: Callable[..., int],
    policy: str,
    members: list[tuple[str, list[str]]],
    says: list[str],
) -> None:
    with writing(session):
        live_code.region_policy = policy
    for label, regions in members:
        add(label, *regions)
    page = page_of(panel, live_code)
    told = re.findall(r'<li class="notice[^>]*>.*?<div>(.*?)</div></li>', page, re.DOTALL)
    assert len(told) == len(says), told
    assert all(words in found for words, found in zip(says, told, strict=True)), told


def test_a_place_nobody_serves_and_a_position_the_wrong_way_round_are_told(
    panel: Browser, live_code: LiveCode, add: Callable[..., int]
) -> None:
    add("full", GUANGDONG, capacity=1, headcount=1)
    add("spare", GUANGDONG, is_fallback=True)
    page = page_of(panel, live_code)
    assert "Nobody new gets in for Guangdong: full is full or closed." in page
    assert "looks swapped" not in page
    add("turned", latitude=75.99, longitude=39.47)
    assert "The position of turned looks swapped" in page_of(panel, live_code)


def test_city_rules_are_less_odd_where_scanners_may_correct_them(
    panel: Browser, session: Session, live_code: LiveCode, add: Callable[..., int]
) -> None:
    add("c", CHENGDU)
    add("all")
    assert "one scan in five" in page_of(panel, live_code)
    with writing(session):
        live_code.asks_city = True
    page = page_of(panel, live_code)
    assert "one scan in five" not in page and "may correct their city" in page


def test_places_are_sent_to_codes(
    panel: Browser, session: Session, live_code: LiveCode, add: Callable[..., int]
) -> None:
    one, two, other = add("one"), add("two", SICHUAN), add("other")
    before = live_code.version
    panel.post(f"/codes/{live_code.id}/places", regions=[GUANGDONG, "group:港澳台"], members=[str(one), str(two)])
    assert regions_of(session, one) == [GUANGDONG, "HK", "MO", "TW"]
    assert regions_of(session, two) == [SICHUAN, GUANGDONG, "HK", "MO", "TW"]
    assert regions_of(session, other) == []
    assert fresh(session).get_one(LiveCode, live_code.id).version > before


def test_a_rule_is_changed_as_a_whole(
    panel: Browser, session: Session, live_code: LiveCode, add: Callable[..., int]
) -> None:
    one, two, three = add("one", GUANGDONG, CHENGDU), add("two", GUANGDONG), add("three")
    page = page_of(panel, live_code, f"?rule={one}-{two}")
    assert "Change this rule" in page and f'value="{one}-{two}"' in page
    panel.post(
        f"/codes/{live_code.id}/places",
        was=f"{one}-{two}", was_regions=[GUANGDONG], regions=["CN/CN-GX"], members=[str(one), str(three)],
    )  # fmt: skip
    assert regions_of(session, one) == [CHENGDU, "CN/CN-GX"]
    assert regions_of(session, two) == []
    assert regions_of(session, three) == ["CN/CN-GX"]


def test_a_rule_is_taken_away(panel: Browser, session: Session, live_code: LiveCode, add: Callable[..., int]) -> None:
    one, two = add("one", GUANGDONG, CHENGDU), add("two", GUANGDONG)
    panel.post(f"/codes/{live_code.id}/places/clear", was=f"{one}-{two}", was_regions=[GUANGDONG])
    assert (regions_of(session, one), regions_of(session, two)) == ([CHENGDU], [])


def test_what_is_not_chosen_is_asked_for_and_nothing_is_lost(
    panel: Browser, live_code: LiveCode, add: Callable[..., int]
) -> None:
    one = add("one")
    reply = panel.post(f"/codes/{live_code.id}/places", status=422, regions=[GUANGDONG])
    assert "Choose at least one code." in reply.text and f'value="{GUANGDONG}" checked' in reply.text
    reply = panel.post(f"/codes/{live_code.id}/places", status=422, members=[str(one)])
    assert "Choose at least one place." in reply.text
    assert re.search(rf'name="members" value="{one}" checked', reply.text)
    panel.post(f"/codes/{live_code.id}/places", status=422, regions=["Atlantis"], members=[str(one)])
    panel.post(f"/codes/{live_code.id}/places", status=422, regions=[GUANGDONG], members=["999999", "²"])


def test_another_codes_members_are_not_touched(
    panel: Browser, session: Session, owner: User, live_code: LiveCode, add: Callable[..., int]
) -> None:
    mine = add("mine")
    with writing(session):
        theirs = make.member_row(session, make.live_code_row(session, owner), regions=[SICHUAN]).id
    panel.post(
        f"/codes/{live_code.id}/places",
        regions=[GUANGDONG], members=[str(mine), str(theirs)], was=str(theirs), was_regions=[SICHUAN],
    )  # fmt: skip
    assert regions_of(session, theirs) == [SICHUAN]


def test_strangers_find_no_places(other_panel: Browser, session: Session, live_code: LiveCode) -> None:
    with writing(session):
        row = Placement(live_code_id=live_code.id, key="door", name="door")
        session.add(row)
    other_panel.get(f"/codes/{live_code.id}/places", status=404)
    other_panel.post(f"/codes/{live_code.id}/places", status=404)
    other_panel.post(f"/codes/{live_code.id}/places/clear", status=404)
    other_panel.post(f"/codes/{live_code.id}/placements", status=404, name="x")
    other_panel.post(f"/placements/{row.id}", status=404, name="x")
    other_panel.post(f"/placements/{row.id}/archived", status=404, archived="1")


# --- the picker, without scripts


def test_a_province_opens_to_its_cities(panel: Browser, live_code: LiveCode, add: Callable[..., int]) -> None:
    add("one")
    reply = panel.post(f"/codes/{live_code.id}/places", status=200, do=f"below:{SICHUAN}", regions=[GUANGDONG])
    cities = set(re.findall(r'name="regions" value="([^"]+)" data-place', reply.text))
    assert cities == {SICHUAN, *(city.key for city in children(SICHUAN))}
    assert f'value="{GUANGDONG}" checked' in reply.text
    assert set(re.findall(r'value="below:([^"]+)"', reply.text)) == {*(p.key for p in children("CN")), "海外"}


def test_a_part_of_the_country_is_chosen_at_once(panel: Browser, live_code: LiveCode) -> None:
    reply = panel.post(f"/codes/{live_code.id}/places", status=200, do="group:华南", regions=[CHENGDU])
    assert 'value="group:华南" checked' in reply.text and f'value="{CHENGDU}" checked' in reply.text


def test_htmx_gets_the_list_alone(panel: Browser, live_code: LiveCode) -> None:
    of_province = panel.partial("/codes/places?of=CN/CN-SC")
    assert "Chengdu" in of_province and "<html" not in of_province
    assert "Guangzhou" in panel.partial("/codes/places?find=gz")
    assert "Japan" in panel.partial("/codes/places?of=海外")
    assert "No such place" in panel.partial("/codes/places?find=zzzz")
    assert panel.partial("/codes/places?of=nowhere").strip() == ""


# --- placements


def only_placement(session: Session) -> Placement:
    row = fresh(session).scalars(sa.select(Placement)).one()
    assert isinstance(row, Placement)
    return row


def test_a_placement_is_named_changed_archived_and_taken_back(
    panel: Browser, session: Session, live_code: LiveCode
) -> None:
    page = panel.follow(
        panel.post(f"/codes/{live_code.id}/placements", name="Sea front", region="Shenzhen, Guangdong", key="sea")
    )
    row = only_placement(session)
    assert (row.name, row.region, row.key) == ("Sea front", "CN/CN-GD/440300", "sea")
    assert "Sea front" in page and "?p=sea" in page and "Shenzhen, Guangdong" in page
    panel.post(f"/placements/{row.id}", name="Back door", region="", version="1")
    row = only_placement(session)
    assert (row.name, row.region) == ("Back door", None)
    reply = panel.post(f"/placements/{row.id}", status=422, name="Front", version="1")
    assert "Somebody else changed this" in reply.text and 'value="Front"' in reply.text
    panel.post(f"/placements/{row.id}/archived", archived="1")
    assert only_placement(session).archived
    assert "1 archived place" in panel.get(f"/codes/{live_code.id}/places")
    panel.post(f"/placements/{row.id}/archived", archived="0")
    assert not only_placement(session).archived


@pytest.mark.parametrize("typed", ["深圳", "shenzhen", "440300", "Shenzhen, Guangdong", "CN/CN-GD/440300"])
def test_where_it_hangs_may_be_typed_in_many_ways(
    panel: Browser, session: Session, live_code: LiveCode, typed: str
) -> None:
    panel.post(f"/codes/{live_code.id}/placements", name="x", region=typed)
    assert only_placement(session).region == "CN/CN-GD/440300"


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"name": ""}, "name-error"),
        ({"name": "x", "region": "qqqq"}, "There is no such place."),
        ({"name": "x", "key": "a b"}, "Letters, digits"),
        ({"name": "x", "key": "door"}, "There is a placement with this key already."),
    ],
)
def test_a_placement_that_cannot_be_is_refused_with_what_was_typed(
    panel: Browser, live_code: LiveCode, fields: dict[str, str], says: str
) -> None:
    panel.post(f"/codes/{live_code.id}/placements", name="door", key="door")
    reply = panel.post(f"/codes/{live_code.id}/placements", status=422, **fields)
    assert says in unescape(reply.text) and f'value="{fields.get("key", "")}"' in reply.text


def test_the_code_of_a_placement_says_which_one_it_is(panel: Browser, live_code: LiveCode) -> None:
    page = panel.follow(panel.post(f"/codes/{live_code.id}/placements", name="x", key="fair-3"))
    link = re.search(r'href="([^"]+\.png\?[^"]*p=fair-3[^"]*)"', page)
    assert link is not None
    drawn = panel.client.get(unescape(link[1]))
    assert [text.decode().endswith(f"/s/{live_code.slug}?p=fair-3") for text in codes_in(drawn.data)] == [True]


def codes_in(png: bytes) -> list[bytes]:
    return payloads(Image.open(io.BytesIO(png)))


# --- the simulator


@pytest.mark.parametrize(
    ("typed", "gets"),
    [("23.05, 113.4", "south"), ("39.9,116.4", "north"), ("Guangzhou", "south"), ("202.96.128.86", "south")],
)
def test_the_simulator_takes_a_place_an_address_or_a_position(
    panel: Browser, session: Session, live_code: LiveCode, add: Callable[..., int], typed: str, gets: str
) -> None:
    with writing(session):
        live_code.region_policy = "nearest"
    add("north", latitude=39.9042, longitude=116.4074)
    add("south", GUANGDONG, latitude=23.1291, longitude=113.2644)
    page = panel.partial(f"/codes/{live_code.id}/rules/simulated", query_string={"simulate": "1", "from": typed})
    answer = page[page.index('class="answer"') : page.index("</p>")]
    assert f">{gets}</a>" in answer


def test_the_simulator_asks_back_about_a_position_the_wrong_way_round(panel: Browser, live_code: LiveCode) -> None:
    for typed in ("113.4, 23.05", "0, 0", "999, 999"):
        page = panel.partial(f"/codes/{live_code.id}/rules/simulated", query_string={"simulate": "1", "from": typed})
        assert "Latitude comes first" in page, typed


def test_a_position_the_wrong_way_round_is_told(panel: Browser, add: Callable[..., int]) -> None:
    member_id = add("one")
    revision = re.findall(r'name="revision" value="(\d+)"', panel.get(f"/members/{member_id}"))[0]
    typed = {"revision": revision, "state": "active", "weight": "1", "coordinates": "wgs84", "expiry": "never"}
    saved = panel.post(f"/members/{member_id}", **typed, latitude="75.99", longitude="39.47")
    assert "This position looks swapped" in panel.follow(saved)
    refused = panel.post(f"/members/{member_id}", status=422, **typed, latitude="113.26", longitude="23.13")
    assert "Are the two swapped?" in refused.text

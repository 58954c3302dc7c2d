"""Placements: keys that are printed once, regions that beat an address, and what the API says of both."""

import io
from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image
from sqlalchemy.orm import Session

from app.accounts.models import User
from app.codes import placements
from app.codes.changes import ARCHIVED, NOT_FOUND, STALE, Asker, Refused
from app.codes.history import entries_of
from app.codes.models import LiveCode, Placement
from app.codes.snapshot import read_snapshot
from app.db import writing
from app.outside.qr_read import payloads
from tests import make
from tests.codes.conftest import Api, refused, told

SHENZHEN = "CN/CN-GD/440300"


@pytest.fixture
def add(session: Session, asker: Asker, live_code: LiveCode) -> Callable[..., Any]:
    def add_one(name: str = "front door", **values: Any) -> Any:
        with writing(session):
            return placements.add_placement(session, asker, live_code.id, {"name": name} | values)

    return add_one


def regions_seen(session: Session, live_code: LiveCode) -> dict[str, str | None]:
    snapshot = read_snapshot(session, live_code.id, make.ZONE)
    assert snapshot is not None
    return dict(snapshot.placements)


def test_scans_know_where_a_placement_hangs_from_the_next_version_on(
    session: Session, live_code: LiveCode, add: Callable[..., Any]
) -> None:
    before = live_code.version
    row = add(region=SHENZHEN)
    add("web")
    assert (row.key, live_code.version) == ("front-door", before + 2)
    assert regions_seen(session, live_code) == {"front-door": SHENZHEN}


def test_keys_are_made_of_names_and_never_given_twice(session: Session, asker: Asker, add: Callable[..., Any]) -> None:
    made = [add(name).key for name in ("Fair 3", "fair 3", "深圳店", "广州店", "a/b", "x" * 40)]
    assert made == ["fair-3", "fair-31", "p1", "p2", "p3", "p4"]
    assert add("again", key="fair-3") == Refused("duplicate_placement", {"key": "taken"})
    assert add("店", key="深圳店").key == "深圳店"


def test_archived_placement_keeps_its_key_and_loses_its_say(
    session: Session, asker: Asker, live_code: LiveCode, add: Callable[..., Any]
) -> None:
    row = add(region=SHENZHEN)
    with writing(session):
        placements.update_placement(session, asker, row.id, {"archived": True})
    assert regions_seen(session, live_code) == {}
    assert placements.placements_of(session, live_code.id) == []
    assert placements.placements_of(session, live_code.id, archived=True) == [row]
    assert add(key=row.key) == Refused("duplicate_placement", {"key": "taken"})
    with writing(session):
        placements.update_placement(session, asker, row.id, {"archived": False})
    assert regions_seen(session, live_code) == {row.key: SHENZHEN}


def test_a_change_somebody_was_faster_with_is_stale(session: Session, asker: Asker, add: Callable[..., Any]) -> None:
    row = add()
    with writing(session):
        placements.update_placement(session, asker, row.id, {"name": "back door"}, version=1)
        assert placements.update_placement(session, asker, row.id, {"name": "x"}, version=1) is STALE
    assert (row.name, row.version) == ("back door", 2)


def test_the_501st_placement_and_one_of_an_archived_live_code_are_refused(
    session: Session, asker: Asker, live_code: LiveCode, add: Callable[..., Any]
) -> None:
    with writing(session):
        session.add_all(Placement(live_code_id=live_code.id, key=f"k{number}", name="x") for number in range(500))
    assert add() == Refused("placement_limit", about={"limit": 500})
    with writing(session):
        live_code.state = "archived"
    assert add() is ARCHIVED


def test_another_marketers_placements_are_not_there(session: Session, add: Callable[..., Any]) -> None:
    row = add()
    with writing(session):
        stranger = make.asker(make.user_row(session))
        assert placements.add_placement(session, stranger, row.live_code_id, {"name": "x"}) is NOT_FOUND
        assert placements.update_placement(session, stranger, row.id, {"name": "x"}) is NOT_FOUND
    assert placements.find_placement(session, stranger, row.id) is None


def test_history_of_a_live_code_tells_of_its_placements(
    session: Session, asker: Asker, live_code: LiveCode, add: Callable[..., Any]
) -> None:
    row = add(region=SHENZHEN)
    with writing(session):
        placements.update_placement(session, asker, row.id, {"archived": True})
    entries, _ = entries_of(session, live_code.id, limit=10, offset=0)
    found = [(entry.action, name) for entry, name in entries]
    assert found[:2] == [("placement.archived", "front door"), ("placement.created", "front door")]


def test_api_makes_lists_changes_and_archives(api: Api, stranger: Api, owner: User) -> None:
    code = api.live_code()
    home = f"/live-codes/{code['id']}/placements"
    made = told(api.post(home, name="Shenzhen shop", key="sz", region="440300"), 201)
    assert (made["key"], made["region"], made["archived"]) == ("sz", SHENZHEN, False)
    assert made["short_url"] == f"{code['short_url']}?p=sz"
    assert [row["id"] for row in told(api.get(home))["items"]] == [made["id"]]
    changed = told(api.patch(f"/placements/{made['id']}", name="Shop", region=None))
    assert (changed["name"], changed["region"], changed["version"]) == ("Shop", None, 2)
    refused(api.post(home, name="x", key="sz"), 409, "duplicate_placement")
    refused(api.post(home, name="x", key="a b"), 422, "invalid", "key")
    refused(api.post(home, name="x", key="k" * 33), 422, "invalid", "key")
    refused(api.post(home, name="x", region="Atlantis"), 422, "invalid", "region")
    refused(api.patch(f"/placements/{made['id']}", key="other"), 422, "invalid", "key")
    refused(stranger.get(home), 404, "not_found")
    refused(stranger.patch(f"/placements/{made['id']}", name="x"), 404, "not_found")
    refused(stranger.delete(f"/placements/{made['id']}"), 404, "not_found")
    assert told(api.delete(f"/placements/{made['id']}"))["archived"] is True
    assert told(api.get(home))["items"] == []
    assert [row["id"] for row in told(api.get(home, archived="true"))["items"]] == [made["id"]]


def test_the_code_drawn_for_a_placement_says_which_one_it_is(api: Api) -> None:
    code = api.live_code()
    made = told(api.post(f"/live-codes/{code['id']}/placements", name="店", key="店1"), 201)
    drawn = api.client.get(made["qr_url"], headers=api.headers)
    assert drawn.status_code == 200 and drawn.mimetype == "image/png"
    assert payloads(Image.open(io.BytesIO(drawn.data))) == [made["short_url"].encode()]
    refused(api.get(f"/live-codes/{code['id']}/qr", placement="a b"), 422, "invalid", "placement")

"""Members through the API: pictures and links, swaps, rollbacks, and every refusal by its name."""

import io
import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.orm import Session

from app.codes.models import Member, MemberVersion
from app.outside.images import MAX_BYTES
from app.settings import ROOT, Settings
from tests import make, pictures
from tests.codes.conftest import Api, refused, told

sqlite_only = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def live_code(api: Api) -> dict[str, Any]:
    return api.live_code()


def members_path(live_code: dict[str, Any]) -> str:
    return f"/live-codes/{live_code['id']}/members"


def one(member: dict[str, Any], action: str = "") -> str:
    return f"/members/{member['id']}" + (f"/{action}" if action else "")


def count(api: Api, live_code: dict[str, Any]) -> int:
    return len(told(api.get(members_path(live_code)))["items"])


def in_hours(text: str) -> float:
    return (datetime.fromisoformat(text) - datetime.now(UTC)).total_seconds() / 3600


def test_member_made_from_a_link_gets_a_drawn_image(api: Api, live_code: dict[str, Any], app: Flask) -> None:
    url = make.group_url()
    body = api.member(live_code, target_url=url)
    wanted = {
        "kind": "wechat_group", "target_url": url, "capacity": 195, "occupied": 0, "pressed": 0, "headcount": None,
        "headcount_at": None, "version": 1, "state": "active", "status": "active", "expiry_source": "guessed",
        "weight": 1, "position": 1, "regions": [], "windows": [], "is_fallback": False, "choice_id": None, "label": "",
    }  # fmt: skip
    assert {name: body[name] for name in wanted} == wanted
    assert 165.9 < in_hours(body["expires_at"]) <= 166
    picture = app.test_client().get(body["image_url"])
    assert picture.status_code == 200 and picture.data.startswith(b"\x89PNG")


def test_member_made_from_a_screenshot_is_drawn_anew_and_keeps_its_cut_and_card(
    api: Api, live_code: dict[str, Any], session: Session, app: Flask, settings: Settings
) -> None:
    screenshot = pictures.jpeg(pictures.screen())
    body = told(api.send(members_path(live_code), screenshot, name="x.gif", label="first", capacity="150"), 201)
    assert (body["target_url"], body["label"], body["capacity"]) == (pictures.GROUP, "first", 150)
    version = session.scalars(sa.select(MemberVersion)).one()
    assert version.cut is not None and version.card is not None
    assert app.test_client().get(f"/m/{version.cut}").status_code == 200
    assert app.test_client().get(f"/m/{version.card}").status_code == 404
    assert (settings.data_dir / "cards" / version.card).exists()
    kept = [file.read_bytes() for file in settings.data_dir.rglob("*.jpg")]
    assert screenshot not in kept and len(kept) == 1


def test_form_fields_beside_a_picture_mean_what_json_means(api: Api, live_code: dict[str, Any]) -> None:
    body = told(
        api.send(
            members_path(live_code),
            pictures.encoded(pictures.code(make.group_url())),
            regions=["CN/CN-GD", "440100"],
            windows=json.dumps([{"days": [1], "from": "09:00", "to": "18:00"}]),
            is_fallback="true",
            headcount="12",
            expires_at=(datetime.now(UTC) + timedelta(days=2)).isoformat(),
        ),
        201,
    )
    assert body["regions"] == ["CN/CN-GD", "CN/CN-GD/440100"]
    assert body["windows"] == [{"days": [1], "from": "09:00", "to": "18:00"}]
    assert (body["is_fallback"], body["headcount"], body["expiry_source"]) == (True, 12, "entered")
    assert body["occupied"] == 0, "a fallback is never counted"


def test_headcount_on_upload_counts(api: Api, live_code: dict[str, Any]) -> None:
    body = api.member(live_code, headcount=160, capacity=195)
    assert (body["occupied"], body["headcount"], body["status"]) == (160, 160, "filling")
    assert body["headcount_at"] is not None


@sqlite_only
def test_several_codes_are_listed_and_one_is_picked(api: Api, live_code: dict[str, Any]) -> None:
    screen = pictures.encoded(pictures.screen(second=pictures.PERSON))
    error = refused(api.send(members_path(live_code), screen), 422, "several_qr_found", "image")
    assert [(code["index"], code["kind"]) for code in error["codes"]] == [(0, "wechat_group"), (1, "wechat_personal")]
    assert error["codes"][1]["text"] == pictures.PERSON
    picked = told(api.send(members_path(live_code), screen, pick="1"), 201)
    assert (picked["kind"], picked["target_url"]) == ("wechat_personal", pictures.PERSON)
    refused(api.send(members_path(live_code), screen, pick="2"), 422, "invalid", "pick")


@sqlite_only
@pytest.mark.parametrize(
    ("image", "status", "code"),
    [
        (b"not an image", 415, "not_an_image"),
        (b"MZ\x90\x00" + b"\x00" * 500, 415, "not_an_image"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", 415, "not_an_image"),
        (pictures.png_header_of(30_000, 20_000), 413, "image_too_many_pixels"),
        (pictures.encoded(pictures.screen())[:-4000], 422, "image_broken"),
        (pictures.encoded(pictures.Image.new("RGB", (300, 300), "white")), 422, "no_qr_found"),
        (pictures.encoded(pictures.code(pictures.PAYMENT)), 422, "payment_code"),
        (pictures.encoded(pictures.code("just some words")), 422, "not_a_link"),
        (pictures.encoded(pictures.code("javascript:alert(1)")), 422, "not_a_link"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_picture_that_cannot_be_bound_is_refused_by_name(
    api: Api, live_code: dict[str, Any], image: bytes, status: int, code: str
) -> None:
    refused(api.send(members_path(live_code), image), status, code, "image")
    assert count(api, live_code) == 0


@sqlite_only
def test_picture_larger_than_15_mb_is_413(api: Api, live_code: dict[str, Any]) -> None:
    refused(api.send(members_path(live_code), b"\xff\xd8\xff" + b"\x00" * MAX_BYTES), 413, "image_too_large", "image")
    refused(api.send(members_path(live_code), b"\x00" * (MAX_BYTES + 2**20)), 413, "too_large")


@sqlite_only
@pytest.mark.parametrize(
    ("link", "code"),
    [
        ("wxp://f2f0abc", "payment_code"), ("https://qr.alipay.com/x", "payment_code"),
        ("javascript:alert(1)", "not_a_link"), ("just text", "not_a_link"), ("data:text/html,x", "not_a_link"),
        ("https://\u202eevil", "not_a_link"),
    ],
)  # fmt: skip
def test_link_that_cannot_be_bound_is_refused_by_name(
    api: Api, live_code: dict[str, Any], link: str, code: str
) -> None:
    refused(api.post(members_path(live_code), target_url=link), 422, code, "target_url")


@sqlite_only
def test_picture_or_link_just_one_of_them(api: Api, live_code: dict[str, Any]) -> None:
    code = pictures.encoded(pictures.code(make.group_url()))
    refused(api.post(members_path(live_code)), 422, "invalid", "image")
    refused(api.post(members_path(live_code), target_url=""), 422, "invalid", "image")
    refused(api.send(members_path(live_code), code, target_url=make.group_url()), 422, "invalid", "image")
    empty = api.call("POST", members_path(live_code), data={"image": (io.BytesIO(b""), "")})
    refused(empty, 422, "invalid", "image")


def test_same_target_again_is_a_duplicate_naming_the_other(api: Api, live_code: dict[str, Any]) -> None:
    first = api.member(live_code, label="one")
    again = {"target_url": first["target_url"] + "#top"}
    error = refused(api.post(members_path(live_code), **again), 409, "duplicate_member")
    assert (error["member_id"], error["label"]) == (first["id"], "one")
    refused(api.post(members_path(live_code), allow_duplicate=True, **again), 409, "duplicate_member")
    person = api.member(live_code, target_url=make.personal_url())
    twice = {"target_url": person["target_url"]}
    refused(api.post(members_path(live_code), **twice), 409, "duplicate_member")
    told(api.post(members_path(live_code), allow_duplicate=True, **twice), 201)


@sqlite_only
def test_the_201st_member_is_refused_by_name(api: Api, session: Session) -> None:
    live_code = api.live_code()
    row = session.get_one(make.models.LiveCode, live_code["id"])
    for _ in range(200):
        make.member_row(session, row)
    session.commit()
    body = refused(api.post(members_path(live_code), target_url=make.group_url()), 409, "member_limit")
    assert body["limit"] == 200


@sqlite_only
def test_expiry_in_the_past_is_refused_on_create_and_swap_but_not_on_edit(api: Api, live_code: dict[str, Any]) -> None:
    past = {"target_url": make.group_url(), "expires_at": "2020-01-01T00:00:00Z"}
    refused(api.post(members_path(live_code), **past), 422, "invalid", "expires_at")
    member = api.member(live_code)
    refused(api.post(one(member, "swap"), **past), 422, "invalid", "expires_at")
    body = told(api.patch(one(member), expires_at=past["expires_at"]))
    assert (body["status"], body["expiry_source"]) == ("expired", "entered")


@sqlite_only
@pytest.mark.parametrize(
    "wrong",
    [
        {"capacity": 0}, {"capacity": -1}, {"capacity": "many"}, {"weight": 0}, {"regions": ["XX/nowhere"]},
        {"expires_at": "yesterday"}, {"windows": [{"days": [8], "from": "25:00", "to": "x"}]}, {"label": "x" * 10_000},
        {"choice_id": 999}, {"latitude": 5}, {"bogus": 1},
    ],
)  # fmt: skip
def test_wrong_member_value_is_422_and_names_its_input(
    api: Api, live_code: dict[str, Any], wrong: dict[str, Any]
) -> None:
    body = refused(api.post(members_path(live_code), target_url=make.group_url(), **wrong), 422, "invalid")
    assert all(any(name.split(".")[0] in wrong for name in body["fields"]) for _ in wrong)
    member = api.member(live_code)
    refused(api.patch(one(member), **wrong), 422, "invalid")


def test_patch_changes_what_is_named_and_stale_is_412(api: Api, live_code: dict[str, Any]) -> None:
    member = api.member(live_code)
    seen = api.get(one(member)).headers["ETag"]
    body = told(api.patch(one(member), headers={"If-Match": seen}, label="x", capacity=None, state="reserve"))
    assert (body["label"], body["capacity"], body["state"], body["status"]) == ("x", None, "reserve", "reserve")
    refused(api.patch(one(member), headers={"If-Match": seen}, label="y"), 412, "stale")
    told(api.patch(one(member), headers={"If-Match": "1"}, label="y"))
    told(api.post(one(member, "swap"), target_url=make.group_url()))
    refused(api.patch(one(member), headers={"If-Match": "1"}, label="z"), 412, "stale")


@sqlite_only
def test_form_patch_with_an_empty_input_takes_the_value_away(api: Api, live_code: dict[str, Any]) -> None:
    member = api.member(live_code, label="x", capacity=5)
    body = told(api.call("PATCH", one(member), data={"capacity": "", "label": ""}))
    assert (body["capacity"], body["label"]) == (None, "")


@sqlite_only
def test_member_shows_its_cut_or_the_code_drawn_anew(api: Api, live_code: dict[str, Any]) -> None:
    member = told(api.send(members_path(live_code), pictures.encoded(pictures.screen())), 201)
    cut = told(api.patch(one(member), show="cut"))
    assert cut["image_url"] != member["image_url"]
    assert told(api.patch(one(member), show="drawn"))["image_url"] == member["image_url"]
    linked = api.member(live_code)
    refused(api.patch(one(linked), show="cut"), 422, "invalid", "show")


@sqlite_only
def test_link_in_other_letters_is_shown_as_it_was_printed(api: Api, live_code: dict[str, Any]) -> None:
    link = "https://例子.中国/群"
    printed = told(api.send(members_path(live_code), pictures.encoded(pictures.code(link))), 201)
    assert printed["target_url"] == link
    refused(api.post(members_path(live_code), target_url=link), 409, "duplicate_member")


def test_swap_answers_with_the_next_version(api: Api, live_code: dict[str, Any]) -> None:
    member = api.member(live_code, headcount=40)
    url = make.group_url()
    body = told(api.post(one(member, "swap"), target_url=url))
    assert (body["version"], body["generation"], body["target_url"], body["headcount"]) == (2, 1, url, 40)
    assert body["image_url"] != member["image_url"] and "warnings" not in body
    fresh = told(api.post(one(member, "swap"), target_url=make.group_url(), new_group=True, headcount=3))
    assert (fresh["version"], fresh["generation"], fresh["occupied"]) == (3, 2, 3)
    versions = told(api.get(one(member, "versions")))["items"]
    assert [version["version"] for version in versions] == [3, 2, 1]


@sqlite_only
def test_swap_by_picture_and_by_the_current_one_again(api: Api, live_code: dict[str, Any]) -> None:
    member = api.member(live_code)
    screen = pictures.encoded(pictures.screen())
    assert told(api.send(one(member, "swap"), screen))["target_url"] == pictures.GROUP
    refused(api.send(one(member, "swap"), screen), 409, "same_code")
    refused(api.send(one(member, "swap"), b"not an image"), 415, "not_an_image")
    refused(api.post(one(member, "swap")), 422, "invalid", "image")


@sqlite_only
def test_swap_to_a_neighbours_code_is_a_duplicate(api: Api, live_code: dict[str, Any]) -> None:
    member, neighbour = api.member(live_code), api.member(live_code)
    error = refused(api.post(one(member, "swap"), target_url=neighbour["target_url"]), 409, "duplicate_member")
    assert error["member_id"] == neighbour["id"]


@sqlite_only
def test_swap_of_a_full_or_disabled_member_warns(api: Api, live_code: dict[str, Any]) -> None:
    member = api.member(live_code, capacity=3, headcount=3)
    assert told(api.post(one(member, "swap"), target_url=make.group_url()))["warnings"] == ["still_full"]
    told(api.patch(one(member), state="disabled"))
    both = told(api.post(one(member, "swap"), target_url=make.group_url()))
    assert both["warnings"] == ["still_full", "still_disabled"] and both["state"] == "disabled"
    fresh = told(api.post(one(member, "swap"), target_url=make.group_url(), new_group=True))
    assert fresh["warnings"] == ["still_disabled"]


@sqlite_only
def test_answer_that_needs_a_second_look_says_so(api: Api) -> None:
    grouped = api.live_code(kind="grouped")
    assert api.member(grouped)["warnings"] == ["no_choice"]
    shop = api.member(api.live_code(), latitude=23.1, longitude=113.3)
    assert "warnings" not in shop
    assert api.member(api.live_code(), latitude=74.0, longitude=40.0)["warnings"] == ["position_looks_swapped"]


def test_swap_sent_twice_with_one_key_is_done_once(api: Api, live_code: dict[str, Any]) -> None:
    member = api.member(live_code)
    screen = pictures.encoded(pictures.screen())
    form = {"image": (io.BytesIO(screen), "x.png")}
    key = {"Idempotency-Key": "swap"}
    first = api.call("POST", one(member, "swap"), data=form, headers=key)
    again = {"image": (io.BytesIO(screen), "x.png")}
    second = api.call("POST", one(member, "swap"), data=again, headers=key)
    assert told(first)["version"] == told(second)["version"] == 2
    other = {"image": (io.BytesIO(pictures.encoded(pictures.code(make.group_url()))), "x.png")}
    refused(api.call("POST", one(member, "swap"), data=other, headers=key), 409, "key_reused")


def test_rollback_points_back(api: Api, live_code: dict[str, Any]) -> None:
    member = api.member(live_code)
    told(api.post(one(member, "swap"), target_url=make.group_url()))
    assert told(api.post(one(member, "rollback"), version=1))["target_url"] == member["target_url"]
    refused(api.post(one(member, "rollback"), version=9), 422, "invalid", "version")
    refused(api.post(one(member, "rollback")), 422, "invalid", "version")


def test_headcount_is_where_counting_goes_on_from(api: Api, live_code: dict[str, Any]) -> None:
    member = api.member(live_code, capacity=10)
    body = told(api.post(one(member, "headcount"), count=9))
    assert (body["headcount"], body["occupied"], body["status"]) == (9, 9, "filling")
    refused(api.post(one(member, "headcount"), count=-1), 422, "invalid", "count")


@sqlite_only
def test_trust_clears_suspicion(api: Api, live_code: dict[str, Any], session: Session) -> None:
    member = api.member(live_code)
    session.execute(sa.update(Member).values(suspect_at=make.NOW))
    session.commit()
    assert told(api.get(one(member)))["status"] == "suspect"
    body = told(api.post(one(member, "trust")))
    assert (body["status"], body["suspect_at"]) == ("active", None)


def test_archived_member_is_listed_apart_and_its_card_is_gone(
    api: Api, live_code: dict[str, Any], settings: Settings
) -> None:
    member = told(api.send(members_path(live_code), pictures.encoded(pictures.screen())), 201)
    assert len(list((settings.data_dir / "cards").iterdir())) == 1
    assert told(api.delete(one(member)))["status"] == "archived"
    assert list((settings.data_dir / "cards").iterdir()) == []
    assert count(api, live_code) == 0
    assert len(told(api.get(members_path(live_code), archived="true"))["items"]) == 1
    assert told(api.patch(one(member), state="active"))["status"] == "active"


@sqlite_only
def test_choices_are_made_changed_and_taken_off(api: Api, live_code: dict[str, Any]) -> None:
    refused(api.post(f"/live-codes/{live_code['id']}/choices", title="x"), 409, "not_grouped")
    told(api.patch(f"/live-codes/{live_code['id']}", kind="grouped"))
    first, second = api.choice(live_code, tag="skin"), api.choice(live_code, position=1)
    listed = told(api.get(f"/live-codes/{live_code['id']}/choices"))["items"]
    assert [choice["id"] for choice in listed] == [first["id"], second["id"]]
    path = f"/choices/{first['id']}"
    assert told(api.patch(path, headers={"If-Match": "1"}, title="new"))["version"] == 2
    refused(api.patch(path, headers={"If-Match": "1"}, title="x"), 412, "stale")
    member = api.member(live_code, choice_id=first["id"])
    refused(api.patch(f"/live-codes/{live_code['id']}", kind="simple"), 409, "has_choices")
    told(api.delete(path))
    refused(api.get(path), 404, "not_found")
    assert told(api.get(one(member)))["state"] == "archived"
    for number in range(19):
        api.choice(live_code, title=str(number))
    refused(api.post(f"/live-codes/{live_code['id']}/choices", title="21st"), 409, "choice_limit")


FULL = """
import io, json, resource, sys
from dataclasses import replace
from pathlib import Path
from app import create_app
from app.settings import load
url, data_dir, key, token, path, picture = sys.argv[1:]
environ = {"HUOZI_DATABASE_URL": url, "HUOZI_DATA_DIR": data_dir, "HUOZI_SECRET_KEY": key}
app = create_app(load(environ))
client, head = app.test_client(), {"Authorization": f"Bearer {token}"}
client.get("/api/v1/live-codes", headers=head)
# From here on no file may grow beyond this: what the disk says when it is full, for the pictures and for nobody else.
resource.setrlimit(resource.RLIMIT_FSIZE, (700, resource.RLIM_INFINITY))
image = {"image": (io.BytesIO(Path(picture).read_bytes()), "x.png")}
answer = client.post(path, headers=head, data=image)
print(json.dumps([answer.status_code, answer.json]))
"""


def test_full_disk_leaves_no_half_member(
    api: Api, live_code: dict[str, Any], settings: Settings, tmp_path: Path
) -> None:
    picture = tmp_path / "screen.png"
    picture.write_bytes(pictures.encoded(pictures.screen()))
    token = api.headers["Authorization"].removeprefix("Bearer ")
    path = "/api/v1" + members_path(live_code)
    where = [settings.database_url, str(settings.data_dir), settings.secret_key]
    command = [sys.executable, "-c", FULL, *where, token, path, str(picture)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    status, body = json.loads(done.stdout.splitlines()[-1])
    assert (status, body["error"]["code"]) == (507, "storage_full")
    assert count(api, live_code) == 0
    left = [file for folder in ("images", "cards") for file in (settings.data_dir / folder).glob("*")]
    assert left == [], "nothing half-written"
    told(api.send(members_path(live_code), picture.read_bytes()), 201)

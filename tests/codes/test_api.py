"""The API of live codes: every answer and every refusal the contract names."""

from typing import Any

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from app.accounts.models import User
from app.codes import schemas
from app.db import writing
from app.web.signing import verify
from tests import make
from tests.codes.conftest import Api, api_of, refused, told
from tests.conftest import SECRET_KEY

sqlite_only = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
PAST = "2020-01-01T00:00:00Z"


def test_new_live_code_has_the_contracts_defaults(api: Api) -> None:
    body = api.live_code(name="spring")
    wanted = {
        "version": 1, "name": "spring", "title": "spring", "notice": "", "kind": "simple", "mode": "sequential",
        "region_policy": "prefer", "open": "page", "choice_policy": "one", "unpressed_seat_hours": 48,
        "on_closed_member": "by_press", "dedupe_group": None, "starts_at": None, "ends_at": None, "state": "active",
        "contact": {"text": "", "phone": "", "url": ""}, "pinned_member_id": None,
    }  # fmt: skip
    assert {name: body[name] for name in wanted} == wanted
    assert body["short_url"].endswith("/s/" + body["slug"]) and len(body["slug"]) == 6


@sqlite_only
def test_answers_have_just_the_documented_names(api: Api) -> None:
    live_code = api.live_code(kind="grouped")
    choice = api.choice(live_code)
    member = api.member(live_code, choice_id=choice["id"])
    version = told(api.get(f"/members/{member['id']}/versions"))["items"][0]
    for body, schema in (
        (live_code, schemas.LiveCodeAnswer), (choice, schemas.ChoiceAnswer), (member, schemas.MemberAnswer),
        (version, schemas.VersionAnswer), (told(api.post(f"/live-codes/{live_code['id']}/trial")), schemas.TrialAnswer),
        (told(api.post(f"/live-codes/{live_code['id']}/simulate")), schemas.SimulateAnswer),
    ):  # fmt: skip
        assert set(body) == set(schema().fields) - {"warnings"}, schema


def test_live_code_is_listed_found_and_filtered(api: Api) -> None:
    first, second = api.live_code(name="Spring fair"), api.live_code(name="Autumn")
    told(api.delete(f"/live-codes/{second['id']}"))
    page = told(api.get("/live-codes"))
    assert [item["id"] for item in page["items"]] == [first["id"]]
    assert (page["page"], page["per_page"], page["total"]) == (1, 20, 1)
    assert told(api.get("/live-codes", q="spring"))["total"] == 1
    assert told(api.get("/live-codes", q="autumn"))["total"] == 0
    assert told(api.get("/live-codes", state="archived"))["items"][0]["id"] == second["id"]
    assert told(api.get("/live-codes", per_page=1, page=9))["items"] == []


@sqlite_only
@pytest.mark.parametrize("query", [{"per_page": 101}, {"per_page": "x"}, {"page": 0}, {"state": "gone"}])
def test_list_refuses_what_it_cannot_ask(api: Api, query: dict[str, Any]) -> None:
    refused(api.get("/live-codes", **query), 422, "invalid", *query)


def test_patch_changes_what_is_named_and_raises_the_version(api: Api) -> None:
    live_code = api.live_code(contact={"text": "ring us", "phone": "400"})
    body = told(api.patch(f"/live-codes/{live_code['id']}", mode="random", contact={"phone": "401"}))
    assert (body["mode"], body["version"]) == ("random", 2)
    assert body["contact"] == {"text": "ring us", "phone": "401", "url": ""}


def test_patch_may_end_a_live_code_in_the_past_but_nobody_makes_one_ended(api: Api) -> None:
    refused(api.post("/live-codes", name="x", ends_at=PAST), 422, "invalid", "ends_at")
    live_code = api.live_code()
    assert told(api.patch(f"/live-codes/{live_code['id']}", ends_at=PAST))["ends_at"] == PAST


def test_end_before_the_stored_start_is_named(api: Api) -> None:
    live_code = api.live_code(starts_at="2030-01-02T00:00:00Z")
    path = f"/live-codes/{live_code['id']}"
    refused(api.patch(path, ends_at="2030-01-01T00:00:00Z"), 422, "invalid", "ends_at")


def test_stale_if_match_is_412(api: Api) -> None:
    live_code = api.live_code()
    path = f"/live-codes/{live_code['id']}"
    first = api.patch(path, headers={"If-Match": "1"}, mode="random")
    assert first.headers["ETag"] == '"2"'
    refused(api.patch(path, headers={"If-Match": "1"}, mode="round_robin"), 412, "stale")
    for text in ('"2"', 'W/"2"', "*"):
        told(api.patch(path, headers={"If-Match": text}, notice=text))
        assert told(api.get(path))["notice"] == text
        told(api.patch(path, notice=""))
        break
    refused(api.patch(path, headers={"If-Match": "no version"}, notice="x"), 412, "stale")


def test_archived_live_code_is_refused_changes_until_a_state_takes_it_back(api: Api) -> None:
    live_code = api.live_code()
    path = f"/live-codes/{live_code['id']}"
    assert told(api.delete(path))["state"] == "archived"
    refused(api.patch(path, name="x"), 409, "archived")
    assert told(api.patch(path, state="active"))["state"] == "active"


@sqlite_only
def test_another_marketers_ids_are_404_everywhere(api: Api, stranger: Api) -> None:
    live_code = api.live_code(kind="grouped")
    choice = api.choice(live_code)
    member = api.member(live_code, choice_id=choice["id"])
    code, option, one = f"/live-codes/{live_code['id']}", f"/choices/{choice['id']}", f"/members/{member['id']}"
    link = {"target_url": make.group_url()}
    calls = [
        ("GET", code, None), ("PATCH", code, {"name": "x"}), ("DELETE", code, None), ("POST", code + "/members", link),
        ("GET", code + "/members", None), ("POST", code + "/choices", {"title": "x"}), ("GET", code + "/choices", None),
        ("POST", code + "/pin", {"member_id": member["id"]}), ("DELETE", code + "/pin", None),
        ("POST", code + "/simulate", {}), ("POST", code + "/trial", None), ("GET", option, None),
        ("PATCH", option, {"title": "x"}), ("DELETE", option, None), ("GET", one, None), ("PATCH", one, {"label": "x"}),
        ("DELETE", one, None), ("POST", one + "/swap", link), ("POST", one + "/rollback", {"version": 1}),
        ("POST", one + "/headcount", {"count": 1}), ("POST", one + "/trust", None), ("GET", one + "/versions", None),
        ("GET", code + "/qr", None),
    ]  # fmt: skip
    for method, path, body in calls:
        refused(stranger.call(method, path, json=body), 404, "not_found")
    assert told(api.get(one))["label"] == ""
    assert told(stranger.get("/live-codes"))["total"] == 0
    mine = stranger.live_code()
    refused(stranger.post(f"/live-codes/{mine['id']}/pin", member_id=member["id"]), 404, "not_found")
    refused(
        stranger.post(f"/live-codes/{mine['id']}/members", choice_id=choice["id"], **link), 422, "invalid", "choice_id"
    )


@sqlite_only
def test_admin_reaches_everybodys_live_codes(api: Api, app: Flask, session: Session) -> None:
    live_code = api.live_code()
    with writing(session):
        user = make.user_row(session, role="admin")
    admin = api_of(app, session, user)
    assert told(admin.patch(f"/live-codes/{live_code['id']}", name="by admin"))["name"] == "by admin"


@sqlite_only
def test_viewer_looks_at_everything_and_changes_nothing(api: Api, app: Flask, session: Session) -> None:
    live_code = api.live_code()
    with writing(session):
        user = make.user_row(session, role="viewer")
    viewer = api_of(app, session, user)
    told(viewer.get(f"/live-codes/{live_code['id']}"))
    told(viewer.post(f"/live-codes/{live_code['id']}/simulate"))
    refused(viewer.patch(f"/live-codes/{live_code['id']}", name="x"), 403, "read_only")


@sqlite_only
@pytest.mark.parametrize("token", ["", "Bearer", "Bearer nobody", "Basic eDp5"])
def test_call_without_a_living_token_is_401(app: Flask, token: str) -> None:
    refused(app.test_client().get("/api/v1/live-codes", headers={"Authorization": token}), 401, "not_logged_in")


@sqlite_only
@pytest.mark.parametrize(
    "body", [b"{not json", b"[" * 50_000, b"\xff", b'{"unpressed_seat_hours": ' + b"9" * 5000 + b"}"]
)
def test_body_that_cannot_be_parsed_is_400(api: Api, body: bytes) -> None:
    refused(api.call("POST", "/live-codes", data=body, content_type="application/json"), 400, "bad_request")


@sqlite_only
@pytest.mark.parametrize("body", ["[]", "5", '"x"', "null", "true", "{}", ""])
def test_body_of_another_shape_is_422(api: Api, body: str) -> None:
    refused(api.call("POST", "/live-codes", data=body, content_type="application/json"), 422, "invalid")


@sqlite_only
def test_broken_multipart_is_400_and_another_type_415(api: Api) -> None:
    broken = api.call("POST", "/live-codes", data=b"--e\r\nContent-", content_type="multipart/form-data")
    refused(broken, 400, "bad_request")
    refused(api.call("POST", "/live-codes", data=b"<x/>", content_type="text/xml"), 415, "unsupported_media_type")


@sqlite_only
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("name", '"\\ud800"'), ("name", '"a\\u0000b"'), ("mode", '"best"'), ("starts_at", '"2026-13-01T00:00:00Z"'),
        ("nmae", '"x"'), ("state", "null"), ("unpressed_seat_hours", "NaN"), ("asks_city", "1"), ("contact", "[]"),
    ],
)  # fmt: skip
def test_wrong_value_is_422_and_names_its_input(api: Api, name: str, value: str) -> None:
    body = f'{{"name": "x", "{name}": {value}}}'
    refused(api.call("POST", "/live-codes", data=body, content_type="application/json"), 422, "invalid", name)


@sqlite_only
def test_refusals_come_in_the_readers_language(api: Api) -> None:
    assert refused(api.post("/live-codes"), 422, "invalid")["fields"] == {"name": ["这里必须填写。"]}
    assert refused(api.post("/live-codes?lang=en"), 422, "invalid")["fields"] == {"name": ["This is needed."]}


def test_markup_and_marks_in_names_come_back_as_they_went(api: Api) -> None:
    assert api.live_code(name="\u202e反向", title="<b>福利</b>群")["title"] == "<b>福利</b>群"


def test_request_sent_twice_with_one_key_is_done_once(api: Api) -> None:
    key = {"Idempotency-Key": "click"}
    first, second = (api.post("/live-codes", headers=key, name="once") for _ in range(2))
    assert told(first, 201)["id"] == told(second, 201)["id"]
    assert second.headers["Idempotent-Replayed"] == "true" and "Idempotent-Replayed" not in first.headers
    assert told(api.get("/live-codes"))["total"] == 1
    refused(api.post("/live-codes", headers=key, name="other"), 409, "key_reused")
    refused(api.post("/live-codes", headers={"Idempotency-Key": "x" * 201}, name="x"), 422, "invalid")


@sqlite_only
def test_key_of_a_refused_request_may_be_used_again(api: Api) -> None:
    live_code = api.live_code()
    path, key = f"/live-codes/{live_code['id']}/choices", {"Idempotency-Key": "k"}
    refused(api.post(path, headers=key, title="skin"), 409, "not_grouped")
    told(api.patch(f"/live-codes/{live_code['id']}", kind="grouped"))
    told(api.post(path, headers=key, title="skin"), 201)


@sqlite_only
def test_one_users_key_is_not_anothers(api: Api, stranger: Api) -> None:
    key = {"Idempotency-Key": "same"}
    mine, theirs = api.post("/live-codes", headers=key, name="x"), stranger.post("/live-codes", headers=key, name="x")
    assert told(mine, 201)["id"] != told(theirs, 201)["id"]


def test_pin_and_release_answer_with_the_live_code(api: Api) -> None:
    live_code = api.live_code()
    member, fallback = api.member(live_code), api.member(live_code, is_fallback=True)
    path = f"/live-codes/{live_code['id']}/pin"
    assert told(api.post(path, member_id=member["id"]))["pinned_member_id"] == member["id"]
    assert told(api.delete(path))["pinned_member_id"] is None
    refused(api.post(path, member_id=fallback["id"]), 422, "invalid", "member_id")
    told(api.delete(f"/members/{member['id']}"))
    refused(api.post(path, member_id=member["id"]), 409, "archived")


@sqlite_only
def test_trial_is_an_address_that_the_scan_door_will_know(api: Api) -> None:
    live_code = api.live_code()
    body = told(api.post(f"/live-codes/{live_code['id']}/trial"))
    url, _, token = body["url"].partition("?t=")
    assert url == live_code["short_url"]
    assert verify("trial", token, SECRET_KEY) == live_code["slug"].encode()
    assert verify("trial", token, SECRET_KEY, now=4_000_000_000) is None


def simulate(api: Api, live_code: dict[str, Any], **values: Any) -> dict[str, Any]:
    body: dict[str, Any] = told(api.post(f"/live-codes/{live_code['id']}/simulate", **values))
    return body


def test_simulation_explains_and_takes_nothing(api: Api) -> None:
    live_code = api.live_code()
    local, other = api.member(live_code, capacity=1, regions=["CN/CN-GD"]), api.member(live_code, capacity=5)
    near, far = simulate(api, live_code, region="CN/CN-GD/440100"), simulate(api, live_code, region="CN-SC")
    assert (near["outcome"], near["member_id"], far["member_id"]) == ("assigned", local["id"], other["id"])
    assert near["place"] == {
        "region": "CN/CN-GD/440100", "country": "CN", "province": "CN-GD", "city": "440100", "source": "given"
    }  # fmt: skip
    assert {line["member_id"] for line in far["trace"]} == {local["id"], other["id"]}
    assert [(line["eligible"], bool(line["reason"])) for line in far["trace"]].count((False, True)) == 1
    assert told(api.get(f"/members/{local['id']}"))["occupied"] == 0


@sqlite_only
def test_simulation_looks_an_address_up(api: Api) -> None:
    live_code = api.live_code()
    assert simulate(api, live_code, ip="114.114.114.114")["place"]["country"] == "CN"
    assert simulate(api, live_code, ip="10.0.0.1")["place"] == {
        "region": None, "country": None, "province": None, "city": None, "source": "unknown"
    }  # fmt: skip
    refused(api.post(f"/live-codes/{live_code['id']}/simulate", ip="here"), 422, "invalid", "ip")


@sqlite_only
def test_simulation_of_another_time_and_of_a_choice(api: Api) -> None:
    live_code = api.live_code(kind="grouped")
    choice = api.choice(live_code)
    windows = [{"days": [1], "from": "09:00", "to": "10:00"}]
    member = api.member(live_code, choice_id=choice["id"], windows=windows)
    assert simulate(api, live_code)["outcome"] == "choose"
    monday = simulate(api, live_code, choice_id=choice["id"], at="2026-11-02T09:30:00+08:00")
    sunday = simulate(api, live_code, choice_id=choice["id"], at="2026-11-01T09:30:00+08:00")
    assert monday["member_id"] == member["id"]
    assert (sunday["outcome"], sunday["opens_at"]) == ("unavailable", "2026-11-02T01:00:00Z")
    refused(api.post(f"/live-codes/{live_code['id']}/simulate", choice_id=999), 422, "invalid", "choice_id")


@sqlite_only
def test_openapi_document_and_its_page_show_every_call(app: Flask) -> None:
    client = app.test_client()
    paths = told(client.get("/api/v1/openapi.json"))["paths"]
    page = client.get("/api/v1/docs")
    assert page.status_code == 200 and "<script" not in page.text and "http://" not in page.text
    for path, operations in paths.items():
        for method in set(operations) - {"parameters"}:
            assert f"<b>{method.upper()}</b> {path}" in page.text
            assert operations[method]["summary"], (method, path)


@sqlite_only
def test_openapi_tells_of_pictures_keys_and_versions(app: Flask) -> None:
    paths = told(app.test_client().get("/api/v1/openapi.json"))["paths"]
    member = paths["/api/v1/live-codes/{live_code_id}/members"]["post"]
    assert set(member["requestBody"]["content"]) == {"application/json", "multipart/form-data"}
    assert member["parameters"][0]["name"] == "Idempotency-Key"
    assert paths["/api/v1/members/{member_id}"]["patch"]["parameters"][0]["name"] == "If-Match"


def test_owner_is_who_made_it(api: Api, owner: User) -> None:
    assert api.live_code()["owner_id"] == owner.id

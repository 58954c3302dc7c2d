"""`GET /live-codes/{id}/stats`, as programs ask it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Engine

from tests.happen import at, event, happened, live_codes
from tests.make import ZONE
from tests.panel import Somebody, share, somebody

PATH = "/live-codes/1/stats"
DAYS = {"from": "2026-11-02", "to": "2026-11-03"}


@pytest.fixture
def bob(app: Flask, engine: Engine) -> Somebody:
    """A marketer; the live code 1 is his, and three scans of it."""
    bob = somebody(app, engine)
    live_codes(engine, 1, owner_id=bob.id)
    happened(
        engine,
        event(visitor="ann", at=at("2026-11-02 10:10")),
        event(visitor="ann", at=at("2026-11-02 11:40"), outcome="returning"),
        event(visitor="bea", at=at("2026-11-03 23:10"), member_id=8, placement="门口"),
        event("press", visitor="bea", at=at("2026-11-03 23:11"), member_id=8),
    )
    return bob


def keys(answer: Any) -> list[Any]:
    return [row["key"] for row in answer["rows"]]


def test_days_are_answered_as_the_contract_says(bob: Somebody) -> None:
    answer = bob.answer(PATH, query_string={**DAYS, "by": "day"})
    assert answer["rows"] == [
        {"key": "2026-11-02", "scans": 2, "visitors": 1, "assigned": 1, "pressed": 0, "stuck": 0},
        {"key": "2026-11-03", "scans": 1, "visitors": 1, "assigned": 1, "pressed": 1, "stuck": 0},
    ]
    assert answer["totals"] == {"scans": 3, "visitors": 2, "assigned": 2, "pressed": 1, "stuck": 0}
    assert "per local day" in answer["visitors_are"]
    assert (answer["from"], answer["to"]) == ("2026-11-02T00:00:00+08:00", "2026-11-04T00:00:00+08:00")


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        ("hour", ["2026-11-02T10:00:00+08:00", "2026-11-02T11:00:00+08:00", "2026-11-03T23:00:00+08:00"]),
        ("member", [7, 8]),
        ("choice", [None]),
        ("region", ["CN/CN-GD/440100"]),
        ("outcome", ["assigned", "returning", None]),
        ("device", ["phone"]),
        ("app", ["wechat"]),
        ("placement", [None, "门口"]),
    ],
)
def test_every_dimension_can_be_asked_for(bob: Somebody, by: str, expected: list[Any]) -> None:
    assert keys(bob.answer(PATH, query_string={**DAYS, "by": by})) == expected


def test_a_period_may_be_given_in_times(bob: Somebody) -> None:
    for until in ("2026-11-02T11:00:00+08:00", "2026-11-02T11:00:00 08:00", "2026-11-02T03:00:00Z"):
        answer = bob.answer(PATH + f"?from=2026-11-02T02:00:00Z&to={until}")
        assert answer["totals"]["scans"] == 1, until


def test_without_a_period_it_is_the_last_thirty_days(engine: Engine, bob: Somebody) -> None:
    now = datetime.now(UTC)
    live_codes(engine, 2, owner_id=bob.id)
    happened(engine, event(live_code_id=2, at=now), event(live_code_id=2, at=now - timedelta(days=31)))
    answer = bob.answer("/live-codes/2/stats")
    assert answer["by"] == "day"
    assert keys(answer) == [now.astimezone(ZONE).date().isoformat()]
    assert keys(bob.answer(PATH, query_string={"to": "2026-11-02"})) == ["2026-11-02"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"by": "colour"}, "by"),
        ({"from": "yesterday"}, "from"),
        ({"from": "2026-11-02T10:00:00"}, "from"),
        ({"from": "0001-01-01"}, "from"),
        ({"to": "9999-12-31"}, "to"),
        ({"from": "2026-11-03", "to": "2026-11-02"}, "to"),
        ({"from": "2001-01-01", "to": "2026-11-02"}, "to"),
        ({"from": "2024-01-01", "to": "2026-11-02", "by": "hour"}, "to"),
    ],
)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_cannot_be_asked_says_which_value_is_wrong(bob: Somebody, query: dict[str, str], field: str) -> None:
    reply = bob.get(PATH, query_string=query)
    assert reply.status_code == 422
    assert reply.json is not None
    assert list(reply.json["error"]["fields"]) == [field]
    assert reply.json["error"]["code"] == "invalid"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_numbers_are_the_owner_s_and_the_admin_s(app: Flask, engine: Engine, bob: Somebody) -> None:
    assert somebody(app, engine).get(PATH).status_code == 404
    assert somebody(app, engine, "admin").get(PATH).status_code == 200
    assert somebody(app, engine, "viewer").get(PATH).status_code == 200
    assert bob.get("/live-codes/2/stats").status_code == 404
    assert app.test_client().get("/api/v1" + PATH).status_code == 401


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_colleague_sees_the_numbers_of_what_is_shared_with_them(app: Flask, engine: Engine, bob: Somebody) -> None:
    dora = somebody(app, engine)
    share(engine, 1, dora, "view")
    assert dora.answer(PATH, query_string=DAYS)["totals"]["scans"] == 3


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_regions_tell_which_part_of_the_scans_came_from_nobody_knows_where(engine: Engine, bob: Somebody) -> None:
    happened(engine, event(at=at("2026-11-02 10:10"), region=None))
    assert bob.answer(PATH, query_string={**DAYS, "by": "region"})["unknown_share"] == 0.25
    assert "unknown_share" not in bob.answer(PATH, query_string={**DAYS, "by": "day"})
    nothing = {"from": "2026-10-01", "to": "2026-10-02", "by": "region"}
    assert bob.answer(PATH, query_string=nothing)["unknown_share"] is None

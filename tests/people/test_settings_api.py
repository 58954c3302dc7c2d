"""Stages' limits and retention by API."""

from typing import Any

import pytest

from app.people.settings_store import RETENTION_DAYS
from tests.people.conftest import Town

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def test_everybody_s_stages_begin_where_they_say(town: Town) -> None:
    usual = town.bob.answer("/segments/limits")
    mine = {**usual, "silent_days": 3, "lost_days": 9}
    reply = town.bob.call("PUT", "/segments/limits", json=mine)
    assert (reply.status_code, reply.json) == (200, mine)
    assert town.bob.answer("/segments/limits") == mine
    assert town.carl.answer("/segments/limits") == usual


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"silent_days": 0}, "silent_days"),
        ({"silent_days": "3"}, "silent_days"),
        ({"silent_days": 90, "lost_days": 9}, "lost_days"),
    ],
)
def test_limits_that_do_not_fit_together_are_refused(town: Town, changes: dict[str, Any], field: str) -> None:
    usual = town.bob.answer("/segments/limits")
    reply = town.bob.call("PUT", "/segments/limits", json={**usual, **changes})
    assert reply.status_code == 422 and reply.json is not None and field in reply.json["error"]["fields"]
    assert town.bob.call("PUT", "/segments/limits", json={}).status_code == 422
    assert town.bob.answer("/segments/limits") == usual


def test_administrators_say_how_long_people_are_kept(town: Town) -> None:
    assert town.alice.answer("/visitors/retention") == dict(RETENTION_DAYS)
    days = {**RETENTION_DAYS, "events": 30}
    assert town.alice.call("PUT", "/visitors/retention", json=days).json == days
    assert town.alice.answer("/visitors/retention") == days
    for wrong in ({**days, "events": -1}, {**days, "events": 3651}, {**days, "shoes": 1}, {"events": 3}):
        assert town.alice.call("PUT", "/visitors/retention", json=wrong).status_code == 422, wrong
    assert town.bob.get("/visitors/retention").status_code == 403
    assert town.bob.call("PUT", "/visitors/retention", json=days).status_code == 403
    assert town.alice.answer("/visitors/retention") == days

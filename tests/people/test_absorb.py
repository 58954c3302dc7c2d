"""What events tell of people."""

from typing import Any

from sqlalchemy import Engine

from app.people.models import Tag, Visitor, VisitorLiveCode, VisitorTag
from tests.happen import at, count, event, happened, live_codes, rows


def the_visitor(engine: Engine) -> dict[str, Any]:
    [row] = rows(engine, Visitor)
    return row


def tag_names(engine: Engine) -> list[str]:
    names = {row["id"]: row["name"] for row in rows(engine, Tag)}
    return sorted(names[row["tag_id"]] for row in rows(engine, VisitorTag))


def test_a_first_event_makes_a_visitor_who_knows_where_they_came_from(engine: Engine) -> None:
    live_codes(engine, 1)
    happened(engine, event(visitor="ann", at=at("2026-11-02 10:00"), placement="门口", app="wechat"))
    ann = the_visitor(engine)
    assert (ann["key"], ann["first_live_code_id"], ann["first_placement"]) == ("ann", 1, "门口")
    assert ann["first_seen_at"] == ann["last_seen_at"] == at("2026-11-02 10:00")
    assert (ann["scans"], ann["pressed"], ann["device"], ann["app"]) == (1, 0, "phone", "wechat")


def test_visits_add_up_and_the_newest_scan_says_where_somebody_is(engine: Engine) -> None:
    live_codes(engine, 1)
    happened(engine, event(visitor="ann", at=at("2026-11-02 10:00"), region="CN/CN-GD", device="phone"))
    happened(
        engine,
        event(visitor="ann", at=at("2026-11-02 12:00"), region="US", device="pad"),
        event("press", visitor="ann", at=at("2026-11-02 12:01"), region=None, device=None),
        event(visitor="ann", at=at("2026-11-02 11:00"), region="CN/CN-BJ", device="phone"),
    )
    ann = the_visitor(engine)
    assert (ann["scans"], ann["pressed"], ann["region"], ann["device"]) == (3, 1, "US", "pad")
    assert (ann["first_seen_at"], ann["last_seen_at"]) == (at("2026-11-02 10:00"), at("2026-11-02 12:01"))


def test_an_event_that_comes_late_moves_the_beginning(engine: Engine) -> None:
    live_codes(engine, 1, 2)
    happened(engine, event(visitor="ann", at=at("2026-11-02 10:00"), live_code_id=1, placement="门口"))
    happened(engine, event(visitor="ann", at=at("2026-11-02 09:00"), live_code_id=2, placement=None))
    ann = the_visitor(engine)
    assert (ann["first_live_code_id"], ann["first_placement"]) == (2, None)


def test_what_somebody_did_is_kept_for_each_live_code(engine: Engine) -> None:
    live_codes(engine, 1, 2)
    happened(
        engine,
        event(visitor="ann", live_code_id=1, at=at("2026-11-02 10:00"), member_id=7),
        event("stuck", visitor="ann", live_code_id=1, at=at("2026-11-02 10:01"), member_id=7),
        event("reroute", visitor="ann", live_code_id=1, at=at("2026-11-02 10:01:01"), outcome="assigned", member_id=8),
        event(visitor="ann", live_code_id=2, at=at("2026-11-02 11:00"), outcome="full", member_id=None),
    )
    first, second = rows(engine, VisitorLiveCode)
    assert (first["scans"], first["stuck"], first["member_id"]) == (1, 1, 8)
    assert (second["scans"], second["stuck"], second["member_id"]) == (1, 0, None)


def test_a_preview_is_nobody_and_somebody_unknown_is_not_kept(engine: Engine) -> None:
    live_codes(engine, 1)
    happened(engine, event(outcome="preview"), event(visitor=None))
    assert count(engine, Visitor) == 0


def test_an_answer_becomes_a_tag_of_behaviour_once(engine: Engine) -> None:
    live_codes(engine, 1)
    answer = {"visitor": "ann", "outcome": "assigned", "tag": "母婴", "choice_id": 3}
    happened(engine, event("choose", at=at("2026-11-02 10:00"), **answer))
    happened(engine, event("reroute", at=at("2026-11-02 11:00"), **answer))
    [tag], [given] = rows(engine, Tag), rows(engine, VisitorTag)
    assert (tag["name"], tag["category"]) == ("母婴", "behaviour")
    assert (given["live_code_id"], given["choice_id"], given["at"]) == (1, 3, at("2026-11-02 11:00"))


def test_an_answer_without_a_seat_is_no_tag(engine: Engine) -> None:
    live_codes(engine, 1)
    happened(engine, event("choose", visitor="ann", outcome="full", tag="母婴", choice_id=3))
    assert count(engine, VisitorTag) == 0


def test_another_answer_takes_the_older_one_s_place(engine: Engine) -> None:
    live_codes(engine, 1, choice_policy="change_once")
    first = event("choose", visitor="ann", at=at("2026-11-02 10:00"), outcome="assigned", tag="母婴", choice_id=3)
    second = event("choose", visitor="ann", at=at("2026-11-02 11:00"), outcome="assigned", tag="数码", choice_id=4)
    happened(engine, second)
    happened(engine, first)
    assert tag_names(engine) == ["数码"]
    assert rows(engine, VisitorLiveCode)[0]["choice_id"] == 4


def test_where_several_may_be_chosen_every_answer_stays(engine: Engine) -> None:
    live_codes(engine, 1, choice_policy="several")
    for minute, (name, choice_id) in enumerate((("母婴", 3), ("数码", 4))):
        moment = at(f"2026-11-02 10:0{minute}")
        happened(engine, event("choose", visitor="ann", at=moment, outcome="assigned", tag=name, choice_id=choice_id))
    assert tag_names(engine) == ["数码", "母婴"]


def test_answers_at_different_live_codes_do_not_touch_each_other(engine: Engine) -> None:
    live_codes(engine, 1, 2)
    happened(
        engine,
        event("choose", visitor="ann", at=at("2026-11-02 10:00"), outcome="assigned", tag="母婴", choice_id=3),
        event("choose", visitor="ann", at=at("2026-11-02 11:00"), outcome="assigned", tag="数码", choice_id=4,
              live_code_id=2),
    )  # fmt: skip
    assert tag_names(engine) == ["数码", "母婴"]


def test_returning_uses_up_no_number(engine: Engine) -> None:
    """PostgreSQL's sequence takes a number at every conflict, and a busy code has two thousand million scans soon."""
    live_codes(engine, 1)
    for minute in range(30):
        happened(engine, event(visitor="ann", at=at(f"2026-11-02 10:{minute:02}")))
    happened(engine, event(visitor="bea"))
    ids = {row["key"]: row["id"] for row in rows(engine, Visitor)}
    assert ids["bea"] == ids["ann"] + 1

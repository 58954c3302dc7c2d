"""An event counts once, in whatever order and however often it arrives; nobody can make it be lost."""

import json
import threading
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine

from app.people.models import Tag, Visitor, VisitorLiveCode, VisitorTag
from app.pipeline.fold import Audience, fold, fold_entries, retry_dead
from app.pipeline.lines import Entry
from app.pipeline.models import dead_events, events
from app.rules.tally import ScanEvent
from app.stats.models import DAY_ROLLUPS, ROLLUPS, rollup_total, rollup_total_day, visitor_days
from tests.happen import audience, count, event, happened, live_codes, rows, shuffled_batches, transaction
from tests.make import NOW, hours


def test_an_event_counts_once_however_often_it_arrives(engine: Engine) -> None:
    live_codes(engine, 1)
    scan = event()
    assert happened(engine, scan) == 1
    assert happened(engine, scan, scan) == 0
    assert happened(engine, scan, other := event(), other) == 1
    assert count(engine, events) == 2
    assert [row["scans"] for row in rows(engine, Visitor)] == [1, 1]
    assert rows(engine, rollup_total)[0]["scans"] == 2


def test_nothing_to_fold_is_nothing(engine: Engine) -> None:
    assert happened(engine) == 0


def test_listeners_hear_of_new_events_only(engine: Engine) -> None:
    heard: list[str] = []

    def listen(_connection: Connection, news: Sequence[ScanEvent]) -> None:
        heard.extend(one.id for one in news)

    first, second = event(), event()
    for batch in ([first], [first], [second, first]):
        with transaction(engine) as connection:
            fold(connection, batch, Audience(listeners=(listen,)))
    assert heard == [first.id, second.id]


def test_an_event_and_what_is_kept_of_it_are_written_together(engine: Engine) -> None:
    def fail(_connection: Connection, _news: Sequence[ScanEvent]) -> None:
        raise RuntimeError("a listener broke")

    live_codes(engine, 1)
    scan = event()
    with pytest.raises(RuntimeError), transaction(engine) as connection:
        fold(connection, [scan], Audience(listeners=(*audience().listeners, fail)))
    assert (count(engine, events), count(engine, Visitor), count(engine, rollup_total)) == (0, 0, 0)
    assert happened(engine, scan) == 1


def entry(fields: dict[str, object]) -> str:
    whole = {"id": "x", "type": "scan", "at": "2026-11-02T04:00:00+00:00", "live_code_id": 1} | fields
    return json.dumps({name: value for name, value in whole.items() if value != "absent"})


UNREADABLE = {
    "no JSON": "{half a li",
    "nothing": "",
    "no object": "[1, 2]",
    "a number": "17",
    "too deep": "[" * 20_000,
    "bytes of no text": b'{"id": "\xff\xfe"}',
    "no id": entry({"id": "absent"}),
    "an empty id": entry({"id": ""}),
    "an unknown field": entry({"colour": "red"}),
    "an unknown type": entry({"type": "explode"}),
    "no live code": entry({"live_code_id": "absent"}),
    "a live code in words": entry({"live_code_id": "one"}),
    "a number too large": entry({"member_id": 2**31}),
    "a negative number": entry({"member_id": -1}),
    "a truth for a number": entry({"member_id": True}),
    "a list for a text": entry({"region": ["CN"]}),
    "a text too long": entry({"placement": "p" * 101}),
    "a NUL": entry({"placement": "a\0b"}),
    "half a surrogate": entry({"placement": "a\ud800b"}),
    "a time without a zone": entry({"at": "2026-11-02T04:00:00"}),
    "no time": entry({"at": "yesterday"}),
    "a time before QR codes": entry({"at": "1026-11-02T04:00:00+00:00"}),
    "a first that is no truth": entry({"first": "yes"}),
}


def test_what_nobody_can_read_is_set_aside_and_the_rest_is_folded(engine: Engine) -> None:
    live_codes(engine, 1)
    good = [Entry("outbox:1", event().encode()), Entry("outbox:2", event().encode().encode())]
    bad = [Entry(f"bad:{name}", raw) for name, raw in UNREADABLE.items()]
    with transaction(engine) as connection:
        folded = fold_entries(connection, [good[0], *bad, good[1]], audience())
    assert (folded.events, folded.dead) == (2, len(bad))
    kept = {row["origin"]: row for row in rows(engine, dead_events)}
    assert set(kept) == {one.origin for one in bad}
    assert all(row["reason"] for row in kept.values())
    assert kept["bad:no JSON"]["raw"] == "{half a li"
    assert kept["bad:bytes of no text"]["raw"] == r'{"id": "\xff\xfe"}'


def test_an_event_a_store_refuses_is_set_aside_alone(engine: Engine) -> None:
    live_codes(engine, 1)
    batch = [event() for _ in range(9)]
    batch[4] = replace(batch[4], live_code_id=99)  # there is no such live code for its visitor to be under
    with transaction(engine) as connection:
        folded = fold_entries(connection, [Entry(f"outbox:{n}", e.encode()) for n, e in enumerate(batch)], audience())
    assert (folded.events, folded.dead) == (8, 1)
    assert [row["origin"] for row in rows(engine, dead_events)] == ["outbox:4"]
    assert count(engine, Visitor) == 8
    assert rows(engine, rollup_total)[0]["scans"] == 8


def test_an_entry_is_set_aside_once(engine: Engine) -> None:
    for _ in range(2):
        with transaction(engine) as connection:
            fold_entries(connection, [Entry("outbox:7", "nonsense")], audience())
    assert count(engine, dead_events) == 1


def test_what_was_set_aside_can_be_tried_again(engine: Engine) -> None:
    early = event(live_code_id=5)
    with transaction(engine) as connection:
        fold_entries(connection, [Entry("outbox:1", early.encode()), Entry("outbox:2", "nonsense")], audience())
    live_codes(engine, 5)
    with transaction(engine) as connection:
        folded = retry_dead(connection, audience())
    assert (folded.events, folded.dead) == (1, 1)
    assert [row["origin"] for row in rows(engine, dead_events)] == ["outbox:2"]


VISITORS = ("ann", "bob", "cho")
SOME_EVENTS = st.lists(
    st.builds(
        lambda number, **fields: event(**fields, at=NOW + hours(fields_at(number))),
        number=st.integers(0, 10_000),
        type=st.sampled_from(["scan", "scan", "scan", "choose", "reroute", "press", "stuck", "release"]),
        visitor=st.sampled_from((*VISITORS, None)),
        live_code_id=st.sampled_from([1, 2]),
        outcome=st.sampled_from(["assigned", "returning", "full", "preview"]),
        member_id=st.sampled_from([None, 7, 8]),
        choice_id=st.sampled_from([3, 4]),
        tag=st.sampled_from([None, "母婴", "数码"]),
        region=st.sampled_from([None, "CN/CN-GD/440100", "US"]),
        placement=st.sampled_from([None, "A1"]),
    ),
    min_size=1,
    max_size=14,
    unique_by=lambda e: e.at,
)


def fields_at(number: int) -> float:
    """Spread over four local days, no two at the same moment."""
    return number / 100


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(happening=SOME_EVENTS, order=st.lists(st.integers(0, 50), max_size=20), size=st.integers(1, 6))
def test_order_batches_and_repetition_change_nothing(
    engine: Engine, happening: list[ScanEvent], order: list[int], size: int
) -> None:
    empty(engine)
    live_codes(engine, 1)
    live_codes(engine, 2, choice_policy="several")
    happened(engine, *happening)
    at_once = everything(engine)
    empty(engine)
    live_codes(engine, 1)
    live_codes(engine, 2, choice_policy="several")
    for batch in shuffled_batches(happening, order, size):
        happened(engine, *batch)
    assert everything(engine) == at_once


def everything(engine: Engine) -> dict[str, object]:
    """All that is kept of events, by names instead of running numbers. In which hour of a day a visitor was first
    counted follows the order of arrival, so `visitors` of the roll-ups is left to the tests of stats."""
    keys = {row["id"]: row["key"] for row in rows(engine, Visitor)}
    names = {row["id"]: row["name"] for row in rows(engine, Tag)}
    return {
        "visitors": rows(engine, Visitor, "id"),
        "under": [
            {**row, "visitor_id": keys[row["visitor_id"]]} for row in by_visitor(rows(engine, VisitorLiveCode), keys)
        ],
        "tags": sorted(
            (keys[r["visitor_id"]], names[r["tag_id"]], r["live_code_id"], r["at"], r["choice_id"])
            for r in rows(engine, VisitorTag)
        ),
        "total": rows(engine, rollup_total, "visitors"),
        **{
            name: [row for row in rows(engine, table, "visitors") if counts_something(row)]
            for name, table in ROLLUPS.items()
        },
        **{f"{name} by day": rows(engine, table) for name, table in DAY_ROLLUPS.items()},
        "total by day": rows(engine, rollup_total_day),
        "seen": rows(engine, visitor_days),
    }


def counts_something(row: dict[str, object]) -> bool:
    return any(row[name] for name in ("scans", "assigned", "pressed", "stuck"))


def by_visitor(found: list[dict[str, object]], keys: dict[int, str]) -> list[dict[str, object]]:
    return sorted(found, key=lambda row: (keys[row["visitor_id"]], row["live_code_id"]))  # type: ignore[index]


def empty(engine: Engine) -> None:
    with transaction(engine) as connection:
        for table in (
            "visitor_tags",
            "visitor_live_codes",
            "visitors",
            "tags",
            "live_codes",
            "users",
            "events",
            "visitor_days",
            "rollup_total",
            *(table.name for table in (rollup_total_day, *ROLLUPS.values(), *DAY_ROLLUPS.values())),
        ):
            connection.exec_driver_sql(f"DELETE FROM {table}")


def test_two_consumers_given_the_same_events_count_each_once(engine: Engine) -> None:
    live_codes(engine, 1, 2)
    visitors = [f"visitor-{n}" for n in range(12)]
    happening = [
        event(at=NOW + hours(n / 60), visitor=visitors[n % 12], live_code_id=1 + n % 2, tag="母婴") for n in range(240)
    ]
    failures: list[BaseException] = []

    def consume(step: int) -> None:
        try:
            for start in range(0, 240, 20):
                batch = happening[start : start + 20]
                happened(engine, *(batch if step else reversed(batch)))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=consume, args=(step,)) for step in (0, 1, 0)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not failures
    assert count(engine, events) == 240
    assert sum(row["scans"] for row in rows(engine, Visitor)) == 240
    assert [row["scans"] for row in rows(engine, VisitorLiveCode)] == [20] * 12
    for table in (rollup_total, rollup_total_day, *ROLLUPS.values(), *DAY_ROLLUPS.values()):
        assert sum(row["scans"] for row in rows(engine, table)) == 240, table.name
        assert sum(row["visitors"] for row in rows(engine, table)) == 12, table.name

"""Events: written as a line, read back, and what they add to the roll-ups."""

import pytest

from app.rules.tally import ScanEvent, Tally, count_of
from tests import make


def event(type: str = "scan", **more: object) -> ScanEvent:
    return ScanEvent("e1", type, make.NOW, 7, "v" * 22, **more)  # type: ignore[arg-type]


def test_event_survives_its_line() -> None:
    full = event(outcome="assigned", member_id=3, member_version=2, first=True, region="CN/CN-GD", placement="门店一")
    assert ScanEvent.decode(full.encode()) == full
    assert ScanEvent.decode(event().encode().encode()) == event()
    assert "\n" not in event(placement="a\nb").encode()


def test_answer_is_filled_in_on_a_copy() -> None:
    before = event()
    after = before.with_answer(outcome="full")
    assert (before.outcome, after.outcome, after.id) == (None, "full", "e1")


@pytest.mark.parametrize("line", ["", "[]", "{}", '{"at": "never"}', '{"id": 1, "at": "2026-01-01", "what": 2}'])
def test_line_that_is_no_event_is_refused(line: str) -> None:
    with pytest.raises((ValueError, KeyError, TypeError)):
        ScanEvent.decode(line)


@pytest.mark.parametrize(
    ("one", "adds"),
    [
        (event(outcome="assigned"), Tally(scans=1, assigned=1)),
        (event(outcome="returning"), Tally(scans=1)),
        (event(outcome="preview"), Tally()),
        (event("choose", outcome="assigned"), Tally(assigned=1)),
        (event("reroute", outcome="full"), Tally()),
        (event("press"), Tally(pressed=1)),
        (event("stuck"), Tally(stuck=1)),
        (event("release"), Tally()),
    ],
)
def test_what_an_event_adds(one: ScanEvent, adds: Tally) -> None:
    assert count_of(one) == adds

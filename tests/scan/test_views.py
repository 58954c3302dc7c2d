"""The door's routes: what is asked how, and with which status and headers it is answered."""

from tests.scan.phone import Doorway


def test_first_scan_is_answered_by_a_page_that_nobody_keeps(doorway: Doorway) -> None:
    code = doorway.world.live_code()
    doorway.world.member(code)
    reply = doorway.phone().get(f"/s/{code.slug}")
    assert reply.status_code == 200
    assert reply.headers["Cache-Control"] == "no-store"

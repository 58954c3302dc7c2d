"""Two visitors who turn out to be one person hold the same seats."""

from tests.ledger.world import World
from tests.make import hours


def test_of_one_scope_the_seat_taken_first_stands(world: World) -> None:
    code = world.live_code(mode="round_robin")
    first, second = world.member(code), world.member(code)
    ann, other = world.visitor(), world.visitor()
    shown = world.shown(code, ann)
    world.now += hours(1)
    dropped = world.shown(code, other)
    assert {shown, dropped} == {first, second}
    assert world.ledger.share(ann, other) == 1
    assert world.shown(code, other) == "returning"
    seat = world.ledger.seat(f"lc:{code.id}", other)
    assert seat is not None
    assert seat.member_id == shown


def test_a_key_without_a_seat_gets_the_other_s(world: World) -> None:
    code = world.live_code()
    world.member(code, capacity=1)
    ann, other = world.visitor(), world.visitor()
    world.shown(code, ann)
    assert world.shown(code, other) == "full"
    assert world.ledger.share(other, ann) == 1
    assert world.shown(code, other) == world.shown(code, ann) == "returning"


def test_who_gave_the_seat_up_has_none_to_share(world: World) -> None:
    code = world.live_code()
    world.member(code)
    ann, other = world.visitor(), world.visitor()
    world.shown(code, ann)
    world.stuck(code, ann)
    assert world.ledger.share(ann, other) == 0
    assert world.ledger.seat(f"lc:{code.id}", other) is None


def test_nobody_s_seats_are_shared_by_nobody(world: World) -> None:
    assert world.ledger.share(world.visitor(), world.visitor()) == 0

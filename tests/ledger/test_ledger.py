"""What every ledger promises: seats are taken once, kept, counted and given up as the rules say."""

import collections
from dataclasses import replace
from datetime import timedelta

from app.ledger import KeptSeat
from app.rules.model import Outcome
from app.rules.regions import Place
from app.scan.answer import Answer, Refused
from tests import make
from tests.ledger.world import World


def outcome(answer: Answer | Refused) -> str:
    assert isinstance(answer, Answer), answer
    return answer.decision.outcome.value


def member_of(answer: Answer | Refused) -> int | None:
    assert isinstance(answer, Answer), answer
    return answer.decision.member.id if answer.decision.member is not None else None


def test_members_fill_in_order_and_the_next_overflows(world: World) -> None:
    code = world.live_code()
    a, b = world.member(code, capacity=3), world.member(code, capacity=2)
    assert world.crowd(code, 6) == [a, a, a, b, b, "full"]
    world.check_books()


def test_returning_visitor_keeps_the_member_even_when_it_is_full(world: World) -> None:
    code = world.live_code()
    a = world.member(code, capacity=1)
    world.member(code, capacity=5)
    first = world.visitor()
    assert world.shown(code, first) == a
    world.crowd(code, 2)
    again = world.scan(code, first)
    assert (outcome(again), member_of(again)) == ("returning", a)
    assert world.counted(code, a) == 1


def test_reopening_an_earlier_member_makes_it_first_again(world: World) -> None:
    code = world.live_code()
    a, b = world.member(code, capacity=1), world.member(code, capacity=9)
    assert world.crowd(code, 2) == [a, b]
    world.edit_member(a, capacity=2)
    assert world.crowd(code, 2) == [a, b]


def test_sequential_finds_the_one_with_room_behind_many_full_ones(world: World) -> None:
    code = world.live_code()
    full = [world.member(code, capacity=1, headcount=1) for _ in range(12)]
    last = world.member(code, capacity=2)
    assert world.crowd(code, 3) == [last, last, "full"]
    assert [world.counted(code, m) for m in full] == [0] * 12


def test_round_robin_gives_weights_exactly_over_every_four(world: World) -> None:
    code = world.live_code(mode="round_robin")
    a, b = world.member(code, weight=3), world.member(code, weight=1)
    got = world.crowd(code, 24)
    for start in range(21):
        assert collections.Counter(got[start : start + 4]) == {a: 3, b: 1}, got


def test_round_robin_gives_a_new_member_no_catching_up(world: World) -> None:
    code = world.live_code(mode="round_robin")
    a, b = world.member(code, weight=3), world.member(code)
    world.crowd(code, 24)
    c = world.member(code)
    assert collections.Counter(world.crowd(code, 20)) == {a: 12, b: 4, c: 4}


def test_round_robin_freezes_who_is_full_and_gives_no_catching_up(world: World) -> None:
    code = world.live_code(mode="round_robin")
    a, b = world.member(code), world.member(code, capacity=2)
    assert collections.Counter(world.crowd(code, 8)) == {a: 6, b: 2}
    world.edit_member(b, capacity=100)
    assert collections.Counter(world.crowd(code, 6)) == {a: 3, b: 3}


def test_random_spends_every_seat_and_never_more(world: World) -> None:
    rolls = iter(i * 0.37 % 1 for i in range(10_000))
    chance = World(world.engine, world.ledger, world.books, roll=lambda: next(rolls))
    code = chance.live_code(mode="random")
    a, b = chance.member(code, capacity=5), chance.member(code, capacity=200)
    assert collections.Counter(chance.crowd(code, 60)) == {a: 5, b: 55}


def test_daily_capacity_holds_for_the_local_day_and_is_never_given_back(world: World) -> None:
    code = world.live_code()
    a, b = world.member(code, daily_capacity=1), world.member(code)
    who = world.visitor()
    assert world.shown(code, who) == a
    world.stuck(code, who)
    assert world.shown(code) == b
    world.later(hours=12)  # midnight in Shanghai
    assert world.shown(code) == a
    world.later(hours=-12)
    assert world.counts(code)[a].taken_on((world.now + timedelta(hours=12)).date()) == 0
    world.later(hours=12)
    assert world.shown(code) == b


def test_clock_set_back_over_midnight_never_lowers_the_later_days_count(world: World) -> None:
    code = world.live_code()
    a, b = world.member(code, daily_capacity=2), world.member(code)
    world.later(hours=13)
    assert world.shown(code) == a
    world.later(hours=-2)
    assert world.shown(code) == a
    world.later(hours=2)
    assert world.shown(code) == b


def test_headcount_replaces_the_count_of_seats(world: World) -> None:
    code = world.live_code()
    a = world.member(code, capacity=10)
    world.crowd(code, 2)
    world.headcount(a, 9)
    assert world.crowd(code, 2) == [a, "full"]


def test_headcount_above_the_capacity_closes_the_member(world: World) -> None:
    code = world.live_code()
    a = world.member(code, capacity=10)
    world.headcount(a, 30)
    assert world.crowd(code, 1) == ["full"]
    world.headcount(a, 3)
    assert world.shown(code) == a


def test_releasing_a_seat_older_than_the_headcount_does_not_lower_it(world: World) -> None:
    code = world.live_code()
    a = world.member(code, capacity=10)
    early, late = world.visitor(), world.visitor()
    world.scan(code, early)
    world.headcount(a, 5)
    world.scan(code, late)
    assert world.counted(code, a) == 1
    world.stuck(code, early)
    assert world.counted(code, a) == 1
    world.stuck(code, late)
    assert world.counted(code, a) == 0
    world.check_books()


def test_swapped_code_of_the_same_group_keeps_seats_and_shows_at_once(world: World) -> None:
    code = world.live_code()
    a = world.member(code, capacity=2)
    who = world.visitor()
    before = world.scan(code, who)
    world.swap(a)
    now = world.scan(code, who)
    assert outcome(now) == "returning"
    assert before.decision.member is not None and now.decision.member is not None
    assert now.decision.member.version == 2
    assert now.decision.member.target_url != before.decision.member.target_url
    assert world.counted(code, a) == 1


def test_new_group_starts_a_new_count_and_rollback_finds_the_old_one(world: World) -> None:
    code = world.live_code()
    a = world.member(code, capacity=2)
    old = world.visitor()
    assert world.shown(code, old) == a
    world.swap(a, new_group=True)
    assert world.crowd(code, 3) == [a, a, "full"]
    world.rollback(a, 1)
    assert outcome(world.scan(code, old)) == "returning"
    assert world.crowd(code, 2) == [a, "full"]
    world.check_books()


def test_who_held_the_old_group_is_reassigned_to_the_new_one(world: World) -> None:
    code = world.live_code()
    a = world.member(code, capacity=5)
    who = world.visitor()
    world.scan(code, who)
    world.press(code, who)
    world.swap(a, new_group=True)
    again = world.scan(code, who)
    assert (outcome(again), member_of(again)) == ("assigned", a)
    assert world.counted(code, a) == 1


def test_pressed_visitor_of_an_expired_group_is_held_for_48_hours_and_then_reassigned(world: World) -> None:
    code = world.live_code()
    a, b = world.member(code), world.member(code)
    pressed, idle = world.visitor(), world.visitor()
    assert world.shown(code, pressed) == world.shown(code, idle) == a
    assert world.press(code, pressed)
    world.edit_member(a, expires_at=world.now + timedelta(minutes=1))
    world.later(minutes=2)
    held = world.scan(code, pressed)
    assert (outcome(held), member_of(held)) == ("held", a)
    assert world.shown(code, idle) == b
    assert [world.counted(code, m) for m in (a, b)] == [1, 1]
    world.later(hours=48)
    assert world.shown(code, pressed) == b
    world.check_books()


def test_pressed_after_the_expiry_is_no_reason_to_wait(world: World) -> None:
    code = world.live_code()
    a, b = world.member(code, expires_at=world.now + timedelta(hours=1)), world.member(code)
    who = world.visitor()
    assert world.shown(code, who) == a
    world.later(hours=2)
    assert world.press(code, who)
    assert world.shown(code, who) == b


def test_closed_seat_stays_when_nobody_else_has_room(world: World) -> None:
    code = world.live_code(on_closed_member="reassign")
    a = world.member(code)
    who = world.visitor()
    world.scan(code, who)
    world.edit_member(a, state="disabled")
    assert outcome(world.scan(code, who)) == "unavailable"
    world.edit_member(a, state="active")
    again = world.scan(code, who)
    assert (outcome(again), member_of(again)) == ("returning", a)
    world.check_books()


def test_hold_policy_holds_and_fallback_policy_falls_back(world: World) -> None:
    code = world.live_code(on_closed_member="hold")
    a = world.member(code)
    world.member(code)
    who = world.visitor()
    world.scan(code, who)
    world.edit_member(a, state="disabled")
    assert outcome(world.scan(code, who)) == "held"
    world.edit(code, on_closed_member="fallback")
    assert outcome(world.scan(code, who)) == "held"
    spare = world.member(code, is_fallback=True)
    again = world.scan(code, who)
    assert (outcome(again), member_of(again)) == ("fallback", spare)


def test_unpressed_seat_lapses_and_is_counted_again_while_there_is_room(world: World) -> None:
    code = world.live_code(unpressed_seat_hours=48)
    a = world.member(code, capacity=2)
    idle, pressed = world.visitor(), world.visitor()
    world.scan(code, idle)
    world.scan(code, pressed)
    world.press(code, pressed)
    assert world.crowd(code, 1) == ["full"]
    world.later(hours=49)
    assert world.counted(code, a) == 1
    assert outcome(world.scan(code, idle)) == "returning"
    assert world.counted(code, a) == 2
    world.later(hours=49)
    assert world.shown(code) == a
    back = world.scan(code, idle)
    assert outcome(back) == "full"
    world.edit_member(a, capacity=3)
    assert outcome(world.scan(code, idle)) == "returning"
    world.check_books()


def test_lapsed_seat_without_room_is_routed_anew(world: World) -> None:
    code = world.live_code()
    a, b = world.member(code, capacity=1), world.member(code, capacity=5)
    idle = world.visitor()
    assert world.shown(code, idle) == a
    world.later(hours=49)
    assert world.shown(code) == a
    assert world.shown(code, idle) == b
    world.check_books()


def test_lapsed_seats_make_room_in_the_very_next_claim(world: World) -> None:
    code = world.live_code()
    a, b = world.member(code, capacity=1), world.member(code, capacity=5)
    assert world.crowd(code, 2) == [a, b]
    world.later(hours=49)
    assert world.shown(code) == a


def test_zero_hours_and_personal_kinds_never_lapse(world: World) -> None:
    never = world.live_code(unpressed_seat_hours=0)
    a = world.member(never, capacity=1)
    person = world.live_code()
    b = world.member(person, capacity=1, target=make.personal_url())
    assert world.shown(never) == a and world.shown(person) == b
    world.later(days=30)
    assert world.crowd(never, 1) == world.crowd(person, 1) == ["full"]


def test_who_cannot_get_in_is_sent_elsewhere_and_never_back(world: World) -> None:
    code = world.live_code()
    a, b = world.member(code), world.member(code)
    who = world.visitor()
    assert world.shown(code, who) == a
    assert member_of(world.stuck(code, who)) == b
    assert member_of(world.scan(code, who)) == b
    assert [world.counted(code, m) for m in (a, b)] == [0, 1]
    assert outcome(world.stuck(code, who)) == "unavailable"
    world.check_books()


def test_stuck_works_twice_a_day_and_again_tomorrow(world: World) -> None:
    code = world.live_code()
    for _ in range(5):
        world.member(code)
    who = world.visitor()
    world.scan(code, who)
    assert outcome(world.stuck(code, who)) == outcome(world.stuck(code, who)) == "assigned"
    assert world.stuck(code, who) == Refused("too_many", 429)
    world.later(hours=12)
    assert outcome(world.stuck(code, who)) == "assigned"


def test_stuck_without_a_seat_just_routes(world: World) -> None:
    code = world.live_code()
    a = world.member(code)
    assert member_of(world.stuck(code, world.visitor())) == a


def test_three_different_visitors_make_a_suspect_that_is_passed_over(world: World) -> None:
    code = world.live_code()
    a, b = world.member(code), world.member(code, capacity=4)
    visitors = [world.visitor() for _ in range(3)]
    for who in visitors:
        assert world.shown(code, who) == a
    for who in visitors:
        assert member_of(world.stuck(code, who)) == b
    assert world.snapshot(code).member(a).suspect_at is not None  # type: ignore[union-attr]
    assert world.crowd(code, 2) == [b, a]
    world.trust(a)
    assert world.shown(code) == a


def test_same_visitor_or_slow_reports_make_no_suspect(world: World) -> None:
    code = world.live_code()
    a = world.member(code)
    world.member(code)
    for _ in range(3):
        who = world.visitor()
        world.scan(code, who)
        world.stuck(code, who)
        world.later(minutes=16)
    assert world.snapshot(code).member(a).suspect_at is None  # type: ignore[union-attr]


def test_reports_before_a_swap_do_not_count_after_it(world: World) -> None:
    code = world.live_code()
    a = world.member(code)
    world.member(code)
    for n in range(4):
        who = world.visitor()
        world.scan(code, who)
        world.later(seconds=1)
        world.stuck(code, who)
        if n == 1:
            world.later(seconds=1)
            world.swap(a)
    assert world.snapshot(code).member(a).suspect_at is None  # type: ignore[union-attr]


def test_reserve_comes_into_play_when_no_active_member_has_room(world: World) -> None:
    code = world.live_code()
    a, spare = world.member(code, capacity=1), world.member(code, capacity=2, state="reserve")
    assert world.crowd(code, 1) == [a]
    assert world.snapshot(code).member(spare).state == "reserve"  # type: ignore[union-attr]
    assert world.crowd(code, 3) == [spare, spare, "full"]
    assert world.snapshot(code).member(spare).state == "active"  # type: ignore[union-attr]


def test_pin_forces_a_member_and_is_skipped_when_full(world: World) -> None:
    code = world.live_code()
    a, b = world.member(code), world.member(code, capacity=2, daily_capacity=1)
    world.pin(code, b)
    assert world.crowd(code, 3) == [b, b, a]
    last = next(e for e in reversed(world.books.events()) if e.outcome == "assigned")
    assert last.reason == "pin_skipped"


def test_dedupe_group_gives_one_seat_across_codes(world: World) -> None:
    one = world.live_code(dedupe_group="spring")
    two = world.live_code(dedupe_group="spring", owner_id=one.owner_id)
    other = world.live_code(dedupe_group="spring")
    a, b, c = world.member(one), world.member(two), world.member(other)
    who = world.visitor()
    assert world.shown(one, who) == a
    found = world.scan(two, who)
    assert (outcome(found), member_of(found)) == ("elsewhere", a)
    assert world.shown(other, who) == c
    world.edit(one, state="paused")
    assert world.shown(two, who) == b
    assert [world.counted(one, a), world.counted(two, b)] == [0, 1]
    world.check_books()


def test_elsewhere_shows_todays_image_of_the_other_code(world: World) -> None:
    one = world.live_code(dedupe_group="spring")
    two = world.live_code(dedupe_group="spring", owner_id=one.owner_id)
    a = world.member(one)
    world.member(two)
    who = world.visitor()
    world.scan(one, who)
    world.scan(two, who)
    world.swap(a)
    shown = world.scan(two, who).decision.member
    assert shown is not None and (shown.id, shown.version) == (a, 2)


def test_choice_takes_seat_and_tag_in_one_claim(world: World) -> None:
    code = world.live_code(kind="grouped")
    skin, baby = world.choice(code, tag="skin"), world.choice(code, tag="baby")
    world.member(code, choice_id=skin, capacity=4)
    b = world.member(code, choice_id=baby, capacity=5)
    who = world.visitor()
    asked = world.scan(code, who)
    assert outcome(asked) == "choose"
    assert [(c.choice.id, c.room) for c in asked.choices] == [(skin, 4), (baby, 5)]
    assert member_of(world.choose(code, who, baby)) == b
    sent = next(e for e in reversed(world.books.events()) if e.outcome == "assigned")
    assert (sent.type, sent.tag, sent.choice_id, sent.outcome) == ("choose", "baby", baby, "assigned")
    back = world.scan(code, who)
    assert (outcome(back), member_of(back)) == ("returning", b)


def test_choice_that_names_the_visitors_city_is_told_from_the_others(world: World) -> None:
    code = world.live_code(kind="grouped")
    x, y = world.choice(code), world.choice(code)
    world.member(code, choice_id=x, regions=["CN/CN-GD/440100"])
    world.member(code, choice_id=y)

    def local(region: str | None) -> list[bool]:
        return [c.is_local for c in world.scan(code, region=region).choices]

    assert local("CN/CN-GD/440100") == [True, False]
    assert local("CN/CN-SC/510100") == [False, False]
    assert local(None) == [False, False]
    world.member(code, choice_id=y, regions=["CN/CN-GD/440100"])
    assert local("CN/CN-GD/440100") == [False, False]  # of everybody it says nothing


def test_choice_is_kept_under_one_and_changed_once_under_change_once(world: World) -> None:
    code = world.live_code(kind="grouped")
    x, y = world.choice(code), world.choice(code)
    a, b = world.member(code, choice_id=x), world.member(code, choice_id=y)
    who = world.visitor()
    world.choose(code, who, x)
    assert member_of(world.choose(code, who, y)) == a
    world.edit(code, choice_policy="change_once")
    assert member_of(world.choose(code, who, y)) == b
    assert member_of(world.choose(code, who, x)) == b
    assert [world.counted(code, m) for m in (a, b)] == [0, 1]
    world.check_books()


def test_change_to_a_full_choice_keeps_the_seat(world: World) -> None:
    code = world.live_code(kind="grouped", choice_policy="change_once")
    x, y = world.choice(code), world.choice(code)
    a = world.member(code, choice_id=x)
    world.member(code, choice_id=y, capacity=1, headcount=1)
    who = world.visitor()
    world.choose(code, who, x)
    assert outcome(world.choose(code, who, y)) == "full"
    assert member_of(world.scan(code, who)) == a


def test_several_choices_are_several_seats(world: World) -> None:
    code = world.live_code(kind="grouped", choice_policy="several")
    x, y = world.choice(code), world.choice(code)
    a, b = world.member(code, choice_id=x), world.member(code, choice_id=y)
    who = world.visitor()
    assert member_of(world.choose(code, who, x)) == a
    assert member_of(world.choose(code, who, y)) == b
    assert outcome(world.scan(code, who)) == "choose"
    again = world.scan(code, who, choice_id=x)
    assert (outcome(again), member_of(again)) == ("returning", a)
    assert outcome(world.scan(code, world.visitor(), choice_id=x)) == "choose"


def test_choice_that_is_not_there_and_code_that_does_not_ask_are_refused(world: World) -> None:
    grouped, simple = world.live_code(kind="grouped"), world.live_code()
    assert world.choose(grouped, world.visitor(), 999) == Refused("no_such_choice", 404)
    assert world.choose(simple, world.visitor(), 1) == Refused("not_grouped", 409)


def test_reassigning_stays_inside_the_choice(world: World) -> None:
    code = world.live_code(kind="grouped")
    x, y = world.choice(code), world.choice(code)
    a, b = world.member(code, choice_id=x), world.member(code, choice_id=x)
    world.member(code, choice_id=y)
    who = world.visitor()
    assert member_of(world.choose(code, who, x)) == a
    world.edit_member(a, state="disabled")
    assert member_of(world.scan(code, who)) == b


def test_another_city_moves_a_seat_freely_before_a_press_and_once_after(world: World) -> None:
    code = world.live_code(asks_city=True)
    gd, sc = world.member(code, regions=["CN/CN-GD"]), world.member(code, regions=["CN/CN-SC"])
    who = world.visitor()
    assert world.shown(code, who, region="CN/CN-GD/440100") == gd

    def move(city: str) -> int | None:
        return member_of(world.decider.relocate(code.slug, world.scanner(who, chosen_city=city)))

    assert move("CN/CN-SC/510100") == sc
    assert move("CN/CN-GD/440100") == gd
    world.press(code, who)
    assert move("CN/CN-GD/440300") == gd
    assert move("CN/CN-SC/510100") == sc
    world.press(code, who)
    assert move("CN/CN-GD/440100") == sc
    assert [world.counted(code, m) for m in (gd, sc)] == [0, 1]
    world.check_books()


def test_whoever_looks_for_a_place_that_is_full_keeps_the_seat(world: World) -> None:
    code = world.live_code(asks_city=True, region_policy="strict")
    gd = world.member(code, regions=["CN/CN-GD"])
    sc = world.member(code, regions=["CN/CN-SC"], capacity=1)
    who = world.visitor()
    assert world.crowd(code, 1, region="CN/CN-SC") == [sc]
    assert world.shown(code, who, region="CN/CN-GD") == gd
    answer = world.decider.relocate(code.slug, world.scanner(who, chosen_city="CN/CN-SC"))
    assert (answer.decision.outcome, member_of(answer)) == (Outcome.RETURNING, gd)
    world.check_books()


def test_a_better_place_moves_a_seat_and_an_equal_one_does_not(world: World) -> None:
    code = world.live_code(asks_city=True)
    anywhere, other = world.member(code), world.member(code)
    gz = world.member(code, regions=["CN/CN-GD/440100"], capacity=1)
    here, there = "CN/CN-SC/510100", "CN/CN-GD/440100"
    first, second = world.visitor(), world.visitor()
    world.edit_member(anywhere, state="disabled")
    assert [world.shown(code, who, region=here) for who in (first, second)] == [other, other]
    world.edit_member(anywhere, state="active")

    def move(who: str) -> int | None:
        return member_of(world.decider.relocate(code.slug, world.scanner(who, region=here, chosen_city=there)))

    assert (move(first), move(second)) == (gz, other)
    world.check_books()


def test_a_city_counts_only_where_the_live_code_asks_for_it(world: World) -> None:
    code = world.live_code()
    gd, sc = world.member(code, regions=["CN/CN-GD"]), world.member(code, regions=["CN/CN-SC"])
    chosen = {"chosen_city": "CN/CN-SC/510100"}
    assert member_of(world.scan(code, region="CN/CN-GD", **chosen)) == gd
    world.edit(code, asks_city=True)
    assert member_of(world.scan(code, region="CN/CN-GD", **chosen)) == sc


def test_the_nearest_member_is_given_by_distance_and_kept_without_the_position(world: World) -> None:
    code = world.live_code(region_policy="nearest")
    far = world.member(code, latitude=39.9042, longitude=116.4074)
    near = world.member(code, latitude=23.1291, longitude=113.2644)
    who = world.visitor()
    assert world.shown(code, who, region="CN/CN-BJ") == far
    at = world.scanner(who, region="CN/CN-BJ", position=(23.05, 113.4))
    moved = world.decider.relocate(code.slug, at)
    assert (member_of(moved), moved.decision.place) == (near, Place("CN/CN-GD/440100", "position"))
    assert member_of(world.scan(code, who, region="CN/CN-BJ")) == near
    world.check_books()


def test_press_counts_once_and_needs_a_seat(world: World) -> None:
    code = world.live_code()
    a = world.member(code)
    who = world.visitor()
    assert not world.press(code, who)
    world.scan(code, who)
    assert world.press(code, who) and world.press(code, who)
    assert world.counts(code)[a].pressed == 1
    world.headcount(a, 50)
    assert world.counts(code)[a].pressed == 1


def test_stale_snapshot_is_never_answered_from(world: World) -> None:
    code = world.live_code()
    a, b = world.member(code), world.member(code)
    other = World(world.engine, world.ledger, world.books)  # another worker, with a cache of its own
    assert other.shown(code) == a
    world.edit_member(a, state="disabled")
    assert other.shown(code) == b
    for state, told in (("paused", "paused"), ("active", b), ("paused", "paused")):
        world.edit(code, state=state)
        assert other.shown(code) == told


def test_visitor_made_by_this_very_scan_is_routed_without_looking_first(world: World) -> None:
    code = world.live_code()
    a, b = world.member(code, capacity=1), world.member(code)
    other = World(world.engine, world.ledger, world.books)  # another worker, with a cache of its own

    def first_scan(at: World) -> int | None:
        return member_of(at.decider.scan(code.slug, replace(world.scanner(world.visitor()), first=True), None))

    assert [first_scan(other), first_scan(other)] == [a, b]
    world.edit_member(b, state="disabled")
    c = world.member(code)
    assert first_scan(other) == c
    world.check_books()


def test_preview_takes_no_seat(world: World) -> None:
    code = world.live_code()
    a = world.member(code)
    assert outcome(world.scan(code, is_preview=True)) == "preview"
    assert world.counted(code, a) == 0


def test_trial_decides_like_a_new_visitor_and_takes_nothing(world: World) -> None:
    code = world.live_code()
    a = world.member(code, capacity=1)
    for _ in range(3):
        answer = world.decider.trial(code.slug, world.scanner(world.visitor()))
        assert (outcome(answer), member_of(answer), answer.is_trial) == ("assigned", a, True)
    assert world.counted(code, a) == 0
    world.crowd(code, 1)
    assert outcome(world.decider.trial(code.slug, world.scanner(world.visitor()))) == "full"


def test_trial_says_whose_turn_it_is(world: World) -> None:
    code = world.live_code(mode="round_robin")
    a, b = world.member(code, weight=3), world.member(code, weight=1)
    turns = []
    for _ in range(8):
        tried = member_of(world.decider.trial(code.slug, world.scanner(world.visitor())))
        assert world.shown(code) == tried
        turns.append(tried)
    assert collections.Counter(turns) == {a: 6, b: 2}


def test_store_that_was_lost_honours_a_signed_seat_once(world: World) -> None:
    code = world.live_code()
    a, b = world.member(code, capacity=5), world.member(code, capacity=5)
    who = world.visitor()
    scope = f"lc:{code.id}"
    older = KeptSeat(code.id, b, 1, world.ledger.epoch() - 1)
    same = KeptSeat(code.id, b, 1, world.ledger.epoch())
    assert member_of(world.scan(code, world.visitor(), kept=((scope, same),))) == a
    restored = world.scan(code, who, kept=((scope, older),))
    assert (outcome(restored), member_of(restored)) == ("returning", b)
    assert world.counted(code, b) == 1
    released = world.stuck(code, who)
    assert member_of(released) == a
    assert member_of(world.scan(code, who, kept=((scope, older),))) == a
    world.check_books()


def test_restored_seat_never_breaks_the_capacity_and_needs_the_same_generation(world: World) -> None:
    code = world.live_code()
    a, b = world.member(code, capacity=1), world.member(code, capacity=5)
    world.crowd(code, 1)
    scope = f"lc:{code.id}"
    kept = KeptSeat(code.id, a, 1, world.ledger.epoch() - 1)
    again = world.scan(code, world.visitor(), kept=((scope, kept),))
    assert (outcome(again), member_of(again)) == ("returning", a)
    assert world.counted(code, a) == 1
    other_group = KeptSeat(code.id, a, 2, world.ledger.epoch() - 1)
    assert member_of(world.scan(code, world.visitor(), kept=((scope, other_group),))) == b


def test_erased_visitor_leaves_a_tombstone_and_the_count(world: World) -> None:
    code = world.live_code()
    a = world.member(code, capacity=5)
    who = world.visitor()
    world.scan(code, who)
    assert world.ledger.erase(who) == 1
    assert world.counted(code, a) == 1
    assert world.ledger.seat(f"lc:{code.id}", who) is None
    assert who not in world.books.tombstones()
    kept = KeptSeat(code.id, a, 1, world.ledger.epoch() - 1)
    assert outcome(world.scan(code, who, kept=((f"lc:{code.id}", kept),))) == "assigned"
    assert world.ledger.erase(world.visitor()) == 0


def test_erased_under_one_live_code_keeps_the_seat_in_another(world: World) -> None:
    one, two = world.live_code(), world.live_code()
    a, b = world.member(one), world.member(two)
    who = world.visitor()
    assert (world.shown(one, who), world.shown(two, who)) == (a, b)
    assert world.ledger.erase(who, [one.id]) == 1
    older = world.ledger.epoch() - 1
    kept = ((f"lc:{one.id}", KeptSeat(one.id, a, 1, older)),)
    assert outcome(world.scan(one, who, kept=kept)) == "assigned"
    assert outcome(world.scan(two, who)) == "returning"


def test_every_answer_is_an_event(world: World) -> None:
    code = world.live_code()
    world.member(code, capacity=1)
    who = world.visitor()
    for visitor in (who, who, world.visitor()):
        world.scan(code, visitor)
    world.edit(code, state="paused")
    world.scan(code, who)
    told = world.books.events()
    assert [e.outcome for e in told] == ["assigned", "returning", "full", "paused"]
    assert len({e.id for e in told}) == 4


def test_epoch_is_kept_by_the_store(world: World) -> None:
    first = world.ledger.epoch()
    assert first == world.books.epoch()
    assert first > 1_700_000_000


def test_code_that_is_gone_is_unknown(world: World) -> None:
    code = world.live_code()
    code.slug = "zzzzzz9"
    assert outcome(world.scan(code)) == Outcome.UNKNOWN.value
    assert not world.press(code, world.visitor())


def test_300_visitors_over_three_members_and_their_second_visit(world: World) -> None:
    for mode in ("sequential", "round_robin", "random"):
        code = world.live_code(mode=mode)
        ids = [world.member(code, capacity=100) for _ in range(3)]
        visitors = [world.visitor() for _ in range(300)]
        first = [world.shown(code, who) for who in visitors]
        assert collections.Counter(first) == dict.fromkeys(ids, 100)
        assert world.crowd(code, 1) == ["full"]
        again = [world.scan(code, who) for who in visitors]
        assert [member_of(a) for a in again] == first
        assert {outcome(a) for a in again} == {"returning"}
    assert len([seat for seat in world.books.seats() if seat.counted]) == 900

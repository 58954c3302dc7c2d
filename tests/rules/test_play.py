"""The coming week, played through rule by rule; what is said of it comes from `outlook`."""

from dataclasses import replace
from datetime import timedelta

import pytest

from app.rules.forecast import outlook
from app.rules.model import MemberState, Mode
from app.rules.play import HORIZON_HOURS
from app.rules.stock import Headcount, Stock
from tests import make
from tests.rules.recorded import steady

A_WEEK = 7 * 24


def play(*stocks: Stock, mode: Mode = Mode.SEQUENTIAL, lapse: int = 0, **more: bool) -> dict[int, float]:
    """Hours until each member is full; 0 stands for the live code as a whole."""
    found = outlook(stocks, make.NOW, make.ZONE, mode, lapse, **more)
    moments = {**found.full_at, **({0: found.empty_at} if found.empty_at else {})}
    return {id: (at - make.NOW) / timedelta(hours=1) for id, at in moments.items()}


def test_at_two_an_hour_twenty_places_last_about_ten_hours() -> None:
    found = play(Stock(make.member(1, capacity=100), 80, steady(2)))
    assert found == {0: pytest.approx(10, rel=0.15), 1: pytest.approx(10, rel=0.15)}


def test_nobody_coming_fills_nothing() -> None:
    assert play(Stock(make.member(1, capacity=100), 99)) == {}


def test_without_a_capacity_nothing_is_ever_full() -> None:
    assert play(Stock(make.member(1), 5000, steady(50))) == {}


def test_one_after_another_the_second_fills_when_the_first_is_full() -> None:
    first = Stock(make.member(1, capacity=100), 80, steady(2))
    second = Stock(make.member(2, capacity=20), 0)
    found = play(first, second)
    assert found[1] < found[2] == pytest.approx(20, rel=0.15)
    assert found[0] == found[2]


def test_in_turns_both_fill_at_the_same_time() -> None:
    found = play(
        Stock(make.member(1, capacity=20), 0, steady(1)), Stock(make.member(2, capacity=20), 0, steady(1)),
        mode=Mode.ROUND_ROBIN,
    )  # fmt: skip
    assert found[1] == pytest.approx(found[2])


def test_a_reserve_comes_last() -> None:
    reserve = Stock(make.member(1, capacity=10, state=MemberState.RESERVE))
    found = play(reserve, Stock(make.member(2, capacity=100), 90, steady(2)))
    assert found[2] < found[1] == found[0]


def test_a_code_that_expires_takes_its_places_along() -> None:
    expiring = make.member(1, capacity=1000, expires_at=make.NOW + timedelta(hours=5))
    assert play(Stock(expiring, 0, steady(2)))[0] == pytest.approx(5, abs=1)


def test_unpressed_seats_that_lapse_make_room_again() -> None:
    stock = Stock(make.member(1, capacity=195), 150, steady(2, days=4))
    held, lapsing = play(stock, lapse=0), play(stock, lapse=48)
    assert held[1] == pytest.approx(22, rel=0.15)
    assert 1 not in lapsing, "as many lapse as come"


def test_people_of_a_full_place_go_to_codes_for_everybody_only_if_they_must_stay_local() -> None:
    local = Stock(make.member(1, capacity=100, regions=("CN/CN-GD",)), 98, steady(2))
    other = Stock(make.member(2, capacity=100, regions=("CN/CN-SC",)), 0)
    assert play(local, other)[0] > 40
    assert play(local, other, spills=False)[0] < 3


def test_each_choice_fills_by_itself() -> None:
    busy = Stock(make.member(1, choice_id=1, capacity=100), 95, steady(2))
    calm = Stock(make.member(2, choice_id=2, capacity=100), 0)
    assert play(busy, calm)[0] < 5


def test_closed_hours_take_nobody() -> None:
    closed = make.member(1, capacity=100, windows=(make.window((7,), "03:00", "04:00"),))
    assert play(Stock(closed, 0, steady(2)))[0] == 0


def test_nothing_is_foretold_beyond_a_week() -> None:
    slow = Stock(make.member(1, capacity=1000), 0, steady(1))
    assert play(slow) == {}
    assert HORIZON_HOURS == A_WEEK


def test_who_reads_the_number_every_day_will_do_so_tomorrow() -> None:
    read = tuple(
        Headcount(make.NOW - timedelta(hours=4 + 24 * day), 100 + 24 * (4 - day)) for day in reversed(range(5))
    )
    habit = Stock(make.member(1, capacity=250, headcount=196), 8, steady(2, days=6), read)
    once = replace(habit, headcounts=read[-2:])
    assert play(once)[1] == pytest.approx(23, rel=0.2)
    assert play(habit)[1] > 30, "half of them do not join, and the number will say so"


def test_who_reads_it_every_day_and_a_half_will_go_on_so() -> None:
    # Read twelve hours ago: again in a day, of 72 seats half have joined by then.
    read = tuple(Headcount(make.NOW - timedelta(hours=12 + 36 * n), 100 + 36 * (3 - n)) for n in reversed(range(4)))
    stock = Stock(make.member(1, capacity=275, headcount=208), 24, steady(2, days=6), read)
    assert play(replace(stock, headcounts=read[-2:]))[1] == pytest.approx(21.5, rel=0.1)
    slower = replace(stock, member=make.member(1, capacity=285, headcount=208))
    assert play(slower)[1] > play(replace(slower, headcounts=read[-2:]))[1] + 5


def test_a_habit_that_was_given_up_is_none() -> None:
    read = tuple(Headcount(make.NOW - timedelta(days=5 + day), 196) for day in reversed(range(5)))
    given_up = Stock(make.member(1, capacity=250, headcount=196), 8, steady(2, days=6), read)
    assert play(given_up) == play(replace(given_up, headcounts=read[-2:]))


def test_more_people_lately_fill_it_sooner() -> None:
    calm = steady(1, days=6, until=make.NOW - timedelta(hours=24))
    busy = calm + steady(4, days=1)
    usual = calm + steady(1, days=1)
    assert (
        play(Stock(make.member(1, capacity=100), 80, busy))[1] < play(Stock(make.member(1, capacity=100), 80, usual))[1]
    )

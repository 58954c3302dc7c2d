"""Who waits for a database that is down, over threads and processes."""

import multiprocessing
from collections.abc import Callable

from app.db.breaker import Breaker


def test_one_caller_a_pause_finds_out_whether_it_is_back() -> None:
    breaker = Breaker(answer_seconds=60, pause_seconds=0)
    assert not breaker.refuses() and not breaker.is_open
    breaker.trip()
    assert breaker.is_open and not breaker.is_resting
    assert [breaker.refuses() for _ in range(3)] == [False, True, True]
    assert breaker.is_resting
    breaker.mend()
    assert not breaker.refuses() and not breaker.is_open


def test_what_one_process_has_learnt_the_others_know() -> None:
    breaker = Breaker(pause_seconds=60)
    _in_another_process(breaker.trip)
    assert breaker.is_open and breaker.refuses()
    _in_another_process(breaker.mend)
    assert not breaker.refuses()


def _in_another_process(work: Callable[[], None]) -> None:
    process = multiprocessing.get_context("fork").Process(target=work)
    process.start()
    process.join(20)
    assert process.exitcode == 0

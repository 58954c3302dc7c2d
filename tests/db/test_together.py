"""Group commit: one transaction for everybody who waits, and each gets their own answer or their own error."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from app.db import make_engine
from app.db.together import Together

ADD = sa.text("INSERT INTO kept (number) VALUES (:number)")


class Outage(Exception):
    pass


class Place:
    """A SQLite database with one table, and how its transactions were opened."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.opened = 0
        self.hold = threading.Event()
        self.hold.set()
        self.is_down = False
        with engine.begin() as connection:
            connection.execute(sa.text("CREATE TABLE kept (number INTEGER PRIMARY KEY)"))

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        self.opened += 1
        self.hold.wait(10)
        if self.is_down:
            raise Outage
        with self.engine.begin() as connection:
            yield connection

    def kept(self) -> list[int]:
        with self.engine.connect() as connection:
            return list(connection.execute(sa.text("SELECT number FROM kept ORDER BY number")).scalars())


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    engine = make_engine(f"sqlite:///{tmp_path}/x.db")
    yield Place(engine)
    engine.dispose()


def add(number: int) -> Any:
    def work(connection: Connection) -> int:
        connection.execute(ADD, {"number": number})
        return number * 10

    return work


def crowd(place: Place, together: Together, numbers: list[int]) -> list[Any]:
    """Lets them all queue behind the first before anything is written; what each got, in their order."""
    place.hold.clear()
    with ThreadPoolExecutor(len(numbers)) as pool:

        def one(number: int) -> Any:
            try:
                return together.run(add(number))
            except Exception as error:
                return type(error)

        asked = [pool.submit(one, number) for number in numbers]
        deadline = time.monotonic() + 10
        while len(together._waiting) < len(numbers) - 1 and time.monotonic() < deadline:
            time.sleep(0.01)
        place.hold.set()
        return [future.result(20) for future in asked]


def test_who_comes_alone_gets_an_answer(place: Place) -> None:
    together = Together(place.writing, Outage)
    assert together.run(add(1)) == 10
    assert together.run(add(2)) == 20
    assert place.kept() == [1, 2]


def test_everybody_who_waits_is_written_in_one_transaction(place: Place) -> None:
    together = Together(place.writing, Outage)
    assert crowd(place, together, list(range(12))) == [number * 10 for number in range(12)]
    assert place.kept() == list(range(12))
    assert place.opened == 2  # the first one's, and that of all the others


def test_a_crowd_larger_than_a_transaction_takes_turns(place: Place) -> None:
    together = Together(place.writing, Outage, most=3)
    assert crowd(place, together, list(range(10))) == [number * 10 for number in range(10)]
    assert place.opened == 4


def test_one_that_cannot_be_done_does_not_undo_the_others(place: Place) -> None:
    together = Together(place.writing, Outage)
    together.run(add(5))
    told = crowd(place, together, [1, 2, 5, 3])
    assert told == [10, 20, sa.exc.IntegrityError, 30]
    assert place.kept() == [1, 2, 3, 5]


def test_an_outage_is_told_to_everybody_at_once(place: Place) -> None:
    together = Together(place.writing, Outage)
    place.is_down = True
    assert crowd(place, together, [1, 2, 3, 4]) == [Outage] * 4
    assert place.opened == 2
    place.is_down = False
    assert together.run(add(9)) == 90


def test_many_threads_at_once_lose_nothing(place: Place) -> None:
    together = Together(place.writing, Outage, most=4)
    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(lambda n: together.run(add(n)), range(400))) == [n * 10 for n in range(400)]
    assert place.kept() == list(range(400))
    assert place.opened <= 400

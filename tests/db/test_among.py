"""Many values in one parameter: whatever is in them, and however many there are."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection

from app.db import make_engine
from app.db.among import among

VALUES = ["plain", "it's", 'a "quoted" one', "a, comma", "{brace}", "null", "", "成都", "back\\slash"]


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    engine = make_engine(database_url)
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def test_what_is_among_the_values_is_found_and_nothing_else(connection: Connection) -> None:
    words = sa.union_all(*(sa.select(sa.literal(word).label("word")) for word in [*VALUES, "other", "NULL"])).subquery()

    def found(wanted: list[str]) -> set[str]:
        return set(connection.scalars(sa.select(words.c.word).where(among(connection, words.c.word, wanted))))

    assert found(VALUES) == set(VALUES)
    assert found([]) == set()
    assert found([*VALUES, *(f"no such word {number}" for number in range(100_000))]) == set(VALUES)

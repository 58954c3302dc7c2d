"""Many values in one parameter: whatever is in them, and however many there are."""

import sqlalchemy as sa
from sqlalchemy import Engine

from app.db.among import among


def test_what_is_among_the_values_is_found_and_nothing_else(engine: Engine) -> None:
    values = ["plain", "it's", 'a "quoted" one', "a, comma", "{brace}", "null", "", "成都", "back\\slash"]
    rows = sa.values(sa.column("word", sa.String), name="words").data([(word,) for word in [*values, "other", "NULL"]])
    with engine.connect() as connection:

        def found(wanted: list[str]) -> set[str]:
            return set(connection.scalars(sa.select(rows.c.word).where(among(connection, rows.c.word, wanted))))

        assert found(values) == set(values)
        assert found([]) == set()
        assert found([*values, *(f"no such word {number}" for number in range(100_000))]) == set(values)

"""What every engine has in common, whatever the database."""

import pytest
import sqlalchemy as sa

from app.db import make_engine


def test_failed_statement_tells_nobody_the_values_it_carried(database_url: str) -> None:
    engine = make_engine(database_url)
    insert = sa.text("INSERT INTO no_such_table (password_hash) VALUES (:secret)")
    with engine.connect() as connection, pytest.raises(sa.exc.DBAPIError) as caught:
        connection.execute(insert, {"secret": "argon2-of-somebody"})
    engine.dispose()
    assert "no_such_table" in str(caught.value)
    assert "argon2-of-somebody" not in str(caught.value)

"""A database of the test's own, as an engine."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from app.db import make_engine


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = make_engine(database_url)
    yield engine
    engine.dispose()

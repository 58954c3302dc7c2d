"""A session on this test's database, outside any application, and somebody who owns live codes."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.accounts.models import User
from app.codes.changes import Asker
from app.codes.models import LiveCode
from app.db import make_engine, writing
from tests import make


@pytest.fixture
def engine(database_url: str) -> Iterator[sa.Engine]:
    engine = make_engine(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def session(engine: sa.Engine) -> Iterator[Session]:
    with Session(engine) as session:
        yield session


@pytest.fixture
def owner(session: Session) -> User:
    with writing(session):
        return make.user_row(session)


@pytest.fixture
def asker(owner: User) -> Asker:
    return make.asker(owner)


@pytest.fixture
def live_code(session: Session, owner: User) -> LiveCode:
    with writing(session):
        return make.live_code_row(session, owner)

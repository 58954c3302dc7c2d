"""Alice is an admin, Bob a marketer, Carol looks on; `log_in` is one of their browsers."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from app.accounts import credentials
from app.accounts.models import User
from app.db import make_engine, writing
from app.db.audit import Actor

PASSWORD = "correct horse battery"
PASSWORD_HASH = credentials.hash_password(PASSWORD)  # once, for it is slow on purpose
TEST = Actor("test")


@pytest.fixture
def session(database_url: str) -> Iterator[Session]:
    """A session of the test's own, beside the application's."""
    engine = make_engine(database_url)
    with Session(engine) as session:
        yield session
    engine.dispose()


@pytest.fixture
def make_user(session: Session) -> Callable[..., int]:
    """make_user("dora@example.com", role="viewer") → the user's id."""

    def make(email: str, role: str = "marketer", **more: Any) -> int:
        user = User(**{"email": email, "name": email, "role": role, "password_hash": PASSWORD_HASH} | more)
        with writing(session):
            session.add(user)
            session.flush()
            return user.id

    return make


@pytest.fixture
def alice(make_user: Callable[..., int]) -> int:
    return make_user("alice@example.com", "admin", name="Alice")


@pytest.fixture
def bob(make_user: Callable[..., int]) -> int:
    return make_user("bob@example.com", "marketer", name="Bob")


@pytest.fixture
def carol(make_user: Callable[..., int]) -> int:
    return make_user("carol@example.com", "viewer", name="Carol")


@pytest.fixture
def log_in(app: Flask) -> Callable[..., FlaskClient]:
    """log_in("bob@example.com") → a browser that is logged in."""

    def enter(email: str, password: str = PASSWORD, **headers: str) -> FlaskClient:
        client = app.test_client()
        form = {"email": email, "password": password, "remember": "y"}
        answer = client.post("/login", data=form, headers=headers)
        assert answer.status_code == 303, answer.text
        return client

    return enter

"""A session on this test's database, somebody who owns live codes, and programs that call the API for them."""

import io
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from app.accounts import tokens
from app.accounts.models import User
from app.codes.changes import Asker
from app.codes.models import LiveCode
from app.db import make_engine, writing
from app.db.audit import Actor
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


class Api:
    """A program with a token."""

    def __init__(self, client: FlaskClient, token: str) -> None:
        self.client = client
        self.headers = {"Authorization": f"Bearer {token}"}

    def call(self, method: str, path: str, **more: Any) -> TestResponse:
        headers = self.headers | more.pop("headers", {})
        return self.client.open(f"/api/v1{path}", method=method, headers=headers, **more)

    def get(self, path: str, **query: Any) -> TestResponse:
        return self.call("GET", path, query_string=query)

    def post(self, path: str, headers: dict[str, str] | None = None, **values: Any) -> TestResponse:
        return self.call("POST", path, json=values, headers=headers or {})

    def patch(self, path: str, headers: dict[str, str] | None = None, **values: Any) -> TestResponse:
        return self.call("PATCH", path, json=values, headers=headers or {})

    def delete(self, path: str) -> TestResponse:
        return self.call("DELETE", path)

    def send(self, path: str, image: bytes, name: str = "code.png", **fields: Any) -> TestResponse:
        """A picture, with fields beside it."""
        form = fields | {"image": (io.BytesIO(image), name)}
        return self.call("POST", path, data=form, content_type="multipart/form-data")

    def live_code(self, **values: Any) -> dict[str, Any]:
        return told(self.post("/live-codes", **({"name": "spring"} | values)), 201)

    def member(self, live_code: dict[str, Any], **values: Any) -> dict[str, Any]:
        values = {"target_url": make.group_url()} | values
        return told(self.post(f"/live-codes/{live_code['id']}/members", **values), 201)

    def choice(self, live_code: dict[str, Any], **values: Any) -> dict[str, Any]:
        return told(self.post(f"/live-codes/{live_code['id']}/choices", **({"title": "skin"} | values)), 201)


def told(response: TestResponse, status: int = 200) -> Any:
    """The answer's JSON, of this status."""
    assert response.status_code == status, (response.status_code, response.text[:500])
    return response.json


def refused(response: TestResponse, status: int, code: str, *fields: str) -> Any:
    """The contract's error shape, with this code, naming at least these inputs."""
    body = told(response, status)["error"]
    assert body["code"] == code and body["message"], body
    assert set(fields) <= set(body["fields"]), body
    assert all(text for texts in body["fields"].values() for text in texts)
    return body


@pytest.fixture
def api(app: Flask, session: Session, owner: User) -> Api:
    return api_of(app, session, owner)


@pytest.fixture
def stranger(app: Flask, session: Session) -> Api:
    """Another marketer's program."""
    with writing(session):
        user = make.user_row(session)
    return api_of(app, session, user)


def api_of(app: Flask, session: Session, user: User) -> Api:
    token = tokens.create(session, Actor("test"), user.id, "test", now=datetime.now(UTC))
    return Api(app.test_client(), token)

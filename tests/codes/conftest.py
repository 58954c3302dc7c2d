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
from werkzeug.datastructures import FileStorage, MultiDict
from werkzeug.test import TestResponse, encode_multipart

from app.accounts import sessions, tokens
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
        file = FileStorage(io.BytesIO(image), filename=name, name="image")
        # Encoded here, because the client would leave its temporary file for a large body unclosed.
        boundary, body = encode_multipart(MultiDict(fields | {"image": file}))
        return self.call("POST", path, data=body, content_type=f'multipart/form-data; boundary="{boundary}"')

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


def fresh(session: Session) -> Session:
    """The session, ready to see what the application has done meanwhile."""
    session.rollback()
    return session


class Browser:
    """Somebody logged in to the panel, who reads English."""

    def __init__(self, app: Flask, session: Session, user: User) -> None:
        self.client = app.test_client()
        self.user = user
        with writing(session):
            user = session.get_one(User, user.id)
            here = sessions.Browser("127.0.0.1", "test")
            token = sessions.open_session(
                session, user, user.session_epoch, remember=True, browser=here, now=datetime.now(UTC)
            )
        with self.client.session_transaction() as cookie:
            cookie["_user_id"], cookie["_fresh"] = token, True
        self.client.set_cookie("huozi_lang", "en")

    def get(self, path: str, status: int = 200, **more: Any) -> str:
        """The page's text."""
        return self._open("GET", path, status, **more).text

    def post(self, path: str, status: int = 303, **fields: Any) -> TestResponse:
        return self._open("POST", path, status, data=fields)

    def send(self, path: str, *pictures: tuple[str, bytes], status: int = 200, **fields: Any) -> TestResponse:
        """A form with pictures in it, as a browser without scripts sends it."""
        form = MultiDict(fields)
        for name, data in pictures:
            form.add("image", FileStorage(io.BytesIO(data), filename=name, name="image"))
        boundary, body = encode_multipart(form)
        return self._open("POST", path, status, data=body, content_type=f'multipart/form-data; boundary="{boundary}"')

    def follow(self, response: TestResponse) -> str:
        """The page a form leads to."""
        return self.get(response.headers["Location"])

    def partial(self, path: str, method: str = "GET", status: int = 200, **more: Any) -> str:
        """What htmx gets."""
        return self._open(method, path, status, headers={"HX-Request": "true"}, **more).text

    def _open(self, method: str, path: str, status: int, **more: Any) -> TestResponse:
        response = self.client.open(path, method=method, **more)
        assert response.status_code == status, (response.status_code, path, response.text[:800])
        return response


@pytest.fixture
def panel(app: Flask, session: Session, owner: User) -> Browser:
    """The owner's browser."""
    return Browser(app, session, owner)


@pytest.fixture
def other_panel(app: Flask, session: Session) -> Browser:
    """Another marketer's browser."""
    with writing(session):
        user = make.user_row(session)
    return Browser(app, session, user)

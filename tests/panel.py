"""People who work with Huozi, and their tokens: what tests of APIs and pages share."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from app.accounts import tokens
from app.accounts.models import User
from app.accounts.sessions import Browser, open_session
from app.codes.models import LiveCodeShare
from app.db import db, writing
from app.db.audit import Actor
from tests import make

TEST = Actor("test")


@dataclass(frozen=True)
class Somebody:
    """A user with a token; calls the API as a program does."""

    id: int
    token: str
    client: FlaskClient

    def call(self, method: str, path: str, **more: Any) -> TestResponse:
        headers = {"Authorization": f"Bearer {self.token}", **more.pop("headers", {})}
        return self.client.open(f"/api/v1{path}", method=method, headers=headers, **more)

    def get(self, path: str, **more: Any) -> TestResponse:
        return self.call("GET", path, **more)

    def answer(self, path: str, **more: Any) -> Any:
        """What a successful GET answers."""
        reply = self.get(path, **more)
        assert reply.status_code == 200, reply.text
        return reply.json


def logged_in(app: Flask, user: Somebody) -> FlaskClient:
    """A browser in which this user is logged in; without the log-in page, whose passwords are slow on purpose."""
    client = app.test_client()
    with app.app_context():
        row = db.session.get_one(User, user.id)
        with writing(db.session):
            browser = Browser("127.0.0.1", "test")
            token = open_session(
                db.session, row, row.session_epoch, remember=True, browser=browser, now=datetime.now(UTC)
            )
    with client.session_transaction() as session:
        session["_user_id"], session["_fresh"] = token, True
    return client


def somebody(app: Flask, engine: Engine, role: str = "marketer", **more: Any) -> Somebody:
    with Session(engine) as session:
        with writing(session):
            id = make.user_row(session, role=role).id
        token = tokens.create(session, TEST, id, "test", now=datetime.now(UTC), **more)
    return Somebody(id, token, app.test_client())


def share(engine: Engine, live_code_id: int, user: Somebody, level: str) -> None:
    with Session(engine) as session, writing(session):
        session.add(LiveCodeShare(live_code_id=live_code_id, user_id=user.id, level=level))

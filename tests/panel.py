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
from app.db import writing
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


def somebody(app: Flask, engine: Engine, role: str = "marketer", **more: Any) -> Somebody:
    with Session(engine) as session:
        with writing(session):
            id = make.user_row(session, role=role).id
        token = tokens.create(session, TEST, id, "test", now=datetime.now(UTC), **more)
    return Somebody(id, token, app.test_client())

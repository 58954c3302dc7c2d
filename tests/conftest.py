"""What every test may ask for: a database of its own, the application on it, a client; servers when it needs them.

`database_url` comes twice, as SQLite and as PostgreSQL, and so does every test that stands on it. A test for which one
is enough says so: `@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)`.
"""

import dataclasses
import gc
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from flask import Flask
from flask.testing import FlaskClient
from itsdangerous import URLSafeTimedSerializer
from playwright.sync_api import Browser, sync_playwright
from werkzeug.test import TestResponse

from app import create_app
from app.db import db
from app.db.migrate import migrations
from app.settings import Settings, load
from tests.servers import PostgresqlDatabases, Running, chromium, start_huozi, start_postgresql, start_redis

DATABASES = ("sqlite", "postgresql")
SECRET_KEY = "a key for the tests, known to everybody"


class Servers:
    """Started on first use, shared by the whole run."""

    def __init__(self) -> None:
        self._running: list[Running] = []
        self._postgresql: PostgresqlDatabases | None = None
        self._redis: Running | None = None
        self._template: str | None = None

    def postgresql(self) -> PostgresqlDatabases:
        if self._postgresql is None:
            server = start_postgresql()
            self._running.append(server)
            self._postgresql = PostgresqlDatabases(server)
        return self._postgresql

    def migrated_postgresql(self) -> str:
        """The name of a database with today's schema, to be copied."""
        if self._template is None:
            databases = self.postgresql()
            self._template = databases.create()
            make_schema(databases.url(self._template))
        return self._template

    def redis(self) -> Running:
        if self._redis is None:
            self._redis = start_redis()
            self._running.append(self._redis)
        return self._redis

    def stop(self) -> None:
        for server in self._running:
            server.stop()


def make_settings(data_dir: Path, database_url: str, **more: Any) -> Settings:
    """Development settings for `database_url`; `more` are fields of Settings."""
    environ = {"HUOZI_DATA_DIR": str(data_dir), "HUOZI_DATABASE_URL": database_url, "HUOZI_SECRET_KEY": SECRET_KEY}
    return dataclasses.replace(load(environ), **more)


def make_schema(database_url: str) -> None:
    """Today's schema, by the revisions that operators run."""
    with tempfile.TemporaryDirectory(prefix="huozi-schema-") as folder:
        app = create_app(make_settings(Path(folder), database_url))
        try:
            with app.app_context():
                migrations.upgrade()
        finally:
            close(app)


def close(app: Flask) -> None:
    """Gives back every connection: an open one is a ResourceWarning, and PostgreSQL copies no template in use."""
    with app.app_context():
        for engine in db.engines.values():
            engine.dispose()
    app.extensions["huozi"].close()


class FormClient(FlaskClient):
    """A browser's manners: whatever changes something carries the CSRF token of its session, as our forms do. Tests of
    the check itself, and programs with a bearer token, leave it off by sending their own X-CSRFToken."""

    def open(self, *args: Any, **kwargs: Any) -> TestResponse:
        if kwargs.get("method", "GET") in ("POST", "PUT", "PATCH", "DELETE"):
            headers = dict(kwargs.get("headers") or {})
            if not {"Authorization", "X-CSRFToken"} & set(headers):
                headers["X-CSRFToken"] = self._token()
            kwargs["headers"] = headers
        return super().open(*args, **kwargs)

    def _token(self) -> str:
        raw = "0" * 40
        with self.session_transaction() as session:
            session["csrf_token"] = raw
        key = self.application.secret_key
        assert isinstance(key, str)
        token = URLSafeTimedSerializer(key, salt="wtf-csrf-token").dumps(raw)
        return token if isinstance(token, str) else token.decode()


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    found = Servers()
    yield found
    found.stop()


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with today's schema, to be copied."""
    file = tmp_path_factory.mktemp("schema") / "huozi.db"
    make_schema(f"sqlite:///{file}")
    return file


@pytest.fixture(params=DATABASES)
def database_url(request: pytest.FixtureRequest, tmp_path: Path, servers: Servers) -> Iterator[str]:
    """An empty, migrated database of this test's own."""
    if request.param == "sqlite":
        shutil.copyfile(request.getfixturevalue("migrated_sqlite"), tmp_path / "huozi.db")
        yield f"sqlite:///{tmp_path / 'huozi.db'}"
    else:
        template = servers.migrated_postgresql()
        databases = servers.postgresql()
        name = databases.create(template)
        yield databases.url(name)
        databases.drop(name)


@pytest.fixture
def redis_url(servers: Servers) -> str:
    """A real Redis, emptied for this test."""
    url = servers.redis().url
    with redis.Redis.from_url(url) as client:
        client.flushall()
    return url


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    return make_settings(tmp_path / "data", database_url)


@pytest.fixture
def make_app(settings: Settings) -> Iterator[Callable[..., Flask]]:
    """make_app(language="en", …): the application with other settings on the same database; closed afterwards."""
    made: list[Flask] = []

    def make(**changes: Any) -> Flask:
        # Werkzeug parses Python for each route. Python 3.11 cannot stand another parse in between, and the trace that
        # is logged of a connection which is found as garbage needs one.
        gc.disable()
        try:
            app = create_app(dataclasses.replace(settings, **changes))
        finally:
            gc.enable()
        app.testing = True
        app.test_client_class = FormClient
        made.append(app)
        return app

    yield make
    for app in made:
        close(app)


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    return make_app()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def live_server(settings: Settings) -> Iterator[Running]:
    """The service under gunicorn on this test's database; `.url` is its address. It trusts forwarded addresses from
    127.0.0.1, so that a test may come from anywhere."""
    environ = {
        "HUOZI_DATA_DIR": str(settings.data_dir),
        "HUOZI_DATABASE_URL": settings.database_url,
        "HUOZI_SECRET_KEY": settings.secret_key,
        "HUOZI_TRUSTED_PROXIES": "127.0.0.1/32",
    }
    running = start_huozi(environ, migrate=False)
    yield running
    running.stop()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium. A test opens its own context (phone size, language, WeChat's user agent) and closes it."""
    with sync_playwright() as playwright:
        # Chromium's sandbox refuses root, which is what a container runs tests as.
        sandbox = [] if os.geteuid() else ["--no-sandbox"]
        browser = playwright.chromium.launch(executable_path=chromium(), args=[*sandbox, "--disable-dev-shm-usage"])
        yield browser
        browser.close()

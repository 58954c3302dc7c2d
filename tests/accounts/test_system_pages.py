"""What administrators are told about the installation, and that nobody else is."""

import dataclasses
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from app.accounts.system_pages import in_words
from app.db import writing
from app.installation import look
from app.ledger.spool import Spool
from app.pipeline.models import dead_events

LogIn = Callable[..., FlaskClient]


def test_only_admins_are_told(log_in: LogIn, client: FlaskClient, alice: int, bob: int, carol: int) -> None:
    told = log_in("alice@example.com").get("/system?lang=en").text
    assert "http://127.0.0.1:8000" in told
    assert "Asia/Shanghai" in told
    assert "does not answer" not in told
    assert log_in("bob@example.com").get("/system").status_code == 403
    assert log_in("carol@example.com").get("/system").status_code == 403
    assert client.get("/system").status_code == 303


def test_pictures_and_events_that_could_not_be_read_are_counted(app: Flask, session: Session, alice: int) -> None:
    house = app.extensions["huozi"]
    house.files.put(b"x" * 2000, "png")
    with writing(session):
        row = {"origin": "outbox:1", "raw": "{", "reason": "torn", "at": datetime.now(UTC)}
        session.execute(sa.insert(dead_events).values(row))
    seen = look(house)
    kept = {one.name: one for one in seen.kept}
    assert (kept["images"].size_bytes, kept["images"].files) == (2000, 1)
    assert kept["database"].size_bytes > 10_000
    assert (seen.waiting, seen.dead) == (0, 1)
    assert seen.free_bytes > 0


def test_events_that_were_lost_are_said(app: Flask, log_in: LogIn, alice: int) -> None:
    page = log_in("alice@example.com")
    assert "lost in" not in page.get("/system?lang=en").text
    folder = app.extensions["huozi"].settings.data_dir / "spool"
    folder.mkdir(parents=True, exist_ok=True)
    Spool(folder).losses.add(3)
    assert "3 scan events were lost in outages" in page.get("/system?lang=en").text


def test_a_damaged_place_database_is_named_without_its_folder(
    make_app: Callable[..., Flask], tmp_path: Path, log_in: LogIn, alice: int
) -> None:
    broken = tmp_path / "city.mmdb"
    broken.write_bytes(b"no database")
    seen = look(make_app(geoip_db=broken).extensions["huozi"])
    assert [(one.name, one.is_ok) for one in seen.places] == [("city.mmdb", False)]
    assert str(tmp_path) not in (seen.places[0].problem or "")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_store_that_is_gone_is_said_not_raised(app: Flask, tmp_path: Path) -> None:
    house = app.extensions["huozi"]
    gone = sa.create_engine(f"sqlite:///{tmp_path / 'nowhere' / 'huozi.db'}")
    seen = look(dataclasses.replace(house, engine=gone))
    assert [store.is_ok for store in seen.stores] == [False]
    assert seen.dead is None


@pytest.mark.parametrize(
    ("size", "words"), [(0, "0 B"), (999, "999 B"), (2048, "2.0 KB"), (15 * 1024**2, "15 MB"), (3 * 1024**4, "3.0 TB")]
)
def test_sizes_are_told_in_words(size: int, words: str) -> None:
    assert in_words(size) == words

"""The audit log: written with the change or not at all, and never with a secret in it."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.db import make_engine, writing
from app.db.audit import HIDDEN, LONGEST_TEXT, Actor, AuditEntry, record

LI = Actor("li@example.com", 7, "0f3a")


@pytest.fixture
def session(database_url: str) -> Iterator[Session]:
    engine = make_engine(database_url)
    with Session(engine) as session:
        yield session
    engine.dispose()


def written(session: Session) -> AuditEntry:
    return session.scalars(sa.select(AuditEntry)).one()


def test_entry_tells_who_did_what_to_which_and_when(session: Session) -> None:
    with writing(session):
        record(session, LI, "member.swapped", "member", 12, before={"version": 1}, after={"version": 2})
    entry = written(session)
    assert (entry.actor, entry.user_id, entry.request_id) == ("li@example.com", 7, "0f3a")
    assert (entry.action, entry.object_type, entry.object_id) == ("member.swapped", "member", 12)
    assert (entry.before, entry.after) == ({"version": 1}, {"version": 2})
    assert abs((datetime.now(UTC) - entry.at).total_seconds()) < 60


def test_entry_is_gone_when_the_change_is_rolled_back(session: Session) -> None:
    with pytest.raises(RuntimeError), writing(session):
        record(session, LI, "member.swapped", "member", 12)
        session.flush()
        raise RuntimeError("the change failed")
    assert session.scalar(sa.select(sa.func.count()).select_from(AuditEntry)) == 0


def test_of_two_sides_only_what_differs_is_kept(session: Session) -> None:
    with writing(session):
        record(
            session, LI, "user.changed", "user", 1, before={"a": 1, "b": 2, "c": 3}, after={"a": 1, "b": 5, "d": None}
        )
    entry = written(session)
    assert entry.before == {"b": 2, "c": 3}
    assert entry.after == {"b": 5, "d": None}


def test_secrets_are_kept_as_the_fact_that_they_changed(session: Session) -> None:
    before = {"password_hash": "$argon2id$old", "webhook_url": None, "channel": {"name": "ops", "secret": "s3cret"}}
    after = {"password_hash": "$argon2id$new", "webhook_url": "https://hooks.example/abc", "channel": {"name": "ops"}}
    with writing(session):
        record(session, LI, "x.changed", "x", 1, before=before, after=after)
    entry = written(session)
    assert entry.before == {"password_hash": HIDDEN, "webhook_url": None, "channel": {"name": "ops", "secret": HIDDEN}}
    assert entry.after == {"password_hash": HIDDEN, "webhook_url": HIDDEN, "channel": {"name": "ops"}}


def test_values_that_json_does_not_know_become_text(session: Session) -> None:
    at = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
    facts = {"at": at, "regions": ("CN", "CN/CN-GD"), "long": "长" * (LONGEST_TEXT + 1), "odd": object}
    with writing(session):
        record(session, LI, "x.created", "x", None, after=facts)
    entry = written(session)
    assert entry.before is None
    assert entry.after is not None
    assert entry.after["at"] == "2026-11-22T04:00:00+00:00"
    assert entry.after["regions"] == ["CN", "CN/CN-GD"]
    assert entry.after["long"] == "长" * LONGEST_TEXT + "…"
    assert entry.after["odd"] == "<class 'object'>"

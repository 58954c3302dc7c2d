"""API tokens."""

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.accounts import store, tokens
from app.accounts.models import ApiToken
from app.db.audit import AuditEntry
from tests.accounts.conftest import TEST

NOW = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)


def test_token_is_found_by_itself_only(session: Session, bob: int) -> None:
    token = tokens.create(session, TEST, bob, "nightly export", now=NOW)
    found = tokens.find(session, token, NOW)
    assert found is not None
    assert (found.user_id, found.name, found.scopes) == (bob, "nightly export", ["read", "write", "visitors"])
    assert token.startswith(found.prefix)
    assert tokens.find(session, token + "x", NOW) is None
    assert tokens.find(session, found.token_hash, NOW) is None


def test_token_is_nowhere_in_the_database(session: Session, bob: int) -> None:
    token = tokens.create(session, TEST, bob, "nightly export", now=NOW)
    row = session.scalars(sa.select(ApiToken)).one()
    assert token not in {str(value) for value in vars(row).values()}
    for entry in session.scalars(sa.select(AuditEntry)):
        assert token not in f"{entry.before}{entry.after}"


def test_scopes_are_those_asked_for_and_known(session: Session, bob: int) -> None:
    token = tokens.create(session, TEST, bob, "reader", now=NOW, scopes=["read", "everything"])
    found = tokens.find(session, token, NOW)
    assert found is not None
    assert found.scopes == ["read"]


def test_revoked_token_opens_nothing(session: Session, bob: int) -> None:
    token = tokens.create(session, TEST, bob, "x", now=NOW)
    (row,) = tokens.of_user(session, bob)
    assert tokens.revoke(session, TEST, row.id, now=NOW, user_id=bob)
    assert tokens.find(session, token, NOW) is None
    assert tokens.of_user(session, bob) == []
    assert not tokens.revoke(session, TEST, row.id, now=NOW)


def test_nobody_revokes_anothers_token(session: Session, bob: int, alice: int) -> None:
    token = tokens.create(session, TEST, bob, "x", now=NOW)
    (row,) = tokens.of_user(session, bob)
    assert not tokens.revoke(session, TEST, row.id, now=NOW, user_id=alice)
    assert tokens.find(session, token, NOW) is not None


def test_expired_token_opens_nothing(session: Session, bob: int) -> None:
    token = tokens.create(session, TEST, bob, "x", now=NOW, expires_at=NOW + timedelta(days=30))
    assert tokens.find(session, token, NOW + timedelta(days=29)) is not None
    assert tokens.find(session, token, NOW + timedelta(days=30)) is None


def test_disabled_users_tokens_open_nothing(session: Session, alice: int, bob: int) -> None:
    token = tokens.create(session, TEST, bob, "x", now=NOW)
    store.change_user(session, TEST, bob, is_active=False)
    assert tokens.find(session, token, NOW) is None


def test_last_use_is_written_down_every_few_minutes(session: Session, bob: int) -> None:
    token = tokens.create(session, TEST, bob, "x", now=NOW)
    row = tokens.find(session, token, NOW)
    assert row is not None
    assert tokens.is_due_for_touch(row, NOW)
    tokens.touch(session, row.id, NOW)
    assert row.last_used_at == NOW
    assert not tokens.is_due_for_touch(row, NOW + timedelta(minutes=9))
    assert tokens.is_due_for_touch(row, NOW + timedelta(minutes=10))

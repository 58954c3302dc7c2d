"""Logging in, staying in, and being out on the next look."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from argon2 import PasswordHasher
from sqlalchemy.orm import Session

from app.accounts import credentials, sessions, store
from app.accounts.models import PanelSession, User
from app.accounts.sessions import Browser, Entered, Refused
from app.db import writing
from app.db.audit import AuditEntry
from tests.accounts.conftest import PASSWORD, TEST

NOW = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
PHONE = Browser("203.0.113.7", "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) MicroMessenger/8.0.50", "0f3a")


def log_in(session: Session, email: str = "bob@example.com", password: str = PASSWORD, remember: bool = True) -> str:
    found = sessions.log_in(session, "key", email, password, remember=remember, browser=PHONE, now=NOW)
    assert isinstance(found, Entered)
    return found.token


def test_right_password_opens_a_session(session: Session, bob: int) -> None:
    row = sessions.find(session, log_in(session), NOW)
    assert row is not None
    assert (row.user_id, row.device, row.address) == (bob, "iPhone · WeChat", "203.0.113.0/24")
    assert row.user.last_seen_at == NOW


def test_token_itself_is_nowhere_in_the_database(session: Session, bob: int) -> None:
    token = log_in(session)
    row = session.scalars(sa.select(PanelSession)).one()
    assert token not in {str(value) for value in vars(row).values()}
    assert row.token_hash == credentials.digest(token)


@pytest.mark.parametrize(
    ("email", "password"),
    [("bob@example.com", "wrong horse battery"), ("bob@example.com", ""), ("nobody@example.com", PASSWORD)],
)
def test_everything_wrong_is_refused_alike(session: Session, bob: int, email: str, password: str) -> None:
    found = sessions.log_in(session, "key", email, password, remember=True, browser=PHONE, now=NOW)
    assert found == Refused(None)
    assert session.scalar(sa.select(sa.func.count()).select_from(PanelSession)) == 0


def test_disabled_user_is_refused_like_an_unknown_one(session: Session, bob: int) -> None:
    store.change_user(session, TEST, bob, is_active=False)
    found = sessions.log_in(session, "key", "bob@example.com", PASSWORD, remember=True, browser=PHONE, now=NOW)
    assert found == Refused(None)


@pytest.mark.parametrize("email", ["bob@example.com", "nobody@example.com"])
def test_guessing_is_slowed_down_whether_the_account_exists_or_not(session: Session, bob: int, email: str) -> None:
    found = [
        sessions.log_in(session, "key", email, "wrong horse battery", remember=True, browser=PHONE, now=NOW)
        for _ in range(7)
    ]
    assert found == [Refused(None)] * 6 + [Refused(timedelta(seconds=1))]


def test_right_password_does_not_help_while_waiting(session: Session, bob: int) -> None:
    for _ in range(6):
        sessions.log_in(session, "key", "bob@example.com", "wrong", remember=True, browser=PHONE, now=NOW)
    found = sessions.log_in(session, "key", "bob@example.com", PASSWORD, remember=True, browser=PHONE, now=NOW)
    assert isinstance(found, Refused)
    assert found.wait is not None


def test_remembered_session_lives_thirty_days_and_another_half_a_day(session: Session, bob: int) -> None:
    remembered, passing = log_in(session), log_in(session, remember=False)
    assert sessions.find(session, remembered, NOW + timedelta(days=29, hours=23)) is not None
    assert sessions.find(session, remembered, NOW + timedelta(days=30)) is None
    assert sessions.find(session, passing, NOW + timedelta(hours=11)) is not None
    assert sessions.find(session, passing, NOW + timedelta(hours=12)) is None


def test_use_prolongs_a_session(session: Session, bob: int) -> None:
    token = log_in(session)
    row = sessions.find(session, token, NOW)
    assert row is not None
    later = NOW + timedelta(days=20)
    assert not sessions.is_due_for_touch(row, NOW + timedelta(minutes=9))
    assert sessions.is_due_for_touch(row, later)
    sessions.touch(session, row.id, bob, later)
    assert sessions.find(session, token, NOW + timedelta(days=45)) is not None
    assert session.get_one(User, bob).last_seen_at == later


def test_revoked_session_is_gone_and_only_ones_own_can_be_revoked(session: Session, bob: int, alice: int) -> None:
    token = log_in(session)
    row = sessions.find(session, token, NOW)
    assert row is not None
    session_id = row.id
    assert not sessions.revoke(session, TEST, alice, session_id)
    assert sessions.find(session, token, NOW) is not None
    assert sessions.revoke(session, TEST, bob, session_id)
    assert sessions.find(session, token, NOW) is None
    assert not sessions.revoke(session, TEST, bob, session_id)


def test_logging_out_everywhere_ends_every_session_and_spares_other_users(
    session: Session, bob: int, alice: int
) -> None:
    tokens = [log_in(session), log_in(session)]
    other = log_in(session, "alice@example.com")
    store.log_out_everywhere(session, TEST, bob)
    assert [sessions.find(session, token, NOW) for token in tokens] == [None, None]
    assert sessions.find(session, other, NOW) is not None


def test_log_in_under_way_while_the_password_changes_does_not_survive(session: Session, bob: int) -> None:
    """Its password was checked before the change and its session is opened after it."""
    epoch = session.get_one(User, bob).session_epoch
    store.set_password(session, TEST, bob, "another horse battery")
    with writing(session):
        user = session.get_one(User, bob)
        token = sessions.open_session(session, user, epoch, remember=True, browser=PHONE, now=NOW)
    assert sessions.find(session, token, NOW) is None
    assert sessions.of_user(session, bob, NOW) == []


def test_expired_sessions_are_swept_out_by_the_next_log_in(session: Session, bob: int) -> None:
    log_in(session, remember=False)
    later = NOW + timedelta(days=1)
    assert isinstance(
        sessions.log_in(session, "key", "bob@example.com", PASSWORD, remember=True, browser=PHONE, now=later), Entered
    )
    assert session.scalar(sa.select(sa.func.count()).select_from(PanelSession)) == 1


def test_password_hashed_weakly_is_hashed_anew_when_it_is_used(session: Session, bob: int) -> None:
    with writing(session):
        session.get_one(User, bob).password_hash = PasswordHasher(time_cost=1, memory_cost=8192).hash(PASSWORD)
    log_in(session)
    session.rollback()
    assert not credentials.is_outdated(session.get_one(User, bob).password_hash)
    log_in(session)


def test_log_in_is_written_into_the_audit_log_without_its_token(session: Session, bob: int) -> None:
    token = log_in(session)
    entry = session.scalars(sa.select(AuditEntry).where(AuditEntry.action == "session.began")).one()
    assert (entry.actor, entry.user_id, entry.request_id) == ("bob@example.com", bob, "0f3a")
    assert token not in str(entry.after)


def test_own_sessions_are_listed_last_used_first(session: Session, bob: int, make_user: Callable[..., int]) -> None:
    make_user("dora@example.com")
    first, _second = log_in(session), log_in(session)
    log_in(session, "dora@example.com")
    row = sessions.find(session, first, NOW)
    assert row is not None
    sessions.touch(session, row.id, bob, NOW + timedelta(hours=1))
    listed = sessions.of_user(session, bob, NOW)
    assert [found.token_hash == credentials.digest(first) for found in listed] == [True, False]


@pytest.mark.parametrize(
    ("user_agent", "name"),
    [
        (PHONE.user_agent, "iPhone · WeChat"),
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/130.0 Safari/537.36 Edg/130.0",
            "Windows · Edge",
        ),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 15_0) AppleWebKit/605 Version/18.0 Safari/605", "macOS · Safari"),
        (
            "Mozilla/5.0 (Linux; Android 15) Chrome/130.0 Mobile Safari/537.36 wxwork/4.1 MicroMessenger/7.0",
            "Android · WeCom",
        ),
        ("curl/8.0", ""),
        ("", ""),
    ],
)
def test_devices_are_named_for_their_owner(user_agent: str, name: str) -> None:
    assert sessions.device_name(user_agent) == name

"""Users and invitations."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.accounts import credentials, sessions, store
from app.accounts.models import Invitation, User
from app.accounts.sessions import Browser, Entered, Refused
from app.accounts.store import Refusal
from app.db import make_engine, writing
from app.db.audit import AuditEntry
from tests.accounts.conftest import PASSWORD, TEST

NOW = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
DESK = Browser("203.0.113.7", "Mozilla/5.0 (Windows NT 10.0) Chrome/130.0 Safari/537.36")
NEW = "another horse battery"


def can_log_in(session: Session, email: str, password: str) -> bool:
    return isinstance(sessions.log_in(session, "key", email, password, remember=True, browser=DESK, now=NOW), Entered)


def actions(session: Session) -> list[str]:
    return list(session.scalars(sa.select(AuditEntry.action).order_by(AuditEntry.id)))


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        (" Bob@Example.COM ", "bob@example.com"),
        ("admin@localhost", "admin@localhost"),
        ("王@例子.公司", "王@例子.公司"),
        ("bob", None),
        ("bob@", None),
        ("a b@example.com", None),
        ("bob@example.com\n", "bob@example.com"),
        ("bob@exa\x00mple.com", None),
        ("a@b@c", None),
        ("x" * 250 + "@e.cn", None),
    ],
)
def test_email_is_tidied_or_refused(typed: str, kept: str | None) -> None:
    assert store.tidy_email(typed) == kept


def test_address_is_one_user_however_it_is_typed(session: Session, bob: int) -> None:
    assert store.create_user(session, TEST, "BOB@example.com", PASSWORD, "viewer") == Refusal("email_taken")
    found = store.find_by_email(session, " Bob@Example.com ")
    assert found is not None
    assert found.id == bob


def test_database_itself_refuses_capitals_and_unknown_roles(session: Session, bob: int) -> None:
    for changes in ({"email": "Bob@example.com"}, {"role": "owner"}, {"language": "fr"}, {"session_epoch": -1}):
        with pytest.raises(sa.exc.IntegrityError), writing(session):
            session.execute(sa.update(User).where(User.id == bob).values(**changes))


def test_user_without_a_name_is_called_by_the_address(session: Session, bob: int) -> None:
    made = store.create_user(session, TEST, "zhang.san@example.com", PASSWORD, "viewer")
    assert isinstance(made, User)
    assert made.name == "zhang.san"


def test_first_start_makes_one_admin_and_says_the_password_once(session: Session) -> None:
    made = store.ensure_admin(session, "Admin@localhost")
    assert isinstance(made, tuple)
    admin, password = made
    assert (admin.email, admin.role) == ("admin@localhost", "admin")
    assert can_log_in(session, "admin@localhost", password)
    assert store.ensure_admin(session, "admin@localhost") is None


def test_no_admin_is_made_where_there_is_one(session: Session, alice: int) -> None:
    assert store.ensure_admin(session, "admin@localhost") is None
    assert [user.email for user in store.everybody(session)] == ["alice@example.com"]


def test_first_admin_cannot_take_a_marketers_address(session: Session, bob: int) -> None:
    assert store.ensure_admin(session, "bob@example.com") == Refusal("email_taken")
    assert store.ensure_admin(session, "no address") == Refusal("bad_email")


def test_two_first_starts_at_once_make_one_admin(database_url: str) -> None:
    engine = make_engine(database_url)
    made = []

    def start() -> None:
        with Session(engine) as session:
            made.append(store.ensure_admin(session, "admin@localhost"))

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    engine.dispose()
    assert len(made) == 4
    assert len([result for result in made if result is not None]) == 1


def test_disabled_user_loses_every_session_at_once(session: Session, alice: int, bob: int) -> None:
    found = sessions.log_in(session, "key", "bob@example.com", PASSWORD, remember=True, browser=DESK, now=NOW)
    assert isinstance(found, Entered)
    store.change_user(session, TEST, bob, is_active=False)
    assert sessions.find(session, found.token, NOW) is None
    store.change_user(session, TEST, bob, is_active=True)
    assert sessions.find(session, found.token, NOW) is None
    assert actions(session)[-2:] == ["user.disabled", "user.enabled"]


def test_last_admin_can_be_neither_disabled_nor_demoted(session: Session, alice: int) -> None:
    assert store.change_user(session, TEST, alice, is_active=False) == Refusal("last_admin")
    assert store.change_user(session, TEST, alice, role="viewer") == Refusal("last_admin")
    admin = session.get_one(User, alice)
    assert (admin.role, admin.is_active) == ("admin", True)


def test_two_admins_disabling_each_other_leave_one(database_url: str, session: Session, alice: int) -> None:
    other = store.create_user(session, TEST, "dora@example.com", PASSWORD, "admin")
    assert isinstance(other, User)
    ids = [alice, other.id]
    session.rollback()
    engine = make_engine(database_url)
    together = threading.Barrier(2)

    def disable(user_id: int) -> None:
        with Session(engine) as own:
            together.wait(timeout=30)
            store.change_user(own, TEST, user_id, is_active=False)

    threads = [threading.Thread(target=disable, args=(user_id,)) for user_id in ids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    engine.dispose()
    assert len([user for user in store.everybody(session) if user.is_active]) == 1


def test_change_of_nothing_is_not_written_down(session: Session, bob: int) -> None:
    before = actions(session)
    session.rollback()
    store.change_user(session, TEST, bob, name="Bob")
    assert actions(session) == before
    assert store.change_user(session, TEST, 4_000_000, name="x") == Refusal("not_found")


def test_change_is_written_down_with_both_sides(session: Session, alice: int, bob: int) -> None:
    store.change_user(session, TEST, bob, role="viewer")
    entry = session.scalars(sa.select(AuditEntry).order_by(AuditEntry.id.desc())).first()
    assert entry is not None
    assert (entry.action, entry.before, entry.after) == ("user.changed", {"role": "marketer"}, {"role": "viewer"})


def test_own_password_wants_the_old_one(session: Session, bob: int) -> None:
    refused = store.change_own_password(session, "key", bob, "wrong horse", NEW, browser=DESK, now=NOW)
    assert refused == Refusal("wrong_password")
    assert can_log_in(session, "bob@example.com", PASSWORD)


def test_guessing_the_old_password_is_slowed_down_too(session: Session, bob: int) -> None:
    for _ in range(6):
        store.change_own_password(session, "key", bob, "wrong horse", NEW, browser=DESK, now=NOW)
    refused = store.change_own_password(session, "key", bob, PASSWORD, NEW, browser=DESK, now=NOW)
    assert refused == Refusal("wrong_password")


def test_new_password_logs_other_devices_out_and_this_one_in(session: Session, bob: int) -> None:
    old = sessions.log_in(session, "key", "bob@example.com", PASSWORD, remember=True, browser=DESK, now=NOW)
    assert isinstance(old, Entered)
    token = store.change_own_password(session, "key", bob, PASSWORD, NEW, browser=DESK, now=NOW)
    assert isinstance(token, str)
    assert sessions.find(session, old.token, NOW) is None
    assert sessions.find(session, token, NOW) is not None
    assert not can_log_in(session, "bob@example.com", PASSWORD)
    assert can_log_in(session, "bob@example.com", NEW)


def test_invitation_makes_its_user_once(session: Session, alice: int) -> None:
    token = store.invite(session, TEST, alice, "Dora@example.com", "viewer", NOW)
    assert isinstance(token, str)
    entered = store.accept_invitation(session, token, NEW, now=NOW, browser=DESK, name="Dora", language="en")
    assert isinstance(entered, str)
    row = sessions.find(session, entered, NOW)
    assert row is not None
    assert (row.user.email, row.user.name, row.user.role, row.user.language) == (
        "dora@example.com",
        "Dora",
        "viewer",
        "en",
    )
    again = store.accept_invitation(session, token, NEW, now=NOW, browser=DESK, name="Eve")
    assert again == Refusal("not_found")


def test_invitation_is_good_for_a_week_and_until_it_is_withdrawn(session: Session, alice: int) -> None:
    token = store.invite(session, TEST, alice, "dora@example.com", "viewer", NOW)
    assert isinstance(token, str)
    assert store.find_invitation(session, token, NOW + timedelta(days=6)) is not None
    assert store.find_invitation(session, token, NOW + timedelta(days=7)) is None
    (row,) = store.open_invitations(session, NOW)
    assert store.withdraw_invitation(session, TEST, row.id, NOW)
    assert store.find_invitation(session, token, NOW) is None
    assert not store.withdraw_invitation(session, TEST, row.id, NOW)
    late = store.accept_invitation(session, token, NEW, now=NOW, browser=DESK, name="Dora")
    assert late == Refusal("not_found")


def test_second_invitation_to_an_address_replaces_the_first(session: Session, alice: int) -> None:
    first = store.invite(session, TEST, alice, "dora@example.com", "admin", NOW)
    second = store.invite(session, TEST, alice, "dora@example.com", "viewer", NOW)
    assert isinstance(first, str) and isinstance(second, str)
    assert store.find_invitation(session, first, NOW) is None
    assert len(store.open_invitations(session, NOW)) == 1


def test_nobody_is_invited_twice_over(session: Session, alice: int, bob: int) -> None:
    assert store.invite(session, TEST, alice, "BOB@example.com", "admin", NOW) == Refusal("email_taken")
    assert store.invite(session, TEST, alice, "no address", "admin", NOW) == Refusal("bad_email")


def test_invitations_token_is_stored_as_a_digest(session: Session, alice: int) -> None:
    token = store.invite(session, TEST, alice, "dora@example.com", "viewer", NOW)
    assert isinstance(token, str)
    assert session.scalars(sa.select(Invitation.token_hash)).one() == credentials.digest(token)


def test_password_link_sets_a_password_and_logs_the_thief_out(session: Session, alice: int, bob: int) -> None:
    thief = sessions.log_in(session, "key", "bob@example.com", PASSWORD, remember=True, browser=DESK, now=NOW)
    assert isinstance(thief, Entered)
    token = store.make_password_link(session, TEST, alice, bob, NOW)
    assert isinstance(token, str)
    assert store.open_invitations(session, NOW) == []
    entered = store.accept_invitation(session, token, NEW, now=NOW, browser=DESK)
    assert isinstance(entered, str)
    row = sessions.find(session, entered, NOW)
    assert row is not None
    assert (row.user_id, row.user.role) == (bob, "marketer")
    assert sessions.find(session, thief.token, NOW) is None
    assert can_log_in(session, "bob@example.com", NEW)


def test_disabled_user_gets_no_password_link_and_uses_none(session: Session, alice: int, bob: int) -> None:
    token = store.make_password_link(session, TEST, alice, bob, NOW)
    assert isinstance(token, str)
    store.change_user(session, TEST, bob, is_active=False)
    assert store.accept_invitation(session, token, NEW, now=NOW, browser=DESK) == Refusal("not_found")
    assert store.make_password_link(session, TEST, alice, bob, NOW) == Refusal("not_found")
    store.change_user(session, TEST, bob, is_active=True)
    assert isinstance(
        sessions.log_in(session, "key", "bob@example.com", NEW, remember=True, browser=DESK, now=NOW), Refused
    )

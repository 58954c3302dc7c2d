"""How long a guesser waits, and that nobody else does."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.accounts import throttle
from app.accounts.models import LoginThrottle
from app.accounts.throttle import LIMITS, Limit
from app.db import make_engine, writing

NOW = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
KEY = "the installation's key"


def fail(session: Session, times: int, email: str = "bob@example.com", address: str = "203.0.113.7") -> None:
    """`times` failures, each as soon as it is allowed, ending at NOW."""
    for _ in range(times):
        attempt = throttle.begin(session, KEY, email, address, NOW)
        assert attempt.wait is None
        with writing(session):
            session.execute(sa.update(LoginThrottle).values(blocked_until=None))


def wait(session: Session, email: str, address: str, now: datetime = NOW) -> timedelta | None:
    return throttle.begin(session, KEY, email, address, now).wait


def test_waits_double_from_a_second_up_to_the_longest() -> None:
    limit = Limit(free=5, longest=timedelta(minutes=15))
    assert [limit.wait(failures).total_seconds() for failures in (0, 5, 6, 7, 8, 15)] == [0, 0, 1, 2, 4, 512]
    assert limit.wait(16) == limit.wait(10_000) == timedelta(minutes=15)


def test_sixth_failure_makes_the_seventh_wait(session: Session) -> None:
    for _ in range(6):
        assert wait(session, "bob@example.com", "203.0.113.7") is None
    assert wait(session, "bob@example.com", "203.0.113.7") == timedelta(seconds=1)
    assert wait(session, "bob@example.com", "203.0.113.7", NOW + timedelta(seconds=1)) is None
    assert wait(session, "bob@example.com", "203.0.113.7", NOW + timedelta(seconds=1)) == timedelta(seconds=2)


def test_refused_attempt_does_not_lengthen_the_wait(session: Session) -> None:
    for _ in range(6):
        wait(session, "bob@example.com", "203.0.113.7")
    for _ in range(20):
        assert wait(session, "bob@example.com", "203.0.113.7") == timedelta(seconds=1)


def test_guesser_does_not_lock_the_owner_out_elsewhere(session: Session) -> None:
    fail(session, 12, address="203.0.113.7")
    assert wait(session, "bob@example.com", "203.0.113.7") is None
    assert wait(session, "bob@example.com", "203.0.113.99") is not None  # the same network
    assert wait(session, "bob@example.com", "198.51.100.1") is None


def test_account_guessed_at_from_everywhere_waits_a_minute_at_most(session: Session) -> None:
    for number in range(40):
        fail(session, 1, address=f"10.0.{number}.1")
    assert wait(session, "bob@example.com", "192.0.2.1") is None
    assert wait(session, "bob@example.com", "192.0.3.1") == LIMITS["account"].longest


def test_network_that_tries_many_accounts_waits(session: Session) -> None:
    for number in range(41):
        assert wait(session, f"user{number}@example.com", "203.0.113.7") is None
    assert wait(session, "somebody@example.com", "203.0.113.7") is not None
    assert wait(session, "somebody@example.com", "198.51.100.1") is None


def test_success_forgets_the_accounts_failures_but_not_the_networks(session: Session) -> None:
    fail(session, 5)
    attempt = throttle.begin(session, KEY, "bob@example.com", "203.0.113.7", NOW)
    throttle.succeeded(session, attempt)
    left = sorted(session.scalars(sa.select(LoginThrottle.failures)))
    assert left == [0, 0, 5]


def test_failures_are_forgotten_after_a_day(session: Session) -> None:
    fail(session, 10)
    tomorrow = NOW + timedelta(hours=24, seconds=1)
    assert wait(session, "bob@example.com", "203.0.113.7", tomorrow) is None
    assert set(session.scalars(sa.select(LoginThrottle.failures))) == {1}
    with writing(session):
        throttle.forget_old(session, tomorrow + timedelta(hours=25))
    assert session.scalar(sa.select(sa.func.count()).select_from(LoginThrottle)) == 0


def test_no_address_and_no_account_is_kept_in_the_clear(session: Session) -> None:
    fail(session, 1)
    for key in session.scalars(sa.select(LoginThrottle.key)):
        assert "bob" not in key
        assert "203" not in key[:3]
        assert len(key) == 64


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.77", "203.0.113.0/24"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("::ffff:203.0.113.77", "203.0.113.0/24"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("nonsense", ""),
    ],
)
def test_addresses_are_cut_to_their_network(address: str, network: str) -> None:
    assert throttle.network_of(address) == network


def test_guesses_sent_at_once_are_counted_one_by_one(database_url: str) -> None:
    """Of twelve at once on an account with five free, six pass (the sixth sets the wait) and six are refused."""
    engine = make_engine(database_url)
    passed: list[bool] = []

    def guess() -> None:
        with Session(engine) as session:
            passed.append(throttle.begin(session, KEY, "bob@example.com", "203.0.113.7", NOW).wait is None)

    threads = [threading.Thread(target=guess) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    engine.dispose()
    assert passed.count(True) == 6
    assert passed.count(False) == 6

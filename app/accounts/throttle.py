"""How often somebody may fail to log in before they have to wait.

Decides the waits; `pages` decides what is said. Counted in SQL, so that every worker sees the same, under keyed digests
only. An attempt is counted before the password is looked at and taken back when it was right: a hundred guesses sent at
once are a hundred attempts. Whether an account exists makes no difference here.
"""

import ipaddress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.accounts.credentials import keyed_digest
from app.accounts.models import LoginThrottle
from app.db import writing
from app.db.upsert import insert

FORGOTTEN_AFTER = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Limit:
    """After `free` failures the first wait is one second and doubles with each further failure up to the longest."""

    free: int
    longest: timedelta

    def wait(self, failures: int) -> timedelta:
        beyond = failures - self.free
        return min(timedelta(seconds=2.0 ** min(beyond - 1, 20)), self.longest) if beyond > 0 else timedelta()


# A stranger must not be able to lock an admin out from afar, so an account as such never waits longer than a minute,
# while one network guessing at one account soon waits a quarter of an hour. Phones of one carrier share an address.
LIMITS = {
    "account and network": Limit(free=5, longest=timedelta(minutes=15)),
    "account": Limit(free=20, longest=timedelta(minutes=1)),
    "network": Limit(free=40, longest=timedelta(minutes=15)),
}


def network_of(address: str) -> str:
    """The address's neighbourhood: /24 for IPv4, /64 for IPv6 (one household); "" where there is none."""
    try:
        parsed = ipaddress.ip_address(address.split("%")[0])
    except ValueError:
        return ""
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped:
        parsed = parsed.ipv4_mapped
    return str(ipaddress.ip_network((parsed, 24 if parsed.version == 4 else 64), strict=False))


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try to get in. `wait` is None when it may go on, else how long until the next one may."""

    keys: tuple[tuple[str, Limit], ...]
    wait: timedelta | None


def begin(session: Session, secret_key: str, email: str, address: str, now: datetime) -> Attempt:
    """Counts one attempt on `email` from `address` as failed until `succeeded` says otherwise. Commits."""
    network = network_of(address)
    names = {"account and network": (email, network), "account": (email,), "network": (network,)}
    # In one order for everybody: two attempts locking the same rows must not wait for each other.
    keys = tuple(sorted((keyed_digest(secret_key, what, *names[what]), limit) for what, limit in _limits()))
    with writing(session):
        rows = [_row(session, key, now) for key, _ in keys]
        waits = [row.blocked_until - now for row in rows if row.blocked_until and row.blocked_until > now]
        if waits:
            return Attempt(keys, max(waits))
        for row, (_, limit) in zip(rows, keys, strict=True):
            forgotten = now - row.last_failed_at > FORGOTTEN_AFTER
            row.failures = 1 if forgotten else row.failures + 1
            row.last_failed_at = now
            row.blocked_until = now + limit.wait(row.failures) if limit.wait(row.failures) else None
    return Attempt(keys, None)


def succeeded(session: Session, attempt: Attempt) -> None:
    """The password was right: the account starts afresh, the network gets this one attempt back. Commits."""
    with writing(session):
        for key, limit in attempt.keys:
            row = session.get(LoginThrottle, key, with_for_update=True)
            if row is None:
                continue
            # Whoever owns one account could else wash a network clean between guesses at another.
            row.failures = max(0, row.failures - 1) if limit is LIMITS["network"] else 0
            row.blocked_until = None


def forget_old(session: Session, now: datetime) -> None:
    """Drops what nobody failed at for a day; within the caller's transaction."""
    session.execute(sa.delete(LoginThrottle).where(LoginThrottle.last_failed_at < now - FORGOTTEN_AFTER))


def _limits() -> list[tuple[str, Limit]]:
    return list(LIMITS.items())


def _row(session: Session, key: str, now: datetime) -> LoginThrottle:
    """The key's row, locked until the transaction ends; made when there is none."""
    table = cast(sa.Table, LoginThrottle.__table__)
    session.execute(
        insert(session.connection(), table).values(key=key, failures=0, last_failed_at=now).on_conflict_do_nothing()
    )
    return session.get_one(LoginThrottle, key, with_for_update=True)

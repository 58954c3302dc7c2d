"""Logging in and staying in: one row for each browser, asked for on every request, gone the moment it is revoked.

Decides how long a session lives and what ends it. The browser holds a random token, we hold its digest. Leaves cookies
to `guard` and words to `pages`.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from app.accounts import credentials, throttle
from app.accounts.models import PanelSession, User
from app.db import writing
from app.db.audit import Actor, record

REMEMBERED_FOR = timedelta(days=30)
UNREMEMBERED_FOR = timedelta(hours=12)
SEEN_EVERY = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Browser:
    """Where somebody logs in from."""

    address: str
    user_agent: str
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class Entered:
    token: str
    user: User


@dataclass(frozen=True, slots=True)
class Refused:
    """Not let in; `wait` when too many attempts came before this one. Says nothing about which part was wrong."""

    wait: timedelta | None = None


def log_in(
    session: Session, secret_key: str, email: str, password: str, *, remember: bool, browser: Browser, now: datetime
) -> Entered | Refused:
    """Lets in whoever knows the password of an active account. Commits."""
    attempt = throttle.begin(session, secret_key, email, browser.address, now)
    if attempt.wait:
        return Refused(attempt.wait)
    user = session.scalar(sa.select(User).where(User.email == email))
    known = (user.id, user.password_hash, user.session_epoch) if user and user.is_active else None
    session.rollback()  # no transaction stays open while the password is hashed
    if not credentials.matches(known[1] if known else None, password) or known is None:
        return Refused()
    throttle.succeeded(session, attempt)
    user_id, password_hash, epoch = known
    fresh_hash = credentials.hash_password(password) if credentials.is_outdated(password_hash) else None
    with writing(session):
        user = session.get_one(User, user_id)
        if fresh_hash and user.password_hash == password_hash:
            user.password_hash = fresh_hash
        token = open_session(session, user, epoch, remember=remember, browser=browser, now=now)
        throttle.forget_old(session, now)
    return Entered(token, user)


def open_session(session: Session, user: User, epoch: int, *, remember: bool, browser: Browser, now: datetime) -> str:
    """A new session's token, within the caller's transaction; `epoch` is the user's as the password was checked."""
    token = credentials.new_token()
    row = PanelSession(
        user_id=user.id,
        token_hash=credentials.digest(token),
        epoch=epoch,
        device=device_name(browser.user_agent),
        address=throttle.network_of(browser.address),
        is_remembered=remember,
        created_at=now,
        last_seen_at=now,
        expires_at=now + (REMEMBERED_FOR if remember else UNREMEMBERED_FOR),
    )
    session.execute(sa.delete(PanelSession).where(PanelSession.expires_at < now))
    session.add(row)
    user.last_seen_at = now
    session.flush()
    actor = Actor(user.email, user.id, browser.request_id)
    record(session, actor, "session.began", "session", row.id, after={"device": row.device, "network": row.address})
    return token


def find(session: Session, token: str, now: datetime) -> PanelSession | None:
    """The session this token opens, if it still does: not expired, not from an earlier epoch, its user active."""
    return session.scalar(
        sa.select(PanelSession)
        .join(PanelSession.user)
        .options(joinedload(PanelSession.user))
        .where(
            PanelSession.token_hash == credentials.digest(token),
            PanelSession.expires_at > now,
            PanelSession.epoch == User.session_epoch,
            User.is_active,
        )
    )


def is_due_for_touch(row: PanelSession, now: datetime) -> bool:
    return now - row.last_seen_at >= SEEN_EVERY


def touch(session: Session, session_id: int, user_id: int, now: datetime) -> None:
    """Writes down that the session was used and lets it live on from now. Commits. Called every few minutes at most."""
    with writing(session):
        row = session.get(PanelSession, session_id)
        if row is not None:
            row.last_seen_at = now
            row.expires_at = now + (REMEMBERED_FOR if row.is_remembered else UNREMEMBERED_FOR)
            session.execute(sa.update(User).where(User.id == user_id).values(last_seen_at=now))


def of_user(session: Session, user_id: int, now: datetime) -> list[PanelSession]:
    """The user's living sessions, the last used one first."""
    return list(
        session.scalars(
            sa.select(PanelSession)
            .join(PanelSession.user)
            .where(
                PanelSession.user_id == user_id,
                PanelSession.expires_at > now,
                PanelSession.epoch == User.session_epoch,
            )
            .order_by(PanelSession.last_seen_at.desc(), PanelSession.id.desc())
        )
    )


def revoke(session: Session, actor: Actor, user_id: int, session_id: int) -> bool:
    """Ends one session of this user. False when it is none of theirs. Commits."""
    with writing(session):
        row = session.get(PanelSession, session_id)
        if row is None or row.user_id != user_id:
            return False
        record(session, actor, "session.revoked", "session", row.id, before={"device": row.device})
        session.delete(row)
    return True


def end(session: Session, session_id: int) -> None:
    """Logs this one browser out. Commits."""
    with writing(session):
        session.execute(sa.delete(PanelSession).where(PanelSession.id == session_id))


def end_all(session: Session, user: User) -> None:
    """Ends every session of the user, those just being opened included; within the caller's transaction."""
    user.session_epoch += 1
    session.execute(sa.delete(PanelSession).where(PanelSession.user_id == user.id))


SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("HarmonyOS", "HarmonyOS"),
    ("OpenHarmony", "HarmonyOS"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)
BROWSERS = (
    ("wxwork", "WeCom"),
    ("MicroMessenger", "WeChat"),
    ("DingTalk", "DingTalk"),
    ("Feishu", "Feishu"),
    ("Lark", "Lark"),
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("HuaweiBrowser", "Huawei"),
    ("MiuiBrowser", "Xiaomi"),
    ("Quark", "Quark"),
    ("UCBrowser", "UC"),
    ("QQBrowser", "QQ"),
    ("Firefox", "Firefox"),
    ("FxiOS", "Firefox"),
    ("CriOS", "Chrome"),
    ("Chrome", "Chrome"),
    ("Safari", "Safari"),
)


def device_name(user_agent: str) -> str:
    """ "iPhone · WeChat": enough to tell one's own devices apart, and no more is kept."""
    names = [next((name for mark, name in table if mark in user_agent), "") for table in (SYSTEMS, BROWSERS)]
    return " · ".join(name for name in names if name)

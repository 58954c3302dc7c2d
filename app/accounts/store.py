"""Users and invitations: looked up, made, changed.

Every change is one transaction with its audit entry. Decides what must never happen (two users of one address, no admin
left); leaves who may ask for it to `guard`, words to `pages` and `commands`.
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.accounts import credentials, sessions, throttle
from app.accounts.models import EMAIL_CHARACTERS, NAME_CHARACTERS, Invitation, User
from app.db import writing
from app.db.audit import COMMAND_LINE, Actor, record

INVITED_FOR = timedelta(days=7)
PASSWORD_LINK_FOR = timedelta(hours=24)

# Enough to catch a slip; whether the address exists, only a letter could tell. A bare host ("admin@localhost") passes.
_EMAIL = re.compile(r"[^@\s\x00-\x20<>\"(),:;\\\[\]]+@[^@\s\x00-\x20<>\"(),:;\\\[\]]+")

Why = Literal["bad_email", "email_taken", "last_admin", "not_found", "wrong_password"]


@dataclass(frozen=True, slots=True)
class Refusal:
    why: Why


def tidy_email(text: str) -> str | None:
    """The address as we keep it, in small letters; None when it is none."""
    email = text.strip().lower()
    return email if len(email) <= EMAIL_CHARACTERS and _EMAIL.fullmatch(email) else None


def find_by_email(session: Session, email: str) -> User | None:
    return session.scalar(sa.select(User).where(User.email == email.strip().lower()))


def find(session: Session, user_id: int) -> User | None:
    return session.get(User, user_id)


def everybody(session: Session) -> list[User]:
    """All users, those who still may log in first."""
    return list(session.scalars(sa.select(User).order_by(User.is_active.desc(), User.email)))


def create_user(
    session: Session, actor: Actor, email: str, password: str, role: str, *, name: str = "", language: str = "zh"
) -> User | Refusal:
    """A new user. The password has been judged before. Commits."""
    tidy = tidy_email(email)
    if tidy is None:
        return Refusal("bad_email")
    password_hash = credentials.hash_password(password)
    try:
        with writing(session):
            return _add_user(session, actor, tidy, password_hash, role, name=name, language=language)
    except IntegrityError:
        return Refusal("email_taken")


def _add_user(
    session: Session, actor: Actor, email: str, password_hash: str, role: str, *, name: str, language: str
) -> User:
    user = User(
        email=email,
        name=(name.strip() or email.split("@")[0])[:NAME_CHARACTERS],
        password_hash=password_hash,
        role=role,
        language=language,
    )
    session.add(user)
    session.flush()
    record(session, actor, "user.created", "user", user.id, after=_facts(user))
    return user


def ensure_admin(session: Session, email: str, *, language: str = "zh") -> tuple[User, str] | Refusal | None:
    """On the first start: an admin with a random password, which is returned this once. None when there already is an
    active one. Two processes starting together make one. Commits."""
    if _has_admin(session):
        return None
    tidy = tidy_email(email)
    if tidy is None:
        return Refusal("bad_email")
    password = credentials.random_password()
    password_hash = credentials.hash_password(password)
    try:
        with writing(session):
            if _has_admin(session):
                return None
            user = _add_user(session, COMMAND_LINE, tidy, password_hash, "admin", name="", language=language)
    except IntegrityError:
        return None if _has_admin(session) else Refusal("email_taken")
    return user, password


def change_user(session: Session, actor: Actor, user_id: int, **changes: Any) -> User | Refusal:
    """Sets role, name, language or is_active. A user disabled is logged out of every browser at once. Commits."""
    with writing(session):
        _lock_admins(session)
        user = session.get(User, user_id)
        if user is None:
            return Refusal("not_found")
        before = _facts(user)
        for field, value in changes.items():
            setattr(user, field, value)
        if before["role"] == "admin" and not _has_admin(session):
            session.rollback()
            return Refusal("last_admin")
        if before["is_active"] and not user.is_active:
            sessions.end_all(session, user)
        if _facts(user) != before:
            record(session, actor, _verb(before, user), "user", user.id, before=before, after=_facts(user))
    return user


def set_password(session: Session, actor: Actor, user_id: int, password: str) -> None:
    """A new password; ends every session of the user, so that a thief is out too. Commits."""
    password_hash = credentials.hash_password(password)
    with writing(session):
        user = session.get_one(User, user_id)
        user.password_hash = password_hash
        sessions.end_all(session, user)
        record(session, actor, "user.password_changed", "user", user.id)


def log_out_everywhere(session: Session, actor: Actor, user_id: int) -> None:
    """Ends every session of the user, this browser's included. Commits."""
    with writing(session):
        user = session.get_one(User, user_id)
        sessions.end_all(session, user)
        record(session, actor, "user.logged_out_everywhere", "user", user.id)


def change_own_password(
    session: Session, secret_key: str, user_id: int, current: str, new: str, *, browser: sessions.Browser, now: datetime
) -> str | Refusal:
    """Changes the password of a user who knows the old one and logs every browser out. The token of a new session for
    this one; "wrong_password" also when too many wrong ones came before. Commits."""
    user = session.get_one(User, user_id)
    email, known_hash = user.email, user.password_hash
    attempt = throttle.begin(session, secret_key, email, browser.address, now)
    if attempt.wait or not credentials.matches(known_hash, current):
        return Refusal("wrong_password")
    throttle.succeeded(session, attempt)
    new_hash = credentials.hash_password(new)
    with writing(session):
        user = session.get_one(User, user_id, with_for_update=True)
        if user.password_hash != known_hash:
            return Refusal("wrong_password")
        user.password_hash = new_hash
        sessions.end_all(session, user)
        record(session, Actor(email, user_id, browser.request_id), "user.password_changed", "user", user_id)
        return sessions.open_session(session, user, user.session_epoch, remember=True, browser=browser, now=now)


def invite(session: Session, actor: Actor, invited_by_id: int, email: str, role: str, now: datetime) -> str | Refusal:
    """An invitation's token, returned this once. An earlier one to the same address stops working. Commits."""
    tidy = tidy_email(email)
    if tidy is None:
        return Refusal("bad_email")
    token = credentials.new_token()
    with writing(session):
        if session.scalar(sa.select(User.id).where(User.email == tidy)):
            return Refusal("email_taken")
        row = _replace_invitation(session, tidy, role, token, invited_by_id, now, INVITED_FOR)
        record(session, actor, "invitation.created", "invitation", row.id, after={"email": tidy, "role": role})
    return token


def make_password_link(
    session: Session, actor: Actor, invited_by_id: int, user_id: int, now: datetime
) -> str | Refusal:
    """The token of a link by which a user who forgot the password sets a new one. Commits."""
    token = credentials.new_token()
    with writing(session):
        user = session.get(User, user_id)
        if user is None or not user.is_active:
            return Refusal("not_found")
        row = _replace_invitation(session, user.email, user.role, token, invited_by_id, now, PASSWORD_LINK_FOR)
        row.user_id = user.id
        record(session, actor, "user.password_link_made", "user", user.id)
    return token


def _replace_invitation(
    session: Session, email: str, role: str, token: str, by: int, now: datetime, lasts: timedelta
) -> Invitation:
    session.execute(sa.update(Invitation).where(Invitation.email == email, *_is_open(now)).values(withdrawn_at=now))
    row = Invitation(
        email=email,
        role=role,
        token_hash=credentials.digest(token),
        invited_by_id=by,
        created_at=now,
        expires_at=now + lasts,
    )
    session.add(row)
    session.flush()
    return row


def open_invitations(session: Session, now: datetime) -> list[Invitation]:
    """Those sent to people who have no account yet, the newest first."""
    return list(
        session.scalars(
            sa.select(Invitation).where(Invitation.user_id.is_(None), *_is_open(now)).order_by(Invitation.id.desc())
        )
    )


def find_invitation(session: Session, token: str, now: datetime) -> Invitation | None:
    return session.scalar(
        sa.select(Invitation).where(Invitation.token_hash == credentials.digest(token), *_is_open(now))
    )


def withdraw_invitation(session: Session, actor: Actor, invitation_id: int, now: datetime) -> bool:
    """False when it was used, withdrawn or out of date already. Commits."""
    with writing(session):
        row = session.scalar(sa.select(Invitation).where(Invitation.id == invitation_id, *_is_open(now)))
        if row is None:
            return False
        row.withdrawn_at = now
        record(session, actor, "invitation.withdrawn", "invitation", row.id, before={"email": row.email})
    return True


def accept_invitation(
    session: Session,
    token: str,
    password: str,
    *,
    now: datetime,
    browser: sessions.Browser,
    name: str = "",
    language: str = "zh",
) -> str | Refusal:
    """Makes the invited user, or sets the password of the user the link was made for, and logs them in: the token of a
    session. Works once. Commits."""
    password_hash = credentials.hash_password(password)
    try:
        with writing(session):
            taken = session.execute(
                sa.update(Invitation)
                .where(Invitation.token_hash == credentials.digest(token), *_is_open(now))
                .values(used_at=now)
                .returning(Invitation.id, Invitation.email, Invitation.role, Invitation.user_id)
            ).one_or_none()
            if taken is None:
                return Refusal("not_found")
            actor = Actor(taken.email, taken.user_id, browser.request_id)
            if taken.user_id is None:
                user = _add_user(session, actor, taken.email, password_hash, taken.role, name=name, language=language)
                record(session, actor, "invitation.accepted", "invitation", taken.id, after={"user_id": user.id})
            else:
                user = session.get_one(User, taken.user_id)
                if not user.is_active:
                    return Refusal("not_found")
                user.password_hash = password_hash
                sessions.end_all(session, user)
                record(session, actor, "user.password_changed", "user", user.id)
            return sessions.open_session(session, user, user.session_epoch, remember=True, browser=browser, now=now)
    except IntegrityError:
        return Refusal("email_taken")


def _is_open(now: datetime) -> tuple[sa.ColumnElement[bool], ...]:
    return Invitation.used_at.is_(None), Invitation.withdrawn_at.is_(None), Invitation.expires_at > now


def _has_admin(session: Session) -> bool:
    return session.scalar(sa.select(User.id).where(User.role == "admin", User.is_active).limit(1)) is not None


def _lock_admins(session: Session) -> None:
    """Two admins disabling each other at once must not both succeed. (SQLite's writer is alone anyway.)"""
    session.scalars(sa.select(User.id).where(User.role == "admin").order_by(User.id).with_for_update()).all()


def _facts(user: User) -> dict[str, Any]:
    return {
        "email": user.email,
        "name": user.name,
        "role": user.role,
        "language": user.language,
        "is_active": user.is_active,
    }


def _verb(before: dict[str, Any], user: User) -> str:
    if before["is_active"] != user.is_active:
        return "user.enabled" if user.is_active else "user.disabled"
    return "user.changed"

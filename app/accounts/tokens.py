"""API tokens: made, found, used, revoked.

A token acts as its user, within its scopes and within what the user's role allows at the moment it is used.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from app.accounts import credentials
from app.accounts.models import SCOPES, ApiToken, User
from app.db import writing
from app.db.audit import Actor, record

USED_EVERY = timedelta(minutes=10)


def create(
    session: Session,
    actor: Actor,
    user_id: int,
    name: str,
    *,
    now: datetime,
    scopes: Iterable[str] = SCOPES,
    expires_at: datetime | None = None,
) -> str:
    """The new token itself, which nobody can be shown again. Commits."""
    token = credentials.new_token(credentials.TOKEN_START)
    row = ApiToken(
        user_id=user_id,
        name=name,
        token_hash=credentials.digest(token),
        prefix=token[: credentials.PREFIX_CHARACTERS],
        scopes=[scope for scope in SCOPES if scope in set(scopes)],
        created_at=now,
        expires_at=expires_at,
    )
    with writing(session):
        session.add(row)
        session.flush()
        facts = {"name": name, "prefix": row.prefix, "scopes": row.scopes, "user_id": user_id, "expires_at": expires_at}
        record(session, actor, "token.created", "token", row.id, after=facts)
    return token


def find(session: Session, token: str, now: datetime) -> ApiToken | None:
    """The row of a token that may be used now: not revoked, not expired, its user active."""
    return session.scalar(
        sa.select(ApiToken)
        .join(ApiToken.user)
        .options(joinedload(ApiToken.user))
        .where(
            ApiToken.token_hash == credentials.digest(token),
            ApiToken.revoked_at.is_(None),
            sa.or_(ApiToken.expires_at.is_(None), ApiToken.expires_at > now),
            User.is_active,
        )
    )


def is_due_for_touch(row: ApiToken, now: datetime) -> bool:
    return row.last_used_at is None or now - row.last_used_at >= USED_EVERY


def touch(session: Session, token_id: int, now: datetime) -> None:
    """Writes down that the token was used. Commits. Called every few minutes at most."""
    with writing(session):
        session.execute(sa.update(ApiToken).where(ApiToken.id == token_id).values(last_used_at=now))


def of_user(session: Session, user_id: int) -> list[ApiToken]:
    """The user's tokens, revoked ones apart, the newest first."""
    return list(
        session.scalars(
            sa.select(ApiToken)
            .where(ApiToken.user_id == user_id, ApiToken.revoked_at.is_(None))
            .order_by(ApiToken.id.desc())
        )
    )


def revoke(session: Session, actor: Actor, token_id: int, *, now: datetime, user_id: int | None = None) -> bool:
    """Ends a token (of this user, where one is named). False when there is no such living one. Commits."""
    with writing(session):
        row = session.get(ApiToken, token_id)
        if row is None or row.revoked_at is not None or (user_id is not None and row.user_id != user_id):
            return False
        row.revoked_at = now
        record(session, actor, "token.revoked", "token", row.id, before={"name": row.name, "prefix": row.prefix})
    return True

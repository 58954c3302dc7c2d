"""Builds things with defaults, so that a test states only what matters.

`member`, `choice`, `snapshot`, `seat`, `window` make frozen rules objects; those with `row` in their
name write rows into a session's transaction and flush them. Nothing here knows a fixture.
"""

import itertools
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from app.accounts.models import User
from app.codes import models
from app.codes.changes import Asker
from app.codes.versions import Bound
from app.db.audit import Actor
from app.rules import model as rules
from app.rules.kinds import KINDS, canonical, classify

ZONE = ZoneInfo("Asia/Shanghai")
NOW = datetime(2026, 11, 2, 4, 0, tzinfo=UTC)  # a Monday, noon in Shanghai

_numbers = itertools.count(1)


def group_url(mark: object = None) -> str:
    """A WeChat group's link as its code holds it; another one each time unless `mark` names it."""
    text = f"{next(_numbers)}" if mark is None else str(mark)
    return "https://weixin.qq.com/g/AwYAA" + text.rjust(24, "0")


def personal_url(mark: object = None) -> str:
    text = f"{next(_numbers)}" if mark is None else str(mark)
    return "https://u.wechat.com/" + text.rjust(16, "0")


def hours(number: float) -> timedelta:
    return timedelta(hours=number)


# Frozen rules objects


def member(id: int = 1, **more: Any) -> rules.Member:
    """A WeChat group at the position of its id, without limits, unless told otherwise."""
    kind = KINDS[more.pop("kind", "wechat_group")]
    defaults: dict[str, Any] = {
        "kind": kind.key,
        "is_group": kind.is_group,
        "opens_by_itself": kind.opens_by_itself,
        "position": id,
        "target_url": group_url(id),
        "image": f"{id:064x}.png",
    }
    return rules.Member(id=id, **(defaults | more))


def choice(id: int = 1, **more: Any) -> rules.Choice:
    return rules.Choice(**({"id": id, "title": f"choice {id}", "position": id} | more))


def snapshot(members: Sequence[rules.Member] = (), **more: Any) -> rules.Snapshot:
    defaults: dict[str, Any] = {"id": 1, "slug": "k3f9qa", "version": 1, "owner_id": 1, "zone": ZONE, "title": "福利群"}
    return rules.Snapshot(**(defaults | {"members": tuple(members)} | more))


def seat(member_id: int = 1, **more: Any) -> rules.Seat:
    defaults: dict[str, Any] = {"live_code_id": 1, "member_id": member_id, "generation": 1, "taken_at": NOW}
    return rules.Seat(**(defaults | more))


def window(days: Sequence[int] = (1, 2, 3, 4, 5, 6, 7), start: str = "09:00", end: str = "18:00") -> rules.Window:
    return rules.Window(frozenset(days), _minute(start), _minute(end))


def _minute(text: str) -> int:
    hour, minute = text.split(":")
    return int(hour) * 60 + int(minute)


# Rows


def user_row(session: Session, **more: Any) -> User:
    """A marketer who cannot log in: the password's hash is none."""
    number = next(_numbers)
    defaults: dict[str, Any] = {
        "email": f"user{number}@example.com",
        "name": f"user {number}",
        "password_hash": "!",
        "role": "marketer",
    }
    return _added(session, User(**(defaults | more)))


def live_code_row(session: Session, owner: User | None = None, **more: Any) -> models.LiveCode:
    number = next(_numbers)
    defaults: dict[str, Any] = {"slug": f"t-{number:06d}", "name": f"live code {number}", "title": f"title {number}"}
    owner_id = more.pop("owner_id", None) or (owner or user_row(session)).id
    return _added(session, models.LiveCode(**(defaults | more), owner_id=owner_id))


def choice_row(session: Session, live_code: models.LiveCode, **more: Any) -> models.Choice:
    number = next(_numbers)
    defaults: dict[str, Any] = {"title": f"choice {number}", "position": number}
    return _added(session, models.Choice(**(defaults | more), live_code_id=live_code.id))


def member_row(
    session: Session,
    live_code: models.LiveCode,
    *,
    target: str | None = None,
    expires_at: datetime | None = None,
    headcount: int | None = None,
    **more: Any,
) -> models.Member:
    """An active member with its first version and generation, that neither expires nor has a capacity."""
    shown = bound(target)
    defaults: dict[str, Any] = {"kind": shown.kind, "position": next(_numbers), "current_version": 1}
    row = _added(session, models.Member(**(defaults | more), live_code_id=live_code.id))
    _added(session, models.MemberGeneration(member_id=row.id, number=1, counted_from=1, headcount=headcount))
    _added(
        session,
        models.MemberVersion(
            member_id=row.id,
            number=1,
            generation=1,
            kind=shown.kind,
            target=shown.target,
            canonical=shown.canonical,
            image=shown.image,
            expires_at=expires_at,
            expiry_source="none" if expires_at is None else "entered",
        ),
    )
    return row


def bound(target: str | None = None, **more: Any) -> Bound:
    """What `uploads` makes of a picture or a link, without a file behind it."""
    target = target or group_url()
    kind = classify(target)
    assert not hasattr(kind, "code"), f"{target} cannot be bound"
    defaults: dict[str, Any] = {"kind": kind.key, "target": target, "canonical": canonical(target)}
    return Bound(**(defaults | {"image": f"{next(_numbers):064x}.png"} | more))


def asker(user: User | None = None) -> Asker:
    """Asks for this user, as far as their role sees; nobody in particular sees everything."""
    if user is None:
        return Asker(Actor("test"), None)
    return Asker(Actor(user.email, user.id), None if user.role == "admin" else user.id)


def _added(session: Session, row: Any) -> Any:
    session.add(row)
    session.flush()
    return row

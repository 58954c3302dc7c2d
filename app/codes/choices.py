"""Choices of a grouped live code: what its page asks, in which order, with which tag.

Same manners as `store`. Which members a choice owns is written on the members.
"""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.codes.changes import (
    ARCHIVED,
    NOT_FOUND,
    STALE,
    Asker,
    Refused,
    assign,
    bump,
    facts,
    lock_choice,
    lock_live_code,
    visible,
)
from app.codes.limits import too_many
from app.codes.models import Choice, LiveCode, Member
from app.db.audit import record

CHOICE_FIELDS = ("title", "description", "tag", "position", "mode", "image")
MOST_CHOICES = 20


def find_choice(session: Session, asker: Asker, choice_id: int) -> Choice | None:
    return session.scalar(
        sa.select(Choice).join(Choice.live_code).where(Choice.id == choice_id, Choice.state == "active", visible(asker))
    )


def choices_of(session: Session, live_code_id: int) -> list[Choice]:
    """As scanners see them, in order. The caller has found the live code before."""
    return list(
        session.scalars(
            sa.select(Choice)
            .where(Choice.live_code_id == live_code_id, Choice.state == "active")
            .order_by(Choice.position, Choice.id)
        )
    )


def add_choice(session: Session, asker: Asker, live_code_id: int, values: Mapping[str, Any]) -> Choice | Refused:
    """A new choice, last unless a position is given. Refused for a simple live code and beyond twenty."""
    live_code = lock_live_code(session, asker, live_code_id)
    if live_code is None:
        return NOT_FOUND
    if live_code.state == "archived":
        return ARCHIVED
    if live_code.kind != "grouped":
        return Refused("not_grouped")
    standing = choices_of(session, live_code_id)
    if len(standing) >= MOST_CHOICES:
        return Refused("choice_limit", about={"limit": MOST_CHOICES})
    choice = Choice(live_code_id=live_code_id, **{name: values[name] for name in CHOICE_FIELDS if name in values})
    if values.get("position") is None:
        choice.position = max((other.position for other in standing), default=0) + 1
    session.add(choice)
    bump(session, live_code_id)
    after = facts(choice, CHOICE_FIELDS) | {"live_code_id": live_code_id}
    record(session, asker.actor, "choice.created", "choice", choice.id, after=after)
    return choice


def update_choice(
    session: Session, asker: Asker, choice_id: int, values: Mapping[str, Any], *, version: int | None = None
) -> Choice | Refused:
    choice = lock_choice(session, asker, choice_id)
    if choice is None:
        return NOT_FOUND
    if version is not None and version != choice.version:
        return STALE
    before, after = assign(choice, {name: value for name, value in values.items() if name in CHOICE_FIELDS})
    if after:
        choice.version += 1
        bump(session, choice.live_code_id)
        record(session, asker.actor, "choice.changed", "choice", choice.id, before=before, after=after)
    return choice


def reorder_choices(session: Session, asker: Asker, live_code_id: int, ids: list[int]) -> list[Choice] | Refused:
    """Puts these choices first, in this order, and the others after them as they stood; unknown ids are refused."""
    if lock_live_code(session, asker, live_code_id) is None:
        return NOT_FOUND
    standing = {choice.id: choice for choice in choices_of(session, live_code_id)}
    if not set(ids) <= standing.keys():
        return Refused("invalid", {"ids": "unknown"})
    order = list(dict.fromkeys([*ids, *standing]))
    if order != list(standing):
        for position, choice_id in enumerate(order, 1):
            standing[choice_id].position = position
        bump(session, live_code_id)
        record(
            session, asker.actor, "choice.reordered", "live_code", live_code_id,
            before={"order": list(standing)}, after={"order": order},
        )  # fmt: skip
    return [standing[choice_id] for choice_id in order]


def archive_choice(session: Session, asker: Asker, choice_id: int) -> Choice | Refused:
    """Takes the choice off the page, and its members with it: nobody could reach them any more."""
    choice = lock_choice(session, asker, choice_id)
    if choice is None:
        return NOT_FOUND
    choice.state = "archived"
    members = list(session.scalars(sa.select(Member).where(Member.choice_id == choice_id, Member.state != "archived")))
    for member in members:
        member.state = "archived"
        member.revision += 1
    _release_pin(session, choice.live_code_id, [member.id for member in members])
    bump(session, choice.live_code_id)
    before = facts(choice, CHOICE_FIELDS) | {"members": [member.id for member in members]}
    record(session, asker.actor, "choice.archived", "choice", choice.id, before=before)
    return choice


def restore_choice(session: Session, asker: Asker, choice_id: int, states: Mapping[int, str]) -> Choice | Refused:
    """Asks an archived choice again. `states`: the members that were archived with it, and what each was before."""
    live_code_id = session.scalar(sa.select(Choice.live_code_id).where(Choice.id == choice_id))
    if live_code_id is None or lock_live_code(session, asker, live_code_id) is None:
        return NOT_FOUND
    choice = session.get_one(Choice, choice_id, populate_existing=True)
    if choice.state == "active":
        return choice
    if len(choices_of(session, live_code_id)) >= MOST_CHOICES:
        return Refused("choice_limit", about={"limit": MOST_CHOICES})
    choice.state = "active"
    gone = sa.select(Member).where(Member.id.in_(states), Member.choice_id == choice_id, Member.state == "archived")
    for member in session.scalars(gone):
        if (refused := too_many(session, live_code_id)) is not None:
            return refused
        member.state = states[member.id] if states[member.id] in ("active", "disabled", "reserve") else "disabled"
        member.revision += 1
        session.flush()
    bump(session, live_code_id)
    record(session, asker.actor, "choice.restored", "choice", choice_id, after=facts(choice, CHOICE_FIELDS))
    return choice


def _release_pin(session: Session, live_code_id: int, member_ids: list[int]) -> None:
    pinned = sa.update(LiveCode).where(LiveCode.id == live_code_id, LiveCode.pinned_member_id.in_(member_ids))
    session.execute(pinned.values(pinned_member_id=None))

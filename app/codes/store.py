"""Live codes: found, listed, made, changed, archived, pinned.

Every function runs in the caller's transaction (changes inside `writing(session)`) and sees what the asker may see.
Choices, members and versions have their own rooms; what a value may be is checked in `forms` before it comes here.
"""

import secrets
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.codes.changes import ARCHIVED, NOT_FOUND, STALE, Asker, Refused, assign, bump, facts, lock_live_code, visible
from app.codes.changes import seen_by as seen_by  # asked by statistics and visitors, too
from app.codes.choices import CHOICE_FIELDS, choices_of
from app.codes.models import Choice, LiveCode, Member
from app.db.audit import record
from app.rules.slugs import make_slug

# Set as they come from `forms.LiveCodeForm`, which flattens `contact`.
FIELDS = (
    "name", "title", "notice", "contact_text", "contact_phone", "contact_url", "kind", "mode", "region_policy", "open",
    "choice_policy", "on_closed_member", "unpressed_seat_hours", "dedupe_group", "starts_at", "ends_at", "state",
    "asks_city", "colour", "cover", "folder",
)  # fmt: skip
AT_ONCE = 200
SORTS = {
    "newest": (LiveCode.id.desc(),),
    "oldest": (LiveCode.id,),
    "name": (sa.func.lower(LiveCode.name), LiveCode.id),
    "changed": (LiveCode.updated_at.desc(), LiveCode.id.desc()),
}


def find_live_code(session: Session, asker: Asker, live_code_id: int) -> LiveCode | None:
    """The live code, archived ones included; None also where it is somebody else's."""
    return session.scalar(sa.select(LiveCode).where(LiveCode.id == live_code_id, visible(asker)))


def list_live_codes(
    session: Session,
    asker: Asker,
    *,
    q: str = "",
    state: str | None = None,
    folder: str | None = None,
    sort: str = "newest",
    limit: int = 20,
    offset: int = 0,
    only: Collection[int] | None = None,
) -> tuple[list[LiveCode], int]:
    """One page and the number in all. `q`: part of the name, the title or the slug; `state` None: all but archived;
    `folder`: in this one, "" in none; `only`: none but these."""
    found = sa.select(LiveCode).where(*_wanted(asker, q, state, folder, only))
    total = session.scalar(sa.select(sa.func.count()).select_from(found.subquery())) or 0
    page = found.order_by(*SORTS.get(sort, SORTS["newest"])).limit(limit).offset(offset)
    return list(session.scalars(page)), total


def every_live_code(
    session: Session,
    asker: Asker,
    *,
    q: str = "",
    state: str | None = None,
    folder: str | None = None,
    only: Collection[int] | None = None,
    archived: bool = False,
) -> Iterator[LiveCode]:
    """All that `list_live_codes` would page through, the oldest first, some hundred in memory at a time. `archived`:
    those, too, whatever `state` says."""
    last = 0
    while True:
        conditions = _wanted(asker, q, state, folder, only, archived)
        query = sa.select(LiveCode).where(*conditions, LiveCode.id > last)
        found = list(session.scalars(query.order_by(LiveCode.id).limit(AT_ONCE)))
        yield from found
        if len(found) < AT_ONCE:
            return
        last = found[-1].id
        session.expunge_all()


def _wanted(
    asker: Asker,
    q: str,
    state: str | None,
    folder: str | None,
    only: Collection[int] | None,
    archived: bool = False,
) -> list[sa.ColumnElement[bool]]:
    conditions = [visible(asker), sa.true() if archived else _in_state(state), _matches(q)]
    if folder is not None:
        conditions.append(LiveCode.folder == folder if folder else LiveCode.folder.is_(None))
    if only is not None:
        conditions.append(LiveCode.id.in_(only))
    return conditions


def folders_of(session: Session, asker: Asker) -> list[tuple[str, int]]:
    """Folders by name, with how many live codes are in each; archived ones are not counted."""
    query = (
        sa.select(LiveCode.folder, sa.func.count())
        .where(visible(asker), LiveCode.folder.is_not(None), LiveCode.state != "archived")
        .group_by(LiveCode.folder)
        .order_by(sa.func.lower(LiveCode.folder))
    )
    return [(name, number) for name, number in session.execute(query) if name is not None]


def _in_state(state: str | None) -> sa.ColumnElement[bool]:
    return LiveCode.state != "archived" if state is None else LiveCode.state == state


def _matches(q: str) -> sa.ColumnElement[bool]:
    if not q:
        return sa.true()
    columns = (LiveCode.name, LiveCode.title, LiveCode.slug)
    return sa.or_(*(column.icontains(q, autoescape=True) for column in columns))


def create_live_code(
    session: Session,
    asker: Asker,
    values: Mapping[str, Any],
    *,
    owner_id: int,
    host: str | None = None,
    roll: Callable[[int], int] = secrets.randbelow,
) -> LiveCode:
    """A new live code under a slug of its own, printed with `host` for good. Without a title it is called what it is
    named."""
    live_code = LiveCode(**{name: value for name, value in values.items() if name in FIELDS})
    live_code.title = live_code.title or live_code.name
    live_code.owner_id = owner_id
    live_code.host = host
    _give_slug(session, live_code, roll)
    record(session, asker.actor, "live_code.created", "live_code", live_code.id, after=facts(live_code, FIELDS))
    return live_code


def _give_slug(session: Session, live_code: LiveCode, roll: Callable[[int], int]) -> None:
    """Rolls until the slug is free. The unique index decides: an archived live code's slug is taken for ever."""
    while True:
        live_code.slug = make_slug(roll)
        try:
            with session.begin_nested():
                session.add(live_code)
                session.flush()
            return
        except sa.exc.IntegrityError:
            if not session.scalar(sa.select(sa.exists().where(LiveCode.slug == live_code.slug))):
                raise


def update_live_code(
    session: Session, asker: Asker, live_code_id: int, values: Mapping[str, Any], *, version: int | None = None
) -> LiveCode | Refused:
    """Sets what differs. `version`: what the asker last saw; stale when the live code's own fields changed since, while
    a member added or swapped meanwhile is no conflict."""
    live_code = lock_live_code(session, asker, live_code_id)
    if live_code is None:
        return NOT_FOUND
    if version is not None and not live_code.edited_version <= version <= live_code.version:
        return STALE
    if live_code.state == "archived" and "state" not in values:
        return ARCHIVED
    wrong = _misfit(session, live_code, values)
    if wrong is not None:
        return wrong
    before, after = assign(live_code, {name: value for name, value in values.items() if name in FIELDS})
    if after:
        _written(session, live_code)
        record(session, asker.actor, "live_code.changed", "live_code", live_code.id, before=before, after=after)
    return live_code


def _misfit(session: Session, live_code: LiveCode, values: Mapping[str, Any]) -> Refused | None:
    starts_at = values.get("starts_at", live_code.starts_at)
    ends_at = values.get("ends_at", live_code.ends_at)
    if starts_at is not None and ends_at is not None and ends_at <= starts_at:
        return Refused("invalid", {"ends_at": "before_start"})
    if values.get("kind") == "simple" and live_code.kind == "grouped" and choices_of(session, live_code.id):
        return Refused("has_choices")
    return None


def _written(session: Session, live_code: LiveCode) -> None:
    live_code.edited_version = bump(session, live_code.id)
    session.flush()


def put_into(session: Session, asker: Asker, live_code_id: int, folder: str | None) -> LiveCode | Refused:
    """Moves it into a folder of the list, archived ones too; nothing a scan could see."""
    live_code = lock_live_code(session, asker, live_code_id)
    if live_code is None:
        return NOT_FOUND
    before, after = assign(live_code, {"folder": folder})
    if after:
        record(session, asker.actor, "live_code.moved", "live_code", live_code.id, before=before, after=after)
    return live_code


def set_state(session: Session, asker: Asker, live_code_id: int, wanted: str) -> LiveCode | Refused:
    """Active, paused or archived, from whatever it was."""
    live_code = lock_live_code(session, asker, live_code_id)
    if live_code is None:
        return NOT_FOUND
    if wanted == "archived":
        return archive_live_code(session, asker, live_code_id)
    if live_code.state == "archived":
        return restore_live_code(session, asker, live_code_id, state=wanted)
    return update_live_code(session, asker, live_code_id, {"state": wanted})


def archive_live_code(session: Session, asker: Asker, live_code_id: int) -> LiveCode | Refused:
    """Its scans answer `ended`; its slug stays taken. Members stand as they are, so that it can be restored."""
    return _set_state(session, asker, live_code_id, "archived", "live_code.archived")


def restore_live_code(
    session: Session, asker: Asker, live_code_id: int, *, state: str = "active"
) -> LiveCode | Refused:
    """Brings an archived live code back; one that is not archived stays as it is."""
    live_code = lock_live_code(session, asker, live_code_id)
    if live_code is not None and live_code.state != "archived":
        return live_code
    return _set_state(session, asker, live_code_id, state, "live_code.restored")


def _set_state(session: Session, asker: Asker, live_code_id: int, state: str, action: str) -> LiveCode | Refused:
    live_code = lock_live_code(session, asker, live_code_id)
    if live_code is None:
        return NOT_FOUND
    before, after = assign(live_code, {"state": state})
    if after:
        _written(session, live_code)
        record(session, asker.actor, action, "live_code", live_code.id, before=before, after=after)
    return live_code


def duplicate_live_code(
    session: Session,
    asker: Asker,
    live_code_id: int,
    *,
    name: str,
    owner_id: int,
    host: str | None = None,
    roll: Callable[[int], int] = secrets.randbelow,
) -> LiveCode | Refused:
    """A new live code with the same rules, texts and choices, and no members: one group behind two live codes would be
    filled by both, as seats are counted in each of them."""
    pattern = find_live_code(session, asker, live_code_id)
    if pattern is None:
        return NOT_FOUND
    values = {field: getattr(pattern, field) for field in FIELDS} | {"name": name, "state": "active"}
    copy = create_live_code(session, asker, values, owner_id=owner_id, host=host, roll=roll)
    for choice in choices_of(session, live_code_id):
        session.add(Choice(live_code_id=copy.id, **{field: getattr(choice, field) for field in CHOICE_FIELDS}))
    session.flush()
    return copy


def pin(session: Session, asker: Asker, live_code_id: int, member_id: int) -> LiveCode | Refused:
    """Sends every new visitor to this member until released."""
    live_code = lock_live_code(session, asker, live_code_id)
    if live_code is None:
        return NOT_FOUND
    member = session.scalar(sa.select(Member).where(Member.id == member_id, Member.live_code_id == live_code_id))
    if member is None:
        return NOT_FOUND
    if member.state == "archived":
        return ARCHIVED
    if member.is_fallback:
        return Refused("invalid", {"member_id": "is_fallback"})
    return _set_pin(session, asker, live_code, member_id, "live_code.pinned")


def unpin(session: Session, asker: Asker, live_code_id: int) -> LiveCode | Refused:
    """Back to the live code's mode; without a pin nothing changes."""
    live_code = lock_live_code(session, asker, live_code_id)
    if live_code is None:
        return NOT_FOUND
    return _set_pin(session, asker, live_code, None, "live_code.unpinned")


def _set_pin(session: Session, asker: Asker, live_code: LiveCode, member_id: int | None, action: str) -> LiveCode:
    before, after = assign(live_code, {"pinned_member_id": member_id})
    if after:
        bump(session, live_code.id)
        record(session, asker.actor, action, "live_code", live_code.id, before=before, after=after)
    return live_code


def dedupe_groups(session: Session, asker: Asker, owner_id: int) -> list[str]:
    """Names in use among this owner's live codes, for a form to offer."""
    names = sa.select(LiveCode.dedupe_group).where(
        LiveCode.owner_id == owner_id, LiveCode.dedupe_group.is_not(None), LiveCode.state != "archived", visible(asker)
    )
    return sorted(name for name in session.scalars(names.distinct()) if name is not None)

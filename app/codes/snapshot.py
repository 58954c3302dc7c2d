"""Live codes as a scan sees them: frozen, read whole, kept in this process until somebody knows of a newer version.

Decides what of a live code's rows is part of a snapshot and how long one is kept. Who may still use it is decided
elsewhere: the ledger compares its version and answers stale, and the caller comes back with `at_least`. No Flask, no
app context; SQL only when nothing good enough is kept.
"""

import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import tzinfo
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.orm import Session

from app.codes import models
from app.codes.choices import choices_of
from app.codes.members import members_of
from app.codes.placements import placements_of
from app.codes.versions import current_versions
from app.ledger import NotReady
from app.rules.kinds import KINDS
from app.rules.model import (
    Choice,
    ChoicePolicy,
    ClosedPolicy,
    Contact,
    LiveCodeState,
    Member,
    MemberState,
    Mode,
    RegionPolicy,
    Snapshot,
    Window,
)
from app.rules.slugs import is_slug

# Live codes and members together; a member takes 1.2 to 1.6 KB, so a process keeps 150 MB at most.
MOST_KEPT = 100_000
# Somebody may still hold a seat in an archived member, and the page then names it. The oldest are left out: without
# one the seat counts as closed all the same, and a live code that is swapped by archiving grows without an end.
MOST_ARCHIVED = 100
_LOCKS = 64


class Snapshots:
    """A bounded cache over one engine. Shared by all threads of a process."""

    def __init__(self, engine: Engine, zone: tzinfo, most_kept: int = MOST_KEPT) -> None:
        self._engine = engine if engine.dialect.name == "sqlite" else _repeatable(engine)
        self._zone = zone
        self._most_kept = most_kept
        self._kept: OrderedDict[int, Snapshot] = OrderedDict()
        self._weight = 0
        self._ids: dict[str, int] = {}
        self._lock = threading.Lock()
        # One loads, the others wait for it: after a swap every thread of a busy poster comes for the same rows.
        self._loading = [threading.Lock() for _ in range(_LOCKS)]

    def by_slug(self, slug: str) -> Snapshot | None:
        """The snapshot kept for this slug, or read now; None for a slug nobody has, which is never remembered."""
        with self._lock:
            live_code_id = self._ids.get(slug)
            if live_code_id is not None:
                self._kept.move_to_end(live_code_id)
                return self._kept[live_code_id]
        if not is_slug(slug):
            return None
        with _store(self._engine) as connection:
            live_code_id = connection.scalar(sa.select(models.LiveCode.id).where(models.LiveCode.slug == slug))
        return None if live_code_id is None else self.by_id(live_code_id)

    def by_id(self, live_code_id: int, at_least: int | None = None) -> Snapshot | None:
        """The snapshot kept, if it is of version `at_least` or newer; else read now. None when there is no such row."""
        kept = self._get(live_code_id, at_least)
        if kept is not None:
            return kept
        with self._loading[live_code_id % _LOCKS]:
            kept = self._get(live_code_id, at_least)
            return kept if kept is not None else self._load(live_code_id)

    def reload(self, live_code_id: int) -> Snapshot | None:
        """Read now, whatever is kept."""
        with self._loading[live_code_id % _LOCKS]:
            return self._load(live_code_id)

    def _get(self, live_code_id: int, at_least: int | None) -> Snapshot | None:
        with self._lock:
            kept = self._kept.get(live_code_id)
            if kept is None or (at_least is not None and kept.version < at_least):
                return None
            self._kept.move_to_end(live_code_id)
            return kept

    def _load(self, live_code_id: int) -> Snapshot | None:
        with _store(self._engine) as connection, Session(connection) as session:
            snapshot = read_snapshot(session, live_code_id, self._zone)
        with self._lock:
            if snapshot is not None:
                self._keep(snapshot)
        return snapshot

    def _keep(self, snapshot: Snapshot) -> None:
        before = self._kept.pop(snapshot.id, None)
        self._kept[snapshot.id] = snapshot
        self._ids[snapshot.slug] = snapshot.id
        self._weight += _weight(snapshot) - (_weight(before) if before is not None else 0)
        while self._weight > self._most_kept and len(self._kept) > 1:
            _, oldest = self._kept.popitem(last=False)
            self._weight -= _weight(oldest)
            del self._ids[oldest.slug]


def _weight(snapshot: Snapshot) -> int:
    return 1 + len(snapshot.members)


@contextmanager
def _store(engine: Engine) -> Iterator[Connection]:
    """A connection; an outage of SQL is told in the words the scan door knows."""
    try:
        with engine.connect() as connection:
            yield connection
    except (sa.exc.OperationalError, sa.exc.InterfaceError, sa.exc.InternalError, sa.exc.TimeoutError) as error:
        raise NotReady(f"no snapshot: {type(error).__name__}") from error


def _repeatable(engine: Engine) -> Engine:
    """Several SELECTs that see one moment. SQLite's transactions are that way by themselves."""
    return engine.execution_options(isolation_level="REPEATABLE READ")


def read_snapshot(session: Session, live_code_id: int, zone: tzinfo) -> Snapshot | None:
    """The live code as this transaction sees it; one moment's, if the transaction is repeatable."""
    row = session.get(models.LiveCode, live_code_id)
    if row is None:
        return None
    members = [*members_of(session, live_code_id), *_newest_archived(session, live_code_id)]
    current = current_versions(session, members)
    return Snapshot(
        id=row.id,
        slug=row.slug,
        version=row.version,
        owner_id=row.owner_id,
        zone=zone,
        title=row.title,
        notice=row.notice,
        contact=Contact(row.contact_text, row.contact_phone, row.contact_url),
        kind=row.kind,
        mode=Mode(row.mode),
        region_policy=RegionPolicy(row.region_policy),
        open=row.open,
        choice_policy=ChoicePolicy(row.choice_policy),
        on_closed_member=ClosedPolicy(row.on_closed_member),
        unpressed_seat_hours=row.unpressed_seat_hours,
        dedupe_group=row.dedupe_group,
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        state=LiveCodeState(row.state),
        pinned_member_id=row.pinned_member_id,
        asks_city=row.asks_city,
        colour=row.colour,
        cover=row.cover,
        members=tuple(member_of(member, *current[member.id]) for member in members if member.id in current),
        choices=tuple(_choice(choice) for choice in choices_of(session, live_code_id)),
        placements={row.key: row.region for row in placements_of(session, live_code_id) if row.region is not None},
    )


def member_of(row: models.Member, version: models.MemberVersion, generation: models.MemberGeneration) -> Member:
    """The member as the rules see it, with what its current version and generation own."""
    kind = KINDS[version.kind]
    return Member(
        id=row.id,
        kind=kind.key,
        is_group=kind.is_group,
        position=row.position,
        generation=generation.number,
        counted_from=generation.counted_from,
        headcount=generation.headcount or 0,
        choice_id=row.choice_id,
        name=row.public_name or None,
        state=MemberState(row.state),
        is_fallback=row.is_fallback,
        capacity=row.capacity,
        daily_capacity=row.daily_capacity,
        weight=row.weight,
        regions=tuple(row.regions),
        # What is archived is never offered, and its windows would only make plans die sooner.
        windows=() if row.state == "archived" else windows_of(row.windows),
        valid_from=row.valid_from,
        expires_at=version.expires_at,
        suspect_at=row.suspect_at,
        version=version.number,
        target_url=version.target or None,
        image=version.image,
        opens_by_itself=kind.opens_by_itself,
        latitude=row.latitude,
        longitude=row.longitude,
        radius_m=row.radius_m,
    )


def windows_of(stored: Sequence[dict[str, Any]]) -> tuple[Window, ...]:
    """Windows as they are stored and sent, `{"days": [1], "from": "09:00", "to": "24:00"}`, in minutes of the day."""
    return tuple(Window(frozenset(w["days"]), _minute(w["from"]), _minute(w["to"])) for w in stored)


def _minute(text: str) -> int:
    hours, _, minutes = text.partition(":")
    return int(hours) * 60 + int(minutes)


def _newest_archived(session: Session, live_code_id: int) -> list[models.Member]:
    query = sa.select(models.Member).where(
        models.Member.live_code_id == live_code_id, models.Member.state == MemberState.ARCHIVED
    )
    return list(session.scalars(query.order_by(models.Member.updated_at.desc()).limit(MOST_ARCHIVED)))


def _choice(row: models.Choice) -> Choice:
    return Choice(
        id=row.id,
        title=row.title,
        position=row.position,
        description=row.description,
        tag=row.tag,
        mode=Mode(row.mode),
        image=row.image,
    )

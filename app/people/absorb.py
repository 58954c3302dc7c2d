"""Keeps what events tell of people, in the transaction that records the events.

Decides how visits add up, whichever order they arrive in: counts are sums, the first event says where somebody came
from, their newest scan what they use and where they are. The answer to "which group do you want?" becomes a tag.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from app.db.among import among
from app.db.upsert import Insert, insert_rows
from app.people.models import Alias, Tag, Visitor, VisitorLiveCode, VisitorTag
from app.rules.model import ChoicePolicy
from app.rules.tally import ScanEvent, count_of

# What somebody answers on a page is something they do; `predicted` is what we or a rule believe of them.
CHOICE_CATEGORY = "behaviour"

_VISITORS: sa.Table = Visitor.__table__  # type: ignore[assignment]
_UNDER_CODES: sa.Table = VisitorLiveCode.__table__  # type: ignore[assignment]
_ALIASES: sa.Table = Alias.__table__  # type: ignore[assignment]
_TAGS: sa.Table = Tag.__table__  # type: ignore[assignment]
_VISITOR_TAGS: sa.Table = VisitorTag.__table__  # type: ignore[assignment]
# Events of a page that was asked for; a beacon's say nothing new.
_DESCRIBED = frozenset({"scan", "choose", "reroute"})
_PROFILE = ("region", "device", "app", "language")

# What must be seen of a table that belongs to `codes`: may a visitor answer more than once?
_LIVE_CODES = sa.table("live_codes", sa.column("id", sa.Integer), sa.column("choice_policy", sa.String))

Row = dict[str, Any]
Under = tuple[int, int]  # visitor id, live code id


def absorb(connection: Connection, events: Sequence[ScanEvent]) -> None:
    """Adds new events; the caller has made sure that each arrives once. A preview is nobody's visit."""
    known = [event for event in events if event.visitor and event.outcome != "preview"]
    if not known:
        return
    known = list(by_their_own_keys(connection, known))
    ids = _add_visitors(connection, known)
    _add_under_codes(connection, known, ids)
    _add_tags(connection, known, ids)


def by_their_own_keys(connection: Connection, events: Sequence[ScanEvent]) -> Sequence[ScanEvent]:
    """The same events; those of another browser of somebody known under the key SQL knows them by."""
    keys = {event.visitor for event in events if event.visitor}
    query = sa.select(_ALIASES.c.key, _VISITORS.c.key).join(_VISITORS, _VISITORS.c.id == _ALIASES.c.visitor_id)
    own = {row[0]: row[1] for row in connection.execute(query.where(among(connection, _ALIASES.c.key, keys)))}
    if not own:
        return events
    return [event.with_answer(visitor=own[event.visitor]) if event.visitor in own else event for event in events]


@dataclass(slots=True)
class _Latest:
    """The newest of some events, with what it says."""

    at: datetime | None = None
    says: Row = field(default_factory=dict)

    def hear(self, at: datetime, says: Row) -> None:
        if self.at is None or at > self.at:
            self.at, self.says = at, says


class _Sum:
    """What a batch tells of one visitor, or of one visitor under one live code."""

    __slots__ = ("first", "last_at", "pressed", "profile", "scans", "seat", "stuck")

    def __init__(self, event: ScanEvent) -> None:
        self.first, self.last_at = event, event.at
        self.scans = self.pressed = self.stuck = 0
        self.profile, self.seat = _Latest(), _Latest()

    def add(self, event: ScanEvent) -> None:
        tally = count_of(event)
        self.scans += tally.scans
        self.pressed += tally.pressed
        self.stuck += tally.stuck
        if event.at < self.first.at:
            self.first = event
        elif event.at > self.last_at:
            self.last_at = event.at
        if event.type in _DESCRIBED:
            self.profile.hear(event.at, {name: getattr(event, name) for name in _PROFILE})
        if event.member_id and event.outcome in ("assigned", "returning"):
            self.seat.hear(event.at, {"member_id": event.member_id, "choice_id": event.choice_id})


def _sums(events: Sequence[ScanEvent], key: Any) -> dict[Any, _Sum]:
    sums: dict[Any, _Sum] = {}
    for event in events:
        whose = key(event)
        found = sums.get(whose)
        if found is None:
            found = sums[whose] = _Sum(event)
        found.add(event)
    return dict(sorted(sums.items()))


def _add_visitors(connection: Connection, events: Sequence[ScanEvent]) -> Mapping[str, int]:
    """Makes and updates the visitors, and locks their rows until the transaction ends; their ids by key."""
    sums = _sums(events, lambda e: e.visitor)
    query = sa.select(_VISITORS.c.key, _VISITORS.c.id).where(among(connection, _VISITORS.c.key, sums))
    known: dict[str, int] = {row[0]: row[1] for row in connection.execute(query)}
    rows = [{"id": known.get(key), **_visitor_row(key, found)} for key, found in sums.items()]
    written = insert_rows(connection, _VISITORS, rows, _merge_visitors)
    return {row[0]: row[1] for row in written}


def _merge_visitors(statement: Insert) -> Any:
    old, new = _VISITORS.c, statement.excluded
    changes: Row = {name: old[name] + new[name] for name in ("scans", "pressed")}
    changes["last_seen_at"] = _later(new.last_seen_at, old.last_seen_at)
    earlier = new.first_seen_at < old.first_seen_at
    changes |= _where(earlier, old, new, "first_seen_at", "first_live_code_id", "first_placement")
    newer = _is_newer("profile_at", old, new)
    changes |= _where(newer, old, new, "profile_at", "region", "device", "app", "language")
    return statement.on_conflict_do_update(index_elements=[old.key], set_=changes).returning(old.key, old.id)


def _visitor_row(key: str, found: _Sum) -> Row:
    return {
        "key": key,
        "first_seen_at": found.first.at,
        "last_seen_at": found.last_at,
        "scans": found.scans,
        "pressed": found.pressed,
        "first_live_code_id": found.first.live_code_id,
        "first_placement": found.first.placement,
        "profile_at": found.profile.at,
        **{name: found.profile.says.get(name) for name in _PROFILE},
    }


def _add_under_codes(connection: Connection, events: Sequence[ScanEvent], ids: Mapping[str, int]) -> None:
    sums = _sums(events, lambda e: (ids[e.visitor], e.live_code_id))
    rows = [_under_code_row(under, found) for under, found in sums.items()]
    insert_rows(connection, _UNDER_CODES, rows, _merge_under_codes)


def _merge_under_codes(statement: Insert) -> Any:
    old, new = _UNDER_CODES.c, statement.excluded
    changes: Row = {name: old[name] + new[name] for name in ("scans", "pressed", "stuck")}
    changes["last_at"] = _later(new.last_at, old.last_at)
    changes |= _where(new.first_at < old.first_at, old, new, "first_at", "placement")
    changes |= _where(_is_newer("profile_at", old, new), old, new, "profile_at", "region")
    changes |= _where(_is_newer("seat_at", old, new), old, new, "seat_at", "member_id", "choice_id")
    return statement.on_conflict_do_update(index_elements=[old.visitor_id, old.live_code_id], set_=changes)


def _under_code_row(under: Under, found: _Sum) -> Row:
    return {
        "visitor_id": under[0],
        "live_code_id": under[1],
        "first_at": found.first.at,
        "last_at": found.last_at,
        "scans": found.scans,
        "pressed": found.pressed,
        "stuck": found.stuck,
        "placement": found.first.placement,
        "profile_at": found.profile.at,
        "region": found.profile.says.get("region"),
        "seat_at": found.seat.at,
        "member_id": found.seat.says.get("member_id"),
        "choice_id": found.seat.says.get("choice_id"),
    }


def _later(new: Any, old: Any) -> Any:
    return sa.case((new > old, new), else_=old)


def _is_newer(column: str, old: Any, new: Any) -> Any:
    """False where the batch has nothing to say, true where nothing has been said before."""
    return new[column].is_not(None) & (old[column].is_(None) | (new[column] > old[column]))


def _where(condition: Any, old: Any, new: Any, *columns: str) -> Row:
    return {name: sa.case((condition, new[name]), else_=old[name]) for name in columns}


def _add_tags(connection: Connection, events: Sequence[ScanEvent], ids: Mapping[str, int]) -> None:
    """One tag a visitor, live code and answer; where only one counts, a newer answer takes the older one's place."""
    answers: dict[tuple[str, Under], _Latest] = defaultdict(_Latest)
    for event in events:
        if event.tag and event.outcome == "assigned":
            answers[event.tag, (ids[event.visitor or ""], event.live_code_id)].hear(
                event.at, {"choice_id": event.choice_id or 0}
            )
    if not answers:
        return
    tag_ids = tag_ids_of(connection, {name for name, _ in answers}, CHOICE_CATEGORY)
    rows = [
        {"visitor_id": under[0], "live_code_id": under[1], "tag_id": tag_ids[name], "at": answer.at} | answer.says
        for (name, under), answer in sorted(answers.items(), key=lambda item: item[0])
    ]
    insert_rows(connection, _VISITOR_TAGS, rows, _merge_tags)
    _drop_old_answers(connection, {under for _, under in answers})


def _merge_tags(statement: Insert) -> Any:
    old, new = _VISITOR_TAGS.c, statement.excluded
    newer = old.choice_id.is_(None) | (new.at > old.at)
    changes = _where(newer, old, new, "at", "choice_id")
    return statement.on_conflict_do_update(index_elements=list(_VISITOR_TAGS.primary_key), set_=changes)


def _drop_old_answers(connection: Connection, unders: Collection[Under]) -> None:
    asked_once = sa.select(_LIVE_CODES.c.id).where(
        _LIVE_CODES.c.id.in_({live_code_id for _, live_code_id in unders}),
        _LIVE_CODES.c.choice_policy != ChoicePolicy.SEVERAL.value,
    )
    once = set(connection.execute(asked_once).scalars())
    concerned = sorted(under for under in unders if under[1] in once)
    if not concerned:
        return
    old, newer = _VISITOR_TAGS.c, _VISITOR_TAGS.alias("newer").c
    is_outdated = sa.exists().where(
        newer.visitor_id == old.visitor_id,
        newer.live_code_id == old.live_code_id,
        newer.choice_id.is_not(None),
        newer.at > old.at,
    )
    here = sa.tuple_(old.visitor_id, old.live_code_id).in_(concerned)
    connection.execute(sa.delete(_VISITOR_TAGS).where(here, old.choice_id.is_not(None), is_outdated))


def tag_ids_of(connection: Connection, names: set[str], category: str) -> Mapping[str, int]:
    """The tags of these names in this category, made where they are missing."""
    query = sa.select(_TAGS.c.name, _TAGS.c.id).where(_TAGS.c.category == category, _TAGS.c.name.in_(names))
    found: dict[str, int] = {row[0]: row[1] for row in connection.execute(query)}
    if missing := sorted(names - found.keys()):
        rows = [{"name": name, "category": category, "created_at": datetime.now(UTC)} for name in missing]
        insert_rows(connection, _TAGS, rows, _unless_known)
        found = {row[0]: row[1] for row in connection.execute(query)}
    return found


def _unless_known(statement: Insert) -> Any:
    return statement.on_conflict_do_nothing()

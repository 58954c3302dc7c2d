"""Gives and takes the tags of rules: when something happens, when time has passed, and when a rule has changed.

Decides who is asked about when; who fits is `rules.tagging`'s. A visitor's tag by hand is never touched: a rule takes
off only what it gave.
"""

import logging
import threading
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import datetime, tzinfo
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Engine

from app.db.upsert import Insert, insert_rows
from app.people.absorb import by_their_own_keys
from app.people.histories import Scope, histories
from app.people.models import TagRule, TagRuleDue, Visitor, VisitorLiveCode, VisitorTag
from app.people.tag_store import TellTagged, tell_nobody, unless_given
from app.rules.tagging import Condition, Verdict, judge
from app.rules.tally import ScanEvent

log = logging.getLogger(__name__)

# SQLite has one writer: 200 people are asked about in some 20 ms.
AT_ONCE = 200
LOOK_SECONDS = 2.0
AFTER_FAILURE_SECONDS = 15.0

_TAGS: sa.Table = VisitorTag.__table__  # type: ignore[assignment]
_DUES: sa.Table = TagRuleDue.__table__  # type: ignore[assignment]
_RULES: sa.Table = TagRule.__table__  # type: ignore[assignment]
_UNDER: sa.Table = VisitorLiveCode.__table__  # type: ignore[assignment]
_LIVE_CODES = sa.table("live_codes", sa.column("id", sa.Integer), sa.column("owner_id", sa.Integer))


def conditions_of(stored: Iterable[dict[str, Any]]) -> tuple[Condition, ...]:
    return tuple(Condition(**one) for one in stored)


def scope_of(rule: Any) -> Scope:
    return Scope(rule.owner_id, rule.live_code_id)


class TagRules:
    """`listen` is told of new events, `run` does what has come due; both within the pipeline. `turn`: the queue of
    SQLite's writers. `told` hears of the tags that are given."""

    def __init__(
        self,
        engine: Engine,
        zone: tzinfo,
        clock: Callable[[], datetime],
        turn: AbstractContextManager[object] | None = None,
        told: TellTagged = tell_nobody,
    ) -> None:
        self._engine = engine
        self._told = told
        self._zone = zone
        self._clock = clock
        self._turn = turn or nullcontext()

    def listen(self, connection: Connection, events: Sequence[ScanEvent]) -> None:
        """Asks every rule that sees one of these live codes about the visitors the events name."""
        known = [event for event in events if event.visitor and event.outcome != "preview"]
        if not known:
            return
        rules = _rules_at(connection, {event.live_code_id for event in known})
        if not rules:
            return
        keys = {event.visitor for event in by_their_own_keys(connection, known)}
        ids = list(connection.scalars(sa.select(Visitor.id).where(Visitor.key.in_(keys)).order_by(Visitor.id)))
        self.ask(connection, rules, ids)

    def ask(self, connection: Connection, rules: Sequence[Any], ids: Collection[int]) -> None:
        """Gives and takes the tags of active rules as they judge these visitors now, and notes when to ask again."""
        together: dict[Scope, list[Any]] = defaultdict(list)
        for rule in rules:
            together[scope_of(rule)].append(rule)
        for scope, same in together.items():
            wanted = {rule.id: conditions_of(rule.conditions) for rule in same}
            every = [condition for conditions in wanted.values() for condition in conditions]
            now = self._clock()
            known = histories(connection, scope, every, ids, now, self._zone)
            for rule in same:
                verdicts = {id_: judge(wanted[rule.id], one.history, now) for id_, one in known.items()}
                places = {id_: one.live_code_id for id_, one in known.items()}
                fresh = _settle(connection, rule, ids, verdicts, places, now)
                if fresh:
                    self._told(connection, [(id_, rule.tag_id, places[id_], now) for id_ in fresh])

    def run(self, stop: threading.Event) -> None:
        """Beside the drainer: what is due, piece by piece, until `stop`. An outage is waited out."""
        pause = 0.0
        while not stop.wait(pause):
            try:
                pause = 0.0 if self.step() else LOOK_SECONDS
            except Exception as error:
                log.error("tag rules wait: %s", type(error).__name__, exc_info=not isinstance(error, sa.exc.DBAPIError))
                pause = AFTER_FAILURE_SECONDS

    def step(self) -> bool:
        """A small piece of what is due; False: nothing is."""
        if not self._has_work():
            return False
        with self._writing() as connection:
            self._ask_due(connection)
            for rule in connection.execute(sa.select(_RULES).where(_is_unswept()).limit(1)).all():
                self._sweep(connection, rule)
        return True

    def _has_work(self) -> bool:
        with self._engine.connect() as connection:
            due = sa.select(_DUES.c.rule_id).where(_DUES.c.due_at <= self._clock()).limit(1)
            unswept = sa.select(_RULES.c.id).where(_is_unswept()).limit(1)
            return any(connection.execute(query).first() is not None for query in (due, unswept))

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        engine = self._engine.execution_options(immediate=True)
        with self._turn, engine.connect() as connection, connection.begin():
            yield connection

    def _ask_due(self, connection: Connection) -> None:
        query = sa.select(_DUES.c.rule_id, _DUES.c.visitor_id).where(_DUES.c.due_at <= self._clock())
        due = connection.execute(query.order_by(_DUES.c.due_at).limit(AT_ONCE)).all()
        ids: dict[int, list[int]] = defaultdict(list)
        for rule_id, visitor_id in due:
            ids[rule_id].append(visitor_id)
        rules = {rule.id: rule for rule in connection.execute(sa.select(_RULES).where(_RULES.c.id.in_(ids)))}
        for rule_id, visitors in sorted(ids.items()):
            _forget_dues(connection, rule_id, visitors)
            if rule_id in rules and rules[rule_id].state == "active":
                _lock(connection, visitors)
                self.ask(connection, [rules[rule_id]], visitors)

    def _sweep(self, connection: Connection, rule: Any) -> None:
        """Asks about the next visitors since the rule changed, and takes its tags off those it no longer sees."""
        begin = rule.swept_to or 0
        ids = list(connection.scalars(_next(rule, begin)))
        is_last = len(ids) < AT_ONCE
        if rule.state == "active":
            _lock(connection, ids)
        stale = (_TAGS.c.rule_id == rule.id) & (_TAGS.c.visitor_id > begin)
        if not is_last:
            stale &= _TAGS.c.visitor_id <= ids[-1]
        if rule.state == "active":
            stale &= sa.or_(
                _TAGS.c.tag_id != rule.tag_id,
                sa.not_(_TAGS.c.visitor_id.in_(ids)),
                sa.not_(scope_of(rule).holds(_TAGS.c.live_code_id)),
            )
        connection.execute(sa.delete(_TAGS).where(stale))
        if rule.state == "active":
            self.ask(connection, [rule], ids)
        if is_last and rule.state == "gone":
            connection.execute(sa.delete(_DUES).where(_DUES.c.rule_id == rule.id))
            connection.execute(sa.delete(_RULES).where(_RULES.c.id == rule.id))
            return
        # Only if nobody changed it meanwhile: then it begins anew.
        same = (_RULES.c.id == rule.id) & (_RULES.c.changed_at == rule.changed_at)
        connection.execute(sa.update(_RULES).where(same).values(swept_to=None if is_last else ids[-1]))


def _is_unswept() -> sa.ColumnElement[bool]:
    return sa.and_(_RULES.c.swept_to.is_not(None), _RULES.c.state != "paused")


def _next(rule: Any, begin: int) -> sa.Select[int]:
    """Whom to ask about after `begin`: who is seen by an active rule, who carries a tag of one that is gone."""
    if rule.state == "active":
        id_ = _UNDER.c.visitor_id
        query = sa.select(id_).where(id_ > begin, scope_of(rule).holds(_UNDER.c.live_code_id))
    else:
        id_ = _TAGS.c.visitor_id
        query = sa.select(id_).where(id_ > begin, _TAGS.c.rule_id == rule.id)
    return query.distinct().order_by(id_).limit(AT_ONCE)


def _lock(connection: Connection, ids: Collection[int]) -> None:
    """In the order in which folding locks them."""
    query = sa.select(Visitor.id).where(Visitor.id.in_(ids)).order_by(Visitor.key).with_for_update()
    connection.execute(query).all()


def _rules_at(connection: Connection, live_code_ids: Collection[int]) -> Sequence[Any]:
    sees = sa.or_(
        _RULES.c.live_code_id == _LIVE_CODES.c.id,
        _RULES.c.live_code_id.is_(None) & (_RULES.c.owner_id == _LIVE_CODES.c.owner_id),
    )
    seen = sa.exists().where(_LIVE_CODES.c.id.in_(live_code_ids), sees)
    return connection.execute(sa.select(_RULES).where(_RULES.c.state == "active", seen).order_by(_RULES.c.id)).all()


def _settle(
    connection: Connection,
    rule: Any,
    ids: Collection[int],
    verdicts: dict[int, Verdict],
    places: dict[int, int],
    now: datetime,
) -> list[int]:
    """Who was given the tag just now."""
    fresh: list[int] = []
    fits = [id_ for id_, verdict in verdicts.items() if verdict.holds]
    if fits:
        rows = [
            {
                "visitor_id": id_, "tag_id": rule.tag_id, "live_code_id": places[id_], "at": now, "choice_id": None,
                "rule_id": rule.id,
            }
            for id_ in sorted(fits)
        ]  # fmt: skip
        fresh = [row[0] for row in insert_rows(connection, _TAGS, rows, unless_given)]
    if not rule.keeps:
        gone = sorted(set(ids) - set(fits))
        connection.execute(sa.delete(_TAGS).where(_TAGS.c.rule_id == rule.id, _TAGS.c.visitor_id.in_(gone)))
    _forget_dues(connection, rule.id, ids)
    dues = [
        {"rule_id": rule.id, "visitor_id": id_, "due_at": verdict.turns_at}
        for id_, verdict in sorted(verdicts.items())
        if verdict.turns_at is not None
    ]
    if dues:
        insert_rows(connection, _DUES, dues, _unless_given)
    return fresh


def _unless_given(statement: Insert) -> Any:
    return statement.on_conflict_do_nothing()


def _forget_dues(connection: Connection, rule_id: int, ids: Collection[int]) -> None:
    connection.execute(sa.delete(_DUES).where(_DUES.c.rule_id == rule_id, _DUES.c.visitor_id.in_(ids)))


def ask_again(connection: Connection, ids: Collection[int], at: datetime) -> None:
    """Somebody bought, was tagged by hand or merged: every active rule is asked about them soon."""
    rules = list(connection.scalars(sa.select(_RULES.c.id).where(_RULES.c.state == "active")))
    rows = [{"rule_id": rule, "visitor_id": id_, "due_at": at} for id_ in sorted(set(ids)) for rule in rules]
    if rows:
        insert_rows(connection, _DUES, rows, _sooner)


def _sooner(statement: Insert) -> Any:
    key = list(_DUES.primary_key)
    return statement.on_conflict_do_update(index_elements=key, set_={"due_at": statement.excluded.due_at})

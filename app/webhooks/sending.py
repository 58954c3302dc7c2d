"""Sends what waits: every message until it is taken, later each time, given up after a day.

Decides who sends what and when. A message is claimed before it is sent and settled afterwards; in between no
transaction is open. Whoever dies with it in hand has it sent again by somebody else, under the same id: a receiver gets
everything at least once. Several processes may send at the same time. One endpoint that answers nothing does not hold
up the others: it gets one message at a time and rests in between.
"""

import logging
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

import sqlalchemy as sa
from sqlalchemy import Connection, Engine

from app.outside.hooks import Reply
from app.outside.seal import unseal
from app.rules.webhooks import is_lost, pause_after, rests_until, signature
from app.webhooks import watch
from app.webhooks.models import WebhookDelivery, WebhookEndpoint

log = logging.getLogger(__name__)

AT_ONCE = 8
# So many a round that even where each takes as long as it may, the round ends before its claims do.
A_ROUND = 40
FOR_ONE_ENDPOINT = 20
CLAIMED_FOR = timedelta(minutes=3)
IDLE_SECONDS = 0.5
NOBODY_SECONDS = 2.0
WATCH_SECONDS = 60.0
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 1.0, 60.0
KEPT_FOR = timedelta(days=30)
DELETED_AT_ONCE = 5000

_ENDPOINTS: sa.Table = WebhookEndpoint.__table__  # type: ignore[assignment]
_DELIVERIES: sa.Table = WebhookDelivery.__table__  # type: ignore[assignment]


class Poster(Protocol):
    def post(self, url: str, body: bytes, headers: dict[str, str]) -> Reply: ...


@dataclass(frozen=True, slots=True)
class Switched:
    """An endpoint that was switched off because nobody took a message for days; its owner is told."""

    endpoint_id: int
    owner_id: int
    name: str
    at: datetime


@dataclass(frozen=True, slots=True)
class _Post:
    """A message in hand."""

    id: int
    endpoint_id: int
    url: str
    sealed: str
    event_id: str
    type: str
    body: str
    tries: int
    until: datetime


@dataclass(frozen=True, slots=True)
class _Came:
    post: _Post
    reply: Reply
    took_ms: int


class Sender:
    """`key` opens the endpoints' secrets; `turn`: SQLite's queue of writers; `standing`: who has room, for what is
    looked for; `tell_owner` is called after an endpoint was switched off; `roll` spreads the pauses."""

    def __init__(
        self,
        engine: Engine,
        poster: Poster,
        key: str,
        clock: Callable[[], datetime],
        standing: watch.Standing,
        tell_owner: Callable[[Switched], None] = lambda _switched: None,
        turn: AbstractContextManager[object] | None = None,
        roll: Callable[[], float] = random.random,
    ) -> None:
        self._engine = engine
        self._poster = poster
        self._key = key
        self._clock = clock
        self._standing = standing
        self._tell_owner = tell_owner
        self._turn = turn or nullcontext()
        self._roll = roll

    def run(self, stop: threading.Event) -> None:
        """Until `stop`. An outage is logged once and waited out; nothing is lost meanwhile."""
        pause, watch_due, wait = 0.0, 0.0, IDLE_SECONDS
        while not stop.wait(pause or wait):
            try:
                sent = self.send_due()
                wait = NOBODY_SECONDS if sent is None else IDLE_SECONDS if sent == 0 else 0.01
                if time.monotonic() >= watch_due:
                    watch_due = time.monotonic() + WATCH_SECONDS
                    self.look()
            except Exception as error:
                # Whatever went wrong, messages are where they were, and the loop must outlive it.
                if not pause:
                    log.error("webhooks wait: %s", type(error).__name__, exc_info=not _is_outage(error))
                pause = min(pause * 2 or FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS)
            else:
                pause = 0.0

    def look(self) -> int:
        """Has full and expired members told; how many messages were written."""
        return watch.look(self._engine, self._standing, self._writing, self._clock())

    def send_due(self) -> int | None:
        """Sends what is due, a handful of each endpoint; how many were tried. None: nobody listens at all."""
        now = self._clock()
        with self._engine.connect() as connection:
            listening = connection.execute(sa.select(_ENDPOINTS.c.id).where(_ENDPOINTS.c.is_active).limit(1)).first()
            due = connection.execute(_due_endpoints(now)).all() if listening is not None else []
        if listening is None:
            return None
        posts = self._claim(due, now) if due else []
        if not posts:
            return 0
        with ThreadPoolExecutor(max_workers=min(AT_ONCE, len(posts)), thread_name_prefix="webhook") as threads:
            came = list(threads.map(self._send, posts))
        self._settle(came, self._clock())
        return len(came)

    def _claim(self, due: Sequence[Any], now: datetime) -> list[_Post]:
        found: list[_Post] = []
        rows, until = _DELIVERIES.c, now + CLAIMED_FOR
        # In another order each time, so that where there are too many nobody is always the last.
        chosen = random.sample(due, min(len(due), A_ROUND))
        share = min(FOR_ONE_ENDPOINT, A_ROUND // len(chosen))
        with self._writing() as connection:
            for endpoint in chosen:
                most = 1 if endpoint.failing_since is not None else share
                # PostgreSQL: what another process has just claimed is passed over, not waited for.
                oldest = (
                    sa.select(rows.id)
                    .where(rows.endpoint_id == endpoint.id, *_is_due(now))
                    .order_by(rows.next_try_at, rows.id)
                    .limit(most)
                    .with_for_update(skip_locked=True)
                )
                mine = (
                    sa.update(_DELIVERIES)
                    .where(rows.id.in_(oldest))
                    .values(claimed_until=until, tries=rows.tries + 1)
                    .returning(rows.id, rows.event_id, rows.type, rows.body, rows.tries)
                )
                found += [
                    _Post(row.id, endpoint.id, endpoint.url, endpoint.sealed, row.event_id, row.type, row.body,
                          row.tries, until)
                    for row in connection.execute(mine)
                ]  # fmt: skip
        return found

    def _send(self, post: _Post) -> _Came:
        secret = unseal(post.sealed, self._key)
        if secret is None:  # the installation's key was changed
            return _Came(post, Reply(None, "unreadable"), 0)
        body, timestamp = post.body.encode(), int(self._clock().timestamp())
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": "Huozi",
            "X-Huozi-Event": post.type,
            "X-Huozi-Id": post.event_id,
            "X-Huozi-Signature": signature(secret, timestamp, body),
        }
        began = time.perf_counter()
        try:
            reply = self._poster.post(post.url, body, headers)
        except Exception as error:
            log.error("a webhook broke: %s", type(error).__name__)
            reply = Reply(None, "broken")
        return _Came(post, reply, round((time.perf_counter() - began) * 1000))

    def _settle(self, came: Sequence[_Came], now: datetime) -> None:
        switched: list[Switched] = []
        with self._writing() as connection:
            for one in came:
                self._settle_message(connection, one, now)
            # In the order of their ids: two processes must not lock endpoints crosswise.
            for endpoint_id in sorted({one.post.endpoint_id for one in came}):
                theirs = [one for one in came if one.post.endpoint_id == endpoint_id]
                if any(not one.reply.problem for one in theirs):
                    _recovered(connection, endpoint_id)
                else:
                    switched += self._failed(connection, endpoint_id, theirs[0].post.tries, now)
        for off in switched:
            log.warning("a webhook was switched off", extra={"fields": {"endpoint": off.endpoint_id}})
            self._tell_owner(off)

    def _settle_message(self, connection: Connection, one: _Came, now: datetime) -> None:
        values: dict[str, Any] = {
            "claimed_until": None,
            "status": one.reply.status,
            "problem": one.reply.problem[:40],
            "took_ms": one.took_ms,
        }
        pause = pause_after(one.post.tries, self._roll())
        if not one.reply.problem:
            values |= {"state": "sent", "ended_at": now}
        elif pause is None:
            values |= {"state": "gave_up", "ended_at": now}
        else:
            values |= {"next_try_at": now + pause}
        rows = _DELIVERIES.c
        # Only while it is still ours: somebody else may have it in hand by now, or it was asked for again.
        mine = sa.update(_DELIVERIES).where(rows.id == one.post.id, rows.claimed_until == one.post.until)
        connection.execute(mine.values(values))

    def _failed(self, connection: Connection, endpoint_id: int, tries: int, now: datetime) -> list[Switched]:
        columns = _ENDPOINTS.c
        since = sa.literal(now, columns.failing_since.type)
        mine = sa.update(_ENDPOINTS).where(columns.id == endpoint_id, columns.is_active)
        row = connection.execute(
            mine.values(
                failing_since=sa.func.coalesce(columns.failing_since, since),
                rest_until=rests_until(now, pause_after(tries, self._roll())),
            ).returning(columns.failing_since, columns.owner_id, columns.name)
        ).first()
        if row is None or not is_lost(row.failing_since, now):
            return []
        # Whoever has its form open reads of it, instead of switching it on again unseen.
        connection.execute(mine.values(is_active=False, disabled_at=now, version=columns.version + 1))
        waiting = sa.update(_DELIVERIES).where(
            _DELIVERIES.c.endpoint_id == endpoint_id, _DELIVERIES.c.state == "waiting"
        )
        connection.execute(waiting.values(state="gave_up", problem="switched_off", ended_at=now, claimed_until=None))
        return [Switched(endpoint_id, row.owner_id, row.name, now)]

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        engine = self._engine.execution_options(immediate=True)
        with self._turn, engine.connect() as connection, connection.begin():
            yield connection


def forget_old(connection: Connection) -> None:
    """A chore: the log is kept for thirty days, a message that still waits as long as it does."""
    rows = _DELIVERIES.c
    before = datetime.now().astimezone() - KEPT_FOR
    old = sa.select(rows.id).where(rows.created_at < before, rows.state != "waiting").limit(DELETED_AT_ONCE)
    connection.execute(sa.delete(_DELIVERIES).where(rows.id.in_(old)))


def _due_endpoints(now: datetime) -> sa.Select[*tuple[Any, ...]]:
    columns = _ENDPOINTS.c
    waits = sa.exists().where(_DELIVERIES.c.endpoint_id == columns.id, *_is_due(now))
    rested = sa.or_(columns.rest_until.is_(None), columns.rest_until <= now)
    return (
        sa.select(columns.id, columns.url, columns.sealed, columns.failing_since)
        .where(columns.is_active, rested, waits)
        .order_by(columns.id)
    )


def _is_due(now: datetime) -> tuple[sa.ColumnElement[bool], ...]:
    rows = _DELIVERIES.c
    return (
        rows.state == "waiting",
        rows.next_try_at <= now,
        sa.or_(rows.claimed_until.is_(None), rows.claimed_until <= now),
    )


def _recovered(connection: Connection, endpoint_id: int) -> None:
    columns = _ENDPOINTS.c
    ill = sa.or_(columns.failing_since.is_not(None), columns.rest_until.is_not(None))
    mine = sa.update(_ENDPOINTS).where(columns.id == endpoint_id, ill)
    connection.execute(mine.values(failing_since=None, rest_until=None))


def _is_outage(error: Exception) -> bool:
    return isinstance(error, OSError | sa.exc.OperationalError | sa.exc.InterfaceError | sa.exc.TimeoutError)

"""A service of several machines' parts on this one, and what must hold of it after a fault."""

import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import redis
import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.db import make_engine, writing
from app.ledger.spool import Spool
from app.pipeline.models import events
from app.stats.models import rollup_total
from tests import make
from tests.conftest import SECRET_KEY
from tests.faults.clusters import until
from tests.faults.crowd import Crowd, Visitor
from tests.servers import Running, flask, start_huozi, start_postgresql, start_redis

# `make prove` runs the faults at full size.
PROVE = os.environ.get("HUOZI_PROVE") == "1"
LOAD_SECONDS = 20.0 if PROVE else 1.5
REDIS_OUTAGE_SECONDS = 30.0 if PROVE else 3.0
SQL_OUTAGE_SECONDS = 60.0 if PROVE else 3.0
MEMBERS, CAPACITY = (400, 200) if PROVE else (40, 100)
THREADS = 4
SEEN_AGAIN = 60  # visitors who come back once more after the fault

# What whoever waited says; those who were refused at once say "a moment ago".
WAITED = ("TimeoutError", "no answer within", "connection timeout expired", "database is locked")
DURABLE = ("--appendonly", "yes", "--appendfsync", "always")
SCANS = sa.select(sa.func.count()).select_from(events).where(events.c.type == "scan")


@dataclass
class House:
    """Web workers, their database, and Redis and a pipeline where there is one."""

    environ: dict[str, str]
    postgresql: Running | None = None
    redis: Running | None = None
    slug: str = "poster"
    live_code_id: int = 0
    members: list[int] = field(default_factory=list)
    web: Running | None = None

    @property
    def sql_url(self) -> str:
        """As SQLAlchemy spells it."""
        file = Path(self.environ["HUOZI_DATA_DIR"]) / "huozi.db"
        url = self.environ.get("HUOZI_DATABASE_URL", f"sqlite:///{file}")
        return url.replace("postgresql://", "postgresql+psycopg://")

    def crowd(self, **more: Any) -> Crowd:
        assert self.web is not None
        return Crowd(self.web.port, self.slug, threads=THREADS, **more)

    def workers(self) -> list[int]:
        assert self.web is not None
        return self.web.children()

    def store(self) -> "redis.Redis":
        assert self.redis is not None
        return redis.Redis.from_url(self.redis.url)

    def restart_redis(self) -> None:
        """After a kill, on the same port, with what it kept on its disk."""
        assert self.redis is not None
        options = self.redis.command[self.redis.command.index("--save") + 2 :]
        self.redis = start_redis(*options, port=self.redis.port, folder=self.redis.folder)

    def lost(self) -> int:
        """How many events the service says were lost."""
        return Spool(Path(self.environ["HUOZI_DATA_DIR"]) / "spool").losses.total()

    def drained(self) -> None:
        """Until nothing waits: what a crash left behind is given to another reader after a while."""
        until(lambda: self._waiting() == 0, 90)

    def _waiting(self) -> int:
        status = flask(["pipeline", "status"], self.environ)
        return int(status.partition('"waiting": ')[2].partition(",")[0].rstrip("}\n"))

    def waits(self) -> int:
        """How many scans have waited for a store in vain: each says so once."""
        assert self.web is not None
        told = [line for line in self.web.words().splitlines() if "the ledger does not answer" in line]
        return sum("a moment ago" not in line and any(words in line for words in WAITED) for line in told)

    def rows(self, statement: Any) -> list[Any]:
        engine = make_engine(self.sql_url)
        with engine.connect() as connection:
            found = list(connection.execute(statement))
        engine.dispose()
        return found

    def check(self, crowd: Crowd) -> None:
        """Pages only; nobody moved or holds two; nobody over capacity; every answered scan in SQL once, or counted as
        lost; the roll-ups add up."""
        assert set(crowd.statuses) == {200}, crowd.statuses
        self._see_again(crowd)
        moved = [visitor for visitor in crowd.visitors if len(set(visitor.shown)) > 1]
        assert not moved, f"{len(moved)} of {len(crowd.visitors)} were moved"
        self.drained()
        scans = self.rows(SCANS)[0][0]
        answered = sum(crowd.statuses.values())
        # A connection that broke may have been counted, and was not acknowledged.
        assert answered - self.lost() <= scans <= answered + len(crowd.failures)
        counted = sa.text("SELECT member_id, count(*) FROM seats WHERE counted GROUP BY member_id")
        assert all(number <= CAPACITY for _, number in self.rows(counted))
        twice = sa.text("SELECT visitor FROM seats WHERE member_id IS NOT NULL GROUP BY visitor HAVING count(*) > 1")
        assert not self.rows(twice)
        assert self.rows(sa.select(sa.func.sum(rollup_total.c.scans)))[0][0] == scans

    def _see_again(self, crowd: Crowd) -> None:
        """Some of those who were shown a code come once more: to the same one."""
        held = [visitor for visitor in crowd.visitors if visitor.shown]
        assert held, "nobody was shown a code"
        for visitor in held[:: max(1, len(held) // SEEN_AGAIN)]:
            crowd.scan(visitor)
            assert visitor.outcomes[-1] == "returning", visitor.outcomes


@contextlib.contextmanager
def open_house(
    folder: Path, redis_options: tuple[str, ...] | None = DURABLE, program: str = "wsgi:app", **environ: str
) -> Iterator[House]:
    """`redis_options` None: the embedded service, SQLite and no Redis."""
    with contextlib.ExitStack() as stack:
        house = House(_environ(folder, environ))
        if redis_options is not None:
            house.postgresql = start_postgresql()
            stack.callback(house.postgresql.stop)
            house.redis = start_redis(*redis_options)
            stack.callback(lambda: house.redis and house.redis.stop())
            house.environ["HUOZI_DATABASE_URL"] = house.postgresql.url
            house.environ["HUOZI_REDIS_URL"] = house.redis.url
        flask(["db", "upgrade"], house.environ)
        engine = make_engine(house.sql_url)
        with Session(engine) as session, writing(session):
            code = make.live_code_row(session, make.user_row(session), slug=house.slug)
            house.live_code_id = code.id
            house.members = [make.member_row(session, code, capacity=CAPACITY).id for _ in range(MEMBERS)]
        engine.dispose()
        house.web = start_huozi(house.environ, migrate=False, program=program)
        stack.callback(house.web.stop)
        yield house


def _environ(folder: Path, more: Mapping[str, str]) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HUOZI_DATA_DIR": str(folder / "data"),
        "HUOZI_SECRET_KEY": SECRET_KEY,
        "HUOZI_WORKERS": "2",
        "HUOZI_THREADS": "8",
        **more,
    }


def seen(crowd: Crowd, outcome: str) -> list[Visitor]:
    return [visitor for visitor in crowd.visitors if outcome in visitor.outcomes]

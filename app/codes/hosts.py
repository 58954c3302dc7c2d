"""Public hosts: under which addresses scans are answered, and which of them new codes are printed with.

The installation's own address is always one of them and no row. A printed code keeps its host, so a host that a live
code says, archived ones included, cannot be taken away. Which address a file says is up to `desk`.
"""

import threading
import time
from collections.abc import Mapping

import sqlalchemy as sa
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

from app.codes.changes import NOT_FOUND, Asker, Refused
from app.codes.models import Host, LiveCode
from app.db.audit import record

MOST_HOSTS = 50
KEPT_SECONDS = 30.0

DUPLICATE = Refused("duplicate_host")
IN_USE = Refused("host_in_use")
TOO_MANY = Refused("host_limit")


def hosts_of(session: Session) -> list[Host]:
    return list(session.scalars(sa.select(Host).order_by(Host.id)))


def default_host(session: Session, own: str | None) -> str | None:
    """What a new live code is printed with. `own`: the installation's address, None while that is for trying out."""
    return session.scalar(sa.select(Host.origin).where(Host.is_default)) or own


def is_known(session: Session, origin: str, own: str | None) -> bool:
    return origin == own or session.scalar(sa.select(sa.exists().where(Host.origin == origin))) is True


def codes_under(session: Session) -> Mapping[str | None, int]:
    """How many live codes say each host; None: those that go with the installation's own address."""
    counted = sa.select(LiveCode.host, sa.func.count()).group_by(LiveCode.host)
    return {host: number for host, number in session.execute(counted)}


def add_host(session: Session, asker: Asker, origin: str, own: str) -> Host | Refused:
    """`own`: the installation's address, which needs no row."""
    known = hosts_of(session)
    if origin == own or any(host.origin == origin for host in known):
        return DUPLICATE
    if len(known) >= MOST_HOSTS:
        return TOO_MANY
    host = Host(origin=origin, is_default=False)
    session.add(host)
    session.flush()
    record(session, asker.actor, "host.added", "host", host.id, after={"origin": origin})
    return host


def make_default(session: Session, asker: Asker, host_id: int | None, own: str | None) -> Host | Refused | None:
    """New codes are printed with this host from now on (None: the installation's own). Codes that had no host of their
    own get the one they were printed with until now."""
    hosts = hosts_of(session)
    chosen = next((host for host in hosts if host.id == host_id), None)
    if host_id is not None and chosen is None:
        return NOT_FOUND
    before = default_host(session, own)
    for host in hosts:
        host.is_default = host is chosen
    if own is not None:
        session.execute(sa.update(LiveCode).where(LiveCode.host.is_(None)).values(host=own))
    after = chosen.origin if chosen is not None else own
    if before != after:
        was, became = {"origin": before}, {"origin": after}
        record(session, asker.actor, "host.made_default", "host", host_id, before=was, after=became)
    return chosen


def remove_host(session: Session, asker: Asker, host_id: int) -> Host | Refused:
    host = session.get(Host, host_id)
    if host is None:
        return NOT_FOUND
    if host.is_default or session.scalar(sa.select(sa.exists().where(LiveCode.host == host.origin))):
        return IN_USE
    session.delete(host)
    record(session, asker.actor, "host.removed", "host", host_id, before={"origin": host.origin})
    return host


class Origins:
    """Is this one of our addresses? For the scan door, which may stand behind a proxy that writes another Host.

    Asks SQL at most every half a minute; while SQL does not answer, what was known goes on being known.
    """

    def __init__(self, engine: Engine, own: str) -> None:
        self._engine = engine
        self._own = own
        self._known: frozenset[str] = frozenset()
        self._asked_at = -KEPT_SECONDS
        self._lock = threading.Lock()

    def __contains__(self, origin: object) -> bool:
        return origin == self._own or origin in self._others()

    def _others(self) -> frozenset[str]:
        with self._lock:
            now = time.monotonic()
            if now - self._asked_at < KEPT_SECONDS:
                return self._known
            self._asked_at = now
        try:
            with self._engine.connect() as connection:
                self._known = frozenset(connection.scalars(sa.select(Host.origin)))
        except sa.exc.SQLAlchemyError:
            pass
        return self._known

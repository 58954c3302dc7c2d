"""Single events, read back and forgotten: the timeline of one person."""

from collections.abc import Collection, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection, Row

from app.pipeline.models import dead_events, events


def timeline(
    connection: Connection, visitor: str, live_code_ids: Collection[int] | None, limit: int
) -> Sequence[Row[*tuple[object, ...]]]:
    """The newest events of one visitor, newest first; of these live codes only, or of all (None)."""
    query = sa.select(events).where(events.c.visitor == visitor).order_by(events.c.at.desc(), events.c.uid).limit(limit)
    if live_code_ids is not None:
        query = query.where(events.c.live_code_id.in_(live_code_ids))
    return connection.execute(query).all()


def forget(connection: Connection, visitor: str, live_code_ids: Collection[int]) -> None:
    """Takes the visitor's name off their events; the events stay. An entry nobody could read loses the name too."""
    named = (events.c.visitor == visitor) & events.c.live_code_id.in_(live_code_ids)
    connection.execute(sa.update(events).where(named).values(visitor=None))
    connection.execute(
        sa.update(dead_events)
        .where(dead_events.c.raw.contains(visitor, autoescape=True))
        .values(raw=sa.func.replace(dead_events.c.raw, visitor, "erased"))
    )


def forget_events(connection: Connection, before: datetime, limit: int) -> int:
    """Deletes single events from before then, at most so many; what was counted of them stays. How many there were."""
    old = sa.select(events.c.uid).where(events.c.at < before).limit(limit)
    return connection.execute(sa.delete(events).where(events.c.uid.in_(old))).rowcount


def forget_dead(connection: Connection, before: datetime, limit: int) -> int:
    """The same of entries nobody could read."""
    old = sa.select(dead_events.c.id).where(dead_events.c.at < before).limit(limit)
    return connection.execute(sa.delete(dead_events).where(dead_events.c.id.in_(old))).rowcount

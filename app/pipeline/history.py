"""Single events, read back and forgotten: the timeline of one person."""

from collections.abc import Collection, Sequence

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

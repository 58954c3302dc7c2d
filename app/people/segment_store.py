"""Segments: filters with a name, of one owner each. Nothing here commits."""

from collections.abc import Mapping

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.db.audit import Actor, record
from app.people.models import Segment


def list_segments(session: Session, asker_id: int | None) -> list[Segment]:
    """The asker's, everybody's for None, by name."""
    own = Segment.owner_id == asker_id if asker_id is not None else sa.true()
    return list(session.scalars(sa.select(Segment).where(own).order_by(Segment.name, Segment.id)))


def find_segment(session: Session, asker_id: int | None, segment_id: int) -> Segment | None:
    own = Segment.owner_id == asker_id if asker_id is not None else sa.true()
    return session.scalar(sa.select(Segment).where(Segment.id == segment_id, own))


def save_segment(session: Session, actor: Actor, owner_id: int, name: str, filter: Mapping[str, str]) -> Segment:
    """Under this name; one that has it already gets the new filter. Flushed."""
    row = session.scalar(sa.select(Segment).where(Segment.owner_id == owner_id, Segment.name == name))
    before = {"filter": row.filter} if row is not None else None
    if row is None:
        row = Segment(owner_id=owner_id, name=name)
        session.add(row)
    row.filter = dict(filter)
    session.flush()
    record(
        session, actor, "segment.saved", "segment", row.id, before=before, after={"name": name, "filter": row.filter}
    )
    return row


def drop_segment(session: Session, actor: Actor, segment_id: int) -> None:
    """Its people stay."""
    record(session, actor, "segment.deleted", "segment", segment_id)
    session.execute(sa.delete(Segment).where(Segment.id == segment_id))

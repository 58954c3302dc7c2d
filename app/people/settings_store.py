"""What is set in the panel about people: where stages begin (an owner's own), how long what is kept (everybody's)."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.orm import Session

from app.db.audit import Actor, record
from app.people.histories import HOUSE
from app.people.models import PeopleSetting
from app.rules.lifecycle import Thresholds

LIFECYCLE, RETENTION = "lifecycle", "retention"

# In days; 0: for ever. What is counted stays counted.
RETENTION_DAYS: Mapping[str, int] = {
    "events": 730,  # single events with their visitor's key
    "visitors": 0,  # people not seen for so long are erased
    "identities": 730,  # what other programs call them, phone digests included
    "files": 7,  # finished exports
    "dead": 90,  # entries nobody could read
}
LONGEST_DAYS = 3650


def thresholds(session: Session, owner_id: int) -> Thresholds:
    """This owner's, else the installation's, else the usual ones."""
    for one in (owner_id, HOUSE):
        row = session.get(PeopleSetting, (LIFECYCLE, one))
        if row is not None:
            return Thresholds(**row.value)
    return Thresholds()


def set_thresholds(session: Session, actor: Actor, owner_id: int, value: Thresholds) -> None:
    _put(session, actor, LIFECYCLE, owner_id, asdict(value))


def retention(connection: Connection) -> Mapping[str, int]:
    """Days by kind of data."""
    query = sa.select(PeopleSetting.value).where(PeopleSetting.name == RETENTION, PeopleSetting.owner_id == HOUSE)
    return {**RETENTION_DAYS, **(connection.scalar(query) or {})}


def set_retention(session: Session, actor: Actor, days: Mapping[str, int]) -> None:
    _put(session, actor, RETENTION, HOUSE, dict(days))


def _put(session: Session, actor: Actor, name: str, owner_id: int, value: dict[str, Any]) -> None:
    row = session.get(PeopleSetting, (name, owner_id))
    before = dict(row.value) if row is not None else None
    if row is None:
        row = PeopleSetting(name=name, owner_id=owner_id)
        session.add(row)
    row.value, row.changed_at = value, datetime.now(UTC)
    record(session, actor, f"{name}.set", "people_setting", None, before=before, after=value)

"""What was spent: entered, corrected, taken away, read from a file.

`asker_id` None sees everything; others see live codes that are theirs or shared with them. Changes run inside
`writing(session)`.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.codes.store import seen_by
from app.db.audit import Actor, record
from app.returns.models import Spend

FIELDS = ("placement", "first_day", "last_day", "amount_cents", "currency", "note")
KNOWN_BY = ("placement", "first_day", "last_day", "currency", "note")

# What must be seen of tables that belong to `codes`.
_live_codes = sa.table("live_codes", sa.column("id", sa.Integer), sa.column("name", sa.String))
_placements = sa.table(
    "placements", sa.column("key", sa.String), sa.column("live_code_id", sa.Integer), sa.column("name", sa.String)
)


def is_seen(column: Any, asker_id: int | None, *, to_change: bool = False) -> sa.ColumnElement[bool]:
    """Of live codes that are the asker's or shared with them (to be changed, where that is wanted)."""
    if asker_id is None:
        return sa.true()
    seen: sa.ColumnElement[bool] = column.in_(seen_by(asker_id, level="edit" if to_change else None))
    return seen


def live_code_name(session: Session, asker_id: int | None, live_code_id: int, *, to_change: bool = False) -> str | None:
    """None where there is none the asker may look at, or change."""
    mine = _live_codes.c.id == live_code_id, is_seen(_live_codes.c.id, asker_id, to_change=to_change)
    name: str | None = session.scalar(sa.select(_live_codes.c.name).where(*mine))
    return name


def placement_names(session: Session, live_code_id: int) -> dict[str, str]:
    """Key → name, in the order they were made; archived ones too, for they may have cost something."""
    query = sa.select(_placements.c.key, _placements.c.name).where(_placements.c.live_code_id == live_code_id)
    return {row.key: row.name for row in session.execute(query.order_by(sa.literal_column("id")))}


def spends_of(session: Session, live_code_id: int, limit: int, offset: int = 0) -> tuple[list[Spend], int]:
    """The newest days first; the caller has found the live code before."""
    mine = Spend.live_code_id == live_code_id
    total = session.scalar(sa.select(sa.func.count()).select_from(Spend).where(mine)) or 0
    query = sa.select(Spend).where(mine).order_by(Spend.last_day.desc(), Spend.id.desc()).limit(limit).offset(offset)
    return list(session.scalars(query)), total


def find_spend(session: Session, asker_id: int | None, spend_id: int, *, to_change: bool = False) -> Spend | None:
    mine = Spend.id == spend_id, is_seen(Spend.live_code_id, asker_id, to_change=to_change)
    return session.scalar(sa.select(Spend).where(*mine).execution_options(populate_existing=True))


def currencies_of(session: Session, asker_id: int | None, live_code_id: int | None) -> list[str]:
    """Those something was spent in, the most used first."""
    mine = Spend.live_code_id == live_code_id if live_code_id else is_seen(Spend.live_code_id, asker_id)
    query = sa.select(Spend.currency).where(mine).group_by(Spend.currency)
    return list(session.scalars(query.order_by(sa.func.count().desc(), Spend.currency)))


def overlapping(
    session: Session, asker_id: int | None, live_code_id: int | None, currency: str, since: date, until: date
) -> Sequence[Spend]:
    """What was spent on any of these days; of one live code, or of all the asker sees."""
    mine = Spend.live_code_id == live_code_id if live_code_id else is_seen(Spend.live_code_id, asker_id)
    within = Spend.first_day <= until, Spend.last_day >= since, Spend.currency == currency
    return list(session.scalars(sa.select(Spend).where(mine, *within)))


def same_spend(session: Session, live_code_id: int, values: Mapping[str, Any]) -> Spend | None:
    """The row that is known by the same things."""
    same = [getattr(Spend, name) == values[name] for name in KNOWN_BY]
    return session.scalar(sa.select(Spend).where(Spend.live_code_id == live_code_id, *same))


def add_spend(session: Session, actor: Actor, live_code_id: int, values: Mapping[str, Any]) -> Spend | None:
    """None where there is one known by the same things."""
    _lock(session, live_code_id)
    if same_spend(session, live_code_id, values) is not None:
        return None
    row = Spend(live_code_id=live_code_id, **{name: values[name] for name in FIELDS})
    session.add(row)
    session.flush()
    record(session, actor, "spend.entered", "spend", row.id, after=_facts(row))
    return row


def change_spend(session: Session, actor: Actor, row: Spend, values: Mapping[str, Any]) -> bool:
    """False where another row is known by what this one would be."""
    _lock(session, row.live_code_id)
    before = _facts(row)
    wanted = {name: values.get(name, getattr(row, name)) for name in FIELDS}
    other = same_spend(session, row.live_code_id, wanted)
    if other is not None and other.id != row.id:
        return False
    for name, value in wanted.items():
        setattr(row, name, value)
    after = _facts(row)
    if after != before:
        row.version += 1
        record(session, actor, "spend.changed", "spend", row.id, before=before, after=after)
    return True


def delete_spend(session: Session, actor: Actor, row: Spend) -> None:
    record(session, actor, "spend.deleted", "spend", row.id, before=_facts(row))
    session.delete(row)


def take_rows(
    session: Session, actor: Actor, live_code_id: int, rows: Sequence[Mapping[str, Any]]
) -> tuple[int, int, int]:
    """Rows of a file: how many were new, corrected, and known already."""
    _lock(session, live_code_id)
    query = sa.select(Spend).where(Spend.live_code_id == live_code_id)
    known = {tuple(getattr(row, name) for name in KNOWN_BY): row for row in session.scalars(query)}
    fresh = corrected = 0
    for values in rows:
        key = tuple(values[name] for name in KNOWN_BY)
        row = known.get(key)
        if row is None:
            row = known[key] = Spend(live_code_id=live_code_id, **{name: values[name] for name in FIELDS})
            session.add(row)
            fresh += 1
        elif row.amount_cents != values["amount_cents"]:
            row.amount_cents = values["amount_cents"]
            row.version = (row.version or 1) + 1
            corrected += 1
    if fresh or corrected:
        facts = {"fresh": fresh, "corrected": corrected}
        record(session, actor, "spend.imported", "live_code", live_code_id, after=facts)
    return fresh, corrected, len(rows) - fresh - corrected


def _lock(session: Session, live_code_id: int) -> None:
    """So that two who enter the same thing at once are one after the other."""
    session.execute(sa.select(_live_codes.c.id).where(_live_codes.c.id == live_code_id).with_for_update())


def _facts(row: Spend) -> dict[str, Any]:
    return {"live_code_id": row.live_code_id, **{name: getattr(row, name) for name in FIELDS}}

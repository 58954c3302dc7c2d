"""The numbers: what each placement drew and cost, who came first when, and what they bought since.

Decides how the questions are asked of SQL; what is made of the answers is `rules.cohorts`'s. New people are counted in
an index, one stretch a cohort; revenue is read from the orders' side, for of a million visitors few buy.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from decimal import Decimal
from itertools import pairwise
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.db import UtcDateTime
from app.returns import spend
from app.returns.spend import is_seen
from app.rules.cohorts import HORIZONS, Cohort, Sheet, add_up, per_head, share_of

NOTHING = (0, 0, 0)
HOUSE = 0  # orders of the installation, which are everybody's

# What must be seen of tables that belong to others.
_live_codes = sa.table("live_codes", sa.column("id", sa.Integer), sa.column("owner_id", sa.Integer))
_visitors = sa.table(
    "visitors", sa.column("id", sa.Integer), sa.column("first_live_code_id", sa.Integer),
    sa.column("first_seen_at", UtcDateTime), sa.column("first_placement", sa.String),
)  # fmt: skip
_orders = sa.table(
    "orders", sa.column("owner_id", sa.Integer), sa.column("visitor_id", sa.Integer), sa.column("at", UtcDateTime),
    sa.column("amount_cents", sa.BigInteger), sa.column("currency", sa.String),
)  # fmt: skip
_by_placement = sa.table(
    "rollup_placement_day", sa.column("live_code_id", sa.Integer), sa.column("day", sa.Date),
    sa.column("key", sa.String), sa.column("scans", sa.Integer), sa.column("assigned", sa.Integer),
    sa.column("pressed", sa.Integer),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Asked:
    """Whose numbers: of one live code and one of its placements ("" all), or (None) of all the asker sees."""

    asker_id: int | None
    live_code_id: int | None = None
    placement: str = ""


@dataclass(frozen=True, slots=True)
class PlacementRow:
    """`key` "": scans that named no placement, and what was spent on the live code as a whole."""

    key: str
    name: str
    scans: int = 0
    seats: int = 0
    presses: int = 0
    spent: int = 0

    @property
    def per_seat(self) -> Decimal | None:
        return per_head(self.spent, self.seats) if self.spent else None

    @property
    def per_press(self) -> Decimal | None:
        return per_head(self.spent, self.presses) if self.spent else None


def placements_of(
    session: Session, asked: Asked, since: date, until: date, currency: str
) -> tuple[list[PlacementRow], PlacementRow]:
    """The placements of one live code on these local days, the most scanned first, and their sum."""
    table, names = _by_placement.c, spend.placement_names(session, asked.live_code_id or 0)
    query = (
        sa.select(table.key, *(sa.func.sum(table[name]) for name in ("scans", "assigned", "pressed")))
        .where(table.live_code_id == asked.live_code_id, table.day.between(since, until))
        .group_by(table.key)
    )
    counts = {row[0]: tuple(map(int, row[1:])) for row in session.execute(query)}
    spent: dict[str, int] = {}
    for one in spend.overlapping(session, asked.asker_id, asked.live_code_id, currency, since, until):
        part = share_of(one.amount_cents, one.first_day, one.last_day, since, until)
        spent[one.placement] = spent.get(one.placement, 0) + part
    keys = dict.fromkeys([*names, *counts, *spent])
    rows = [_row(key, names.get(key, key), counts.get(key, NOTHING), spent.get(key, 0)) for key in keys]
    rows.sort(key=lambda row: (-row.scans, -row.spent, row.key == "", row.name))
    sums = tuple(sum(column) for column in zip(NOTHING, *counts.values(), strict=True))
    total = _row("", "", sums, sum(spent.values()))
    return rows, total


def _row(key: str, name: str, counts: tuple[int, ...], spent: int) -> PlacementRow:
    scans, seats, presses = counts
    return PlacementRow(key, name, scans, seats, presses, spent)


def sheets(session: Session, asked: Asked, cohorts: Sequence[Cohort], currency: str, zone: tzinfo) -> list[Sheet]:
    """The table of cohorts, which follow one another without a gap."""
    edges = [_midnight(cohort.first, zone) for cohort in cohorts]
    edges.append(_midnight(cohorts[-1].last + timedelta(days=1), zone))
    came = _newcomers(session, asked, edges)
    bought = _revenue(session, asked, edges, currency)
    paid = _spent(session, asked, cohorts, currency)
    return [
        Sheet(cohort, came[number], paid[number], add_up([bought.get((number, h), 0) for h in range(len(HORIZONS))]))
        for number, cohort in enumerate(cohorts)
    ]


def currencies(session: Session, asked: Asked) -> list[str]:
    """Those of the spends, and of the installation's newest orders."""
    newest = sa.select(_orders.c.currency).where(_may_know(asked)).limit(1000).subquery()
    of_orders = session.scalars(sa.select(newest.c.currency).group_by(newest.c.currency)).all()
    return list(dict.fromkeys([*spend.currencies_of(session, asked.asker_id, asked.live_code_id), *of_orders]))


def _may_know(asked: Asked) -> sa.ColumnElement[bool]:
    if asked.asker_id is None:
        return sa.true()
    return _orders.c.owner_id.in_((HOUSE, asked.asker_id))


def _midnight(day: date, zone: tzinfo) -> datetime:
    return datetime.combine(day, time.min, zone)


def _came_by(asked: Asked, first: sa.ColumnElement[int]) -> list[sa.ColumnElement[bool]]:
    if asked.live_code_id is None:
        return [] if asked.asker_id is None else [is_seen(first, asked.asker_id)]
    mine: list[sa.ColumnElement[bool]] = [first == asked.live_code_id]
    if asked.placement:
        mine.append(_visitors.c.first_placement == asked.placement)
    return mine


def _newcomers(session: Session, asked: Asked, edges: Sequence[datetime]) -> list[int]:
    """One stretch of an index a cohort."""
    at, mine = _visitors.c.first_seen_at, _came_by(asked, _visitors.c.first_live_code_id)
    counts = [
        sa.select(sa.func.count()).select_from(_visitors).where(*mine, at >= begin, at < end).scalar_subquery()
        for begin, end in pairwise(edges)
    ]
    return [int(count) for count in session.execute(sa.select(*counts)).one()]


def _revenue(session: Session, asked: Asked, edges: Sequence[datetime], currency: str) -> Mapping[tuple[int, int], int]:
    """(cohort, the first horizon the order falls within) → hundredths. Whole seconds are compared, which both of our
    databases count alike."""
    first, is_sqlite = _visitors.c.first_seen_at, session.get_bind().dialect.name == "sqlite"
    # Put by first, so that the orders lead and the visitors follow by their key, whatever a planner guesses.
    bought = (
        sa.select(_orders.c.owner_id, _orders.c.visitor_id, _orders.c.at, _orders.c.amount_cents)
        .where(_orders.c.currency == currency, _orders.c.at >= edges[0], _orders.c.visitor_id.is_not(None))
        .cte("bought")
        .prefix_with("MATERIALIZED")
    )
    # What is not a bare column is looked up in no index: SQLite has no statistics to tell that this one would be long.
    code = _visitors.c.first_live_code_id + 0 if is_sqlite else _visitors.c.first_live_code_id
    age = _seconds(bought.c.at, is_sqlite) - _seconds(first, is_sqlite)
    cohort = sa.case((first < edges[0], None), *((first < end, number) for number, end in enumerate(edges[1:])))
    # Worked out once a row: otherwise SQLite would take two texts apart for every comparison.
    aged = (
        sa.select(cohort.label("cohort"), age.label("age"), bought.c.amount_cents.label("cents"))
        .join_from(bought, _visitors, _visitors.c.id == bought.c.visitor_id)
        .join(_live_codes, _live_codes.c.id == code)
        .where(
            *_came_by(asked, code),
            bought.c.owner_id.in_((HOUSE, _live_codes.c.owner_id)),
            cohort.is_not(None),
            bought.c.at >= first,
        )
        .cte("aged")
        .prefix_with("MATERIALIZED")
    )
    horizon = sa.case(*((aged.c.age < days * 86400, number) for number, days in enumerate(HORIZONS))).label("horizon")
    query = (
        sa.select(aged.c.cohort, horizon, sa.func.sum(aged.c.cents))
        .where(aged.c.age >= 0, aged.c.age < HORIZONS[-1] * 86400)
        .group_by("cohort", "horizon")
    )
    return {(row[0], row[1]): int(row[2]) for row in session.execute(query)}


def _seconds(column: sa.ColumnElement[Any], is_sqlite: bool) -> sa.ColumnElement[int]:
    if is_sqlite:
        return sa.cast(sa.func.strftime("%s", column), sa.Integer)
    return sa.cast(sa.func.floor(sa.extract("epoch", column)), sa.BigInteger)


def _spent(session: Session, asked: Asked, cohorts: Sequence[Cohort], currency: str) -> list[int]:
    since, until = cohorts[0].first, cohorts[-1].last
    found = spend.overlapping(session, asked.asker_id, asked.live_code_id, currency, since, until)
    counted = [one for one in found if not asked.placement or one.placement == asked.placement]
    return [
        sum(share_of(one.amount_cents, one.first_day, one.last_day, cohort.first, cohort.last) for one in counted)
        for cohort in cohorts
    ]

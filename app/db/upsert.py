"""Many rows into one table in one statement, with what to do about those already there. For both of our databases."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Column, Connection, CursorResult, Table
from sqlalchemy.dialects import postgresql, sqlite

Insert = postgresql.Insert | sqlite.Insert
Finish = Callable[[Any], Any]


def insert(connection: Connection, table: Table) -> Insert:
    """An INSERT with `on_conflict_do_nothing` and `on_conflict_do_update`."""
    return postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)


def insert_rows(
    connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]], finish: Finish
) -> CursorResult[*tuple[Any, ...]]:
    """Inserts `rows`, at least one, all with the same keys. `finish` adds ON CONFLICT and RETURNING to the statement; a
    function of a module, since the statement it makes is kept.

    A None for the table's own running number stands for the next one; given by those rows only that are known to be
    there already, it saves PostgreSQL's sequence from using up a number at every conflict.
    """
    is_postgresql = connection.dialect.name == "postgresql"
    statement = _statement(is_postgresql, table, tuple(rows[0]), finish)
    if not is_postgresql:
        return connection.execute(statement, list(rows))
    return connection.execute(statement, {"rows": json.dumps(rows, ensure_ascii=False, default=_time_as_text)})


@cache
def _statement(is_postgresql: bool, table: Table, names: tuple[str, ...], finish: Finish) -> Any:
    if not is_postgresql:
        return finish(sqlite.insert(table).values(dict.fromkeys(names)))
    # One JSON text: the driver needs longer to parse a thousand VALUES, or to write an array a column, than the server
    # needs for the work.
    columns = [table.c[name] for name in names]
    shape = (sa.column(column.name, column.type) for column in columns)
    text = sa.cast(sa.bindparam("rows", type_=sa.Text), postgresql.JSON())
    given = sa.func.json_to_recordset(text).table_valued(*shape, name="given").render_derived(with_types=True)
    values = [_numbered(table, column, given.c[column.name]) for column in columns]
    return finish(postgresql.insert(table).from_select(list(names), sa.select(*values)))


def _numbered(table: Table, column: Column[Any], value: Any) -> Any:
    if column is not table.autoincrement_column:
        return value
    sequence: Any = sa.literal_column(f"'{table.name}_{column.name}_seq'")
    return sa.func.coalesce(value, sa.func.nextval(sequence))


def _time_as_text(value: Any) -> str:
    if isinstance(value, date):  # and so a datetime
        return value.isoformat()
    raise TypeError(f"cannot be written to a table: {value!r}")

"""Many rows into one table in one statement, with what to do about those already there. For both of our databases."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Column, Connection, Table
from sqlalchemy.dialects import postgresql, sqlite

Insert = postgresql.Insert | sqlite.Insert
Finish = Callable[[Any], Any]
Convert = Callable[[Any], Any]

SQLITE_PARAMETERS = 32_766  # in one statement


def insert(connection: Connection, table: Table) -> Insert:
    """An INSERT with `on_conflict_do_nothing` and `on_conflict_do_update`."""
    return postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)


def insert_rows(
    connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]], finish: Finish
) -> list[tuple[Any, ...]]:
    """Inserts `rows`, all with the same keys; what RETURNING told, if anything. `finish` adds ON CONFLICT and RETURNING
    to the statement; a function of a module, since the statement it makes is kept.

    A None for the table's own running number stands for the next one; given by those rows only that are known to be
    there already, it saves PostgreSQL's sequence from using up a number at every conflict.
    """
    if not rows:
        return []
    names = tuple(rows[0])
    if connection.dialect.name == "sqlite":
        return _sqlite_insert(table, names, finish).run(connection, rows)
    text = json.dumps(rows, ensure_ascii=False, default=_time_as_text)
    done = connection.execute(_postgresql_insert(table, names, finish), {"rows": text})
    return [tuple(row) for row in done] if done.returns_rows else []


class _SqliteInsert:
    """One INSERT compiled once, then sent with as many rows as fit: what SQLAlchemy does for each row anew costs more
    than SQLite does."""

    def __init__(self, table: Table, names: tuple[str, ...], finish: Finish) -> None:
        dialect = sqlite.dialect()
        statement = finish(sqlite.insert(table).values(dict.fromkeys(names)))
        self._row = f"({', '.join('?' * len(names))})"
        compiled = statement.compile(dialect=dialect)
        self._before, values, self._after = str(compiled).partition(f"VALUES {self._row}")
        places = list(compiled.positiontup or ())
        given, fixed = places[: len(names)], places[len(names) :]
        if not values or sorted(given) != sorted(names):
            raise ValueError(f"no statement of one row after another: {statement}")
        self._fixed = tuple(compiled.params[name] for name in fixed)
        kinds = ((name, table.c[name].type.dialect_impl(dialect)) for name in given)
        self._columns = [(name, kind.bind_processor(dialect)) for name, kind in kinds]
        told = getattr(statement, "exported_columns", ())
        self._results = [column.type.dialect_impl(dialect).result_processor(dialect, None) for column in told]
        self._most = (SQLITE_PARAMETERS - len(fixed)) // len(names)

    def run(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> list[tuple[Any, ...]]:
        told: list[tuple[Any, ...]] = []
        for start in range(0, len(rows), self._most):
            part = rows[start : start + self._most]
            # Column by column: a row is taken up where the others stand.
            columns = [
                [row[name] for row in part] if convert is None else [convert(row[name]) for row in part]
                for name, convert in self._columns
            ]
            values = tuple(value for row in zip(*columns, strict=True) for value in row)
            text = f"{self._before}VALUES {', '.join([self._row] * len(part))}{self._after}"
            done = connection.exec_driver_sql(text, values + self._fixed)
            if self._results:
                told += [self._made(row) for row in done]
        return told

    def _made(self, row: Sequence[Any]) -> tuple[Any, ...]:
        pairs = zip(row, self._results, strict=True)
        return tuple(value if convert is None else convert(value) for value, convert in pairs)


@cache
def _sqlite_insert(table: Table, names: tuple[str, ...], finish: Finish) -> _SqliteInsert:
    return _SqliteInsert(table, names, finish)


@cache
def _postgresql_insert(table: Table, names: tuple[str, ...], finish: Finish) -> Any:
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

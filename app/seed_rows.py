"""Millions of rows into tables, as fast as the database takes them.

PostgreSQL gets them by COPY and SQLite by its driver's own executemany: both take a fifth of the time that inserting
through SQLAlchemy takes, which is minutes where ten million scans are made up. Decides nothing about what the rows say.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.db import writing

AT_ONCE = 50_000

Row = dict[str, Any]


@dataclass(slots=True)
class Writer:
    """Rows for many tables, written in heaps, each in a transaction of its own. All rows of a table name the same
    columns in the same order; what they do not name has a default in the database or may be empty."""

    session: Session
    heaps: dict[str, tuple[sa.Table, list[Row]]] = field(default_factory=dict)

    def add(self, table: sa.Table, row: Row) -> None:
        heap = self.heaps.setdefault(table.name, (table, []))[1]
        heap.append(row)
        if len(heap) >= AT_ONCE:
            self._write(table, heap)

    def finish(self) -> None:
        for table, heap in self.heaps.values():
            if heap:
                self._write(table, heap)

    def _write(self, table: sa.Table, heap: list[Row]) -> None:
        with writing(self.session) as session:
            load(session.connection(), table, heap)
        heap.clear()


def load(connection: sa.Connection, table: sa.Table, rows: Sequence[Row]) -> None:
    columns = [table.c[name] for name in rows[0]]
    dialect, driver = connection.dialect, connection.connection.driver_connection
    assert driver is not None
    plain = [_processor(column, dialect) for column in columns]
    lines = ([make(value) if make else value for make, value in zip(plain, row.values(), strict=True)] for row in rows)
    quoted = dialect.identifier_preparer
    into = f"{quoted.format_table(table)} ({', '.join(map(quoted.format_column, columns))})"
    cursor = driver.cursor()
    if dialect.name == "sqlite":
        cursor.executemany(f"INSERT INTO {into} VALUES ({', '.join('?' * len(columns))})", lines)
        return
    with cursor.copy(f"COPY {into} FROM STDIN") as copy:
        for line in lines:
            copy.write_row(line)


def _processor(column: sa.Column[Any], dialect: sa.Dialect) -> Callable[[Any], Any] | None:
    """What makes of a value what the driver takes; None where it takes the value itself."""
    make: Callable[[Any], Any] | None = column.type.dialect_impl(dialect).bind_processor(dialect)
    return make

"""One of many values, asked for with one parameter: a statement that is compiled once, however many there are.

`column.in_(values)` gives each value a parameter of its own; SQLAlchemy writes and the driver reads a thousand of them,
which takes longer than the database does.
"""

import json
from collections.abc import Collection
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection
from sqlalchemy.dialects import postgresql


def among(connection: Connection, column: ColumnElement[Any], values: Collection[str]) -> ColumnElement[bool]:
    """Whether `column`, a text, is one of `values`."""
    if connection.dialect.name == "postgresql":
        return column == sa.any_(sa.bindparam(None, list(values), type_=postgresql.ARRAY(sa.Text)))
    given = sa.func.json_each(json.dumps(list(values), ensure_ascii=False)).table_valued("value")
    return column.in_(sa.select(given.c.value))

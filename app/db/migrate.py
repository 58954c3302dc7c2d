"""Runs Alembic's revisions on our two databases, safely.

Decides how a migration may touch a database that is in use: one process at a time, all of it or nothing of it, and on
SQLite without the foreign keys tripping over tables that batch mode copies and drops. What is migrated is decided by
the revisions in `migrations/`.
"""

import logging
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from flask_alembic import Alembic
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Connection

from app.db.base import UtcDateTime, metadata

_POSTGRESQL: sa.Dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
log = logging.getLogger(__name__)

SCRIPTS = Path(__file__).resolve().parents[2] / "migrations"
POSTGRESQL_LOCK = 0x48756F7A  # "Huoz": any number, as long as every copy of Huozi takes the same


class Migrations(Alembic):
    def __init__(self) -> None:
        super().__init__(run_mkdir=False, command_name="db", metadatas=metadata)
        for name in ("alembic", "sqlalchemy"):  # the extension gives both a handler and alembic a lower level; ours do
            logging.getLogger(name).handlers.clear()
            logging.getLogger(name).setLevel(logging.WARNING)

    def init_app(self, app: Any) -> None:
        app.config["ALEMBIC"] = {"script_location": str(SCRIPTS)}
        app.config["ALEMBIC_CONTEXT"] = {
            "render_as_batch": True,
            "transactional_ddl": True,  # SQLite can, because we send BEGIN ourselves
            "compare_type": True,
            "compare_server_default": True,
            "render_item": _render_item,
        }
        super().init_app(app)

    def run_migrations(self, fn: Any, **kwargs: Any) -> None:
        connection = self.migration_context.connection
        assert connection is not None
        before = self.migration_context.get_current_heads()
        connection.rollback()
        if connection.dialect.name == "sqlite":
            self._run_on_sqlite(connection, fn, **kwargs)
        else:
            # Held to the end of the transaction: a second web machine starting at the same time waits, then finds
            # nothing left to do.
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(POSTGRESQL_LOCK)))
            super().run_migrations(fn, **kwargs)
        after = self.migration_context.get_current_heads()
        connection.rollback()
        if after != before:
            log.info("the database went from %s to %s", ", ".join(before) or "nothing", ", ".join(after) or "nothing")

    def _run_on_sqlite(self, connection: Connection, fn: Any, **kwargs: Any) -> None:
        # With foreign keys on, dropping the old copy of a table deletes (or is refused for) every row that points to
        # it. The pragma is deaf inside a transaction, so it goes to the driver before there is one.
        driver = connection.connection.driver_connection
        assert driver is not None
        connection.execution_options(immediate=True)
        driver.execute("PRAGMA foreign_keys=OFF")
        try:
            super().run_migrations(fn, **kwargs)
            broken = driver.execute("PRAGMA foreign_key_check").fetchall()
        finally:
            driver.execute("PRAGMA foreign_keys=ON")
        if broken:
            raise sa.exc.IntegrityError("PRAGMA foreign_key_check", None, ValueError(f"dangling rows: {broken[:5]}"))


def _render_item(kind: str, item: Any, context: Any) -> Any:
    """A revision names plain types only, so that it still runs when ours have moved or changed."""
    if kind == "type" and isinstance(item, UtcDateTime):
        return "sa.DateTime(timezone=True)"
    if kind == "type" and isinstance(item, sa.JSON) and isinstance(item.dialect_impl(_POSTGRESQL), postgresql.JSONB):
        # What Alembic writes for a variant does not run.
        context.imports.add("from sqlalchemy.dialects import postgresql")
        none = f"none_as_null={item.none_as_null}"
        return f"sa.JSON({none}).with_variant(postgresql.JSONB({none}), 'postgresql')"
    return False


migrations = Migrations()

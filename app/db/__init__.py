"""The SQL store: one engine per process, one session per request, one metadata.

Decides how we talk to SQLite and PostgreSQL; what is stored is decided by each feature's `models.py` and by
`ledger/tables.py`, which hang their tables on `metadata`.
"""

from inspect import iscoroutinefunction
from typing import Any

from flask_sqlalchemy_lite import SQLAlchemy

from app.db.base import Base, UtcDateTime, metadata, utc_now_column
from app.db.engine import make_engine
from app.db.session import writing


class Database(SQLAlchemy):
    def init_app(self, app: Any) -> None:
        super().init_app(app)
        # The extension ends every request by closing async sessions, of which we have none, in an event loop made for
        # the purpose: 1.7 ms of a 1.85 ms request, and an error in a thread that runs a loop (Playwright's, say).
        app.teardown_appcontext_funcs = [end for end in app.teardown_appcontext_funcs if not iscoroutinefunction(end)]


db = Database()

__all__ = ["Base", "UtcDateTime", "db", "make_engine", "metadata", "utc_now_column", "writing"]

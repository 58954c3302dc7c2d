"""The SQL store: one engine per process, one session per request, one metadata.

Decides how we talk to SQLite and PostgreSQL; what is stored is decided by each feature's `models.py` and by
`ledger/tables.py`, which hang their tables on `metadata`.
"""

from flask_sqlalchemy_lite import SQLAlchemy

from app.db.base import Base, UtcDateTime, metadata, utc_now_column
from app.db.engine import make_engine
from app.db.session import writing

db = SQLAlchemy()

__all__ = ["Base", "UtcDateTime", "db", "make_engine", "metadata", "utc_now_column", "writing"]

"""Engines: the embedded SQLite in WAL mode, or PostgreSQL through psycopg 3."""

import sqlite3
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine

from app.db import bounded

BUSY_TIMEOUT_MS = 10_000
# How far SQLite's log may grow before it is copied into the database: each time waits for the disk twice, and a crowd
# of new visitors fills the usual 4 MB several times a second.
LOG_PAGES, LOG_BYTES = 8_000, 64 * 2**20


def make_engine(url: str, *, answer_seconds: float | None = None, **options: Any) -> Engine:
    """A plain engine for code that runs outside Flask (the ledger, the scan door, commands). `answer_seconds`: how long
    its callers wait for the database, which is then left alone for a while."""
    engine = sa.create_engine(url, **{**engine_options(url), **options})
    if answer_seconds is None:
        return engine
    if engine.dialect.name == "sqlite":
        milliseconds = int(answer_seconds * 1000)
        event.listen(engine, "connect", lambda made, _: made.execute(f"PRAGMA busy_timeout={milliseconds}").close())
    else:
        bounded.bind(engine, answer_seconds)
    return engine


def engine_options(url: str) -> dict[str, Any]:
    # A statement that fails is written into logs and onto terminals; password hashes and visitors' keys are not.
    common: dict[str, Any] = {"hide_parameters": True}
    if url.startswith("sqlite"):
        return {**common, "connect_args": {"timeout": BUSY_TIMEOUT_MS / 1000, "check_same_thread": False}}
    pool = {"pool_pre_ping": True, "pool_size": 10, "max_overflow": 20}
    return {**common, **pool, "connect_args": {"connect_timeout": 5}}


@event.listens_for(Engine, "connect")
def _prepare_sqlite(connection: Any, _record: Any) -> None:
    if not isinstance(connection, sqlite3.Connection):
        return
    # The driver's own BEGIN is deferred and late; we send BEGIN ourselves (see below), so that a writer waits for
    # the lock at its start instead of failing with SQLITE_BUSY half-way.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=NORMAL",
        "foreign_keys=ON",
        f"busy_timeout={BUSY_TIMEOUT_MS}",
        f"wal_autocheckpoint={LOG_PAGES}",
        f"journal_size_limit={LOG_BYTES}",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


@event.listens_for(Engine, "begin")
def _begin_sqlite(connection: Connection) -> None:
    options = connection.get_execution_options()
    if connection.dialect.name == "sqlite" and options.get("isolation_level") != "AUTOCOMMIT":
        immediate = options.get("immediate", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")

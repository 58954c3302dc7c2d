"""Looks at this installation for `/system`: stores, place databases, what is kept, what waits.

Part of the wiring, because it asks every room. Never raises: what does not answer is what the page has to say.
"""

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

import sqlalchemy as sa

from app.accounts.installation import Installation, Kept, Places, Store
from app.ledger import LedgerDown
from app.outside.geo import BUNDLED
from app.pipeline.models import dead_events
from app.settings import version
from app.wiring import House

T = TypeVar("T")
DIALECTS = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
DOWN = (sa.exc.SQLAlchemyError, LedgerDown, OSError)


def looking(house: House) -> Callable[[], Installation]:
    return partial(look, house)


def look(house: House) -> Installation:
    data = house.settings.data_dir
    return Installation(
        version=version(),
        stores=_stores(house),
        places=[
            Places(
                _name(one.path), one.is_ok, one.problem and one.problem.partition(";")[0], one.built_at, one.licence,
                one.licence_url,
            )
            for one in house.geo.status()
        ],
        kept=_kept(house),
        free_bytes=shutil.disk_usage(data).free,
        waiting=_unless_down(house.drainer.waiting),
        dead=_unless_down(partial(_dead, house)),
        lost=house.drainer.lost(),
        lag_seconds=_unless_down(house.drainer.lag_seconds),
    )  # fmt: skip


def _name(path: Path) -> str:
    """The file's name alone: where it lies is the operator's to know."""
    return "Huozi" if path == BUNDLED else path.name


def _unless_down(ask: Callable[[], T]) -> T | None:
    try:
        return ask()
    except DOWN:
        return None


def _stores(house: House) -> list[Store]:
    dialect = house.engine.dialect
    said = _unless_down(partial(_sql_version, house))
    stores = [Store("SQL", f"{DIALECTS.get(dialect.name, dialect.name)} {said or ''}".strip(), said is not None)]
    if house.settings.redis_url:
        stores.append(Store("Redis", "", _unless_down(house.ledger.epoch) is not None))
    return stores


def _sql_version(house: House) -> str:
    with house.engine.connect() as connection:
        connection.execute(sa.text("SELECT 1"))
        return ".".join(str(part) for part in connection.dialect.server_version_info or ())


def _dead(house: House) -> int:
    with house.engine.connect() as connection:
        return connection.scalar(sa.select(sa.func.count()).select_from(dead_events)) or 0


def _kept(house: House) -> list[Kept]:
    data = house.settings.data_dir
    found = [Kept("database", size)] if (size := _database_bytes(house)) is not None else []
    return [*found, *(Kept(name, *_folder(data / name)) for name in ("images", "cards", "spool"))]


def _database_bytes(house: House) -> int | None:
    if house.engine.dialect.name != "sqlite":
        return _unless_down(partial(_postgresql_bytes, house))
    file = Path(house.engine.url.database or "")
    sizes = [_size(file.with_name(file.name + suffix)) for suffix in ("", "-wal")]
    return sum(size for size in sizes if size is not None)


def _postgresql_bytes(house: House) -> int:
    with house.engine.connect() as connection:
        return connection.scalar(sa.text("SELECT pg_database_size(current_database())")) or 0


def _folder(folder: Path) -> tuple[int, int]:
    """Bytes and files directly in it; none where it was not needed yet."""
    there = folder.iterdir() if folder.is_dir() else ()
    sizes = [_size(file) for file in there if not file.name.startswith(".")]
    known = [size for size in sizes if size is not None]
    return sum(known), len(known)


def _size(file: Path) -> int | None:
    """None for what has just gone, and for what is no file."""
    try:
        return file.stat().st_size if file.is_file() else None
    except OSError:
        return None

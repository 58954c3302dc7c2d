"""The declarative base, the naming of constraints and the one way we store time."""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class UtcDateTime(sa.types.TypeDecorator[datetime]):
    """An aware moment in UTC. SQLite keeps no zone, so it is dropped on the way in and put back on the way out."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def bind_processor(self, dialect: sa.Dialect) -> Any:
        # A scan is folded into eight moments: what the usual way of writing them costs is felt.
        return _as_sqlite_text if dialect.name == "sqlite" else super().bind_processor(dialect)

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a naive time reached the database: {value!r}")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


@lru_cache(4096)
def _as_sqlite_text(value: datetime | None) -> str | None:
    """As SQLAlchemy's own DateTime is kept there: 2026-11-22 05:35:01.000000. The same moment is mostly written into
    several columns."""
    if value is None:
        return None
    if value.tzinfo is None:
        raise ValueError(f"a naive time reached the database: {value!r}")
    return value.astimezone(UTC).isoformat(" ", "microseconds")[:26]


class Base(DeclarativeBase):
    metadata = metadata
    type_annotation_map = {datetime: UtcDateTime}  # noqa: RUF012  (SQLAlchemy's own name and form)


def utc_now_column(**more: Any) -> Mapped[datetime]:
    """A not-null moment that defaults to the time of the INSERT."""
    return mapped_column(UtcDateTime, default=lambda: datetime.now(UTC), **more)

"""What an administrator is told about the installation itself; filled in by the wiring, drawn by `system_pages`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

# Under this name the wiring keeps the callable that looks, in `app.extensions`.
INSTALLATION = "huozi.installation"


@dataclass(frozen=True, slots=True)
class Store:
    """Where something is kept. `note`: what it is, such as "SQLite 3.45"; never an address or a password."""

    name: str
    note: str
    is_ok: bool


@dataclass(frozen=True, slots=True)
class Places:
    """One file that tells where addresses are."""

    name: str
    is_ok: bool
    problem: str | None
    built_at: datetime | None
    licence: str | None
    licence_url: str | None


@dataclass(frozen=True, slots=True)
class Kept:
    name: str
    size_bytes: int
    files: int | None = None


@dataclass(frozen=True, slots=True)
class Installation:
    """`waiting`, `dead`: events not folded yet, and those nobody could read; None while SQL does not answer. `lost`:
    those that no store and no disk took."""

    version: str
    stores: Sequence[Store]
    places: Sequence[Places]
    kept: Sequence[Kept]
    free_bytes: int
    waiting: int | None
    dead: int | None
    lost: int
    lag_seconds: float | None

    @property
    def is_nearly_full(self) -> bool:
        return self.free_bytes < 1024**3

"""Kept pictures: one file per content, named by its hash, in a folder no web server serves by itself.

This room keeps bytes and forgets them when told; what the bytes are and who still needs them is the caller's to know.
"""

import os
import re
import tempfile
import time
from collections.abc import Collection
from contextlib import suppress
from errno import EDQUOT, EFBIG, ENOSPC
from hashlib import blake2b
from pathlib import Path

_NAME = re.compile(r"[0-9a-f]{32}\.(?:png|jpg|webp)", re.ASCII)
_FULL = {ENOSPC, EDQUOT, EFBIG}

# A file is written before the row that names it: a sweep leaves alone what an upload of this minute may have put.
SPARED_SECONDS = 3600.0


class StoreFull(OSError):
    """No room on the disk (or in the quota). Nothing of the file was kept."""


class FileStore:
    """Files under one folder, which is made when first needed. Safe for several processes at once."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def put(self, data: bytes, suffix: str) -> str:
        """Keep the bytes and return their name; the same bytes give the same name and are written once.

        The file is whole and on the disk when this returns. Raises `StoreFull`, with nothing left behind.
        """
        name = f"{blake2b(data, digest_size=16).hexdigest()}.{suffix}"
        path = self.path(name)
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            if self._is_kept(path):
                return name
            self._write(path, data)
        except OSError as error:
            if error.errno in _FULL:
                raise StoreFull(error.errno, "no room for another file") from error
            raise
        return name

    def path(self, name: str) -> Path:
        """Where a file of this name lies or would lie. ValueError for any other name: no path leads out."""
        if not is_name(name):
            raise ValueError("not a file name of this store")
        return self.root / name

    def open(self, name: str) -> bytes | None:
        """The bytes; None where there is no such file, or no such name."""
        if not is_name(name):
            return None
        try:
            return self.path(name).read_bytes()
        except FileNotFoundError:
            return None

    def delete(self, name: str) -> None:
        """Forget a file. Nothing happens where it is gone already."""
        self.path(name).unlink(missing_ok=True)

    def spare(self, name: str) -> bool:
        """True where the file is there: a sweep then leaves it alone as if it had just been written."""
        return self._is_kept(self.path(name))

    def sweep(self, keep: Collection[str], *, older_than_seconds: float = SPARED_SECONDS) -> int:
        """Delete what nobody names any more, half-written files of a killed process included; returns how many.

        `keep` may be read before the sweep starts: files put since then are younger than `older_than_seconds`.
        """
        if not self.root.is_dir():
            return 0
        before = time.time() - older_than_seconds
        gone = 0
        for path in self.root.iterdir():
            ours = is_name(path.name) or path.name.startswith(_HALF)
            if ours and path.name not in keep and _changed_at(path) < before:
                path.unlink(missing_ok=True)
                gone += 1
        return gone

    def _is_kept(self, path: Path) -> bool:
        """True where the file is there; its age starts anew, so that a sweep spares it like a file just written."""
        with suppress(FileNotFoundError):
            os.utime(path)
            return True
        return False

    def _write(self, path: Path, data: bytes) -> None:
        handle, half = tempfile.mkstemp(prefix=_HALF, dir=self.root)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(half, 0o640)
            os.replace(half, path)
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(half)
            raise
        self._settle()

    def _settle(self) -> None:
        """The rename itself reaches the disk only with the folder."""
        folder = os.open(self.root, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


_HALF = ".half-"


def is_name(text: str) -> bool:
    """Could a file of the store be called this? Everything else, traversal above all, is refused unread."""
    return _NAME.fullmatch(text) is not None


def _changed_at(path: Path) -> float:
    """The future for a file that another process has just deleted."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return float("inf")

"""The service with a clock that a test may set, for gunicorn: CLOCK_OFFSET_FILE names the file that holds the seconds
by which its whole process is wrong."""

import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from app import wiring

_file = Path(os.environ["CLOCK_OFFSET_FILE"])
_seconds = time.time


def _offset() -> float:
    return float(_file.read_text() or 0)


time.time = lambda: _seconds() + _offset()
wiring.utc_now = lambda: datetime.fromtimestamp(_seconds(), UTC) + timedelta(seconds=_offset())

from wsgi import app  # noqa: E402

__all__ = ["app"]

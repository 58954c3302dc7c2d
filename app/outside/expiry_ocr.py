"""The line of text beneath a group's code, read by RapidOCR where it is installed (requirements-ocr.txt).

Decides where that line is, and how long a reading may take: it happens in a child process with limits of memory and
time, as a convenience that never stands in an upload's way. Whatever goes wrong, there are no lines. What a line means
is up to `rules.written_date`. Like `heic`, this file is two things: `Reader`, and the child, which is the file run as a
script and knows nothing of the application.
"""

import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from importlib.util import find_spec
from io import BytesIO

if __name__ != "__main__":
    from app.outside.images import Corners, Upload, straightened

log = logging.getLogger(__name__)

SIDE = 560  # px of a code's edge: the line's letters are then 20 px high, which is what the model was taught on
# Beside and beneath the code, in its own edges: the line stands there whichever way the picture is turned.
LEFT, TOP, RIGHT, BOTTOM = -0.3, 0.98, 1.3, 1.45
TIME_LIMIT_SECONDS = 8.0
CPU_SECONDS = 12
MEMORY_BYTES = 3 << 30  # it takes 570 MB of real memory, and much more of addresses
# One child at a time, and no more than so many seconds of reading in a while: twenty pictures in one request have to be
# done before the server gives up on it. What is not read keeps its kind's usual life.
BUDGET_SECONDS, WHILE_SECONDS = 15.0, 40.0


def reader() -> "Reader | None":
    """None where the extra is not installed."""
    is_there = find_spec("rapidocr") is not None and find_spec("onnxruntime") is not None
    return Reader([sys.executable, "-I", __file__]) if is_there else None


class Reader:
    """`command`: takes a PNG and writes the lines on it, both by its standard streams. Safe over threads."""

    def __init__(self, command: Sequence[str], time_limit: float = TIME_LIMIT_SECONDS) -> None:
        self._command, self._time_limit = command, time_limit
        self._turn = threading.Lock()
        self._spent: list[tuple[float, float]] = []

    def lines(self, upload: "Upload", corners: "Corners") -> list[str]:
        """What stands beneath the code, line by line; nothing where it could not be read. Takes 1.5 s, 8 at most."""
        if not self._turn.acquire(timeout=1.0):
            return []
        began = time.monotonic()
        try:
            return [] if self._is_spent(began) else self._read(_strip(upload, corners))
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            log.warning("the date on a picture was not read: %s", type(error).__name__)
            return []
        finally:
            self._spent.append((began, time.monotonic() - began))
            self._turn.release()

    def _is_spent(self, now: float) -> bool:
        self._spent = [(at, took) for at, took in self._spent if at > now - WHILE_SECONDS]
        return sum(took for _, took in self._spent) > BUDGET_SECONDS

    def _read(self, png: bytes) -> list[str]:
        # None of our settings, and no pools of threads: a container of one processor is slowed by them.
        environ = {name: value for name, value in os.environ.items() if not name.startswith("HUOZI_")}
        environ |= {"OMP_NUM_THREADS": "1"}
        run = subprocess.run(self._command, input=png, capture_output=True, timeout=self._time_limit, env=environ)
        if run.returncode != 0:
            raise OSError(f"the reader ended with {run.returncode}")
        return run.stdout.decode("utf-8", "replace").splitlines()


def _strip(upload: "Upload", corners: "Corners") -> bytes:
    size = round((RIGHT - LEFT) * SIDE), round((BOTTOM - TOP) * SIDE)
    out = BytesIO()
    straightened(upload.picture, corners, size, SIDE, (-LEFT * SIDE, -TOP * SIDE)).save(out, "PNG")
    return out.getvalue()


def _child() -> None:
    """Reads a picture from standard input, writes what is written on it, a line each."""
    import resource

    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    logging.disable(logging.CRITICAL)
    from importlib import import_module

    from PIL import Image

    numpy, rapidocr = import_module("numpy"), import_module("rapidocr")

    with Image.open(BytesIO(sys.stdin.buffer.read()), formats=["PNG"]) as picture:
        pixels = numpy.asarray(picture.convert("RGB"))[:, :, ::-1]
    one = {f"EngineConfig.onnxruntime.{pool}_op_num_threads": 1 for pool in ("intra", "inter")}
    found = rapidocr.RapidOCR(params=one)(pixels, use_cls=False)
    sys.stdout.buffer.write("\n".join(found.txts or ()).encode())


if __name__ == "__main__":
    _child()

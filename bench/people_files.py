"""All visitors as a file, from a running service as `make run` starts it: how many rows came, and the largest size in
memory of the processes that made them."""

import csv
import io
import json
import os
import shutil
import tempfile
import time
import urllib.request
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from bench.servers import Served, huozi
from tests.servers import flask

TASK_SECONDS = 3600
PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class Made:
    """One file. rows: without the header; ids that did not rise from row to row would be told as -1. largest_mb: of
    any process of the service."""

    way: str
    kind: str
    rows: int
    megabytes: float
    seconds: float
    largest_mb: int


def files(environ: Mapping[str, str], folder: Path) -> Iterator[Made]:
    """Each kind of file each way, in a service of its own each: what a process once needed stays its largest size."""
    token = flask(["token", "create", "admin@example.com", "--name", "bench"], {**_own(), **environ}).strip()
    for way in (_download, _task):
        for kind in ("csv", "xlsx"):
            with huozi(environ) as served, tempfile.TemporaryDirectory(dir=folder) as place:
                file = Path(place) / f"visitors.{kind}"
                began = time.perf_counter()
                way(served, token, kind, file)
                seconds = time.perf_counter() - began
                largest = max(map(largest_mb, _processes(served)))
                rows = (_csv_rows if kind == "csv" else _xlsx_rows)(file)
                name = "GET /visitors/export" if way is _download else "task"
                yield Made(name, kind, rows, file.stat().st_size / 1e6, seconds, largest)


def _processes(served: Served) -> list[int]:
    """The server with its workers, and the pipeline."""
    children = (Path(f"/proc/{pid}/task/{pid}/children").read_text().split() for pid in served.processes)
    return [*served.processes, *(int(pid) for each in children for pid in each)]


def _own() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("HUOZI_")}


def _download(served: Served, token: str, kind: str, file: Path) -> None:
    """As a program does; the file is written as it comes."""
    with _asked(served, token, f"/visitors/export?format={kind}") as reply, file.open("wb") as out:
        shutil.copyfileobj(reply, out, PIECE)


def _task(served: Served, token: str, kind: str, file: Path) -> None:
    """As the panel does: begun, watched, fetched when it is done."""
    with _asked(served, token, "/visitors/tasks", {"kind": kind}) as reply:
        task = json.load(reply)
    last = time.monotonic() + TASK_SECONDS
    while task["state"] in ("waiting", "running") and time.monotonic() < last:
        time.sleep(1)
        with _asked(served, token, f"/visitors/tasks/{task['id']}") as reply:
            task = json.load(reply)
    assert task["state"] == "done", task
    with _asked(served, token, f"/visitors/tasks/{task['id']}/file") as reply, file.open("wb") as out:
        shutil.copyfileobj(reply, out, PIECE)
    _asked(served, token, f"/visitors/tasks/{task['id']}", method="DELETE").close()


def _asked(served: Served, token: str, path: str, body: Any = None, method: str | None = None) -> IO[bytes]:
    data = json.dumps(body).encode() if body is not None else None
    asked = urllib.request.Request(f"{served.url}/api/v1{path}", data, method=method)
    asked.add_header("Authorization", f"Bearer {token}")
    if data:
        asked.add_header("Content-Type", "application/json")
    found: IO[bytes] = urllib.request.urlopen(asked, timeout=600)
    return found


def _csv_rows(file: Path) -> int:
    with file.open("rb") as data:
        rows = csv.reader(io.TextIOWrapper(data, "utf-8-sig", newline=""))
        next(rows)  # the header
        last = found = 0
        for row in rows:
            if int(row[0]) <= last:
                return -1
            last, found = int(row[0]), found + 1
    return found


def _xlsx_rows(file: Path) -> int:
    found = 0
    with zipfile.ZipFile(file) as book:
        assert book.testzip() is None
        for name in book.namelist():
            if not name.startswith("xl/worksheets/"):
                continue
            found -= 1  # each sheet's header
            rest = b""
            with book.open(name) as sheet:
                while piece := sheet.read(PIECE):
                    found += (rest + piece).count(b"<row ")
                    rest = (rest + piece)[-len(b"<row ") + 1 :]
    return found


def largest_mb(pid: int) -> int:
    """Of this process alone: what getrusage says begins with the size of whoever started it."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) // 1024

"""Load, to loopback only and for a bounded time: wrk (Debian) as fast as it goes, and an open loop at a given rate."""

import asyncio
import re
import shutil
import subprocess
import tempfile
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

CONNECTIONS = 32
_RATE = re.compile(r"Requests/sec:\s+([\d.]+)")
_TIMES = re.compile(r"(50|99)%\s+([\d.]+)(us|ms|s)")
_MILLISECONDS = {"us": 0.001, "ms": 1.0, "s": 1000.0}

WECHAT = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 "
    "MicroMessenger/8.0.54(0x18003631) NetType/4G Language/zh_CN"
)
HEADERS = {"User-Agent": WECHAT, "Accept": "text/html", "Accept-Language": "zh-CN"}

# One request a line of the file, in turn, made before the load begins: everybody comes once before anybody comes twice.
_SCRIPT = """
local requests, n = {}, 0
function init()
  for line in io.lines("%s") do
    local name, value = line:match("([^:]+): (.*)")
    if name then wrk.headers[name] = value end
    requests[#requests + 1] = wrk.format("GET")
  end
end
function request()
  n = n %% #requests + 1
  return requests[n]
end
function done(summary)
  local e = summary.errors
  io.write(string.format("ERRORS %%d\\n", e.connect + e.read + e.write + e.status + e.timeout))
end
"""


@dataclass(frozen=True)
class Measured:
    """requests a second; milliseconds of half and of 99 % of them; failed requests."""

    rate: float
    p50_ms: float
    p99_ms: float
    errors: int


def wrk(url: str, seconds: float, lines: Sequence[str] = ()) -> Measured:
    """`lines`: one more header each, "Name: value", for one request after the other. Whole seconds."""
    program = shutil.which("wrk")
    if program is None:
        raise SystemExit("wrk is not installed: scripts/install-test-servers (or apt-get install wrk)")
    with tempfile.TemporaryDirectory() as folder:
        script, given = Path(folder, "load.lua"), Path(folder, "lines")
        given.write_text("".join(f"{line}\n" for line in lines or ["-"]))
        script.write_text(_SCRIPT % given)
        command = [program, "-t1", f"-c{CONNECTIONS}", f"-d{seconds:.0f}s", "--latency", "-s", str(script)]
        for name, value in HEADERS.items():
            command += ["-H", f"{name}: {value}"]
        out = subprocess.run([*command, url], capture_output=True, text=True, check=True, timeout=seconds + 60).stdout
    rate, errors = _RATE.search(out), re.search(r"ERRORS (\d+)", out)
    times = {share: float(value) * _MILLISECONDS[unit] for share, value, unit in _TIMES.findall(out)}
    if rate is None or errors is None or len(times) != 2:
        raise SystemExit(f"wrk said something else:\n{out}")
    return Measured(float(rate[1]), times["50"], times["99"], int(errors[1]))


def open_loop(url: str, rate: float, seconds: float, lines: Sequence[str] = ()) -> Measured:
    """Requests leave by the clock, whether earlier ones were answered or not: a slow answer delays no later question.
    Times count from when a request was due."""
    return asyncio.run(_open_loop(url, rate, seconds, lines))


async def _open_loop(url: str, rate: float, seconds: float, lines: Sequence[str]) -> Measured:
    parts = urlsplit(url)
    asked = [_request(parts.netloc, parts.path or "/", line) for line in lines or [""]]
    loop = asyncio.get_running_loop()
    idle: deque[_Connection] = deque()
    due: deque[tuple[float, bytes]] = deque()
    took: list[float] = []

    def next_one(connection: "_Connection") -> None:
        if due:
            connection.send(*due.popleft())
        else:
            idle.append(connection)

    for _ in range(CONNECTIONS * 4):
        _, connection = await loop.create_connection(lambda: _Connection(took, next_one), parts.hostname, parts.port)
        idle.append(connection)
    begun, number = time.perf_counter(), 0
    while (now := time.perf_counter()) - begun < seconds:
        while number < (now - begun) * rate:
            moment, request = begun + number / rate, asked[number % len(asked)]
            number += 1
            if idle:
                idle.popleft().send(moment, request)
            else:
                due.append((moment, request))
        await asyncio.sleep(0.0005)
    deadline = time.perf_counter() + 10
    while len(took) < number and time.perf_counter() < deadline:
        await asyncio.sleep(0.01)
    late = number - len(took)
    for connection in idle:
        connection.close()
    took.sort()
    return Measured(len(took) / seconds, took[len(took) // 2], took[len(took) * 99 // 100], late)


class _Connection(asyncio.Protocol):
    """One keep-alive connection with at most one question on it."""

    def __init__(self, took: list[float], then: "object") -> None:
        self._took, self._then = took, then
        self._rest, self._due = b"", 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def send(self, due: float, request: bytes) -> None:
        self._due, self._rest = due, b""
        self._transport.write(request)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        self._rest += data
        head, end, body = self._rest.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: *(\d+)", head)
        if not end or length is None or len(body) < int(length[1]):
            return
        if not head.startswith(b"HTTP/1.1 200"):
            raise SystemExit(f"refused under load: {head[:200]!r}")
        self._took.append((time.perf_counter() - self._due) * 1000)
        self._then(self)  # type: ignore[operator]

    def close(self) -> None:
        self._transport.close()


def _request(host: str, path: str, line: str) -> bytes:
    headers: Mapping[str, str] = {"Host": host, **HEADERS}
    lines = [
        f"GET {path} HTTP/1.1",
        *(f"{name}: {value}" for name, value in headers.items()),
        *([line] if line else []),
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()

"""Load from wrk (Debian), to loopback only: 32 connections, keep-alive, a bounded time."""

import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

CONNECTIONS = 32
_RATE = re.compile(r"Requests/sec:\s+([\d.]+)")
_P99 = re.compile(r"99%\s+([\d.]+)(us|ms|s)")
_MILLISECONDS = {"us": 0.001, "ms": 1.0, "s": 1000.0}

WECHAT = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 "
    "MicroMessenger/8.0.54(0x18003631) NetType/4G Language/zh_CN"
)

# One request a cookie of the file, in turn: everybody comes back once before anybody comes back twice.
_RETURNING = """
local cookies = {}
for line in io.lines("%s") do cookies[#cookies + 1] = line end
local n = 0
request = function()
  n = n %% #cookies + 1
  wrk.headers["Cookie"] = cookies[n]
  return wrk.format("GET")
end
"""
_STATUS = """
done = function(summary)
  local e = summary.errors
  io.write(string.format("ERRORS %%d\\n", e.connect + e.read + e.write + e.status + e.timeout))
end
"""


@dataclass(frozen=True)
class Measured:
    """requests a second, 99th percentile in milliseconds, failed requests."""

    rate: float
    p99_ms: float
    errors: int


def wrk(url: str, seconds: float, cookies: Sequence[str] = (), connections: int = CONNECTIONS) -> Measured:
    program = shutil.which("wrk")
    if program is None:
        raise SystemExit("wrk is not installed: scripts/install-test-servers (or apt-get install wrk)")
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder, "load.lua")
        jar = Path(folder, "cookies")
        jar.write_text("\n".join(cookies) + "\n")
        script.write_text((_RETURNING % jar if cookies else "") + _STATUS.replace("%%", "%"))
        command = [program, "-t1", f"-c{connections}", f"-d{seconds:g}s", "--latency", "-s", str(script)]
        command += ["-H", f"User-Agent: {WECHAT}", "-H", "Accept: text/html", "-H", "Accept-Language: zh-CN", url]
        out = subprocess.run(command, capture_output=True, text=True, check=True, timeout=seconds + 60).stdout
    rate, p99, errors = _RATE.search(out), _P99.search(out), re.search(r"ERRORS (\d+)", out)
    if rate is None or p99 is None or errors is None:
        raise SystemExit(f"wrk said something else:\n{out}")
    return Measured(float(rate[1]), float(p99[1]) * _MILLISECONDS[p99[2]], int(errors[1]))

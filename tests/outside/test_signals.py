"""Being told to stop by a signal, whatever the main thread is doing."""

import signal
import subprocess
import sys

import pytest

from app.settings import ROOT

# By its path: importing the whole application ten times would take most of this test's time.
LOOP = """
import runpy
stop = runpy.run_path("app/outside/signals.py")["told_to_stop"]()
print("waiting", flush=True)
while not stop.wait({seconds}):
    pass
print("done", flush=True)
"""


def start(seconds: float) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", LOOP.format(seconds=seconds)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stdout.readline() == "waiting\n"
    return process


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_either_signal_ends_a_long_wait(number: signal.Signals) -> None:
    process = start(60)
    process.send_signal(number)
    out, _ = process.communicate(timeout=10)
    assert out == "done\n" and process.returncode == 0


def test_a_loop_that_is_always_between_two_waits_is_not_caught_by_its_own_lock() -> None:
    """Ten in a row: a handler that set the event itself hung in about every other one of these."""
    for _ in range(10):
        process = start(0)
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=10)
        assert out == "done\n" and process.returncode == 0

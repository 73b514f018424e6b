"""A simulator as a process of its own, for the time of a ``with`` block."""

import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from platforms.simulator.controls import Controls
from worker.errors import ConfigurationError

READY = "simulator ready on "
"""What the one line on standard output starts with; the URL follows."""

_ROOT = Path(__file__).resolve().parents[2]
_START_SECONDS = 30
_STOP_SECONDS = 10


class RunningSimulator(Controls):
    """A simulator process: its ``url``, its controls, and the ``process`` for a test that wants to end it itself."""

    def __init__(self, url: str, process: subprocess.Popen[str]) -> None:
        super().__init__(url)
        self.process = process


@contextmanager
def running_simulator(*arguments: str, port: int = 0) -> Iterator[RunningSimulator]:
    """Run ``python -m platforms.simulator`` with these arguments, on a free port unless one is given.

    Raises `ConfigurationError` with what it said on standard error when it ends or is silent for 30 s.
    """
    command = [sys.executable, "-m", "platforms.simulator", "--port", str(port), *arguments]
    with (
        tempfile.TemporaryFile("w+") as complaints,
        subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.PIPE, stderr=complaints, text=True) as process,
    ):
        try:
            yield RunningSimulator(_url_told(process, complaints), process)
        finally:
            process.terminate()
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()


def _url_told(process: subprocess.Popen[str], complaints: IO[str]) -> str:
    # The timer ends a silent process, which ends the blocking read.
    timer = threading.Timer(_START_SECONDS, process.kill)
    timer.start()
    try:
        line = process.stdout.readline() if process.stdout else ""
    finally:
        timer.cancel()
        timer.join()
    if line.startswith(READY):
        return line.removeprefix(READY).strip()
    process.wait()
    complaints.seek(0)
    raise ConfigurationError(f"The simulator did not start (exit {process.returncode}): {complaints.read().strip()}")

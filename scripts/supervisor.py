"""Runs processes of ours and starts again those that die, with a growing pause."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import structlog

from worker.clock import monotonic
from worker.settings import ROOT
from worker.tether import VARIABLE

log = structlog.get_logger()

FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 30.0
HEALTHY_SECONDS = 60.0
WRONG_CONFIGURATION = 2
KILL_AFTER_SECONDS = 90.0


@dataclass(slots=True)
class Child:
    """One process to keep alive."""

    name: str
    module: str
    arguments: Sequence[str] = ()
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    due_at: float = 0.0
    pause_seconds: float = FIRST_PAUSE_SECONDS


class Supervisor:
    """Use as a context: the children are started on entry and ended on leaving.

    Each child has a session of its own, so that Ctrl-C reaches only us and we can let it drain, and a tether, so that
    it ends when we are killed.
    """

    def __init__(self, children: Sequence[Child], environment: Mapping[str, str]) -> None:
        self._children = children
        self._tether, self._held = os.pipe()
        self._environment = {
            **os.environ,
            **environment,
            VARIABLE: str(self._tether),
            "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])),
        }

    def __enter__(self) -> "Supervisor":
        for child in self._children:
            self._start(child)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        os.close(self._held)
        os.close(self._tether)

    def run(self, stopping: threading.Event) -> int:
        """Keep the children alive until told to stop; give 2 when one says that its configuration is wrong."""
        while not stopping.wait(0.1):
            for child in self._children:
                code = child.process.poll() if child.process else None
                if child.process is not None and code is None:
                    continue
                if child.process is not None:
                    if code == WRONG_CONFIGURATION:
                        log.error("child_misconfigured", child=child.name)
                        return WRONG_CONFIGURATION
                    self._note_end(child, code)
                if monotonic() >= child.due_at:
                    self._start(child)
        return 0

    def stop(self) -> None:
        """Ask every child to drain, wait, and kill what does not end."""
        running = [child for child in self._children if child.process and child.process.poll() is None]
        for child in running:
            assert child.process is not None  # noqa: S101 - filtered above
            child.process.terminate()
        deadline = monotonic() + KILL_AFTER_SECONDS
        for child in running:
            assert child.process is not None  # noqa: S101 - filtered above
            try:
                child.process.wait(max(deadline - monotonic(), 0))
            except subprocess.TimeoutExpired:
                log.error("child_killed", child=child.name)
                child.process.kill()
                child.process.wait()

    def kill(self, child: Child) -> None:
        """End a child with -9, as a lost machine would."""
        if child.process is not None:
            child.process.send_signal(signal.SIGKILL)
            child.process.wait()

    def _start(self, child: Child) -> None:
        child.process = subprocess.Popen(
            [sys.executable, "-m", child.module, *child.arguments],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            pass_fds=(self._tether,),
            start_new_session=True,
        )
        child.started_at = monotonic()

    def _note_end(self, child: Child, code: int | None) -> None:
        lived = monotonic() - child.started_at
        child.process = None
        # A clean end (a recycled worker) and a long life are no reason to wait.
        if code == 0 or lived > HEALTHY_SECONDS:
            child.pause_seconds = FIRST_PAUSE_SECONDS
        pause = 0.0 if code == 0 else child.pause_seconds
        child.due_at = monotonic() + pause
        child.pause_seconds = min(child.pause_seconds * 2, LONGEST_PAUSE_SECONDS)
        log.warning("child_ended", child=child.name, exit_code=code, lived_seconds=round(lived, 1), again_in=pause)

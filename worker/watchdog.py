"""Ends a process that is alive but idle: the one state that nobody would notice."""

import os
import threading
from collections.abc import Callable

import structlog

from worker.clock import monotonic

log = structlog.get_logger()

LOOK_SECONDS = 1.0
UNHEALTHY = 75
"""Exit code of a process that cannot do its work any more; a supervisor starts another."""


class Watchdog(threading.Thread):
    """Ends the process once nobody has called `alive` for ``limit_seconds``."""

    def __init__(self, what: str, limit_seconds: float, end_process: Callable[[int], None] = os._exit) -> None:
        super().__init__(name="watchdog", daemon=True)
        self._what = what
        self._limit_seconds = limit_seconds
        self._end_process = end_process
        self._last = monotonic()
        self._ending = threading.Event()

    def alive(self) -> None:
        """The work goes on."""
        self._last = monotonic()

    def run(self) -> None:
        """Watch until `stop`."""
        while not self._ending.wait(min(LOOK_SECONDS, self._limit_seconds / 4)):
            silent = monotonic() - self._last
            if silent > self._limit_seconds:
                log.critical("process_unhealthy", silent=self._what, seconds=round(silent, 1))
                self._end_process(UNHEALTHY)
                return

    def stop(self) -> None:
        """The work is done."""
        self._ending.set()

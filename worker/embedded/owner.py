"""The process the servers are for, as its guard sees it: a pipe that ends, and a parent that changes."""

import os
import select
import sys
import time
from collections.abc import Callable

from worker.errors import ServerUnavailable

TICK_SECONDS = 0.005
# The pipe's end shows at once; the change of parent, for owners whose forked children hold the pipe, is looked at
# this often.
LOOK_SECONDS = 0.25


class Owner:
    """The owner; every wait of the guard goes through it, so that the guard never waits for nobody."""

    def __init__(self, pid: int, pipe: int) -> None:
        self.pid = pid
        self.pipe = pipe

    def pause(self, seconds: float) -> None:
        """Wait that long.

        Raises:
            SystemExit: as soon as the owner has let go or is gone.
        """
        readable, _, _ = select.select([self.pipe], [], [], seconds)
        if readable or os.getppid() != self.pid:
            sys.exit()

    def wait_until(self, condition: Callable[[], bool], within_seconds: float, what: str) -> None:
        """Wait until the condition holds.

        Raises:
            SystemExit: as soon as the owner has let go or is gone.
            ServerUnavailable: if it does not hold in time; the text says ``what`` was waited for.
        """
        deadline = time.monotonic() + within_seconds
        while not condition():
            if time.monotonic() > deadline:
                raise ServerUnavailable(f"{what} took more than {within_seconds:g} seconds")
            self.pause(TICK_SECONDS)

    def wait_for_end(self) -> None:
        """Wait until the owner lets go or is gone, for as long as that takes.

        Raises:
            SystemExit: then.
        """
        while True:
            self.pause(LOOK_SECONDS)

    def said_goodbye(self) -> bool:
        """Tell whether the owner let go in words, and so waits for us, rather than by ending."""
        readable, _, _ = select.select([self.pipe], [], [], 0)
        return bool(readable) and os.read(self.pipe, 1) != b""

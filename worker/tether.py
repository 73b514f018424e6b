"""Lets a process end with the one that started it, even when that one is killed with -9.

The parent passes the read end of a pipe; when the parent is gone, the pipe ends.
"""

import os
import signal
import threading

VARIABLE = "TRAWLER_TETHER_FD"


def end_with_parent() -> None:
    """Send ourselves SIGTERM when the parent is gone; do nothing where the parent passed no pipe."""
    number = os.environ.pop(VARIABLE, "")
    if number.isdigit():
        threading.Thread(target=_wait, args=(int(number),), name="tether", daemon=True).start()


def _wait(descriptor: int) -> None:
    while os.read(descriptor, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)

"""Lets a process end with the one that started it, even when that one is killed with -9.

The parent passes the read end of a pipe; when the parent is gone, the pipe ends.
"""

import os
import signal
import threading
import time

VARIABLE = "TRAWLER_TETHER_FD"
GRACE_SECONDS = 3.0


def end_with_parent() -> None:
    """Drain when the parent is gone, and end soon after in any case; do nothing where it passed no pipe."""
    number = os.environ.pop(VARIABLE, "")
    if number.isdigit():
        threading.Thread(target=_wait, args=(int(number),), name="tether", daemon=True).start()


def _wait(descriptor: int) -> None:
    while os.read(descriptor, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    # The parent may have had the servers; without them a drain could wait for long.
    time.sleep(GRACE_SECONDS)
    os._exit(1)

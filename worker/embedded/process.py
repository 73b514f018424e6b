"""One server as a child process: started on a free port, watched until ready, stopped."""

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from worker.errors import ServerUnavailable

LOG_LIMIT_BYTES = 10_000_000
TAIL_LINES = 12
# Another process can take the free port before the server does, and what a killed server held takes a moment to be
# let go; both pass, so a start that failed for them is tried again for this long.
RETRY_SECONDS = 10.0
PASSING_REASONS = ("already in use", "still in use")


class Log:
    """A server's log file, mode 600; it is kept between runs up to a size."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.mark = 0

    def opened(self, *, afresh: bool = False) -> IO[bytes]:
        """Open the file for appending; what ``tail`` shows begins here."""
        file = os.fdopen(os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab")
        if afresh or file.tell() > LOG_LIMIT_BYTES:
            file.truncate(0)
        self.mark = os.fstat(file.fileno()).st_size
        return file

    def tail(self) -> str:
        """Return the last lines written since the file was last opened here."""
        with contextlib.suppress(FileNotFoundError), self.path.open("rb") as file:
            file.seek(self.mark)
            return "\n".join(file.read().decode(errors="replace").splitlines()[-TAIL_LINES:])
        return ""


class ServerProcess:
    """A server that is our child. A subclass says how to launch it and when it answers."""

    name: str
    variable: str
    stop_signal: signal.Signals
    kill_signal: signal.Signals

    def __init__(self, log: Log) -> None:
        self.log = log
        self.port = 0
        self.child: subprocess.Popen[bytes] | None = None
        self.first_start = time.monotonic()

    def launch(self, port: int) -> subprocess.Popen[bytes]:
        """Start the process on that port of 127.0.0.1."""
        raise NotImplementedError

    def answers(self) -> bool:
        """Tell whether our child, and no other process, is ready for connections."""
        raise NotImplementedError

    def start(self) -> None:
        """Start the server on a free port; it is not ready yet."""
        self.port = _free_port()
        self.child = self.launch(self.port)

    def ready(self) -> bool:
        """Tell whether the server is ready; start it again if it ended for a reason that passes.

        Raises:
            ServerUnavailable: if it ended for another reason; the text holds the end of its log.
        """
        if self.child is not None and self.child.poll() is None:
            return self.answers()
        tail = self.log.tail()
        passing = any(reason in tail for reason in PASSING_REASONS)
        if not passing or time.monotonic() - self.first_start > RETRY_SECONDS:
            raise ServerUnavailable(
                f"{self.name} ended instead of getting ready; its log {self.log.path} ends with:\n{tail}\n"
                f"Mend what it names, or set {self.variable} to a server of yours"
            )
        self.start()
        return False

    def ask_to_stop(self) -> None:
        """Begin a clean stop; does not wait."""
        if self.child is not None and self.child.poll() is None:
            self.child.send_signal(self.stop_signal)

    def await_stop(self, patience_seconds: float) -> None:
        """Wait for the end; after ``patience_seconds`` the stop is no longer a clean one, yet loses no commit."""
        if self.child is None:
            return
        for sign in (self.kill_signal, signal.SIGKILL):
            try:
                self.child.wait(timeout=patience_seconds)
            except subprocess.TimeoutExpired:
                self.child.send_signal(sign)
            else:
                return
        self.child.wait()


def spawn(argv: list[str], log: Log, *, death_signal: signal.Signals, **options: Any) -> subprocess.Popen[bytes]:
    """Start a child in a session of its own, its output in ``log``; must be called from the main thread.

    On Linux the child gets ``death_signal`` when this process ends, even by ``kill -9``.
    """
    with log.opened() as output:
        return subprocess.Popen(
            argv,
            stdin=options.pop("stdin", subprocess.DEVNULL),
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env=environment(),
            preexec_fn=_ends_with_us(death_signal),
            **options,
        )


def environment() -> dict[str, str]:
    """Return the few variables a server needs: ours may hold keys, and libpq's would change what it does."""
    kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH", "TMPDIR") if name in os.environ}
    return {**kept, "LC_ALL": "C", "TZ": "UTC"}


def _ends_with_us(sign: signal.Signals) -> Callable[[], None] | None:
    if sys.platform != "linux":
        return None
    prctl, parent, set_parent_death_signal = ctypes.CDLL(None).prctl, os.getpid(), 1

    def arrange() -> None:
        prctl(set_parent_death_signal, int(sign))
        # If the parent ended before the call above, nothing would ever be sent.
        if os.getppid() != parent:
            os._exit(1)

    return arrange


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port

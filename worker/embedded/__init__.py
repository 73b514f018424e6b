"""Postgres and Valkey of our own, for a checkout that has no database.

The servers belong to a small guard process (``python -m worker.embedded``), which is their parent and our child. It
reads its standard input: when that ends, for whatever reason, it stops both. So they outlive neither a clean exit of
ours nor a ``kill -9``, and a Ctrl-C in the terminal, which does not reach the guard, leaves them up until we let go.
"""

import contextlib
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from worker.embedded.folder import GUARD_LOG, Servers, read_running
from worker.embedded.process import Log
from worker.errors import ServerUnavailable

__all__ = ["Servers", "embedded_servers", "running_servers"]

# The guard gives up by itself well before these; they only bound the wait for a guard that hangs.
START_SECONDS = 300.0
STOP_SECONDS = 30.0


@contextlib.contextmanager
def embedded_servers(home: Path, *, postgres: bool = True, valkey: bool = True) -> Iterator[Servers]:
    """Run the servers asked for, with their data under ``home``, until the context is left.

    Args:
        home: Folder of the data; created with mode 700. One process at a time may use it.
        postgres: Whether to run Postgres; if not, ``database_url`` is empty.
        valkey: Whether to run Valkey; if not, ``redis_url`` is empty.

    Raises:
        ServerUnavailable: if the folder is in use, a program is missing, or a server does not start.
    """
    if not (postgres or valkey):
        yield Servers(database_url="", redis_url="")
        return
    guard = _start_guard(home.resolve(), postgres=postgres, valkey=valkey)
    try:
        yield _announced(guard, home)
    finally:
        _dismiss(guard)


def running_servers(home: Path) -> Servers | None:
    """Return the servers another process of ours runs on ``home`` right now, or None; starts nothing."""
    return read_running(home.resolve())


def _start_guard(home: Path, *, postgres: bool, valkey: bool) -> subprocess.Popen[bytes]:
    order = {"home": str(home), "owner_pid": os.getpid(), "postgres": postgres, "valkey": valkey}
    root = str(Path(__file__).parents[2])
    path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        with Log(home / GUARD_LOG).opened(afresh=True) as log:
            return subprocess.Popen(
                [sys.executable, "-P", "-m", "worker.embedded", json.dumps(order)],
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd="/",
                env={**os.environ, "PYTHONPATH": path},
                start_new_session=True,
            )
    except OSError as error:
        raise ServerUnavailable(
            f"cannot use {home} for the embedded servers ({error}); it must be a folder this user may write to. "
            "Make it so, or set DATABASE_URL and REDIS_URL to servers of yours"
        ) from error


def _announced(guard: subprocess.Popen[bytes], home: Path) -> Servers:
    """Wait for the guard's one line and return what it says."""
    line = _read_line(guard, START_SECONDS)
    if not line.endswith(b"\n"):
        raise ServerUnavailable(
            f"the process that starts the embedded servers ended or hung without an answer; "
            f"{home / GUARD_LOG} ends with:\n{Log(home.resolve() / GUARD_LOG).tail()}"
        )
    answer = json.loads(line)
    if "error" in answer:
        raise ServerUnavailable(answer["error"])
    return Servers(**answer)


def _read_line(guard: subprocess.Popen[bytes], within_seconds: float) -> bytes:
    """Return what the guard wrote up to a line's end, its own end, or the time limit, whichever is first."""
    assert guard.stdout is not None  # noqa: S101 - Popen was given PIPE
    deadline = time.monotonic() + within_seconds
    line = b""
    while not line.endswith(b"\n") and (left := deadline - time.monotonic()) > 0:
        readable, _, _ = select.select([guard.stdout], [], [], left)
        if not readable or not (part := os.read(guard.stdout.fileno(), 65536)):
            break
        line += part
    return line


def _dismiss(guard: subprocess.Popen[bytes]) -> None:
    """Tell the guard to stop the servers, and wait until it has."""
    assert guard.stdin is not None  # noqa: S101 - Popen was given PIPE
    assert guard.stdout is not None  # noqa: S101 - Popen was given PIPE
    with guard.stdout, guard.stdin:
        # The word is for the case that a forked child of ours holds the pipe too, and so its end would not show.
        with contextlib.suppress(BrokenPipeError):
            guard.stdin.write(b"stop\n")
        # The guard's output ends when the guard does; unlike wait() with a time limit this notices at once.
        if _read_line(guard, STOP_SECONDS).endswith(b"\n"):
            _read_line(guard, STOP_SECONDS)
        try:
            guard.wait(timeout=1)
        except subprocess.TimeoutExpired:
            guard.kill()
            guard.wait()

"""The servers' folder: who holds it, and the record of what runs on it.

The lock is the truth: a lock held by the guard means that servers run here. The record only says where; one without
a held lock is left over from a process that was killed, and is ignored.
"""

import dataclasses
import fcntl
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from worker.errors import ServerUnavailable

LOCK = "lock"
RECORD = "servers.json"
GUARD_LOG = "guard.log"

# Somebody who only looks holds the lock for a moment; a holder that really uses the folder keeps it for longer.
GLANCE_SECONDS = 0.1
# A guard whose owner was killed needs up to this long to stop the servers and to let go.
LETTING_GO_SECONDS = 10.0


@dataclasses.dataclass(frozen=True)
class Servers:
    """Where the servers are; an empty string for one that was not asked for. The URLs hold passwords."""

    database_url: str = dataclasses.field(repr=False)
    redis_url: str = dataclasses.field(repr=False)


def take(home: Path, owner_pid: int, pause: Callable[[float], None]) -> int:
    """Lock the folder for this process and return the descriptor, which must stay open for as long.

    Raises:
        ServerUnavailable: if another process uses the folder.
    """
    lock = os.open(home / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    started = time.monotonic()
    while not _locked(lock, fcntl.LOCK_EX):
        holder = _json(home / LOCK).get("owner_pid")
        patience = GLANCE_SECONDS if holder is None or _alive(holder) else LETTING_GO_SECONDS
        if time.monotonic() - started > patience:
            raise ServerUnavailable(
                f"the folder {home} is in use by process {holder or '(unknown)'}, which runs servers on it; only one "
                "process at a time may. Use the running one (for example `./run ops`), or stop it first"
            )
        pause(0.01)
    os.ftruncate(lock, 0)
    os.pwrite(lock, json.dumps({"owner_pid": owner_pid, "guard_pid": os.getpid()}).encode(), 0)
    return lock


def write_record(home: Path, servers: Servers, **facts: int | None) -> None:
    """Record what runs, mode 600, in one step: a reader sees all of it or none."""
    partial = home / f"{RECORD}.new"
    partial.unlink(missing_ok=True)
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump({**dataclasses.asdict(servers), "guard_pid": os.getpid(), **facts}, file, indent=1)
    partial.replace(home / RECORD)


def remove_record(home: Path) -> dict[str, Any]:
    """Remove the record and return what it said; an empty one if there was none."""
    record = _json(home / RECORD)
    (home / RECORD).unlink(missing_ok=True)
    return record


def read_running(home: Path) -> Servers | None:
    """Return the servers that run on ``home`` now; None when no guard holds the folder or none is ready yet."""
    try:
        lock = os.open(home / LOCK, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        if _locked(lock, fcntl.LOCK_SH):
            return None
        record, holder = _json(home / RECORD), _json(home / LOCK)
    finally:
        os.close(lock)
    # A guard that is just starting holds the lock while the record may still be a killed one's.
    if not record or record["guard_pid"] != holder.get("guard_pid") or not _alive(record["guard_pid"]):
        return None
    return Servers(database_url=record["database_url"], redis_url=record["redis_url"])


def _locked(lock: int, kind: int) -> bool:
    try:
        fcntl.flock(lock, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _json(path: Path) -> dict[str, Any]:
    """Return the object in the file; empty when there is no file or it does not hold one."""
    try:
        content = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True

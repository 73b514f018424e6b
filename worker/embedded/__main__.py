"""The guard: parent of the servers, child of the process they are for. It says one line and then only listens."""

import contextlib
import json
import os
import signal
import sys
from pathlib import Path

from worker.embedded import folder
from worker.embedded.owner import Owner
from worker.embedded.postgres import Postgres
from worker.embedded.process import ServerProcess
from worker.embedded.valkey import Valkey, end_leftover
from worker.errors import ServerUnavailable

# Time for the first start after a crash, when Postgres replays its log.
READY_SECONDS = 120.0
# An owner that waits for us gets a clean stop. After one that was killed the servers must be gone soon, and what
# Postgres could not finish by then it replays at its next start.
CLEAN_STOP_SECONDS = 10.0
HASTY_STOP_SECONDS = 1.0


def main() -> None:
    """Run the servers of the order in the first argument until standard input ends."""
    os.umask(0o077)
    for sign in (signal.SIGINT, signal.SIGHUP):
        # Not SIG_IGN, which the servers would inherit.
        signal.signal(sign, lambda *_: None)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    order = json.loads(sys.argv[1])
    owner = Owner(order["owner_pid"], sys.stdin.fileno())
    try:
        guard(Path(order["home"]), owner, postgres=order["postgres"], valkey=order["valkey"])
    except (ServerUnavailable, OSError) as error:
        hint = "" if isinstance(error, ServerUnavailable) else ". Set DATABASE_URL and REDIS_URL to servers of yours"
        _say({"error": f"{error}{hint}"})


def guard(home: Path, owner: Owner, *, postgres: bool, valkey: bool) -> None:
    """Start the servers, say where they are, wait for the owner's end, stop them.

    Raises:
        SystemExit: when the owner has let go or is gone.
        ServerUnavailable: if a server cannot be had.
    """
    # The descriptor is kept by this process until it ends, and with it the lock.
    folder.take(home, owner.pid, owner.pause)
    end_leftover(folder.remove_record(home).get("redis_url", ""))
    servers: list[ServerProcess] = []
    try:
        redis = Valkey(home) if valkey else None
        database = Postgres(home, owner) if postgres else None
        # Valkey gets ready while Postgres makes its data.
        if redis:
            servers.append(redis)
            redis.start()
        if database:
            servers.append(database)
            database.prepare()
            database.start()
        for server in servers:
            owner.wait_until(server.ready, READY_SECONDS, f"the start of {server.name} (see {server.log.path})")
        urls = folder.Servers(database_url=database.url if database else "", redis_url=redis.url if redis else "")
        pids = {f"{server.name.lower()}_pid": server.child.pid for server in servers if server.child}
        folder.write_record(home, urls, owner_pid=owner.pid, **pids)
        _say({"database_url": urls.database_url, "redis_url": urls.redis_url})
        owner.wait_for_end()
    finally:
        signal.signal(signal.SIGTERM, lambda *_: None)
        folder.remove_record(home)
        patience = CLEAN_STOP_SECONDS if owner.said_goodbye() else HASTY_STOP_SECONDS
        for server in servers:
            server.ask_to_stop()
        for server in servers:
            server.await_stop(patience)


def _say(answer: dict[str, str]) -> None:
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()

"""Processes that own embedded servers, and a look at what those servers left."""

import contextlib
import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
import redis

from worker.embedded import Servers

ROOT = Path(__file__).parents[3]
GONE_SECONDS = 2.0


as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has to run Postgres as somebody else")


# A process that uses the servers: it says where they are, and lets go when its standard input ends.
OWNER = """
import json, os, select, signal, sys
# Started from a script in the background, a process ignores Ctrl-C unless it says otherwise.
signal.signal(signal.SIGINT, signal.default_int_handler)
from pathlib import Path
from worker.embedded import embedded_servers
try:
    with embedded_servers(Path(sys.argv[1])) as servers:
        forked = os.fork() if "fork" in sys.argv else None
        if forked == 0:
            signal.pause()
        said = {"urls": [servers.database_url, servers.redis_url], "forked": forked}
        try:
            print(json.dumps(said), flush=True)
            # Not one endless read: a Ctrl-C just before it would be heard only after it.
            while not select.select([sys.stdin], [], [], 0.05)[0]:
                pass
        except KeyboardInterrupt:
            import psycopg, redis
            with psycopg.connect(servers.database_url) as database, redis.Redis.from_url(servers.redis_url) as client:
                print(json.dumps([database.execute("select 7").fetchone()[0], client.ping()]), flush=True)
except Exception as error:
    print(json.dumps({"error": f"{type(error).__name__}: {error}"}), flush=True)
"""


class Owner:
    """A running process of that script, and the process ids it leads to."""

    def __init__(self, process: subprocess.Popen[str], home: Path) -> None:
        self.process = process
        self.home = home
        self.said = json.loads(process.stdout.readline())

    @property
    def servers(self) -> Servers:
        assert "urls" in self.said, self.said
        return Servers(*self.said["urls"])

    @property
    def record(self) -> dict[str, object]:
        return json.loads((self.home / "servers.json").read_text())

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@contextlib.contextmanager
def an_owner(
    home: Path, *words: str, python: str = sys.executable, path: str = str(ROOT), **options: object
) -> Iterator[Owner]:
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "start_new_session": True}
    environment = {**os.environ, "PYTHONPATH": path, **options.pop("env", {})}
    process = subprocess.Popen([python, "-c", OWNER, str(home), *words], env=environment, **pipes, **options)
    with process:
        try:
            yield Owner(process, home)
            process.communicate(timeout=20)
        finally:
            process.kill()


def notes(servers: Servers) -> list[str]:
    with psycopg.connect(servers.database_url) as database:
        return [text for (text,) in database.execute("select text from note")]


def ping(servers: Servers) -> bool:
    with redis.Redis.from_url(servers.redis_url) as client:
        return client.ping()


def processes(record: dict[str, object], *names: str) -> list[psutil.Process]:
    return [psutil.Process(record[f"{name}_pid"]) for name in names]


def left_after(seconds: float, of: list[psutil.Process]) -> list[psutil.Process]:
    _, alive = psutil.wait_procs(of, timeout=seconds)
    return [process for process in alive if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def hidden_unshare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "no_programs").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "no_programs"))

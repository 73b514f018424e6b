"""A real pgbouncer in front of the tests' Postgres, for runs with ``TEST_POOLER=pgbouncer``.

The server's own URL stays what administration uses: ``CREATE DATABASE ... TEMPLATE`` and ``DROP ... WITH (FORCE)`` are
no business of a pooler. All else goes where `pooled` says, which without a pooler is the same URL.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import psycopg

from db.session import connect, driver_url
from worker.embedded.process import Log, ServerProcess, spawn
from worker.embedded.unprivileged import NOBODY

START_SECONDS = 20.0
STOP_SECONDS = 2.0
MODES = ("transaction", "session", "statement")

_routes: dict[tuple[str | None, int], int] = {}
"""Port of the pooler before each server."""


def pgbouncer_program() -> str | None:
    """Where pgbouncer is; Debian puts it where an ordinary user's PATH does not lead."""
    return shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin:/usr/local/sbin")


def pooled(database_url: str) -> str:
    """The URL of the same database through the pooler; the URL itself where none runs."""
    port = _routes.get(_server(database_url))
    return through(database_url, port) if port else database_url


def through(database_url: str, port: int) -> str:
    """The same URL at that port of this machine."""
    url = urlsplit(driver_url(database_url))
    account = url.netloc.rpartition("@")[0]
    return url._replace(netloc=f"{account}@127.0.0.1:{port}", query="").geturl()


@contextlib.contextmanager
def pooler_for_all(database_url: str) -> Iterator[None]:
    """Run a pooler in transaction mode that `pooled` leads to."""
    with running_pooler(database_url) as port:
        _routes[_server(database_url)] = port
        try:
            yield
        finally:
            del _routes[_server(database_url)]


@contextlib.contextmanager
def running_pooler(database_url: str, mode: str = "transaction") -> Iterator[int]:
    """Run pgbouncer before that server in one of its ``MODES``; give its port on 127.0.0.1."""
    # Not below pytest's folder, which only its owner may enter: pgbouncer does not run as root.
    with tempfile.TemporaryDirectory(prefix="trawler-pooler-", ignore_cleanup_errors=True) as folder:
        pooler = PgBouncer(Path(folder), database_url, mode)
        pooler.start()
        try:
            deadline = time.monotonic() + START_SECONDS
            while not pooler.ready():
                assert time.monotonic() < deadline, f"pgbouncer does not get ready: {pooler.log.tail()}"
                time.sleep(0.02)
            yield pooler.port
        finally:
            pooler.ask_to_stop()
            pooler.await_stop(STOP_SECONDS)


class PgBouncer(ServerProcess):
    """A pgbouncer that is our child."""

    name = "PgBouncer"
    variable = "TEST_POOLER"
    stop_signal = signal.SIGTERM
    kill_signal = signal.SIGKILL

    def __init__(self, folder: Path, database_url: str, mode: str) -> None:
        super().__init__(Log(folder / "log"))
        self.folder = folder
        self.url = driver_url(database_url)
        self.mode = mode

    def launch(self, port: int) -> subprocess.Popen[bytes]:
        """Start the process, as a user of no rights where this is root."""
        program = pgbouncer_program()
        assert program, "there is no pgbouncer"
        server = urlsplit(self.url)
        user, password = unquote(server.username or ""), unquote(server.password or "")
        (self.folder / "users").write_text(f'"{_quoted(user)}" "{_quoted(password)}"\n')
        (self.folder / "pgbouncer.ini").write_text(
            f"[databases]\n* = host={server.hostname} port={server.port or 5432}\n"
            f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
            f"auth_file = {self.folder / 'users'}\nauth_type = {'scram-sha-256' if password else 'trust'}\n"
            f"pool_mode = {self.mode}\n"
            "max_client_conn = 1000\ndefault_pool_size = 20\n"
            # A test's database is used for seconds, and the server has room for some two hundred connections.
            "server_idle_timeout = 2\n"
            # A server that refuses is asked again soon: the default of 15 s would only make fault runs longer.
            "server_login_retry = 1\n"
        )
        change: dict[str, object] = {}
        if os.geteuid() == 0:
            for path in (self.folder, *self.folder.iterdir()):
                os.chown(path, NOBODY, NOBODY)
            change = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
        argv = [program, str(self.folder / "pgbouncer.ini")]
        return spawn(argv, self.log, death_signal=signal.SIGKILL, cwd=self.folder, **change)

    def answers(self) -> bool:
        """Tell whether it passes a statement on."""
        with (
            contextlib.suppress(psycopg.OperationalError),
            connect(through(self.url, self.port), "test pooler") as connection,
        ):
            connection.execute("SELECT 1")
            return True
        return False


def _quoted(word: str) -> str:
    return word.replace('"', '""')


def _server(database_url: str) -> tuple[str | None, int]:
    url = urlsplit(driver_url(database_url))
    return url.hostname, url.port or 5432

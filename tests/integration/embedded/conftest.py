"""Folders with the data of servers that were made before."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from worker.embedded import embedded_servers


@pytest.fixture(scope="module")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("made") / "home"
    with embedded_servers(home) as servers, psycopg.connect(servers.database_url) as database:
        database.execute("create table note (text text)")
        database.execute("insert into note values ('kept')")
    return home


@pytest.fixture
def home(made_once: Path, tmp_path: Path) -> Path:
    """A folder whose data was made before, under a name that needs care."""
    return shutil.copytree(made_once, tmp_path / 'it\'s a "home"')


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user may pass through, which pytest's are not."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        Path(name).chmod(0o755)
        yield Path(name)

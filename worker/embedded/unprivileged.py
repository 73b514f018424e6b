"""How Postgres, which refuses to run as root, is run by root; any other user runs it as it is.

First choice is a user namespace: Postgres believes itself to be an ordinary user while every file stays root's, so
it works inside folders that only root may enter. Where the kernel or a container refuses that, the programs run as
another user, who must be able to reach both them and the data.
"""

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from worker.embedded.process import environment
from worker.errors import ServerUnavailable

# The number that Linux and macOS give, or may give, to `nobody`; it needs no entry in the user database.
NOBODY = 65534
PROBE_SECONDS = 30.0
POINTER = "shared"


@dataclass(frozen=True)
class Runner:
    """How to run Postgres's programs: their folder, a prefix to the command, the user that owns the data."""

    programs: Path
    base: Path
    version: str = ""
    prefix: tuple[str, ...] = ()
    change_user: bool = False

    def argv(self, program: str, *arguments: str) -> list[str]:
        """Return the command line."""
        return [*self.prefix, str(self.programs / program), *arguments]

    def options(self) -> dict[str, Any]:
        """Return the keyword arguments of ``Popen``."""
        return {"cwd": "/", **(_as_nobody() if self.change_user else {})}

    def own(self, folder: Path) -> None:
        """Give the folder and all in it to the user that Postgres runs as; needed only for root."""
        wanted = NOBODY if self.change_user else 0
        if os.geteuid() != 0 or folder.stat().st_uid == wanted:
            return
        for parent, _, files in os.walk(folder, topdown=False):
            for path in (*(Path(parent) / name for name in files), Path(parent)):
                os.chown(path, wanted, wanted, follow_symlinks=False)


def runner_for(programs: Path, home: Path) -> Runner:
    """Return the first way to run Postgres that works here; ``base`` is the folder for its data.

    Raises:
        ServerUnavailable: if none works; the text says what was tried.
    """
    tried = []
    for runner in _candidates(programs, home):
        version, seen = _probe(runner)
        if version:
            return replace(runner, version=version)
        tried.append(f"`{' '.join(runner.argv('postgres'))}`{f' as user {NOBODY}' * runner.change_user}: {seen}")
    raise ServerUnavailable(
        f"Postgres cannot be run here (it refuses to run as root itself); tried {'; '.join(tried)}. Start this as "
        "another user, or set DATABASE_URL to a server of yours"
    )


def _candidates(programs: Path, home: Path) -> Iterator[Runner]:
    base = (home / POINTER).resolve() if (home / POINTER).is_dir() else home
    if os.geteuid() != 0:
        yield Runner(programs, base)
        return
    if unshare := shutil.which("unshare"):
        prefix = (unshare, "-U", f"--map-user={NOBODY}", f"--map-group={NOBODY}", "--")
        yield Runner(programs, base, prefix=prefix)
    base = _reachable_base(home)
    yield Runner(programs, base, change_user=True)
    # Only the package can be copied: it finds its libraries and other files by paths relative to itself.
    if programs.parts[-2:] == ("pginstall", "bin"):
        yield Runner(_reachable_copy(programs, base), base, change_user=True)


def _probe(runner: Runner) -> tuple[str, str]:
    """Return the programs' major version, by which it is also shown that they run; else empty and what was seen."""
    try:
        answer = subprocess.run(
            runner.argv("postgres", "--version"),
            capture_output=True,
            timeout=PROBE_SECONDS,
            env=environment(),
            check=False,
            **runner.options(),
        )
    except (OSError, subprocess.SubprocessError) as error:
        return "", str(error)
    if found := re.search(rb"\(PostgreSQL\) (\d+)", answer.stdout):
        return found[1].decode(), ""
    return "", answer.stderr.decode(errors="replace").strip() or f"exit code {answer.returncode}"


def _as_nobody() -> dict[str, Any]:
    return {"user": NOBODY, "group": NOBODY, "extra_groups": []}


def reachable_by_all(folder: Path) -> bool:
    """Tell whether every user may pass through all the folders above this one."""
    return all(parent.stat().st_mode & 0o001 for parent in folder.parents)


def _reachable_base(home: Path) -> Path:
    """Return ``home`` if another user can get into it, else a folder outside, which ``shared`` in it points to."""
    pointer = home / POINTER
    if pointer.is_dir():
        return pointer.resolve()
    if reachable_by_all(home):
        home.chmod(home.stat().st_mode & 0o777 | 0o011)
        return home
    if (home / "postgres").exists():
        raise ServerUnavailable(
            f"the data in {home} cannot be reached by user {NOBODY}, as a folder above it is closed to others; "
            "move the checkout to a folder that others may pass through, or set DATABASE_URL to a server of yours"
        )
    # The name is new each time: nobody else can have put a folder there for us to use.
    base = Path(tempfile.mkdtemp(prefix="trawler-", dir=os.environ.get("TMPDIR") or "/var/tmp"))  # noqa: S108
    base.chmod(0o711)
    pointer.unlink(missing_ok=True)
    pointer.symlink_to(base)
    return base


def _reachable_copy(programs: Path, base: Path) -> Path:
    """Copy the package and the libraries beside it, which its programs find by a relative path, into ``base``."""
    package = programs.parents[1]
    stat = (programs / "postgres").stat()
    key = hashlib.sha256(f"{programs} {stat.st_size} {stat.st_mtime_ns}".encode()).hexdigest()[:12]
    target = base / f"programs-{key}"
    if not target.exists():
        for remains in base.glob("programs.new-*"):
            shutil.rmtree(remains, ignore_errors=True)
        partial = base / f"programs.new-{os.getpid()}"
        for folder in (package, package.with_name(f"{package.name}.libs")):
            if folder.is_dir():
                shutil.copytree(folder, partial / folder.name, symlinks=True)
        partial.chmod(0o755)
        partial.rename(target)
    return target / package.name / programs.relative_to(package)

"""Processes of ours, forked from one that has imported what they need: a start takes 10 ms and not a second.

Each is a process of its own, with its own environment, files and signals, and runs its module as ``python -m`` does.
What is about a start itself (``./run``, the supervisor) starts programs in the usual way.
"""

import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

FORKS = multiprocessing.get_context("forkserver")
# What reads its environment when it is imported (the console of `scripts.tables`) is left to each process.
FORKS.set_forkserver_preload(
    [
        "actors.application",
        "actors.polling",
        "alembic.command",
        "db.migrating",
        "rich.live",
        "typer",
        "worker.reconciler",
    ]
)


class ForkedProcess:
    """One process; its methods are those of `subprocess.Popen`."""

    def __init__(
        self,
        module: str,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        folder: Path,
        output: Path,
        errors: Path | None = None,
    ) -> None:
        paths = (str(output), str(errors or output))
        # A daemon of multiprocessing is ended with the tests, and not waited for.
        self._process = FORKS.Process(
            target=_be, args=(module, list(arguments), dict(environment), str(folder), *paths), daemon=True
        )
        self._process.start()

    @property
    def pid(self) -> int:
        """Its number."""
        assert self._process.pid is not None
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """How it ended, or that it has not; below zero the signal that ended it."""
        return self.poll()

    def poll(self) -> int | None:
        """How it ended, or that it has not."""
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """How it ended; raises `subprocess.TimeoutExpired` when it has not after so many seconds."""
        self._process.join(timeout)
        if (code := self.poll()) is None:
            raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
        return code

    def send_signal(self, number: int) -> None:
        """Send it a signal, where it still runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it with -9."""
        self.send_signal(signal.SIGKILL)


class Program(subprocess.Popen[bytes]):
    """``python -m module``, which imports all it needs by itself."""

    def __init__(
        self, module: str, arguments: Sequence[str], environment: Mapping[str, str], folder: Path, output: Path
    ) -> None:
        with output.open("ab") as log:
            super().__init__(
                [sys.executable, "-m", module, *arguments],
                env=environment,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )


def run_to_its_end(
    module: str, arguments: Sequence[str], environment: Mapping[str, str], folder: Path, seconds: float = 60
) -> subprocess.CompletedProcess[str]:
    """What `subprocess.run` gives with what the process wrote."""
    with tempfile.TemporaryDirectory() as files:
        output, errors = Path(files, "output"), Path(files, "errors")
        process = ForkedProcess(module, arguments, environment, folder, output, errors)
        try:
            code = process.wait(seconds)
        finally:
            process.kill()
        return subprocess.CompletedProcess([module, *arguments], code, output.read_text(), errors.read_text())


def _be(module: str, arguments: list[str], environment: dict[str, str], folder: str, output: str, errors: str) -> None:
    """In the new process: take the place of ``python -m module``."""
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    for number, path in ((1, output), (2, errors)):
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(file, number)
        os.close(file)
    sys.stdout = open(1, "w", encoding="utf-8", buffering=1, closefd=False)  # noqa: SIM115 - for as long as it lives
    sys.stderr = open(2, "w", encoding="utf-8", buffering=1, closefd=False, errors="backslashreplace")  # noqa: SIM115
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)

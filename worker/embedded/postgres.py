"""Postgres of our own: data kept under the home folder, scram passwords only, on 127.0.0.1."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from worker.embedded.binaries import postgres_programs
from worker.embedded.owner import Owner
from worker.embedded.process import Log, ServerProcess, environment, spawn
from worker.embedded.unprivileged import runner_for
from worker.errors import ServerUnavailable

NAME = "trawler"
SETTINGS = {
    "shared_buffers": "64MB",
    "max_connections": "200",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_destination": "stderr",
    "logging_collector": "off",
    "fsync": "on",
}
INIT_SECONDS = 120.0
LEFTOVER_SECONDS = 10.0


class Postgres(ServerProcess):
    """Postgres with a user and a database named ``trawler``; the password is made with the data and stays with it."""

    name = "Postgres"
    variable = "DATABASE_URL"
    stop_signal = signal.SIGINT
    kill_signal = signal.SIGQUIT

    def __init__(self, home: Path, owner: Owner) -> None:
        super().__init__(Log(home / "postgres.log"))
        self.owner = owner
        self.runner = runner_for(postgres_programs(), home)
        self.folder = self.runner.base / "postgres"
        self.data = self.folder / "data"

    @property
    def url(self) -> str:
        """The URL with the password."""
        password = (self.folder / "password").read_text()
        return f"postgresql://{NAME}:{password}@127.0.0.1:{self.port}/{NAME}"

    def prepare(self) -> None:
        """Make the data folder if there is none, and clear what a killed server left in one that is there.

        Raises:
            ServerUnavailable: if it cannot be made, or is of another major version than the program.
        """
        for remains in self.runner.base.glob("postgres.new-*"):
            shutil.rmtree(remains, ignore_errors=True)
        if not self.folder.exists():
            self._make()
        found = (self.data / "PG_VERSION").read_text().strip()
        if found != self.runner.version:
            raise ServerUnavailable(
                f"the data in {self.data} is of Postgres {found}, the program in {self.runner.programs} is Postgres "
                f"{self.runner.version}, which cannot read it. Use Postgres {found}, or move the folder away to start "
                "with an empty one, or set DATABASE_URL to a server of yours"
            )
        self.runner.own(self.folder)
        self._end_leftover()

    def launch(self, port: int) -> subprocess.Popen[bytes]:
        """Start the process; it listens on 127.0.0.1 only and makes no socket file."""
        settings = [part for name, value in SETTINGS.items() for part in ("-c", f"{name}={value}")]
        argv = self.runner.argv(
            "postgres", "-D", str(self.data), "-h", "127.0.0.1", "-p", str(port), "-k", "", *settings
        )
        return spawn(argv, self.log, death_signal=signal.SIGINT, **self.runner.options())

    def answers(self) -> bool:
        """Tell whether the pid file says ready and is our child's, not one left over nor another server's."""
        lines = self._pid_file()
        # The lines are pid, data folder, start time, port, socket folder, address, shared memory, status.
        if self.child is None or len(lines) < 8:
            return False
        return lines[0] == str(self.child.pid) and lines[3] == str(self.port) and lines[7].strip() == "ready"

    def _make(self) -> None:
        """Make data and password under another name and rename both at once: half-made data is never used."""
        new = self.runner.base / f"postgres.new-{os.getpid()}"
        new.mkdir(mode=0o700)
        (new / "password").write_text(os.urandom(24).hex())
        self.runner.own(new)
        authentication = ["--auth=scram-sha-256", f"--pwfile={new / 'password'}"]
        self._run("initdb", "-D", str(new / "data"), "-U", NAME, *authentication, "-E", "UTF8", "--no-locale")
        # Single-user mode needs no password and no port, so the database is there before the server first runs.
        statement = f"CREATE DATABASE {NAME};\n"
        self._run("postgres", "--single", "-D", str(new / "data"), "-c", "exit_on_error=on", "postgres", text=statement)
        new.rename(self.folder)

    def _run(self, program: str, *arguments: str, text: str = "") -> None:
        argv = self.runner.argv(program, *arguments)
        death = signal.SIGKILL
        process = spawn(argv, self.log, death_signal=death, stdin=subprocess.PIPE, **self.runner.options())
        try:
            assert process.stdin is not None  # noqa: S101 - Popen was given PIPE
            with contextlib.suppress(BrokenPipeError), process.stdin as stdin:
                stdin.write(text.encode())
            self.owner.wait_until(lambda: process.poll() is not None, INIT_SECONDS, f"`{program}`")
        finally:
            if process.poll() is None:
                # The program has a child that does the work; both are in the session made for it.
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        if process.returncode != 0:
            raise ServerUnavailable(
                f"`{program}` failed with code {process.returncode}; {self.log.path} ends with:\n{self.log.tail()}\n"
                "Mend what it names, or set DATABASE_URL to a server of yours"
            )

    def _end_leftover(self) -> None:
        """Stop a server that a killed guard left on our data, or take its pid file's word away if it is long gone.

        Postgres refuses to start while the pid in that file is any living process of this user, which after a
        ``kill -9`` may be one that has nothing to do with it. It does ignore its own parent's pid, and then still
        checks that no backend holds the old shared memory; removing the file would skip that check.
        """
        lines = self._pid_file()
        if not lines or not lines[0].isdecimal():
            # A server that was killed before it wrote its pid; Postgres refuses to start next to an empty file.
            (self.data / "postmaster.pid").unlink(missing_ok=True)
            return
        pid = int(lines[0])
        for sign in (signal.SIGINT, signal.SIGQUIT):
            if self._is_ours(pid):
                with contextlib.suppress(ProcessLookupError, ServerUnavailable):
                    os.kill(pid, sign)
                    self.owner.wait_until(lambda: not self._is_ours(pid), LEFTOVER_SECONDS, "its end")
        if self._is_ours(pid):
            raise ServerUnavailable(
                f"process {pid}, a Postgres that was left running on {self.data}, does not end; end it, then try again"
            )
        if lines := self._pid_file():
            (self.data / "postmaster.pid").write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")

    def _pid_file(self) -> list[str]:
        try:
            return (self.data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return []

    def _is_ours(self, pid: int) -> bool:
        """Tell whether that process is a Postgres on our data, by its command line."""
        return f"-D {self.data}" in _command_line(pid)


def _command_line(pid: int) -> str:
    """Return a process's command line; empty when it is gone, or ended and not yet reaped."""
    if sys.platform != "linux":
        ps = ["/bin/ps", "-ww", "-o", "command=", "-p", str(pid)]
        return subprocess.run(ps, capture_output=True, text=True, env=environment(), check=False).stdout
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""

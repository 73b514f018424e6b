"""Valkey of our own: in memory only, behind a password, on 127.0.0.1."""

import contextlib
import os
import signal
import socket
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

from worker.embedded.binaries import valkey_program
from worker.embedded.process import Log, ServerProcess, spawn

ANSWER_SECONDS = 1.0


class Valkey(ServerProcess):
    """Valkey with a new password at each start; it holds nothing that Postgres could not tell again."""

    name = "Valkey"
    variable = "REDIS_URL"
    stop_signal = signal.SIGTERM
    kill_signal = signal.SIGKILL

    def __init__(self, home: Path) -> None:
        super().__init__(Log(home / "valkey.log"))
        self.folder = home / "valkey"
        self.program = valkey_program()
        self.password = os.urandom(24).hex()

    @property
    def url(self) -> str:
        """The URL with the password."""
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    def launch(self, port: int) -> subprocess.Popen[bytes]:
        """Start the process; its password is in a file of mode 600, as any user can read a command line."""
        self.folder.mkdir(mode=0o700, exist_ok=True)
        config = self.folder / "valkey.conf"
        with os.fdopen(os.open(config, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(
                f"bind 127.0.0.1\nport {port}\nprotected-mode yes\nrequirepass {self.password}\n"
                'appendonly no\nsave ""\nmaxmemory-policy noeviction\n'
            )
        return spawn([str(self.program), str(config)], self.log, death_signal=signal.SIGKILL, cwd=self.folder)

    def answers(self) -> bool:
        """Tell whether the server on our port takes our password, which only our child knows."""
        return _ask(self.port, self.password, "PING") == b"+PONG"


def end_leftover(url: str) -> None:
    """Stop the server at that URL, if it takes the URL's password and so is one that a killed guard left behind."""
    parts = urlsplit(url)
    if parts.port and parts.password:
        _ask(parts.port, parts.password, "SHUTDOWN NOSAVE")


def _ask(port: int, password: str, command: str) -> bytes:
    """Return the answer's first line; empty when there is none, or the password is refused."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), ANSWER_SECONDS) as connection:
        answers = connection.makefile("rb")
        connection.sendall(f"AUTH {password}\r\n".encode())
        if answers.readline() == b"+OK\r\n":
            connection.sendall(f"{command}\r\n".encode())
            return answers.readline().strip()
    return b""

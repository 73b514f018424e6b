"""Processes under measurement, and the CPU they and their server take."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil
from psycopg import Connection

from worker.settings import ROOT

END_SECONDS = 60


@contextmanager
def running(
    commands: Sequence[Sequence[str]], environment: Mapping[str, str], log: Path
) -> Iterator[list[subprocess.Popen[str]]]:
    """Run these commands at once and end them afterwards. Each has pipes for its input and output."""
    processes: list[subprocess.Popen[str]] = []
    with log.open("ab") as errors:
        try:
            for command in commands:
                processes.append(  # noqa: PERF401 - those that started are ended where a later one does not
                    subprocess.Popen(
                        command,
                        env={**os.environ, "PYTHONPATH": str(ROOT), "TRAWLER_ENV_FILE": "", **environment},
                        cwd=ROOT,
                        stdin=subprocess.PIPE,
                        stdout=subprocess.PIPE,
                        stderr=errors,
                        text=True,
                    )
                )
            yield processes
        finally:
            for process in processes:
                process.send_signal(signal.SIGTERM)
            for process in processes:
                try:
                    process.communicate(timeout=END_SECONDS)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.communicate()


def ours(module: str, *arguments: str) -> list[str]:
    """The command of one of Trawler's own modules."""
    return [sys.executable, "-m", module, *arguments]


class CpuClock:
    """CPU seconds of processes, and of the Postgres server behind a connection with all that it has run."""

    def __init__(self, connection: Connection, processes: Sequence[subprocess.Popen[str]]) -> None:
        parent = psutil.Process(connection.info.backend_pid).parent()
        if parent is None:
            raise RuntimeError("the server behind the connection has no parent process; use the embedded server")
        self._server = parent
        self._clients = [psutil.Process(process.pid) for process in processes]
        self._began = self._now()

    def micros(self, jobs: int) -> dict[str, float]:
        """Microseconds a job since the start: of the clients, and of the server."""
        clients, server = (now - then for now, then in zip(self._now(), self._began, strict=True))
        return {"client_us": round(1e6 * clients / jobs, 1), "postgres_us": round(1e6 * server / jobs, 1)}

    def _now(self) -> tuple[float, float]:
        ended = self._server.cpu_times()
        server = ended.children_user + ended.children_system
        server += sum(_seconds(process) for process in (self._server, *self._server.children()))
        return sum(_seconds(client) for client in self._clients), server


def _seconds(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system)

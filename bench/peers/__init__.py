"""Other queues, each in the environment that ``./run bench --install-peers`` makes for them."""

import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import redis

from db.session import connect
from worker.settings import ROOT

HERE = Path(__file__).parent
ENVIRONMENT = ROOT / ".trawler" / "peers"


@dataclass(frozen=True, slots=True)
class Peer:
    """A queue: its script, which knows ``fill JOBS`` and ``work``, its package, and how many of its jobs are left.

    ``work`` writes ``ready`` and waits for a line before it begins, so that starting it is not measured.
    """

    name: str
    script: str
    package: str
    left: Callable[[Mapping[str, str]], int]

    def command(self, *arguments: str) -> list[str]:
        """How its script is run."""
        return [str(ENVIRONMENT / "bin" / "python"), str(HERE / self.script), *arguments]

    def is_installed(self) -> bool:
        """Whether its package is in the environment."""
        python = ENVIRONMENT / "bin" / "python"
        if not python.exists():
            return False
        asked = subprocess.run([python, "-c", f"import {self.package}"], capture_output=True, check=False)
        return asked.returncode == 0


def install() -> None:
    """Make the environment of the peers from bench/peers/requirements.txt. Asks the package index."""
    subprocess.run([sys.executable, "-m", "venv", ENVIRONMENT], check=True)
    subprocess.run(
        [ENVIRONMENT / "bin" / "python", "-m", "pip", "install", "-q", "-r", HERE / "requirements.txt"], check=True
    )


def _rows_of_pgqueuer(environment: Mapping[str, str]) -> int:
    with connect(environment["DATABASE_URL"], "bench") as connection:
        row = connection.execute("SELECT count(*) FROM (SELECT FROM pgqueuer LIMIT 1) q").fetchone()
    return int(row[0]) if row else 0


def _unacknowledged_of_dramatiq(environment: Mapping[str, str]) -> int:
    with redis.Redis.from_url(environment["REDIS_URL"]) as client:
        return int(client.hlen("peer:noop.msgs"))


PEERS = (
    Peer("pgqueuer", "pgqueuer_jobs.py", "pgqueuer", _rows_of_pgqueuer),
    Peer("dramatiq", "dramatiq_jobs.py", "dramatiq", _unacknowledged_of_dramatiq),
)

"""What the tests of handlers share: the engine's own path from a row to its end, in this process."""

from collections.abc import Mapping
from typing import Any

import psycopg
import pytest

from actors.background import work_background_lane, work_background_tasks
from actors.handlers import load_handlers
from actors.handlers.contract import Handler
from actors.runtime import Runtime
from db.queries import adopting, lanes, sweeping
from db.session import Pool
from tests.jobs import background_job, insert_background_job
from worker.boot import Boot
from worker.completions import Completions
from worker.configuration import Configuration
from worker.lanes import background_lane
from worker.leases import Lease
from worker.settings import load_settings

OWNER = "worker-1"


class Engine:
    """Adopts, claims, runs and settles background jobs as a worker does, with its own statements and no wake-ups."""

    def __init__(self, connection: psycopg.Connection, pool: Pool, database_url: str) -> None:
        self.connection = connection
        self.handlers: dict[str, Handler] = dict(load_handlers())
        boot = Boot(load_settings(), database_url, "redis://127.0.0.1:1/0", OWNER)
        self.runtime = Runtime(boot, 4, self.handlers, lambda: None)
        self.runtime.pool = pool
        self.runtime.completions = Completions(pool)
        self.runtime.configuration = Configuration(pool)

    def put_in(self, job_type: str, payload: Mapping[str, Any] | None = None, **columns: Any) -> str:
        """A row as a service inserts it, with its lane; give its id."""
        lanes.ensure_lanes(self.connection, [lanes.NewLane(background_lane(job_type), 256, 256)])
        return insert_background_job(self.connection, job_type, payload, **columns)

    def adopt(self) -> None:
        """What the reconciler does to new and due rows."""
        adopting.adopt_from_inbox(self.connection, "background_jobs", 1000)
        sweeping.promote_due(self.connection, 1000)

    async def lease(self, job_type: str, count: int = 1) -> list[Lease]:
        """Adopt, and claim as a worker does."""
        self.adopt()
        return await self.runtime.claim(background_lane(job_type), count)

    async def work(self, leases: list[Lease]) -> None:
        """Run and settle what was leased."""
        await work_background_tasks(self.runtime, leases)

    def make_due(self) -> None:
        """Let every job that waits be due now, as time does."""
        self.connection.execute("UPDATE background_jobs SET scheduled_for = worker.utc_now() WHERE status = 'pending'")
        self.connection.execute("UPDATE worker.tasks SET run_at = clock_timestamp() WHERE state = 'waiting'")

    async def work_off(self, job_type: str) -> None:
        """Run all jobs of a type that are due."""
        self.adopt()
        await work_background_lane(self.runtime, background_lane(job_type))

    async def run(self, job_type: str, payload: Mapping[str, Any] | None = None, **columns: Any) -> dict[str, Any]:
        """Put one job in, run it, and give its row."""
        job_id = self.put_in(job_type, payload, **columns)
        await self.work_off(job_type)
        return background_job(self.connection, job_id)


@pytest.fixture
def engine(connection: psycopg.Connection, pool: Pool, database_url: str) -> Engine:
    """An engine on the test's own database; ``engine.handlers`` may get further ones."""
    return Engine(connection, pool, database_url)

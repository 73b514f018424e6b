"""pgqueuer: no-ops on Postgres, by its pool driver and uvloop, a hundred a batch."""

import asyncio
import os
import signal
import sys
from datetime import timedelta

import asyncpg
import uvloop
from pgqueuer.db import AsyncpgDriver, AsyncpgPoolDriver
from pgqueuer.qm import QueueManager
from pgqueuer.queries import Queries

MANY = 1000


async def fill(jobs: int) -> None:
    """Put so many jobs in; its tables are made where they are missing."""
    connection = await asyncpg.connect(os.environ["DATABASE_URL"])
    queries = Queries(AsyncpgDriver(connection))
    if await connection.fetchval("SELECT to_regclass('pgqueuer')") is None:
        await queries.install()
    for first in range(0, jobs, MANY):
        count = min(MANY, jobs - first)
        await queries.enqueue(["noop"] * count, [None] * count, [0] * count)
    await connection.close()


async def work() -> None:
    """Work until told to end."""
    async with asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=2, max_size=10) as pool:
        manager = QueueManager(Queries(AsyncpgPoolDriver(pool)))

        @manager.entrypoint("noop")
        async def noop(job: object) -> None:
            """Do nothing."""

        sys.stdout.write("ready\n")
        sys.stdout.flush()
        sys.stdin.readline()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, manager.shutdown.set)
        await manager.run(dequeue_timeout=timedelta(seconds=5), batch_size=100)


uvloop.run(fill(int(sys.argv[2])) if sys.argv[1] == "fill" else work())

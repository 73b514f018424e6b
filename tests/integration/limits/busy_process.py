"""A process that calls as fast as its limits let it: ``busy_process.py PROVIDER_URL REDIS_URL CALLERS``."""

import asyncio
import secrets
import sys
from types import SimpleNamespace

from actors.calling import Caller
from actors.metering import Meter
from db.session import make_pool
from platforms.pages import Item
from platforms.registry import find
from platforms.transport import Transport
from worker.limits.making import make_limits
from worker.settings import load_settings


async def call_for_ever(caller: Caller) -> None:
    """Ask for one profile after the other; where there is no place, come back at the time that was told."""
    profiles = find("tiktok", "keyword")[0].profiles
    items = (Item("1", "2", "somebody", None),)
    while True:
        called = await caller.call(profiles, profiles.request(items), lambda answer: (profiles.parse(answer, items), 1))
        if called.judgement.wait is not None:
            await asyncio.sleep(called.judgement.wait.total_seconds())


async def main(provider_url: str, redis_url: str, callers: int) -> None:
    """Never ends by itself."""
    settings = load_settings()
    transport = Transport(
        provider_url,
        {"x-api-key": "busy"},
        connect_seconds=5,
        read_seconds=30,
        total_seconds=60,
        body_limit_bytes=1_000_000,
        max_connections=callers,
    )
    # No cap of credits is set, so no connection is ever opened.
    pool = make_pool("postgresql://127.0.0.1:1/none", "unused", 1)
    caller = Caller(
        "scrapecreators",
        "account",
        transport,
        asyncio.Semaphore(callers),
        make_limits(settings, redis_url, secrets.token_hex(4), pool),
        Meter(),
        SimpleNamespace(tenant="tenant", job_id="job"),
    )
    await asyncio.gather(*(call_for_ever(caller) for _ in range(callers)))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))

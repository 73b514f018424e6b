"""Jobs with creators, and their export."""

import json
from typing import Any

import psycopg

from tests.integration.handlers.conftest import Engine
from tests.jobs import insert_job


def stored(connection: psycopg.Connection, count: int = 3, bio: str = "lamps, 日本 🌊\n") -> str:
    """A completed job with creators; give its id."""
    job_id = insert_job(connection, status="completed")
    for number in range(count):
        creators = [{"creator": {"id": f"c{number}", "bio": bio, "followers": number}, "platform": "TikTok"}]
        connection.execute(
            "INSERT INTO scraping_results (job_id, creators, created_at) VALUES (%s, %s, clock_timestamp())",
            (job_id, json.dumps(creators)),
        )
    return job_id


def large(connection: psycopg.Connection) -> str:
    """A job whose file of lines has three parts."""
    return stored(connection, 20, "x" * (1 << 20))


async def completed(engine: Engine, **payload: Any) -> dict[str, Any]:
    row = await engine.run("export_creators", payload)
    assert row["status"] == "completed", row["error"]
    return row["result"]

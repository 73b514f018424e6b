"""Says why a job is not running.

The first rule that has something to say about the picture gives the sentence; the order of the rules is the order in
which the causes hide each other.
"""

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import redis
from psycopg import Connection

from db.queries import explaining
from worker.explaining import settled, unfinished
from worker.explaining.history import Event, facts_of, history_of
from worker.explaining.picture import Picture

ALIVE = timedelta(seconds=30)
"""A process that was silent for longer counts as dead: two beats at their usual pace."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a job is not running, or that it is. ``code`` is stable; ``sentence`` is for people."""

    job_table: str
    job_id: str
    at: datetime
    code: str
    sentence: str
    facts: dict[str, Any]
    history: list[Event]

    def to_json(self) -> dict[str, Any]:
        """The same as plain values; times stay `datetime`, which ``show_json`` writes as ISO text."""
        return asdict(self)


def explain(connection: Connection, redis_client: "redis.Redis | None", job_id: str) -> Explanation | None:
    """Say why a job of any table is not running now; None when there is neither a row nor a task of that id.

    Reads in one snapshot, so the connection must be in autocommit. Without Redis, or with one that does not answer,
    the wake-ups are simply not told. Raises `ValueError` when the id is not a UUID.
    """
    job_id = str(UUID(job_id))
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        row = explaining.find_row(connection, job_id)
        task = explaining.find_task(connection, job_id)
        if row is None and task is None:
            return None
        job_table = row.job_table if row else task.job_table if task else ""
        attempts = explaining.attempts_of(connection, task.id) if task else []
        pages = explaining.pages_of(connection, task.id) if task else []
        spends = explaining.spend_of(connection, job_id)
        picture = Picture(
            row,
            task,
            explaining.fleet(connection, job_table, job_id, ALIVE),
            explaining.standing(connection, task.id) if task else None,
            attempts,
        )
    code, sentence = next(answer for rule in RULES if (answer := rule(picture)))
    facts = facts_of(picture, redis_client)
    if spends:
        facts["spent"] = "; ".join(
            f"{one['provider']}: {one['calls']} calls, {one['credits']} credits" for one in spends
        )
    return Explanation(job_table, job_id, picture.now, code, sentence, facts, history_of(picture, pages))


RULES = (*settled.RULES, *unfinished.RULES)

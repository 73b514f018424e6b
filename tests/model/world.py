"""The engine's statements as a model calls them, one after another, and all they left behind."""

import asyncio
import json
import random
import sys
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import scalar_row

from db.queries import claiming, grouping, lanes, settling
from db.queries.claiming import Claimed
from db.queries.committing import PageAnswer, PageWrite, commit_page
from db.queries.grouping import GroupJob
from db.queries.settling import Settled, Settlement
from db.session import connect
from tests.integration.engine.steps import JOB_LANE, JOB_TIMEOUT, LANE, TTL
from worker.settling import WRITERS

T = TypeVar("T")
MAX_RUNNING = 3
MAX_PER_TENANT = 2
LANES = (LANE, JOB_LANE)
TABLES = ("scraping_jobs", "background_jobs")
OPEN = ("ready", "waiting", "leased")

_SNAPSHOT = """
SELECT jsonb_build_object(
    'tasks', (SELECT coalesce(jsonb_object_agg(t.job_id, to_jsonb(t)), '{}') FROM worker.tasks t),
    'rows', (SELECT coalesce(jsonb_object_agg(r.id, r.doc), '{}') FROM (
        SELECT id, to_jsonb(j) || '{"table": "scraping_jobs"}' AS doc FROM scraping_jobs j
        UNION ALL SELECT id, to_jsonb(b) || '{"table": "background_jobs"}' FROM background_jobs b) r),
    'pages', (SELECT coalesce(jsonb_agg(to_jsonb(p) ORDER BY p.task_id, p.seq), '[]') FROM worker.pages p),
    'batches', (SELECT coalesce(jsonb_object_agg(s.id, to_jsonb(s)), '{}') FROM scraping_results s),
    'seen', (SELECT coalesce(jsonb_agg(s.task_id || ':' || s.key ORDER BY s.task_id, s.key), '[]')
               FROM worker.seen_creators s),
    'checkpoints', (SELECT coalesce(jsonb_object_agg(k.task_id, to_jsonb(k)), '{}') FROM worker.checkpoints k),
    'attempts', (SELECT coalesce(jsonb_agg(to_jsonb(a) ORDER BY a.id), '[]') FROM worker.attempts a),
    'inbox', (SELECT coalesce(jsonb_agg(i.job_id ORDER BY i.id), '[]') FROM worker.inbox i),
    'groups', (SELECT coalesce(jsonb_object_agg(g.token, to_jsonb(g)), '{}') FROM worker.group_leases g),
    'lanes', (SELECT jsonb_object_agg(n.lane, to_jsonb(n)) FROM worker.lanes n))
"""

_EMPTY = "; ".join(
    f"DELETE FROM {table}"
    for table in (
        "public.scraping_results",
        "public.scraping_jobs",
        "public.background_jobs",
        "worker.group_leases",
        "worker.tasks",
        "worker.inbox",
        "worker.tenant_turns",
        "worker.lanes",
    )
)


@dataclass(frozen=True)
class Snapshot:
    """Every row that a statement of the engine may change, by job where there is one a job."""

    tasks: dict[str, dict[str, Any]]
    rows: dict[str, dict[str, Any]]
    pages: list[dict[str, Any]]
    batches: dict[str, dict[str, Any]]
    seen: list[str]
    checkpoints: dict[str, dict[str, Any]]
    attempts: list[dict[str, Any]]
    inbox: list[str]
    groups: dict[str, dict[str, Any]]
    lanes: dict[str, dict[str, Any]]

    def pages_of(self, task_id: int) -> list[dict[str, Any]]:
        return [page for page in self.pages if page["task_id"] == task_id]

    def creators_of(self, job_id: str) -> list[str]:
        return [
            creator["creator"]["id"]
            for batch in self.batches.values()
            if batch["job_id"] == job_id
            for creator in batch["creators"]
        ]

    def next_seq(self, task_id: int) -> int:
        checkpoint = self.checkpoints.get(str(task_id))
        return 1 if checkpoint is None else checkpoint["seq"] + 1

    def grouped(self) -> list[int]:
        """Tasks that groups have."""
        return [task for group in self.groups.values() for task in group["tasks"]]

    def in_state(self, *states: str) -> list[dict[str, Any]]:
        """Tasks in these states, in the order in which they were made."""
        return sorted((task for task in self.tasks.values() if task["state"] in states), key=lambda task: task["id"])


def passed(time: str | None) -> bool:
    """Whether a time of a snapshot is over; tz-less ones are UTC."""
    if time is None:
        return False
    read = datetime.fromisoformat(time)
    return (read if read.tzinfo else read.replace(tzinfo=UTC)) <= datetime.now(UTC)


def told_seed() -> int:
    """A new seed, which pytest shows when the test fails."""
    seed = random.SystemRandom().randrange(2**32)
    sys.stdout.write(f"seed {seed}\n")
    return seed


class World:
    """One database and its statements, all of them synchronous."""

    def __init__(self, database_url: str) -> None:
        self._loop = asyncio.new_event_loop()
        self.connection = connect(database_url, "model")
        self._async = self._run(AsyncConnection.connect(database_url, autocommit=True, prepare_threshold=None))

    def close(self) -> None:
        self._run(self._async.close())
        self._loop.close()
        self.connection.close()

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._loop.run_until_complete(work)

    def start_anew(self, max_running: int = MAX_RUNNING, max_per_tenant: int = MAX_PER_TENANT) -> None:
        self.connection.execute(_EMPTY.encode())
        lanes.ensure_lanes(self.connection, [lanes.NewLane(name, max_running, max_per_tenant) for name in LANES])

    def look(self) -> Snapshot:
        with self.connection.cursor(row_factory=scalar_row) as cursor:
            return Snapshot(**cursor.execute(_SNAPSHOT.encode()).fetchone())

    def run_sql(self, statement: str, *parameters: Any) -> int:
        return self.connection.execute(statement.encode(), parameters).rowcount

    @contextmanager
    def in_vain(self) -> Iterator[None]:
        """What is done inside is undone."""
        with self.connection.transaction(force_rollback=True):
            yield

    def claim(self, lane: str, owner: str, tokens: Sequence[UUID]) -> list[Claimed]:
        return self._run(claiming.claim(self._async, lane, owner, tokens, TTL, JOB_TIMEOUT))

    def claim_group(self, owner: str, token: UUID, count: int) -> list[GroupJob]:
        jobs, _ = self._run(grouping.claim_group(self._async, JOB_LANE, owner, token, count, TTL))
        return jobs

    def close_group(self, token: UUID, jobs: Sequence[GroupJob]) -> set[int]:
        return self._run(grouping.close_group(self._async, "model", token, [(job, None) for job in jobs], "{}"))

    def commit_page(self, page: PageWrite) -> PageAnswer:
        return self._run(commit_page(self._async, page))

    def settle(self, held: Claimed, outcome: str, reason: str, delay: timedelta = timedelta(0)) -> Settled:
        settlement = Settlement(
            job_table=held.job_table,
            task_id=held.id,
            token=held.token,
            owner="model",
            outcome=outcome,
            reason=reason,
            detail=f"{outcome}: {reason}",
            delay=delay,
            evidence=json.dumps({"seconds": 1}),
        )
        return self._run(WRITERS.get(outcome, settling.give_back)(self._async, settlement))

    def settled_by(self, held: Claimed) -> bool:
        return self._run(settling.settled_by(self._async, held.id, held.token))

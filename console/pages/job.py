"""One job of any table: why it stands where it stands, what happened to it, what it cost, what it found."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final
from uuid import UUID

import redis
from fastapi import APIRouter, Form, HTTPException, Request
from psycopg import Connection
from starlette.responses import Response

from console.job_words import RUNNABLE, pieces
from console.pages.jobs import lines_of
from console.reading import blocking, reading
from console.rendering import done, fragment, page
from console.security.access import Operator, Reader, who
from console.streaming import stream
from db.queries import background_jobs, explaining, inspecting, quarantining, search_jobs
from db.queries.quarantining import Choice, QuarantineLine
from worker.enqueueing import enqueue_background_job
from worker.explaining.explanation import Explanation, explain
from worker.operating.actions import note

router = APIRouter(include_in_schema=False)
EVENTS: Final = 60
"""Newest events of a timeline that are shown at first."""
ITEMS: Final = 10


@dataclass(frozen=True, slots=True)
class Known:
    """All that there is of one job."""

    told: Explanation
    row: dict[str, Any] | None
    task: dict[str, Any] | None
    spends: list[dict[str, Any]]
    items: list[QuarantineLine]


def _known(connection: Connection, job_id: str, client: "redis.Redis | None") -> Known | None:
    told = explain(connection, client, job_id)
    if told is None:
        return None
    read = {
        "scraping_jobs": inspecting.job_row,
        "background_jobs": background_jobs.job_row,
        "search_jobs": search_jobs.job_row,
    }[told.job_table]
    row = read(connection, job_id)
    task = row.pop("task") if row else None
    return Known(
        told,
        row,
        task,
        explaining.spend_of(connection, job_id),
        quarantining.list_items(connection, Choice(job=job_id), ITEMS) if told.job_table != "background_jobs" else [],
    )


async def _look(request: Request, job_id: str) -> Known:
    seen = await request.app.state.redis.look()
    client = None if seen.problem else request.app.state.redis.client()
    known = await blocking(request, _known, job_id, client)
    if known is None:
        raise HTTPException(404, f"There is no job {job_id}. It may have been deleted, or the id is of something else.")
    return known


async def _shown(request: Request, job_id: str, all_events: bool) -> dict[str, Any]:
    known = await _look(request, job_id)
    shown: dict[str, Any] = {}
    if known.told.job_table != "background_jobs":
        async with reading(request) as connection:
            lines = await lines_of(connection, known.told.job_table, [job_id])
        shown = pieces(lines[0]) if lines else {}
    events = known.told.history[::-1]
    status = str(known.row["status"]) if known.row else "deleted"
    return {
        **shown,
        "job_id": job_id,
        "known": known,
        "explained": known.told,
        "row": known.row,
        "task": known.task,
        "status": status,
        "open": status in RUNNABLE,
        "retryable": status in ("error", "timeout", "failed", "cancelled"),
        "events": events if all_events else events[:EVENTS],
        "older": 0 if all_events else max(0, len(events) - EVENTS),
        "kind": known.told.job_table,
    }


@router.get("/jobs/{job_id}")
async def show(request: Request, session: Reader, job_id: UUID, all: bool = False) -> Response:  # noqa: A002
    """The page."""
    shown = await _shown(request, str(job_id), all)
    return page(request, "job.html", **shown)


@router.get("/jobs/{job_id}/why")
async def why(request: Request, session: Reader, job_id: UUID) -> Response:
    """The sentence alone, for a list."""
    known = await _look(request, str(job_id))
    return page(request, "jobs/why.html", explained=known.told)


@router.get("/streams/jobs/{job_id}")
async def follow(request: Request, session: Reader, job_id: UUID) -> Response:
    """The pieces of the page that change."""

    async def look() -> Mapping[str, str]:
        try:
            shown = await _shown(request, str(job_id), False)
        except HTTPException:
            await asyncio.sleep(5)
            return {}
        if not shown["open"]:
            # It has ended: only somebody's retry would change it.
            await asyncio.sleep(3)
        return {name: fragment(f"job/{name}.html", **shown) for name in ("standing", "timeline", "cost")}

    return stream(request, look, 1.5)


@router.post("/jobs/{job_id}/export")
async def export(
    request: Request,
    session: Operator,
    job_id: UUID,
    format: Annotated[str, Form()] = "csv",  # noqa: A002
) -> Response:
    """Put a background job in that writes the creators to a file."""
    if format not in ("csv", "jsonl", "parquet"):
        raise HTTPException(422, f"format is {format[:50]!r}; expected csv, jsonl or parquet")
    settings = request.app.state.settings
    to = request.app.state.console.export_to or str((settings.home / "exports").absolute())

    def change(connection: Connection) -> str:
        with connection.transaction():
            payload = {"jobId": str(job_id), "format": format, "to": to}
            enqueued = enqueue_background_job(connection, job_type="export_creators", payload=payload)
            note(connection, who(session), "export", job=str(job_id), format=format, background_job=enqueued.job_id)
        return enqueued.job_id

    made = await blocking(request, change)
    return done(request, f"/jobs/{made}", f"An export to {to} is under way; this is its job.")

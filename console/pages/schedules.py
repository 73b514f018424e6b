"""Background jobs put in by the clock: see, change, switch off, run now."""

import json
from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Form, HTTPException, Request
from psycopg import Connection
from starlette.responses import Response

from console.reading import blocking, reading
from console.rendering import done, page
from console.security.access import Operator, Reader, who
from db.queries.console import fleet
from worker.enqueueing import enqueue_background_job
from worker.errors import ConfigurationError
from worker.operating.actions import note
from worker.scheduling import Schedule, list_schedules, put_schedule, remove_schedule

router = APIRouter(include_in_schema=False)
Name = Annotated[str, Form(max_length=200)]


@router.get("/schedules")
async def show(request: Request, session: Reader, edit: str = "") -> Response:
    """All of them, and a form."""
    schedules = await blocking(request, list_schedules)
    async with reading(request) as connection:
        served = {lane.lane.removeprefix("job.") for lane in await fleet.lanes(connection)}
    chosen = next((one for one in schedules if one.stored.name == edit), None)
    return page(request, "schedules.html", schedules=schedules, served=served, chosen=chosen)


@router.post("/schedules")
async def put(
    request: Request,
    session: Operator,
    name: Name,
    cron: Annotated[str, Form(max_length=200)],
    job_type: Annotated[str, Form(max_length=200)],
    time_zone: Annotated[str, Form(max_length=100)] = "UTC",
    payload: Annotated[str, Form(max_length=50_000)] = "{}",
    missed: Annotated[Literal["once", "skip"], Form()] = "once",
    priority: Annotated[int, Form()] = 100,
    enabled: Annotated[bool, Form()] = False,
) -> Response:
    """Make or change one."""
    try:
        content = json.loads(payload or "{}")
    except ValueError as error:
        raise HTTPException(422, f"payload: {error}; expected a JSON object. Go back and correct it.") from None
    if not isinstance(content, dict):
        raise HTTPException(422, "payload is no JSON object; expected one, such as {}. Go back and correct it.")

    def change(connection: Connection) -> None:
        with connection.transaction():
            put_schedule(
                connection,
                name.strip(),
                cron.strip(),
                job_type=job_type.strip(),
                time_zone=time_zone.strip() or "UTC",
                payload=content,
                missed=missed,
                priority=priority,
                enabled=enabled,
            )
            note(connection, who(session), "schedule_put", schedule=name.strip(), cron=cron.strip(), enabled=enabled)

    try:
        await blocking(request, change)
    except ConfigurationError as error:
        raise HTTPException(422, f"{error}. Go back and correct it.") from None
    return done(request, "/schedules", f"{name.strip()} is saved.")


@router.post("/schedules/switch")
async def switch(request: Request, session: Operator, name: Name, enabled: Annotated[bool, Form()] = False) -> Response:
    """Let one fire, or not."""

    def change(connection: Connection) -> None:
        stored = _one(connection, name).stored
        with connection.transaction():
            put_schedule(
                connection,
                stored.name,
                stored.cron,
                job_type=stored.job_type,
                time_zone=stored.time_zone,
                payload=stored.payload,
                missed="skip" if stored.missed == "skip" else "once",
                priority=stored.priority,
                enabled=enabled,
            )
            note(connection, who(session), "schedule_switch", schedule=name, enabled=enabled)

    try:
        await blocking(request, change)
    except ConfigurationError as error:
        raise HTTPException(422, f"{error}. Mend the schedule first.") from None
    return done(request, "/schedules", f"{name} {'fires again' if enabled else 'is switched off'}.")


@router.post("/schedules/run")
async def run(request: Request, session: Operator, name: Name) -> Response:
    """Put its job in now, beside those of the clock."""

    def change(connection: Connection) -> str:
        stored = _one(connection, name).stored
        with connection.transaction():
            payload = {**stored.payload, "slot": datetime.now(UTC).isoformat()}
            job = enqueue_background_job(
                connection, job_type=stored.job_type, payload=payload, priority=stored.priority
            )
            note(connection, who(session), "schedule_run", schedule=name, background_job=job.job_id)
        return job.job_id

    job_id = await blocking(request, change)
    return done(request, f"/jobs/{job_id}", f"{name} runs now; this is its job.")


@router.post("/schedules/remove")
async def remove(request: Request, session: Operator, name: Name) -> Response:
    """Delete one; jobs it has put in stay."""

    def change(connection: Connection) -> bool:
        with connection.transaction():
            gone = remove_schedule(connection, name)
            if gone:
                note(connection, who(session), "schedule_remove", schedule=name)
        return gone

    gone = await blocking(request, change)
    return done(request, "/schedules", f"{name} is gone." if gone else f"There was no schedule {name}.", good=gone)


def _one(connection: Connection, name: str) -> Schedule:
    for one in list_schedules(connection):
        if one.stored.name == name:
            return one
    raise HTTPException(404, f"There is no schedule {name!r}.")

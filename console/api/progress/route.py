"""The route by which progress is heard."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import asdict
from typing import Annotated, Any, Final

import msgspec
from fastapi import Header, Request, Response
from sse_starlette import EventSourceResponse, ServerSentEvent

from console.api.documents import needs, problems
from console.api.jobs import JobId
from console.api.problems import no_such_job, unavailable
from console.api.progress.hub import Hub
from console.api.routing import make_router
from console.api.services import services
from db.queries.api_progress import Standing, standings

router = make_router()

MOST_LISTENERS: Final = 1000
"""Who listens at once in one process."""
HEARTBEAT_SECONDS: Final = 15
SEND_SECONDS: Final = 30.0
"""Longest time one event may take to be sent."""
ENDED: Final = "ended"
"""Id of the last event: who asks again with it learns that there is nothing more."""
EXAMPLE: Final = (
    "event: progress\r\n"
    'data: {"job_id":"5f0c7c1e-0000-4000-8000-000000000000","table":"scraping_jobs","status":"processing",'
    '"progress":42.0,"results":42,"target":100,"pages":2,"state":"leased","reason":null,"error":null}\r\n\r\n'
)

EVENT: Final = {
    "type": "object",
    "required": ["event", "data"],
    "properties": {
        "event": {"type": "string", "enum": ["progress", "end", "gone"]},
        "id": {"type": "string", "const": ENDED},
        "data": {"type": "string", "contentMediaType": "application/json"},
    },
}
"""One event, as the document describes it."""

LastEventId = Annotated[
    str | None, Header(alias="Last-Event-ID", max_length=100, description="Sent by clients that connect again.")
]


@router.get(
    "/jobs/{job_id}/events",
    response_class=EventSourceResponse,
    responses={
        **problems(),
        200: {
            "description": "Server-sent events: `progress` now and after each change; `end` when the job has ended, "
            "`gone` when its row was deleted, after which the stream closes. Comments between are heartbeats.",
            "content": {"text/event-stream": {"itemSchema": EVENT, "example": EXAMPLE}},
        },
        204: {"description": "The client has heard the end (`Last-Event-ID: ended`): nothing more will come."},
    },
    openapi_extra=needs("read"),
    tags=["Look"],
    operation_id="watch_job",
)
async def watch_job(request: Request, job_id: JobId, last_event_id: LastEventId = None) -> Response:
    """Progress of a job as it happens, until it has ended. A listener costs no connection to the database."""
    shared = services(request)
    async with shared.reading() as connection:
        found = await standings(connection, [str(job_id)])
    if not found:
        raise no_such_job(str(job_id))
    if last_event_id == ENDED and found[str(job_id)].final:
        return Response(status_code=204)
    if shared.hub.listening >= MOST_LISTENERS:
        raise unavailable("as many listen as may at once; ask for the job itself meanwhile", HEARTBEAT_SECONDS)
    return EventSourceResponse(_told(shared.hub, str(job_id)), ping=HEARTBEAT_SECONDS, send_timeout=SEND_SECONDS)


async def _told(hub: Hub, job_id: str) -> AsyncIterator[ServerSentEvent]:
    async with aclosing(hub.follow(job_id)) as following:
        async for standing in following:
            if standing is None:
                yield _event("gone", {"job_id": job_id}, ENDED)
            elif standing.final:
                yield _event("end", _shown(standing), ENDED)
            else:
                yield _event("progress", _shown(standing), None)


def _event(name: str, data: dict[str, Any], event_id: str | None) -> ServerSentEvent:
    return ServerSentEvent(msgspec.json.encode(data).decode(), event=name, id=event_id)


def _shown(standing: Standing) -> dict[str, Any]:
    return asdict(standing)

"""Routes that give stored creators: a page of them, or all in one stream."""

from typing import Annotated

import msgspec
from fastapi import Query, Request, Response

from actors.handlers.creator_lines import creators_in
from console.api.answers import CreatorPage
from console.api.cursors import cursor_of, place_of
from console.api.documents import needs, problems
from console.api.jobs import JobId
from console.api.line_stream import LineStream, lines_of
from console.api.problems import Problem, no_such_job, unavailable
from console.api.replies import reply
from console.api.routing import make_router
from console.api.services import STREAM_NAME, Services, services
from db.queries.api_places import After
from db.queries.api_progress import standings
from db.queries.api_results import BEGINNING, ROWS_OF_A_BATCH, batches_after
from db.session import connect_async

router = make_router()

Limit = Annotated[
    int,
    Query(
        ge=1,
        le=100,
        description="Stored batches of a page. A batch is what one page of a provider brought, about 30 creators, or "
        f"{ROWS_OF_A_BATCH} rows of a search.",
    ),
]
Cursor = Annotated[str | None, Query(max_length=300, description="`next_cursor` of the page before.")]


@router.get(
    "/jobs/{job_id}/results",
    response_model=CreatorPage,
    responses=problems(),
    openapi_extra=needs("read"),
    tags=["Results"],
    operation_id="list_creators",
)
async def list_creators(request: Request, job_id: JobId, limit: Limit = 5, cursor: Cursor = None) -> Response:
    """Creators of a job, in the order in which they were stored; what a running job stores later comes later."""
    after = place_of(cursor) or BEGINNING
    async with services(request).reading() as connection:
        found = await standings(connection, [str(job_id)])
        table = _table_with_creators(str(job_id), found[str(job_id)].table if found else None)
        # One batch more than is shown tells whether there is a next page.
        batches = await batches_after(connection, table, str(job_id), after, limit + 1)
    size = limit * ROWS_OF_A_BATCH if table == "search_jobs" else limit
    page = batches[:size]
    last = page[-1] if len(batches) > size else None
    creators = [msgspec.Raw(one) for one in creators_in(batch.creators for batch in page)]
    next_cursor = cursor_of(After(last.created_at, last.id)) if last else None
    return reply({"job_id": str(job_id), "creators": creators, "next_cursor": next_cursor})


@router.get(
    "/jobs/{job_id}/results.ndjson",
    response_class=Response,
    responses={
        **problems(),
        200: {
            "description": "A creator a line. A stream that breaks off has no end, which every client notices.",
            "content": {"application/x-ndjson": {"schema": {"type": "string"}}},
        },
    },
    openapi_extra=needs("read"),
    tags=["Results"],
    operation_id="stream_creators",
)
async def stream_creators(request: Request, job_id: JobId) -> Response:
    """All creators of a job that are stored now, one JSON object a line, however many there are."""
    shared = services(request)
    async with shared.reading() as connection:
        found = await standings(connection, [str(job_id)])
    table = _table_with_creators(str(job_id), found[str(job_id)].table if found else None)
    return await _stream(shared, table, str(job_id))


async def _stream(shared: Services, table: str, job_id: str) -> Response:
    if shared.streams.locked():
        raise unavailable("as many streams as may run at once are running; try again", 5)
    await shared.streams.acquire()
    try:
        # A connection of its own: a slow reader must not keep one of the pool from everybody else.
        connection = await connect_async(shared.database_url, STREAM_NAME)
    except BaseException:
        shared.streams.release()
        raise
    return LineStream(connection, lines_of(connection, table, job_id), shared.streams.release)


def _table_with_creators(job_id: str, table: str | None) -> str:
    if table is None:
        raise no_such_job(job_id)
    if table == "background_jobs":
        raise Problem(
            404,
            "no_creators",
            f"{job_id} is a background job, which stores no creators; expected a scraping job or a search; what it "
            f"gave is `result` of /api/v1/jobs/{job_id}",
        )
    return table

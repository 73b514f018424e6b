"""Routes that show jobs: one, why it waits, and lists."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import Path, Query, Request, Response

from console.api.answers import Explanation, Job, JobPage
from console.api.cursors import cursor_of, place_of
from console.api.documents import needs, problems
from console.api.filters import BackgroundFilters, Filters, ScrapingFilters, SearchFilters
from console.api.problems import no_such_job
from console.api.replies import reply, shown
from console.api.routing import make_router
from console.api.services import services
from db.queries.api_jobs import TASK_COLUMNS, find_job
from db.queries.api_lists import jobs_page
from db.queries.api_places import After
from db.queries.explaining import spend_of
from worker.explaining.explanation import explain

router = make_router()

JobId = Annotated[
    UUID,
    Path(
        description="A job of any table; of a search, the UUID by which the engine knows it.",
        examples=["5f0c7c1e-0000-4000-8000-000000000000"],
    ),
]
Why = Annotated[bool, Query(description="`false` leaves out why the job waits, which costs a look at its lane.")]


@router.get(
    "/jobs/{job_id}",
    response_model=Job,
    responses=problems(),
    openapi_extra=needs("read"),
    tags=["Look"],
    operation_id="get_job",
)
def get_job(request: Request, job_id: JobId, why: Why = True) -> Response:
    """A job of any table: its row, how far it is, why it waits, and what it has cost."""
    name = str(job_id)
    with services(request).working() as connection:
        row = find_job(connection, name)
        if row is None:
            raise no_such_job(name)
        costs = spend_of(connection, name)
        told = explain(connection, None, name) if why else None
    task = {column: row.pop(column) for column in TASK_COLUMNS}
    answer = {**shown(row), "task": shown(task) if task["state"] else None, "cost": costs}
    if told is not None:
        answer["why"] = {"code": told.code, "sentence": told.sentence}
    return reply(answer)


@router.get(
    "/jobs/{job_id}/explanation",
    response_model=Explanation,
    responses=problems(),
    openapi_extra=needs("read"),
    tags=["Look"],
    operation_id="explain_job",
)
def explain_job(request: Request, job_id: JobId) -> Response:
    """Why a job is not running now, and all that happened to it."""
    with services(request).working() as connection:
        told = explain(connection, None, str(job_id))
    if told is None:
        raise no_such_job(str(job_id))
    history = [{"at": one.at, "kind": one.kind, "text": one.text, "facts": shown(one.facts)} for one in told.history]
    return reply(
        {
            "job_id": told.job_id,
            "table": told.job_table,
            "at": told.at,
            "code": told.code,
            "sentence": told.sentence,
            "facts": shown(told.facts),
            "history": history,
        }
    )


@router.get(
    "/scraping-jobs",
    response_model=JobPage,
    responses=problems(),
    openapi_extra=needs("read"),
    tags=["Look"],
    operation_id="list_scraping_jobs",
)
async def list_scraping_jobs(request: Request, filters: Annotated[ScrapingFilters, Query()]) -> Response:
    """Scraping jobs, newest first."""
    return await _page(request, "scraping_jobs", filters)


@router.get(
    "/background-jobs",
    response_model=JobPage,
    responses=problems(),
    openapi_extra=needs("read"),
    tags=["Look"],
    operation_id="list_background_jobs",
)
async def list_background_jobs(request: Request, filters: Annotated[BackgroundFilters, Query()]) -> Response:
    """Background jobs, newest first."""
    return await _page(request, "background_jobs", filters)


@router.get(
    "/search-jobs",
    response_model=JobPage,
    responses=problems(),
    openapi_extra=needs("read"),
    tags=["Look"],
    operation_id="list_search_jobs",
)
async def list_search_jobs(request: Request, filters: Annotated[SearchFilters, Query()]) -> Response:
    """Rows of `search_jobs`, newest first; none where the application has no such table."""
    return await _page(request, "search_jobs", filters)


async def _page(request: Request, table: str, filters: Filters) -> Response:
    after = place_of(filters.cursor)
    asked = filters.model_dump(exclude={"limit", "cursor"})
    async with services(request).reading() as connection:
        # One more than is shown tells whether there is a next page.
        rows = await jobs_page(connection, table, asked, after, filters.limit + 1)
    page, more = rows[: filters.limit], len(rows) > filters.limit
    jobs: list[dict[str, Any]] = [{"table": table, **shown(row)} for row in page]
    last = After(page[-1]["created_at"], page[-1]["job_id"]) if page else None
    return reply({"jobs": jobs, "next_cursor": cursor_of(last) if more and last else None})

"""The list of scraping jobs and searches, live."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from fastapi import APIRouter, HTTPException, Query, Request
from psycopg import AsyncConnection
from starlette.responses import RedirectResponse, Response

from console.job_words import pieces
from console.reading import blocking, reading
from console.rendering import fragment, page
from console.security.access import Reader
from console.streaming import stream
from db.queries import searching
from db.queries.console import background_lines, finding, job_lines
from db.queries.console.finding import Found, Wanted
from db.queries.console.job_lines import JobLine
from db.queries.search_jobs import there_are_searches
from platforms.registry import PLATFORM_NAMES

router = APIRouter(include_in_schema=False)

SHOWN: Final = 25
STATUSES: Final = {
    "scraping_jobs": ("pending", "processing", "completed", "error", "timeout"),
    "search_jobs": ("queued", "processing", "completed", "error", "timeout"),
}
Table = Literal["scraping_jobs", "search_jobs"]
Text = Annotated[str, Query(max_length=200)]


async def lines_of(connection: AsyncConnection[Any], table: str, ids: Sequence[str]) -> list[JobLine]:
    """The jobs of these ids as lines of a list."""
    of = job_lines.scraping_lines if table == "scraping_jobs" else job_lines.search_lines
    return await of(connection, ids) if ids else []


@router.get("/jobs")
async def show(
    request: Request,
    session: Reader,
    table: Table = "scraping_jobs",
    status: Text = "",
    platform: Text = "",
    user: Text = "",
    campaign: Text = "",
    q: Text = "",
    after: Annotated[str, Query(max_length=100)] = "",
) -> Response:
    """One page of it. A text that is a job's id leads to that job."""
    if q and (to := await _job_named(request, q)):
        return RedirectResponse(to, status_code=303)
    if campaign:
        _expect_uuid("campaign", campaign)
    wanted = Wanted(status or None, platform or None, user or None, campaign or None, q.strip() or None)
    there = table == "scraping_jobs" or await blocking(request, there_are_searches)
    found = Found([], None, None)
    lines: list[JobLine] = []
    new = 0
    if there:
        find = finding.scraping_ids if table == "scraping_jobs" else finding.search_ids
        async with reading(request) as connection:
            found = await find(connection, wanted, after or None, SHOWN)
            lines = await lines_of(connection, table, found.ids)
            if table == "search_jobs":
                new = len(await background_lines.unadopted(connection, table, 1000))
    filters = {"table": table, "status": status, "platform": platform, "user": user, "campaign": campaign, "q": q}
    return page(
        request,
        "jobs.html",
        lines=[pieces(line) for line in lines],
        found=found,
        filters=filters,
        filtered=any(value for name, value in filters.items() if name != "table"),
        first=not after,
        statuses=STATUSES[table],
        platforms=sorted(PLATFORM_NAMES.values()),
        there=there,
        new=new,
    )


@router.get("/streams/jobs")
async def follow(
    request: Request,
    session: Reader,
    job: Annotated[list[str], Query(max_length=SHOWN)],
    table: Table = "scraping_jobs",
) -> Response:
    """The changing cells of these jobs: ``state-ID`` and ``progress-ID``."""
    ids = [_expect_uuid("job", one) for one in job]

    async def look() -> Mapping[str, str]:
        async with reading(request) as connection:
            lines = await lines_of(connection, table, ids)
        told: dict[str, str] = {}
        for line in lines:
            shown = pieces(line)
            told[f"state-{line.id}"] = fragment("jobs/state.html", **shown)
            told[f"progress-{line.id}"] = fragment("jobs/progress.html", **shown)
        return told

    return stream(request, look, 1.0)


async def _job_named(request: Request, text: str) -> str | None:
    text = text.strip()
    if text.startswith("search:"):
        return f"/jobs/{await blocking(request, searching.key_of, text.removeprefix('search:'))}"
    try:
        return f"/jobs/{UUID(text)}"
    except ValueError:
        return None


def _expect_uuid(what: str, text: str) -> str:
    try:
        return str(UUID(text))
    except ValueError:
        raise HTTPException(422, f"{what} is {text[:100]!r}; expected a UUID") from None

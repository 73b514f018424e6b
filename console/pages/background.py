"""The list of background jobs, and how they stand by themselves: each is a page of its own under ``/jobs``."""

from collections.abc import Mapping
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Query, Request
from starlette.responses import RedirectResponse, Response

from console.job_words import RUNNABLE, shown_state, why
from console.reading import reading
from console.rendering import fragment, page
from console.security.access import Reader
from console.streaming import stream
from db.queries.console import background_lines, finding, fleet
from db.queries.console.background_lines import BackgroundLine
from db.queries.console.finding import Wanted

router = APIRouter(include_in_schema=False)
SHOWN: Final = 25
STATUSES: Final = ("pending", "processing", "completed", "failed")
Text = Annotated[str, Query(max_length=200)]


def _pieces(line: BackgroundLine) -> dict[str, object]:
    return {"line": line, "state": shown_state(line), "why": why(line), "open": line.status in RUNNABLE}


@router.get("/background")
async def show(
    request: Request,
    session: Reader,
    status: Text = "",
    job_type: Text = "",
    user: Text = "",
    q: Text = "",
    after: Annotated[str, Query(max_length=30, pattern=r"^\d*$")] = "",
) -> Response:
    """One page of it."""
    if (job_id := _uuid(q)) is not None:
        return RedirectResponse(f"/jobs/{job_id}", status_code=303)
    wanted = Wanted(status or None, None, user or None, None, q.strip() or None)
    async with reading(request) as connection:
        found = await finding.background_ids(connection, wanted, job_type or None, after or None, SHOWN)
        lines = await background_lines.background_lines(connection, found.ids)
        new = len(await background_lines.unadopted(connection, "background_jobs", 1000))
        lanes = await fleet.lanes(connection)
    filters = {"status": status, "job_type": job_type, "user": user, "q": q}
    return page(
        request,
        "background.html",
        lines=[_pieces(line) for line in lines],
        found=found,
        filters=filters,
        filtered=any(filters.values()),
        first=not after,
        statuses=STATUSES,
        job_types=sorted(lane.lane.removeprefix("job.") for lane in lanes if lane.lane.startswith("job.")),
        new=new,
    )


@router.get("/streams/background")
async def follow(request: Request, session: Reader, job: Annotated[list[UUID], Query(max_length=SHOWN)]) -> Response:
    """The changing cells of these jobs: ``state-ID``."""
    ids = [str(one) for one in job]

    async def look() -> Mapping[str, str]:
        async with reading(request) as connection:
            lines = await background_lines.background_lines(connection, ids)
        return {f"state-{line.id}": fragment("jobs/state.html", **_pieces(line)) for line in lines}

    return stream(request, look, 1.0)


def _uuid(text: str) -> str | None:
    try:
        return str(UUID(text.strip()))
    except ValueError:
        return None

"""Items that could not be read: look at them, and read them again."""

from collections import Counter
from typing import Annotated, Final
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Form, HTTPException, Query, Request
from psycopg import Connection
from starlette.responses import Response

from actors.replaying import Replay, replay_job
from console.reading import blocking, reading
from console.rendering import done, page
from console.security.access import Operator, Reader, who
from db.queries import quarantining
from db.queries.console import aside
from db.queries.quarantining import SETTLED, Choice
from worker.operating.actions import note

router = APIRouter(include_in_schema=False)
SHOWN: Final = 25
MOST_JOBS: Final = 200
"""Jobs whose items one click reads again."""

LEFT: Final = {
    "running": "a worker has it at this moment; replay it when it has ended",
    "locked": "something else holds its row or task; try again",
    "gone": "the application has deleted its row",
}
Text = Annotated[str, Query(max_length=200)]
FormText = Annotated[str, Form(max_length=200)]


@router.get("/quarantine")
async def show(
    request: Request,
    session: Reader,
    job: Text = "",
    provider: Text = "",
    endpoint: Text = "",
    reason: Text = "",
    after: Annotated[str, Query(max_length=30, pattern=r"^\d*$")] = "",
) -> Response:
    """The newest of them."""
    choice = _choice(job, provider, endpoint, reason)
    async with reading(request) as connection:
        items = await aside.items(connection, choice, int(after) if after else None, SHOWN + 1)
    filters = {"job": job, "provider": provider, "endpoint": endpoint, "reason": reason}
    return page(
        request,
        "quarantine.html",
        items=items[:SHOWN],
        after=items[SHOWN - 1].id if len(items) > SHOWN else None,
        filters=filters,
        filtered=any(filters.values()),
        settled=SETTLED,
        first=not after,
    )


@router.get("/quarantine/{item_id}")
async def one(request: Request, session: Reader, item_id: int) -> Response:
    """One item with all that was kept of it."""
    item = await blocking(request, quarantining.whole_item, item_id)
    if item is None:
        raise HTTPException(404, f"There is no item {item_id}. It may have been pruned.")
    return page(request, "quarantine_item.html", item=item, settled=SETTLED)


@router.post("/quarantine/replay")
async def replay(
    request: Request,
    session: Operator,
    job: FormText = "",
    provider: FormText = "",
    endpoint: FormText = "",
    reason: FormText = "",
    dry_run: Annotated[bool, Form()] = False,
) -> Response:
    """Read the items again with the present parser, and store what now passes."""
    choice = _choice(job, provider, endpoint, reason)
    unplanned = request.app.state.settings.unplanned_creators

    def change(connection: Connection) -> list[Replay]:
        tasks = quarantining.tasks_with_items(connection, choice)[:MOST_JOBS]
        replays = [
            replay_job(connection, task_id, job_id, choice, unplanned=unplanned, dry_run=dry_run)
            for task_id, job_id in tasks
        ]
        if not dry_run and replays:
            verdicts = dict(_sum(replays))
            note(connection, who(session), "replay", jobs=len(replays), verdicts=verdicts, **choice.values)
        return replays

    replays = await blocking(request, change)
    given = {"job": job, "provider": provider, "endpoint": endpoint, "reason": reason}
    back = "/quarantine?" + urlencode({name: value for name, value in given.items() if value})
    return done(request, back.rstrip("?"), told_of(replays, dry_run), good=bool(_sum(replays)))


def told_of(replays: list[Replay], dry_run: bool) -> str:
    """What became of the items, in a sentence or two."""
    counts = _sum(replays)
    left = Counter(LEFT.get(one.left, one.left) for one in replays if one.left is not None)
    if not counts and not left:
        return "No item is left to be read: all are settled."
    told = ", ".join(f"{count} {verdict.replace('_', ' ')}" for verdict, count in counts.most_common())
    text = f"{'Nothing was changed. It would be: ' if dry_run else 'Read again: '}{told or 'nothing'}."
    if left:
        text += " Left alone: " + "; ".join(f"{times}: {why}" for why, times in left.most_common(3)) + "."
    return text


def _sum(replays: list[Replay]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for one in replays:
        counts.update(one.verdicts)
    return counts


def _choice(job: str, provider: str, endpoint: str, reason: str) -> Choice:
    try:
        job_id = str(UUID(job.strip())) if job.strip() else None
    except ValueError:
        raise HTTPException(422, f"job is {job[:100]!r}; expected a UUID. Go back and correct it.") from None
    return Choice(job_id, provider.strip() or None, endpoint.strip() or None, reason.strip() or None)

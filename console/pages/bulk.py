"""Retrying and cancelling many jobs: first what would happen, then what did."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Form, HTTPException, Query, Request
from psycopg import Connection
from starlette.responses import Response

from console.reading import blocking
from console.rendering import done, page
from console.security.access import Operator, Reader, who
from worker.operating.cancelling import cancel, preview_cancel
from worker.operating.outcome import Outcome, Preview
from worker.operating.retrying import preview_retry, retry
from worker.operating.selection import MOST, TABLES, Selection

router = APIRouter(include_in_schema=False)
Action = Literal["retry", "cancel"]
SHOWN = 50
FIELDS = ("status", "platform", "kind", "campaign", "user", "error_like", "since", "until", "limit", "table")


def _text(name: str, source: Any) -> Any:
    return source.get(name, "").strip() or None


async def _given(request: Request) -> dict[str, Any]:
    """The fields of the address or of the form, as texts; ``ids`` is a list."""
    source = await request.form() if request.method == "POST" else request.query_params
    texts = {name: _text(name, source) for name in FIELDS}
    return {"ids": [str(one) for one in source.getlist("id")], **texts}


def selection_of(given: dict[str, Any]) -> Selection:
    """The jobs that are meant. Raises `HTTPException` that says what was given and what is expected."""
    try:
        limit = int(given["limit"]) if given["limit"] else None
        moments = {name: _moment(given[name]) for name in ("since", "until")}
        return Selection(**{**given, **moments, "limit": limit, "ids": tuple(given["ids"])})
    except ValueError as error:
        raise HTTPException(422, f"{error}. Go back and correct it.") from None


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    at = datetime.fromisoformat(text)
    return at if at.tzinfo else at.replace(tzinfo=UTC)


@router.get("/jobs/bulk")
async def preview(
    request: Request,
    session: Reader,
    given: Annotated[dict[str, Any], Depends(_given)],
    action: Annotated[Action, Query()] = "retry",
) -> Response:
    """What an action would do, and a form to choose other jobs."""
    selection = selection_of(given)
    told: Preview | None = None
    if not selection.names_nothing:
        told = await blocking(request, preview_retry if action == "retry" else preview_cancel, selection)
    return page(
        request,
        "bulk.html",
        action=action,
        given=given,
        preview=told,
        shown=told.rows[:SHOWN] if told else [],
        skipped=list(told.skipped.items())[:SHOWN] if told else [],
        tables=TABLES,
        most=MOST,
    )


@router.post("/jobs/bulk")
async def do(
    request: Request,
    session: Operator,
    given: Annotated[dict[str, Any], Depends(_given)],
    action: Annotated[Action, Form()],
    from_start: Annotated[bool, Form()] = False,
    spread_minutes: Annotated[float, Form(ge=0, le=10_080)] = 0,
    reason: Annotated[str, Form(max_length=500)] = "",
    back: Annotated[str, Form(max_length=500)] = "/jobs",
) -> Response:
    """Do it."""
    selection = selection_of(given)
    if selection.names_nothing:
        raise HTTPException(422, "Nothing is chosen: that would be every job. Tick some, or set a filter.")
    actor = who(session)

    def change(connection: Connection) -> Outcome:
        if action == "retry":
            spread = timedelta(minutes=spread_minutes) if spread_minutes else None
            return retry(connection, selection, actor=actor, from_start=from_start, spread=spread)
        return cancel(connection, selection, actor=actor, reason=reason.strip() or f"cancelled by {session.name}")

    outcome = await blocking(request, change)
    to = back if back.startswith("/") and not back.startswith(("//", "/\\")) else "/jobs"
    return done(request, to, told_of(action, outcome), good=bool(outcome.done))


def told_of(action: Action, outcome: Outcome) -> str:
    """What was done and what was left alone, in a sentence or two."""
    count = len(outcome.done)
    text = f"{count:,} {'job' if count == 1 else 'jobs'} {'retried' if action == 'retry' else 'cancelled'}."
    if outcome.notes:
        notes = Counter(outcome.notes.values())
        text += f" {'; '.join(f'{times}: {note}' for note, times in notes.most_common(2))}."
    if outcome.skipped:
        reasons = Counter(outcome.skipped.values()).most_common(3)
        text += f" Left alone: {'; '.join(f'{times}: {why}' for why, times in reasons)}."
    return text + (" More jobs match: do it again for them." if outcome.more else "")

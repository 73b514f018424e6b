"""Routes that change what was put in: cancel and retry, as the command does them."""

from fastapi import Request, Response

from console.api.answers import Changed
from console.api.bodies import Cancel, Retry
from console.api.documents import needs, problems
from console.api.jobs import JobId
from console.api.problems import Problem, no_such_job, unavailable
from console.api.replies import reply
from console.api.routing import make_router
from console.api.services import services
from console.api.tokens import caller_of
from db.queries.api_jobs import find_job
from db.queries.cancelling import CANCELLED
from worker.operating import cancelling, retrying
from worker.operating.selection import Selection

router = make_router()


@router.post(
    "/jobs/{job_id}/cancel",
    response_model=Changed,
    responses=problems(409, 413, 415),
    openapi_extra=needs("control"),
    tags=["Control"],
    operation_id="cancel_job",
)
def cancel_job(request: Request, job_id: JobId, body: Cancel | None = None) -> Response:
    """Stop a job; what it has found is kept.

    One that nobody runs is `cancelled` at once. One that runs is `asked`, and stops at its next page or when its
    handler returns. Harmless twice.
    """
    name = str(job_id)
    reason = (body.reason.strip() if body else "") or "by the API"
    with services(request).working() as connection:
        row = find_job(connection, name)
        if row is None:
            raise no_such_job(name)
        if str(row["error"] or "").startswith(CANCELLED):
            return _changed(name, "cancelled", f"it was {row['error']}")
        outcome = cancelling.cancel(connection, Selection(ids=[name]), actor=_actor(request), reason=reason)
    if name not in outcome.done:
        raise _refused(outcome.skipped.get(name, "it cannot be cancelled"), cancelling.HELD, "not_cancellable")
    if note := outcome.notes.get(name):
        return _changed(name, "asked", note)
    return _changed(name, "cancelled", "it ended at once")


@router.post(
    "/jobs/{job_id}/retry",
    response_model=Changed,
    responses=problems(409, 413, 415),
    openapi_extra=needs("control"),
    tags=["Control"],
    operation_id="retry_job",
)
def retry_job(request: Request, job_id: JobId, body: Retry | None = None) -> Response:
    """Let a job that ended as `error`, `timeout` or `failed` go on where it stopped, whatever it spent before."""
    name = str(job_id)
    with services(request).working() as connection:
        if find_job(connection, name) is None:
            raise no_such_job(name)
        outcome = retrying.retry(
            connection,
            Selection(ids=[name]),
            actor=_actor(request),
            from_start=body is not None and body.from_start,
        )
    if name not in outcome.done:
        raise _refused(outcome.skipped.get(name, "it cannot be retried"), retrying.HELD, "not_retryable")
    return _changed(name, "pending", outcome.notes.get(name, "it runs again, as if it had spent nothing"))


def _actor(request: Request) -> str:
    return f"api {caller_of(request).name}"


def _changed(job_id: str, outcome: str, detail: str) -> Response:
    return reply({"job_id": job_id, "outcome": outcome, "detail": detail})


def _refused(why: str, held: str, code: str) -> Problem:
    return unavailable(why, 2) if why == held else Problem(409, code, f"{why}; nothing was changed")

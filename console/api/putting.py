"""Routes that put jobs in."""

from typing import Annotated, Any, Final

from fastapi import Header, Request, Response

from console.api.answers import Enqueued, EnqueuedMany
from console.api.bodies import BackgroundJob, BackgroundJobs, IdempotencyKey, ScrapingJob, ScrapingJobs
from console.api.documents import needs, problems
from console.api.enqueueing import put_background, put_searches
from console.api.idempotency import Put
from console.api.judging import warnings_of
from console.api.replies import reply
from console.api.routing import make_router
from console.api.services import services
from console.api.tokens import caller_of

router = make_router()

Key = Annotated[
    IdempotencyKey | None,
    Header(
        alias="Idempotency-Key",
        description="With the same key, the same request gives the same job and 200; another request is a 409. Keys "
        "belong to the token's name, and are kept for 90 days.",
        examples=["order-17"],
    ),
]
ONE: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "The idempotency key names this job already.", "model": Enqueued},
    201: {
        "description": "The job is in the database.",
        "headers": {"Location": {"schema": {"type": "string"}, "description": "Where the job is."}},
    },
}
MANY: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "Nothing was new: the idempotency keys name all of these jobs.", "model": EnqueuedMany},
    201: {"description": "All jobs are in the database."},
}


@router.post(
    "/scraping-jobs",
    status_code=201,
    response_model=Enqueued,
    responses={**problems(409, 413, 415), **ONE},
    openapi_extra=needs("enqueue"),
    tags=["Enqueue"],
    operation_id="enqueue_scraping_job",
)
def enqueue_scraping_job(request: Request, job: ScrapingJob, idempotency_key: Key = None) -> Response:
    """Search for creators.

    What no worker could do is refused here, with the place that is wrong. The answer is given after the commit; a
    worker begins within a second.
    """
    (put,) = put_searches(services(request), caller_of(request).name, [job], [idempotency_key], "")
    return _one(put, warnings_of(job))


@router.post(
    "/scraping-jobs/bulk",
    status_code=201,
    response_model=EnqueuedMany,
    responses={**problems(409, 413, 415), **MANY},
    openapi_extra=needs("enqueue"),
    tags=["Enqueue"],
    operation_id="enqueue_scraping_jobs",
)
def enqueue_scraping_jobs(request: Request, body: ScrapingJobs) -> Response:
    """Search for creators, up to a thousand searches a call: all are put in, or none.

    What is wrong is told of all of them together. Send it again after a lost answer, with the same keys.
    """
    keys = [job.idempotency_key for job in body.jobs]
    puts = put_searches(services(request), caller_of(request).name, body.jobs, keys, "/jobs/{}")
    return _many(puts, [warnings_of(job) for job in body.jobs])


@router.post(
    "/background-jobs",
    status_code=201,
    response_model=Enqueued,
    responses={**problems(409, 413, 415), **ONE},
    openapi_extra=needs("enqueue"),
    tags=["Enqueue"],
    operation_id="enqueue_background_job",
)
def enqueue_background_job(request: Request, job: BackgroundJob, idempotency_key: Key = None) -> Response:
    """Have something done, now or later.

    A type that no handler serves, and a payload that its handler would not read, are refused here.
    """
    (put,) = put_background(services(request), caller_of(request).name, [job], [idempotency_key], "")
    return _one(put, [])


@router.post(
    "/background-jobs/bulk",
    status_code=201,
    response_model=EnqueuedMany,
    responses={**problems(409, 413, 415), **MANY},
    openapi_extra=needs("enqueue"),
    tags=["Enqueue"],
    operation_id="enqueue_background_jobs",
)
def enqueue_background_jobs(request: Request, body: BackgroundJobs) -> Response:
    """Have up to a thousand things done: all are put in, or none."""
    keys = [job.idempotency_key for job in body.jobs]
    puts = put_background(services(request), caller_of(request).name, body.jobs, keys, "/jobs/{}")
    return _many(puts, [[] for _ in puts])


def _one(put: Put, warnings: list[str]) -> Response:
    headers = {"Location": f"/api/v1/jobs/{put.job_id}"} if put.created else None
    return reply(_shown(put, warnings), 201 if put.created else 200, headers)


def _many(puts: list[Put], warnings: list[list[str]]) -> Response:
    created = sum(put.created for put in puts)
    jobs = [_shown(put, told) for put, told in zip(puts, warnings, strict=True)]
    return reply({"jobs": jobs, "created": created}, 201 if created else 200)


def _shown(put: Put, warnings: list[str]) -> dict[str, object]:
    return {"job_id": put.job_id, "created": put.created, "warnings": warnings}

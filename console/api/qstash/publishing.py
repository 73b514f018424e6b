"""The route that the application publishes to, as it did to QStash."""

from collections.abc import Mapping
from typing import Final

import structlog
from fastapi import Request, Response
from psycopg import Connection
from starlette.concurrency import run_in_threadpool

from console.api.documents import needs
from console.api.judging import payload_is_read
from console.api.problems import Problem, Wrongs
from console.api.qstash.destinations import NewJob, Row, read_message
from console.api.qstash.headers import Wanted, read_headers
from console.api.replies import reply
from console.api.routing import make_router
from console.api.services import Services, services
from console.api.tokens import caller_of
from db.queries import api_publishing
from db.queries.api_bulk import insert_background_jobs
from db.queries.api_keys import known_jobs, name_jobs, take_keys
from db.queries.enqueueing import NewBackgroundJob

log = structlog.get_logger()

router = make_router()

PRIORITY: Final = 100
RETRIES: Final = 3
"""Of a message that says nothing about it; as QStash has it."""


@router.post("/publish/{destination:path}", openapi_extra=needs("enqueue"))
async def publish(request: Request, destination: str) -> Response:
    """Take a message. The answer, which names it, is given after the commit."""
    raw = await request.body()
    wanted = read_headers(request.headers, destination, raw)
    message = read_message(destination, raw)
    if wanted.ignored:
        log.info("qstash_headers_ignored", headers=list(wanted.ignored))
    owner = caller_of(request).name
    message_id, known = await run_in_threadpool(_take, services(request), owner, message, wanted)
    answer: Mapping[str, object] = {"messageId": message_id, "url": destination}
    # QStash tells one that it knows by 202 and by this name.
    return reply({**answer, "deduplicated": True}, 202) if known else reply(answer, 201)


def _take(services: Services, owner: str, message: Row | NewJob, wanted: Wanted) -> tuple[str, bool]:
    """The message's name, and whether it was known before."""
    job = _judged(services, message, wanted) if isinstance(message, NewJob) else None
    table = message.table if isinstance(message, Row) else "background_jobs"
    key = None if wanted.deduplication_id is None else f"qstash:{owner}:{wanted.deduplication_id}"
    with services.working() as connection, connection.transaction():
        connection.execute("SET LOCAL lock_timeout = '5s'")
        while key is not None and not take_keys(connection, table, [key]):
            # A key that is taken may be pruned before it is read; then it is free.
            if known := known_jobs(connection, {key: ""}).get(key):
                return known.job_id, True
        job_id = insert_background_jobs(connection, [job])[0] if job else _seen_to(connection, message, wanted)
        if key is not None:
            name_jobs(connection, {key: job_id}, {})
    return job_id, False


def _judged(services: Services, message: NewJob, wanted: Wanted) -> NewBackgroundJob:
    wrongs = Wrongs()
    payload_is_read(message.job_type, message.payload, services.handlers, "", wrongs)
    wrongs.refuse()
    retries = RETRIES if wanted.retries is None else wanted.retries
    return NewBackgroundJob(message.job_type, message.payload, PRIORITY, retries, wanted.due)


def _seen_to(connection: Connection, message: Row | NewJob, wanted: Wanted) -> str:
    assert isinstance(message, Row)  # noqa: S101 - new jobs are put in
    if message.table == "scraping_jobs":
        status = api_publishing.find_scraping_status(connection, message.job_id)
    else:
        status = api_publishing.find_background_status(connection, message.job_id)
    if status is None:
        raise Problem(
            404,
            "unknown_job",
            f"jobId is {message.job_id}, and {message.table} has no such row; expected one that is committed before "
            "its message is published",
        )
    if message.watch_only:
        return message.job_id
    if message.table == "scraping_jobs":
        api_publishing.see_to_scraping_job(connection, message.job_id, wanted.due)
    else:
        api_publishing.see_to_background_job(connection, message.job_id, wanted.due, wanted.retries)
    return message.job_id

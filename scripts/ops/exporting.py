"""The command that puts an export in."""

import sys
from enum import StrEnum
from typing import Annotated

import redis
import typer

from db.queries import explaining
from scripts.ops.filters import read
from scripts.ops.frame import NOT_FOUND, USAGE, AsJson, actor, database, fail, job_ids, redis_client
from scripts.tables import console, show_json
from worker.broker import WakeUps
from worker.enqueueing import enqueue_background_job, wake
from worker.operating.actions import note
from worker.redaction import redact


class Format(StrEnum):
    """What the file is."""

    CSV = "csv"
    JSONL = "jsonl"
    PARQUET = "parquet"


def export(
    to: Annotated[str, typer.Option(help="A folder of the workers' machine, from its root, or s3://bucket/prefix.")],
    job: Annotated[str | None, typer.Argument(help="The job's id.")] = None,
    campaign: Annotated[str | None, typer.Option(help="All jobs of this campaign instead.")] = None,
    kind: Annotated[Format, typer.Option("--format", help="What the file is.")] = Format.CSV,
    as_json: AsJson = False,
) -> None:
    """Put a job in that writes the creators of a job or campaign to a file.

    Example: ./run ops export 3f0c... --to /exports --format parquet; ./run ops show tells where the file is.
    """
    if (job is None) == (campaign is None):
        fail("what is to be exported? give the id of a job, or --campaign", USAGE)
    if not to.startswith(("/", "s3://")):
        fail(f"--to is {to!r}; expected a folder's path that begins with /, or s3://bucket/prefix", USAGE)
    read({"campaign": campaign})
    subject = {"jobId": job_ids([job])[0]} if job is not None else {"campaignId": campaign or ""}
    with database() as connection:
        if job is not None and explaining.find_row(connection, subject["jobId"]) is None:
            fail(f"there is no job {subject['jobId']}", NOT_FOUND)
        payload = {**subject, "to": to, "format": kind.value}
        with connection.transaction():
            enqueued = enqueue_background_job(connection, job_type="export_creators", payload=payload)
            note(connection, actor(), "export", job=enqueued.job_id, payload=payload)
    try:
        wake(WakeUps(redis_client()), enqueued)
    except redis.RedisError as error:
        print(f"ops: no wake-up sent ({redact(str(error))}); the reconciler will see to the job", file=sys.stderr)
    if as_json:
        show_json({"job_id": enqueued.job_id})
    else:
        console.print(enqueued.job_id)

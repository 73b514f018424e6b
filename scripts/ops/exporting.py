"""The command that puts an export in."""

from enum import StrEnum
from typing import Annotated

import typer

from db.queries import explaining
from scripts.ops.filters import read
from scripts.ops.frame import NOT_FOUND, USAGE, AsJson, DryRun, actor, database, fail, job_ids, wake_up
from scripts.tables import console, plain, show_json
from worker.enqueueing import enqueue_background_job
from worker.operating.actions import note


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
    dry_run: DryRun = False,
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
        with connection.transaction(force_rollback=dry_run):
            enqueued = enqueue_background_job(connection, job_type="export_creators", payload=payload)
            note(connection, actor(), "export", job=enqueued.job_id, payload=payload)
    if not dry_run:
        wake_up(enqueued)
    if as_json and dry_run:
        show_json({"dry_run": True, "payload": payload})
    elif dry_run:
        console.print(plain(f"an export to {to} would be put in; nothing was changed"), soft_wrap=True)
    elif as_json:
        show_json({"job_id": enqueued.job_id})
    else:
        console.print(enqueued.job_id)

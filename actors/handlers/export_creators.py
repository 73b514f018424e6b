"""``export_creators``: writes the creators of a job or a campaign to a file, as CSV, JSON lines or Parquet.

Creators come through a server-side cursor, so memory does not grow with their number. The file takes its place when it
is whole, in a folder or in an S3-compatible store; a second run of the same job writes the same file again.
"""

import asyncio
import os
import tempfile
from collections import defaultdict
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import BinaryIO, Literal
from uuid import UUID

import msgspec

from actors.handlers.contract import Handler, JobContext
from actors.handlers.creator_lines import creators_in
from actors.handlers.destinations import destination_of
from actors.handlers.files_aside import NotWanted
from actors.handlers.flattening import columns_of, flat, write_csv
from actors.handlers.parquet import load_pyarrow, write_parquet
from db.queries import exporting
from worker.errors import FailJob


class ExportCreators(msgspec.Struct, rename="camel"):
    """What to export, how, and where to: ``{"jobId": ..., "format": "csv", "to": "/exports"}``.

    ``to`` is a folder's absolute path or ``s3://bucket/prefix``.
    """

    to: str
    format: Literal["csv", "jsonl", "parquet"] = "csv"
    job_id: UUID | None = None
    campaign_id: UUID | None = None


class Exported(msgspec.Struct):
    """The file, and how much is in it."""

    path: str
    format: str
    creators: int
    bytes: int


async def run(context: JobContext, payload: ExportCreators) -> Exported | None:
    """Write ``creators-<id>.<format>`` to its place, in the order in which creators were stored.

    Raises `FailJob` when there is no such job or campaign, the place cannot be used, or the format or the place needs
    a package that is not installed; `RetryJob` when the store is away.
    """
    if (payload.job_id is None) == (payload.campaign_id is None):
        raise FailJob(
            "invalid_payload",
            "payload has neither or both of jobId and campaignId; expected one of them; correct it and set the job to "
            "pending",
        )
    destination = await destination_of(payload.to, "to", context.runtime.settings)
    if payload.format == "parquet":
        # The first import takes a second and more of computing.
        await asyncio.to_thread(load_pyarrow)
    jobs = await _jobs(context, payload)
    name = f"creators-{payload.job_id or payload.campaign_id}.{payload.format}"
    try:
        async with destination.written(name, lambda: _wanted(context)) as file:
            count = await _write(context, jobs, payload.format, file)
            size = file.seek(0, os.SEEK_END)
    except NotWanted:
        # How the job ends then is seen by the lease; what was aside is thrown away.
        return None
    return Exported(destination.path_of(name), payload.format, count, size)


def _wanted(context: JobContext) -> bool:
    return context.held and not context.cancelled


async def _write(context: JobContext, jobs: list[UUID], kind: str, file: BinaryIO) -> int:
    if kind != "jsonl":
        return await _table(context, jobs, kind, file)
    count = 0
    async with aclosing(_creators(context, jobs)) as found:
        async for creators in found:
            await asyncio.to_thread(file.write, b"".join(one + b"\n" for one in creators))
            count += len(creators)
    return count


async def _table(context: JobContext, jobs: list[UUID], kind: str, file: BinaryIO) -> int:
    """Write a table, whose columns are known only when all creators were seen: they are kept on disk meanwhile."""
    kinds: dict[str, set[type]] = defaultdict(set)
    count = 0
    with tempfile.TemporaryFile() as seen:
        async with aclosing(_creators(context, jobs)) as found:
            async for creators in found:
                await asyncio.to_thread(_note, creators, kinds, seen)
                count += len(creators)
        seen.seek(0)
        columns = columns_of(kinds)
        if kind == "csv":
            await asyncio.to_thread(write_csv, seen, columns, file)
        else:
            await asyncio.to_thread(write_parquet, seen, columns, kinds, file)
    return count


def _note(creators: list[bytes], kinds: dict[str, set[type]], seen: BinaryIO) -> None:
    for creator in creators:
        for column, cell in flat(creator).items():
            kinds[column].add(type(cell))
    # JSON text by Postgres has no line break of its own.
    seen.writelines(creator + b"\n" for creator in creators)


async def _creators(context: JobContext, jobs: list[UUID]) -> AsyncGenerator[list[bytes]]:
    async with (
        context.pool.connection() as connection,
        aclosing(exporting.stored_batches(connection, jobs)) as stored,
    ):
        async for batches in stored:
            if not _wanted(context):
                raise NotWanted
            yield creators_in(batches)


async def _jobs(context: JobContext, payload: ExportCreators) -> list[UUID]:
    async with context.pool.connection() as connection:
        if payload.campaign_id is not None:
            jobs = await exporting.jobs_of_campaign(connection, payload.campaign_id)
        else:
            assert payload.job_id is not None  # noqa: S101 - one of the two is given
            known = await exporting.job_document(connection, payload.job_id)
            jobs = [payload.job_id] if known else None
    if jobs is None:
        what, name = ("jobId", payload.job_id) if payload.job_id else ("campaignId", payload.campaign_id)
        raise FailJob("unknown_subject", f"{what} is {str(name)!r}, which does not exist; expected one that is stored")
    return jobs


HANDLERS = (Handler("export_creators", ExportCreators, run),)

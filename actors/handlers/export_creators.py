"""``export_creators``: writes the creators of a job or a campaign to a file, as CSV, JSON lines or Parquet.

Creators come through a server-side cursor, so memory does not grow with their number. The file takes its place when it
is whole; a second run of the same job writes the same file again.
"""

import asyncio
import tempfile
from collections import defaultdict
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import BinaryIO, Literal
from uuid import UUID

import msgspec

from actors.handlers.contract import Handler, JobContext
from actors.handlers.creator_lines import creators_in
from actors.handlers.files_aside import folder_of, written_aside
from actors.handlers.flattening import columns_of, flat, write_csv
from actors.handlers.parquet import load_pyarrow, write_parquet
from db.queries import exporting
from worker.errors import FailJob


class ExportCreators(msgspec.Struct, rename="camel"):
    """What to export, how, and to which folder: ``{"jobId": ..., "format": "csv", "to": "/exports"}``."""

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


class _StoppedError(Exception):
    """Raised when nobody wants the file any more, or another worker writes it."""


async def run(context: JobContext, payload: ExportCreators) -> Exported | None:
    """Write ``creators-<id>.<format>`` into the folder, in the order in which creators were stored.

    Raises `FailJob` when there is no such job or campaign, the folder cannot be used, or the format needs a package
    that is not installed.
    """
    if (payload.job_id is None) == (payload.campaign_id is None):
        raise FailJob(
            "invalid_payload",
            "payload has neither or both of jobId and campaignId; expected one of them; correct it and set the job to "
            "pending",
        )
    folder = folder_of(payload.to, "to")
    if payload.format == "parquet":
        load_pyarrow()
    jobs = await _jobs(context, payload)
    path = folder / f"creators-{payload.job_id or payload.campaign_id}.{payload.format}"
    try:
        with written_aside(path) as file:
            count = await _write(context, jobs, payload.format, file)
    except _StoppedError:
        # How the job ends then is seen by the lease; what was aside is thrown away.
        return None
    return Exported(str(path), payload.format, count, (await asyncio.to_thread(path.stat)).st_size)


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
            if context.cancelled or not context.held:
                raise _StoppedError
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

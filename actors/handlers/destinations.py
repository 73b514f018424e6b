"""Where files of exports go: a folder of this machine, or a place in an S3-compatible store."""

import asyncio
import re
import tempfile
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from contextvars import copy_context
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, Protocol

from actors.handlers.files_aside import NotWanted, folder_of, written_aside
from actors.handlers.object_store import load_botocore, put_whole
from worker.errors import FailJob
from worker.settings import Settings
from worker.store_settings import StoreAccess, store_misfits

SCHEME: Final = "s3://"
BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
"""What stores take as a bucket's name ("General purpose bucket naming rules", AWS 2026)."""
KEY_BYTES: Final = 1024
"""Longest key of an object, in UTF-8 ("Naming Amazon S3 objects", AWS 2026)."""
NAME_BYTES: Final = 64
"""Left for the file's own name."""

# Threads of their own: a store that hangs must not hold those in which the process looks hosts' names up.
_uploads = ThreadPoolExecutor(max_workers=8, thread_name_prefix="upload")


class Destination(Protocol):
    """Takes files, each there wholly or not at all."""

    def path_of(self, name: str) -> str:
        """Where a file of this name is found."""
        ...

    def written(self, name: str, wanted: Callable[[], bool]) -> AbstractAsyncContextManager[BinaryIO]:
        """A file to write that takes its place when the block ends well, and leaves nothing when it does not.

        ``wanted`` is asked from any thread; once it gives False, the block ends with `NotWanted`.
        """
        ...


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder of this machine."""

    folder: Path

    def path_of(self, name: str) -> str:
        """As `Destination`."""
        return str(self.folder / name)

    @asynccontextmanager
    async def written(self, name: str, wanted: Callable[[], bool]) -> AsyncIterator[BinaryIO]:
        """As `Destination`."""
        with written_aside(self.folder / name) as file:
            yield file
            if not wanted():
                raise NotWanted


@dataclass(frozen=True, slots=True)
class StorePrefix:
    """All keys of a bucket that begin alike; ``prefix`` is empty or ends with a slash."""

    access: StoreAccess
    bucket: str
    prefix: str

    def path_of(self, name: str) -> str:
        """As `Destination`."""
        return f"{SCHEME}{self.bucket}/{self.prefix}{name}"

    @asynccontextmanager
    async def written(self, name: str, wanted: Callable[[], bool]) -> AsyncIterator[BinaryIO]:
        """As `Destination`: the file is on disk until it is whole, then put. Raises as `put_whole`."""
        with tempfile.TemporaryFile() as file:
            yield file
            await self._put(name, file, wanted)

    async def _put(self, name: str, file: BinaryIO, wanted: Callable[[], bool]) -> None:
        ended = threading.Event()
        putting = asyncio.get_running_loop().run_in_executor(
            _uploads,
            copy_context().run,
            put_whole,
            self.access,
            self.bucket,
            self.prefix + name,
            file,
            lambda: not ended.is_set() and wanted(),
        )
        try:
            await asyncio.shield(putting)
        except asyncio.CancelledError:
            # The thread leaves after its part, and not before it has cleared up.
            ended.set()
            await asyncio.wait([putting])
            # Looked at, since nobody asks any more how it ended.
            putting.exception()
            raise


async def destination_of(text: str, field: str, settings: Settings) -> Destination:
    """What a payload names: the absolute path of a folder, or ``s3://bucket/prefix``. No call is made.

    Raises `FailJob` when it is neither, cannot be used, or no store is configured.
    """
    if not text.startswith(SCHEME):
        return Folder(folder_of(text, field))
    bucket, _, prefix = text.removeprefix(SCHEME).partition("/")
    prefix = prefix.strip("/")
    if problem := _problem(bucket, prefix):
        raise FailJob("invalid_folder", f"{field} is {text!r}, {problem}; correct it in the payload")
    access = settings.store_access
    if misfits := store_misfits(access, settings.object_store_http):
        told = "; ".join(misfits)
        raise FailJob(
            "s3_not_configured",
            f"{field} is {text!r}, and this worker has no store that can be used: {told}; restart the workers, then "
            "set the job to pending",
        )
    # The first import takes a second of computing.
    await asyncio.get_running_loop().run_in_executor(_uploads, load_botocore)
    return StorePrefix(access, bucket, f"{prefix}/" if prefix else "")


def _problem(bucket: str, prefix: str) -> str | None:
    if not BUCKET.fullmatch(bucket) or ".." in bucket:
        return f"whose bucket is {bucket!r}; expected s3://bucket/prefix with 3 to 63 of a-z, 0-9, dots and dashes"
    if not prefix.isprintable():
        return "which holds a character that cannot be seen; expected a prefix of printable ones"
    if prefix and set(prefix.split("/")) & {"", ".", ".."}:
        # Some stores and tools take them for folders, so that the file would be somewhere else.
        return "whose prefix has '.', '..' or nothing between slashes; expected names there"
    if len(prefix.encode()) > KEY_BYTES - NAME_BYTES:
        return f"whose prefix is longer than {KEY_BYTES - NAME_BYTES} bytes; expected a shorter one"
    return None

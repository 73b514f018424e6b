"""Files that are there wholly or not at all: written beside their place, then renamed."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from worker.errors import FailJob


class NotWanted(Exception):
    """Raised when nobody wants a file any more, or another worker writes it."""


def folder_of(text: str, field: str) -> Path:
    """The folder that a payload names, made where it is missing.

    Raises `FailJob` when it is no absolute path, or cannot be made.
    """
    folder = Path(text)
    if not folder.is_absolute():
        raise FailJob(
            "invalid_folder", f"{field} is {text!r}; expected an absolute path of a folder; correct it in the payload"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FailJob(
            "invalid_folder",
            f"{field} is {text!r}, which cannot be used: {error}; expected a folder that the worker may write; make "
            "it, then retry the job",
        ) from error
    return folder


@contextmanager
def written_aside(path: Path) -> Iterator[BinaryIO]:
    """A file that takes its place when the block ends well, durably, and leaves nothing behind when it does not.

    Who writes the same file at the same time has a name of its own aside; the last to end is the one that is kept.
    """
    aside = path.with_name(f".{path.name}.{os.getpid()}-{os.urandom(4).hex()}.part")
    try:
        with aside.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    finally:
        aside.unlink(missing_ok=True)

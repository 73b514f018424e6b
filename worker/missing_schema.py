"""What a process says when the schema of the engine is gone: once, until it is back, and with what to do."""

from threading import Lock

import psycopg
import structlog
from psycopg.errors import InvalidSchemaName, UndefinedFunction, UndefinedTable

log = structlog.get_logger()

SCHEMA_MISSING = (InvalidSchemaName, UndefinedTable, UndefinedFunction)
TODO = "run ./run migrate; ./run ops doctor tells what is missing"

_lock = Lock()
_told = False


def tell_if_missing(error: psycopg.Error) -> bool:
    """Whether the error means that objects of the engine are missing; the first time it is logged."""
    global _told
    if not isinstance(error, SCHEMA_MISSING):
        return False
    with _lock:
        first, _told = not _told, True
    if first:
        log.critical("schema_missing", error=str(error).splitlines()[0], todo=TODO)
    return True


def tell_if_back() -> None:
    """A statement that needs the engine's objects went well."""
    global _told
    with _lock:
        was_missing, _told = _told, False
    if was_missing:
        log.info("schema_back")

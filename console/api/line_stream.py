"""A stream of lines from a server-side cursor, some at a time, ended when its reader leaves or stands still."""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any, Final
from uuid import UUID

import anyio
import structlog
from psycopg import AsyncConnection
from starlette.requests import ClientDisconnect
from starlette.responses import StreamingResponse
from starlette.types import Message, Send

from actors.handlers.creator_lines import creators_in
from db.queries.api_results import rows_of_search
from db.queries.exporting import stored_batches

log = structlog.get_logger()

MEDIA_TYPE: Final = "application/x-ndjson"
STILL_SECONDS: Final = 60.0
"""A reader that takes nothing for so long is left: its open snapshot would keep Postgres from cleaning up."""
CLOSE_SECONDS: Final = 10.0


async def lines_of(connection: AsyncConnection[Any], table: str, job_id: str) -> AsyncGenerator[bytes]:
    """The creators of a job, some lines at a time, of one snapshot."""
    rows = rows_of_search(connection, job_id) if table == "search_jobs" else stored_batches(connection, [UUID(job_id)])
    async with aclosing(rows) as batches:
        async for some in batches:
            yield b"".join(line + b"\n" for line in creators_in(some))


class LineStream(StreamingResponse):
    """Sends lines, and closes their source and connection whatever ends it; ``ended`` is called then."""

    def __init__(
        self, connection: AsyncConnection[Any], lines: AsyncGenerator[bytes], ended: Callable[[], None]
    ) -> None:
        super().__init__(lines, media_type=MEDIA_TYPE)
        self._connection = connection
        self._lines = lines
        self._ended = ended

    async def stream_response(self, send: Send) -> None:
        """Send all, unless the reader leaves or stands still."""

        async def bounded_send(message: Message) -> None:
            with anyio.move_on_after(STILL_SECONDS) as waited:
                await send(message)
            if waited.cancelled_caught:
                log.info("api_reader_stands_still", seconds=STILL_SECONDS)
                raise ClientDisconnect

        try:
            await super().stream_response(bounded_send)
        finally:
            with anyio.move_on_after(CLOSE_SECONDS, shield=True):
                # A cursor that is open is closed by the server with its connection, without a word more.
                await self._connection.close()
                await self._lines.aclose()
            self._ended()

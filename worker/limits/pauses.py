"""Tells the application that a provider is paused, as an event of its table."""

from datetime import datetime

import psycopg
import structlog

from db.queries.events import NewEvent, raise_event
from db.session import Pool
from worker.limits.contract import Call

log = structlog.get_logger()


class Pauses:
    """Raises ``provider_paused``, once for each time that a breaker opens.

    A database that is away, or a table of events that refuses the row, must not keep the breaker from being open: the
    event is then left out with a warning.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def __call__(self, call: Call, since: datetime, reason: str, detail: str) -> None:
        """Tell of the breaker that an answer to this call opened; ``since`` is the moment by the clock of Redis."""
        key = f"provider_paused:{call.provider}:{call.account}:{call.endpoint}:{since.timestamp():.6f}"
        about = {"account": call.account, "endpoint": call.endpoint, "since": since.isoformat()}
        told = {**about, "reason": reason, "detail": detail}
        try:
            async with self._pool.connection() as connection:
                await raise_event(connection, NewEvent("provider", call.provider, "provider_paused", key, told))
        except psycopg.Error as error:
            log.warning("event_not_raised", event_type="provider_paused", key=key, error=str(error))

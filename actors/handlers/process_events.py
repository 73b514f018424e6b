"""``process_events``: handles pending events in order for each aggregate, and queues the jobs that they ask for.

Handled are the types of `actors.handlers.event_follow_ups.FOLLOW_UPS`. Events of other types that Trawler wrote tell
people something and ask for nothing, so they are closed. All others stay ``pending``: the application, or another
service, wrote them for itself. Neither holds anything up.

An event, its jobs and its new status are one savepoint of a batch's transaction: it is handled wholly or not at all.
One that cannot be handled is tried again by later runs and is ``failed`` after five; meanwhile it holds up the later
events of its own aggregate, and no others. Any number of runs may be at work at once.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Final

import msgspec
import psycopg
import structlog
from psycopg import AsyncConnection

from actors.handlers.contract import Handler, JobContext, JobSettled
from actors.handlers.event_follow_ups import FOLLOW_UPS, Delays, follow_ups
from db.queries import event_processing
from db.queries.event_processing import StoredEvent
from db.queries.follow_ups import queue_job
from db.session import connection_lost
from worker.configuration_keys import ABANDONMENT_DELAY, WELCOME_DELAY

log = structlog.get_logger()

HANDLED: Final = tuple(FOLLOW_UPS)


class ProcessEvents(msgspec.Struct):
    """How many events a transaction takes, and after how many the run ends; the rest is the next run's."""

    batch: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 100
    most: Annotated[int, msgspec.Meta(ge=1)] = 20_000


class Run(msgspec.Struct):
    """What a run did; ``retried`` and ``failed`` could not be handled, ``closed`` ask for nothing."""

    completed: int = 0
    retried: int = 0
    failed: int = 0
    jobs: int = 0
    closed: int = 0


async def run(context: JobContext, payload: ProcessEvents) -> JobSettled:
    """Handle pending events, a batch a transaction, until there is none left that may be handled now."""
    # Read before: a transaction that holds a task asks for no further connection.
    delays = Delays(
        await context.configuration.value(WELCOME_DELAY), await context.configuration.value(ABANDONMENT_DELAY)
    )
    done = Run(closed=await _close_own(context, payload))
    passed: set[tuple[str, str]] = set()
    while True:
        async with context.transaction() as connection:
            most = min(payload.batch, payload.most - done.completed - done.retried - done.failed)
            events = await event_processing.pending_events(connection, HANDLED, most, sorted(passed)) if most else []
            if not events:
                return await context.completing(connection, done)
            told = await handle(connection, events, passed, delays)
        # Counted when the batch is committed, and not before.
        done = Run(
            done.completed + told.completed,
            done.retried + told.retried,
            done.failed + told.failed,
            done.jobs + told.jobs,
            done.closed,
        )


async def _close_own(context: JobContext, payload: ProcessEvents) -> int:
    closed = 0
    while most := min(payload.batch, payload.most - closed):
        async with context.transaction() as connection:
            batch = await event_processing.close_own_events(connection, HANDLED, most)
        closed += batch
        if batch < most:
            break
    return closed


async def handle(
    connection: AsyncConnection[Any], events: Sequence[StoredEvent], passed: set[tuple[str, str]], delays: Delays
) -> Run:
    """Handle locked events in their order; ``passed`` gets the aggregates that must wait for another run."""
    done = Run()
    for event in events:
        if event.blocked:
            passed.add(event.aggregate)
        if event.aggregate in passed:
            continue
        try:
            async with connection.transaction():
                new = [await queue_job(connection, job) for job in follow_ups(event, delays)]
                await event_processing.complete_event(connection, event)
        except Exception as error:
            if isinstance(error, psycopg.OperationalError) and connection_lost(error):
                raise
            last = await event_processing.put_event_back(connection, event, f"{type(error).__name__}: {error}")
            log.warning("event_not_handled", event_type=event.event_type, key=event.idempotency_key, error=str(error))
            done.failed += last
            done.retried += not last
            if not last:
                passed.add(event.aggregate)
            continue
        done.completed += 1
        done.jobs += sum(new)
    return done


HANDLERS = (Handler("process_events", ProcessEvents, run, schedule="* * * * *"),)

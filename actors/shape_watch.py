"""Watches whether providers' answers keep their shape: looks rarely, learns what is usual, stops what has drifted."""

from collections import defaultdict
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final, TypeVar

import msgspec
import psycopg
import structlog

from actors.calling import Called, Caller
from actors.watched import Watched
from db.queries import shapes
from db.queries.events import NewEvent, raise_event
from db.queries.shapes import Endpoint as Key
from db.session import Pool, storable
from platforms import contract, drift
from platforms.drift import Change, Departure, Shape
from platforms.glance import Glance
from platforms.pages import Request, Response
from platforms.watching import required_paths
from worker.clock import monotonic
from worker.limits.contract import Call, Hindrance
from worker.redaction import redact

log = structlog.get_logger()

SAMPLE_LIMIT: Final = 100_000
"""Characters of a drifted answer that are kept."""

_DECODER = msgspec.json.Decoder(Shape)
T = TypeVar("T")


class ShapeWatch:
    """What one process knows of the shapes of all endpoints.

    The first answers of an endpoint are looked at, then one every ``seconds``, those that read oddly, and all while it
    has drifted. A drift of something required opens the breaker of that endpoint alone by ``open_breaker``; the calls
    that probe it are looked at, so it closes when the shape is back.
    """

    def __init__(
        self,
        pool: Pool,
        open_breaker: Callable[[Call, str, str], Awaitable[None]],
        *,
        seconds: float,
        pause: timedelta,
    ) -> None:
        self._pool = pool
        self._open_breaker = open_breaker
        self._seconds = seconds
        self._pause = pause
        self._due: dict[Key, float] = {}
        self._usual: dict[Key, Shape] = {}
        self._partial: dict[Key, Shape] = {}
        self._glances: dict[Key, Glance] = defaultdict(Glance)

    async def call(
        self,
        caller: Caller,
        endpoint: contract.Endpoint,
        version: int,
        request: Request,
        read: Callable[[Response], tuple[T, int]],
    ) -> Called[T]:
        """Make a call as `Caller.call` does, and look at its answer when it is time to.

        An answer that has drifted is judged ``fail_over``, and nothing is read from it.
        """
        key = Key(caller.provider, endpoint.endpoint, version)
        due = monotonic() >= self._due.get(key, 0.0)
        if due:
            # Claimed before anything is awaited, so that of many slices one looks.
            self._due[key] = monotonic() + self._seconds
        if due or key not in self._usual:
            await self._recall(key)
        watched = Watched(
            endpoint,
            self._usual.get(key, Shape()),
            self._partial.get(key),
            required_paths(key.provider, key.endpoint),
            self._pause,
            self._glances[key],
            due=due,
        )
        called = await caller.call(watched, request, watched.reading(read))
        if called.judgement.rule == Hindrance.BREAKER or (due and watched.sample is None):
            # Nothing was seen: the next answer is looked at, above all one that probes.
            self._due[key] = 0.0
        if watched.sample is not None:
            await self._learn(key, watched, watched.sample, caller.call_of(endpoint))
        return Called(watched.judgement, None) if watched.judgement is not None else called

    async def _recall(self, key: Key) -> None:
        try:
            async with self._pool.connection() as connection:
                known = await shapes.known_shape(connection, key)
        except psycopg.Error as error:
            log.warning("shape_not_recalled", endpoint=key.endpoint, error=str(error))
            return
        self._usual[key] = _DECODER.decode(known.shape) if known else Shape()

    async def _learn(self, key: Key, watched: Watched, sample: Shape, call: Call) -> None:
        if not watched.enough:
            self._partial[key] = sample
            self._due[key] = 0.0
            return
        self._partial.pop(key, None)
        if watched.judgement is not None:
            self._due[key] = 0.0
        try:
            async with self._pool.connection() as connection, connection.transaction():
                known = await shapes.lock_shape(connection, key)
                usual = _DECODER.decode(known.shape)
                found = watched.departures
                lost = [one for one in found if one.required]
                if lost:
                    fingerprint = drift.fingerprint(lost)
                    if known.drifted_at is None:
                        await raise_event(connection, _event(key, lost, fingerprint))
                        log.error("provider_drift", **msgspec.to_builtins(key), changes=[str(one) for one in lost])
                    told = msgspec.json.encode(lost).decode()
                    body = storable(redact(watched.body[:SAMPLE_LIMIT].decode(errors="replace")))
                    await shapes.keep_drift(connection, key, fingerprint, told, body)
                else:
                    self._usual[key] = drift.merged(usual, sample)
                    told_now = drift.fingerprint(found) if found else None
                    if found and told_now != known.told:
                        _tell(key, found)
                    if known.drifted_at is not None:
                        log.warning("provider_drift_over", **msgspec.to_builtins(key))
                    await shapes.keep_shape(connection, key, msgspec.json.encode(self._usual[key]).decode(), told_now)
        except psycopg.Error as error:
            # A watch that cannot write must not stop the work that it watches.
            log.warning("shape_not_kept", endpoint=key.endpoint, error=str(error))
            self._due[key] = 0.0
        if watched.judgement is not None:
            await self._open_breaker(call, watched.judgement.rule, watched.judgement.message)


def _event(key: Key, lost: list[Departure], fingerprint: str) -> NewEvent:
    return NewEvent(
        "provider",
        f"{key.provider}/{key.endpoint}",
        "provider_drift",
        f"provider_drift:{key.provider}:{key.endpoint}:{key.adapter_version}:{fingerprint}",
        {**msgspec.to_builtins(key), "fingerprint": fingerprint, "changes": msgspec.to_builtins(lost)},
    )


def _tell(key: Key, found: list[Departure]) -> None:
    """New fields are news, others of no need to us a warning."""
    new = [one.path for one in found if one.change is Change.NEW]
    rest = [str(one) for one in found if one.change is not Change.NEW]
    if new:
        log.info("provider_fields_new", **msgspec.to_builtins(key), paths=new[:50])
    if rest:
        log.warning("provider_fields_changed", **msgspec.to_builtins(key), changes=rest[:50])

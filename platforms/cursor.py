"""The cursor envelope: where each walk through a provider's pages stands, as one JSON document."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

import msgspec

from platforms.contract import Adapter, Capability, Query, StaleCursor
from platforms.pages import Walk

Moment = Annotated[datetime, msgspec.Meta(tz=True)]


class Envelope(msgspec.Struct, frozen=True):
    """Every walk of one segment of a job, and what they belong to. ``issued_at`` is when the newest cursor came, UTC.

    A *segment* is a stretch of a job with one provider; the next provider begins another, with walks of its own.
    """

    provider: str
    adapter_version: int
    query_hash: str
    issued_at: Moment
    walks: list[Walk]
    given_up: list[str] = []
    """Providers of earlier segments, in order."""
    rechecked: bool = False
    """Whether a search that gave nothing at all was asked again."""
    earlier: list["Envelope"] = []
    """Where earlier segments stopped that had more to read, so that a job that goes back goes on there."""


MOST_WALKS = 200
"""Walks of one job; further ones that pages open are left out."""

_DECODER = msgspec.json.Decoder(Envelope)


def query_hash(query: Query, capability: Capability) -> str:
    """A short fingerprint of all that a provider's cursors depend on; another fingerprint is another search."""
    told = [
        capability.platform,
        capability.kind,
        capability.provider,
        query.keywords,
        query.word_kind,
        query.target_username,
        query.region,
        sorted(query.options.items()),
        query.filters.countries,
    ]
    return hashlib.sha256(msgspec.json.encode(told)).hexdigest()[:32]


def start(
    query: Query, adapter: Adapter, now: datetime, given_up: Sequence[str] = (), pages_before: int = 0
) -> Envelope:
    """A new envelope with the walks that the adapter begins with. Raises `InvalidJob` as `Adapter.starts` does."""
    capability = adapter.capability
    again = max(pages_before, 0)
    return Envelope(
        provider=capability.provider,
        adapter_version=capability.version,
        query_hash=query_hash(query, capability),
        issued_at=now,
        walks=[msgspec.structs.replace(walk, again=again) for walk in adapter.starts(query)],
        given_up=list(given_up),
    )


def read(document: bytes | str | Mapping[str, Any] | None) -> Envelope | None:
    """A saved envelope; None for no document and for garbage."""
    if document is None:
        return None
    try:
        if isinstance(document, bytes | str):
            return _DECODER.decode(document)
        return msgspec.convert(document, Envelope)
    except (msgspec.MsgspecError, ValueError, TypeError, RecursionError):
        return None


def resume(saved: Envelope | None, query: Query, adapter: Adapter, now: datetime, pages_before: int = 0) -> Envelope:
    """The saved envelope if it is good, else what the adapter's policy makes of it.

    ``pages_before`` counts the pages the job has read so far: a walk that starts anew meets their results again.

    No envelope, and that of another provider or query, start anew. One that is past the
    provider's cursor life, or of another adapter version, follows the adapter's `StaleCursor` policy. Raises
    `InvalidJob` as `Adapter.starts` does.
    """
    capability = adapter.capability
    fresh = start(query, adapter, now, saved.given_up if saved else (), pages_before)
    if saved is None or (saved.provider, saved.query_hash) != (fresh.provider, fresh.query_hash):
        return fresh
    lifetime = capability.cursor_lifetime
    expired = lifetime is not None and now - saved.issued_at > lifetime
    if not expired and saved.adapter_version == capability.version:
        return msgspec.structs.replace(saved, walks=[_looking(walk) for walk in saved.walks])
    match capability.stale_cursor:
        case StaleCursor.CONTINUE:
            return msgspec.structs.replace(saved, adapter_version=capability.version)
        case StaleCursor.RESTART_AND_DEDUPE:
            return fresh
        case StaleCursor.STOP_PARTIAL:
            return msgspec.structs.replace(
                saved, adapter_version=capability.version, walks=[_stopped(walk) for walk in saved.walks]
            )


def next_walk(envelope: Envelope) -> int | None:
    """Index of the walk whose turn it is: of those not ended the one with the fewest pages; None when all ended."""
    open_walks = [index for index, walk in enumerate(envelope.walks) if not walk.ended]
    return min(open_walks, key=lambda index: envelope.walks[index].ordinal, default=None)


def with_walk(
    envelope: Envelope, index: int, walk: Walk, now: datetime | None = None, opened: Sequence[Walk] = ()
) -> Envelope:
    """A copy with one walk replaced, and those added that its page opened, each (source, word) once.

    ``now`` (UTC) renews ``issued_at`` when the walk brought a new cursor.
    """
    walks = [walk if place == index else old for place, old in enumerate(envelope.walks)]
    known = {(one.source, one.word) for one in walks}
    for one in opened:
        if (one.source, one.word) not in known and len(walks) < MOST_WALKS:
            known.add((one.source, one.word))
            walks.append(one)
    return msgspec.structs.replace(envelope, walks=walks, issued_at=now or envelope.issued_at)


def encode(envelope: Envelope) -> bytes:
    """The envelope as JSON."""
    return msgspec.json.encode(envelope)


def _looking(walk: Walk) -> Walk:
    """A walk whose last call may have worked, unknown to us, at its start; any other as it is."""
    return msgspec.structs.replace(walk, cursor=walk.start, once=False) if walk.once and not walk.ended else walk


def _stopped(walk: Walk) -> Walk:
    return walk if walk.ended else msgspec.structs.replace(walk, ended=True, end_reason="stale_cursor")

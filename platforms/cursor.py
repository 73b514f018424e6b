"""The cursor envelope: where each keyword's walk through a provider's pages stands, as one JSON document."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

import msgspec

from platforms.contract import Adapter, Capability, Cursor, Query, SearchKind, StaleCursor

Count = Annotated[int, msgspec.Meta(ge=0)]
Moment = Annotated[datetime, msgspec.Meta(tz=True)]


class Walk(msgspec.Struct, frozen=True):
    """One word's way through the pages. ``cursor`` is the next to ask for, ``ordinal`` counts the pages so far."""

    word: str
    cursor: Cursor
    ordinal: Count = 0
    ended: bool = False
    end_reason: str | None = None
    barren: Count = 0
    """Pages in a row that brought nothing new."""
    again: Count = 0
    """Pages still to come that an earlier walk may have read already, so that nothing new in them proves nothing."""


class Envelope(msgspec.Struct, frozen=True):
    """Every walk of one job, and what they belong to. ``issued_at`` is when the newest cursor came, UTC."""

    provider: str
    endpoint: str
    adapter_version: int
    query_hash: str
    issued_at: Moment
    walks: list[Walk]


_DECODER = msgspec.json.Decoder(Envelope)


def query_hash(query: Query, capability: Capability) -> str:
    """A short fingerprint of all that a provider's cursors depend on; another fingerprint is another search."""
    told = [
        capability.platform,
        capability.kind,
        capability.provider,
        capability.endpoint,
        query.keywords,
        query.target_username,
        query.region,
        sorted(query.options.items()),
    ]
    return hashlib.sha256(msgspec.json.encode(told)).hexdigest()[:32]


def start(query: Query, adapter: Adapter, now: datetime) -> Envelope:
    """A new envelope: each keyword its own walk, or one walk of all words where the ``keywords`` option is joined."""
    capability = adapter.capability
    return Envelope(
        provider=capability.provider,
        endpoint=capability.endpoint,
        adapter_version=capability.version,
        query_hash=query_hash(query, capability),
        issued_at=now,
        walks=[Walk(word, adapter.first_cursor) for word in _words(query)],
    )


def resume(
    document: bytes | str | Mapping[str, Any] | None,
    query: Query,
    adapter: Adapter,
    now: datetime,
    pages_before: int = 0,
) -> Envelope:
    """The saved envelope if it is good, else what the adapter's policy makes of it. Never raises.

    ``pages_before`` counts the pages the job has read so far: a walk that starts anew meets their results again.

    No document, garbage, and the envelope of another provider, endpoint or query start anew. One that is past the
    provider's cursor life, or of another adapter version, follows the adapter's `StaleCursor` policy.
    """
    fresh = start(query, adapter, now)
    again = max(pages_before, 0)
    fresh = msgspec.structs.replace(fresh, walks=[msgspec.structs.replace(walk, again=again) for walk in fresh.walks])
    saved = _read(document)
    if saved is None or _identity(saved) != _identity(fresh):
        return fresh
    capability = adapter.capability
    lifetime = capability.cursor_lifetime
    expired = lifetime is not None and now - saved.issued_at > lifetime
    if not expired and saved.adapter_version == capability.version:
        return saved
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


def with_walk(envelope: Envelope, index: int, walk: Walk, now: datetime | None = None) -> Envelope:
    """A copy with one walk replaced; ``now`` (UTC) renews ``issued_at`` when the walk brought a new cursor."""
    walks = [walk if place == index else old for place, old in enumerate(envelope.walks)]
    return msgspec.structs.replace(envelope, walks=walks, issued_at=now or envelope.issued_at)


def encode(envelope: Envelope) -> bytes:
    """The envelope as JSON."""
    return msgspec.json.encode(envelope)


def _words(query: Query) -> tuple[str, ...]:
    if query.kind is SearchKind.SIMILAR:
        return (query.target_username or "",)
    if query.options.get("keywords") == "joined":
        return (" ".join(query.keywords),)
    return query.keywords


def _identity(envelope: Envelope) -> tuple[object, ...]:
    words = tuple(walk.word for walk in envelope.walks)
    return envelope.provider, envelope.endpoint, envelope.query_hash, words


def _read(document: bytes | str | Mapping[str, Any] | None) -> Envelope | None:
    if document is None:
        return None
    try:
        if isinstance(document, bytes | str):
            return _DECODER.decode(document)
        return msgspec.convert(document, Envelope)
    except (msgspec.MsgspecError, ValueError, TypeError, RecursionError):
        return None


def _stopped(walk: Walk) -> Walk:
    return walk if walk.ended else msgspec.structs.replace(walk, ended=True, end_reason="stale_cursor")

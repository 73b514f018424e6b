"""Reads quarantined items again with the present parser, and puts what now passes into their job's results."""

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

import msgspec
from psycopg import Connection
from psycopg.errors import LockNotAvailable

from db.queries import replaying
from db.queries.quarantining import Choice
from db.queries.replaying import HeldJob, SetAside
from platforms.contract import Adapter, Query, Source
from platforms.filters import passes
from platforms.pages import Cursor, Item, Walk
from platforms.profile import Profile, Provenance
from platforms.query import read_query
from platforms.registry import find
from worker.clock import utc_now
from worker.errors import InvalidJob, ShapeError

AT_ONCE: Final = 500
"""Items of one transaction; each may be 200,000 bytes long."""

_WALK = msgspec.json.Decoder(Walk)
_PROFILE = msgspec.json.Decoder(Profile)


class Verdict(StrEnum):
    """What a replay made of one item. The first four are for good (`quarantining.SETTLED`)."""

    STORED = "stored"
    DUPLICATE = "duplicate"
    FILTERED = "filtered"
    DROPPED = "dropped"
    UNREADABLE = "unreadable"
    CUT = "cut"
    """Only a part of it was kept, so no parser can read it."""
    OVER_TARGET = "over_target"
    """It is readable and new, and the job has all that it asked for."""
    OVER_PLAN = "over_plan"
    """It is readable and new, and the user's plan has nothing left of this month."""
    NO_PARSER = "no_parser"
    """No adapter of this release reads its provider's endpoint for this kind of job."""


@dataclass(slots=True)
class Replay:
    """What became of one job's items; ``left`` says why none was looked at, or no more of them."""

    job_id: str
    verdicts: dict[str, int] = field(default_factory=dict)
    left: str | None = None
    messages: dict[int, str] = field(default_factory=dict)
    """What is still wrong with items, by their id."""


@dataclass(frozen=True, slots=True)
class _Read:
    """One item that could be read."""

    aside: SetAside
    item: Item
    adapter: Adapter
    key: str
    alias: str


def replay_job(
    connection: Connection, task_id: int, job_id: str, choice: Choice, *, unplanned: int = -1, dry_run: bool
) -> Replay:
    """Replay one job's items, some hundred in a transaction; with ``dry_run`` nothing is written.

    A job that a worker has at that moment is left alone, as only the lease's holder may store its creators. What is
    stored counts against the user's plan; ``unplanned`` is the limit of a user of whom none is known, -1 for none.
    """
    told = Replay(job_id)
    after: int | None = 0
    with connection.transaction(force_rollback=True) if dry_run else nullcontext():
        while after is not None and told.left is None:
            try:
                with connection.transaction():
                    after = _replay_some(connection, task_id, choice, after, unplanned, told)
            except LockNotAvailable:
                told.left = "locked"
            except InvalidJob as error:
                told.left = str(error)
    return told


def _replay_some(
    connection: Connection, task_id: int, choice: Choice, after: int, unplanned: int, told: Replay
) -> int | None:
    """Replay the items beyond an id; give the id to go on from, None at the end."""
    job = replaying.hold(connection, task_id)
    if isinstance(job, str):
        told.left = job
        return None
    items = replaying.items_after(connection, task_id, choice, after, AT_ONCE)
    if not items:
        return None
    plan_left = replaying.plan_left(connection, job.user_id, unplanned)
    verdicts, kept, keys = _judge(connection, task_id, job, plan_left, items, told)
    replaying.put_back(
        connection,
        task_id,
        job.job_table,
        [(one.id, one.page, verdicts[one.id]) for one in items],
        kept,
        keys,
        unplanned,
    )
    told.verdicts = dict(Counter(told.verdicts) + Counter(map(str, verdicts.values())))
    return items[-1].id


def _judge(
    connection: Connection,
    task_id: int,
    job: HeldJob,
    plan_left: int | None,
    items: Sequence[SetAside],
    told: Replay,
) -> tuple[dict[int, Verdict], list[tuple[str, str]], list[str]]:
    """Each item's verdict; the documents to store, by their key; all dedupe keys."""
    query = read_query(
        job.platform, job.keywords, job.target_username, job.region, job.target_results, job.search_params
    )
    adapters = {adapter.capability.provider: adapter for adapter in find(query.platform, query.kind)}
    by_handle_too = len(find(query.platform, query.kind, query.providers)) > 1
    verdicts: dict[int, Verdict] = {}
    readable: list[_Read] = []
    for aside in items:
        found = _read(aside, query, adapters.get(aside.provider), told)
        if isinstance(found, Verdict):
            verdicts[aside.id] = found
            continue
        key = found.key if query.dedupe == "creator" else found.content_id
        handle = f"@{found.handle.casefold()}" if found.handle and by_handle_too and query.dedupe == "creator" else ""
        readable.append(_Read(aside, found, adapters[aside.provider], key, handle))
    asked = {one.key for one in readable} | {one.alias for one in readable if one.alias}
    seen = replaying.known_keys(connection, task_id, sorted(asked))
    profiles = replaying.kept_profiles(connection, query.platform, sorted({one.item.key for one in readable}))
    room = job.target_results - job.processed_results
    kept: list[tuple[str, str]] = []
    keys: list[str] = []
    for one in readable:
        if one.key in seen or one.alias in seen:
            verdict = Verdict.DUPLICATE
        elif (document := _document(one, query, profiles)) is None:
            verdict = Verdict.FILTERED
        elif len(kept) >= room:
            verdict = Verdict.OVER_TARGET
        elif plan_left is not None and len(kept) >= plan_left:
            verdict = Verdict.OVER_PLAN
        else:
            verdict = Verdict.STORED
            kept.append((one.key, document))
            new = [key for key in (one.key, one.alias) if key]
            keys += new
            seen |= set(new)
        verdicts[one.aside.id] = verdict
    return verdicts, kept, keys


def _read(aside: SetAside, query: Query, adapter: Adapter | None, told: Replay) -> Item | Verdict:
    if aside.cut:
        told.messages[aside.id] = "only its first 200,000 bytes were kept"
        return Verdict.CUT
    walk = _walk_of(aside)
    source = _source_of(adapter, aside.endpoint, walk.source) if adapter else None
    if source is None:
        told.messages[aside.id] = f"nothing here reads {aside.endpoint} of {aside.provider} for this job"
        return Verdict.NO_PARSER
    try:
        item = source.reread(aside.raw.encode(), query, walk)
    except ShapeError as error:
        told.messages[aside.id] = f"{error.reason}: {error}"
        return Verdict.UNREADABLE
    except (msgspec.MsgspecError, ValueError) as error:
        # Its walk is of a release whose cursors this one does not know.
        told.messages[aside.id] = f"its walk cannot be read: {error}"
        return Verdict.UNREADABLE
    return Verdict.DROPPED if item is None else item


def _walk_of(aside: SetAside) -> Walk:
    """The walk that asked for the item's page; what the ledger knows of it where an older release set it aside."""
    if aside.walk is not None:
        try:
            return _WALK.decode(aside.walk)
        except msgspec.MsgspecError:
            pass
    cursor: Cursor = int(aside.cursor) if aside.cursor.isdecimal() else aside.cursor
    return Walk(aside.word, cursor, source="")


def _source_of(adapter: Adapter, endpoint: str, name: str) -> Source | None:
    """The source the walk names if it reads that endpoint, else any that does."""
    fitting = {known: source for known, source in adapter.sources.items() if source.endpoint == endpoint}
    return fitting.get(name) or next(iter(fitting.values()), None)


def _document(one: _Read, query: Query, profiles: Mapping[str, str]) -> str | None:
    """The creator JSON; None for one that the job's filters leave out."""
    capability = one.adapter.capability
    provenance = Provenance(
        capability.provider, one.aside.endpoint, capability.version, one.aside.found_at, one.aside.page, replayed=True
    )
    kept = profiles.get(one.item.key)
    profile = None if kept is None or query.enrich == "none" else _PROFILE.decode(kept)
    status = "skipped" if profile is None else "completed"
    document = one.adapter.normalise(one.item, profile, status, provenance)
    if query.filters.active and not passes(query.filters, document.facts(), utc_now()):
        return None
    return msgspec.json.encode(document).decode()

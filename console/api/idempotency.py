"""Idempotency keys: the same key with the same request is the same job, with another request an error."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from psycopg import Connection

from console.api.problems import Problem
from db.queries.api_keys import known_jobs, name_jobs, take_keys

TRIES: Final = 3
"""A key that was taken may be pruned before it is read; then it is free, and the next try takes it."""


@dataclass(frozen=True, slots=True)
class Request:
    """One job of a call: its key, if it has one, and its `fingerprint`."""

    key: str | None
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Put:
    """A job that was put in, or the one that a key already named."""

    job_id: str
    created: bool


def fingerprint(kind: str, asked: Any) -> str:
    """What tells one request from another, whatever the order of names and the blanks between them were."""
    told = json.dumps([kind, asked], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(told.encode()).hexdigest()


def put_once(
    connection: Connection,
    job_table: str,
    owner: str,
    requests: Sequence[Request],
    insert: Callable[[list[int]], list[str]],
) -> list[Put]:
    """Put in those jobs whose keys name none yet, in the caller's transaction; give what each has become.

    ``owner`` is whose keys they are. ``insert`` puts in the requests of these places and gives their ids. Raises
    `Problem` 409 when a key was used with another request; the caller's transaction must then be rolled back.
    """
    first, marks = _first_of_each(owner, requests)
    taken, known = _taken(connection, job_table, marks, first, requests)
    places = [place for place, one in enumerate(requests) if one.key is None]
    places += [first[key] for key in sorted(taken)]
    ids = dict(zip(places, insert(places), strict=True)) if places else {}
    if taken:
        name_jobs(connection, {key: ids[first[key]] for key in taken}, marks)
    answers = []
    for place, one in enumerate(requests):
        stored = None if one.key is None else _stored(owner, one.key)
        if stored is None or (stored in taken and first[stored] == place):
            answers.append(Put(ids[place], created=True))
        else:
            answers.append(Put(ids[first[stored]] if stored in taken else known[stored], created=False))
    return answers


def _first_of_each(owner: str, requests: Sequence[Request]) -> tuple[dict[str, int], dict[str, str]]:
    """Where each key stands first in a call, and its mark. Raises `Problem` when it stands there with two requests."""
    first: dict[str, int] = {}
    marks: dict[str, str] = {}
    for place, one in enumerate(requests):
        if one.key is None:
            continue
        stored = _stored(owner, one.key)
        if requests[first.setdefault(stored, place)].fingerprint != one.fingerprint:
            raise _reused(one.key, None)
        # Behind the key stands what no key may hold, so that no key is another one's mark.
        marks[stored] = f"{stored}\n{one.fingerprint}"
    return first, marks


def _taken(
    connection: Connection, job_table: str, marks: dict[str, str], first: dict[str, int], requests: Sequence[Request]
) -> tuple[set[str], dict[str, str]]:
    """Keys that were free, and the jobs of the others."""
    taken: set[str] = set()
    known: dict[str, str] = {}
    for _ in range(TRIES):
        if not (open_keys := marks.keys() - taken - known.keys()):
            break
        taken |= take_keys(connection, job_table, list(open_keys))
        for key, job in known_jobs(connection, {key: marks[key] for key in open_keys - taken}).items():
            if not job.same_request:
                raise _reused(requests[first[key]].key or "", job.job_id)
            known[key] = job.job_id
    return taken, known


def _stored(owner: str, key: str) -> str:
    """The key as it is kept, apart from those of services, schedules, events, and of other callers."""
    return f"api:{owner}:{key}"


def _reused(key: str, job_id: str | None) -> Problem:
    names = f"; it names the job {job_id}" if job_id else " of this call"
    return Problem(
        409,
        "idempotency_key_reused",
        f"the idempotency key {key!r} was used with another request{names}; expected the same request, or another key; "
        "nothing was put in",
        further={} if job_id is None else {"job_id": job_id},
    )

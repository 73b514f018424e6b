"""Whether the engine could do what is asked, by the code that would judge it later; told at once, with the place."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec

from actors.handlers.contract import Handler
from actors.provider_order import adapters_of
from console.api.bodies import BackgroundJob, ScrapingJob
from console.api.problems import Wrongs
from console.api.storable_json import escaped
from db.queries.enqueueing import NewBackgroundJob, NewScrapingJob
from platforms.contract import Query
from platforms.params import KNOWN_PARAMS, unknown_params
from platforms.query import read_query
from platforms.registry import PLATFORM_NAMES
from worker.errors import InvalidJob

EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)
LATEST: Final = timedelta(days=3660)
"""Beyond, a slip is likelier than a plan; and there are moments that Postgres holds and Python does not."""

_FIELD: Final = re.compile(
    r"(?P<name>platform|keywords|target_username|target_results|region|search_params)(?:\.(?P<key>\w+))?\b"
)
"""How a refusal of the engine begins that is about one column."""
_PATH: Final = re.compile(r" - at `\$(?P<path>[^`]*)`$")
"""How a refusal of a payload ends, unless it is about all of it."""


def judged_search(
    asked: ScrapingJob, order: Mapping[str, Sequence[str]], campaigns: set[UUID], at: str, wrongs: Wrongs
) -> NewScrapingJob | None:
    """The row that is asked for; None, with what is wrong noted, where no worker could do it.

    ``order`` is which providers do which search, ``campaigns`` are those that there are, ``at`` is where the request
    stands in the body.
    """
    if asked.campaign_id is not None and asked.campaign_id not in campaigns:
        wrongs.at(f"{at}/campaign_id", f"campaign_id is {asked.campaign_id}; expected the id of a campaign")
        return None
    try:
        query = read_query(
            asked.platform,
            asked.keywords,
            asked.target_username,
            asked.region,
            asked.target_results,
            asked.search_params,
        )
        _startable(query, order)
    except InvalidJob as error:
        wrongs.at(at + _column(str(error)), _without_advice(str(error)))
        return None
    return NewScrapingJob(
        user_id=asked.user_id,
        platform=PLATFORM_NAMES[query.platform],
        keywords=asked.keywords,
        target_username=asked.target_username,
        target_results=asked.target_results,
        region=query.region,
        campaign_id=None if asked.campaign_id is None else str(asked.campaign_id),
        search_params=asked.search_params,
    )


def warnings_of(asked: ScrapingJob) -> list[str]:
    """Warnings of what is not read."""
    warnings = []
    if asked.keywords and asked.target_username:
        warnings.append("keywords: ignored, as target_username goes before them")
    if ignored := unknown_params(asked.search_params):
        known = ", ".join(sorted(KNOWN_PARAMS))
        warnings.append(f"search_params: {', '.join(ignored)[:200]} is ignored; known are {known}")
    return warnings


def judged_background(
    asked: BackgroundJob, handlers: Mapping[str, Handler], at: str, wrongs: Wrongs
) -> NewBackgroundJob | None:
    """The row that is asked for; None, with what is wrong noted, where its handler would refuse it."""
    if asked.scheduled_for is not None and asked.delay_seconds is not None:
        wrongs.at(f"{at}/delay_seconds", "delay_seconds and scheduled_for are both given; expected one of them")
        return None
    if asked.scheduled_for is not None and not EARLIEST <= asked.scheduled_for <= datetime.now(UTC) + LATEST:
        expected = f"a moment from {EARLIEST:%Y} on and at most {LATEST.days:,} days from now"
        wrongs.at(f"{at}/scheduled_for", f"scheduled_for is {asked.scheduled_for.isoformat()}; expected {expected}")
        return None
    if not payload_is_read(asked.job_type, asked.payload, handlers, at, wrongs):
        return None
    due = asked.scheduled_for
    if asked.delay_seconds:
        due = datetime.now(UTC) + timedelta(seconds=asked.delay_seconds)
    return NewBackgroundJob(asked.job_type, asked.payload, asked.priority, asked.max_retries, due)


def payload_is_read(
    job_type: str, payload: Mapping[str, Any], handlers: Mapping[str, Handler], at: str, wrongs: Wrongs
) -> bool:
    """Whether a handler serves the type and would read the payload; else what is wrong is noted."""
    handler = handlers.get(job_type)
    if handler is None:
        known = ", ".join(sorted(handlers))
        wrongs.at(f"{at}/job_type", f"job_type is {job_type[:100]!r}; expected one of {known}")
        return False
    try:
        msgspec.json.decode(json.dumps(payload), type=handler.payload)
    except (msgspec.MsgspecError, RecursionError) as error:
        told = str(error)
        path = _PATH.search(told)
        wrongs.at(
            f"{at}/payload" + _pointer(path["path"] if path else ""),
            f"payload of {job_type}: {told[: path.start()] if path else told}",
        )
        return False
    return True


def _startable(query: Query, order: Mapping[str, Sequence[str]]) -> None:
    """Raise `InvalidJob` unless a provider can be asked."""
    refused: InvalidJob | None = None
    for adapter in adapters_of(query, order):
        try:
            adapter.starts(query)
        except InvalidJob as error:
            refused = refused or error
        else:
            return
    raise refused or InvalidJob("search_params.provider names nobody who can be asked; expected a provider.")


def _column(refusal: str) -> str:
    found = _FIELD.match(refusal)
    if found is None:
        # Neither words nor a target, or a search that no provider has: about no single column.
        return ""
    return f"/{found['name']}" + (f"/{found['key']}" if found["key"] else "")


def _without_advice(refusal: str) -> str:
    """A refusal's last sentence says what to do with a row, and there is none."""
    return refusal.rpartition(". ")[0] or refusal


def _pointer(path: str) -> str:
    """``.userId`` or ``.items[0]`` as parts of a JSON pointer."""
    return "".join(f"/{escaped(part)}" for part in _parts(path))


def _parts(path: str) -> Iterable[str]:
    return (part for part in re.split(r"[.\[\]]+", path) if part and part != "...")

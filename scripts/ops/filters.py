"""Which jobs a command is about: ids, and the same filters everywhere."""

import inspect
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import wraps
from typing import Annotated, Any, Final

import typer

from scripts.ops.frame import USAGE, fail, job_ids
from worker.clock import utc_now
from worker.operating.selection import MOST, Selection

UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
LONGEST: Final = timedelta(days=3650)


class JobTable(StrEnum):
    """The application's tables of jobs."""

    SCRAPING = "scraping_jobs"
    BACKGROUND = "background_jobs"
    SEARCHES = "search_jobs"


Text = str | None
OPTIONS: Final[dict[str, Any]] = {
    "status": Annotated[
        Text, typer.Option(help="The row's word: pending, processing, completed, error, timeout, failed, queued.")
    ],
    "platform": Annotated[Text, typer.Option(help="In any casing; background jobs have none.")],
    "kind": Annotated[Text, typer.Option(help="keyword or similar, or the type of a background job.")],
    "campaign": Annotated[Text, typer.Option(help="Id of the campaign.")],
    "user": Annotated[Text, typer.Option(help="user_id of the row, or userId of a payload.")],
    "error_like": Annotated[
        Text, typer.Option(help="A text that stands in the error, in any casing; % and _ are letters as others.")
    ],
    "since": Annotated[
        Text, typer.Option(help="Last changed (for ended jobs: ended) from then on: 2026-05-01T12:00, UTC, or 6h ago.")
    ],
    "until": Annotated[Text, typer.Option(help="Last changed before then.")],
    "limit": Annotated[int | None, typer.Option(min=1, max=MOST, help="So many at most, the oldest first.")],
    "table": Annotated[JobTable | None, typer.Option(help="This table's jobs alone.")],
}
"""The filters, by field of `Selection`."""

IDS: Final = Annotated[list[str] | None, typer.Argument(help="Ids of jobs of any table; search:ID for a search.")]


def selecting(command: Callable[..., None]) -> Callable[..., None]:
    """A command that takes a `Selection`, as one that takes ids and filters; it must be given some of them."""

    @wraps(command)
    def run(jobs: list[str] | None, **given: Any) -> None:
        filters = {name: given.pop(name) for name in OPTIONS}
        if not jobs and Selection(**read(filters)).names_nothing:
            fail("nothing is chosen; give ids of jobs, or a filter such as --status error", USAGE)
        command(selection=selection_of(filters, jobs or []), **given)

    ids = inspect.Parameter("jobs", inspect.Parameter.POSITIONAL_OR_KEYWORD, default=None, annotation=IDS)
    return _looks_like(run, [ids], command)


def filtering(command: Callable[..., None]) -> Callable[..., None]:
    """A command that takes a `Selection`, as one that takes filters alone; options of its own go before ours."""
    own = inspect.signature(command).parameters

    @wraps(command)
    def run(**given: Any) -> None:
        filters = {name: given.pop(name) for name in OPTIONS if name not in own}
        command(selection=selection_of(filters, []), **given)

    return _looks_like(run, [], command)


def _looks_like(
    run: Callable[..., None], first: list[inspect.Parameter], command: Callable[..., None]
) -> Callable[..., None]:
    """Give a function the parameters by which the command line is read: the first, the filters, the command's own."""
    kind = inspect.Parameter.KEYWORD_ONLY
    own = {name: one for name, one in inspect.signature(command).parameters.items() if name != "selection"}
    filters = [
        inspect.Parameter(name, kind, default=None, annotation=one) for name, one in OPTIONS.items() if name not in own
    ]
    parameters = [*first, *filters, *(one.replace(kind=kind) for one in own.values())]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {one.name: one.annotation for one in parameters}
    return run


def selection_of(filters: dict[str, Any], jobs: list[str]) -> Selection:
    """The selection; ends the command with what is wrong."""
    try:
        return Selection(ids=job_ids(jobs) if jobs else (), **read(filters))
    except ValueError as error:
        fail(str(error), USAGE)


def read(filters: dict[str, Any]) -> dict[str, Any]:
    """The filters with times for texts; ends the command with what is wrong."""
    told = dict(filters)
    for name in ("since", "until"):
        if told.get(name) is not None:
            told[name] = moment(name, told[name])
    try:
        Selection(**told)
    except ValueError as error:
        fail(f"--{error}", USAGE)
    return told


def moment(name: str, text: str) -> datetime:
    """The moment that a text names: ISO 8601, UTC where it names no zone, or how long ago."""
    if (ago := _duration(text)) is not None:
        return utc_now() - ago
    try:
        read = datetime.fromisoformat(text.strip())
    except ValueError:
        fail(f"--{name} is {text!r}; expected a time such as 2026-05-01T12:00, or how long ago: 90m, 6h, 7d", USAGE)
    return read if read.tzinfo else read.replace(tzinfo=UTC)


def span(name: str, text: str) -> timedelta:
    """The time that a text such as ``10m`` names; ends the command when it is none."""
    found = _duration(text)
    if not found:
        fail(f"{name} is {text!r}; expected a time such as 90s, 10m, 6h or 7d", USAGE)
    return found


def _duration(text: str) -> timedelta | None:
    found = re.fullmatch(r"([0-9]{1,9})\s*([smhd])(?: ago)?", text.strip().casefold())
    if not found:
        return None
    length = timedelta(**{UNITS[found[2]]: int(found[1])})
    return length if length <= LONGEST else None

"""What every Apify endpoint shares: host, how an error is told, and how a run is told."""

from datetime import timedelta
from typing import Any, Final

import msgspec

from platforms.decoding import decode
from platforms.pages import Response
from worker.errors import ShapeError

BASE_URL: Final = "https://api.apify.com"
AUTHORITY_HEADER: Final = "authorization"
PROVIDER: Final = "apify"
NOT_JSON: Final = "not json"
"""What `told` gives where the body is no JSON."""

UNFINISHED: Final = frozenset({"READY", "RUNNING", "TIMING-OUT", "ABORTING"})
FAILURES: Final = {"FAILED": "run_failed", "TIMED-OUT": "run_timed_out", "ABORTED": "run_aborted"}
"""Ends of a run that may leave a part of the results, by the word that a walk ends with. Only the status decides: an
aborted run was documented with exit code 0."""
SUCCEEDED: Final = "SUCCEEDED"

LONGEST_RUN: Final = timedelta(minutes=10)
"""When Apify ends a run by itself; a run for three names took 14 s."""


class Run(msgspec.Struct, rename="camel", kw_only=True):
    """A run of an Actor. What it has cost is told in US dollars."""

    id: str
    status: str
    started_at: str = ""
    finished_at: str | None = None
    default_dataset_id: str = ""
    default_key_value_store_id: str = ""
    usage_total_usd: Any = None
    status_message: str | None = None


class OneRun(msgspec.Struct):
    """A single object comes below ``data``."""

    data: Run


class _Runs(msgspec.Struct):
    items: list[Run]


class _ManyRuns(msgspec.Struct):
    data: _Runs


class _Error(msgspec.Struct):
    type: Any = None
    message: Any = None


class _Refusal(msgspec.Struct):
    error: _Error


_ONE_RUN = msgspec.json.Decoder(OneRun)
_MANY_RUNS = msgspec.json.Decoder(_ManyRuns)
_REFUSAL = msgspec.json.Decoder(_Refusal)


def told(response: Response) -> str:
    """What an answer says about itself: "" for success with JSON, else ``type: message`` of its error. Never raises."""
    body = response.body.lstrip(b"\xef\xbb\xbf \t\r\n")
    if not body.startswith((b"{", b"[")):
        return NOT_JSON
    if response.status in (200, 201):
        return ""
    try:
        error = _REFUSAL.decode(body).error
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return ""
    return ": ".join(" ".join(part.split()) for part in (error.type, error.message) if isinstance(part, str))


def read_run(response: Response) -> Run:
    """The run in an answer. Raises `ShapeError` (``not_json``, ``wrong_page_shape``)."""
    try:
        return decode(_ONE_RUN, response.body).data
    except msgspec.ValidationError as error:
        raise ShapeError("wrong_page_shape", f"expected a run: {error}") from error


def read_runs(response: Response) -> list[Run]:
    """The runs in an answer. Raises `ShapeError` as `read_run`."""
    try:
        return decode(_MANY_RUNS, response.body).data.items
    except msgspec.ValidationError as error:
        raise ShapeError("wrong_page_shape", f"expected a list of runs: {error}") from error

"""What the application's routes were for, and so what a message to one of them asks for here."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal
from uuid import UUID

from console.api.problems import Problem, Wrong, invalid
from console.api.storable_json import misfit

Kind = Literal["search", "watch", "job", "mail"]

ROUTES: Final[Mapping[str, Kind]] = {
    "/api/qstash/process-scraping": "search",
    "/api/qstash/process-search": "search",
    "/api/qstash/process-results": "watch",
    "/api/jobs/process": "job",
    "/api/email/send-scheduled": "mail",
}
"""Ends of the addresses that are known; the host is the application's own, and nobody calls it."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row that is there, and that the message is about."""

    table: Literal["scraping_jobs", "background_jobs"]
    job_id: str
    watch_only: bool = False
    """Whether the message would only have looked whether the row is late, which is looked at here anyway."""


@dataclass(frozen=True, slots=True)
class NewJob:
    """A background job that the message is."""

    job_type: str
    payload: dict[str, Any]


def read_message(destination: str, raw: bytes) -> Row | NewJob:
    """What a message asks for. Raises `Problem`: 404 for an unknown destination, 400 or 422 for a body."""
    kind = _kind(destination)
    body = _body(raw)
    if kind in ("search", "watch"):
        return Row("scraping_jobs", _job_id(body), watch_only=kind == "watch")
    if kind == "mail":
        campaign = {"campaignId": body["campaignId"]} if "campaignId" in body else {}
        return NewJob("send_email", {"userId": body.get("userId"), "type": body.get("emailType"), **campaign})
    if body.get("jobId") is not None:
        return Row("background_jobs", _job_id(body))
    job_type, payload = body.get("jobType"), body.get("payload", {})
    if not isinstance(job_type, str) or not isinstance(payload, dict):
        raise _wrong("/jobType", "the body has neither jobId nor a jobType with a payload; expected one of them")
    return NewJob(job_type, payload)


def _kind(destination: str) -> Kind:
    # Proxies on the way make one slash of two.
    address = re.fullmatch(r"https?:/{1,2}[^/?#]+(/[^?#]*)([?#].*)?", destination, re.DOTALL)
    path = address[1].rstrip("/") if address else ""
    for route, kind in ROUTES.items():
        if path.endswith(route):
            return kind
    raise Problem(
        404,
        "unknown_destination",
        f"the destination is {destination[:200]!r}; expected the address of a route that Trawler does the work of: "
        f"https://<your application> with {', '.join(ROUTES)}; nothing was put in",
    )


def _body(raw: bytes) -> dict[str, Any]:
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        raise Problem(400, "invalid_json", "the body is not JSON; expected what the route took, as JSON") from None
    if not isinstance(body, dict):
        raise _wrong("", 'the body is no object; expected what the route took, such as {"jobId": ...}')
    if wrong := misfit(body):
        raise _wrong(wrong[0], f"{wrong[0] or 'the body'} {wrong[1]}")
    return body


def _job_id(body: Mapping[str, Any]) -> str:
    seen = body.get("jobId")
    try:
        return str(UUID(seen if isinstance(seen, str) else ""))
    except ValueError:
        raise _wrong("/jobId", f"jobId is {json.dumps(seen)[:80]}; expected the UUID of a row") from None


def _wrong(pointer: str, detail: str) -> Problem:
    return invalid([Wrong(detail, pointer=pointer)])

"""Errors as ``application/problem+json`` (RFC 9457): one shape for every answer that is none."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from db.session import storable

MEDIA_TYPE: Final = "application/problem+json"
TYPE: Final = "urn:trawler:problem:"
"""What every ``type`` begins with; the code follows."""
MOST_ERRORS: Final = 100
"""Wrong places that one answer names."""


@dataclass(frozen=True, slots=True)
class Wrong:
    """One wrong place: where it is, by one of three names, and what is the matter with it."""

    detail: str
    pointer: str | None = None
    """A JSON pointer into the body, such as ``/jobs/3/platform``."""
    parameter: str | None = None
    """A parameter of the path or the query."""
    header: str | None = None

    def shown(self) -> dict[str, str]:
        """The places that are named."""
        named = {"detail": self.detail, "pointer": self.pointer, "parameter": self.parameter, "header": self.header}
        return {name: storable(text)[:500] for name, text in named.items() if text is not None}


class Problem(Exception):
    """Raised to answer with an error; ``code`` is stable and ends the problem's ``type``.

    ``further`` are members of the answer beside those that every problem has.
    """

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        errors: Sequence[Wrong] = (),
        headers: Mapping[str, str] | None = None,
        further: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.errors = errors
        self.headers = headers or {}
        self.further = further or {}

    def answer(self) -> Response:
        """The response. Text that JSON cannot carry is replaced."""
        content: dict[str, Any] = {
            "type": TYPE + self.code,
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": storable(self.detail)[:4000],
            **self.further,
        }
        if self.errors:
            content["errors"] = [one.shown() for one in self.errors[:MOST_ERRORS]]
        return Response(msgspec.json.encode(content), self.status, dict(self.headers), MEDIA_TYPE)


@dataclass(slots=True)
class Wrongs:
    """Wrong places of one request, told together."""

    found: list[Wrong] = field(default_factory=list)

    def at(self, pointer: str, detail: str) -> None:
        """Note one of the body."""
        self.found.append(Wrong(detail, pointer=pointer))

    def refuse(self) -> None:
        """Raise `Problem` when anything was found."""
        if self.found:
            raise invalid(self.found)


def invalid(errors: Sequence[Wrong]) -> Problem:
    """The answer to a request whose parts are wrong."""
    more = f" and {len(errors) - 1} more" if len(errors) > 1 else ""
    return Problem(422, "invalid_request", f"{errors[0].detail}{more}; nothing was changed", errors=errors)


def unavailable(detail: str, seconds: int) -> Problem:
    """The answer while something that is needed is away; ``seconds`` is when to try again."""
    return Problem(503, "unavailable", detail, headers={"Retry-After": str(seconds)})


def no_such_job(job_id: str) -> Problem:
    """The answer for an id that names nothing."""
    return Problem(404, "unknown_job", f"there is no job {job_id}; expected the id of a job of any table")


async def answer_problem(_: Request, error: Exception) -> Response:
    """Exception handler of `Problem`."""
    assert isinstance(error, Problem)  # noqa: S101 - it is registered for nothing else
    return error.answer()

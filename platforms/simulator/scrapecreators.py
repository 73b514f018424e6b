"""The provider ScrapeCreators: its checks, its envelope and its error bodies, for the TikTok endpoints.

Error bodies are those recorded from it or quoted by its public clients; a missing key really is an HTTP 500.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

import msgspec

from platforms.simulator.faults import Fault, FaultKind
from platforms.simulator.ledger import Ledger
from platforms.simulator.mutations import PROFILE_MUTATIONS, SEARCH_MUTATIONS, Mutation, escape_marks
from platforms.simulator.padding import padded
from platforms.simulator.settings import PROFILE_PATH, SEARCH_PATH

KEY_HEADER = "x-api-key"
BAD_KEY = "bad-key"
"""The one key that is refused; any other non-empty key is good."""

_CALL_CREDITS = 1

ERROR_BODIES: dict[int, dict[str, Any]] = {
    400: {"success": False, "credits_charged": 0, "error": "missing_parameter", "errorStatus": 400},
    401: {"success": False, "message": "Invalid API key"},
    402: {"success": False, "message": "Looks like you're out of credits :( "},
    403: {"success": False, "error": "forbidden", "errorStatus": 403, "message": "This account is not available"},
    404: {"success": False, "error": "not_found", "errorStatus": 404, "message": "Account doesn't exist"},
    429: {"success": False, "message": "Too many requests"},
    500: {"success": False, "message": "Something went wrong"},
}


class Source(Protocol):
    """Where good answers come from: recordings, or a made-up catalogue. The caller does not change what it gets."""

    def search(self, query: str, cursor: int) -> dict[str, Any]:
        """The keyword page at a cursor."""

    def profile(self, handle: str) -> dict[str, Any] | None:
        """A profile; None for nobody's handle."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One complete answer, ready to send."""

    status: int
    body: bytes
    media_type: str = "application/json; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)


class _Refusal(Exception):
    def __init__(self, status: int, **more: Any) -> None:
        super().__init__(status)
        self.status = status
        self.body = {**ERROR_BODIES[status], **more}


_Ask: TypeAlias = Callable[[Mapping[str, str]], dict[str, Any]]


class ScrapeCreators:
    """Answers calls from a source and charges the ledger for those that were answered."""

    def __init__(self, source: Source, ledger: Ledger, *, envelope: bool, padding: bool) -> None:
        self._source = source
        self._ledger = ledger
        self._envelope = envelope
        self._padding = padding
        self._endpoints: dict[str, tuple[_Ask, dict[FaultKind, Mutation]]] = {
            SEARCH_PATH: (self._search, SEARCH_MUTATIONS),
            PROFILE_PATH: (self._profile, PROFILE_MUTATIONS),
        }

    @property
    def mutations(self) -> dict[str, frozenset[FaultKind]]:
        """The faults that bend an answer, by the path of the endpoint that has them."""
        return {path: frozenset(bends) for path, (_, bends) in self._endpoints.items()}

    def answer(self, path: str, params: Mapping[str, str], key: str | None, fault: Fault | None = None) -> Answer:
        """The answer to one call. A good one costs 1 credit and is bent by ``fault``, if that kind bends."""
        ask, mutations = self._endpoints[path]
        try:
            self._admit(key)
            good = ask(params)
        except _Refusal as refusal:
            return Answer(refusal.status, msgspec.json.encode(refusal.body))
        self._ledger.charge(_CALL_CREDITS)
        if self._envelope:
            remaining = {"credits_remaining": self._ledger.balance, "credits_charged": _CALL_CREDITS}
            good = {"success": True, **remaining, **good}
        return Answer(200, self._encoded(good, fault, mutations))

    def _encoded(self, good: dict[str, Any], fault: Fault | None, mutations: Mapping[FaultKind, Mutation]) -> bytes:
        mutation = mutations.get(fault.kind) if fault else None
        if fault and mutation:
            # A copy, since a recorded answer is served again.
            good = mutation(msgspec.json.decode(msgspec.json.encode(good)), fault)
        body = msgspec.json.encode(padded(good) if self._padding else good)
        if fault and fault.kind is FaultKind.NUL_AND_SURROGATES:
            return escape_marks(body)
        return body[: len(body) // 2] if fault and fault.kind is FaultKind.CUT_JSON else body

    def _admit(self, key: str | None) -> None:
        if not key:
            raise _Refusal(500, message="apiKey is required")
        if key == BAD_KEY:
            raise _Refusal(401)
        if self._ledger.balance < _CALL_CREDITS:
            raise _Refusal(402)

    def _search(self, params: Mapping[str, str]) -> dict[str, Any]:
        query, cursor = params.get("query"), params.get("cursor") or "0"
        if not query:
            raise _Refusal(400, message="You must provide a query")
        if not (cursor.isascii() and cursor.isdigit() and len(cursor) < 10):
            raise _Refusal(400, error="invalid_parameter", message="cursor must be a number")
        return self._source.search(query, int(cursor))

    def _profile(self, params: Mapping[str, str]) -> dict[str, Any]:
        handle = params.get("handle")
        if not handle:
            raise _Refusal(400, message="You must provide a handle")
        found = self._source.profile(handle)
        if found is None:
            raise _Refusal(404, credits_remaining=self._ledger.balance)
        return found


def unknown_route(method: str, path: str) -> Answer:
    """The page for a path that does not exist: HTML, as recorded."""
    escaped = path.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    page = (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>Error</title>\n</head>\n'
        f"<body>\n<pre>Cannot {method} {escaped}</pre>\n</body>\n</html>\n"
    )
    return Answer(404, page.encode(), "text/html; charset=utf-8")

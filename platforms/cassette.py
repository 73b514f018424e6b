"""Cassettes: recorded calls as JSON, fit to be shared, and a transport that plays them in the place of the network.

A cassette holds one call or more, each with its request, the answer's status, the headers that adapters read, and the
body. Private contact data and signatures are replaced when it is written, never later.
"""

import base64
import contextlib
import hashlib
import json
import re
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, Final
from urllib.parse import parse_qsl

import httpx
import msgspec

from platforms.pages import ACCOUNT, Request, Response
from platforms.private_data import without_private_data
from worker.errors import TrawlerError

KEPT_HEADERS: Final = re.compile(
    r"content-type|retry-after|date|x-ratelimit-.*|x-app-usage|x-business-use-case-usage|x-apify-pagination-.*"
)
"""Headers of an answer that adapters and limits read; others are not kept."""


class CassetteMismatch(TrawlerError):
    """Raised when a call is played that no cassette holds; the text says what was asked and what there is."""

    code = "cassette_mismatch"


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One recorded call. ``body`` is text, or base64 where ``base64`` says so; ``body_hash`` is of the request's."""

    method: str
    path: str
    params: dict[str, str]
    body_hash: str
    status: int
    headers: dict[str, str]
    body: str
    base64: bool = False

    @property
    def asked(self) -> tuple[str, str, tuple[tuple[str, str], ...], str]:
        """What a request must be equal in."""
        return self.method, self.path, tuple(sorted(self.params.items())), self.body_hash

    @property
    def content(self) -> bytes:
        """The body as it came, but for what was replaced."""
        return base64.b64decode(self.body) if self.base64 else self.body.encode()


class Cassette(msgspec.Struct, frozen=True, kw_only=True):
    """Recorded calls to one endpoint. ``adapter_version`` is None where no adapter reads it."""

    provider: str
    endpoint: str
    adapter_version: int | None
    recorded_at: datetime
    calls: list[Call]


def record(request: Request, response: Response, redact: Callable[[str], str]) -> Call:
    """A call as it is kept; ``redact`` cuts keys and tokens from text, as logs have it."""
    try:
        body, packed = without_private_data(redact(response.body.decode())), False
    except UnicodeDecodeError:
        body, packed = base64.b64encode(response.body).decode(), True
    return Call(
        method="GET" if request.body is None else "POST",
        path=redact(request.path),
        params={name: _shareable(f"{name}=", value, redact) for name, value in sorted(request.params.items())},
        body_hash=hash_of(request.body),
        status=response.status,
        headers={
            name: without_private_data(redact(value))
            for name, value in sorted(response.headers.items())
            if KEPT_HEADERS.fullmatch(name)
        },
        body=body,
        base64=packed,
    )


def hash_of(body: bytes | None) -> str:
    """What request bodies are compared by: JSON whatever its spaces and order, anything else as it is; "" for none."""
    if not body:
        return ""
    with contextlib.suppress(ValueError):
        body = json.dumps(json.loads(body), sort_keys=True, separators=(",", ":")).encode()
    return hashlib.sha256(body).hexdigest()


def encode(cassette: Cassette) -> bytes:
    """The cassette as JSON for people."""
    return msgspec.json.format(msgspec.json.encode(cassette), indent=1) + b"\n"


def decode(document: bytes) -> Cassette:
    """A cassette of a file's content. Raises `msgspec.MsgspecError` when it is none."""
    return msgspec.json.decode(document, type=Cassette)


class CassettePlayer(httpx.AsyncBaseTransport):
    """Answers what the cassettes hold, in their order where one request is there more than once, and nothing else.

    For `Transport(transport=...)`, with a base URL without a path. ``account`` is what that transport puts for our
    own account's id.
    """

    def __init__(self, cassettes: Iterable[Cassette], account: str = "") -> None:
        self._account = account
        self._left: list[Call] = [call for cassette in cassettes for call in cassette.calls]
        self._played: list[Call] = []

    @property
    def left(self) -> Sequence[Call]:
        """Calls that nobody has made yet."""
        return tuple(self._left)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The recorded answer. Raises `CassetteMismatch` for any other request; the last of equal ones is repeated."""
        body = await request.aread()
        params = tuple(sorted(parse_qsl(request.url.query.decode(), keep_blank_values=True)))
        asked = (request.method, request.url.path, params, hash_of(body))
        for calls in (self._left, self._played[::-1]):
            for call in calls:
                if self._here(call) == asked:
                    if calls is self._left:
                        self._left.remove(call)
                        self._played.append(call)
                    return httpx.Response(call.status, headers=call.headers, content=call.content)
        there = "\n".join(f"  {_shown(self._here(call))}" for call in [*self._played, *self._left]) or "  nothing"
        raise CassetteMismatch(
            f"no cassette holds\n  {_shown(asked)}\nthere is\n{there}\nrecord it, or mend the request"
        )

    def _here(self, call: Call) -> tuple[str, str, tuple[tuple[str, str], ...], str]:
        method, path, params, body_hash = call.asked
        own = tuple((name, value.replace(ACCOUNT, self._account)) for name, value in params)
        return method, path.replace(ACCOUNT, self._account), tuple(sorted(own)), body_hash


def _shareable(name: str, value: str, redact: Callable[[str], str]) -> str:
    return redact(name + value).removeprefix(name)


def _shown(asked: tuple[str, str, tuple[tuple[str, str], ...], str]) -> str:
    method, path, params, body_hash = asked
    told: Any = "&".join(f"{name}={value}" for name, value in params)
    return f"{method} {path}{'?' if told else ''}{told}{' body ' + body_hash[:12] if body_hash else ''}"

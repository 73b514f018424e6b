"""Who lets a call pass where a fixed key does not: asked by the transport for headers, and told of a refusal."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol, TypeAlias

from platforms.pages import Request, Response

Ask: TypeAlias = Callable[[Request], Awaitable[Response]]
"""Sends one request of the authority's own to the same host, without authorisation. Raises `TransportFailure`."""


class Authority(Protocol):
    """One for each transport. It does no I/O but by `Ask`; calls of many slices use it at once."""

    async def headers(self, ask: Ask) -> Mapping[str, str] | Response:
        """The headers that a call needs now; or, where there are none to be had, the answer that says why.

        Such an answer is judged in the place of the call's own, so it must hold no secret.
        """

    def refused(self, headers: Mapping[str, str], response: Response) -> bool:
        """Told that a call with these headers was answered with 401; whether other headers may help."""

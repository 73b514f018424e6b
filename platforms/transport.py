"""The one place where platform calls touch the network.

httpx is the API at the seam; aiohttp moves the bytes below it, because httpx's own pool costs several times the
CPU for megabyte answers at high concurrency.
"""

import asyncio
from collections.abc import Mapping, Sequence
from http.cookiejar import CookieJar, DefaultCookiePolicy
from urllib.parse import quote

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

from platforms.authority import Authority
from platforms.network_errors import FAILURES, describe
from platforms.pages import ACCOUNT, Request, Response
from worker.errors import BodyTooLarge, ConfigurationError, TransportFailure

KEEPALIVE_SECONDS = 30.0
"""An idle connection is closed after this; load balancers commonly drop theirs after 60 s."""

CUT = "[cut]"
"""What stands where an answer repeated a secret."""

SHORTEST_SECRET = 6
"""Characters. What is shorter is no key, and would be cut from where it means nothing."""

_ACCEPTED_ENCODINGS = "gzip, deflate"


class Transport:
    """Sends requests to one provider. Made once per process, inside or outside a running loop.

    Args:
        base_url: Scheme and host every path goes below.
        headers: Sent with each request; the provider's key is one of them and never appears in an error.
        connect_seconds: Longest wait for a connection to be made.
        read_seconds: Longest silence between two pieces of an answer.
        total_seconds: Longest whole exchange, waiting for a free connection included.
        body_limit_bytes: Most bytes of a body, counted after decompression; one piece more is held for a moment.
        max_connections: Most connections open at once; further calls wait within their ``total_seconds``.
        account: The id of our own account, put where a request says `ACCOUNT`.
        secrets: Cut from every answer, as are the values of all headers that were sent: providers do repeat a key
            that they refuse.
        authority: Gives further headers for each call, e.g. a token that must be fetched and renewed.
        transport: Replaces the network in tests.

    Raises:
        ConfigurationError: A header holds a character that HTTP does not allow, e.g. a key with a line end.
    """

    def __init__(
        self,
        base_url: str,
        headers: Mapping[str, str],
        *,
        connect_seconds: float,
        read_seconds: float,
        total_seconds: float,
        body_limit_bytes: int,
        max_connections: int,
        account: str = "",
        secrets: Sequence[str] = (),
        authority: Authority | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        for name, value in headers.items():
            if not (value.isascii() and value.isprintable()):
                # The library's own error would show the value, which may be the key.
                raise ConfigurationError(f"header {name} holds a line end or a non-ASCII character; correct its value")
        self._secrets = (*secrets, *headers.values())
        self._account = account
        self._authority = authority
        self._connect_seconds = connect_seconds
        self._read_seconds = read_seconds
        self._total_seconds = total_seconds
        self._body_limit_bytes = body_limit_bytes
        self._client = httpx.AsyncClient(
            base_url=base_url,
            headers={"accept-encoding": _ACCEPTED_ENCODINGS, **headers},
            timeout=httpx.Timeout(connect=connect_seconds, read=read_seconds, write=read_seconds, pool=None),
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
            follow_redirects=False,
            trust_env=False,
            transport=transport or _aiohttp_transport(max_connections),
        )

    async def fetch(self, request: Request) -> Response:
        """Send one request and read the whole answer, whatever its status; redirects are answers, not followed.

        Raises:
            BodyTooLarge: The body passed the cap; the connection is given up there.
            TransportFailure: No complete answer came; the text names what was seen and holds no header.
        """
        try:
            async with asyncio.timeout(self._total_seconds):
                return await self._authorised(request)
        except TimeoutError:
            pass
        raise _failure(request, f"no complete answer within {self._total_seconds:g} s")

    async def aclose(self) -> None:
        """Close every connection. Fetching afterwards is a programming error."""
        await self._client.aclose()

    async def _authorised(self, request: Request) -> Response:
        """The answer to a call with the authority's headers, asked for again once where those were refused."""
        if self._authority is None:
            return await self._exchange(request, {})
        headers = await self._authority.headers(self._ask)
        if isinstance(headers, Response):
            return headers
        answer = await self._exchange(request, headers)
        if answer.status != 401 or not self._authority.refused(headers, answer):
            return answer
        headers = await self._authority.headers(self._ask)
        return headers if isinstance(headers, Response) else await self._exchange(request, headers)

    async def _ask(self, request: Request) -> Response:
        return await self._exchange(request, {})

    async def _exchange(self, request: Request, headers: Mapping[str, str]) -> Response:
        """One request and its whole answer. Raises `TransportFailure` and `BodyTooLarge`."""
        try:
            return await self._read(request, headers)
        except TimeoutError:
            what = "time-out"
        except FAILURES as error:
            what = describe(error, self._connect_seconds, self._read_seconds)
        # Raised outside the handler: the library's error carries the request with its key, and tracebacks travel.
        raise _failure(request, what)

    async def _read(self, request: Request, headers: Mapping[str, str]) -> Response:
        called = f"{_method(request)} {request.path}"
        secrets = [*self._secrets, *headers.values()]
        if request.body is not None:
            headers = {"content-type": request.content_type, **headers}
        params = {name: value.replace(ACCOUNT, self._account) for name, value in request.params.items()}
        path = request.path.replace(ACCOUNT, self._account)
        async with self._client.stream(
            _method(request), path, params=params, content=request.body, headers=headers
        ) as answer:
            limit = self._body_limit_bytes
            told = answer.headers.get("content-length", "")
            if told.isdecimal() and int(told) > limit:
                raise BodyTooLarge(f"{called}: the answer announces {told} bytes, the cap is {limit}")
            if "," in answer.headers.get("content-encoding", ""):
                # Compression within compression multiplies: a few kilobytes could become gigabytes in one step.
                raise TransportFailure(f"{called}: the body is compressed more than once")
            pieces, size = [], 0
            async for piece in answer.aiter_bytes():
                size += len(piece)
                if size > limit:
                    raise BodyTooLarge(f"{called}: the body passed the cap of {limit} bytes")
                pieces.append(piece)
            got = Response(answer.status_code, dict(answer.headers.items()), b"".join(pieces))
            return without_secrets(got, secrets)


def without_secrets(response: Response, secrets: Sequence[str]) -> Response:
    """The answer without these, or the last word of each (``Bearer TOKEN``), as they are and as URLs write them."""
    words = {secret.rpartition(" ")[2] for secret in secrets}
    # The longest first: one may begin with another.
    for secret in sorted({form for one in words for form in (one, quote(one, safe=""))}, key=len, reverse=True):
        if len(secret) < SHORTEST_SECRET:
            continue
        body = response.body.replace(secret.encode(), CUT.encode())
        headers = {name: value.replace(secret, CUT) for name, value in response.headers.items()}
        response = Response(response.status, headers, body)
    return response


def _failure(request: Request, what: str) -> TransportFailure:
    return TransportFailure(f"{_method(request)} {request.path}: {what}")


def _method(request: Request) -> str:
    return "GET" if request.body is None else "POST"


def _aiohttp_transport(max_connections: int) -> AiohttpTransport:
    tls = httpx.create_ssl_context(trust_env=False)

    def session() -> aiohttp.ClientSession:
        """Made at the first call, in the loop that serves it. No cookies: one job's must not reach another's."""
        connector = aiohttp.TCPConnector(limit=max_connections, keepalive_timeout=KEEPALIVE_SECONDS, ssl=tls)
        made = aiohttp.ClientSession(
            connector=connector, cookie_jar=aiohttp.DummyCookieJar(), timeout=aiohttp.ClientTimeout(), trust_env=False
        )
        # Left on, aiohttp sends a GET again unseen when a kept connection drops, and the provider may charge for both.
        made._retry_connection = False
        return made

    return AiohttpTransport(verify=tls, trust_env=False, client=session)

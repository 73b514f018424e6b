"""The one place where platform calls touch the network.

httpx is the API at the seam; aiohttp moves the bytes below it, because httpx's own pool costs several times the
CPU for megabyte answers at high concurrency.
"""

import asyncio
import ssl
import zlib
from collections.abc import Mapping
from http.cookiejar import CookieJar, DefaultCookiePolicy

import aiohttp
import httpx
from aiohttp.http_exceptions import HttpProcessingError
from httpx_aiohttp import AiohttpTransport

from platforms.contract import Request, Response
from worker.errors import BodyTooLarge, ConfigurationError, TransportFailure

KEEPALIVE_SECONDS = 30.0
"""An idle connection is closed after this; load balancers commonly drop theirs after 60 s."""

_ACCEPTED_ENCODINGS = "gzip, deflate"
_FAILURES = (
    httpx.HTTPError,
    httpx.InvalidURL,
    aiohttp.ClientError,
    HttpProcessingError,
    OSError,
    ValueError,
    zlib.error,
)


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
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        for name, value in headers.items():
            if not (value.isascii() and value.isprintable()):
                # The library's own error would show the value, which may be the key.
                raise ConfigurationError(f"header {name} holds a line end or a non-ASCII character; correct its value")
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
        """Send one GET and read the whole answer, whatever its status; redirects are answers, not followed.

        Raises:
            BodyTooLarge: The body passed the cap; the connection is given up there.
            TransportFailure: No complete answer came; the text names what was seen and holds no header.
        """
        try:
            async with asyncio.timeout(self._total_seconds) as whole:
                return await self._exchange(request)
        except TimeoutError:
            what = f"no complete answer within {self._total_seconds:g} s" if whole.expired() else "time-out"
        except _FAILURES as error:
            what = self._describe(error)
        # Raised outside the handler: the library's error carries the request with its key, and tracebacks travel.
        raise TransportFailure(f"GET {request.path}: {what}")

    async def aclose(self) -> None:
        """Close every connection. Fetching afterwards is a programming error."""
        await self._client.aclose()

    async def _exchange(self, request: Request) -> Response:
        async with self._client.stream("GET", request.path, params=dict(request.params)) as answer:
            limit = self._body_limit_bytes
            told = answer.headers.get("content-length", "")
            if told.isdecimal() and int(told) > limit:
                raise BodyTooLarge(f"GET {request.path}: the answer announces {told} bytes, the cap is {limit}")
            if "," in answer.headers.get("content-encoding", ""):
                # Compression within compression multiplies: a few kilobytes could become gigabytes in one step.
                raise TransportFailure(f"GET {request.path}: the body is compressed more than once")
            pieces, size = [], 0
            async for piece in answer.aiter_bytes():
                size += len(piece)
                if size > limit:
                    raise BodyTooLarge(f"GET {request.path}: the body passed the cap of {limit} bytes")
                pieces.append(piece)
            return Response(answer.status_code, dict(answer.headers.items()), b"".join(pieces))

    def _describe(self, error: BaseException) -> str:
        """What was seen, by the lowest error that tells: httpx-aiohttp calls a dropped connection ConnectTimeout."""
        seen = error.__cause__ if isinstance(error.__cause__, aiohttp.ClientError | OSError) else error
        match seen:
            case aiohttp.ClientConnectorDNSError():
                return "the host name could not be resolved"
            case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientConnectorSSLError() | ssl.SSLError():
                return "the TLS handshake failed"
            case aiohttp.ClientConnectorError():
                return f"the connection was not made ({seen.os_error.strerror or type(seen.os_error).__name__})"
            case aiohttp.ConnectionTimeoutError() | httpx.ConnectTimeout():
                return f"connect time-out: no connection within {self._connect_seconds:g} s"
            case aiohttp.SocketTimeoutError() | httpx.ReadTimeout():
                return f"read time-out: nothing came for {self._read_seconds:g} s"
            case aiohttp.ServerDisconnectedError():
                return "the server closed the connection before it answered"
            case aiohttp.ClientPayloadError():
                return "the body was cut off or is not valid HTTP"
            case (
                aiohttp.InvalidURL()
                | aiohttp.NonHttpUrlClientError()
                | httpx.InvalidURL()
                | httpx.UnsupportedProtocol()
            ):
                return "bad URL; check the provider's base URL"
            case aiohttp.ClientResponseError() | HttpProcessingError():
                return "the answer is not valid HTTP"
            case OSError():
                return f"the connection was reset ({seen.strerror or type(seen).__name__})"
            case httpx.DecodingError() | zlib.error():
                return "the body could not be decompressed"
            case ValueError():
                return "a header or the URL holds a character that HTTP does not allow"
        return f"failed with {type(seen).__name__}"


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

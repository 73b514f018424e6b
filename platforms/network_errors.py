"""What went wrong on the network, in words that name the cause and hold no header."""

import ssl
import zlib

import aiohttp
import httpx
from aiohttp.http_exceptions import HttpProcessingError

FAILURES = (
    httpx.HTTPError,
    httpx.InvalidURL,
    aiohttp.ClientError,
    HttpProcessingError,
    OSError,
    ValueError,
    zlib.error,
)
"""Errors of the libraries that mean that no complete answer came."""


def describe(error: BaseException, connect_seconds: float, read_seconds: float) -> str:
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
            return f"connect time-out: no connection within {connect_seconds:g} s"
        case aiohttp.SocketTimeoutError() | httpx.ReadTimeout():
            return f"read time-out: nothing came for {read_seconds:g} s"
        case aiohttp.ServerDisconnectedError():
            return "the server closed the connection before it answered"
        case aiohttp.ClientPayloadError():
            return "the body was cut off or is not valid HTTP"
        case aiohttp.InvalidURL() | aiohttp.NonHttpUrlClientError() | httpx.InvalidURL() | httpx.UnsupportedProtocol():
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

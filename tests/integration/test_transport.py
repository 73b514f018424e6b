"""The transport against a real server on the loopback address."""

import asyncio
import gzip
import zlib
from contextlib import asynccontextmanager

import httpx
import pytest

from platforms.contract import Request
from platforms.transport import Transport
from worker.errors import BodyTooLarge, ConfigurationError, TransportFailure

OK = b"HTTP/1.1 200 OK\r\n"
SECRET = "sk-very-secret"
REQUEST = Request("/v1/search", {"query": "a&b=c+d #é"})
LIMITS = {
    "connect_seconds": 2,
    "read_seconds": 2,
    "total_seconds": 5,
    "body_limit_bytes": 100_000,
    "max_connections": 4,
}


class Server:
    """Answers each connection by a script and remembers what was asked."""

    def __init__(self, script):
        self.script = script
        self.heads = []
        self.asked = asyncio.Event()
        self.released = asyncio.Event()
        self.client_left = asyncio.Event()

    async def serve(self, reader, writer):
        try:
            self.heads.append(await reader.readuntil(b"\r\n\r\n"))
            self.asked.set()
            await self.script(self, reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            self.client_left.set()
        finally:
            writer.close()


def sends(*pieces, then=None):
    """A script that sends the pieces, and then closes, resets (``reset``) or holds still (``hang``)."""

    async def script(server, reader, writer):
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        if then == "reset":
            writer.transport.abort()
        if then == "hang":
            await reader.read()
            server.client_left.set()

    return script


@asynccontextmanager
async def serving(script, **changes):
    """A server and a transport that talks to it."""
    server = Server(script)
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    transport = Transport(f"http://127.0.0.1:{port}", {"x-api-key": SECRET}, **(LIMITS | changes))
    try:
        yield server, transport
    finally:
        await transport.aclose()
        listener.close()
        await listener.wait_closed()


async def failure(transport, kind=TransportFailure):
    """The text of the failure that fetching ends in; checks that it can be shown to anyone."""
    with pytest.raises(kind) as caught:
        await transport.fetch(REQUEST)
    assert type(caught.value) is kind
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    return str(caught.value)


async def test_a_whole_answer_comes_back_with_lower_case_headers():
    async with serving(
        sends(OK + b"Content-Length: 2\r\nConnection: close\r\nX-Left: 5\r\nSet-Cookie: a=b\r\n\r\n{}")
    ) as (
        server,
        transport,
    ):
        response = await transport.fetch(REQUEST)
        await transport.fetch(REQUEST)
    assert (response.status, response.body, response.headers["x-left"]) == (200, b"{}", "5")
    head = server.heads[0]
    assert head.startswith(b"GET /v1/search?query=a%26b%3Dc%2Bd+%23%C3%A9 HTTP/1.1\r\n")
    assert b"\r\nx-api-key: " + SECRET.encode() in head
    assert b"cookie" not in server.heads[1].lower()


async def test_a_redirect_is_an_answer_and_not_followed():
    moved = b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n"
    async with serving(sends(moved)) as (server, transport):
        response = await transport.fetch(REQUEST)
    assert (response.status, response.headers["location"], len(server.heads)) == (302, "http://127.0.0.1:1/", 1)


@pytest.mark.parametrize(
    ("coding", "packed"),
    [(b"gzip", gzip.compress(b"{}")), (b"deflate", zlib.compress(b"{}"))],
    ids=["gzip", "deflate"],
)
async def test_a_compressed_body_is_unpacked(coding, packed):
    async with serving(sends(OK + b"content-encoding: " + coding + b"\r\n\r\n" + packed)) as (_, transport):
        assert (await transport.fetch(REQUEST)).body == b"{}"


async def test_a_body_of_exactly_the_cap_is_read():
    async with serving(sends(OK + b"content-length: 100000\r\n\r\n" + b"x" * 100_000)) as (_, transport):
        assert len((await transport.fetch(REQUEST)).body) == 100_000


async def test_a_body_that_announces_too_much_is_refused_before_it_is_read():
    async with serving(sends(OK + b"content-length: 100001\r\n\r\n", then="hang")) as (server, transport):
        text = await failure(transport, BodyTooLarge)
        await asyncio.wait_for(server.client_left.wait(), 5)
    assert "announces 100001 bytes, the cap is 100000" in text


async def test_a_body_without_length_is_cut_off_at_the_cap():
    async with serving(sends(OK + b"\r\n", b"x" * 200_000, then="hang")) as (server, transport):
        text = await failure(transport, BodyTooLarge)
        await asyncio.wait_for(server.client_left.wait(), 5)
    assert "passed the cap of 100000 bytes" in text


async def test_a_gzip_bomb_is_counted_unpacked():
    bomb = gzip.compress(b"0" * 20_000_000)
    assert len(bomb) < 100_000
    async with serving(sends(OK + b"content-encoding: gzip\r\n\r\n" + bomb)) as (_, transport):
        assert "passed the cap" in await failure(transport, BodyTooLarge)


BROKEN = {
    "cut body": (sends(OK + b"content-length: 20\r\n\r\n{}"), "cut off"),
    "reset within the body": (sends(OK + b"content-length: 20\r\n\r\n{}", then="reset"), "cut off"),
    "cut chunk": (sends(OK + b"transfer-encoding: chunked\r\n\r\n5\r\nab"), "cut off"),
    "invalid chunk": (sends(OK + b"transfer-encoding: chunked\r\n\r\n2\r\nab\r\n", b"ZZ\r\n"), "not valid HTTP"),
    "closed before answering": (sends(), "closed the connection"),
    "reset before answering": (sends(then="reset"), "connection"),
    "no http": (sends(b"hello\r\n\r\n"), "not valid HTTP"),
    "two lengths": (sends(OK + b"content-length: 2\r\ncontent-length: 3\r\n\r\n{}"), "not valid HTTP"),
    "endless header": (sends(OK + b"x: " + b"a" * 100_000 + b"\r\n\r\n"), "not valid HTTP"),
    "no gzip": (sends(OK + b"content-encoding: gzip\r\n\r\nabcd"), "could not be decompressed"),
    "gzip in gzip": (sends(OK + b"content-encoding: gzip, gzip\r\n\r\nabcd"), "compressed more than once"),
}


@pytest.mark.parametrize(("script", "told"), BROKEN.values(), ids=list(BROKEN))
async def test_a_broken_exchange_is_a_transport_failure(script, told):
    async with serving(script) as (_, transport):
        assert told in await failure(transport)


async def test_silence_ends_at_the_read_time_out():
    async with serving(sends(then="hang"), read_seconds=0.1) as (_, transport):
        assert "read time-out: nothing came for 0.1 s" in await failure(transport)


async def test_silence_within_a_body_ends_at_the_read_time_out():
    async with serving(sends(OK + b"content-length: 9\r\n\r\n{", then="hang"), read_seconds=0.1) as (_, transport):
        assert "read time-out" in await failure(transport)


async def test_the_whole_exchange_ends_at_the_total_time_out_and_the_connection_is_given_up():
    async with serving(sends(OK + b"content-length: 9\r\n\r\n{", then="hang"), total_seconds=0.1) as (
        server,
        transport,
    ):
        assert "no complete answer within 0.1 s" in await failure(transport)
        await asyncio.wait_for(server.client_left.wait(), 5)


async def test_waiting_for_a_free_connection_counts_into_the_total():
    async with serving(sends(then="hang"), max_connections=1) as (server, transport):
        # Given a call that keeps the only connection
        first = asyncio.ensure_future(transport.fetch(REQUEST))
        await asyncio.wait_for(server.asked.wait(), 5)
        # When another one comes, with less time than the first
        transport._total_seconds = 0.1
        text = await failure(transport)
        first.cancel()
    # Then
    assert "no complete answer within 0.1 s" in text
    assert len(server.heads) == 1


async def test_a_connection_is_used_again():
    peers = set()

    async def script(server, reader, writer):
        peers.add(writer.get_extra_info("peername"))
        writer.write(OK + b"content-length: 2\r\n\r\n{}")
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK + b"content-length: 2\r\n\r\n{}")
        await reader.read()

    async with serving(script) as (_, transport):
        for _ in range(2):
            assert (await transport.fetch(REQUEST)).status == 200
    assert len(peers) == 1


async def test_being_cancelled_is_not_a_failure():
    async with serving(sends(then="hang")) as (_, transport):
        call = asyncio.ensure_future(transport.fetch(REQUEST))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(call, 0.1)
        assert call.cancelled()


@pytest.mark.parametrize(
    ("base_url", "told"),
    [
        ("http://127.0.0.1:1", "the connection was not made"),
        ("ftp://127.0.0.1", "bad URL"),
        ("http://127.0.0.1:99999", "bad URL"),
        ("http://", "bad URL"),
    ],
)
async def test_a_server_that_cannot_be_reached_is_a_transport_failure(base_url, told):
    transport = Transport(base_url, {"x-api-key": SECRET}, **LIMITS)
    try:
        assert told in await failure(transport)
    finally:
        await transport.aclose()


async def test_a_tls_handshake_with_a_plain_server_ends_at_the_connect_time_out():
    async with serving(sends()) as (_, plain):
        secure = str(plain._client.base_url).replace("http:", "https:")
        transport = Transport(secure, {"x-api-key": SECRET}, **(LIMITS | {"connect_seconds": 0.1}))
        try:
            assert "connect time-out: no connection within 0.1 s" in await failure(transport)
        finally:
            await transport.aclose()


@pytest.mark.parametrize("key", ["sécret", "secret\n", "a\x00b"], ids=ascii)
def test_a_key_that_http_cannot_carry_is_refused_without_being_shown(key):
    with pytest.raises(ConfigurationError, match="header x-api-key") as caught:
        Transport("http://127.0.0.1", {"x-api-key": key}, **LIMITS)
    assert key not in str(caught.value)


async def test_proxies_of_the_environment_are_not_used(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with serving(sends(OK + b"content-length: 2\r\n\r\n{}")) as (_, transport):
        assert (await transport.fetch(REQUEST)).status == 200


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (httpx.ConnectTimeout("x"), "connect time-out: no connection within 2 s"),
        (httpx.ReadTimeout("x"), "read time-out"),
        (httpx.RemoteProtocolError("x"), "failed with RemoteProtocolError"),
        (TimeoutError(), "time-out"),
        (ConnectionResetError(104, "Connection reset by peer"), "reset (Connection reset by peer)"),
        (ValueError(SECRET), "a header or the URL"),
    ],
    ids=lambda value: type(value).__name__,
)
async def test_each_kind_of_error_is_named(error, told):
    def fails(request):
        raise error

    transport = Transport("http://x", {"x-api-key": SECRET}, **LIMITS, transport=httpx.MockTransport(fails))
    try:
        assert told in await failure(transport)
    finally:
        await transport.aclose()


@pytest.mark.parametrize("repeated", [SECRET, "own-key/with+signs", "own-key%2Fwith%2Bsigns"])
async def test_an_answer_that_repeats_a_key_comes_back_without_it(repeated):
    said = f"key {repeated} is unknown".encode()
    head = OK + b"x-why: " + said + f"\r\ncontent-length: {len(said)}\r\n\r\n".encode()
    async with serving(sends(head + said), secrets=["own-key/with+signs"]) as (_, transport):
        response = await transport.fetch(REQUEST)
    assert response.body == b"key [cut] is unknown"
    assert response.headers["x-why"] == "key [cut] is unknown"

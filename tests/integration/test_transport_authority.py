"""A transport whose calls need a token that is fetched and renewed, against a real server on the loopback address."""

import asyncio
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from platforms.outcome import Outcome
from platforms.pages import Request
from platforms.tiktok_research.client_token import ClientToken
from platforms.tiktok_research.content_search import TikTokResearchSearch
from platforms.transport import Transport
from tests.integration.test_transport import LIMITS
from worker.errors import TransportFailure

KEY, SECRET = "aw-client-key", "very-secret-word"
CALL = Request("/v2/research/video/query/", {"fields": "id"}, b'{"max_count":100}')
SOURCE = TikTokResearchSearch().sources["videos"]
OK = {"data": {"videos": []}, "error": {"code": "ok"}}


def error(code, status):
    return lambda: web.json_response({"error": {"code": code, "message": "No.", "log_id": "1"}}, status=status)


class Provider:
    """Gives tokens ``t1``, ``t2``, ... and answers calls whose token is among the ``good`` ones."""

    def __init__(self):
        self.forms = []
        self.calls = []
        self.good = {f"Bearer t{number}" for number in range(1, 9)}
        self.life = 7200
        self.token = lambda: web.json_response({"access_token": f"t{len(self.forms)}", "expires_in": self.life})
        self.refusal = error("access_token_invalid", 401)
        self.wait_for = 0
        self.together = asyncio.Event()
        self.held = 0
        self.released = asyncio.Event()

    async def on_token(self, request):
        self.forms.append((request.content_type, dict(await request.post())))
        return self.token()

    async def on_call(self, request):
        header = request.headers["authorization"]
        self.calls.append((header, request.content_type, await request.read()))
        if len(self.calls) >= self.wait_for:
            self.together.set()
        await self.together.wait()
        if len(self.calls) == self.held:
            await self.released.wait()
        return web.json_response(OK) if header in self.good else self.refusal()


@asynccontextmanager
async def serving(now=lambda: 0.0):
    provider = Provider()
    app = web.Application()
    app.router.add_post("/v2/oauth/token/", provider.on_token)
    app.router.add_post("/v2/research/video/query/", provider.on_call)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = site._server.sockets[0].getsockname()[1]
    authority = ClientToken(KEY, SECRET, now)
    transport = Transport(f"http://127.0.0.1:{port}", {}, **LIMITS, authority=authority)
    try:
        yield provider, transport
    finally:
        await transport.aclose()
        await runner.cleanup()


async def test_calls_at_once_share_one_token_asked_for_by_form():
    async with serving() as (provider, transport):
        answers = await asyncio.gather(*(transport.fetch(CALL) for _ in range(4)))
    assert [answer.status for answer in answers] == [200] * 4
    form = {"client_key": KEY, "client_secret": SECRET, "grant_type": "client_credentials"}
    assert provider.forms == [("application/x-www-form-urlencoded", form)]
    assert set(provider.calls) == {("Bearer t1", "application/json", CALL.body)}


@pytest.mark.parametrize(
    ("life", "good_at", "renewed_at"), [(7200, 6899, 6901), (600, 539, 541), (None, 539, 541), ("7200", 6899, 6901)]
)
async def test_a_token_is_renewed_a_little_before_its_end(life, good_at, renewed_at):
    clock = [1000.0]
    async with serving(lambda: clock[0]) as (provider, transport):
        provider.life = life
        for moment in (0, good_at, renewed_at):
            clock[0] = 1000.0 + moment
            await transport.fetch(CALL)
    assert [call[0] for call in provider.calls] == ["Bearer t1", "Bearer t1", "Bearer t2"]


async def test_a_refused_token_is_renewed_and_the_call_made_once_more():
    async with serving() as (provider, transport):
        provider.good = {"Bearer t2"}
        answer = await transport.fetch(CALL)
        await transport.fetch(CALL)
    assert answer.status == 200
    assert [call[0] for call in provider.calls] == ["Bearer t1", "Bearer t2", "Bearer t2"]
    assert {call[2] for call in provider.calls} == {CALL.body}


async def test_a_new_token_that_is_refused_too_is_the_answer():
    async with serving() as (provider, transport):
        provider.good = set()
        answer = await transport.fetch(CALL)
    assert [call[0] for call in provider.calls] == ["Bearer t1", "Bearer t2"]
    assert (SOURCE.judge(answer).rule, SOURCE.judge(answer).outcome) == ("bad_token", Outcome.FIX_CONFIGURATION)


async def test_calls_refused_together_renew_the_token_once():
    async with serving() as (provider, transport):
        # Given
        provider.good, provider.wait_for = {"Bearer t2"}, 3
        # When
        answers = await asyncio.gather(*(transport.fetch(CALL) for _ in range(3)))
    # Then
    assert [answer.status for answer in answers] == [200] * 3
    assert len(provider.forms) == 2


async def test_a_refusal_that_comes_late_does_not_cost_the_token_renewed_since():
    async with serving() as (provider, transport):
        # Given two calls with the first token, one of which is refused and gets a new one
        provider.good, provider.held = {"Bearer t2"}, 2
        first, second = (asyncio.ensure_future(transport.fetch(CALL)) for _ in range(2))
        await asyncio.wait({first, second}, return_when=asyncio.FIRST_COMPLETED)
        assert len(provider.forms) == 2
        # When the other one is refused only now
        provider.released.set()
        answers = await asyncio.gather(first, second)
    # Then
    assert [answer.status for answer in answers] == [200, 200]
    assert len(provider.forms) == 2


async def test_a_missing_scope_is_not_asked_again():
    async with serving() as (provider, transport):
        provider.good, provider.refusal = set(), error("scope_not_authorized", 401)
        answer = await transport.fetch(CALL)
    assert len(provider.calls) == len(provider.forms) == 1
    assert SOURCE.judge(answer).rule == "scope"


def told(body, status=200):
    return lambda: web.json_response(body, status=status)


def text(body, status=200):
    return lambda: web.Response(text=body, status=status)


@pytest.mark.parametrize(
    ("answer", "outcome", "shown"),
    [
        (
            told({"error": "invalid_client", "error_description": f"No client {KEY} with {SECRET}", "log_id": "L1"}),
            Outcome.FIX_CONFIGURATION,
            "invalid_client, No client *** with ***, log_id L1",
        ),
        (told({"error": "invalid_client"}, 500), Outcome.FIX_CONFIGURATION, "invalid_client"),
        (told({}), Outcome.FALSE_SUCCESS, "gave no access token"),
        (told({"access_token": ["hidden"]}), Outcome.FALSE_SUCCESS, "gave no access token"),
        (told({"access_token": "hidden\nx"}), Outcome.FALSE_SUCCESS, "gave no access token"),
        (told({"access_token": "hidden"}, 201), Outcome.FALSE_SUCCESS, "gave no access token"),
        (text('{"access_token": "hidden'), Outcome.FALSE_SUCCESS, "gave no access token"),
        (text("hidden <html>"), Outcome.FALSE_SUCCESS, "gave no access token"),
        (text("busy", 503), Outcome.RETRY_NOW, "gave no access token"),
        (error("rate_limit_exceeded", 429), Outcome.RATE_LIMITED, "rate_limit_exceeded, No., log_id 1"),
    ],
)
async def test_a_refused_token_request_is_judged_in_the_place_of_the_call(answer, outcome, shown):
    async with serving() as (provider, transport):
        provider.token = answer
        response = await transport.fetch(CALL)
    judgement = SOURCE.judge(response)
    assert judgement.outcome is outcome
    assert shown in judgement.message
    assert provider.calls == []
    for hidden in (SECRET, KEY, "hidden"):
        assert hidden not in judgement.message
        assert hidden.encode() not in response.body


async def test_a_token_request_without_an_answer_is_a_failure_that_names_it():
    transport = Transport("http://127.0.0.1:1", {}, **LIMITS, authority=ClientToken(KEY, SECRET))
    try:
        with pytest.raises(TransportFailure, match="POST /v2/oauth/token/: the connection was not made") as caught:
            await transport.fetch(CALL)
    finally:
        await transport.aclose()
    assert SECRET not in str(caught.value)


async def test_after_a_failed_renewal_the_next_call_asks_again():
    async with serving() as (provider, transport):
        gives = provider.token
        provider.token = text("busy", 503)
        assert (await transport.fetch(CALL)).status == 503
        provider.token = gives
        assert (await transport.fetch(CALL)).status == 200

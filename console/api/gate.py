"""What stands before every route: whether the API is on, who asks, how much may be sent, and what nobody caught."""

from typing import Final
from urllib.parse import parse_qsl

import structlog
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from console.api.problems import Problem
from console.api.services import HOST, services_of
from console.api.tokens import CALLER, authenticate, refuse_token_in_query

log = structlog.get_logger()

MOST_BODY: Final = 4 << 20
"""Bytes of a request's body: a thousand jobs with all that they may say, in short words."""


class Gate:
    """Wraps the API's application where it is mounted. ``public`` are paths below the mount that need no token."""

    def __init__(self, app: ASGIApp, public: frozenset[str] = frozenset()) -> None:
        self._app = app
        self._public = public

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope[HOST] = scope["app"]
        started = False

        async def noted_send(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            self._check(scope)
            await self._app(scope, _bounded(receive), noted_send)
        except Problem as problem:
            await problem.answer()(scope, receive, send)
        except ClientDisconnect:
            log.debug("api_client_left", path=scope["path"])
        except Exception:
            # It was logged, and answered; or it broke an answer off, which the server does by closing the connection.
            if not started:
                raise

    def _check(self, scope: Scope) -> None:
        tokens = services_of(scope[HOST]).tokens
        if not tokens:
            raise Problem(
                404,
                "api_off",
                "the HTTP API is off, because no token may use it; expected the setting API_TOKENS to name one, as "
                "name:scope+scope:token; set it and start the console again",
            )
        headers = Headers(scope=scope)
        refuse_token_in_query(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True), tokens)
        if scope["path"].removeprefix(scope.get("root_path", "")) not in self._public:
            scope[CALLER] = authenticate(headers.getlist("authorization"), tokens)
        length = headers.get("content-length", "")
        if length.isdecimal() and int(length[:20]) > MOST_BODY:
            raise too_large()


def too_large() -> Problem:
    """The answer to a body that is larger than anything that is meant."""
    return Problem(413, "too_large", f"the body is larger than {MOST_BODY:,} bytes; send it in parts")


def _bounded(receive: Receive) -> Receive:
    seen = 0

    async def bounded() -> Message:
        nonlocal seen
        message = await receive()
        if message["type"] == "http.request":
            seen += len(message.get("body", b""))
            if seen > MOST_BODY:
                # Of this kind because the framework turns others into a 400.
                raise HTTPException(413)
        return message

    return bounded

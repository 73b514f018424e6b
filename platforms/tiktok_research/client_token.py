"""The access token: asked for with the client's key and secret, shared by every call of the process, and renewed.

``POST /v2/oauth/token/`` with a form; the answer tells ``access_token`` and ``expires_in`` (7,200 s) and there is no
refresh token. A failure tells ``error`` as text, with any status, also 200.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlencode

import msgspec

from platforms.authority import Ask
from platforms.normalise.numbers import count
from platforms.pages import Request, Response
from platforms.tiktok_research.client import NOT_JSON, told
from worker.clock import monotonic

PATH: Final = "/v2/oauth/token/"
EARLY_SECONDS: Final = 300.0
"""A token is renewed this long before its end, or after nine tenths of a short life."""
USUAL_LIFE: Final = 600.0
"""Seconds, where an answer tells none."""


class TokenAnswer(msgspec.Struct):
    """What a token is told with."""

    access_token: Any = None
    expires_in: Any = None


_ANSWER = msgspec.json.Decoder(TokenAnswer)


class ClientToken:
    """An `Authority` (platforms/authority.py). One renewal at a time; the other calls wait for its token."""

    def __init__(self, client_key: str, client_secret: str, now: Callable[[], float] = monotonic) -> None:
        self._form = urlencode(
            {"client_key": client_key, "client_secret": client_secret, "grant_type": "client_credentials"}
        )
        self._secrets = [secret for secret in (client_key, client_secret) if secret]
        self._now = now
        self._lock = asyncio.Lock()
        self._headers: Mapping[str, str] | None = None
        self._renew_at = 0.0

    async def headers(self, ask: Ask) -> Mapping[str, str] | Response:
        """The header with a token that is good for a while yet; or the answer that refused one, without secrets."""
        async with self._lock:
            if self._headers is None or self._now() >= self._renew_at:
                asked_at = self._now()
                response = await ask(Request(PATH, {}, self._form.encode(), "application/x-www-form-urlencoded"))
                token, life = _read(response)
                if not token:
                    self._headers = None
                    return self._refusal(response)
                self._headers = {"authorization": f"Bearer {token}"}
                self._renew_at = asked_at + max(life - EARLY_SECONDS, life * 0.9)
            return self._headers

    def refused(self, headers: Mapping[str, str], response: Response) -> bool:
        """Forget the token of these headers, unless another call had a new one since. False for a missing scope."""
        if told(response).startswith("scope_"):
            return False
        if self._headers is headers:
            self._headers = None
        return True

    def _refusal(self, response: Response) -> Response:
        """The refusal with nothing but its error: the rest may hold a token in another shape, or echo a secret."""
        said = told(response)
        if not said or said.startswith(NOT_JSON):
            said = "token_missing, the token endpoint gave no access token"
        for secret in self._secrets:
            said = said.replace(secret, "***")
        code, _, text = said.partition(", ")
        body = msgspec.json.encode({"error": code, "error_description": text})
        return Response(response.status, response.headers, body)


def _read(response: Response) -> tuple[str, float]:
    """The token and its life in seconds; "" for none that HTTP can carry."""
    try:
        answer = _ANSWER.decode(response.body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return "", 0.0
    token, life = answer.access_token, count(answer.expires_in)
    usable = isinstance(token, str) and token.isascii() and token.isprintable() and response.status == 200
    return (token.strip(), float(life or USUAL_LIFE)) if usable else ("", 0.0)

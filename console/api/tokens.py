"""Bearer tokens: who asks, and what they may."""

import hmac
from collections.abc import Iterable, Sequence
from typing import Final

from starlette.requests import Request

from console.api.problems import Problem
from worker.api_settings import ApiToken, digest_of

CALLER: Final = "trawler.caller"
"""Under what name a request's scope has its `ApiToken`."""
REALM: Final = 'Bearer realm="trawler"'
IN_QUERY: Final = frozenset(
    {"token", "access_token", "api_token", "qstash_token", "api_key", "apikey", "authorization", "bearer"}
)
"""Names under which a query would carry a token."""


def authenticate(given: Sequence[str], tokens: Iterable[ApiToken]) -> ApiToken:
    """The entry whose token the ``Authorization`` headers carry. Raises `Problem` 401."""
    if not given:
        raise _unknown("there is no token; expected the header Authorization: Bearer <token>", REALM)
    scheme, _, token = given[0].partition(" ")
    if len(given) > 1 or scheme.lower() != "bearer" or not token.strip():
        raise _unknown("the header Authorization cannot be used; expected Bearer <token>, once", REALM)
    found = match(token.strip(), tokens)
    if found is None:
        raise _unknown(
            "the token is none of those that API_TOKENS names; expected one of them",
            f'{REALM}, error="invalid_token"',
        )
    return found


def match(token: str, tokens: Iterable[ApiToken]) -> ApiToken | None:
    """The entry of a token. All are compared, each in constant time, so that the time taken tells nothing."""
    digest = digest_of(token)
    found = None
    for one in tokens:
        if hmac.compare_digest(digest, one.digest):
            found = one
    return found


def refuse_token_in_query(query: Sequence[tuple[str, str]], tokens: Sequence[ApiToken]) -> None:
    """Raise `Problem` 400 when the query carries a token: logs on the way keep addresses."""
    for name, value in query:
        if name.lower() in IN_QUERY or match(value, tokens):
            raise Problem(
                400,
                "token_in_query",
                "the query carries a token; expected it in the header Authorization: Bearer <token>, as logs keep "
                "addresses; send it there, and replace this one",
            )


def caller_of(request: Request) -> ApiToken:
    """Who asks."""
    caller: ApiToken = request.scope[CALLER]
    return caller


def require(request: Request, scope: str) -> None:
    """Raise `Problem` 403 unless the caller's token has the scope."""
    caller = caller_of(request)
    if scope not in caller.scopes:
        raise Problem(
            403,
            "insufficient_scope",
            f"the token of {caller.name!r} has {', '.join(sorted(caller.scopes))}; expected the scope {scope}; use "
            "another token, or add the scope in API_TOKENS",
            headers={"WWW-Authenticate": f'{REALM}, error="insufficient_scope", scope="{scope}"'},
        )


def _unknown(detail: str, challenge: str) -> Problem:
    return Problem(401, "unauthorized", detail, headers={"WWW-Authenticate": challenge})

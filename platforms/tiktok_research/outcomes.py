"""What each answer of the Research API means. First match wins; each line is a test case.

From the official list of errors and from what public clients report. The message is that of `client.told`, lower
case: the error's code comes first in it.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

from platforms.outcome import Outcome, Rule
from platforms.tiktok_research.client import NOT_JSON

RATE_LIMIT_WAIT: Final = timedelta(seconds=60)
"""Used when a 429 names no time; the provider sends no Retry-After."""

GATEWAY_WAIT: Final = timedelta(minutes=5)
DAILY_QUOTA: Final = "daily_quota"
"""The rule of a spent day; its wait ends at midnight UTC."""

_BAD_CLIENT: Final = ("invalid_client", "unauthorized_client", "invalid_grant", "unsupported_grant_type")


def _page(message: str) -> bool:
    """Whether the body was no JSON: then something in front of the API answered."""
    return message.startswith(NOT_JSON.lower())


def _lost(status: int, message: str) -> bool:
    """Whether the place in a list is not known any more."""
    return status == 400 and any(word in message for word in ("search id", "search_id", "cursor"))


RULES: Final[tuple[Rule, ...]] = (
    Rule("ok", lambda s, m: s == 200 and not m, Outcome.OK, "answered"),
    Rule(
        "bad_client",
        lambda s, m: m.startswith(_BAD_CLIENT),
        Outcome.FIX_CONFIGURATION,
        "refused the client key and secret; set valid ones",
    ),
    Rule(
        "scope",
        lambda s, m: s in (400, 401, 403) and m.startswith("scope_"),
        Outcome.FIX_CONFIGURATION,
        "the client may not use the Research API; have it approved for it",
    ),
    Rule(
        "failed_for_now",
        lambda s, m: m.startswith(("timeout", "internal_error")),
        Outcome.RETRY_NOW,
        "failed on its side",
    ),
    Rule("not_json_with_2xx", lambda s, m: 200 <= s < 300, Outcome.FALSE_SUCCESS, "said success, sent no result"),
    Rule("redirect", lambda s, m: 300 <= s < 400, Outcome.FIX_CONFIGURATION, "sent elsewhere; check the base URL"),
    Rule("place_lost", _lost, Outcome.RESET_CURSOR, "no longer knows the place in its results"),
    Rule("bad_request", lambda s, m: s == 400, Outcome.STOP_JOB, "refused the request; check the job's parameters"),
    Rule(
        "bad_token",
        lambda s, m: s == 401,
        Outcome.FIX_CONFIGURATION,
        "refused the access token, also a new one; check the client key and secret",
    ),
    Rule(
        "gateway_refusal", lambda s, m: s == 403 and _page(m), Outcome.WAIT, "a gateway refused the call", GATEWAY_WAIT
    ),
    Rule("forbidden", lambda s, m: s == 403, Outcome.FIX_CONFIGURATION, "the client may not ask this"),
    Rule("unknown_route", lambda s, m: s == 404, Outcome.FIX_CONFIGURATION, "no such endpoint; check the base URL"),
    Rule("request_timeout", lambda s, m: s in (408, 425), Outcome.RETRY_NOW, "did not finish in time"),
    Rule(DAILY_QUOTA, lambda s, m: s == 429 and "quota" in m, Outcome.WAIT, "the day's quota is used up"),
    Rule("rate_limited", lambda s, m: s == 429, Outcome.RATE_LIMITED, "asked to slow down", RATE_LIMIT_WAIT),
    Rule("server_error", lambda s, m: s >= 500, Outcome.RETRY_NOW, "failed on its side"),
    Rule("client_error", lambda s, m: 400 < s < 500, Outcome.STOP_JOB, "refused the request"),
)
"""For endpoints that search."""

USER_RULES: Final[tuple[Rule, ...]] = tuple(
    Rule("no_such_user", lambda s, m: s == 400, Outcome.NOT_FOUND, "the account is unknown or private")
    if rule.name == "bad_request"
    else rule
    for rule in RULES
    if rule.name != "place_lost"
)
"""For the look-up of an account: it tells an unknown or private one as a bad request."""


def until_midnight(now: datetime) -> timedelta:
    """How long the day's quota stays spent: until 00:00 UTC."""
    day = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return day + timedelta(days=1) - now

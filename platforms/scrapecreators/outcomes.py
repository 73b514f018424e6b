"""What each ScrapeCreators answer means. First match wins; each line is a test case.

From answers recorded in 2025 and the vendor's documents of 2026. The HTTP status decides, never ``success``: a 404
for a missing channel says ``success: true``. The message is that of `client.told`, lower case.
"""

from datetime import timedelta
from typing import Final

from platforms.outcome import Outcome, Rule
from platforms.scrapecreators.client import NOT_JSON

RATE_LIMIT_WAIT: Final = timedelta(seconds=30)
"""Used when a 429 names no time; the vendor sends no Retry-After."""

DAILY_LIMIT_WAIT: Final = timedelta(hours=1)
GATEWAY_WAIT: Final = timedelta(minutes=5)


def _page(message: str) -> bool:
    """Whether the body was no JSON: then something in front of the API answered, or the route does not exist."""
    return message.startswith(NOT_JSON.lower())


_COMMON: Final[tuple[Rule, ...]] = (
    Rule("ok", lambda s, m: s == 200 and not m, Outcome.OK, "answered"),
    Rule("not_json_with_2xx", lambda s, m: 200 <= s < 300, Outcome.FALSE_SUCCESS, "said success, sent no result"),
    Rule("redirect", lambda s, m: 300 <= s < 400, Outcome.FIX_CONFIGURATION, "sent elsewhere; check the base URL"),
    Rule("bad_request", lambda s, m: s == 400, Outcome.STOP_JOB, "refused the request; check the job's parameters"),
    Rule("bad_key", lambda s, m: s == 401, Outcome.FIX_CONFIGURATION, "refused the API key; set a valid one"),
    Rule("out_of_credits", lambda s, m: s == 402, Outcome.FIX_CONFIGURATION, "out of credits; buy some"),
    Rule(
        "gateway_refusal", lambda s, m: s == 403 and _page(m), Outcome.WAIT, "a gateway refused the call", GATEWAY_WAIT
    ),
    Rule("closed", lambda s, m: s == 403, Outcome.SKIP_ITEM, "the target is closed to readers"),
    Rule("unknown_route", lambda s, m: s == 404 and _page(m), Outcome.FIX_CONFIGURATION, "no such endpoint"),
    Rule("not_found", lambda s, m: s in (404, 410), Outcome.NOT_FOUND, "the target does not exist"),
    Rule("request_timeout", lambda s, m: s in (408, 425), Outcome.RETRY_NOW, "did not finish in time"),
    Rule("daily_limit", lambda s, m: s == 429 and "daily" in m, Outcome.RATE_LIMITED, "daily limit", DAILY_LIMIT_WAIT),
    Rule("rate_limited", lambda s, m: s == 429, Outcome.RATE_LIMITED, "asked to slow down", RATE_LIMIT_WAIT),
    Rule(
        "no_key",
        lambda s, m: s == 500 and ("apikey is required" in m or "api key is required" in m),
        Outcome.FIX_CONFIGURATION,
        "got no API key; set one",
    ),
    Rule("server_error", lambda s, m: s >= 500, Outcome.RETRY_NOW, "failed on its side"),
    Rule("client_error", lambda s, m: 400 < s < 500, Outcome.STOP_JOB, "refused the request"),
)

SEARCH_RULES: Final[tuple[Rule, ...]] = (
    # A search has no single target to skip: a closed search is the job's own end.
    Rule("search_refused", lambda s, m: s == 403 and not _page(m), Outcome.STOP_JOB, "this search is not allowed"),
    *(rule for rule in _COMMON if rule.name != "closed"),
)
"""For endpoints that search."""

TARGET_RULES: Final[tuple[Rule, ...]] = _COMMON
"""For endpoints that look one account up."""

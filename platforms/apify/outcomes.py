"""What each Apify answer means. First match wins; each line is a test case.

From the vendor's published definitions and recorded answers. The error's ``type`` decides where there is one; the
message is that of `client.told`, lower case.
"""

from datetime import timedelta
from typing import Final

from platforms.apify.client import NOT_JSON
from platforms.outcome import Outcome, Rule

RATE_LIMIT_WAIT: Final = timedelta(seconds=2)
"""Used when a 429 names no time, which is usual; the limit is one of requests a second."""

BUSY_WAIT: Final = timedelta(seconds=30)
GATEWAY_WAIT: Final = timedelta(minutes=5)
AFTER_AN_ERROR: Final = timedelta(seconds=5)
"""Before the next attempt: a run that was started all the same is in the list of runs by then."""

RULES: Final[tuple[Rule, ...]] = (
    Rule("ok", lambda s, m: s in (200, 201) and not m, Outcome.OK, "answered"),
    Rule("not_json_with_2xx", lambda s, m: 200 <= s < 300, Outcome.FALSE_SUCCESS, "said success, sent no result"),
    Rule("redirect", lambda s, m: 300 <= s < 400, Outcome.FIX_CONFIGURATION, "sent elsewhere; check the base URL"),
    Rule("bad_request", lambda s, m: s == 400, Outcome.STOP_JOB, "refused the request; check the job's parameters"),
    Rule("bad_token", lambda s, m: s == 401, Outcome.FIX_CONFIGURATION, "refused the token; set a valid one"),
    Rule(
        "account_busy",
        lambda s, m: s == 402 and m.startswith(("actor-memory-limit-exceeded", "concurrent-runs-limit-exceeded")),
        Outcome.WAIT,
        "as many runs as the account allows are at work",
        BUSY_WAIT,
    ),
    Rule("out_of_money", lambda s, m: s == 402, Outcome.FIX_CONFIGURATION, "the account cannot pay; top it up"),
    Rule(
        "gateway_refusal",
        lambda s, m: s == 403 and m == NOT_JSON,
        Outcome.WAIT,
        "a gateway refused the call",
        GATEWAY_WAIT,
    ),
    Rule("not_allowed", lambda s, m: s == 403, Outcome.FIX_CONFIGURATION, "the account may not use this Actor"),
    Rule(
        "gone",
        lambda s, m: s == 404 and m.startswith("record-not-found") and "actor was" not in m,
        Outcome.FAIL_OVER,
        "what the run left is no longer kept",
    ),
    Rule("unknown_route", lambda s, m: s == 404, Outcome.FIX_CONFIGURATION, "no such endpoint, Actor or build"),
    Rule("request_timeout", lambda s, m: s in (408, 425), Outcome.RETRY_NOW, "did not finish in time", AFTER_AN_ERROR),
    Rule("rate_limited", lambda s, m: s == 429, Outcome.RATE_LIMITED, "asked to slow down", RATE_LIMIT_WAIT),
    Rule("server_error", lambda s, m: s >= 500, Outcome.RETRY_NOW, "failed on its side", AFTER_AN_ERROR),
    Rule("client_error", lambda s, m: 400 < s < 500, Outcome.STOP_JOB, "refused the request"),
)
"""For waiting and reading."""

START_RULES: Final[tuple[Rule, ...]] = (
    Rule(
        "no_input",
        lambda s, m: s == 404 and m.startswith("record-not-found") and "actor was" not in m,
        Outcome.OK,
        "this run's input is no longer kept",
    ),
    *(rule for rule in RULES if rule.name != "gone"),
)
"""For starting a run and for the look whether one was started."""

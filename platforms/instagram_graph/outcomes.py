"""What each answer of the Instagram Graph API means. First match wins; each line is a test case.

The error's code decides, not the status: throttles come as HTTP 400, errors also with 200. The message is that of
`client.told`, lower case, and begins with the codes.
"""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Final

import msgspec

from platforms.instagram_graph.client import NOT_JSON
from platforms.normalise.numbers import count
from platforms.outcome import Outcome, Rule

RATE_LIMIT_WAIT: Final = timedelta(minutes=15)
"""The windows are of a rolling hour, and calling on while throttled is said to lengthen them."""

ACCOUNT_LIMIT_WAIT: Final = timedelta(hours=1)
"""Used when an account's limit names no time; its window is of a rolling day."""

HASHTAG_QUOTA_WAIT: Final = timedelta(hours=6)
"""30 different hashtags in a rolling week: which of them leaves the window next is not told."""

GATEWAY_WAIT: Final = timedelta(minutes=5)
USAGE_HEADER: Final = "x-business-use-case-usage"

_USAGE = msgspec.json.Decoder(dict[str, list[dict[str, Any]]])


def regained_after(headers: Mapping[str, str]) -> timedelta | None:
    """How long until calls are allowed again, by the usage header (its number is in minutes); None if it tells none."""
    try:
        usage = _USAGE.decode(headers.get(USAGE_HEADER, "{}"))
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    told = (count(use.get("estimated_time_to_regain_access")) or 0 for uses in usage.values() for use in uses)
    minutes = max(told, default=0)
    return timedelta(minutes=min(minutes, 7 * 24 * 60)) if minutes else None


def _code(*codes: int) -> Callable[[int, str], bool]:
    return lambda s, m: _codes(m)[0] in codes


def _codes(message: str) -> tuple[int, int]:
    """Code and sub-code of a told error, (0, 0) for none."""
    code, _, subcode = message.partition(":")[0].partition("/")
    return (int(code), int(subcode)) if code.isdecimal() and subcode.isdecimal() else (0, 0)


def _page(message: str) -> bool:
    return message.startswith(NOT_JSON.lower())


THROTTLES: Final = frozenset({"app_limit", "account_limit"})
"""Rules whose wait the usage header may name."""

RULES: Final[tuple[Rule, ...]] = (
    Rule("ok", lambda s, m: s == 200 and not m, Outcome.OK, "answered"),
    Rule(
        "not_json_with_2xx", lambda s, m: 200 <= s < 300 and _page(m), Outcome.FALSE_SUCCESS, "said success, sent none"
    ),
    Rule("redirect", lambda s, m: 300 <= s < 400, Outcome.FIX_CONFIGURATION, "sent elsewhere; check the base URL"),
    Rule("app_limit", _code(4, 17, 32, 613), Outcome.RATE_LIMITED, "asked to slow down", RATE_LIMIT_WAIT),
    Rule("account_limit", _code(80002), Outcome.RATE_LIMITED, "the account's calls are used up", ACCOUNT_LIMIT_WAIT),
    Rule("bad_token", _code(190, 102), Outcome.FIX_CONFIGURATION, "refused the access token; set a valid one"),
    Rule(
        "hashtag_quota",
        lambda s, m: _codes(m)[0] == 18 or _codes(m) == (24, 2207042),
        Outcome.WAIT,
        "the account has asked for 30 different hashtags within 7 days",
        HASHTAG_QUOTA_WAIT,
    ),
    Rule("no_such_hashtag", _code(24), Outcome.NOT_FOUND, "there is no such hashtag"),
    Rule("not_discoverable", _code(110), Outcome.NOT_FOUND, "no professional account of this name"),
    Rule("transient", lambda s, m: _codes(m)[0] in (1, 2) or m.endswith("(transient)"), Outcome.RETRY_NOW, "is down"),
    Rule(
        "no_permission",
        lambda s, m: _codes(m)[0] == 10 or 200 <= _codes(m)[0] < 300 or (_codes(m)[0] == 100 and "permission" in m),
        Outcome.FIX_CONFIGURATION,
        "refused for lack of a permission; grant the app what the text names",
    ),
    Rule("bad_request", _code(100), Outcome.STOP_JOB, "refused the request; check the job's words"),
    Rule("rate_limited", lambda s, m: s == 429, Outcome.RATE_LIMITED, "asked to slow down", RATE_LIMIT_WAIT),
    Rule("unauthorised", lambda s, m: s == 401, Outcome.FIX_CONFIGURATION, "refused the access token; set a valid one"),
    Rule(
        "gateway_refusal", lambda s, m: s == 403 and _page(m), Outcome.WAIT, "a gateway refused the call", GATEWAY_WAIT
    ),
    Rule("server_error", lambda s, m: s >= 500 or s in (408, 425), Outcome.RETRY_NOW, "failed on its side"),
    Rule("unknown_route", lambda s, m: s == 404, Outcome.FIX_CONFIGURATION, "no such endpoint; check the base URL"),
    Rule("client_error", lambda s, m: 400 <= s < 500, Outcome.STOP_JOB, "refused the request"),
    Rule("error_with_2xx", lambda s, m: 200 <= s < 300, Outcome.FALSE_SUCCESS, "said success and named an error"),
)
"""For every endpoint. 18 and other sub-codes of 24 are from public clients alone."""

"""What each answer of the YouTube Data API means. First match wins; each line is a test case.

The reason decides, then the status, never the message: 403 alone does not mean that the quota is used up. The
message is that of `client.told`, lower case, and begins with the reason.
"""

from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from platforms.outcome import Outcome, Rule
from platforms.youtube_data_api.client import NO_REASON, NOT_JSON

RATE_LIMIT_WAIT: Final = timedelta(minutes=1)
"""The limits are counted by the minute; no answer names a time."""

GATEWAY_WAIT: Final = timedelta(minutes=5)
_PACIFIC: Final = ZoneInfo("America/Los_Angeles")

QUOTA_REASONS: Final = frozenset({"quotaexceeded", "dailylimitexceeded", "dailylimitexceededunreg"})
"""The project's units of the day are used up; a second key of the project would not help."""

_RATE_REASONS: Final = frozenset(
    {"ratelimitexceeded", "userratelimitexceeded", "rate_limit_exceeded", "resource_exhausted"}
)
_KEY_REASONS: Final = frozenset({"keyinvalid", "api_key_invalid", "keyexpired", "autherror", "unauthorized"})
_PROJECT_REASONS: Final = frozenset(
    {
        "accessnotconfigured",
        "service_disabled",
        "iprefererblocked",
        "api_key_ip_address_blocked",
        "api_key_http_referrer_blocked",
        "api_key_service_blocked",
        "forbidden",
        "insufficientpermissions",
        "permission_denied",
    }
)
_FAULT_REASONS: Final = frozenset(
    {"backenderror", "internalerror", "service_unavailable", "unavailable", "internal", "processingfailure"}
)
_GONE_REASONS: Final = frozenset({"channelnotfound", "videonotfound", "playlistnotfound", "notfound"})


def until_midnight_pacific(now: datetime) -> timedelta:
    """How long until the day's quota begins anew: the next midnight in California, and a minute for its clocks.

    The difference is of moments, so a day in which clocks change has its own length.
    """
    there = now.astimezone(_PACIFIC)
    midnight = (there + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight.astimezone(now.tzinfo) - now + timedelta(minutes=1)


def _reason(message: str) -> str:
    return message.partition(":")[0]


def _no_json(message: str) -> bool:
    return _reason(message) == NOT_JSON.lower()


RULES: Final[tuple[Rule, ...]] = (
    Rule("ok", lambda s, m: s == 200 and not m, Outcome.OK, "answered"),
    Rule("not_json_with_2xx", lambda s, m: 200 <= s < 300 and _no_json(m), Outcome.FALSE_SUCCESS, "sent no result"),
    Rule("redirect", lambda s, m: 300 <= s < 400, Outcome.FIX_CONFIGURATION, "sent elsewhere; check the base URL"),
    Rule(
        "quota_exceeded",
        lambda s, m: _reason(m) in QUOTA_REASONS,
        Outcome.WAIT,
        "the day's quota is used up; it begins anew at midnight Pacific time",
    ),
    Rule(
        "rate_limited",
        lambda s, m: _reason(m) in _RATE_REASONS or s == 429,
        Outcome.RATE_LIMITED,
        "asked to slow down",
        RATE_LIMIT_WAIT,
    ),
    Rule(
        "bad_key",
        lambda s, m: _reason(m) in _KEY_REASONS or s == 401,
        Outcome.FIX_CONFIGURATION,
        "refused the API key; set a valid one",
    ),
    Rule(
        "provider_fault",
        lambda s, m: _reason(m) in _FAULT_REASONS or s in (408, 425) or s >= 500,
        Outcome.RETRY_NOW,
        "failed on its side",
    ),
    Rule(
        "project_refused",
        lambda s, m: _reason(m) in _PROJECT_REASONS,
        Outcome.FIX_CONFIGURATION,
        "refused the project; allow the key the YouTube Data API, and this host",
    ),
    Rule("bad_page_token", lambda s, m: _reason(m) == "invalidpagetoken", Outcome.RESET_CURSOR, "lost the page"),
    Rule("not_found", lambda s, m: _reason(m) in _GONE_REASONS, Outcome.NOT_FOUND, "the target does not exist"),
    Rule(
        "gateway_refusal",
        lambda s, m: s == 403 and _no_json(m),
        Outcome.WAIT,
        "a gateway refused the call",
        GATEWAY_WAIT,
    ),
    Rule("forbidden", lambda s, m: s == 403, Outcome.FIX_CONFIGURATION, "refused the call; check the key's rights"),
    Rule(
        "unknown_route",
        lambda s, m: s in (404, 410) and _reason(m) in (NO_REASON, NOT_JSON.lower()),
        Outcome.FIX_CONFIGURATION,
        "no such endpoint; check the base URL",
    ),
    Rule(
        "bad_request", lambda s, m: 400 <= s < 500, Outcome.STOP_JOB, "refused the request; check the job's parameters"
    ),
    Rule("error_with_2xx", lambda s, m: 200 <= s < 300, Outcome.FALSE_SUCCESS, "said success and named an error"),
)
"""For every endpoint."""

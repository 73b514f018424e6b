"""What every endpoint of the YouTube Data API shares: host, key header, and how an error is told.

Facts from the reference pages (2025 to 2026), recorded fixtures of public clients and public reports.
"""

import re
from typing import Any, Final

import msgspec

from platforms.pages import Response

BASE_URL: Final = "https://www.googleapis.com"
KEY_HEADER: Final = "x-goog-api-key"
"""Keeps the key out of URLs, and so out of logs and error texts."""

PROVIDER: Final = "youtube_data_api"
NOT_JSON: Final = "not JSON"
"""The reason `told` gives for a body that is no JSON object, e.g. a gateway's page."""

NO_REASON: Final = "no reason"
"""The reason `told` gives for an error that names none."""

_VAGUE: Final = frozenset({"badrequest", "forbidden", "invalid_argument", "permission_denied", NO_REASON})
"""Reasons that say no more than the status; a better one may stand beside them."""

_MARKUP = re.compile(r"<[^<>]*>")


class Reason(msgspec.Struct):
    """One cause of an error, in the older list (``errors``) or the newer one (``details``)."""

    reason: Any = None
    metadata: Any = None

    @property
    def told(self) -> str:
        """The reason; a limit counted by the day is a quota by another name."""
        limit = self.metadata.get("quota_limit") if isinstance(self.metadata, dict) else None
        if isinstance(limit, str) and "perday" in limit.lower():
            return "dailyLimitExceeded"
        return self.reason if isinstance(self.reason, str) else ""


class Failure(msgspec.Struct):
    """The error object. ``message`` is for people and may hold HTML; only ``reason`` decides."""

    message: Any = None
    status: Any = None
    errors: list[Reason] | None = None
    details: list[Reason] | None = None


class Envelope(msgspec.Struct):
    """What an answer says of itself."""

    error: Failure | None = None


class LooseEnvelope(msgspec.Struct):
    """The same where ``error`` is text, as the token service writes it, or anything else."""

    error: Any = None
    error_description: Any = None


_ENVELOPE = msgspec.json.Decoder(Envelope)
_LOOSE = msgspec.json.Decoder(LooseEnvelope)


def told(response: Response) -> str:
    """What an answer says of itself, as ``reason: message``; "" for a JSON object without an error. Never raises."""
    body = response.body.lstrip(b"\xef\xbb\xbf \t\r\n")
    if not body.startswith(b"{"):
        return f"{NOT_JSON}: {_plain(body[:4096].decode(errors='replace'))[:200] or 'empty body'}"
    try:
        failure = _ENVELOPE.decode(body).error
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _told_loosely(body, response.status)
    if failure is None:
        return "" if response.status == 200 else f"{NO_REASON}: "
    reasons = [one.told for one in (*(failure.errors or ()), *(failure.details or ())) if one.told]
    reasons.append(failure.status if isinstance(failure.status, str) else NO_REASON)
    reason = next((one for one in reasons if one.lower() not in _VAGUE), reasons[0])
    return f"{reason}: {_plain(failure.message if isinstance(failure.message, str) else '')}"


def _told_loosely(body: bytes, status: int) -> str:
    try:
        answer = _LOOSE.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        # A broken page is the reader's to refuse or mend.
        return "" if status == 200 else f"{NO_REASON}: "
    error = answer.error if isinstance(answer.error, str) else NO_REASON
    return f"{error}: {_plain(answer.error_description if isinstance(answer.error_description, str) else '')}"


def _plain(text: str) -> str:
    return " ".join(_MARKUP.sub(" ", text.replace("\x00", "")).split())

"""What every endpoint of the Instagram Graph API shares: host, version, token header, and how an error is told.

Facts from Meta's reference pages, recorded fixtures of a public client, and public clients' tests.
"""

import re
from typing import Any, Final

import msgspec

from platforms.normalise.numbers import count
from platforms.pages import Response

BASE_URL: Final = "https://graph.facebook.com"
VERSION: Final = "v23.0"
"""Versions up to v26 have been seen; one lives about two years."""

AUTHORITY_HEADER: Final = "authorization"
PROVIDER: Final = "instagram_graph"
NOT_JSON: Final = "not JSON: "
"""How `told` begins when the body is no JSON object."""

_IN_TEXT = re.compile(r"^\s*\(#(\d+)\)")
_MARKUP = re.compile(r"<[^<>]*>")


class Failure(msgspec.Struct):
    """The error object. ``code`` decides; it may stand only in the text, as ``(#4) ...``."""

    message: Any = None
    code: Any = None
    error_subcode: Any = None
    is_transient: Any = None


class Envelope(msgspec.Struct):
    """What an answer says of itself; an error also comes with HTTP 200."""

    error: Failure | None = None


class LooseEnvelope(msgspec.Struct):
    """The same where ``error`` is anything else."""

    error: Any = None


_ENVELOPE = msgspec.json.Decoder(Envelope)
_LOOSE = msgspec.json.Decoder(LooseEnvelope)


def told(response: Response) -> str:
    """What an answer says of itself, in one line; "" for a JSON object without an error. Never raises.

    An error is ``code/subcode: message``, e.g. ``110/2207013: Invalid user id``; a code that is not told is 0. One
    that is called transient ends with ``(transient)``.
    """
    body = response.body.lstrip(b"\xef\xbb\xbf \t\r\n")
    if not body.startswith(b"{"):
        return NOT_JSON + (_plain(body[:4096].decode(errors="replace"))[:200] or "empty body")
    try:
        failure = _ENVELOPE.decode(body).error
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _told_loosely(body, response.status)
    if failure is None:
        return "" if response.status == 200 else "0/0: "
    message = failure.message if isinstance(failure.message, str) else ""
    in_text = _IN_TEXT.match(message)
    code = count(failure.code) or (count(in_text[1]) if in_text else None) or 0
    transient = " (transient)" if failure.is_transient is True else ""
    return f"{code}/{count(failure.error_subcode) or 0}: {_plain(message)}{transient}"


def _told_loosely(body: bytes, status: int) -> str:
    try:
        error = _LOOSE.decode(body).error
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        # A broken page is the reader's to refuse or mend.
        error = None
    if error is None:
        return "" if status == 200 else "0/0: "
    return f"0/0: {_plain(error) if isinstance(error, str) else ''}"


def _plain(text: str) -> str:
    return " ".join(_MARKUP.sub(" ", text.replace("\x00", "")).split())

"""What every ScrapeCreators endpoint shares: host, key header, envelope, and how an error is told."""

import re
from typing import Any, Final

import msgspec

from platforms.pages import Response

BASE_URL: Final = "https://api.scrapecreators.com"
KEY_HEADER: Final = "x-api-key"
PROVIDER: Final = "scrapecreators"
NOT_JSON: Final = "not JSON: "
"""How `told` begins when the body is no JSON, e.g. the HTML page of an unknown route."""

_MARKUP = re.compile(rb"<(?:style|script|title)\b.*?</(?:style|script|title)>|<[^<>]*>", re.DOTALL | re.IGNORECASE)
_HEAD_BYTES = 4096


class Answer(msgspec.Struct):
    """The envelope; answers recorded in 2025 lack it, so every key is optional."""

    success: Any = None
    credits_remaining: Any = None
    credits_charged: Any = None
    error: Any = None
    message: Any = None


_ANSWER = msgspec.json.Decoder(Answer)


def told(response: Response) -> str:
    """What an answer says about itself, in one line: "" for a 200 with JSON, else its error. Never raises."""
    body = response.body.lstrip(b"\xef\xbb\xbf \t\r\n")
    if not body.startswith((b"{", b"[")):
        return NOT_JSON + (_first_line(body) or "empty body")
    if response.status == 200:
        return ""
    try:
        return said(_ANSWER.decode(body))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return ""


def said(answer: Answer) -> str:
    """The error and message of an envelope as one line; "" when it holds none."""
    parts = [part for part in (answer.error, answer.message) if isinstance(part, str) and part.strip()]
    return " ".join(": ".join(parts).split())


def _first_line(body: bytes) -> str:
    """The first line of text in an HTML or plain body, at most 200 characters."""
    text = _MARKUP.sub(b"\n", body[:_HEAD_BYTES]).decode(errors="replace").replace("\x00", "")
    return next((line.strip()[:200] for line in text.splitlines() if line.strip()), "")

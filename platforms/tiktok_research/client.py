"""What every endpoint of the Research API shares: host, error object, and how an error is told.

From the official reference and client, and from answers that public clients report, 2023 to 2026. The token endpoint
tells ``error`` as a string and may do so with 200; all others tell an object whose ``code`` is ``ok`` on success.
"""

from typing import Any, Final

import msgspec

from platforms.pages import Response

BASE_URL: Final = "https://open.tiktokapis.com"
PROVIDER: Final = "tiktok_research"
NOT_JSON: Final = "not JSON: "
"""How `told` begins when the body is no JSON, e.g. a gateway's page."""

_HEAD_BYTES: Final = 200


class ErrorObject(msgspec.Struct):
    """How an answer went. ``log_id`` is what the provider's support asks for."""

    code: Any = None
    message: Any = None
    log_id: Any = None


class Answer(msgspec.Struct):
    """The part that every answer has."""

    error: ErrorObject | str | None = None


class Told(Answer):
    """An answer read only for what went wrong."""

    error_description: Any = None
    log_id: Any = None


_TOLD = msgspec.json.Decoder(Told)


def told(response: Response) -> str:
    """What an answer says about itself, in one line: "" where nothing went wrong. Never raises.

    The error's code comes first, then its message and log id.
    """
    body = response.body.lstrip(b"\xef\xbb\xbf \t\r\n")
    if not body.startswith((b"{", b"[")):
        seen = " ".join(body[:_HEAD_BYTES].decode(errors="replace").replace("\x00", "").split())
        return NOT_JSON + (seen or "empty body")
    try:
        answer = _TOLD.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return ""
    error = answer.error
    if isinstance(error, str):
        error = ErrorObject(error, answer.error_description, answer.log_id)
    if error is None or error.code == "ok":
        return ""
    log_id = f"log_id {error.log_id}" if error.log_id else None
    return ", ".join(filter(None, map(_line, (error.code, error.message, log_id))))


def _line(part: object) -> str:
    return " ".join(part.split()) if isinstance(part, str) else ""

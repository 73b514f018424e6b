"""Pieces of the OpenAPI document that every route shares: which errors there are, with an example each."""

from http import HTTPStatus
from typing import Any, Final

from console.api.problems import MEDIA_TYPE, TYPE

EXAMPLES: Final[dict[int, tuple[str, str]]] = {
    400: ("invalid_json", "the body is not JSON; expected one JSON object"),
    401: ("unauthorized", "there is no token; expected the header Authorization: Bearer <token>"),
    403: ("insufficient_scope", "the token of 'app' has read; expected the scope enqueue"),
    404: ("unknown_job", "there is no job 5f0c7c1e-0000-4000-8000-000000000000"),
    409: ("idempotency_key_reused", "the idempotency key 'order-17' was used with another request"),
    413: ("too_large", "the body is larger than 4,194,304 bytes; send it in parts"),
    415: ("unsupported_media_type", "expected Content-Type: application/json"),
    422: ("invalid_request", 'platform is "Friendster"; expected one of TikTok, Instagram'),
    500: ("internal", "something broke that nobody expected; the log has it"),
    503: ("unavailable", "the database does not answer; try again"),
}
_CHALLENGE: Final = {
    "WWW-Authenticate": {"schema": {"type": "string"}, "required": True, "description": "How to ask, by RFC 6750."}
}
_RETRY: Final = {
    "Retry-After": {"schema": {"type": "integer"}, "required": True, "description": "Seconds until the next try."}
}
_HEADERS: Final[dict[int, dict[str, Any]]] = {401: _CHALLENGE, 403: _CHALLENGE, 503: _RETRY}


def problems(*further: int) -> dict[int | str, dict[str, Any]]:
    """``responses`` of a route: what every route may answer, and these."""
    return {status: _response(status) for status in sorted({400, 401, 403, 404, 422, 500, 503, *further})}


def needs(scope: str) -> dict[str, Any]:
    """``openapi_extra`` of a route: the scope that a token needs. `JsonRoute` asks for it too."""
    return {"security": [{"bearer": [scope]}]}


def _response(status: int) -> dict[str, Any]:
    code, detail = EXAMPLES[status]
    title = HTTPStatus(status).phrase
    return {
        "description": title,
        "content": {
            MEDIA_TYPE: {
                "schema": {"$ref": "#/components/schemas/ProblemDetails"},
                "example": {"type": TYPE + code, "title": title, "status": status, "detail": detail},
            }
        },
        **({"headers": _HEADERS[status]} if status in _HEADERS else {}),
    }

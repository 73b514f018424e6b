"""The provider ScrapeCreators: its key, its envelope and its refusals. A missing key really is an HTTP 500.

Error bodies are those recorded from it or quoted by its public clients.
"""

from http import HTTPStatus
from typing import Any, ClassVar

from platforms.simulator.calls import Answer, Call, Good, Refused, told
from platforms.simulator.endpoint import BAD_KEY, Endpoint, Provider, Why

KEY_HEADER = "x-api-key"
_BODIES: dict[int, dict[str, Any]] = {
    400: {"success": False, "credits_charged": 0, "error": "missing_parameter", "errorStatus": 400},
    401: {"success": False, "message": "Invalid API key"},
    402: {"success": False, "message": "Looks like you're out of credits :( "},
    403: {"success": False, "error": "forbidden", "errorStatus": 403, "message": "This account is not available"},
    404: {"success": False, "error": "not_found", "errorStatus": 404, "message": "Account doesn't exist"},
    429: {"success": False, "message": "Too many requests"},
    500: {"success": False, "message": "Something went wrong"},
}


def refused(status: int, **more: Any) -> Refused:
    """A refusal with the provider's usual body of this status."""
    return Refused(told(status, {**_BODIES[status], **more}))


def nobody(**more: Any) -> Good:
    """The answer for an account that does not exist; free of charge."""
    return Good({**_BODIES[404], **more}, 404, 0)


def given(call: Call, *names: str) -> str:
    """The first of these parameters that is given. Raises `Refused` when none is."""
    value = next((call.params[name] for name in names if call.params.get(name)), None)
    if value is None:
        raise refused(400, message=f"You must provide a {' or a '.join(names)}")
    return value


def wrong_parameter(message: str) -> Refused:
    """The refusal of a parameter that has another form."""
    return refused(400, error="invalid_parameter", message=message)


class ScrapeCreators(Provider):
    """ScrapeCreators, at the root of the server."""

    name: ClassVar[str] = "scrapecreators"
    prepaid: ClassVar[bool] = True

    def __init__(self, endpoints: tuple[Endpoint, ...]) -> None:
        self._endpoints = endpoints

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """All of them."""
        return self._endpoints

    def account_of(self, call: Call) -> str:
        """The key of the header."""
        key = call.headers.get(KEY_HEADER)
        if not key:
            raise refused(500, message="apiKey is required")
        if key == BAD_KEY:
            raise refused(401)
        return key

    def refusal(self, why: Why, wait: float | None = None) -> Answer:
        """As `Provider.refusal` says; the daily limit has no wording on record but its name."""
        match why:
            case Why.BAD_KEY:
                return self.error(401)
            case Why.TOO_FAST:
                return self.error(429)
            case Why.QUOTA:
                return told(429, {"success": False, "message": "Daily limit reached", "limit": 0, "remaining": 0})
            case Why.BALANCE:
                return self.error(402)
            case _:
                return told(400, {**_BODIES[400], "error": "invalid_parameter", "message": "Invalid cursor"})

    def error(self, status: int) -> Answer:
        """The body of a bare error status."""
        return told(status, _BODIES.get(status, _BODIES[500]))

    def nowhere(self, method: str, path: str) -> Answer:
        """The page for a path that does not exist: HTML, as recorded."""
        escaped = path.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        page = (
            '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>Error</title>\n</head>\n'
            f"<body>\n<pre>Cannot {method} {escaped}</pre>\n</body>\n</html>\n"
        )
        return Answer(404, page.encode(), "text/html; charset=utf-8")

    def dressed(self, good: Good, charged: int, balance: int, used: float) -> Good:
        """The envelope of 2026; an error tells the balance only."""
        envelope = {"success": True, "credits_remaining": balance, "credits_charged": charged}
        if good.status != HTTPStatus.OK:
            del envelope["credits_charged"]
        return Good({**envelope, **good.body}, good.status, charged, good.headers)

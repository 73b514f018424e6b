"""One call to the simulator and one answer, whatever the provider."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import msgspec

_JSON = "application/json; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Call:
    """A call as it came. ``headers`` keys are lower case."""

    method: str
    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    places: Mapping[str, str] = field(default_factory=dict)
    """What stands where the endpoint's path has a name in braces."""

    @property
    def bearer(self) -> str:
        """The token of an Authorization header; "" without one."""
        kind, _, token = self.headers.get("authorization", "").partition(" ")
        return token.strip() if kind.lower() == "bearer" else ""

    @property
    def sent(self) -> dict[str, Any]:
        """The body as an object: JSON, or a form; empty when it is neither."""
        if self.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
            return dict(parse_qsl(self.body.decode(errors="replace")))
        try:
            told = msgspec.json.decode(self.body or b"{}")
        except (msgspec.DecodeError, UnicodeDecodeError):
            return {}
        return told if isinstance(told, dict) else {}

    @property
    def facts(self) -> dict[str, str]:
        """All that a test may tell calls apart by: parameters, plain values of the body, and parts of the path."""
        sent = {name: str(value) for name, value in self.sent.items() if isinstance(value, str | int | float)}
        return {**sent, **self.params, **self.places}


@dataclass(frozen=True, slots=True)
class Answer:
    """One complete answer, ready to send."""

    status: int
    body: bytes
    media_type: str = _JSON
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Good:
    """What an endpoint found, before the envelope and the faults. ``price`` None is the endpoint's own."""

    body: Any
    status: int = 200
    price: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


class Refused(Exception):
    """The provider refuses the call, with this answer; nothing is charged."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


def told(status: int, body: Any, headers: Mapping[str, str] | None = None) -> Answer:
    """A JSON answer."""
    return Answer(status, msgspec.json.encode(body), headers=headers or {})


def whole(text: str | None, default: int, least: int = 0, most: int = 10**12) -> int | None:
    """A parameter as a whole number: ``default`` when it is not given, None when it is none or out of range."""
    if text is None or text == "":
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        return None
    return int(text) if least <= int(text) <= most else None

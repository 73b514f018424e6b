"""What the headers of a published message say."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from console.api.problems import Problem, Wrong

UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
LONGEST: Final = timedelta(days=366)
MOST_RETRIES: Final = 100
LONGEST_ID: Final = 200
"""Characters of a deduplication id."""

_DELAY: Final = re.compile(r"(?:[0-9]{1,12}(?:ms|s|m|h|d))+")
_PART: Final = re.compile(r"([0-9]+)(ms|s|m|h|d)")

HEEDED: Final = frozenset(
    {
        "upstash-delay",
        "upstash-not-before",
        "upstash-retries",
        "upstash-deduplication-id",
        "upstash-content-based-deduplication",
        "upstash-method",
    }
)
OF_NO_EFFECT: Final = ("upstash-forward-", "upstash-telemetry-")
"""Headers for an address that nobody calls, and about the client; left out of what is told as ignored."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """When, how often and whether again."""

    due: datetime
    retries: int | None
    deduplication_id: str | None
    ignored: tuple[str, ...]
    """Names of headers that ask for what is not done here."""


def read_headers(headers: Mapping[str, str], destination: str, body: bytes) -> Wanted:
    """What the headers want. Raises `Problem` 422 that names the one that is wrong."""
    method = headers.get("upstash-method", "POST").upper()
    if method != "POST":
        raise _wrong("Upstash-Method", method, "POST, as that is what the application's routes take")
    return Wanted(
        due=_due(headers),
        retries=_retries(headers),
        deduplication_id=_deduplication_id(headers, destination, body),
        ignored=tuple(
            sorted(
                name
                for name in headers
                if name.startswith("upstash-") and name not in HEEDED and not name.startswith(OF_NO_EFFECT)
            )
        ),
    )


def read_delay(text: str) -> timedelta | None:
    """A delay such as ``10s``, ``3m`` or ``1d10h30m``; None when it is none, or longer than a year."""
    if not _DELAY.fullmatch(text):
        return None
    seconds = sum(int(number) * UNITS[unit] for number, unit in _PART.findall(text))
    return timedelta(seconds=seconds) if seconds <= LONGEST.total_seconds() else None


def _due(headers: Mapping[str, str]) -> datetime:
    now = datetime.now(UTC)
    if (moment := headers.get("upstash-not-before")) is not None:
        latest = (now + LONGEST).timestamp()
        if not re.fullmatch(r"[0-9]{1,12}", moment) or int(moment) > latest:
            raise _wrong("Upstash-Not-Before", moment, "seconds since 1970, at most a year from now")
        return datetime.fromtimestamp(int(moment), UTC)
    given = headers.get("upstash-delay")
    delay = timedelta(0) if given is None else read_delay(given)
    if delay is None:
        raise _wrong("Upstash-Delay", given or "", "a duration such as 10s, 3m or 1d10h30m, at most a year")
    return now + delay


def _retries(headers: Mapping[str, str]) -> int | None:
    given = headers.get("upstash-retries")
    if given is None:
        return None
    if not re.fullmatch(r"[0-9]{1,3}", given) or int(given) > MOST_RETRIES:
        raise _wrong("Upstash-Retries", given, f"a whole number from 0 to {MOST_RETRIES}")
    return int(given)


def _deduplication_id(headers: Mapping[str, str], destination: str, body: bytes) -> str | None:
    given = headers.get("upstash-deduplication-id")
    if given is not None:
        if not given.strip() or len(given) > LONGEST_ID:
            raise _wrong("Upstash-Deduplication-Id", given, f"1 to {LONGEST_ID} characters")
        return f"id:{given}"
    if headers.get("upstash-content-based-deduplication", "").lower() == "true":
        return "content:" + hashlib.sha256(destination.encode() + b"\n" + body).hexdigest()
    return None


def _wrong(header: str, seen: str, expected: str) -> Problem:
    wrong = Wrong(f"{header} is {seen[:80]!r}; expected {expected}", header=header)
    return Problem(422, "invalid_request", f"{wrong.detail}; nothing was put in", errors=[wrong])

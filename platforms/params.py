"""``search_params`` of a job row, read into typed options, or refused with a text that its owner can act on."""

import unicodedata
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final, Literal, TypeVar

import msgspec

from platforms.filters import Filters
from platforms.normalise.text import safe_text
from worker.errors import InvalidJob

PASSED_ON: Final = ("sort_by", "date_posted", "type", "duration", "media_type")
"""Keys given to the provider as they are."""

FILTERS: Final = (
    "min_followers",
    "max_followers",
    "min_views",
    "min_likes",
    "verified",
    "has_email",
    "private",
    "bio_contains",
    "countries",
    "posted_within_days",
)

KNOWN_PARAMS: Final = frozenset(
    {"provider", "kind", "dedupe", "enrich", "keywords", "max_api_calls", *PASSED_ON, *FILTERS}
)
"""Keys of ``search_params`` that are read here; others are ignored."""

Choice = TypeVar("Choice", bound=str)


class Params:
    """One job's ``search_params``. Each reader raises `InvalidJob` that names the key, what was seen and expected."""

    def __init__(self, search_params: object) -> None:
        if search_params is not None and not isinstance(search_params, Mapping):
            raise refusal("search_params", search_params, "an object")
        self._values: Mapping[str, Any] = search_params or {}

    def word_kind(self) -> Literal["keyword", "hashtag", "profiles"]:
        """What words without ``#`` are."""
        return self.choice("kind", ("keyword", "hashtag", "profiles"))

    def options(self) -> dict[str, str]:
        """What is passed on to the provider; ``keywords`` only where it is ``joined``."""
        options = {name: self._text(name, value) for name in PASSED_ON if (value := self._values.get(name)) is not None}
        if self.choice("keywords", ("separate", "joined")) == "joined":
            options["keywords"] = "joined"
        return options

    def providers(self) -> tuple[str, ...]:
        """The providers named, best first."""
        named = self._values.get("provider")
        if named is None:
            return ()
        return tuple(
            dict.fromkeys(self._text("provider", one) for one in (named if isinstance(named, list) else [named]))
        )

    def max_api_calls(self) -> int | None:
        """Most provider calls the job may make."""
        return self._number("max_api_calls", least=1)

    def filters(self) -> Filters:
        """Which creators the job keeps."""
        days = self._number("posted_within_days", least=1)
        return Filters(
            min_followers=self._number("min_followers"),
            max_followers=self._number("max_followers"),
            min_views=self._number("min_views"),
            min_likes=self._number("min_likes"),
            verified=self._flag("verified"),
            has_email=self._flag("has_email"),
            private=self._flag("private"),
            bio_contains=tuple(word.casefold() for word in self._words("bio_contains")),
            countries=tuple(word.upper() for word in self._words("countries")),
            posted_within=None if days is None else timedelta(days=min(days, 36_500)),
        )

    def choice(self, name: str, allowed: tuple[Choice, ...]) -> Choice:
        """One of a few words, letter case aside; the first when none is given."""
        value = self._values.get(name)
        if value is None:
            return allowed[0]
        for word in allowed:
            if isinstance(value, str) and value.strip().lower() == word:
                return word
        raise refusal(f"search_params.{name}", value, " or ".join(allowed))

    def _number(self, name: str, least: int = 0) -> int | None:
        value = self._values.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise refusal(f"search_params.{name}", value, f"a whole number of at least {least}")
        return value

    def _flag(self, name: str) -> bool | None:
        value = self._values.get(name)
        if value is not None and not isinstance(value, bool):
            raise refusal(f"search_params.{name}", value, "true or false")
        return value

    def _words(self, name: str) -> list[str]:
        value = self._values.get(name)
        if value is None:
            return []
        return [self._text(name, one) for one in (value if isinstance(value, list) else [value])]

    @staticmethod
    def _text(name: str, value: object) -> str:
        if not isinstance(value, str) or not clean(value):
            raise refusal(f"search_params.{name}", value, "a string that is not blank")
        return clean(value)


def unknown_params(search_params: object) -> list[str]:
    """Keys of ``search_params`` that nobody here reads, sorted; they are ignored, and worth a log line."""
    if not isinstance(search_params, Mapping):
        return []
    return sorted(str(key) for key in search_params if key not in KNOWN_PARAMS)


def clean(text: str) -> str:
    """Text without control characters, white space collapsed and trimmed."""
    collapsed = " ".join(safe_text(text).split())
    return "".join(character for character in collapsed if unicodedata.category(character) != "Cc").strip()


def refusal(name: str, seen: object, expected: str) -> InvalidJob:
    """The error for a wrong value: what was seen, what is expected, what to do."""
    shown = clean(msgspec.json.encode(seen, enc_hook=repr).decode())
    shown = shown if len(shown) <= 80 else f"{shown[:77]}..."
    return InvalidJob(f"{name} is {shown}; expected {expected}. Correct {name} and set the job to pending again.")

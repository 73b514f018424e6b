"""A job row's raw values read as a `Query`, or refused with a text that its owner can act on."""

import unicodedata
from collections.abc import Mapping
from typing import Any, Final, TypeVar

import msgspec

from platforms.contract import Query, SearchKind
from platforms.normalise.text import safe_text
from platforms.registry import PLATFORM_NAMES, fold_platform
from platforms.target import read_target
from worker.errors import InvalidJob

MOST_KEYWORDS: Final = 50
LONGEST_KEYWORD: Final = 200
"""Characters. Search boxes of the platforms cut sooner."""

KNOWN_PARAMS: Final = frozenset({"provider", "dedupe", "enrich", "keywords", "sort_by", "date_posted"})
"""Keys of ``search_params`` that are read here."""

_PASSED_ON: Final = ("provider", "sort_by", "date_posted")
Choice = TypeVar("Choice", bound=str)


def read_query(
    platform: str,
    keywords: object,
    target_username: object,
    region: object,
    target_results: object,
    search_params: object,
) -> Query:
    """What a row asks for. A target user makes a similar search, also when keywords are there.

    Raises:
        InvalidJob: The row cannot be done; the text says what was seen, what is expected, and what to do.
    """
    if fold_platform(platform) not in PLATFORM_NAMES:
        raise _refusal("platform", platform, f"one of {', '.join(PLATFORM_NAMES.values())}")
    _check_target_results(target_results)
    params = _read_params(search_params)
    target = read_target(target_username)
    words = () if target else _read_keywords(keywords)
    if not target and not words:
        raise InvalidJob(
            "The job has neither keywords nor target_username; expected one of them. Set keywords for a keyword "
            "search or target_username for a similar search."
        )
    return Query(
        platform=fold_platform(platform),
        kind=SearchKind.SIMILAR if target else SearchKind.KEYWORD,
        keywords=words,
        target_username=target,
        region=_read_region(region),
        dedupe=_choice(params, "dedupe", ("creator", "video")),
        enrich=_choice(params, "enrich", ("inline", "none")),
        options=_read_options(params),
    )


def unknown_params(search_params: object) -> list[str]:
    """Keys of ``search_params`` that nobody here reads, sorted; they are ignored, and worth a log line."""
    if not isinstance(search_params, Mapping):
        return []
    return sorted(str(key) for key in search_params if key not in KNOWN_PARAMS)


def clean(text: str) -> str:
    """Text without control characters, white space collapsed and trimmed."""
    collapsed = " ".join(safe_text(text).split())
    return "".join(character for character in collapsed if unicodedata.category(character) != "Cc").strip()


def _read_keywords(keywords: object) -> tuple[str, ...]:
    if keywords is None or keywords == []:
        return ()
    expected = "an array of strings"
    if not isinstance(keywords, list | tuple) or not all(isinstance(word, str) for word in keywords):
        raise _refusal("keywords", keywords, expected)
    words: dict[str, str] = {}
    for word in filter(None, map(clean, keywords)):
        words.setdefault(word.casefold(), word)
    if not words:
        raise _refusal("keywords", keywords, "at least one word that is not blank")
    if len(words) > MOST_KEYWORDS:
        raise InvalidJob(
            f"keywords has {len(words)} different words; expected at most {MOST_KEYWORDS}. "
            "Leave some out and set the job to pending again."
        )
    for word in words.values():
        if len(word) > LONGEST_KEYWORD:
            raise _refusal("keywords", word, f"words of at most {LONGEST_KEYWORD} characters")
    return tuple(words.values())


def _check_target_results(target_results: object) -> None:
    if target_results is None:
        return
    if isinstance(target_results, bool) or not isinstance(target_results, int) or target_results <= 0:
        raise _refusal("target_results", target_results, "a whole number above 0")


def _read_region(region: object) -> str:
    if region is None or region == "":
        return "US"
    code = region.strip().upper() if isinstance(region, str) else ""
    if len(code) != 2 or not code.isascii() or not code.isalpha():
        raise _refusal("region", region, "a country code of two letters, e.g. US")
    return code


def _read_params(search_params: object) -> Mapping[str, Any]:
    if search_params is None:
        return {}
    if not isinstance(search_params, Mapping):
        raise _refusal("search_params", search_params, "an object")
    return search_params


def _read_options(params: Mapping[str, Any]) -> dict[str, str]:
    options = {}
    for name in _PASSED_ON:
        value = params.get(name)
        if value is None:
            continue
        if not isinstance(value, str) or not clean(value):
            raise _refusal(f"search_params.{name}", value, "a string that is not blank")
        options[name] = clean(value)
    if _choice(params, "keywords", ("separate", "joined")) == "joined":
        options["keywords"] = "joined"
    return options


def _choice(params: Mapping[str, Any], name: str, allowed: tuple[Choice, ...]) -> Choice:
    """One of a few words, letter case aside; the first when none is given."""
    value = params.get(name)
    if value is None:
        return allowed[0]
    for word in allowed:
        if isinstance(value, str) and value.strip().lower() == word:
            return word
    raise _refusal(f"search_params.{name}", value, " or ".join(allowed))


def _refusal(name: str, seen: object, expected: str) -> InvalidJob:
    shown = clean(msgspec.json.encode(seen, enc_hook=repr).decode())
    shown = shown if len(shown) <= 80 else f"{shown[:77]}..."
    return InvalidJob(f"{name} is {shown}; expected {expected}. Correct {name} and set the job to pending again.")

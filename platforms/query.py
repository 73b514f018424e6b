"""A job row's raw values read as a `Query`, or refused with a text that its owner can act on."""

from typing import Final

from platforms.contract import Query, SearchKind
from platforms.params import Params, clean, refusal
from platforms.registry import PLATFORM_NAMES, fold_platform
from platforms.target import read_target
from worker.errors import InvalidJob

MOST_KEYWORDS: Final = 50
LONGEST_KEYWORD: Final = 200
"""Characters. Search boxes of the platforms cut sooner."""


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
        raise refusal("platform", platform, f"one of {', '.join(PLATFORM_NAMES.values())}")
    _check_target_results(target_results)
    params = Params(search_params)
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
        word_kind=params.word_kind(),
        providers=params.providers(),
        dedupe=params.choice("dedupe", ("creator", "video")),
        enrich=params.choice("enrich", ("inline", "none")),
        max_api_calls=params.max_api_calls(),
        filters=params.filters(),
        options=params.options(),
    )


def _read_keywords(keywords: object) -> tuple[str, ...]:
    if keywords is None or keywords == []:
        return ()
    expected = "an array of strings"
    if not isinstance(keywords, list | tuple) or not all(isinstance(word, str) for word in keywords):
        raise refusal("keywords", keywords, expected)
    words: dict[str, str] = {}
    for word in filter(None, map(clean, keywords)):
        words.setdefault(word.casefold(), word)
    if not words:
        raise refusal("keywords", keywords, "at least one word that is not blank")
    if len(words) > MOST_KEYWORDS:
        raise InvalidJob(
            f"keywords has {len(words)} different words; expected at most {MOST_KEYWORDS}. "
            "Leave some out and set the job to pending again."
        )
    for word in words.values():
        if len(word) > LONGEST_KEYWORD:
            raise refusal("keywords", word, f"words of at most {LONGEST_KEYWORD} characters")
    return tuple(words.values())


def _check_target_results(target_results: object) -> None:
    if target_results is None:
        return
    if isinstance(target_results, bool) or not isinstance(target_results, int) or target_results <= 0:
        raise refusal("target_results", target_results, "a whole number above 0")


def _read_region(region: object) -> str:
    if region is None or region == "":
        return "US"
    code = region.strip().upper() if isinstance(region, str) else ""
    if len(code) != 2 or not code.isascii() or not code.isalpha():
        raise refusal("region", region, "a country code of two letters, e.g. US")
    return code

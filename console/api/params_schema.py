"""``search_params`` as the OpenAPI document describes them; what they mean is judged by the engine's own code."""

from typing import Any, Final


def _words(what: str, example: Any) -> dict[str, Any]:
    return {
        "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}, {"type": "null"}],
        "description": what,
        "examples": [example],
    }


def _text(what: str) -> dict[str, Any]:
    return {"type": ["string", "null"], "description": what}


def _number(what: str, least: int = 0) -> dict[str, Any]:
    return {"type": ["integer", "null"], "minimum": least, "description": what}


def _flag(what: str) -> dict[str, Any]:
    return {"type": ["boolean", "null"], "description": what}


PROPERTIES: Final[dict[str, dict[str, Any]]] = {
    "provider": _words("Only these providers, best first.", ["scrapecreators"]),
    "kind": _text("What words without `#` are: `keyword`, `hashtag` or `profiles`."),
    "keywords": _text("`separate` or `joined`; `joined` makes one search of all words."),
    "dedupe": _text("What is stored once: `creator` or `video`."),
    "enrich": _text("Whether profiles are looked up: `inline` or `none`."),
    "max_api_calls": _number("The job completes after so many calls of providers.", 1),
    "min_followers": _number("Filter."),
    "max_followers": _number("Filter."),
    "min_views": _number("Filter, of the post that was found."),
    "min_likes": _number("Filter, of the post that was found."),
    "verified": _flag("Filter."),
    "has_email": _flag("Filter."),
    "private": _flag("Filter."),
    "bio_contains": _words("Filter: one of them stands in the bio.", ["vegan"]),
    "countries": _words("Filter: country codes.", ["US", "GB"]),
    "posted_within_days": _number("Filter, of the post that was found.", 1),
    "sort_by": _text("Passed on to providers that have such an option."),
    "date_posted": _text("Passed on to providers that have such an option."),
    "type": _text("Passed on to providers that have such an option."),
    "duration": _text("Passed on to providers that have such an option."),
    "media_type": _text("Passed on to providers that have such an option."),
}
SEARCH_PARAMS_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "properties": PROPERTIES,
    "additionalProperties": True,
    "description": "Options and filters. Names that are not known are ignored, and told as `warnings`.",
    "examples": [{"min_followers": 5000, "has_email": True}],
}

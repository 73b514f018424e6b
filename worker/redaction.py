"""What is cut from text before anyone may keep or read it: keys, tokens and passwords."""

import re
from collections.abc import Mapping
from typing import Any, Final

# JSON must stay JSON, at whatever depth: a quote stands as it is or escaped, and a value ends before the next one.
_QUOTE: Final = r"(?:\\{7}|\\{3}|\\)?[\"']"
_VALUE: Final = r"(?:[^\s\"'&,;}\\]|\\(?!\\*[\"']))+"
_SCHEME: Final = r"(?:bearer\s+|basic\s+)?"
_SECRETS: Final = (
    re.compile(
        r"(?i)(x-api-key|authorization|api[_-]?key|access_token|password|client_secret|client_key|token)"
        rf"({_QUOTE}\s*[=:]\s*{_QUOTE}{_SCHEME}|\s*[=:]\s*(?:{_QUOTE}(?![\]:]))?{_SCHEME}){_VALUE}"
    ),
    re.compile(r"(://[^:/@\s\"]*:)[^@/\s\"]+(?=@)"),
)


def redact(text: str) -> str:
    """The text without keys, tokens and passwords, wherever a URL, a header or JSON carries one.

    JSON stays JSON, and where secrets are known by value the transport has cut them before.
    """
    if ":" not in text and "=" not in text:
        # No secret is told without one of them, and most of what is logged has neither.
        return text
    text = _SECRETS[0].sub(r"\1\2[cut]", text)
    return _SECRETS[1].sub(r"\1[cut]", text)


def redacted(value: Any) -> Any:
    """As `redact`, for text at any depth of lists and objects; what is neither stays as it is."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, Mapping):
        return {key: redacted(one) for key, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [redacted(one) for one in value]
    return value

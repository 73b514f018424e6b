"""What a channel is about, in words that a search understands. Pure."""

import re
from collections import Counter
from collections.abc import Sequence
from typing import Final

from platforms.normalise.text import hashtags, safe_text

MOST_TOPICS: Final = 8
"""Searches that one similar job opens at most."""

LONGEST_TOPIC: Final = 60
SHORTEST_TOPIC: Final = 3

_LINK_OR_ADDRESS = re.compile(r"\S*(?:://|www\.|@)\S*|\b\S+\.(?:com|net|org|tv|co|io)\b\S*", re.IGNORECASE)
_WORD = re.compile(r"[^\W\d_][^\W_]{3,}")
_QUOTED = re.compile(r'"([^"]+)"|(\S+)')
_STOP_TEXT: Final = """
about above after again also always another around based because been before being below best between both
business channel channels check click come comment comments contact content could creator creators daily does
doing down during each email enquiries even ever every everyone everything facebook find follow following from
further give going good great have help here hello hope inquiries instagram into join just keep know latest
learn like link links little live look made make makes making many more most much need never
news next official once only other over patreon please post posts really same see share short should show since
some something start stay subscribe subscribed subscriber subscribers such support than thank thanks that their
them then there these they thing things this those through tiktok time today twitter under until upload uploads
very video videos visit want watch website week weekly welcome well were what when where which while will with
would write year years your yours youtube
"""
_STOP_WORDS: Final = frozenset(_STOP_TEXT.split())


def topics(name: str, handle: str, tags: Sequence[str], description: str) -> tuple[str, ...]:
    """At most `MOST_TOPICS` searches: the channel's tags, its hashtags, then the words its description repeats most.

    Tags that only spell the channel's own name are left out: they find the channel itself.
    """
    text = safe_text(description)
    own = {_folded(name), _folded(handle)} - {""}
    candidates = [*tags, *(tag[1:] for tag in hashtags(text)), *_words(text)]
    found: dict[str, str] = {}
    for candidate in candidates:
        topic = " ".join(safe_text(candidate).split())
        folded = _folded(topic)
        if SHORTEST_TOPIC <= len(topic) <= LONGEST_TOPIC and folded and folded not in own:
            found.setdefault(folded, topic)
    return tuple(found.values())[:MOST_TOPICS]


def comma_separated(told: str) -> list[str]:
    """Tags in one string with commas between."""
    return [part.strip() for part in told.split(",") if part.strip()]


def space_separated(told: str) -> list[str]:
    """Tags in one string with spaces between, those of several words in double quotes."""
    return [(quoted or bare).strip('" ') for quoted, bare in _QUOTED.findall(told)]


def _words(text: str) -> list[str]:
    """The description's words, the most frequent first, then in order of appearance."""
    plain = _LINK_OR_ADDRESS.sub(" ", text)
    words = [word.casefold() for word in _WORD.findall(plain)]
    return [word for word, _ in Counter(words).most_common() if word not in _STOP_WORDS]


def _folded(text: str) -> str:
    return "".join(character for character in text.casefold() if character.isalnum())

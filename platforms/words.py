"""The words of a job as the walks of a search."""

from collections.abc import Iterator
from typing import Literal

from platforms.contract import Query
from platforms.params import refusal

WordKind = Literal["keyword", "hashtag", "profiles"]


def words_of(query: Query) -> Iterator[tuple[WordKind, str]]:
    """Each walk's kind and word, in the order given; a hashtag comes without ``#`` and without spaces.

    With the ``keywords`` option ``joined``, all words that are no hashtags are one, the last.
    """
    kind: WordKind = "profiles" if query.word_kind == "profiles" else "keyword"
    together: list[str] = []
    for word in query.keywords:
        if word.startswith(("#", "\uff03")) or query.word_kind == "hashtag":
            yield "hashtag", hashtag(word)
        elif query.options.get("keywords") == "joined":
            together.append(word)
        else:
            yield kind, word
    if together:
        yield kind, " ".join(together)


def hashtag(word: str) -> str:
    """A word as the platforms write a hashtag, without ``#``. Raises `InvalidJob` when nothing is left of it."""
    bare = "".join(word.split()).lstrip("#\uff03")
    if not bare:
        raise refusal("keywords", word, "a hashtag with at least one letter")
    return bare

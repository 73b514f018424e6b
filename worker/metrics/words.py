"""Keeps labels few: a label's value is a word of our code, or it is `OTHER`."""

import re
from typing import Final

OTHER: Final = "other"
_WORD: Final = re.compile(r"[a-z]+(?:[_.][a-z]+|_[0-9]{1,3}x{0,2})*")
_LONGEST: Final = 40


class Words:
    """Values of one label. What looks like an id, or is one more than ``most`` of this process, becomes `OTHER`.

    Reasons come from handlers too, which are not all ours: one that puts a user's name there must not fill the table.
    """

    def __init__(self, most: int = 200) -> None:
        self._most = most
        self._known: set[str] = set()

    def word(self, text: str) -> str:
        """The value that stands for a text."""
        if text in self._known:
            return text
        if len(self._known) >= self._most or len(text) > _LONGEST or not _WORD.fullmatch(text):
            return OTHER
        self._known.add(text)
        return text
